"""Which paths `robots.txt` asks crawlers to leave alone (RFC 9309)."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

AGENT: Final = "touchstone"
_LONGEST: Final = 500 * 1024
"""Bytes that are read: at least so many are, says RFC 9309, 2.5."""
_MOST_RULES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Robots:
    """Rules as they apply to one crawler: pattern and whether it allows."""

    rules: tuple[tuple[str, bool], ...] = ()

    def allow(self, path: str) -> bool:
        """The longest pattern that fits decides, the one that allows among equals (2.2.2). `path` has its query."""
        wanted = _normal(path)
        fitting = [(len(pattern), allows) for pattern, allows in self.rules if _fits(pattern, wanted)]
        return max(fitting)[1] if fitting else True


ALL_ALLOWED: Final = Robots()
NONE_ALLOWED: Final = Robots((("/", False),))


def robots_of(status: int, body: bytes) -> Robots:
    """Of an answer at `/robots.txt`, redirects followed: nothing there allows all, a failing server nothing (2.3.1)."""
    if status >= 500:
        return NONE_ALLOWED
    return parse_robots(body) if 200 <= status < 300 else ALL_ALLOWED


def parse_robots(body: bytes) -> Robots:
    """The groups that name us, together; without any, those for all (2.2.1)."""
    ours: list[tuple[str, bool]] = []
    anybodys: list[tuple[str, bool]] = []
    named = False
    agents: set[str] = set()
    in_rules = False
    for line in body[:_LONGEST].decode("utf-8-sig", errors="replace").splitlines():
        key, sign, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not sign:
            continue
        if key == "user-agent":
            if in_rules:
                agents, in_rules = set(), False
            agents.add(value.lower())
            named = named or value.lower() == AGENT
        elif key in ("allow", "disallow"):
            in_rules = True
            if value and AGENT in agents:
                ours.append((_normal(value), key == "allow"))
            elif value and "*" in agents:
                anybodys.append((_normal(value), key == "allow"))
    return Robots(tuple((ours if named else anybodys)[:_MOST_RULES]))


def _fits(pattern: str, path: str) -> bool:
    """`*` stands for anything, `$` at the end for the end. Without a regular expression: the pattern is not ours."""
    anchored = pattern.endswith("$")
    first, *others = re.split(r"\*+", pattern.removesuffix("$"))
    if not path.startswith(first):
        return False
    at = len(first)
    for number, part in enumerate(others):
        if anchored and number == len(others) - 1:
            return len(path) - len(part) >= at and path.endswith(part)
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return not anchored or at == len(path)


def _normal(path: str) -> str:
    """One spelling of percent-encoding (2.2.2)."""
    return quote(unquote(path), safe="/*$?=&;:@!,+~()'-._%")
