"""An API on loopback, in the loop of the test, that answers what the test says and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Says:
    status: int = 200
    body: Any = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else b"" if self.body is None else orjson.dumps(self.body)
        lines = [f"HTTP/1.1 {self.status} Said", f"Content-Length: {len(body)}"]
        if self.body is not None:
            lines.append(f"Content-Type: {self.content_type}")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


Answer: TypeAlias = Says | bytes | Callable[[Asked], Awaitable[Says | bytes]]
"""Bytes are sent as they are, and the connection is closed."""


@dataclass
class Target:
    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    """By `GET /things`, the query left out; `GET /things*` stands for what begins so."""
    asked: list[Asked] = field(default_factory=list)

    def find(self, asked: Asked) -> Answer:
        key = f"{asked.method} {asked.path}"
        if key in self.answers:
            return self.answers[key]
        prefixes = [each for each in self.answers if each.endswith("*") and key.startswith(each[:-1])]
        return self.answers[max(prefixes, key=len)] if prefixes else Says(404, {"error": "nothing here"})

    def paths(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked]


@asynccontextmanager
async def target(answers: Mapping[str, Answer] | None = None) -> AsyncIterator[Target]:
    visits: set[asyncio.Task[None]] = set()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        visits.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await _answer(api, reader, writer):
                pass
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(visit, "127.0.0.1", 0)
    api = Target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", dict(answers or {}))
    try:
        yield api
    finally:
        server.close()
        for task in visits:
            task.cancel()
        await asyncio.gather(*visits, return_exceptions=True)


async def _answer(api: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, url, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    path, _, query = url.partition("?")
    asked = Asked(method, path, query, headers, body)
    api.asked.append(asked)
    answer = api.find(asked)
    if callable(answer):
        answer = await answer(asked)
    writer.write(answer if isinstance(answer, bytes) else answer.encoded())
    await writer.drain()
    return not isinstance(answer, bytes)
