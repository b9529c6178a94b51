"""Strings that match a regular expression, for the regular part of ECMA-262 that API descriptions use.

Look-around, back-references and Unicode properties are refused with `UnsupportedPatternError`; the caller validates
every string anyway, because an anchor in the middle of a pattern is ignored here.
"""

import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import TypeAlias

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
WORD = string.ascii_letters + string.digits + "_"
SPACE = " \t"
CLASSES = {
    "d": string.digits,
    "w": WORD,
    "s": SPACE,
    "D": "".join(sorted(set(PRINTABLE) - set(string.digits))),
    "W": "".join(sorted(set(PRINTABLE) - set(WORD))),
    "S": PRINTABLE[1:],
}
CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
UNBOUNDED = 1 << 16
MOST_STEPS = 40_000


class UnsupportedPatternError(ValueError):
    """The pattern uses something that is not regular, or is malformed."""


@dataclass(frozen=True, slots=True)
class Chars:
    allowed: str


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    branches: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    part: "Node"
    least: int
    most: int


Node: TypeAlias = Chars | Sequence | Choice | Repeat


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0

    def parse(self) -> Node:
        node = self.choice()
        if self.at < len(self.text):
            raise UnsupportedPatternError("unbalanced parenthesis")
        return node

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self) -> str:
        if self.at >= len(self.text):
            raise UnsupportedPatternError("the pattern ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def choice(self) -> Node:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            character = self.take()
            if character in "^$":
                continue
            if character == "\\" and self.peek() in ("b", "B", "A", "Z"):
                self.at += 1
                continue
            parts.append(self.repeated(self.atom(character)))
        return Sequence(tuple(parts))

    def atom(self, character: str) -> Node:
        if character == "(":
            return self.group()
        if character == "[":
            return Chars(self.character_class())
        if character == ".":
            return Chars(PRINTABLE)
        if character == "\\":
            return Chars(self.escape())
        if character in "*+?":
            raise UnsupportedPatternError("nothing to repeat")
        return Chars(character)

    def group(self) -> Node:
        if self.peek() == "?":
            self.at += 1
            kind = self.take()
            if kind in "P<" and not self.text.startswith(("=", "!"), self.at):
                end = self.text.find(">", self.at)
                if end < 0 or (kind == "P" and self.peek() != "<"):
                    raise UnsupportedPatternError("this kind of group")
                self.at = end + 1
            elif kind != ":":
                raise UnsupportedPatternError("look-around or flags")
        node = self.choice()
        if self.take() != ")":
            raise UnsupportedPatternError("unbalanced parenthesis")
        return node

    def escape(self) -> str:
        character = self.take()
        if character in CLASSES:
            return CLASSES[character]
        if character in CONTROLS:
            return CONTROLS[character]
        if character in "xu":
            if self.peek() == "{":
                end = self.text.find("}", self.at)
                digits, self.at = self.text[self.at + 1 : end], end + 1
            else:
                width = 2 if character == "x" else 4
                digits, self.at = self.text[self.at : self.at + width], self.at + width
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise UnsupportedPatternError("malformed escape") from None
        if character.isalnum():
            raise UnsupportedPatternError(f"the escape \\{character}")
        return character

    def character_class(self) -> str:
        negated = self.peek() == "^"
        self.at += negated
        allowed: set[str] = set()
        while (character := self.take()) != "]":
            first = self.escape() if character == "\\" else character
            if len(first) == 1 and self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                last = self.take()
                last = self.escape() if last == "\\" else last
                if len(last) != 1 or ord(last) < ord(first):
                    raise UnsupportedPatternError("malformed range")
                allowed.update(map(chr, range(ord(first), min(ord(last), ord(first) + 512) + 1)))
            else:
                allowed.update(first)
        if negated:
            allowed = set(PRINTABLE) - allowed
        if not allowed:
            raise UnsupportedPatternError("an empty character class")
        return "".join(sorted(allowed))

    def repeated(self, node: Node) -> Node:
        mark = self.peek()
        if mark and mark in "*+?":
            self.at += 1
            node = Repeat(node, int(mark == "+"), 1 if mark == "?" else UNBOUNDED)
        elif mark == "{":
            end = self.text.find("}", self.at)
            least, comma, most = self.text[self.at + 1 : end].partition(",")
            if end < 0 or not least.isdigit() or (most and not most.isdigit()):
                raise UnsupportedPatternError("malformed repetition")
            self.at = end + 1
            node = Repeat(node, int(least), int(most) if most else (UNBOUNDED if comma else int(least)))
        else:
            return node
        if self.peek() in ("?", "+"):
            self.at += 1
        return node


@lru_cache(maxsize=1024)
def parse(pattern: str) -> Node:
    """Raises `UnsupportedPatternError`."""
    try:
        return _Parser(pattern).parse()
    except RecursionError:
        raise UnsupportedPatternError("nested too deeply") from None


def matching(pattern: str, random: Random, accept: Callable[[str], bool], attempts: int = 24) -> str | None:
    """A string for which `accept` holds, built from `pattern`; None when none was found.

    Repetitions grow from their least number on, so that short strings come first.
    Raises `UnsupportedPatternError`.
    """
    node = parse(pattern)
    for attempt in range(attempts):
        candidate = _Writer(random, more=(0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144)[attempt // 2]).text_of(node)
        if accept(candidate):
            return candidate
    return None


class _Writer:
    def __init__(self, random: Random, more: int) -> None:
        self.random = random
        self.more = more
        self.characters: list[str] = []
        self.steps = 0

    def text_of(self, node: Node) -> str:
        self.write(node)
        return "".join(self.characters)

    def write(self, node: Node) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise UnsupportedPatternError("matches only very long strings")
        if isinstance(node, Chars):
            self.characters.append(self.pick(node.allowed))
        elif isinstance(node, Sequence):
            for part in node.parts:
                self.write(part)
        elif isinstance(node, Choice):
            self.write(self.random.choice(node.branches))
        else:
            for _ in range(min(node.least + self.more, node.most)):
                self.write(node.part)

    def pick(self, allowed: str) -> str:
        """Letters and digits where they are allowed: they survive every serialisation."""
        for _ in range(3):
            character = self.random.choice(allowed)
            if character.isalnum() and character.isascii():
                break
        return character
