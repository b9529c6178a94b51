"""Identifiers: ULIDs (26 characters, Crockford base 32, ordered by time of creation)."""

import os
import time
from typing import Annotated, TypeAlias

from pydantic import StringConstraints

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_CHARACTER_OF_BYTE = (_ALPHABET * 8).encode()

Ulid: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$", to_upper=True),
]
"""A ULID as text; lower case is accepted and stored upper case."""


def new_ulid() -> str:
    """A ULID with 48 bits of milliseconds and 80 random bits (https://github.com/ulid/spec).

    It stands on the write path of every row: the time is written in pairs of characters, and each random character
    takes five bits of a byte of its own.
    """
    ms, pairs = time.time_ns() // 1_000_000, _PAIRS
    time_part = pairs[ms >> 40] + pairs[ms >> 30 & 1023] + pairs[ms >> 20 & 1023] + pairs[ms >> 10 & 1023]
    return time_part + pairs[ms & 1023] + os.urandom(16).translate(_CHARACTER_OF_BYTE).decode()
