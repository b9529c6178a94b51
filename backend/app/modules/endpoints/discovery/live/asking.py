"""Asks a server within limits, and stops when it had enough."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypeVar

from backend.app.engine.http import Exchange, Outcome, Request
from backend.app.modules.endpoints.discovery import NothingDiscovered, Tools

SafeMethod: TypeAlias = Literal["GET", "HEAD", "OPTIONS"]
"""RFC 9110, 9.2.1."""
CONCURRENCY: Final = 4
MOST_REQUESTS: Final = 2_000
UNREACHABLE: Final = frozenset({Outcome.DNS_FAILED, Outcome.CONNECT_FAILED, Outcome.TLS_FAILED, Outcome.REFUSED})
_MOST_SILENCES: Final = 4
"""In a row: connections that break, deadlines that pass, 502, 503 and 504."""
_MOST_THROTTLED: Final = 3
"""In a row, of 429. The pace is slower from the first one on: see `endpoints.tools`."""
_TOLD_EVERY: Final = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    requests: int = 400
    bytes: int = 64 << 20
    """Of all answers together."""
    seconds: float = 600.0


class Asker:
    """`stopped` says why nothing more is asked; empty: it goes on."""

    def __init__(self, tools: Tools, limits: Limits, note: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.asked = 0
        self.answered = 0
        self.stopped = ""
        self._tools = tools
        self._limits = limits
        self._note = note
        self._clock = clock
        self._until = clock() + limits.seconds
        self._bytes = 0
        self._silence: Exchange | None = None
        self._silences = 0
        self._throttled = 0

    @property
    def left(self) -> int:
        """Requests that may still be sent."""
        return max(0, self._limits.requests - self.asked)

    async def ask(self, method: SafeMethod, url: str) -> Exchange | None:
        """None when nothing more is asked. Redirects are not followed. Raises `NothingDiscovered` when nobody is there
        at the first request."""
        if self.asked >= self._limits.requests:
            self.stopped = self.stopped or f"stopped after {self.asked} requests, which is the limit"
        elif self._clock() > self._until:
            self.stopped = self.stopped or f"stopped after {self._limits.seconds:.0f} s, which is the limit"
        if self.stopped:
            return None
        if self.asked % _TOLD_EVERY == 0:
            await self._tools.progress(self.asked, self._limits.requests, self._note)
        self.asked += 1
        exchange = await self._tools.fetch(Request(method, url), follow_redirects=False)
        self._judge(exchange)
        return exchange

    def require_an_answer(self) -> None:
        """Raises `NothingDiscovered` when none came to anything, or none but that fewer requests are asked for."""
        if self._silence is not None and not self.answered:
            exchange = self._silence
            raise NothingDiscovered(f"discovery.{exchange.outcome}", exchange.error, exchange.request.url)
        if self._throttled and not self.answered:
            raise NothingDiscovered("discovery.throttled", "The server asks for fewer requests (429)")

    async def each(self, items: Iterable[T], do: Callable[[T], Awaitable[None]]) -> None:
        """A few at a time, in their order. What one raises ends all."""
        pending = iter(items)

        async def work() -> None:
            for item in pending:
                if self.stopped:
                    return
                await do(item)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CONCURRENCY):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def _judge(self, exchange: Exchange) -> None:
        answer = exchange.answer
        silent = answer is None or answer.status in (502, 503, 504)
        self._silences = self._silences + 1 if silent else 0
        if answer is None:
            self._silence = exchange
            if exchange.outcome in UNREACHABLE:
                self.require_an_answer()
        else:
            self._bytes += len(answer.body)
            self._throttled = self._throttled + 1 if answer.status == 429 else 0
            self.answered += answer.status != 429
        if self._throttled >= _MOST_THROTTLED:
            self.stopped = f"stopped after {self.asked} requests: the server asks for fewer (429)"
        elif self._silences >= _MOST_SILENCES:
            why = f"answered {answer.status}" if answer else exchange.error or str(exchange.outcome)
            self.stopped = f"stopped after {self.asked} requests: the server is gone ({why})"
        elif self._bytes > self._limits.bytes:
            self.stopped = f"stopped after {self.asked} requests: over {self._limits.bytes >> 20} MiB were read"
