"""What one operation answers feeds the parameters of the next: `POST /pets` -> `id` -> `GET /pets/{petId}`.

Names decide: `petId`, `pet_id`, and `id` below `/pets/` all ask for the `id` of a `pet`. OpenAPI links and `Location`
headers say it outright and come first. The bindings are facts about the target, so they are only known during the scan.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias, TypeGuard
from urllib.parse import unquote, urlsplit

from backend.app.engine.generate.case import WHOLE_BODY, Case, Expectation, body_part, parameter_part
from backend.app.engine.generate.requests import NO_BODY, Inputs
from backend.app.engine.generate.values import ValueGenerator
from backend.app.engine.http import Answer, Request
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import ApiDescription, Json, Operation, ParameterLocation

Scalar: TypeAlias = str | int

KEPT_PER_KIND = 8
ITEMS_PER_LIST = 4
LONGEST_ID = 200
ID_WORDS = frozenset(
    {"id", "ids", "uuid", "guid", "key", "slug", "code", "number", "name", "username", "handle", "ref"}
)
WRAPPERS = ("data", "items", "results", "result", "content", "value", "values", "records", "entries", "list", "payload")
READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LEAVING = frozenset({"logout", "signout", "logoff", "revoke", "shutdown", "deactivate", "terminate"})
"""Words of a path after which the credentials, or the target, may be of no more use."""

FALLBACKS = {
    "id": ("id", "uuid", "key", "slug", "name"),
    "uuid": ("uuid", "id"),
    "guid": ("guid", "id"),
    "key": ("key", "id"),
    "ref": ("ref", "id"),
}
"""Fields that may serve where another one is asked for."""
IDENTITIES = frozenset({"id", "uuid", "guid"})
"""What a thing is known by, under whichever name: a fallback for one of these is no guess."""

OWN_ACCOUNT = frozenset({"me", "self", "account", "profile", "current"})
"""Last segments of paths that stand for whoever asks."""

METHOD_ORDER = {"POST": 0, "PUT": 1, "GET": 2, "HEAD": 2, "OPTIONS": 2, "PATCH": 3}


@dataclass(frozen=True, slots=True)
class Need:
    """An input that wants the `field` of a thing of one of `kinds`, best match first. `collection` is where a path
    parameter says the thing lives (`/users/{}/posts`)."""

    kinds: tuple[str, ...]
    field: str
    collection: str = ""


@dataclass(slots=True, eq=False)
class Resource:
    """A thing that exists on the target, as far as its answers told."""

    kind: str
    collection: str
    fields: dict[str, Scalar]
    parents: Mapping[str, Json] = field(default_factory=dict)
    """Path parameters of the request that brought it, by name."""
    created: bool = False
    uses: int = 0
    """Requests that were given it, other than to delete it."""
    origin: tuple[Request, ...] = ()
    """The requests that brought it into being, in their order; empty when it was there before the scan."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A case's inputs with the ids that the target gave. `invented` when the request names a thing that nobody gave
    us, or only a guess was left; `resource` is the thing that the whole path names; `setup` are the requests that made
    what this one refers to."""

    inputs: Inputs
    invented: bool
    resource: Resource | None = None
    setup: tuple[Request, ...] = ()


@lru_cache(maxsize=65_536)
def words(name: str) -> tuple[str, ...]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(re.findall(r"[a-z0-9]+", spaced.lower()))


@lru_cache(maxsize=65_536)
def singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 2:
        return word[:-1]
    return word


def kind_of(name: str) -> str:
    """`OrderItems`, `order_items` and `order-item` are one kind."""
    parts = words(name)
    return "".join((*parts[:-1], singular(parts[-1]))) if parts else ""


def collection_of(path: str) -> str:
    """The path with its parameters blanked, without a slash at the end."""
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


def last_static(path: str) -> str:
    """The last segment that is no parameter."""
    return next((part for part in reversed(path.split("/")) if part and "{" not in part), "")


def path_parameters(path: str) -> list[str]:
    return re.findall(r"\{([^}]*)\}", path)


def parameter_need(operation: Operation, name: str, location: ParameterLocation) -> Need | None:
    parts = words(name)
    if not parts:
        return None
    by_name = "".join((*parts[:-1][:-1], singular(parts[-2]))) if len(parts) > 1 else ""
    if location is ParameterLocation.PATH:
        before = operation.path.split(f"{{{name}}}")[0].rstrip("/")
        segment = kind_of(last_static(before))
        if by_name and segment in ID_WORDS:
            # `/teams/name/{team_name}`: the segment says which field, not which thing.
            segment = ""
        kinds = tuple(dict.fromkeys(kind for kind in (by_name, segment) if kind))
        if not kinds:
            return None
        what = parts[-1] if parts[-1] in ID_WORDS else "".join(parts)
        if what in kinds or kind_of(name) in kinds:
            what = "id"
        return Need(kinds, what, collection_of(before))
    if len(parts) > 1 and parts[-1] in ("id", "uuid", "guid", "slug", "key"):
        return Need((by_name,), parts[-1])
    return None


class Chain:
    """Knows what operations need and produce, orders them, and remembers what the target has."""

    def __init__(self, description: ApiDescription, generator: ValueGenerator, validator: SchemaValidator) -> None:
        self._validator = validator
        self._operations = {operation.key: operation for operation in description.operations}
        self._by_id = {it.operation_id: it for it in description.operations if it.operation_id}
        self._needs: dict[str, dict[tuple[ParameterLocation, str], Need]] = {}
        self._body_needs: dict[str, dict[str, Need]] = {}
        self._resources: dict[str, deque[Resource]] = {}
        self._created: dict[int, Resource] = {}
        self._linked: dict[str, deque[Mapping[tuple[ParameterLocation, str], Json]]] = {}
        self._turn = 0
        self._deletable = 0
        for operation in description.operations:
            self._learn_needs(operation, generator)
        self._deleters = {
            collection_of(operation.path): operation
            for operation in description.operations
            if operation.method == "DELETE" and operation.path.rstrip("/").endswith("}")
        }
        self._item_paths = {
            collection_of(operation.path) for operation in description.operations if operation.path.endswith("}")
        }
        self._templates = [
            (_template_pattern(operation.path), operation)
            for operation in description.operations
            if operation.path.rstrip("/").endswith("}") and operation.method in ("GET", "DELETE")
        ]
        by_operation: list[Iterable[Need]] = [needs.values() for needs in self._needs.values()]
        by_operation += [needs.values() for needs in self._body_needs.values()]
        all_needs = [need for needs in by_operation for need in needs]
        self._wanted_fields = {need.field for need in all_needs}.union(*FALLBACKS.values())
        self._wanted_kinds = {kind for need in all_needs for kind in need.kinds}

    def _learn_needs(self, operation: Operation, generator: ValueGenerator) -> None:
        needs = self._needs[operation.key] = {}
        for parameter in operation.parameters:
            if parameter.location not in (ParameterLocation.PATH, ParameterLocation.QUERY):
                continue
            need = parameter_need(operation, parameter.name, parameter.location)
            if need is not None:
                needs[(parameter.location, parameter.name)] = need
        body_needs = self._body_needs[operation.key] = {}
        for media in operation.body.content if operation.body else ():
            for name in generator.plain(media.schema).get("properties", {}):
                need = parameter_need(operation, name, ParameterLocation.QUERY)
                if need is not None:
                    body_needs[name] = need

    def stages(self, operations: Iterable[Operation]) -> list[list[Operation]]:
        """Creators before readers before changes; what depends on an answer after what gives it. Operations of one
        stage do not need each other."""
        listed = list(operations)
        producers: dict[str, list[Operation]] = {}
        for operation in listed:
            if operation.method in ("POST", "PUT", "GET") and not operation.path.rstrip("/").endswith("}"):
                producers.setdefault(kind_of(last_static(operation.path)), []).append(operation)
        depths: dict[str, int] = {}

        def depth(operation: Operation, above: tuple[str, ...]) -> int:
            known = depths.get(operation.key)
            if known is not None:
                return known
            deepest = 0
            for need in self._required_needs(operation):
                for producer in (other for kind in need.kinds for other in producers.get(kind, ())):
                    if producer.key not in above and producer is not operation and len(above) < 16:
                        deepest = max(deepest, 1 + depth(producer, (*above, operation.key)))
            depths[operation.key] = deepest
            return deepest

        grouped: dict[tuple[int, int], list[Operation]] = {}
        for operation in listed:
            rank = depth(operation, ()), METHOD_ORDER.get(operation.method, 2)
            grouped.setdefault(rank, []).append(operation)
        return [grouped[rank] for rank in sorted(grouped)]

    def _required_needs(self, operation: Operation) -> Iterator[Need]:
        for parameter in operation.parameters:
            need = self._needs[operation.key].get((parameter.location, parameter.name))
            if need is not None and (parameter.required or parameter.location is ParameterLocation.PATH):
                yield need
        yield from self._body_needs[operation.key].values()

    def why_spared(self, operation: Operation) -> str:
        """Why a DELETE must not be sent, because it may hit what the scan did not create; empty when it may be."""
        if operation.method != "DELETE" or path_parameters(operation.path):
            return ""
        if f"{collection_of(operation.path)}/{{}}" in self._item_paths:
            return "it deletes a whole collection, and so things that the scan did not create"
        if kind_of(last_static(operation.path)) in OWN_ACCOUNT:
            return "it may delete the account that the scan uses"
        return ""

    def bind(self, case: Case) -> Bound:
        """The case's inputs with generated ids replaced by ones that exist, where some are known.

        A DELETE only ever gets the id of something that this scan created; without one the invented id stays.
        """
        operation = case.operation
        needs = self._needs[operation.key]
        names = path_parameters(operation.path)
        if not names and not needs and not self._body_needs[operation.key]:
            return Bound(case.inputs, False)
        values = dict(case.inputs.parameters)
        settled = {key for key in values if parameter_part(key) in case.fixed}
        given: set[str] = set()
        destructive = operation.method == "DELETE"
        resource: Resource | None = None
        target: Resource | None = None
        used: list[Resource] = []
        linked = self._linked.get(operation.key)
        if linked and not settled and not destructive:
            self._turn += 1
            for key, value in linked[self._turn % len(linked)].items():
                values[key] = value
                settled.add(key)
                given.add(key[1])
        for name in reversed(names):
            key = (ParameterLocation.PATH, name)
            need = needs.get(key)
            if key in settled or need is None:
                continue
            if resource is not None and name in resource.parents:
                values[key] = resource.parents[name]
                given.add(name)
                continue
            chosen = self._choose(operation, key, need, created_only=destructive and name == names[-1])
            if chosen is None:
                continue
            candidate, values[key] = chosen
            candidate.uses += not destructive
            used.append(candidate)
            if _names(candidate, need.field):
                given.add(name)
            resource = resource or candidate
            if operation.path.rstrip("/").endswith(f"{{{name}}}"):
                target = candidate
                if destructive and case.expectation in (Expectation.ACCEPTED, Expectation.UNAUTHENTICATED):
                    # Another request must not be given what this one is about to delete.
                    self._withdraw(candidate)
        invented = any(name not in given for name in names)
        for key, need in needs.items():
            if key[0] is ParameterLocation.QUERY and key in values and key not in settled:
                chosen = self._choose(operation, key, need, created_only=destructive and not names)
                if chosen is None:
                    invented = True
                else:
                    used.append(chosen[0])
                    values[key] = chosen[1]
        body, unknown = self._bound_body(case, used)
        setup = dict.fromkeys(request for thing in used for request in thing.origin)
        inputs = replace(case.inputs, parameters=values, body=body)
        return Bound(inputs, invented or unknown, target, tuple(setup))

    def _bound_body(self, case: Case, used: list[Resource]) -> tuple[Json, bool]:
        """The body, and whether an id in it is nobody's. Adds to `used` what it refers to."""
        needs = self._body_needs[case.operation.key]
        body = case.inputs.body
        if not needs or not isinstance(body, dict) or WHOLE_BODY in case.fixed or case.inputs.raw_body is not None:
            return body, False
        changed: dict[str, Json] = {}
        unknown = False
        for name, need in needs.items():
            if name not in body or body_part((name,)) in case.fixed:
                continue
            for resource in self._candidates(need, created_only=False):
                value = _field(resource, need.field)
                # The whole body is not validated again: the kind of value has to stay the same.
                if value is not None and type(value) is type(body[name]):
                    changed[name] = value
                    resource.uses += 1
                    used.append(resource)
                    break
            else:
                unknown = True
        return ({**body, **changed} if changed else body), unknown

    def _choose(
        self, operation: Operation, key: tuple[ParameterLocation, str], need: Need, *, created_only: bool
    ) -> tuple[Resource, Scalar] | None:
        schema = next(
            (item.schema for item in operation.parameters if (item.location, item.name) == key),
            True,
        )
        for resource in self._candidates(need, created_only):
            value = _field(resource, need.field)
            if value is not None and any(self._validator.is_valid(schema, form) for form in {value, str(value)}):
                return resource, value
        return None

    def _candidates(self, need: Need, created_only: bool) -> Iterator[Resource]:
        matching = [resource for kind in need.kinds for resource in reversed(self._resources.get(kind, ()))]
        if created_only:
            matching = [item for item in matching if item.created and item.collection == need.collection]
            # What other things hang on may not be deletable.
            return iter(sorted(matching, key=lambda item: item.uses))
        # Things of the same collection first, then what we made ourselves, then the youngest.
        return iter(sorted(matching, key=lambda item: (item.collection != need.collection, not item.created)))

    def observe(
        self,
        operation: Operation,
        inputs: Inputs,
        answer: Answer,
        document: Json,
        origin: tuple[Request, ...] = (),
    ) -> None:
        """Remembers what a 2xx answer shows. `document` is the parsed JSON body, None when there is none; `origin` the
        request with the setup before it."""
        parents = {key[1]: value for key, value in inputs.parameters.items() if key[0] is ParameterLocation.PATH}
        self._follow_links(operation, inputs, answer, document)
        collection = collection_of(operation.path)
        # A POST may as well be a search or an action: its answer alone does not make a thing ours to delete.
        creating = operation.method == "POST" and (answer.status == 201 or f"{collection}/{{}}" in self._item_paths)
        if operation.method == "PUT" and answer.status == 201:
            self._remember_path(operation, parents, origin)
        if creating and answer.status == 201 and (location := answer.header("Location")):
            self._remember_location(location, origin)
        if document is None:
            return
        kind = kind_of(last_static(operation.path))
        if operation.path.rstrip("/").endswith("}"):
            collection = collection.rpartition("/")[0]
        single, objects = _objects(document, kind)
        for item in objects:
            made = creating and single
            self._remember(kind, collection, item, parents, created=made, origin=origin if made else ())

    def _remember(
        self,
        kind: str,
        collection: str,
        item: Mapping[str, Json],
        parents: Mapping[str, Json],
        *,
        created: bool,
        origin: tuple[Request, ...],
    ) -> None:
        fields: dict[str, Scalar] = {}
        for name, value in item.items():
            parts = words(name)
            if not parts:
                continue
            if isinstance(value, dict):
                inner = kind_of(name)
                identity = value.get("id")
                if inner in self._wanted_kinds and _is_id(identity):
                    self._add(Resource(inner, "", {"id": identity}))
                continue
            if not _is_id(value):
                continue
            owner = kind_of(" ".join(parts[:-1]))
            foreign = len(parts) > 1 and parts[-1] in ID_WORDS and owner != kind
            if foreign and owner in self._wanted_kinds and parts[-1] in self._wanted_fields:
                self._add(Resource(owner, "", {parts[-1]: value}))
            what = parts[-1] if owner == kind and len(parts) > 1 else "".join(parts)
            if what in self._wanted_fields:
                fields.setdefault(what, value)
        if fields and (created or kind in self._wanted_kinds):
            self._add(Resource(kind, collection, fields, dict(parents), created, origin=origin))

    def _add(self, resource: Resource) -> None:
        known = self._resources.setdefault(resource.kind, deque())
        for other in known:
            same_place = other.collection == resource.collection and other.parents == resource.parents
            if same_place and _field(other, "id") == _field(resource, "id"):
                return
        alike = [other for other in known if other.created == resource.created]
        if resource.created:
            self._created[id(resource)] = resource
            self._deletable += self._is_deletable(resource)
            if len(alike) >= KEPT_PER_KIND:
                known.remove(alike[0])
        elif len(alike) >= KEPT_PER_KIND:
            return
        known.append(resource)

    def _remember_path(self, operation: Operation, parents: Mapping[str, Json], origin: tuple[Request, ...]) -> None:
        names = path_parameters(operation.path)
        if not names or not operation.path.rstrip("/").endswith("}"):
            return
        need = self._needs[operation.key].get((ParameterLocation.PATH, names[-1]))
        value = parents.get(names[-1])
        if need is None or not _is_id(value):
            return
        above = {name: parents[name] for name in names[:-1] if name in parents}
        self._add(Resource(need.kinds[-1], need.collection, {need.field: value}, above, created=True, origin=origin))

    def _remember_location(self, location: str, origin: tuple[Request, ...]) -> None:
        path = urlsplit(location).path.rstrip("/")
        for pattern, operation in self._templates:
            match = pattern.search(path)
            if match is not None:
                names = path_parameters(operation.path)
                values = {
                    name: _number_or_text(unquote(text)) for name, text in zip(names, match.groups(), strict=True)
                }
                self._remember_path(operation, values, origin)
                return

    def _follow_links(self, operation: Operation, inputs: Inputs, answer: Answer, document: Json) -> None:
        """OpenAPI links (3.1, 4.8.20): parameters of another operation taken from this exchange."""
        for response in operation.responses:
            if not response.links or not _covers(response.status, answer.status):
                continue
            for link in response.links.values():
                target = link_target(link, self._by_id, self._operations)
                if target is None:
                    continue
                values: dict[tuple[ParameterLocation, str], Json] = {}
                for key, expression in link_parameters(link, target):
                    values[key] = evaluate(expression, inputs, answer, document)
                if values and all(_is_id(value) for value in values.values()):
                    self._linked.setdefault(target.key, deque(maxlen=KEPT_PER_KIND)).append(values)

    def forget(self, resource: Resource) -> None:
        """The target has deleted it."""
        if self._created.pop(id(resource), None) is not None:
            self._deletable -= self._is_deletable(resource)
        self._withdraw(resource)

    def _is_deletable(self, resource: Resource) -> bool:
        return f"{resource.collection}/{{}}" in self._deleters

    def _withdraw(self, resource: Resource) -> None:
        known = self._resources.get(resource.kind)
        if known is not None and resource in known:
            known.remove(resource)

    def leftovers(self) -> Iterator[tuple[Operation, dict[tuple[ParameterLocation, str], Json], Resource]]:
        """What the scan created and can delete, the youngest first: the operation and its path parameters."""
        for resource in reversed(list(self._created.values())):
            operation = self._deleters.get(f"{resource.collection}/{{}}")
            if operation is None:
                continue
            names = path_parameters(operation.path)
            need = self._needs[operation.key].get((ParameterLocation.PATH, names[-1]))
            value = _field(resource, need.field) if need else None
            if value is None or any(name not in resource.parents for name in names[:-1]):
                continue
            values = {(ParameterLocation.PATH, name): resource.parents[name] for name in names[:-1]}
            yield operation, {**values, (ParameterLocation.PATH, names[-1]): value}, resource

    def creator_of(self, operation: Operation) -> Operation | None:
        """The POST that brings into being what a DELETE takes away."""
        collection = collection_of(operation.path).removesuffix("/{}")
        return next(
            (
                other
                for other in self._operations.values()
                if other.method == "POST" and collection_of(other.path) == collection
            ),
            None,
        )

    def may_create(self, operation: Operation) -> bool:
        """Whether it may bring something into being that there is an operation to delete."""
        path = collection_of(operation.path)
        return (operation.method == "POST" and f"{path}/{{}}" in self._deleters) or (
            operation.method == "PUT" and path in self._deleters
        )

    def count_created(self) -> int:
        return len(self._created)

    def count_leftovers(self) -> int:
        """How many of them there is an operation to delete."""
        return self._deletable


