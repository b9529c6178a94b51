"""JSON values against the schemas of a description: JSON Schema 2020-12 with formats, in bounded time.

What could take long is not checked instead: patterns that need backtracking, and schemas that branch so often that
one value would be compared more than `MOST_COMPARISONS` times. Both count as fitting.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

import jsonschema_rs
import orjson

from backend.app.engine.spec.model import Json, Schema, below
from backend.app.engine.spec.patterns import LINEAR, pattern_fault
from backend.app.engine.spec.reach import Reach

Direction: TypeAlias = Literal["request", "response"]

MOST_COMPARISONS = 100_000
MOST_EXPLAINED = 2_000
"""Comparisons up to which the reasons are spelt out; collecting them costs more than finding that there are some."""
_DEEPEST = 64
_KEPT = 2_000
_LONGEST_CHAIN = 20
_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class SchemaError:
    pointer: str
    """JSON pointer of the value that does not fit, empty for the whole."""
    message: str


class SchemaValidator:
    """Compiles each schema once. `definitions` are those of the description and are not to be changed afterwards."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._reach = Reach(definitions)
        self._costs = _Costs(definitions)
        self._defined = orjson.dumps(dict(definitions))
        self._compiled: OrderedDict[bytes, _Compiled] = OrderedDict()

    def is_valid(self, schema: Schema, instance: Json, direction: Direction = "response") -> bool:
        compiled = self._get(schema, direction)
        return compiled.comparisons(instance) > MOST_COMPARISONS or compiled.is_valid(instance)

    def errors(
        self, schema: Schema, instance: Json, limit: int = 5, direction: Direction = "response"
    ) -> list[SchemaError]:
        """The first reasons why the value does not fit; none when it does.

        `writeOnly` properties are not demanded of a response, `readOnly` ones not of a request. `instance` is what a
        JSON decoder gives.
        """
        compiled = self._get(schema, direction)
        comparisons = compiled.comparisons(instance)
        if comparisons > MOST_COMPARISONS or compiled.is_valid(instance):
            return []
        if comparisons > MOST_EXPLAINED:
            return [SchemaError("", "does not fit the schema, which branches too often to say where")]
        return compiled.errors(instance, limit)

    def _get(self, schema: Schema, direction: Direction) -> "_Compiled":
        key = orjson.dumps([direction, schema])
        compiled = self._compiled.get(key)
        if compiled is None:
            mark = "writeOnly" if direction == "response" else "readOnly"
            marked = any(f'"{mark}":true'.encode() in text for text in (key, self._defined))
            adapter = _Adapter(mark if marked else None, self._definitions)
            reachable = {name: self._definitions[name] for name in sorted(self._reach.names(schema))}
            compiled = self._compiled[key] = _Compiled(schema, reachable, self._costs, adapter)
            if len(self._compiled) > _KEPT:
                self._compiled.popitem(last=False)
        return compiled


class _Compiled:
    def __init__(self, schema: Schema, reachable: Mapping[str, Schema], costs: "_Costs", adapter: "_Adapter") -> None:
        self._schema = schema
        self._costs = costs
        self._cost_at: dict[int, int] = {}
        self._validator: jsonschema_rs.Draft202012Validator | None = None
        root = adapter.schema(schema)
        if isinstance(root, dict) and reachable:
            root = root | {"$defs": {name: adapter.schema(each) for name, each in reachable.items()}}
        # An engine that refuses the schema (too deep for it) leaves every value unchecked.
        with contextlib.suppress(ValueError, jsonschema_rs.ReferencingError):
            self._validator = jsonschema_rs.Draft202012Validator(root, validate_formats=True, pattern_options=LINEAR)

    def comparisons(self, instance: Json) -> int:
        depth = _depth(instance)
        if depth not in self._cost_at:
            self._cost_at[depth] = self._costs.of(self._schema, depth)
        return self._cost_at[depth]

    def is_valid(self, instance: Json) -> bool:
        try:
            return self._validator is None or self._validator.is_valid(instance)
        except ValueError:
            return False  # half of a surrogate pair

    def errors(self, instance: Json, limit: int) -> list[SchemaError]:
        if self._validator is None:
            return []
        try:
            return [
                SchemaError(below("", *error.instance_path), _cut(error.message))
                for error in islice(self._validator.iter_errors(instance), limit)
            ]
        except UnicodeEncodeError:
            return [SchemaError("", "holds half of a surrogate pair, which is no Unicode text")]
        except ValueError:
            return [SchemaError("", "does not fit the schema, and is nested too deeply to say where")]


