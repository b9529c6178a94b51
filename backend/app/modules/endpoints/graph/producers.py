"""Which operation gives what another one asks for: `POST /users` -> `/id` -> `id` of `GET /users/{id}`.

Needs are read off names as a scan reads them (`engine.generate.chain`); this is the same inference without a target.
RESTler (Atlidakis et al., ICSE 2019) and RestTestGen (Viglianisi et al., ICST 2020) match names of parameters with
names of fields; here a field only counts on an operation that makes or lists the kind of thing that is asked for.

The confidence of a link is that of the way in which the producer was found, times how well the field fits:

| producer | base |
|---|---|
| an OpenAPI link names it | 1.0, and nothing is multiplied |
| POST on the collection that the parameter stands below | 0.95 |
| GET on this collection | 0.85 |
| PUT on the item, where no operation makes or lists items: the client chose the value | 0.7 |
| POST, GET on another collection with the same last segment | 0.7, 0.6 |
| POST, GET with the schema that an item of this kind is read as | 0.65, 0.55 |

| field | factor |
|---|---|
| the one that is asked for, of a type that fits | 1.0 |
| another identity of the thing (`uuid` for `id`) | 0.9 |
| another key of the thing (`name` for `id`; `username`, `login`) | 0.8; 0.75 |
| either of them with the kind in its name (`tag_name` for a tag) | 0.05 more |
| an identity of an object below it (`owner/login` for `owner`) | 0.8 |
| sent and not answered: the client chose the value | 0.75 |
| unknown, because no schema is documented | 0.75 |
| an integer where text is asked for | 0.7 |

A query or body parameter names its kind alone, without a place: 0.9; where it is optional: 0.9 more. Traffic with `n`
values counts n / (n + 1), a value that `k` answers held being 1 / k; two reasons for one link are joined as independent
ones: 1 - (1 - a)(1 - b).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, TypeAlias

from backend.app.engine.generate.chain import (
    FALLBACKS,
    ID_WORDS,
    IDENTITIES,
    METHOD_ORDER,
    WRAPPERS,
    Need,
    collection_of,
    kind_of,
    last_static,
    link_parameters,
    link_target,
    parameter_need,
    path_parameters,
    words,
)
from backend.app.engine.generate.requests import is_json
from backend.app.engine.generate.values import ValueGenerator
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    ParameterLocation,
    ResponseSpec,
    Schema,
)
from backend.app.engine.spec.reach import PREFIX
from backend.app.modules.endpoints.discovery.captures.model import BODY, Flow

PRODUCERS_PER_PARAMETER: Final = 4
LEAST: Final = 0.4
"""Links of less confidence are left out."""
_CANDIDATES: Final = 24
"""Producers of a kind that are looked at, the likeliest first."""
_DEPTH: Final = 4
"""Lists and envelopes that are looked through."""
_KEYS: Final = ID_WORDS | {"login"}
_OPTIONAL: Final = 0.9
_BY_NAME: Final = 0.9

Types: TypeAlias = tuple[str, ...]
"""JSON types; empty: any."""


@dataclass(frozen=True, slots=True)
class Link:
    """`field` is a JSON pointer into the producer's answer, a runtime expression of an OpenAPI link, or empty where the
    value is one that the client chose in the request that made the thing."""

    producer: str
    field: str
    consumer: str
    location: str
    parameter: str
    required: bool
    confidence: float
    rule: str
    """How it was found: `link`, `collection`, `item`, `name`, `schema` or `traffic`."""
    place: str
    others: tuple[tuple[str, str], ...] = ()
    """Rule and place of what confirms it."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a body is about, without lists and envelopes around it."""

    name: str
    """Of its definition; empty for one that stands in place."""
    pointer: str
    """To the first of them."""
    fields: Mapping[str, Types]
    """Scalars by JSON pointer from the item, those of objects in it too."""
    is_list: bool = False


