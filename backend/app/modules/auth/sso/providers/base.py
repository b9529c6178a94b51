"""What a provider is: where it sends a browser, and whom it vouches for when the browser comes back."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from backend.app.engine.http import Send
from backend.app.modules.auth.schemas import fold_email

_MAX_NAME = 100
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in: the secrets that tie the browser's return to its departure. `verifier` is of PKCE (RFC 7636)."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider signed in. `email` is folded, or None where it gave no usable one. `verified`: it says that the
    address is theirs. `trusted`: it is believed about the domain of that address."""

    issuer: str
    subject: str
    email: str | None
    verified: bool
    trusted: bool
    first_name: str
    last_name: str


class Provider(Protocol):
    """Both methods raise `SsoProviderUnavailable`, `SsoProviderFaulty`."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...

    async def authorization_url(self, attempt: Attempt, challenge: str, send: Send, now: datetime) -> str:
        """`challenge`: S256 of the attempt's verifier."""

    async def identify(self, attempt: Attempt, code: str, issuer: str | None, send: Send, now: datetime) -> Vouched:
        """`issuer`: the parameter `iss` of the answer (RFC 9207). Raises `SsoAnswerInvalid`."""


def with_query(endpoint: str, parameters: dict[str, str]) -> str:
    """The endpoint may have a query of its own (RFC 6749, 3.1)."""
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"


def usable_email(value: Any) -> str | None:
    try:
        return fold_email(value) if isinstance(value, str) else None
    except ValueError:
        return None


def names(first: Any, last: Any, whole: Any, email: str | None) -> tuple[str, str]:
    """First and last name, from whatever of it a provider gave; the first is never empty."""
    given, family, full = (_line(value) for value in (first, last, whole))
    if not given:
        given, _, rest = full.partition(" ")
        family = family or rest
    return (given or (email or "").partition("@")[0] or "User")[:_MAX_NAME], family[:_MAX_NAME]


def _line(value: Any) -> str:
    return " ".join(_UNPRINTABLE.sub(" ", value).split()) if isinstance(value, str) else ""