def _cut(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"


def _depth(instance: Json) -> int:
    """Levels of containers, up to one more than matters."""
    level, depth = [instance], -1
    while level and depth <= _DEEPEST:
        depth += 1
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return depth


_SAME_VALUE_LISTS = ("allOf", "anyOf", "oneOf")
_SAME_VALUE = ("not", "if", "then", "else")
_INSIDE = ("items", "additionalProperties", "contains", "unevaluatedItems", "unevaluatedProperties", "propertyNames")
_INSIDE_MAPS = ("properties", "patternProperties")


def _same_value(node: Mapping[str, Any]) -> Iterator[Any]:
    """Subschemas that look at the value itself."""
    for key in _SAME_VALUE_LISTS:
        yield from node.get(key, ())
    for key in _SAME_VALUE:
        if key in node:
            yield node[key]
    yield from node.get("dependentSchemas", {}).values()


class _Costs:
    """How often one value is compared at most, a bound: alternatives and conjunctions multiply with each level of
    the value. Branching schemas make validators exponential, whatever the engine."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._levels: list[dict[str, int]] = []
        self._order: list[str] | None = None

    def of(self, schema: Schema, depth: int) -> int:
        """For values of `depth` levels; at most one more than `MOST_COMPARISONS`."""
        depth_that_counts = min(depth, _DEEPEST)
        while len(self._levels) <= depth_that_counts:
            self._add_level()
        cost = self._cost(schema, depth_that_counts)
        if depth > _DEEPEST and cost != self._cost(schema, _DEEPEST - 1):
            return MOST_COMPARISONS + 1  # recursive, and applied deeper than anything sensible
        return cost

    def _add_level(self) -> None:
        if self._order is None:
            self._order = self._dependencies_first()
        self._levels.append({})
        depth = len(self._levels) - 1
        for name in self._order:
            self._levels[depth][name] = self._cost(self._definitions[name], depth)

    def _cost(self, node: Any, depth: int) -> int:
        if not isinstance(node, dict):
            return 0
        total = 1
        if "$ref" in node:
            total += self._levels[depth].get(_name(node["$ref"]), 0)
        for each in _same_value(node):
            total += self._cost(each, depth)
        if depth:
            single = [*node.get("properties", {}).values(), *node.get("prefixItems", ())]
            total += max((self._cost(each, depth - 1) for each in single), default=0)
            for each in node.get("patternProperties", {}).values():
                total += self._cost(each, depth - 1)
            for key in _INSIDE:
                if key in node:
                    total += self._cost(node[key], depth - 1)
        return min(total, MOST_COMPARISONS + 1)

    def _dependencies_first(self) -> list[str]:
        """Definitions after those whose cost on the same value they include; iterative, for chains of references."""
        order: dict[str, None] = {}
        started: set[str] = set()
        for start in self._definitions:
            pending = [(start, False)]
            while pending:
                name, complete = pending.pop()
                if complete:
                    order[name] = None
                elif name not in started and name in self._definitions:
                    started.add(name)
                    pending.append((name, True))
                    pending.extend((each, False) for each in self._same_value_names(self._definitions[name]))
        return list(order)

    @staticmethod
    def _same_value_names(schema: Schema) -> Iterator[str]:
        pending: list[Any] = [schema]
        while pending:
            node = pending.pop()
            if isinstance(node, dict):
                if "$ref" in node:
                    yield _name(node["$ref"])
                pending.extend(_same_value(node))


def _name(ref: str) -> str:
    return ref.removeprefix("#/$defs/")


class _Adapter:
    """Schemas for the engine: without patterns that it must not run, and for one direction, in which properties with
    `mark` (`readOnly`, `writeOnly`) are not required.

    OpenAPI 3.0.4, 4.7.24.2: `required` takes effect on the response only for `readOnly`, on the request only for
    `writeOnly`.
    """

    def __init__(self, mark: str | None, definitions: Mapping[str, Schema]) -> None:
        self._mark = mark
        self._definitions = definitions

    def schema(self, node: Any, freed: frozenset[str] = frozenset()) -> Any:
        """`freed` are names that a surrounding `allOf` marks."""
        if not isinstance(node, dict):
            return node
        names = freed if self._mark is None else freed | self._marked_properties(node, self._mark)
        out = dict(node)
        if "pattern" in out and pattern_fault(out["pattern"]):
            del out["pattern"]
        if names and "required" in out:
            out["required"] = [name for name in out["required"] if name not in names]
        for key in _SAME_VALUE_LISTS:
            if key in out:
                out[key] = [self.schema(each, names) for each in out[key]]
        for key in (*_SAME_VALUE, *_INSIDE):
            if key in out:
                out[key] = self.schema(out[key])
        for key in (*_INSIDE_MAPS, "dependentSchemas"):
            if key in out:
                out[key] = {name: self.schema(each) for name, each in out[key].items()}
        if "patternProperties" in out:
            out["patternProperties"] = {
                name: each for name, each in out["patternProperties"].items() if not pattern_fault(name)
            }
        if "prefixItems" in out:
            out["prefixItems"] = [self.schema(each) for each in out["prefixItems"]]
        return out

    def _marked_properties(self, node: dict[str, Any], mark: str) -> frozenset[str]:
        """Names that the schema, or what it is composed of, marks."""
        found: set[str] = set()
        seen: set[str] = set()
        pending: list[Any] = [node]
        while pending and len(seen) < _LONGEST_CHAIN:
            each = pending.pop()
            if not isinstance(each, dict):
                continue
            found.update(name for name, value in each.get("properties", {}).items() if self._is_marked(value, mark))
            pending.extend(each.get("allOf", ()))
            name = _name(each.get("$ref", ""))
            if name not in seen:
                seen.add(name)
                pending.append(self._definitions.get(name))
        return frozenset(found)

    def _is_marked(self, node: Any, mark: str) -> bool:
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(node, dict) or mark in node or "$ref" not in node:
                break
            node = self._definitions.get(_name(node["$ref"]))
        return isinstance(node, dict) and node.get(mark) is True
