"""`docs/reference/security.md` answers for every requirement of OWASP ASVS 5.0 at levels 1 and 2, and names only tests
that there are."""

import ast
import functools
import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/security.md"
LEVELS: dict[str, list[str]] = json.loads((ROOT / "tests/data/asvs.json").read_text())["levels"]
TEXT = PAGE.read_text()

NUMBER = r"[0-9]+\.[0-9]+\.[0-9]+"
ROWS = dict(re.findall(rf"^\| ({NUMBER}) \| [^|]+ \| ([^|]+) \|$", TEXT, re.MULTILINE))
"""What stands in the last column: what proves it, or why not."""
ANSWERED = re.findall(rf"^\| ({NUMBER}) \|", TEXT, re.MULTILINE)
LEFT_OUT = [
    number
    for numbers in re.findall(rf"^- ((?:{NUMBER}(?:, )?)+): \S.*$", TEXT, re.MULTILINE)
    for number in numbers.split(", ")
]
TESTS = re.findall(r"`([a-z0-9_/]+\.py)::(\w+)`", TEXT)
DEVIATIONS = {number: said for number, said in ROWS.items() if "Deviation:" in said}


def order(number: str) -> list[int]:
    return [int(part) for part in number.split(".")]


@functools.cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def slug(heading: str) -> str:
    """The anchor that a heading gets on the usual sites."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_every_requirement_is_answered_once() -> None:
    required = sorted([number for numbers in LEVELS.values() for number in numbers], key=order)
    assert sorted([*ANSWERED, *LEFT_OUT], key=order) == required


def test_the_rows_stand_in_their_order_below_their_chapter() -> None:
    assert sorted(ANSWERED, key=order) == ANSWERED
    for chapter, body in re.findall(r"^## V([0-9]+) .*?$(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL):
        inside = re.findall(rf"^(?:\| |- )({NUMBER})", body, re.MULTILINE)
        assert inside, chapter
        assert {number.partition(".")[0] for number in inside} == {chapter}


def test_every_row_has_a_proof_or_a_reason() -> None:
    assert ROWS.keys() == set(ANSWERED)
    without = [
        number
        for number, said in ROWS.items()
        if not re.search(r"`[a-z0-9_/]+\.py::\w+`|\]\([^)]+\)|Deviation: ", said)
    ]
    assert without == []


def test_every_deviation_says_what_the_owner_does() -> None:
    assert [number for number, said in DEVIATIONS.items() if not re.search(r"Owner: \S", said)] == []


def test_every_test_that_is_named_is_there() -> None:
    assert len(TESTS) == TEXT.count("::") - 1 > 150  # but the one that says how to read them
    missing = [f"{path}::{name}" for path, name in TESTS if name not in names_in(path)]
    assert missing == []


def test_the_counts_in_the_introduction_are_those_of_the_tables() -> None:
    said = re.search(
        r"(\d+) requirements: (\d+) met, (\d+) met in part or not \(a deviation each\), (\d+) not applicable", TEXT
    )
    assert said, "the introduction counts the rows"
    met = len(ROWS) - len(DEVIATIONS)
    assert tuple(map(int, said.groups())) == (len(ROWS) + len(LEFT_OUT), met, len(DEVIATIONS), len(LEFT_OUT))


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", TEXT))))
def test_every_link_leads_somewhere(link: str) -> None:
    path, _, anchor = link.partition("#")
    if path.startswith("https:"):
        return
    target = (PAGE.parent / path).resolve() if path else PAGE
    assert target.is_file()
    if anchor:
        assert Counter(map(slug, re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)))[anchor] == 1