class Shapes:
    """Reads schemas of one description, each definition once."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._schemas = ValueGenerator(definitions, SchemaValidator(definitions))
        self._items: dict[tuple[str, str], Item | None] = {}
        self._fields: dict[str, Mapping[str, Types]] = {}

    def types(self, schema: Schema) -> Types:
        return self._schemas.types(self._schemas.plain(schema))

    def properties(self, schema: Schema) -> Mapping[str, Schema]:
        found = self._schemas.plain(schema).get("properties")
        return found if isinstance(found, Mapping) else {}

    def required(self, schema: Schema) -> frozenset[str]:
        found = self._schemas.plain(schema).get("required")
        return frozenset(name for name in found if isinstance(name, str)) if isinstance(found, list) else frozenset()

    def definition(self, schema: Schema) -> str:
        """Which definition a schema is, through an `allOf` of one; empty for a schema that stands in place."""
        while not isinstance(schema, bool):
            if isinstance(target := schema.get("$ref"), str):
                return target.removeprefix(PREFIX)
            parts = schema.get("allOf")
            if not isinstance(parts, list) or len(parts) != 1:
                return ""
            (schema,) = parts
        return ""

    def form(self, schema: Schema, depth: int = _DEPTH) -> str:
        """What two schemas of equal shape have in common: the definition, or the types."""
        if name := self.definition(schema):
            return name
        plain = self._schemas.plain(schema)
        below = f" of {self.form(plain['items'], depth - 1)}" if "items" in plain and depth else ""
        return "|".join(self.types(plain)) + below

    def item(self, schema: Schema, kind: str) -> Item | None:
        """The things of `kind` in an answer; None where its schema does not tell."""
        reference = self.definition(schema)
        if not reference:
            return self._item(schema, kind, "", False, _DEPTH)
        known = self._items.get((reference, kind))
        if known is None and (reference, kind) not in self._items:
            known = self._items[(reference, kind)] = self._item(schema, kind, "", False, _DEPTH)
        return known

    def _item(self, schema: Schema, kind: str, pointer: str, is_list: bool, depth: int) -> Item | None:
        flat = self._schemas.plain(schema)
        if "items" in flat and depth:
            return self._item(flat["items"], kind, f"{pointer}/0", True, depth - 1)
        properties = self.properties(schema)
        if "id" not in properties and depth:
            for name, inner in properties.items():
                is_envelope = name.lower() in WRAPPERS or kind_of(name) == kind
                if is_envelope and {"object", "array"} & set(self.types(inner)):
                    return self._item(inner, kind, f"{pointer}/{_escaped(name)}", is_list, depth - 1)
        if not properties:
            return None
        name = self.definition(schema)
        if name not in self._fields or not name:
            self._fields[name] = dict(self._scalars(properties))
        return Item(name, pointer, self._fields[name], is_list)

    def _scalars(self, properties: Mapping[str, Schema]) -> Iterator[tuple[str, Types]]:
        for name, schema in properties.items():
            types = self.types(schema)
            if not {"object", "array"} & set(types):
                yield _escaped(name), types
            elif "object" in types:
                for inner, below in self.properties(schema).items():
                    if inner.lower() in _KEYS and not {"object", "array"} & set(self.types(below)):
                        yield f"{_escaped(name)}/{_escaped(inner)}", self.types(below)


@dataclass(frozen=True, slots=True)
class _Want:
    """A parameter that asks for something; operations that ask alike share it."""

    need: Need
    name: str
    types: Types
    location: str


@dataclass(frozen=True, slots=True)
class _Producer:
    operation: Operation
    item: Item | None
    sent: Mapping[str, Types]
    """Scalars of the request's body."""
    needs: frozenset[str]
    """Kinds that it asks for itself."""


