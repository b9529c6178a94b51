"""Schemas of one description, flattened: references followed, `allOf` merged, "this or null" seen through.

JSON Schema 2020-12. A flattened schema admits what the original does; what cannot be merged without loss is kept as it
stands in `Shape.opaque` and is only ever compared for equality.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias

import orjson

from backend.app.engine.spec.model import Json, Schema
from backend.app.engine.spec.reach import PREFIX
from backend.app.engine.subschemas import with_subschemas

Parts: TypeAlias = tuple[Schema, ...]
"""Schemas that hold together, as in `allOf`."""

KINDS = frozenset({"null", "boolean", "object", "array", "string", "integer", "number"})
"""Types of JSON Schema, where `number` stands for those numbers that are no integers."""


class Direction(StrEnum):
    REQUEST = "request"
    RESPONSE = "response"


MARKS = {Direction.REQUEST: "readOnly", Direction.RESPONSE: "writeOnly"}
"""What a property is marked with that does not take part in a direction."""
UNSAID: Json = object()

_LABELS = frozenset({"title", "description", "examples"})
_NOTES = _LABELS | {"default", "deprecated", "readOnly", "writeOnly"}
_UNIONS = ("oneOf", "anyOf")
_SETS = frozenset({"required", "type", "enum"})
_VALUES = ("enum", "const")
_LEAST = ("minLength", "minItems", "minProperties")
_MOST = ("maxLength", "maxItems", "maxProperties")
_OPAQUE = frozenset(
    {
        "not", "if", "then", "else", "contains", "minContains", "maxContains", "propertyNames", "dependentRequired",
        "dependentSchemas", "unevaluatedItems", "unevaluatedProperties", "contentEncoding", "contentMediaType",
    }
)  # fmt: skip
_LONGEST_CHAIN = 50


@dataclass(frozen=True, slots=True)
class Node:
    """What is left of a schema when wrappers that only name it, note something or add `null` are taken off."""

    parts: Parts
    name: str = ""
    """Of the definition that it stands in."""
    nullable: bool = False

    @property
    def key(self) -> tuple[int, ...]:
        """Tells apart the schemas of one description, which live as long as it does."""
        return tuple(map(id, self.parts))


@dataclass(slots=True)
class Limits:
    """The interval of numbers; the second of a pair says that the limit itself is left out."""

    lower: tuple[float, bool] | None = None
    upper: tuple[float, bool] | None = None
    counts: dict[str, int] = field(default_factory=dict)
    """`minLength`, `maxItems`, ..."""
    multiples: frozenset[Fraction] = frozenset()


@dataclass
class Shape:
    kinds: frozenset[str] = KINDS
    """The types that are admitted, `null` among them."""
    silent: bool = False
    """It says nothing about the values at all."""
    values: Mapping[bytes, Json] | None = None
    """Those that are enumerated, without `null`, by their canonical form."""
    limits: Limits = field(default_factory=Limits)
    patterns: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()
    unique: bool = False
    properties: dict[str, Parts] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    extra: Parts | None = None
    """What further properties have to be; None when nothing is said, which leaves them open."""
    by_pattern: dict[str, Parts] = field(default_factory=dict)
    items: Parts = ()
    prefix: tuple[Parts, ...] = ()
    unions: tuple[tuple[str, Parts], ...] = ()
    """`oneOf` and `anyOf` beside other keywords."""
    opaque: dict[str, list[Json]] = field(default_factory=dict)
    default: Json = UNSAID
    deprecated: bool = False
    discriminator: Mapping[str, Any] | None = None
    hidden: Mapping[Direction, frozenset[str]] = field(default_factory=dict)
    """Properties that do not take part in a direction (`readOnly`, `writeOnly`)."""

    @property
    def closed(self) -> bool:
        return self.extra is not None and False in self.extra

    @property
    def others(self) -> Parts:
        """The schema of further properties, where there is one that says something."""
        return () if self.extra in (None, (True,), ({},)) or self.closed else self.extra or ()

    @cached_property
    def _visible(self) -> dict[Direction, dict[str, Parts]]:
        return {
            direction: {name: parts for name, parts in self.properties.items() if name not in self.hidden[direction]}
            if self.hidden.get(direction)
            else self.properties
            for direction in Direction
        }

    def visible(self, direction: Direction) -> Mapping[str, Parts]:
        return self._visible[direction]

    def demanded(self, direction: Direction) -> frozenset[str]:
        """Required names (OpenAPI 3.0.4, 4.7.24.2: in one direction only, where the property is marked)."""
        return self.required - self.hidden.get(direction, frozenset())


class Side:
    """The schemas of one description."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions
        self._shapes: dict[tuple[tuple[int, ...], bool], Shape] = {}
        self._nodes: dict[int, Node] = {}

    def node(self, parts: Parts) -> Node:
        if len(parts) == 1:
            # Most schemas stand alone: they are met again with each definition that leads to them.
            known = self._nodes.get(id(parts[0]))
            if known is None:
                known = self._nodes[id(parts[0])] = self._unwrapped(parts)
            return known
        return self._unwrapped(parts)

    def _unwrapped(self, parts: Parts) -> Node:
        name, nullable = "", False
        for _ in range(_LONGEST_CHAIN):
            parts = tuple(part for part in parts if part is not True and (part is False or _said(part)))
            if len(parts) != 1 or not isinstance(schema := parts[0], dict):
                break
            said = _said(schema)
            if said == {"$ref"}:
                target = _name(schema["$ref"])
                if target not in self.definitions:
                    break
                name, parts = target, (self.definitions[target],)
            elif said == {"allOf"}:
                parts = tuple(schema["allOf"])
            elif (union := _union(said)) and said == {union}:
                others = [each for each in schema[union] if not _is_null(each)]
                if len(others) != 1:
                    break
                nullable = nullable or len(others) < len(schema[union])
                parts = (others[0],)
            else:
                break
        return Node(parts, name, nullable)

    def members(self, node: Node) -> tuple[str, list[Node]]:
        """The keyword and the alternatives of a schema that is nothing but a choice; the node itself of another."""
        if len(node.parts) == 1 and isinstance(schema := node.parts[0], dict):
            said = _said(schema)
            union = _union(said)
            if union and said <= {union, "discriminator", "type"}:
                nodes = self.alternatives(schema[union])
                declared = _kinds(schema["type"]) if "type" in schema else KINDS
                if (
                    len(nodes) > 1
                    and self._enumerated(union, schema[union]) is None
                    and all(self.kinds(each) <= declared for each in nodes)
                ):
                    return union, nodes
        return "", [node]

    def alternatives(self, members: Sequence[Schema]) -> list[Node]:
        return [self.node((each,)) for each in members if not _is_null(each)]

    def kinds(self, node: Node) -> frozenset[str]:
        return self.shape(node).kinds

    def shape(self, node: Node) -> Shape:
        key = (node.key, node.nullable)
        known = self._shapes.get(key)
        if known is None:
            # A recursive choice meets itself here, and adds nothing to what the others admit.
            self._shapes[key] = Shape(kinds=frozenset())
            known = self._shapes[key] = self._union_shape(node) or self._merged(node)
        return known

    def label(self, node: Node) -> str:
        """What people call a schema."""
        if node.name:
            return node.name
        for part in node.parts:
            if isinstance(part, dict) and part.get("title"):
                return str(part["title"])
        return in_words(self.kinds(node))

    def marked(self, parts: Parts, mark: str) -> bool:
        pending: list[Any] = list(parts)
        for _ in range(_LONGEST_CHAIN):
            if not pending:
                break
            part = pending.pop()
            if not isinstance(part, dict):
                continue
            if part.get(mark) is True:
                return True
            if "$ref" in part:
                pending.append(self.definitions.get(_name(part["$ref"])))
            pending += part.get("allOf", ())
        return False

    def _union_shape(self, node: Node) -> Shape | None:
        union = self.members(node)[0]
        if not union:
            return None
        schema = _object(node.parts[0])
        kinds = self._kinds_of(schema[union]) | ({"null"} if node.nullable else set())
        unions = ((union, tuple(schema[union])),)
        return Shape(kinds=kinds, unions=unions, discriminator=schema.get("discriminator"))

    def _kinds_of(self, members: Sequence[Schema]) -> frozenset[str]:
        kinds: frozenset[str] = frozenset().union(*map(self.kinds, self.alternatives(members)))
        return kinds | {"null"} if any(map(_is_null, members)) else kinds

    def _conjuncts(self, parts: Parts) -> Iterator[Mapping[str, Any] | bool]:
        pending = list(reversed(parts))
        seen: set[int] = set()
        while pending:
            part = pending.pop()
            if part is True or id(part) in seen:
                continue
            seen.add(id(part))
            yield part
            if isinstance(part, dict):
                if (name := _name(part.get("$ref", ""))) in self.definitions:
                    pending.append(self.definitions[name])
                pending += reversed(part.get("allOf", ()))

    def _merged(self, node: Node) -> Shape:
        shape = Shape(silent=not node.nullable)
        objects: list[Mapping[str, Any]] = []
        for part in self._conjuncts(node.parts):
            if isinstance(part, dict):
                objects.append(part)
                self._add(shape, part)
            else:
                shape.silent = False
                shape.kinds = frozenset()
        self._add_properties(shape, objects)
        if shape.values is not None:
            if not any("type" in each for each in objects):
                shape.kinds &= frozenset(_kind(value) for value in shape.values.values()) | {"null"}
            if b"null" not in shape.values:
                shape.kinds -= {"null"}
            shape.values = {text: value for text, value in shape.values.items() if value is not None}
            if shape.kinds == {"boolean"} and len(shape.values) == 2:
                shape.values = None
        if (
            shape.properties
            and not shape.unions
            and not any({"type", "enum", "const"} & each.keys() for each in objects)
        ):
            shape.kinds &= {"object"}
        if node.nullable:
            shape.kinds |= {"null"}
        return shape

    def _add(self, shape: Shape, part: Mapping[str, Any]) -> None:
        said = _said(part)
        shape.silent = shape.silent and not said - {"allOf"}
        shape.deprecated = shape.deprecated or part.get("deprecated") is True
        if shape.default is UNSAID:
            shape.default = part.get("default", UNSAID)
        if shape.discriminator is None:
            shape.discriminator = part.get("discriminator")
        if "type" in part:
            shape.kinds &= _kinds(part["type"])
        for values in [
            part[keyword] if keyword == "enum" else [part[keyword]] for keyword in _VALUES if keyword in part
        ]:
            shape.values = _intersection(shape.values, {canonical(value): value for value in values})
        self._add_limits(shape.limits, part)
        if "pattern" in part:
            shape.patterns |= {part["pattern"]}
        if "format" in part:
            shape.formats |= {part["format"]}
        shape.unique = shape.unique or part.get("uniqueItems") is True
        shape.required |= frozenset(part.get("required", ()))
        if part.get("items", True) not in (True, {}):
            shape.items += (part["items"],)
        if "prefixItems" in part:
            if shape.prefix or (shape.items and "items" not in part):
                shape.opaque.setdefault("prefixItems", []).append(part["prefixItems"])
            shape.prefix = tuple((each,) for each in part["prefixItems"])
        for union in _UNIONS:
            if union in part:
                values = self._enumerated(union, part[union])
                if values is None:
                    shape.unions += ((union, tuple(part[union])),)
                else:
                    shape.values = _intersection(shape.values, values)
        for keyword in said & _OPAQUE:
            shape.opaque.setdefault(keyword, []).append(part[keyword])
        if "$ref" in part and _name(part["$ref"]) not in self.definitions:
            shape.opaque.setdefault("$ref", []).append(part["$ref"])

    def _enumerated(self, union: str, members: Sequence[Schema]) -> dict[bytes, Json] | None:
        """The values of alternatives that are nothing but values, as generators write enumerations with titles."""
        values: dict[bytes, Json] = {}
        for each in map(_object, members):
            if not _said(each) <= {"const", "enum", "type"} or not {"const", "enum"} & each.keys():
                return None
            mine = {canonical(value): value for value in ([each["const"]] if "const" in each else each["enum"])}
            if union == "oneOf" and not values.keys().isdisjoint(mine):
                return None
            values |= mine
        return values

    @staticmethod
    def _add_limits(limits: Limits, part: Mapping[str, Any]) -> None:
        for keyword, excluded in (("minimum", False), ("exclusiveMinimum", True)):
            if keyword in part:
                said = part[keyword], excluded
                limits.lower = said if limits.lower is None else max(limits.lower, said)
        for keyword, excluded in (("maximum", False), ("exclusiveMaximum", True)):
            if keyword in part:
                upper = part[keyword], excluded
                known = limits.upper
                if known is None or (upper[0], not upper[1]) < (known[0], not known[1]):
                    limits.upper = upper
        for keyword in _LEAST:
            if part.get(keyword):
                limits.counts[keyword] = max(part[keyword], limits.counts.get(keyword, 0))
        for keyword in _MOST:
            if keyword in part:
                limits.counts[keyword] = min(part[keyword], limits.counts.get(keyword, part[keyword]))
        if "multipleOf" in part:
            limits.multiples |= {Fraction(str(part["multipleOf"]))}

    def _add_properties(self, shape: Shape, objects: list[Mapping[str, Any]]) -> None:
        """`additionalProperties` concerns the properties that stand in the same schema, not those of other members of
        an `allOf` (JSON Schema 2020-12, 10.3.2.3)."""
        names = dict.fromkeys(name for part in objects for name in part.get("properties", ()))
        merged: dict[str, list[Schema]] = {name: [] for name in names}
        for part in objects:
            extra = part.get("additionalProperties")
            own = part.get("properties", {})
            patterns = part.get("patternProperties", {})
            for name in names:
                if name in own:
                    merged[name].append(own[name])
                elif extra not in (None, True, {}) and not patterns:
                    merged[name].append(extra)
            for pattern, schema in patterns.items():
                shape.by_pattern[pattern] = (*shape.by_pattern.get(pattern, ()), schema)
            if patterns and extra not in (None, True, {}):
                # Which names `additionalProperties` concerns depends on the patterns, which are not run here.
                shape.opaque.setdefault("patternProperties", []).append([patterns, extra, sorted(own)])
            if extra is not None:
                shape.extra = (*(shape.extra or ()), extra)
        if shape.extra is not None and len(shape.extra) > 1:
            shape.extra = tuple(each for each in shape.extra if each not in (True, {})) or (True,)
        shape.properties = {name: tuple(schemas) for name, schemas in merged.items()}
        shape.hidden = {
            direction: frozenset(name for name, parts in shape.properties.items() if self.marked(parts, mark))
            for direction, mark in MARKS.items()
        }