def _field(resource: Resource, name: str) -> Scalar | None:
    for candidate in FALLBACKS.get(name, (name,)):
        if candidate in resource.fields:
            return resource.fields[candidate]
    return None


def _names(resource: Resource, name: str) -> bool:
    """Whether the value that serves for the field is more than a guess."""
    return name in resource.fields or name in IDENTITIES


def is_leaving(operation: Operation) -> bool:
    """Whether it may end the session or the target (`POST /logout`)."""
    if operation.method in READ_METHODS:
        return False
    named = words(operation.path), words(operation.operation_id or "")
    said = {word for parts in named for word in (*parts, *map("".join, pairwise(parts)))}
    return not LEAVING.isdisjoint(said)


def link_target(
    link: Mapping[str, Json], by_id: Mapping[str, Operation], by_key: Mapping[str, Operation]
) -> Operation | None:
    """The operation that an OpenAPI link leads to, among those of this document."""
    if (name := link.get("operationId")) is not None:
        return by_id.get(str(name))
    pointer, _, method = str(link.get("operationRef", "")).partition("#/paths/")[2].rpartition("/")
    return by_key.get(f"{method.upper()} {pointer.replace('~1', '/').replace('~0', '~')}")


def link_parameters(
    link: Mapping[str, Json], target: Operation
) -> Iterator[tuple[tuple[ParameterLocation, str], Json]]:
    """The parameters of `target` that a link gives, each with its runtime expression or constant."""
    for name, expression in (link.get("parameters") or {}).items():
        place, dot, bare = str(name).partition(".")
        for parameter in target.parameters:
            if parameter.name == name or (dot and (place, bare) == (parameter.location, parameter.name)):
                yield (parameter.location, parameter.name), expression


