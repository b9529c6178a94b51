"""How many requests are answered, by group: `public` and `sign_in` for one client, `signed_in` for one user.

A sliding window of two counters, in Redis where there is one, else in this process. `limits` costs a tenth of a second
to import: the first request that is counted pays.
"""

import asyncio
import math
import time
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
    from limits.aio.storage import MemoryStorage, RedisStorage

_SIGN_IN: Final = "/api/v1/auth/"
"""Below it every public route checks or sends a secret."""
_OPEN_S: Final = 5.0
"""How long Redis is not asked after it failed."""
_COMPLAIN_S: Final = 60.0
_SWEEP_S: Final = 10.0
HEADERS: Final = "touchstone.rate_limit"
"""In the scope: the headers that say how much is left."""


class RateLimits:
    """Redis away is no reason to refuse: this process then counts by itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._groups: dict[str, list[tuple[str, RateLimitItem]]] = {}
        self._memory: Any = None
        self._redis: Any = None
        self._redis_storage: RedisStorage | None = None
        self._open_until = self._complain_at = -math.inf

    async def admit(self, request: Request, principal: Principal | None) -> None:
        """Counts the request; without a principal, by its address. Raises `TooManyRequests`."""
        if not self._groups:
            self._prepare()
        if principal is not None:
            # More keys are no more requests: all of one user count together.
            group, who = "signed_in", principal.user_id or principal.label
        else:
            group = "sign_in" if request.scope.get("touchstone.route", "").startswith(_SIGN_IN) else "public"
            who = site_of(client_address(request, self._settings))
        policies, states, wait_s = [], [], 0
        for name, limit in self._groups[group]:
            allowed, left, reset_s = await self._count(limit, group, who)
            policies.append(f'"{name}";q={limit.amount};w={limit.get_expiry()}')
            states.append(f'"{name}";r={left};t={reset_s}')
            if not allowed:
                wait_s = max(wait_s, reset_s, 1)
        request.scope[HEADERS] = [
            (b"ratelimit-policy", ", ".join(policies).encode()),
            (b"ratelimit", ", ".join(states).encode()),
        ]
        if wait_s:
            raise TooManyRequests(f"come again in {wait_s} s", headers={"Retry-After": str(wait_s)})

    async def close(self) -> None:
        if self._redis_storage is not None:
            await self._redis_storage.bridge.get_connection().aclose()  # type: ignore[attr-defined]

    def _prepare(self) -> None:
        from limits import parse_many
        from limits.aio.storage import MemoryStorage, RedisStorage
        from limits.aio.strategies import SlidingWindowCounterRateLimiter

        storage = MemoryStorage()
        self._sweep = _Sweep(storage)
        self._memory = SlidingWindowCounterRateLimiter(storage)
        if (url := self._settings.redis.url) is not None:
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
        for group, text in {"public": rates.public, "sign_in": rates.sign_in, "signed_in": rates.signed_in}.items():
            limits = parse_many(text)
            self._groups[group] = [
                (group if len(limits) == 1 else f"{group}-{limit.get_expiry()}", limit) for limit in limits
            ]

    async def _count(self, limit: "RateLimitItem", group: str, who: str) -> tuple[bool, int, int]:
        """Whether it is allowed, how many are left, and in how many seconds there is more."""
        if self._redis is not None and monotonic() >= self._open_until:
            from redis.exceptions import RedisError

            try:
                async with asyncio.timeout(2 * self._settings.redis.timeout_s):
                    return await _ask(self._redis, limit, group, who)
            except (RedisError, OSError) as error:
                self._redis_failed(error)
        self._sweep.before_count()
        return await _ask(self._memory, limit, group, who)

    def _redis_failed(self, error: Exception) -> None:
        now = monotonic()
        self._open_until = now + _OPEN_S
        if now >= self._complain_at:
            self._complain_at = now + _COMPLAIN_S
            get_logger("http").warning("rates.redis_away", error=type(error).__name__)


async def _ask(limiter: Any, limit: "RateLimitItem", group: str, who: str) -> tuple[bool, int, int]:
    allowed = await limiter.hit(limit, group, who)
    stats = await limiter.get_window_stats(limit, group, who)
    return allowed, stats.remaining, max(0, math.ceil(stats.reset_time - time.time()))


class _Sweep:
    """`limits` walks over every counter after each count, which many clients would make expensive: its timer is kept
    busy but for once in ten seconds."""

    def __init__(self, storage: "MemoryStorage") -> None:
        self._storage = storage
        self._next = monotonic() + _SWEEP_S
        self._busy: Any = asyncio.get_running_loop().create_future()

    def before_count(self) -> None:
        now = monotonic()
        due = now >= self._next
        if due:
            self._next = now + _SWEEP_S
        self._storage.timer = None if due else self._busy
