"""Targets on loopback that answer byte for byte what a test says, and a loop whose dials a test can see."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, TypeAlias

from backend.app.extensions.http_client import HttpLimits, OutgoingPolicy

Script: TypeAlias = Callable[["Visit"], Awaitable[None]]

EMBEDDED = OutgoingPolicy(allow_private=True)
PRODUCTION = OutgoingPolicy(allow_private=False)
QUICK = HttpLimits(deadline_s=10, connect_s=3, dns_s=0.5)


@dataclass
class Visit:
    """One connection, as its script sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    target: "RawTarget"

    async def request(self) -> bytes:
        """The head of the next request; its body too when it has a `Content-Length`."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                head += await self.reader.readexactly(int(line.split(b":")[1]))
        self.target.requests.append(head)
        return head

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until_gone(self) -> None:
        await self.reader.read()

    def reset(self) -> None:
        """Ends the connection by RST, not FIN."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class RawTarget:
    port: int
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def raw_target(script: Script, tls: SSLContext | None = None) -> AsyncIterator[RawTarget]:
    visits: set[asyncio.Task[None]] = set()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        visits.add(task)
        target.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await script(Visit(reader, writer, target))
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(visit, "127.0.0.1", 0, ssl=tls)
    target = RawTarget(server.sockets[0].getsockname()[1])
    try:
        yield target
    finally:
        server.close()
        for task in visits:
            task.cancel()
        await asyncio.gather(*visits, return_exceptions=True)


def answering(*answers: bytes) -> Script:
    """Answers the requests of every connection in turn, the last one again and again."""

    async def script(visit: Visit) -> None:
        for answer in answers:
            await visit.request()
            await visit.write(answer)
        while True:
            await visit.request()
            await visit.write(answers[-1])

    return script


def once(answer: bytes) -> Script:
    """Answers one request and closes the connection."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.write(answer)

    return script


def ok(body: bytes = b"ok", *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


class Names:
    """A resolver whose answers a test sets; `asked` holds the names in order."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(sequence) for name, sequence in answers.items()}
        self.asked: list[str] = []

    def set(self, name: str, *sequence: Sequence[str]) -> None:
        self.answers[name] = list(sequence)

    async def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        sequence = self.answers.get(name, [["93.184.215.14"]])
        return sequence.pop(0) if len(sequence) > 1 else sequence[0]


@dataclass
class Dials:
    """Every connection that the loop was asked for; each ends at `target` instead."""

    target: RawTarget
    made: list[tuple[str, int]] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        dial = loop.create_connection

        async def create_connection(
            factory: Callable[[], asyncio.Protocol], host: str, port: int, **options: Any
        ) -> tuple[asyncio.BaseTransport, asyncio.Protocol]:
            self.made.append((host, port))
            self.server_names.append(options.get("server_hostname"))
            return await dial(factory, "127.0.0.1", self.target.port)

        loop.create_connection = create_connection  # type: ignore[method-assign,assignment]