class Alikeness:
    """Whether two schemas, one of each description, say the same, apart from titles, descriptions and examples."""

    def __init__(self, old: Mapping[str, Schema], new: Mapping[str, Schema]) -> None:
        self._stripped: dict[int, tuple[Any, Any]] = {}
        self._clean: dict[int, tuple[Any, bool]] = {}
        references: dict[str, set[str]] = {}
        unlike = set(old.keys() ^ new.keys())
        for name in old.keys() & new.keys():
            if old[name] != new[name] and self._strip(old[name]) != self._strip(new[name]):
                unlike.add(name)
        if unlike:
            for name, schema in new.items():
                for target in _references(schema):
                    references.setdefault(target, set()).add(name)
        pending = list(unlike)
        while pending:
            for name in references.get(pending.pop(), ()):
                if name not in unlike:
                    unlike.add(name)
                    pending.append(name)
        self._unlike = unlike
        """Definitions that differ, or lead to one that does."""

    def __call__(self, old: Json, new: Json) -> bool:
        """Takes schemas, and lists or tuples of them."""
        return (old == new or self._strip(old) == self._strip(new)) and self._is_clean(new)

    def _is_clean(self, value: Json) -> bool:
        if not self._unlike or isinstance(value, bool):
            return True
        if isinstance(value, tuple):
            return all(map(self._is_clean, value))
        known = self._clean.get(id(value))
        if known is None:
            known = self._clean[id(value)] = value, self._unlike.isdisjoint(_references(value))
        return known[1]

    def _strip(self, node: Any) -> Any:
        if isinstance(node, list | tuple):
            return [self._strip(each) for each in node]
        if not isinstance(node, dict):
            return node
        known = self._stripped.get(id(node))
        if known is None:
            out = {
                # The order of these lists says nothing.
                keyword: frozenset(map(canonical, value)) if keyword in _SETS and isinstance(value, list) else value
                for keyword, value in with_subschemas(node, self._strip).items()
                if keyword not in _LABELS
            }
            known = self._stripped[id(node)] = node, out
        return known[1]


