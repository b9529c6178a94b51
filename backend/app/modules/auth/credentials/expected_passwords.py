"""Passwords that an attacker tries first (NIST SP 800-63B-4, 3.1.1.2; ASVS 5, 6.2.4): the commonest ones, one short
unit again and again, walks along the alphabet or the keyboard, and what is known of the user and of the service."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from backend.app.modules.auth.errors import ExpectedPassword

PRODUCT: Final = "touchstone"
_SHORTEST_WALK: Final = 4
_SHORTEST_WORD: Final = 3
"""Characters: what is shorter occurs in many a good password by chance."""
_ENOUGH: Final = 8
"""Characters that must be left when everything expected is taken out."""
_LONGEST_UNIT: Final = 14
"""Characters: a longer unit, said twice, is as good a password as the unit is."""
_LINES: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "!@#$%^&*()",
)
_WALKS: Final = "\0".join([*_LINES, *(line[::-1] for line in _LINES)])


def refuse_expected(password: str, about: Iterable[str], field: str = "password") -> None:
    """`field`: where the password stands in the request. Raises `ExpectedPassword`."""
    if is_expected(password, about):
        raise ExpectedPassword(field)


def is_expected(password: str, about: Iterable[str] = ()) -> bool:
    """`about`: the user's e-mail address and names. In any case and any compatible form of the letters."""
    text = _fold(password)
    if text in _commonest() or _repeats(password):
        return True
    words = {word for known in (*about, PRODUCT) for word in _words(known)}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    text = _without_walks(text)
    return len(text) < _ENOUGH or text in _commonest() or _repeats(text)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _words(known: str) -> list[str]:
    """An address whole, and each word of it."""
    folded = _fold(known)
    return [word for word in (folded, *re.split(r"[\W_]+", folded)) if len(word) >= _SHORTEST_WORD]


def _without_walks(text: str) -> str:
    left = []
    start = 0
    while start < len(text):
        end = start + _SHORTEST_WALK
        if len(text) < end or text[start:end] not in _WALKS:
            left.append(text[start])
            start += 1
            continue
        while end < len(text) and text[start : end + 1] in _WALKS:
            end += 1
        start = end
    return "".join(left)


def _repeats(text: str) -> bool:
    return any(
        text == (text[:length] * (len(text) // length + 1))[: len(text)]
        for length in range(1, min(_LONGEST_UNIT, len(text) // 2) + 1)
    )


@lru_cache(maxsize=1)
def _commonest() -> frozenset[str]:
    # Takes 30 ms, which only those pay who choose a password.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]

    return frozenset(FREQUENCY_LISTS["passwords"])
