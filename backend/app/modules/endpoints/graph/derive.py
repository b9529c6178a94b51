"""The graph that follows from an inventory: what there is, and what belongs together. Pure.

Confidence is 1 for what the description says, and less for what is read off names; `producers` has that of links.

| relationship | from what | confidence |
|---|---|---|
| operation `part_of` resource | the segments of the path | that of the resource |
| resource `part_of` resource or service | likewise | that of the resource |
| operation `consumes`, `produces` schema | the body of the request, of the successful answers | 1, in an envelope 0.9 |
| operation `consumes` parameter | it is declared | 1 |
| parameter `part_of` resource | the thing that it names | that of the resource |
| operation `produces` parameter | a field of its answer serves as the parameter | that of the best link |
| operation `depends_on` operation | the same, for each pair | that of the best link |
| schema `same_as` schema | `n` >= 3 fields of equal name, type and `required` | 0.5 + 0.05 n, at most 0.95 |
| parameter `same_as` parameter | the same template | 0.95 |
| | the same field of the same kind of thing; below another path | 0.8; 0.6 |

A resource is as sure as its segment: with items below it (`/users/{id}`) 0.95, read by GET 0.7, else, which may as
well be an action, 0.4. Of things that are the same all refer to one, so that they cost no square of
rows. Parameters are entities where their name tells which thing they ask for (`user_id`, `id` below `/users`).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from backend.app.engine.generate.chain import collection_of, parameter_need, singular, words
from backend.app.engine.spec.model import ApiDescription, MediaType, Operation, ParameterLocation, Schema
from backend.app.modules.endpoints.discovery.captures.model import Flow
from backend.app.modules.endpoints.graph.producers import Link, Producers, kind_named, preferred, successes

MAX_EVIDENCE: Final = 3
"""Kept of one thing, the first."""
_PREFIXES: Final = re.compile(r"(?:api|rest|v\d+(?:[.-]?\w+)?)", re.IGNORECASE)
"""Segments that stand before the resources."""
_LEAST_FIELDS: Final = 3


class EntityType(StrEnum):
    SERVICE = "service"
    """The API as a whole."""
    RESOURCE = "resource"
    """A kind of thing, by its singular: `order item`."""
    SCHEMA = "schema"
    """A definition by its name, or a body that stands in place by its operation: `POST /users request`."""
    OPERATION = "operation"
    """`GET /users/{id}`."""
    PARAMETER = "parameter"
    """`path /users/{id}`, `query user_id`, `body user_id`."""


class RelationshipType(StrEnum):
    PRODUCES = "produces"
    CONSUMES = "consumes"
    DEPENDS_ON = "depends_on"
    """The source needs what the target gives."""
    PART_OF = "part_of"
    SAME_AS = "same_as"


Key: TypeAlias = tuple[EntityType, str]
"""Type and name: what an entity is known by."""
Evidence: TypeAlias = tuple[str, str]
"""How it was found, and where: a JSON pointer, `app/users.py:12`, a link, an exchange."""


@dataclass(slots=True)
class Entity:
    properties: dict[str, Any]
    confidence: float
    evidence: list[Evidence]


@dataclass(slots=True)
class Relationship:
    properties: dict[str, Any]
    confidence: float
    evidence: list[Evidence]


@dataclass(frozen=True, slots=True)
class Graph:
    entities: dict[Key, Entity] = field(default_factory=dict)
    relationships: dict[tuple[RelationshipType, Key, Key], Relationship] = field(default_factory=dict)

    def entity(
        self, kind: EntityType, name: str, confidence: float, evidence: Evidence, properties: dict[str, Any]
    ) -> Key:
        key = kind, name
        known = self.entities.get(key)
        if known is None:
            self.entities[key] = Entity(properties, confidence, [evidence])
        else:
            known.confidence = max(known.confidence, confidence)
            _remember(known.evidence, evidence)
        return key

    def relate(
        self, kind: RelationshipType, source: Key, target: Key, confidence: float, evidence: Evidence
    ) -> Relationship:
        key = kind, source, target
        known = self.relationships.get(key)
        if known is None:
            known = self.relationships[key] = Relationship({}, confidence, [evidence])
        else:
            known.confidence = max(known.confidence, confidence)
            _remember(known.evidence, evidence)
        return known


def derive(
    description: ApiDescription,
    flows: Iterable[Flow] = (),
    vouching: Mapping[str, Sequence[Evidence]] = MappingProxyType({}),
) -> Graph:
    """`flows` is what traffic showed of the operations; `vouching` is why they are there, by `Operation.key`, in place
    of their pointers."""
    graph = Graph()
    producers = Producers(description)
    resources = _Resources(graph, description)
    schemas = _Schemas(graph, producers, description.definitions)
    parameters = _Parameters(graph, resources)
    for operation in description.operations:
        place = operation.pointer or operation.key
        properties = {"method": operation.method, "path": operation.path}
        shown, *others = vouching.get(operation.key) or [("declared", place)]
        it = graph.entity(EntityType.OPERATION, operation.key, 1.0, shown, properties)
        for other in others:
            graph.entity(EntityType.OPERATION, operation.key, 1.0, other, properties)
        above, confidence = resources.of(operation.path)
        graph.relate(RelationshipType.PART_OF, it, above, confidence, ("path", operation.path))
        for media, suffix, where, relation in _bodies(operation):
            for schema, sure in schemas.of(media.schema, f"{operation.key} {suffix}", f"{place}{where}"):
                graph.relate(relation, it, schema, sure, ("declared", f"{place}{where}"))
        for want, _ in producers.wants(operation):
            parameter = parameters.of(operation, want.location, want.name, place)
            graph.relate(RelationshipType.CONSUMES, it, parameter, 1.0, ("declared", place))
    _link(graph, producers.links(flows), parameters)
    schemas.same()
    parameters.same()
    return graph


def _link(graph: Graph, links: Iterable[Link], parameters: "_Parameters") -> None:
    for link in links:
        producer, consumer = (EntityType.OPERATION, link.producer), (EntityType.OPERATION, link.consumer)
        evidence = link.rule, link.place
        needed = graph.relate(RelationshipType.DEPENDS_ON, consumer, producer, link.confidence, evidence)
        for other in link.others:
            _remember(needed.evidence, other)
        needed.properties.setdefault("bindings", []).append(
            {
                "field": link.field,
                "location": link.location,
                "parameter": link.parameter,
                "required": link.required,
                "confidence": link.confidence,
            }
        )
        parameter = parameters.known.get((link.consumer, link.location, link.parameter))
        if parameter is not None:
            given = graph.relate(RelationshipType.PRODUCES, producer, parameter, link.confidence, evidence)
            given.properties.setdefault("field", link.field)


def _bodies(operation: Operation) -> Iterator[tuple[MediaType, str, str, RelationshipType]]:
    if operation.body and (media := preferred(operation.body.content)):
        yield media, "request", "/requestBody", RelationshipType.CONSUMES
    for response in successes(operation):
        if media := preferred(response.content):
            yield media, response.status, f"/responses/{response.status}", RelationshipType.PRODUCES


class _Resources:
    def __init__(self, graph: Graph, description: ApiDescription) -> None:
        self._graph = graph
        title = description.title or "API"
        properties = {"version": description.version, "servers": list(description.servers)}
        self._service = graph.entity(EntityType.SERVICE, title, 1.0, ("declared", "#/info"), properties)
        with_items: set[str] = set()
        read: set[str] = set()
        for operation in description.operations:
            parts = operation.path.strip("/").split("/")
            for number, part in enumerate(parts[:-1]):
                if "{" in parts[number + 1] and "{" not in part:
                    with_items.add("/".join(parts[: number + 1]))
            if operation.method == "GET":
                read.add("/".join(parts))
            read.discard("")
        self._with_items, self._read = with_items, read
        self._known: dict[str, tuple[Key, float]] = {}

    def of(self, path: str) -> tuple[Key, float]:
        """The resource that a path ends in, and its confidence; else the service."""
        above: tuple[Key, float] = (self._service, 1.0)
        parts = path.strip("/").split("/")
        for number, part in enumerate(parts):
            if not part or "{" in part:
                continue
            prefix = "/".join(parts[: number + 1])
            has_items = prefix in self._with_items
            if has_items or (number == len(parts) - 1 and not _PREFIXES.fullmatch(part)):
                above = self._resource(prefix, part, above, has_items)
        return above

    def _resource(self, prefix: str, part: str, above: tuple[Key, float], has_items: bool) -> tuple[Key, float]:
        if prefix not in self._known:
            confidence = 0.95 if has_items else 0.7 if prefix in self._read else 0.4
            spoken = words(part)
            name = " ".join((*spoken[:-1], singular(spoken[-1]))) if spoken else part
            place = ("path", f"/{prefix}")
            key = self._graph.entity(EntityType.RESOURCE, name, confidence, place, {})
            if key != above[0]:
                self._graph.relate(RelationshipType.PART_OF, key, above[0], min(confidence, above[1]), place)
            self._known[prefix] = key, confidence
        return self._known[prefix]


class _Schemas:
    def __init__(self, graph: Graph, producers: Producers, definitions: Mapping[str, Schema]) -> None:
        self._graph = graph
        self._shapes = producers.shapes
        self._definitions = definitions
        self._used: dict[Key, Schema] = {}

    def of(self, schema: Schema, name: str, place: str) -> Iterator[tuple[Key, float]]:
        """What a body is, and what is in the list or the envelope that it may be; `name` is that of one in place."""
        outer = self._shapes.definition(schema)
        if outer:
            yield self._defined(outer), 1.0
        item = self._shapes.item(schema, "")
        if item and item.name and item.name != outer:
            yield self._defined(item.name), 0.9
        elif item and not item.name and not outer and item.fields:
            key = self._graph.entity(EntityType.SCHEMA, name, 1.0, ("declared", place), {"fields": sorted(item.fields)})
            self._used.setdefault(key, schema)
            yield key, 1.0

    def _defined(self, name: str) -> Key:
        key = EntityType.SCHEMA, name
        if key not in self._graph.entities:
            schema = self._definitions.get(name, True)
            fields = sorted(self._shapes.properties(schema))
            self._graph.entity(*key, 1.0, ("declared", f"#/$defs/{name}"), {"fields": fields})
            self._used[key] = schema
        return key

    def same(self) -> None:
        alike: defaultdict[frozenset[Any], list[Key]] = defaultdict(list)
        for key, schema in self._used.items():
            properties, required = self._shapes.properties(schema), self._shapes.required(schema)
            if len(properties) >= _LEAST_FIELDS:
                alike[
                    frozenset((it, self._shapes.form(below), it in required) for it, below in properties.items())
                ].append(key)
        for form, keys in alike.items():
            confidence = round(min(0.95, 0.5 + 0.05 * len(form)), 2)
            _join(self._graph, min(keys), dict.fromkeys(keys, confidence), "shape", f"{len(form)} fields")


class _Parameters:
    def __init__(self, graph: Graph, resources: _Resources) -> None:
        self._graph = graph
        self._resources = resources
        self.known: dict[tuple[str, str, str], Key] = {}
        """By operation, location and name."""
        self._meaning: defaultdict[tuple[str, str], dict[Key, str]] = defaultdict(dict)
        """Where each stands, by the kind of the thing and its field."""

    def of(self, operation: Operation, location: str, name: str, place: str) -> Key:
        known = self.known.get((operation.key, location, name))
        if known is None:
            is_path = location == ParameterLocation.PATH
            prefix = f"{operation.path.split(f'{{{name}}}')[0]}{{{name}}}" if is_path else ""
            properties = {"location": location, "name": name}
            spoken = f"{location} {prefix or name}"
            key = self._graph.entity(EntityType.PARAMETER, spoken, 1.0, ("declared", place), properties)
            known = self.known[(operation.key, location, name)] = key
            if is_path:
                above, confidence = self._resources.of(prefix)
                self._graph.relate(RelationshipType.PART_OF, key, above, confidence, ("path", prefix))
            need = parameter_need(operation, name, ParameterLocation.PATH if is_path else ParameterLocation.QUERY)
            if need is not None:
                self._meaning[(kind_named(need, name), need.field)].setdefault(key, collection_of(prefix))
        return known

    def same(self) -> None:
        for (kind, name), places in self._meaning.items():
            first = min(places, key=lambda key: (not places[key], len(places[key]), key))
            sure = {key: 0.8 if not place else 0.95 if place == places[first] else 0.6 for key, place in places.items()}
            _join(self._graph, first, sure, "name", f"{name} of {kind}")


def _join(graph: Graph, first: Key, keys: Mapping[Key, float], rule: str, place: str) -> None:
    for key, confidence in keys.items():
        if key != first:
            graph.relate(RelationshipType.SAME_AS, key, first, confidence, (rule, place))


def _remember(evidence: list[Evidence], found: Evidence) -> None:
    if len(evidence) < MAX_EVIDENCE and found not in evidence:
        evidence.append(found)
