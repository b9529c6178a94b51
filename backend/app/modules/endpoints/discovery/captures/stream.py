"""The elements of one array in a JSON text of any length, one at a time."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

_decode = json.JSONDecoder(strict=False).raw_decode
_SPACE = re.compile(r"[ \t\r\n]*+")
_KEY = re.compile(r'"((?:[^"\\]++|\\.)*+)"[ \t\r\n]*+:[ \t\r\n]*+(?=[^ \t\r\n])', re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+("?)|[{}\[\],]', re.DOTALL)
_REST_OF_TEXT = re.compile(r'(?:[^"\\]++|\\.)*+("?)', re.DOTALL)
_LONGEST_KEY = 10_000


class BrokenJson(Exception):
    """The text is no JSON, or ends too early."""


class Oversized:
    """Stands for an element with more characters than the limit."""


class Malformed:
    """Stands for an element that is no JSON."""


def elements(pieces: Iterator[str], path: Sequence[str], most: int) -> Iterator[Any]:
    """The elements of the array that is found by the names in `path` from the root, which is an object; none when there
    is no such array.

    `most` characters of an element are held at a time. One that is longer is given as `Oversized`, one with a fault
    inside as `Malformed`. Raises `BrokenJson` when the text ends within the array, or is no JSON between elements.
    """
    text = _Text(pieces)
    for name in path:
        if not _enter(text, "{") or not _find(text, name):
            return
    if not _enter(text, "["):
        return
    if text.peek() == "]":
        return
    while True:
        yield _element(text, most)
        match text.peek():
            case ",":
                text.at += 1
            case "]":
                return
            case _:
                raise BrokenJson("neither a comma nor the end of the list")


class _Text:
    """A window on the text: `buffer` from `at` on is not consumed yet."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self.buffer = ""
        self.at = 0
        self._pieces = pieces

    def more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self.buffer = self.buffer[self.at :] + piece
        self.at = 0
        return True

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            match = _SPACE.match(self.buffer, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more():
                return ""


def _enter(text: _Text, bracket: str) -> bool:
    if text.peek() != bracket:
        return False
    text.at += 1
    return True


def _find(text: _Text, name: str) -> bool:
    """Goes to the value of a member of the object that was entered."""
    while text.peek() == '"':
        match = _KEY.match(text.buffer, text.at)
        while match is None:
            if len(text.buffer) - text.at > _LONGEST_KEY or not text.more():
                raise BrokenJson("no name of a member")
            match = _KEY.match(text.buffer, text.at)
        text.at = match.end()
        if match[1] == name:
            return True
        _pass(text, most=0)
        if text.peek() != ",":
            return False
        text.at += 1
    return False


def _element(text: _Text, most: int) -> Any:
    """A value that stands in the window as a whole is decoded at once, others when their end is found."""
    start = text.peek()
    if start in "{[" and start:
        try:
            value, end = _decode(text.buffer, text.at)
        except (ValueError, RecursionError):
            pass
        else:
            fits = end - text.at <= most
            text.at = end
            return value if fits else Oversized
    raw = _pass(text, most)
    if raw is None:
        return Oversized
    try:
        value, _ = _decode(raw)
    except (ValueError, RecursionError):
        return Malformed
    return value


def _pass(text: _Text, most: int) -> str | None:
    """Goes behind the next value, and gives its text if it has no more than `most` characters."""
    depth, at, in_text, kept = 0, text.at, False, True
    while True:
        if in_text:
            match = _REST_OF_TEXT.match(text.buffer, at)
            assert match is not None  # noqa: S101 - it matches the empty text
            at, in_text = match.end(), not match[1]
        while not in_text and (match := _TOKEN.search(text.buffer, at)) is not None:
            sign = match[0]
            if sign[0] == '"':
                at, in_text = match.end(), not match[1]
                continue
            depth += (sign in "{[") - (sign in "}]")
            if depth < 0 or (depth == 0 and sign == ","):
                at = match.start()
            elif depth == 0:
                at = match.end()
            else:
                at = match.end()
                continue
            raw = text.buffer[text.at : at] if kept and at - text.at <= most else None
            text.at = at
            return raw
        if not in_text:
            at = len(text.buffer)
        if at - text.at > most:
            kept = False
        if not kept:
            text.at = at
        offset = at - text.at
        if not text.more():
            raise BrokenJson("it ends within a value")
        at = text.at + offset
