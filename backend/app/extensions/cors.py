"""Which pages of other origins may call the API (Fetch standard, CORS protocol; OWASP ASVS 5, 3.4.2)."""

from typing import Final, TypeAlias
from urllib.parse import urlsplit

from starlette.types import Scope

from backend.app.core.settings import SettingsError

Headers: TypeAlias = list[tuple[bytes, bytes]]

_METHODS: Final = b"GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS: Final = (
    b"Authorization, Content-Type, Idempotency-Key, If-Match, X-API-Key, X-Request-Id, X-Workspace-Id"
)
_EXPOSED: Final = b"ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
_MAX_AGE_S: Final = b"600"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Cors:
    """An origin is compared as a whole, as browsers write it. Credentials are for named origins only, and `null`, which
    every sandboxed page has, is never one."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        """Raises `SettingsError`."""
        self._everybody = "*" in origins
        self._named = frozenset(_normal(origin).encode() for origin in origins if origin != "*")

    def headers(self, scope: Scope) -> Headers:
        """Of the answer to a request."""
        if not self._named and not self._everybody:
            return []
        vary = [(b"vary", b"Origin")] if self._named else []
        origin = _header(scope, b"origin")
        if origin is None or not self.allows(origin):
            return vary
        if origin not in self._named:
            return [*vary, (b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _EXPOSED)]
        return [
            *vary,
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    def preflight(self, scope: Scope) -> Headers | None:
        """What a preflight of an allowed origin is answered besides `headers`; None for every other request."""
        if scope["method"] != "OPTIONS" or _header(scope, b"access-control-request-method") is None:
            return None
        origin = _header(scope, b"origin")
        if origin is None or not self.allows(origin):
            return None
        return [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _REQUEST_HEADERS),
            (b"access-control-max-age", _MAX_AGE_S),
        ]

    def allows(self, origin: bytes) -> bool:
        return origin in self._named or (self._everybody and origin != b"null")


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    """None also when it came twice."""
    values = [value for name, value in scope["headers"] if name == wanted]
    return values[0] if len(values) == 1 else None


def _normal(origin: str) -> str:
    """In the form that browsers send: lower case, without a default port (RFC 6454, 6.2)."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or origin.count("/") != 2 or {*"?#@*"} & {*origin}:
        raise SettingsError(f"web.cors_origins: {origin!r} is no origin; write https://app.example, with no path")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}")
