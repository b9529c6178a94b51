"""Access tokens: JWTs signed with HS256, the one place that touches PyJWT.

The rules of RFC 8725 that PyJWT leaves to its caller are here: the header must be exactly ours (algorithm, key id,
type `at+jwt` of RFC 9068), every claim must be there with its own JSON type, a key may not appear twice, and a token
may not live longer than we issue them.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import jwt

from backend.app.core.ids import new_ulid

_ALGORITHM: Final = "HS256"
_TYPE: Final = "at+jwt"
_AUDIENCE: Final = "touchstone-api"
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}", re.ASCII)
_MAX_LENGTH: Final = 4096
_SKEW_S: Final = 60
"""What the clocks of two of our hosts may differ by."""
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)
_TEXTS: Final = ("iss", "aud", "sub", "sid", "jti")
_TIMES: Final = ("iat", "nbf", "exp")


class InvalidToken(Exception):
    """Not a token of ours, or not one that is valid at this moment."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    user_id: str
    session_id: str
    expires_at: int
    """Seconds since 1970."""


class AccessTokens:
    """Issues access tokens with the newest of its keys and reads those of all; `keys`: newest first, `lifetime_s`: in
    seconds."""

    def __init__(self, keys: Sequence[bytes], issuer: str, lifetime_s: int) -> None:
        self._keys = {hashlib.sha256(key).hexdigest()[:8]: key for key in keys}
        self._newest = next(iter(self._keys))
        self._issuer = issuer
        self._lifetime_s = lifetime_s

    def issue(self, user_id: str, session_id: str, now: datetime) -> str:
        issued = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": _AUDIENCE,
            "sub": user_id,
            "sid": session_id,
            "jti": new_ulid(),
            "iat": issued,
            "nbf": issued,
            "exp": issued + self._lifetime_s,
        }
        return jwt.encode(claims, self._keys[self._newest], _ALGORITHM, headers=_header(self._newest))

    def read(self, token: str, now: datetime) -> AccessClaims:
        """Raises `InvalidToken`."""
        if len(token) > _MAX_LENGTH or _FORM.fullmatch(token) is None:
            raise InvalidToken("not a JWT")
        header, payload, _ = token.split(".")
        said = _json(header)
        key = next((key for name, key in self._keys.items() if said == _header(name)), None)
        if key is None:
            raise InvalidToken("header")
        try:
            jwt.decode(token, key, [_ALGORITHM], options=_SIGNATURE_ONLY)
        except jwt.InvalidTokenError:
            raise InvalidToken("signature") from None
        return self._check(_json(payload), int(now.timestamp()))

    def _check(self, claims: dict[str, Any], now: int) -> AccessClaims:
        if any(type(claims.get(name)) is not str for name in _TEXTS):
            raise InvalidToken("claims")
        if any(type(claims.get(name)) is not int for name in _TIMES):
            raise InvalidToken("claims")
        if claims["iss"] != self._issuer or claims["aud"] != _AUDIENCE:
            raise InvalidToken("issuer or audience")
        if any(_ULID.fullmatch(claims[name]) is None for name in ("sub", "sid", "jti")):
            raise InvalidToken("identifiers")
        if claims["iat"] > now + _SKEW_S or claims["nbf"] > now + _SKEW_S or claims["exp"] <= now:
            raise InvalidToken("times")
        if not 0 < claims["exp"] - claims["iat"] <= self._lifetime_s:
            raise InvalidToken("life time")
        return AccessClaims(claims["sub"], claims["sid"], claims["exp"])


def _header(key_id: str) -> dict[str, str]:
    return {"alg": _ALGORITHM, "typ": _TYPE, "kid": key_id}


_SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    **{f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")},
}


def _json(segment: str) -> dict[str, Any]:
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        value = json.loads(raw, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise InvalidToken("not a JWT") from None
    if not isinstance(value, dict):
        raise InvalidToken("not a JWT")
    return value


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key appears twice")
    return value
