"""One connection of HTTP/1.1 (RFC 9112), on `asyncio.Protocol` and llhttp.

Times are stamped in `data_received`, before anything is parsed and before any task runs, so that work elsewhere in the
loop does not become the target's latency.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from backend.app.engine.http import Headers, Outcome
from backend.app.extensions.http_client.limits import HttpLimits

FRAMING_OF_A_BYTE = 5
"""Bytes around the body of a chunk that holds one, without extensions and leading zeros (RFC 9112, 7.1)."""


class TargetFault(Exception):
    """The target did not give an answer; `outcome` is never `ANSWERED`, `message` holds no secret."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message


class StaleConnection(TargetFault):
    """A kept connection ended before a byte of the answer came: the server may have closed it long ago."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came: `body` without its chunks but with its content coding, moments as `perf_counter`."""

    status: int
    headers: Headers
    body: bytes
    first_byte_at: float
    last_byte_at: float


class Connection(asyncio.Protocol):
    """`reusable` and `closed` say, after `exchange`, whether another request may follow on this connection."""

    def __init__(self, limits: HttpLimits, on_lost: Callable[["Connection"], None]) -> None:
        self._limits = limits
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[Received] | None = None
        self._exchanges = 0
        self._received_at = 0.0
        self._spoiled = False
        """Bytes came that belong to no exchange: the next answer could not be told from them."""
        self.closed = False
        self.idle_since = 0.0
        self._expect(bodiless=False)

    def _expect(self, *, bodiless: bool) -> None:
        self._bodiless = bodiless
        self._overhead = self._field_bytes = 0
        self._body = bytearray()
        self._kept_alive = False
        self._expect_head()

    def _expect_head(self) -> None:
        self._in_head = True
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._first_byte_at: float | None = None

    async def exchange(self, head: bytes, body: bytes, *, bodiless: bool, deadline: float) -> Received:
        """Write one request and wait for its answer until `deadline` (`perf_counter`). `bodiless` says that the answer
        has no body whatever its headers say (HEAD). Raises `TargetFault`; the connection is then closed."""
        if self._spoiled:
            raise TargetFault(Outcome.PROTOCOL_ERROR, "the server spoke before it was asked")
        if self.closed:
            raise TargetFault(Outcome.RESET, "the connection was closed without an answer")
        self._exchanges += 1
        self._expect(bodiless=bodiless)
        waiter: asyncio.Future[Received] = self._loop.create_future()
        self._waiter = waiter
        timer = self._loop.call_later(deadline - perf_counter(), self._expire)
        try:
            self._transport.write(head + body)
            return await waiter
        except asyncio.CancelledError:
            self._waiter = None
            self.abort()
            raise
        finally:
            timer.cancel()

    @property
    def reusable(self) -> bool:
        return self._kept_alive and not self._spoiled and not self._transport.get_write_buffer_size()

    def abort(self) -> None:
        self.closed = True
        self._transport.abort()

    def _fail(self, fault: TargetFault) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(fault)
        self.abort()

    def _finish(self, *, kept_alive: bool) -> None:
        waiter, self._waiter = self._waiter, None
        self._kept_alive = kept_alive
        if waiter is not None and not waiter.done():
            body, self._body = bytes(self._body), bytearray()
            first, last = self._first_byte_at or self._received_at, self._received_at
            waiter.set_result(Received(self._status, tuple(self._headers), body, first, last))

    def _expire(self) -> None:
        part = "no answer came" if self._first_byte_at is None else "the answer was not complete"
        self._fail(TargetFault(Outcome.TIMEOUT, f"{part} before the deadline"))

    def _refuse_head(self) -> None:
        limit = self._limits.max_header_bytes
        self._fail(TargetFault(Outcome.TOO_LARGE, f"headers and framing of the answer are over {limit} bytes"))

    @property
    def _ends_with_connection(self) -> bool:
        """RFC 9112, 6.3: a body without a length and without chunks ends when the connection does."""
        return not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in self._headers)

    @property
    def _other_transfer_coding(self) -> bool:
        """We ask for none (RFC 9112, 7.4), and parsers disagree about where such a body ends."""
        codings = [value.lower() for name, value in self._headers if name.lower() == "transfer-encoding"]
        return codings not in ([], ["chunked"])

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received_at = perf_counter()
        if self._waiter is None:
            self._spoiled = True
            self.abort()
            return
        if self._first_byte_at is None:
            self._first_byte_at = self._received_at
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._spoiled = True
        except HttpParserError:
            self._fail(TargetFault(Outcome.PROTOCOL_ERROR, "the answer is not valid HTTP/1.1"))
        if self._overhead > self._limits.max_header_bytes + FRAMING_OF_A_BYTE * len(self._body):
            self._refuse_head()

    def eof_received(self) -> None:
        self.closed = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._on_lost(self)
        if self._waiter is None:
            return
        if self._first_byte_at is None:
            kind = StaleConnection if self._exchanges > 1 else TargetFault
            self._fail(kind(Outcome.RESET, "the connection was closed without an answer"))
        elif not self._in_head and exc is None and self._ends_with_connection:
            self._received_at = perf_counter()
            self._finish(kept_alive=False)
        else:
            self._fail(TargetFault(Outcome.RESET, "the connection was closed in the middle of the answer"))

    # What llhttp calls. It goes on to the end of the data it was fed even after a `_fail` or a `_finish`.

    def on_message_begin(self) -> None:
        if self._waiter is None:
            self._spoiled = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._field_bytes += len(name) + len(value)
        if self._field_bytes > self._limits.max_header_bytes:
            self._refuse_head()
        elif self._in_head and self._waiter is not None:
            self._headers.append((name.decode("latin-1"), value.decode("latin-1").rstrip(" \t")))

    def on_headers_complete(self) -> None:
        if self._waiter is None:
            return
        self._in_head = False
        self._status = self._parser.get_status_code()
        if self._exchanges == 1 and self._parser.get_http_version() not in ("1.0", "1.1"):
            self._fail(TargetFault(Outcome.PROTOCOL_ERROR, "the answer is of another version of HTTP"))
        elif self._status < 100:
            self._fail(TargetFault(Outcome.PROTOCOL_ERROR, "the answer has no valid status"))
        elif self._other_transfer_coding:
            self._fail(TargetFault(Outcome.PROTOCOL_ERROR, "the answer has a transfer coding other than chunked"))
        elif self._bodiless and self._status >= 200:
            self._finish(kept_alive=self._parser.should_keep_alive())
            # llhttp cannot be told that the method was HEAD: this parser waits for a body that does not come.
            self._parser = HttpResponseParser(self)

    def on_body(self, data: bytes) -> None:
        if self._waiter is None:
            self._spoiled = True
            return
        self._overhead -= len(data)
        self._body += data
        if len(self._body) > self._limits.max_body_bytes:
            limit = self._limits.max_body_bytes
            self._fail(TargetFault(Outcome.TOO_LARGE, f"the body of the answer is over {limit} bytes"))

    def on_message_complete(self) -> None:
        if self._waiter is None:
            return
        if 100 <= self._status < 200 and self._status != 101:
            self._expect_head()
        else:
            self._finish(kept_alive=self._parser.should_keep_alive())
