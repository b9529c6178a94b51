"""What a text looks like: an identifier, a date, a word. By its form alone."""

import itertools
import re
from enum import StrEnum
from functools import lru_cache


class Kind(StrEnum):
    """Forms that a segment of a path has when it is a value and not a name."""

    INTEGER = "integer"
    NUMBER = "number"
    UUID = "uuid"
    HASH = "hash"
    """ULID, ObjectId, hexadecimal or base64url digest, NanoID, a token."""
    DATE = "date"
    EMAIL = "email"
    ADDRESS = "address"
    FILE = "file"
    REFERENCE = "reference"
    """Letters and a number: `TC-00042`, `cus_9s6XK`."""
    TEXT = "text"
    """What nobody would name a route: lists, coordinates, sizes, numbered files (`512x512.png`, `47.json`), spaces and
    other percent-encoded signs."""


_LONGEST_NAME = 64
_FORMS = re.compile(
    r"""
      (?P<integer>[-+]?[0-9]+)
    | (?P<number>[-+]?[0-9]+\.[0-9]+)
    | (?P<uuid>\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?)
    | (?P<ulid>[0-7][0-9A-HJKMNP-TV-Z]{25}|[0-7][0-9a-hjkmnp-tv-z]{25})
    | (?P<hash>(?=[^0-9]*[0-9])(?=[^a-fA-F]*[a-fA-F])(?:[0-9a-f]{7,}|[0-9A-F]{7,}))
    | (?P<date>[12][0-9]{3}-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01])(?:[T ][0-9:.]+(?:Z|[-+][0-9:]+)?)?)?
        |[12][0-9]{3}-W[0-5][0-9])
    | (?P<email>[^@\s/]+@[^@\s/]+\.[A-Za-z]{2,})
    | (?P<address>(?:[0-9]{1,3}\.){3}[0-9]{1,3}|(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F:]{1,4})
    | (?P<reference>[A-Za-z]{1,12}[-_:](?=[0-9A-Za-z]*[0-9])[0-9A-Za-z]{8,}
        |[A-Z]{2,10}-[0-9]+|[A-Za-z]{1,10}[-_][0-9]{3,})
    | (?P<text>[-+]?[0-9]+(?:\.[0-9]+)?(?:[x,;~][-+]?[0-9]+(?:\.[0-9]+)?)+(?:\.[a-z]{2,5})?
        |[0-9]+(?:@[0-9]x)?\.[a-z]{2,5})
    """,
    re.VERBOSE,
)
_FILE = re.compile(
    r"[^/]+\.(?:pdf|png|jpe?g|gif|svg|webp|csv|xlsx?|docx?|pptx?|zip|tar|gz|tgz|whl|mp[34]|wav|txt|xml|md)", re.I
)
_PLAIN = re.compile(r"[A-Za-z0-9._~@$!-]*")
_OPAQUE = re.compile(r"[A-Za-z0-9_+/=-]{10,}")
_BETWEEN = re.compile(r"[^A-Za-z0-9_+/=-]+")
_WORDS = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?(?=[a-z]{0,3}[aeiouy])[a-z]{3,}")


@lru_cache(maxsize=65_536)
def kind_of(text: str) -> Kind | None:
    """None for what may be a name as well as a value. `text` is percent-decoded."""
    if text.isalpha() and text.islower() and len(text) <= _LONGEST_NAME and text.isascii():
        return None
    if (match := _FORMS.fullmatch(text)) is not None:
        group = match.lastgroup or ""
        return Kind.HASH if group == "ulid" else Kind(group)
    if len(text) > _LONGEST_NAME or holds_opaque(text):
        return Kind.HASH
    if _FILE.fullmatch(text) is not None:
        return Kind.FILE
    return Kind.TEXT if _PLAIN.fullmatch(text) is None else None


@lru_cache(maxsize=65_536)
def is_opaque(text: str) -> bool:
    """Whether it looks drawn by lot or encoded: most of it is no words."""
    if _OPAQUE.fullmatch(text) is None:
        return False
    kinds = sum((any(map(str.isdigit, text)), any(map(str.islower, text)), any(map(str.isupper, text))))
    if kinds == 1 and len(text) < 32:
        return False
    changes = sum(_class_of(one) != _class_of(other) for one, other in itertools.pairwise(text))
    in_words = sum(len(word) for word in _WORDS.findall(text))
    if kinds == 3:
        return changes * 4 >= len(text) and in_words * 3 < len(text) * 2
    return len(text) >= 16 and changes * 4 >= len(text) and in_words * 2 < len(text)


def holds_opaque(text: str) -> bool:
    """Whether a part of it is opaque, as of tokens that a name begins: `s.iyNUhq8Ov4hIAx6snw5mB2nL`."""
    return any(map(is_opaque, _BETWEEN.split(text)))


def _class_of(sign: str) -> int:
    return 0 if sign.isdigit() else 1 if sign.islower() else 2 if sign.isupper() else 3
