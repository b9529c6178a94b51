"""Child processes, each of which leads a group that ends with the block it was started for.

Not by `asyncio.create_subprocess_exec` (3.11): it waits for ever when every task is cancelled while it starts a child,
as at Ctrl-C, because the pipes it waits for are connected by a task too; and its `wait` does when what the child wrote
is not read to the end.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.05


class Process:
    """The pipes are None where none was asked for."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._transports: list[asyncio.ReadTransport | asyncio.WriteTransport] = []
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None

    async def connect(self) -> None:
        if self._child.stdin is not None:
            self.stdin = await self._writer(self._child.stdin)
        if self._child.stdout is not None:
            self.stdout = await self._reader(self._child.stdout)
        if self._child.stderr is not None:
            self.stderr = await self._reader(self._child.stderr)

    async def _writer(self, pipe: IO[bytes]) -> asyncio.StreamWriter:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
        self._transports.append(transport)
        return asyncio.StreamWriter(transport, protocol, None, loop)

    async def _reader(self, pipe: IO[bytes]) -> asyncio.StreamReader:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self._transports.append(transport)
        return reader

    async def wait(self) -> int:
        """The exit status; the negative number of the signal that ended it."""
        pause = _SHORTEST_PAUSE_S
        while (status := self._child.poll()) is None:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        return status

    def kill(self) -> None:
        """With its group, which exists until its leader was waited for: the id cannot name another one."""
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def hang_up(self) -> None:
        """Whoever reads or writes a pipe of the child goes on as if the child had closed it."""
        for transport in self._transports:
            if not isinstance(transport, asyncio.WriteTransport):
                transport.close()
            elif not transport.is_closing() or transport.get_write_buffer_size():
                transport.abort()


@asynccontextmanager
async def started(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: int = DEVNULL,
    stdout: int = DEVNULL,
    stderr: int = DEVNULL,
    cwd: Path | None = None,
) -> AsyncIterator[Process]:
    """Raises `OSError` for a program that cannot be started."""
    # Leaving it waits for the child, also where `wait` is cancelled.
    with subprocess.Popen(  # noqa: ASYNC220, S603 - asyncio starts children the same way; arguments come as a list
        command, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd, bufsize=0, start_new_session=True
    ) as child:
        process = Process(child)
        try:
            await process.connect()
            yield process
        finally:
            process.kill()
            process.hang_up()
            await process.wait()