class Producers:
    """Knows what each operation gives; `links` says who needs it."""

    def __init__(self, description: ApiDescription) -> None:
        self._description = description
        self.shapes = Shapes(description.definitions)
        self._by_key = {operation.key: operation for operation in description.operations}
        self._collections: defaultdict[str, list[_Producer]] = defaultdict(list)
        self._kinds: defaultdict[str, list[_Producer]] = defaultdict(list)
        self._returning: defaultdict[str, list[_Producer]] = defaultdict(list)
        self._putters: dict[str, Operation] = {}
        self._read_as: defaultdict[str, set[str]] = defaultdict(set)
        self._found: dict[_Want, Sequence[tuple[str, str, float, str]]] = {}
        self._bodies: dict[int, tuple[Schema, Sequence[_Want]]] = {}
        for operation in description.operations:
            self._learn(operation)
        for known in (self._kinds, self._returning):
            for name, producers in known.items():
                known[name] = sorted(producers, key=_likeliest)[:_CANDIDATES]

    def _learn(self, operation: Operation) -> None:
        path, is_item = operation.path.rstrip("/"), operation.path.rstrip("/").endswith("}")
        kind = kind_of(last_static(path))
        if is_item and operation.method == "PUT":
            self._putters.setdefault(collection_of(path), operation)
        if operation.method not in ("GET", "POST", "PUT"):
            return
        answer = answer_of(operation)
        item = self.shapes.item(answer.schema, kind) if answer else None
        if is_item:
            if operation.method == "GET" and item and item.name and not item.is_list:
                self._read_as[kind].add(item.name)
            return
        if operation.method == "PUT":
            return
        sent = self._sent(operation) if operation.method == "POST" else {}
        producer = _Producer(operation, item, sent, frozenset(_own_kinds(operation)))
        self._collections[collection_of(path)].append(producer)
        self._kinds[kind].append(producer)
        if item and item.name:
            self._returning[item.name].append(producer)

    def _sent(self, operation: Operation) -> Mapping[str, Types]:
        media = preferred(operation.body.content) if operation.body else None
        item = self.shapes.item(media.schema, kind_of(last_static(operation.path))) if media else None
        return item.fields if item else {}

    def links(self, flows: Iterable[Flow] = ()) -> list[Link]:
        """One for each producer, field, consumer and parameter; the order is that of the description."""
        found: dict[tuple[str, str, str, str, str], Link] = {}
        for link in self._links(flows):
            key = (link.producer, link.field, link.consumer, link.location, link.parameter)
            other = found.get(key)
            if other is None:
                found[key] = link
                continue
            first, second = (other, link) if other.confidence >= link.confidence else (link, other)
            joined = round(1 - (1 - first.confidence) * (1 - second.confidence), 3)
            others = (*first.others, (second.rule, second.place), *second.others)
            found[key] = replace(first, confidence=joined, others=others)
        return [link for link in found.values() if link.confidence >= LEAST]

    def _links(self, flows: Iterable[Flow]) -> Iterator[Link]:
        stated: set[tuple[str, str, str]] = set()
        for link in self._stated():
            stated.add((link.producer, link.consumer, link.parameter))
            yield link
        for operation in self._description.operations:
            for want, required in self.wants(operation):
                factor = 1 if required else _OPTIONAL
                for producer, field, confidence, rule in self._producers(want):
                    known = producer == operation.key or (producer, operation.key, want.name) in stated
                    if known or confidence * factor < LEAST:
                        continue
                    yield Link(
                        producer,
                        field,
                        operation.key,
                        want.location,
                        want.name,
                        required,
                        round(confidence * factor, 3),
                        rule,
                        self._by_key[producer].pointer or producer,
                    )
        for flow in flows:
            if flow.producer in self._by_key and flow.consumer in self._by_key and flow.times > 0:
                seen = flow.times * flow.share
                sure = round(seen / (seen + 1), 3)
                required = flow.location == ParameterLocation.PATH
                ends = (flow.producer, flow.field, flow.consumer, flow.location, flow.parameter)
                yield Link(*ends, required, sure, "traffic", flow.place)

    def _stated(self) -> Iterator[Link]:
        """OpenAPI links (3.1, 4.8.20)."""
        by_id = {it.operation_id: it for it in self._description.operations if it.operation_id}
        for operation in self._description.operations:
            for response in operation.responses:
                for name, link in response.links.items():
                    target = link_target(link, by_id, self._by_key)
                    if target is None:
                        continue
                    place = f"{operation.pointer}/responses/{response.status}/links/{_escaped(name)}"
                    for (location, parameter), expression in link_parameters(link, target):
                        if isinstance(expression, str) and expression.startswith("$"):
                            field = expression.removeprefix("$response.body#")
                            yield Link(operation.key, field, target.key, location, parameter, True, 1.0, "link", place)

    def wants(self, operation: Operation) -> Iterator[tuple[_Want, bool]]:
        """What an operation asks for that names a thing, and whether it must be given."""
        for parameter in operation.parameters:
            if parameter.location not in (ParameterLocation.PATH, ParameterLocation.QUERY):
                continue
            need = parameter_need(operation, parameter.name, parameter.location)
            if need is not None:
                is_path = parameter.location is ParameterLocation.PATH
                want = _Want(need, parameter.name, self.shapes.types(parameter.schema), parameter.location)
                yield want, is_path or parameter.required
        media = preferred(operation.body.content) if operation.body else None
        if media is None or operation.body is None:
            return
        required = self.shapes.required(media.schema) if operation.body.required else frozenset()
        for want in self._of_body(operation, media.schema):
            yield want, want.name in required

    def _of_body(self, operation: Operation, schema: Schema) -> Sequence[_Want]:
        """By the names of members alone, so that bodies of one schema ask for the same."""
        known = self._bodies.get(id(schema))
        if known is None:
            wants = []
            for name, member in self.shapes.properties(schema).items():
                need = parameter_need(operation, name, ParameterLocation.QUERY)
                if need is not None and not {"object", "array"} & set(types := self.shapes.types(member)):
                    wants.append(_Want(need, name, types, BODY))
            known = self._bodies[id(schema)] = schema, wants
        return known[1]

    def _producers(self, want: _Want) -> Sequence[tuple[str, str, float, str]]:
        if want not in self._found:
            best: dict[str, tuple[str, str, float, str]] = {}
            for producer, field, confidence, rule in self._candidates(want):
                if confidence >= LEAST and (producer not in best or best[producer][2] < confidence):
                    best[producer] = (producer, field, confidence, rule)
            order = sorted(best.values(), key=lambda it: (-it[2], it[0].count("{"), it[0].partition(" ")[2], it[0]))
            self._found[want] = order[:PRODUCERS_PER_PARAMETER]
        return self._found[want]

    def _candidates(self, want: _Want) -> Iterator[tuple[str, str, float, str]]:
        need = want.need
        if not need.collection:
            for kind in need.kinds:
                yield from self._elsewhere(want, kind, _BY_NAME)
            return
        by_name, segment = kind_named(need, want.name), need.kinds[-1]
        is_foreign = by_name != segment and bool(self._kinds.get(by_name))
        here: list[tuple[str, str, float, str]] = []
        for producer in self._collections[need.collection] if not is_foreign else ():
            base = 0.95 if producer.operation.method == "POST" else 0.85
            here += self._fitting(want, producer, base, "collection", segment)
        if here:
            yield from here
            return
        putter = self._putters.get(f"{need.collection}/{{}}")
        if putter and not self._collections[need.collection]:
            yield putter.key, "", 0.7, "item"
        yield from self._elsewhere(want, by_name, 1.0)

    def _elsewhere(self, want: _Want, kind: str, factor: float) -> Iterator[tuple[str, str, float, str]]:
        for producer in self._kinds.get(kind, ()):
            if kind not in producer.needs:
                base = 0.7 if producer.operation.method == "POST" else 0.6
                yield from self._fitting(want, producer, base * factor, "name", kind)
        for name in sorted(self._read_as.get(kind, ())):
            for producer in self._returning[name]:
                if kind not in producer.needs:
                    base = 0.65 if producer.operation.method == "POST" else 0.55
                    yield from self._fitting(want, producer, base * factor, "schema", kind)

    def _fitting(
        self, want: _Want, producer: _Producer, base: float, rule: str, kind: str
    ) -> Iterator[tuple[str, str, float, str]]:
        key, item = producer.operation.key, producer.item
        if item is None:
            if rule == "collection":
                yield key, "", base * 0.75, rule
            return
        field, factor = _field_for(want, item.fields, kind)
        if field:
            yield key, f"{item.pointer}/{field}", base * factor, rule
        elif producer.sent and _field_for(want, producer.sent, kind)[0]:
            yield key, "", base * 0.75, rule


