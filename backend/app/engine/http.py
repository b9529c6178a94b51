"""One HTTP exchange as plain values: what was asked, what came back, and when.

Everything that judges or records traffic works on these; only `extensions.http_client` produces them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Outcome(StrEnum):
    """How an exchange ended. Everything but `ANSWERED` leaves `Exchange.answer` empty."""

    ANSWERED = "answered"
    TIMEOUT = "timeout"
    DNS_FAILED = "dns_failed"
    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    RESET = "reset"
    PROTOCOL_ERROR = "protocol_error"
    TOO_LARGE = "too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    REFUSED = "refused"
    """The outgoing-request guard did not let it out; no connection was made."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is put on the wire, byte for byte: `url` is absolute and already percent-encoded."""

    method: str
    url: str
    headers: Headers = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP response; `body` is decoded (content coding removed)."""

    status: int
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of a header, names compared without case (RFC 9110, 5.1)."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds counted from the *intended* start, so that a stalled loop cannot hide a wait
    (coordinated omission). `reliable` is false when the event loop lagged during the exchange."""

    started_at: float
    """Wall-clock time of the intended start, seconds since the epoch."""
    first_byte_ms: float | None = None
    total_ms: float = 0.0
    reliable: bool = True


@dataclass(frozen=True, slots=True)
class Exchange:
    request: Request
    outcome: Outcome
    timing: Timing
    answer: Answer | None = None
    error: str = ""
    """One sentence for a person when `outcome` is not `ANSWERED`; never holds a secret."""
    redirects: tuple[str, ...] = field(default=())


Send: TypeAlias = Callable[[Request], Awaitable[Exchange]]
"""The only way the engine reaches the network: handed in by the caller, a dict in a test."""
