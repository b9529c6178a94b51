"""Tokens in links that are sent by mail: 256 bits, stored as SHA-256 (ASVS 5, 6.5.2: from 112 bits on, no
slow hash is needed)."""

import hashlib
import secrets
from typing import Final

PREFIX: Final = "mt_"
_BYTES: Final = 32


def new_mailed_token() -> str:
    return PREFIX + secrets.token_urlsafe(_BYTES)


def hash_mailed_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