def kind_named(need: Need, name: str) -> str:
    """The kind of thing that a parameter asks for: `tax_rate` below `/tax_rates` for one of these, and not a `tax`."""
    whole = kind_of(name)
    return whole if whole in need.kinds else need.kinds[0]


def answer_of(operation: Operation) -> MediaType | None:
    """The body of the first success that has one."""
    for response in successes(operation):
        if media := preferred(response.content):
            return media
    return None


def successes(operation: Operation) -> Sequence[ResponseSpec]:
    """The documented 2xx; where there is none, `default` stands for them."""
    found = [response for response in operation.responses if response.status.startswith("2")]
    return found or [response for response in operation.responses if response.status == "default"]


def preferred(content: Sequence[MediaType]) -> MediaType | None:
    """The JSON one, else the first."""
    return next((media for media in content if is_json(media.content_type)), content[0] if content else None)


def _own_kinds(operation: Operation) -> Iterator[str]:
    for name in path_parameters(operation.path):
        need = parameter_need(operation, name, ParameterLocation.PATH)
        yield from need.kinds if need else ()


def _likeliest(producer: _Producer) -> tuple[int, int, int, str]:
    """Few parameters, short paths, creators first."""
    operation = producer.operation
    return operation.path.count("{"), operation.path.count("/"), METHOD_ORDER[operation.method], operation.path


