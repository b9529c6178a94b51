"""Whether the event loop kept up: a loop that was held up stamps its answers late."""

import asyncio
from time import perf_counter

INTERVAL_S = 0.005
LIMIT_S = 0.005


class LagProbe:
    """Ticks every `INTERVAL_S` while somebody is inside, and remembers when a tick last came over `LIMIT_S` late."""

    def __init__(self) -> None:
        self._inside = 0
        self._due = 0.0
        self._late_at = 0.0
        self._ticking = False

    def enter(self) -> None:
        self._inside += 1
        if not self._ticking:
            self._ticking = True
            self._wait()

    def leave(self) -> None:
        self._inside -= 1

    def lagged_since(self, moment: float) -> bool:
        """For one who is inside; `moment` is a `perf_counter`."""
        return self._late_at >= moment or perf_counter() - self._due > LIMIT_S

    def _wait(self) -> None:
        self._due = perf_counter() + INTERVAL_S
        asyncio.get_running_loop().call_later(INTERVAL_S, self._tick)

    def _tick(self) -> None:
        now = perf_counter()
        if now - self._due > LIMIT_S:
            self._late_at = now
        if self._inside:
            self._wait()
        else:
            self._ticking = False
