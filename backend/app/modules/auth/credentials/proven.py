"""Credentials that were proven a moment ago, so that a burst of requests asks the database once."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from backend.app.core.permissions import Principal

TTL_S: Final = 0.8


class ProvenCredentials:
    """At most `size` principals by the digest of their credential, each for `TTL_S`: what is revoked by another process
    is refused here within a second. Times by a monotonic clock, in seconds."""

    def __init__(self, size: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    def get(self, digest: bytes) -> Principal | None:
        until, principal = self._known.get(digest, (0.0, None))
        return principal if until > self._clock() else None

    def put(self, digest: bytes, principal: Principal) -> None:
        self._known[digest] = (self._clock() + TTL_S, principal)
        self._known.move_to_end(digest)
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """In this process a revocation holds at once."""
        self._known.clear()


proven = ProvenCredentials()
