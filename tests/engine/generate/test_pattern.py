import re
from random import Random

import pytest

from backend.app.engine.generate.pattern import UnsupportedPatternError, matching, parse

SUPPORTED = [
    r"^[A-Z]{3}-\d{4}$",
    r"^\+?[1-9]\d{1,14}$",
    r"^(?:a|b)+c?$",
    r"^[^\s@]+@[^\s@]+\.[a-z]{2,}$",
    r"^#([A-Fa-f0-9]{6}|[A-Fa-f0-9]{3})$",
    r"^(\d{4})-(0[1-9]|1[0-2])$",
    r"^[\w.-]+$",
    r"^[]a]$".replace("[]", r"[\]"),
    r"\bword\b",
    r"^A\x2dB$",
    r"^v\d+(\.\d+){0,2}?$",
    r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
]


@pytest.mark.parametrize("pattern", SUPPORTED)
@pytest.mark.parametrize("seed", range(5))
def test_a_made_string_matches(pattern: str, seed: int) -> None:
    text = matching(pattern, Random(seed), lambda candidate: re.search(pattern, candidate) is not None)
    assert text is not None


def test_strings_grow_until_they_are_accepted() -> None:
    text = matching(r"^[a-z]+$", Random(1), lambda candidate: len(candidate) >= 40)
    assert text is not None
    assert len(text) >= 40


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)b", "(?<!a)b", r"\p{L}", r"(a)\1", "(", "a)", "[", "*", "a{2", "[z-a]", "\\", "(?P<a", r"\xZZ", "[]"],
)
def test_what_is_not_regular_or_broken_is_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        parse(pattern)


@pytest.mark.parametrize("pattern", ["(((a{999}){999}){999})", "((){60000}){60000}", "(" * 5000 + ")" * 5000])
def test_hostile_patterns_end_soon(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        matching(pattern, Random(1), lambda candidate: True)
