"""ID tokens of OpenID Connect providers: what one has to be before we believe it (OpenID Connect Core 1.0, 3.1.3.7).

PyJWT checks the signature. What it leaves to its caller is here: the algorithms are a fixed list without `none` and
without symmetric ones, so that a public key cannot serve as a secret (RFC 8725, 2.1 and 3.1); the key comes from the
provider's own set and fits the algorithm, and what the header says about keys (`jku`, `jwk`, `x5u`) is never read
(ASVS 9.1.1 to 9.1.3); every claim must be there with its own JSON type.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import jwt

SKEW_S: Final = 60
"""What the clocks of a provider and of ours may differ by."""
_ALGORITHMS: Final = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Each with the type and the curve of its keys (RFC 7518, 6; RFC 8037)."""
_RSA_BITS: Final = range(2048, 16384 + 1)
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_MAX_LENGTH: Final = 16 * 1024


class InvalidIdToken(Exception):
    """Not a token of that provider, for us, for this sign-in, at this moment."""


class UnknownKey(InvalidIdToken):
    """The set has no key of that name: the provider may have changed its keys."""


@dataclass(frozen=True, slots=True)
class Expected:
    issuer: str
    client_id: str
    nonce: str


def read_id_token(token: str, key_set: Mapping[str, Any], expected: Expected, now: datetime) -> dict[str, Any]:
    """The claims of `token`. `key_set` is a JWK Set (RFC 7517, 5). Raises `InvalidIdToken`, `UnknownKey`."""
    if len(token) > _MAX_LENGTH or _FORM.fullmatch(token) is None:
        raise InvalidIdToken("not a JWT")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidIdToken("header") from None
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise InvalidIdToken("algorithm")
    if "crit" in header or str(header.get("typ", "JWT")).upper() != "JWT":
        raise InvalidIdToken("header")
    key = _key(key_set, algorithm, header.get("kid"))
    try:
        claims = jwt.decode(token, key.key, [algorithm], options=_SIGNATURE_ONLY)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidIdToken("signature") from None
    _check(claims, expected, int(now.timestamp()))
    return claims


def _key(key_set: Mapping[str, Any], algorithm: str, name: Any) -> jwt.PyJWK:
    keys = key_set.get("keys")
    usable = [key for key in keys if _fits(key, algorithm)] if isinstance(keys, list) else []
    if name is not None:
        usable = [key for key in usable if key.get("kid") == name]
        if not usable:
            raise UnknownKey("no key has the name in the header")
    if len(usable) != 1:
        raise InvalidIdToken("which key signed is not said")  # OpenID Connect Core 1.0, 10.1
    try:
        key = jwt.PyJWK(usable[0], algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise InvalidIdToken("the key cannot be read") from None
    if usable[0]["kty"] == "RSA" and key.key.key_size not in _RSA_BITS:
        raise InvalidIdToken("the key has an unsafe length")
    return key


def _fits(key: Any, algorithm: str) -> bool:
    """Whether a member of the set is a key that verifies signatures of that algorithm (RFC 7517, 4)."""
    if not isinstance(key, dict):
        return False
    kind, curve = _ALGORITHMS[algorithm]
    operations = key.get("key_ops", ["verify"])
    return (
        key.get("kty") == kind
        and curve in (None, key.get("crv"))
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and isinstance(operations, Sequence)
        and "verify" in operations
    )


def _check(claims: dict[str, Any], expected: Expected, now: int) -> None:
    if claims.get("iss") != expected.issuer:
        raise InvalidIdToken("issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        raise InvalidIdToken("audience")
    if ("azp" in claims or len(audiences) > 1) and claims.get("azp") != expected.client_id:
        raise InvalidIdToken("authorised party")
    if any(type(claims.get(name)) is not int for name in ("exp", "iat")) or type(claims.get("nbf", 0)) is not int:
        raise InvalidIdToken("times")
    if claims["exp"] <= now - SKEW_S or max(claims["iat"], claims.get("nbf", 0)) > now + SKEW_S:
        raise InvalidIdToken("expired, or not valid yet")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(errors="replace"), expected.nonce.encode()):
        raise InvalidIdToken("nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or _SUBJECT.fullmatch(subject) is None:
        raise InvalidIdToken("subject")


_SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    **{f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")},
}
