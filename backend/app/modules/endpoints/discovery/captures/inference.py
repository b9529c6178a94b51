"""JSON Schemas inferred from values, in memory that does not grow with their number.

What a `Shape` says does not depend on the order of the values, nor on which shapes they were added to before those were
merged.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from backend.app.engine.spec.model import Json, Schema
from backend.app.modules.endpoints.discovery.captures.forms import Kind, kind_of
from backend.app.modules.endpoints.discovery.captures.masking import is_secret

Harmless = Callable[[str], bool]

MAP: Final = "{}"
"""Stands for names that are data."""
_MOST_MEMBERS: Final = 200
"""Names of an object from which on it is a map from keys to values."""
_DEEPEST: Final = 12
_MOST_CHOICES: Final = 8
_MANY: Final = 20
"""Values from which on few distinct ones are all that there are."""
_LONGEST_CHOICE: Final = 40
_MOST_EXAMPLES: Final = 3
_CHOICE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:/+-]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?P<fraction>\.[0-9]+)?")
_KEY_KINDS: Final = frozenset({Kind.INTEGER, Kind.UUID, Kind.HASH, Kind.DATE, Kind.EMAIL, Kind.ADDRESS, Kind.TEXT})
_FORMATS: Final = {
    "uuid": re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"),
    "date-time": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:]{8}(?:\.[0-9]+)?(?:[Zz]|[-+][0-9]{2}:[0-9]{2})"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "uri": re.compile(r"[a-z][a-z0-9+.-]*://[^\s<>\"{}|\\^`]+"),
    "email": re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    "ipv4": re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!$)|$)){4}"),
}  # fmt: skip
_TYPES: Final = {
    str: "string", type(None): "null", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array",
}  # fmt: skip
_NESTED: Final = ("object", "array")
_SHORTEST_FORMATTED: Final = 6
_LONGEST_FORMATTED: Final = 300


@dataclass(slots=True)
class Budget:
    """What all shapes of a capture share."""

    left: int = 1_000_000
    """How many more there may be besides those that are asked for. When none is left, further members of objects are
    described together."""
    notice: Callable[[Mapping[str, Json]], None] = lambda value: None
    """Is shown every object of every value, however deep it is nested."""


class Shape:
    """What values at one place have in common."""

    __slots__ = (
        "_budget", "_choices", "_examples", "_format", "_is_map", "_items", "_members", "_objects", "_others", "_types",
        "count",
    )  # fmt: skip

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._budget.left -= 1
        self.count = 0
        self._types: dict[str, int] = {}
        self._format: str | None = None
        """Of all texts; empty when they differ, None before the first."""
        self._choices: dict[str, int] | None = {}
        self._examples: tuple[str, ...] = ()
        """The first of all texts, as they are sorted: which ones does not depend on their order."""
        self._objects = 0
        self._members: dict[str, Shape] | None = None
        self._is_map = False
        self._others: Shape | None = None
        """Of members under names that are data; all of them, when there are too many names."""
        self._items: Shape | None = None

    def add(self, value: Json, depth: int = 0) -> None:
        """Any value of JSON. What is nested too deep is not looked at."""
        self.count += 1
        # Millions of values pass here: their exact types, as parsers make them.
        kind = _TYPES[type(value)]
        self._types[kind] = self._types.get(kind, 0) + 1
        if kind == "string":
            self._text(value)
        elif depth >= _DEEPEST:
            self._pass_over(value)
        elif kind == "object":
            self._object(value, depth + 1)
        elif kind == "array":
            if self._items is None:
                self._items = Shape(self._budget)
            for item in value:
                self._items.add(item, depth + 1)

    def add_text(self, text: str) -> None:
        """A value that was written without its type: in a query, a path or a form."""
        self.count += 1
        match = _NUMBER.fullmatch(text)
        if match is not None:
            kind = "number" if match["fraction"] else "integer"
        else:
            kind = "boolean" if text in ("true", "false") else "string"
        self._types[kind] = self._types.get(kind, 0) + 1
        self._text(text)

    def merge(self, other: "Shape") -> None:
        # The other one is gone after this.
        self._budget.left += 1
        self.count += other.count
        _count(self._types, other._types)
        if other._format is not None:
            self._format = other._format if self._format in (None, other._format) else ""
        self._examples = tuple(sorted({*self._examples, *other._examples}))[:_MOST_EXAMPLES]
        if self._choices is not None:
            if other._choices is None:
                self._choices = None
            else:
                _count(self._choices, other._choices)
                self._limit_choices()
        self._objects += other._objects
        if other._items is not None:
            self._items = self._items or Shape(self._budget)
            self._items.merge(other._items)
        if other._is_map:
            self._make_map()
        if other._others is not None:
            self._others = self._others or Shape(self._budget)
            self._others.merge(other._others)
        for name, member in (other._members or {}).items():
            self._member(name).merge(member)

    def add_fields(self, fields: Mapping[str, Iterable[str]]) -> None:
        """The values of a form by their names."""
        self.count += 1
        self._types["object"] = self._types.get("object", 0) + 1
        self._objects += 1
        for name, values in fields.items():
            member = self._member(name)
            # One that is repeated is still there once.
            for index, value in enumerate(values):
                member.add_text(value)
                member.count -= index > 0

    def names(self) -> Iterable[str]:
        """Of members, and of members of members, as paths. Of an array, those of its items; of a map `{}`."""
        for prefix, shape in (("", self), ("[]", self._items)):
            if shape is not None and shape._others is not None:
                yield f"{prefix}{MAP}"
            for name, member in ((shape._members if shape is not None else None) or {}).items():
                yield f"{prefix}{name}"
                inner = member._items or member
                yield from (f"{prefix}{name}.{each}" for each in inner._members or ())

    def has(self, pointer: Sequence[str]) -> bool:
        """Whether a member is known by these names, `0` being all items of an array."""
        shape = self
        for name in pointer:
            below = (shape._members or {}).get(name) or (shape._items if name == "0" else None)
            if below is None:
                return False
            shape = below
        return True

    def schema(self, harmless: Harmless, *, name: str = "", texts: bool = False) -> Schema:
        """JSON Schema 2020-12. `texts`: they were written without types: what is no number at times is text."""
        types = self._known_types(texts)
        if not types:
            return True
        out: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
        if "string" in types:
            if self._format:
                out["format"] = self._format
            elif choices := self._enum(harmless, name):
                out["enum"] = [*choices, None] if "null" in types else choices
        if "object" in types:
            self._object_schema(out, harmless, texts)
        if "array" in types and self._items is not None and self._items.count:
            out["items"] = self._items.schema(harmless)
        if "enum" in out and len(types) > (2 if "null" in types else 1):
            del out["enum"]
        return out

    def examples(self, harmless: Harmless, name: str) -> tuple[Json, ...]:
        """Texts that may be shown, as the values that they stand for."""
        if is_secret(name):
            return ()
        types = self._known_types(texts=True)
        reading: Callable[[str], Json] = int if types == ["integer"] else float if types == ["number"] else str
        return tuple(reading(each) for each in self._examples if each and harmless(each))

    def _known_types(self, texts: bool) -> list[str]:
        types = set(self._types)
        if "number" in types:
            types.discard("integer")
        if texts and len(types) > 1 and "object" not in types:
            types = {"string"}
        return sorted(types, key=lambda each: (each == "null", each))

    def _text(self, text: str) -> None:
        choices = self._choices
        if choices is not None and text in choices:
            choices[text] += 1  # all else is known of it
            return
        if self._format != "":
            if self._format is None:
                self._format = _format_of(text)
            elif not _has_format(text, self._format):
                self._format = ""
        if len(text) > _LONGEST_CHOICE:
            self._choices = None
            return
        examples = self._examples
        if len(examples) < _MOST_EXAMPLES or text < examples[-1]:
            self._examples = tuple(sorted({*examples, text}))[:_MOST_EXAMPLES]
        if choices is not None:
            choices[text] = 1
            self._limit_choices()

    def _limit_choices(self) -> None:
        if self._choices is not None and len(self._choices) > _MOST_CHOICES:
            self._choices = None

    def _object(self, value: Mapping[str, Json], depth: int) -> None:
        self._objects += 1
        self._budget.notice(value)
        for name, member in value.items():
            # What `_member` and `add` do, where most members are: each call less is a tenth of the whole reading.
            shape = (self._members.get(name) if self._members is not None else None) or self._member(name)
            kind = _TYPES[type(member)]
            if kind in _NESTED:
                shape.add(member, depth)
                continue
            shape.count += 1
            types = shape._types
            types[kind] = types.get(kind, 0) + 1
            if kind == "string":
                shape._text(member)

    def _pass_over(self, value: Json) -> None:
        pending = [value]
        while pending:
            node = pending.pop()
            if isinstance(node, dict):
                self._budget.notice(node)
                pending += node.values()
            elif isinstance(node, list):
                pending += node

    def _member(self, name: str) -> "Shape":
        if self._members is None:
            self._members = {}
        if (member := self._members.get(name)) is not None:
            return member
        if len(self._members) >= _MOST_MEMBERS:
            self._make_map()
        if self._is_map or self._budget.left <= 0 or kind_of(name) in _KEY_KINDS:
            return self._data()
        self._members[name] = member = Shape(self._budget)
        return member

    def _make_map(self) -> None:
        self._is_map = True
        for each in (self._members or {}).values():
            self._data().merge(each)
        self._members = None

    def _data(self) -> "Shape":
        if self._others is None:
            self._others = Shape(self._budget)
        return self._others

    def _object_schema(self, out: dict[str, Any], harmless: Harmless, texts: bool) -> None:
        members = self._members or {}
        if self._others is not None:
            out["additionalProperties"] = self._others.schema(harmless, texts=texts)
        shown = {name: members[name] for name in sorted(members) if harmless(name)}
        if shown:
            out["properties"] = {
                name: member.schema(harmless, name=name, texts=texts) for name, member in shown.items()
            }
            required = [name for name, member in shown.items() if member.count >= self._objects]
            if required:
                out["required"] = required

    def _enum(self, harmless: Harmless, name: str) -> list[str]:
        if self._choices is None or is_secret(name):
            return []
        total = sum(self._choices.values())
        choices = sorted(self._choices)
        few = total >= _MANY and 2 <= len(choices) <= total // 5 and min(self._choices.values()) > 1
        return choices if few and all(_CHOICE.fullmatch(each) and harmless(each) for each in choices) else []


def _format_of(text: str) -> str:
    return next((name for name in _FORMATS if _has_format(text, name)), "")


def _has_format(text: str, name: str) -> bool:
    """Of the formats a text has one at most."""
    return (
        _SHORTEST_FORMATTED <= len(text) <= _LONGEST_FORMATTED
        and _FORMATS[name].fullmatch(text) is not None
        and (name not in ("date", "date-time") or _is_date(text))
    )


def _count(into: dict[str, int], other: Mapping[str, int]) -> None:
    for name, count in other.items():
        into[name] = into.get(name, 0) + count


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
        if len(text) > len("2024-01-01"):
            datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True
