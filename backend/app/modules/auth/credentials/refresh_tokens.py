"""Refresh tokens: 256 bits, stored as SHA-256.

The successor of a token is computed from it and a key of ours, so that a client whose answer was lost gets the *same*
successor again although none is stored.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final

PREFIX: Final = "rt_"
_BYTES: Final = 32


def new_refresh_token() -> str:
    return _text(secrets.token_bytes(_BYTES))


def successor(token: str, key: bytes) -> str:
    return _text(hmac.new(key, token.encode(), hashlib.sha256).digest())


def hash_refresh_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _text(value: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(value).rstrip(b"=").decode()
