"""A server that costs as little as one can in Python, in a process of its own.

    python -m benchmarks.support.fast_server

prints its port, then serves until its standard input closes. `/timed` holds the request for 20 ms, sends the headers,
and the rest 10 ms later; the body tells when each was written, by `perf_counter`, which all processes of a machine
share. Every other path is answered at once.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import uvloop

HOLD_S = 0.020
REST_S = 0.010
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{"id": 1, "name": "widget"}'
TIMED_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 40\r\n\r\n"


@asynccontextmanager
async def fast_server() -> AsyncIterator[str]:
    """Its base URL; the server ends with the block."""
    command = [sys.executable, "-m", "benchmarks.support.fast_server"]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.stdin.close()
        await process.wait()


class Connection(asyncio.Protocol):
    """Takes requests without a body, one at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        if not self._pending.endswith(b"\r\n\r\n"):
            return
        if self._pending.startswith(b"GET /timed "):
            self._loop.call_later(HOLD_S, self._timed_head)
        else:
            self._transport.write(ANSWER)
        self._pending = b""

    def _timed_head(self) -> None:
        written_at = time.perf_counter()
        self._transport.write(TIMED_HEAD)
        self._loop.call_later(REST_S, self._timed_rest, written_at)

    def _timed_rest(self, head_written_at: float) -> None:
        self._transport.write(b"%019.9f %020.9f" % (head_written_at, time.perf_counter()))


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(serve())
