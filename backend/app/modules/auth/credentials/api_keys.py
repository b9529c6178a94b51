"""API keys: `ak_`, 30 random base 62 characters (178 bits), 6 more that hold their CRC 32.

The checksum lets a mistyped or invented key be refused without asking the database, and secret scanners be sure:
`ak_[0-9A-Za-z]{36}`.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from typing import Final

PREFIX: Final = "ak_"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM: Final = 30
_CHECKSUM: Final = 6
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECKSUM}}}", re.ASCII)


def new_api_key() -> str:
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    return _FORM.fullmatch(key) is not None and key[-_CHECKSUM:] == _checksum(key[:-_CHECKSUM])


def hash_api_key(key: str, pepper: bytes) -> str:
    """HMAC-SHA256: a stolen table alone confirms no guess."""
    return hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
