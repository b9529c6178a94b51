"""Identifiers: ULIDs (26 characters, Crockford base 32, ordered by time of creation)."""

import os
import time
from typing import Annotated, TypeAlias

from pydantic import StringConstraints

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]

Ulid: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$", to_upper=True),
]
"""A ULID as text; lower case is accepted and stored upper case."""


def new_ulid() -> str:
    """A ULID with 48 bits of milliseconds and 80 random bits (https://github.com/ulid/spec).

    The encoder works on pairs of characters: it stands on the write path of every row.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    pairs = _PAIRS
    return "".join([pairs[value >> shift & 1023] for shift in range(120, -1, -10)])
