"""How many requests are answered, by group: `public` and `sign_in` for one client, `signed_in` for one user; and
`refused`, as many as `public`, for the requests of one client whose credentials open nothing.

Those are counted apart and after the fact: whoever has good credentials is never held up by a neighbour who guesses, or
whose token is stale. Guessing itself is hopeless (178 bits of a key, a signature of 256); what is limited is its cost.

A sliding window of two counters, by `limits` in Redis where there is one, else in this process. `limits` costs a tenth
of a second to import: the first request that is counted pays. Its own memory costs 40 us a request and walks over all
clients after each; `Window` costs 2 us and forgets by the window.
"""

import asyncio
import math
import time
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request

from backend.app.core.client_address import client_address, site_of
from backend.app.core.errors import TooManyRequests
from backend.app.core.permissions import Principal
from backend.app.core.settings import Settings
from backend.app.extensions.logging import get_logger

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.storage import RedisStorage

_SIGN_IN: Final = "/api/v1/auth/"
"""Below it every public route checks or sends a secret."""
_OPEN_S: Final = 5.0
"""How long Redis is not asked after it failed."""
_COMPLAIN_S: Final = 60.0
HEADERS: Final = "touchstone.rate_limit"
"""In the scope: the headers that say how much is left."""


class RateLimits:
    """Redis away is no reason to refuse: this process then counts by itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._groups: dict[str, _Group] = {}
        self._redis: Any = None
        self._redis_storage: RedisStorage | None = None
        self._open_until = self._complain_at = -math.inf

    async def admit(self, request: Request, principal: Principal | None, *, refused: bool = False) -> None:
        """Counts the request; without a principal, by its address. `refused`: its credentials open nothing. Raises
        `TooManyRequests`."""
        if not self._groups:
            self._prepare()
        if principal is not None:
            # More keys are no more requests: all of one user count together.
            group, who = "signed_in", principal.user_id or principal.label
        else:
            signs_in = request.scope.get("touchstone.route", "").startswith(_SIGN_IN)
            group = "refused" if refused else "sign_in" if signs_in else "public"
            who = site_of(client_address(request, self._settings))
        counted = self._groups[group]
        states, wait_s = [], 0
        for name, limit, window in counted.limits:
            if self._redis is None:
                allowed, left, reset_s = window.hit(who, monotonic())
            else:
                allowed, left, reset_s = await self._count(limit, window, group, who)
            states.append(f'"{name}";r={left};t={reset_s}')
            if not allowed:
                wait_s = max(wait_s, reset_s, 1)
        request.scope[HEADERS] = (counted.policy, (b"ratelimit", ", ".join(states).encode()))
        if wait_s:
            raise TooManyRequests(f"come again in {wait_s} s", headers={"Retry-After": str(wait_s)})

    async def close(self) -> None:
        if self._redis_storage is not None:
            await self._redis_storage.bridge.get_connection().aclose()  # type: ignore[attr-defined]

    def _prepare(self) -> None:
        from limits import parse_many

        if (url := self._settings.redis.url) is not None:
            from limits.aio.storage import RedisStorage
            from limits.aio.strategies import SlidingWindowCounterRateLimiter

            patience = self._settings.redis.timeout_s
            self._redis_storage = RedisStorage(
                f"async+{url}",
                implementation="redispy",
                key_prefix="touchstone:rates",
                socket_timeout=patience,
                socket_connect_timeout=patience,
            )
            self._redis = SlidingWindowCounterRateLimiter(self._redis_storage)
        rates = self._settings.rates
        groups = {"public": rates.public, "refused": rates.public}
        for group, text in {**groups, "sign_in": rates.sign_in, "signed_in": rates.signed_in}.items():
            self._groups[group] = _Group(group, parse_many(text))

    async def _count(self, limit: "RateLimitItem", window: "Window", group: str, who: str) -> tuple[bool, int, int]:
        """Whether it is allowed, how many are left, and in how many seconds there is more."""
        if monotonic() >= self._open_until:
            from redis.exceptions import RedisError

            try:
                async with asyncio.timeout(2 * self._settings.redis.timeout_s):
                    allowed = await self._redis.hit(limit, group, who)
                    stats = await self._redis.get_window_stats(limit, group, who)
                    return allowed, stats.remaining, max(0, math.ceil(stats.reset_time - time.time()))
            except (RedisError, OSError) as error:
                self._redis_failed(error)
        return window.hit(who, monotonic())

    def _redis_failed(self, error: Exception) -> None:
        now = monotonic()
        self._open_until = now + _OPEN_S
        if now >= self._complain_at:
            self._complain_at = now + _COMPLAIN_S
            get_logger("http").warning("rates.redis_away", error=type(error).__name__)


class _Group:
    """The limits that count together, each with its name in the headers."""

    def __init__(self, group: str, limits: "list[RateLimitItem]") -> None:
        self.limits = [
            (
                group if len(limits) == 1 else f"{group}-{limit.get_expiry()}",
                limit,
                Window(limit.amount, limit.get_expiry()),
            )
            for limit in limits
        ]
        policy = ", ".join(f'"{name}";q={limit.amount};w={limit.get_expiry()}' for name, limit, _ in self.limits)
        self.policy = (b"ratelimit-policy", policy.encode())


@dataclass(slots=True)
class Window:
    """At most about `amount` hits of each client in any `seconds`: those of the window before count by the share of it
    that still lies within."""

    amount: int
    seconds: int
    _index: int = -1
    _before: dict[str, int] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def hit(self, who: str, now: float) -> tuple[bool, int, int]:
        """As `RateLimits._count`; a refused hit is not counted."""
        index, gone = divmod(now, self.seconds)
        if index != self._index:
            self._before = self._counts if index == self._index + 1 else {}
            self._counts = {}
            self._index = int(index)
        before, count = self._before.get(who, 0), self._counts.get(who, 0)
        used = before * (self.seconds - gone) / self.seconds + count
        if used < self.amount:
            self._counts[who] = count + 1
            return True, max(0, int(self.amount - used - 1)), math.ceil(self.seconds - gone)
        wait_s = (used - self.amount) * self.seconds / before if count < self.amount else self.seconds - gone
        return False, 0, int(wait_s) + 1
