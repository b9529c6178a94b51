"""From an origin to addresses that were checked; nothing else in Touchstone looks up a target's name."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import TypeAlias

import psutil

from backend.app.engine.http import Outcome
from backend.app.extensions.http_client.limits import HttpLimits
from backend.app.extensions.http_client.policy import Origin, OutgoingPolicy, RequestRefused
from backend.app.extensions.http_client.transport import TargetFault

Resolver: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Name to addresses as text, in the order to try them; raises `OSError` when there is no such name."""

TTL_S = 30.0
FAILURE_TTL_S = 1.0
MAX_ORIGINS = 1024


async def system_resolver(name: str) -> Sequence[str]:
    infos = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


class Guard:
    """Applies the policy: one look-up an origin, every answer checked, the checked ones remembered for `TTL_S`
    seconds. What it returns is what must be dialled: a second look-up could answer differently (DNS rebinding)."""

    def __init__(self, policy: OutgoingPolicy, limits: HttpLimits, resolver: Resolver = system_resolver) -> None:
        self._policy = policy
        self._limits = limits
        self._resolver = resolver
        self._lookups: dict[Origin, asyncio.Task[tuple[str, ...]]] = {}
        self._expires: dict[Origin, float] = {}

    async def addresses(self, origin: Origin) -> tuple[str, ...]:
        """Addresses to dial, in order, at least one. Raises `RequestRefused`, `TargetFault` (DNS)."""
        self._policy.check_origin(origin)
        if origin.address is not None:
            self._policy.check_address(origin, origin.address)
            return (str(origin.address),)
        lookup = self._lookups.get(origin)
        if lookup is None or time.monotonic() >= self._expires[origin]:
            if len(self._lookups) >= MAX_ORIGINS:
                self._lookups.clear()
                self._expires.clear()
            lookup = self._lookups[origin] = asyncio.create_task(self._look_up(origin))
            self._expires[origin] = time.monotonic() + TTL_S
            lookup.add_done_callback(lambda task: self._forget_failure(origin, task))
        # Shared by all who wait for this origin, so one that gives up must not end it for the others.
        return await asyncio.shield(lookup)

    async def aclose(self) -> None:
        lookups, self._lookups = list(self._lookups.values()), {}
        for lookup in lookups:
            lookup.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)

    def _forget_failure(self, origin: Origin, task: asyncio.Task[tuple[str, ...]]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._expires[origin] = time.monotonic() + FAILURE_TTL_S

    async def _look_up(self, origin: Origin) -> tuple[str, ...]:
        name = origin.host
        try:
            async with asyncio.timeout(self._limits.dns_s):
                found = [ip_address(text) for text in await self._resolver(name)]
        except TimeoutError:
            raise TargetFault(Outcome.DNS_FAILED, f"looking up {name} took over {self._limits.dns_s:g} s") from None
        except (OSError, UnicodeError):
            raise TargetFault(Outcome.DNS_FAILED, f"{name} could not be looked up") from None
        except ValueError:
            raise RequestRefused("outgoing.address", f"{name} has an address of an unknown form") from None
        if not found:
            raise TargetFault(Outcome.DNS_FAILED, f"{name} has no address")
        for address in found:
            self._policy.check_address(origin, address)
        return tuple(str(address) for address in found)


def own_addresses(host: str, port: int) -> tuple[tuple[str, int], ...]:
    """Where a server that listens on `host` is reached, for `OutgoingPolicy.own_addresses`: a wildcard or a name stands
    for every address of this machine. An address that a router translates to ours cannot be known here."""
    with contextlib.suppress(ValueError):
        if not (address := ip_address(host)).is_unspecified:
            return ((str(address), port),)
    internet = (socket.AF_INET, socket.AF_INET6)
    entries = (entry for interface in psutil.net_if_addrs().values() for entry in interface)
    return tuple((entry.address.partition("%")[0], port) for entry in entries if entry.family in internet)