def _field_for(want: _Want, fields: Mapping[str, Types], kind: str) -> tuple[str, float]:
    """The field that serves best, and its factor; an empty one when none does."""
    best, most = "", (0.0, False)
    asked = "".join(words(want.name))
    for field, types in fields.items():
        fits = _fits(types, want.types)
        if fits > 0:
            # Where both are there, `key_id` of a deploy key is not its `id`.
            factor = fits * _nearness(field, want.name, want.need.field, kind), "".join(words(field)) == asked
            if factor > most:
                best, most = field, factor
    return (best, most[0]) if most[0] else ("", 0.0)


def _fits(given: Types, asked: Types) -> float:
    if not given or not asked or set(given) & set(asked) - {"null"} or {"integer", "number"} >= {*given, *asked}:
        return 1.0
    return 0.7 if "string" in asked and "integer" in given else 0.0


@lru_cache(maxsize=65_536)
def _nearness(field: str, parameter: str, wanted: str, kind: str) -> float:
    outer, _, inner = field.partition("/")
    if inner:
        return 0.8 if "".join(words(outer)) == wanted else 0.0
    parts = words(outer)
    if not parts:
        return 0.0
    joined = "".join(parts)
    if joined == wanted or (len(parts) > 1 and joined == "".join(words(parameter))):
        return 1.0
    own = 0.0
    if len(parts) > 1:
        if kind_of(" ".join(parts[:-1])) != kind:
            return 0.0
        # `user_id` of a user is its `id`.
        joined = parts[-1]
        if joined == wanted:
            return 1.0
        own = 0.05
    if joined in FALLBACKS.get(wanted, ()):
        return own + (0.9 if joined in IDENTITIES else 0.8)
    return own + 0.75 if wanted in IDENTITIES and joined in _KEYS else 0.0


def _escaped(name: str) -> str:
    return re.sub("[~/]", lambda found: {"~": "~0", "/": "~1"}[found[0]], name)
