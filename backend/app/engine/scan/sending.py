"""Sends requests no faster and no more often than the limits of the scan allow."""

import asyncio
import time
from dataclasses import replace
from typing import Any, Protocol

from backend.app.engine.http import Exchange, Request, Send
from backend.app.engine.scan.model import ScanLimits

RETRIES = 2
LONGEST_PAUSE = 10.0


class ScanClock(Protocol):
    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Limiter:
    """Hands out intended start times at a fixed rate; `pause` moves all later ones (RFC 9110, 10.2.3)."""

    def __init__(self, rate: float | None, clock: ScanClock) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._next = 0.0

    async def wait(self) -> float:
        """Waits for the next start; answers by how many milliseconds it was missed, because our own loop was late."""
        present = self._clock.monotonic()
        start = max(present, self._next)
        self._next = start + self._interval if self._interval else self._next
        if start <= present:
            return 0.0
        await self._clock.sleep(start - present)
        return max(0.0, 1000 * (self._clock.monotonic() - start))

    def pause(self, seconds: float) -> None:
        self._next = max(self._next, self._clock.monotonic() + seconds)


class Sender:
    """Counts what is sent; what is about to be sent is `reserve`d before, so that workers cannot overdraw together."""

    def __init__(self, send: Send, limits: ScanLimits, clock: ScanClock) -> None:
        self.requests = 0
        self._send = send
        self._limiter = Limiter(limits.requests_per_second, clock)
        self._room = limits.max_requests
        self._waiting: set[asyncio.Task[Any] | None] = set()

    @property
    def room(self) -> int:
        """Requests that may still be reserved."""
        return self._room

    def reserve(self, requests: int) -> None:
        """A negative number gives back."""
        self._room -= requests

    async def exchange(self, request: Request) -> Exchange:
        """Sends what was reserved, and sends again after 429 when the target says when (RFC 6585, 4)."""
        task = asyncio.current_task()
        self._waiting.add(task)
        try:
            for attempt in range(RETRIES + 1):
                late_ms = await self._limiter.wait()
                self.requests += 1
                exchange = _counted_from_the_start(await self._send(request), late_ms)
                answer = exchange.answer
                if answer is None or answer.status != 429 or attempt == RETRIES or self._room <= 0:
                    break
                self._room -= 1
                after = answer.header("Retry-After") or ""
                self._limiter.pause(min(float(after), LONGEST_PAUSE) if after.isdecimal() else 1.0)
            return exchange
        finally:
            self._waiting.discard(task)

    def interrupt(self) -> None:
        """Cancels the tasks that wait for the target or for their turn, and none that is recording an answer."""
        for task in filter(None, self._waiting):
            task.cancel()


def _counted_from_the_start(exchange: Exchange, late_ms: float) -> Exchange:
    """The times as counted from when the request was due (coordinated omission)."""
    if not late_ms:
        return exchange
    timing = exchange.timing
    first_byte = None if timing.first_byte_ms is None else timing.first_byte_ms + late_ms
    due = replace(
        timing,
        started_at=timing.started_at - late_ms / 1000,
        first_byte_ms=first_byte,
        total_ms=timing.total_ms + late_ms,
    )
    return replace(exchange, timing=due)