def in_words(kinds: frozenset[str]) -> str:
    if kinds >= KINDS:
        return "anything"
    names = kinds - {"integer"} if "number" in kinds else kinds
    return " or ".join([*sorted(names - {"null"}), *sorted(names & {"null"})]) or "nothing"


def canonical(value: Json) -> bytes:
    """Equal for JSON values that JSON Schema takes for equal: `1` and `1.0`, objects in any order."""
    return orjson.dumps(_canonical(value), option=orjson.OPT_SORT_KEYS)


def _canonical(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    if isinstance(value, dict):
        return {name: _canonical(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    return value


def _intersection(known: Mapping[bytes, Json] | None, values: Mapping[bytes, Json]) -> Mapping[bytes, Json]:
    return values if known is None else {text: value for text, value in known.items() if text in values}


def _references(value: Json) -> set[str]:
    found: set[str] = set()
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if isinstance(target := node.get("$ref"), str):
                found.add(_name(target))
            pending += node.values()
        elif isinstance(node, list | tuple):
            pending += node
    return found


def _name(reference: str) -> str:
    return reference.removeprefix(PREFIX)


def _said(schema: Mapping[str, Any]) -> set[str]:
    return schema.keys() - _NOTES


def _union(said: Iterable[str]) -> str:
    """The one keyword for alternatives, if there is one."""
    found = [union for union in _UNIONS if union in said]
    return found[0] if len(found) == 1 else ""


def _object(schema: Schema) -> Mapping[str, Any]:
    return schema if isinstance(schema, dict) else {}


def _is_null(schema: Schema) -> bool:
    said = _object(schema)
    return said.get("type") == "null" or said.get("enum") == [None] or ("const" in said and said["const"] is None)


def _kinds(declared: str | list[str]) -> frozenset[str]:
    names = {declared} if isinstance(declared, str) else set(declared)
    return frozenset(names | ({"integer"} if "number" in names else set()))


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