def evaluate(expression: Json, inputs: Inputs, answer: Answer, document: Json) -> Json:
    """A runtime expression (OpenAPI 3.1, 4.8.20.4); anything else is a constant. None when it leads nowhere."""
    if not isinstance(expression, str) or not expression.startswith("$"):
        return expression
    source, _, pointer = expression.partition("#")
    if source == "$response.body":
        return _resolve(document, pointer)
    if source == "$request.body":
        return None if inputs.body is NO_BODY else _resolve(inputs.body, pointer)
    where, _, name = source.partition("$")[2].partition(".")
    place, _, name = name.partition(".")
    if where == "response" and place == "header":
        return answer.header(name)
    if where == "request":
        return next((value for key, value in inputs.parameters.items() if key == (place, name)), None)
    return None


def _resolve(document: Json, pointer: str) -> Json:
    """JSON Pointer (RFC 6901)."""
    for token in pointer.split("/")[1:] if pointer else ():
        step = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document


def _is_id(value: Json) -> TypeGuard[Scalar]:
    if isinstance(value, str):
        return 0 < len(value) <= LONGEST_ID
    return isinstance(value, int) and not isinstance(value, bool)


def _number_or_text(text: str) -> Scalar:
    return int(text) if text.isdecimal() and len(text) < 19 else text


def _objects(document: Json, kind: str) -> tuple[bool, list[Mapping[str, Json]]]:
    """The things in an answer, and whether it is about a single one."""
    if isinstance(document, list):
        return False, [item for item in document[:ITEMS_PER_LIST] if isinstance(item, dict)]
    if not isinstance(document, dict):
        return False, []
    for name, value in document.items():
        if name.lower() in WRAPPERS or kind_of(name) == kind:
            if isinstance(value, list) and value and isinstance(value[0], dict):
                return False, [item for item in value[:ITEMS_PER_LIST] if isinstance(item, dict)]
            if isinstance(value, dict):
                return _objects(value, kind) if "id" not in value else (True, [value])
    return True, [document]


def _covers(documented: str, status: int) -> bool:
    return documented in (str(status), f"{status // 100}XX", "default")


def _template_pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]*\}", path.rstrip("/"))
    return re.compile("([^/]+)".join(re.escape(part) for part in parts) + "$")
