"""What the dialects have in common: paths, operations, parameters merged from the path, security, templates."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from backend.app.engine.spec.document import Document, scheme_of
from backend.app.engine.spec.model import (
    ApiDescription,
    Json,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    SecurityScheme,
    SpecError,
    Tag,
    below,
)
from backend.app.engine.spec.schemas import SchemaTranslator

Security: TypeAlias = tuple[tuple[str, ...], ...]
MAX_EXAMPLES = 20

_TEMPLATE_NAME = re.compile(r"\{([^{}]*)\}")
_STATUS = re.compile(r"[1-5](?:[0-9]{2}|[xX]{2})|default")


@dataclass(frozen=True, slots=True)
class PathItem:
    """What stands at one path. What is said beside a `$ref` stands in another place than what the `$ref` names."""

    members: Mapping[str, Json]
    pointer: str
    beside: frozenset[str] = frozenset()
    beside_pointer: str = ""

    def pointer_of(self, member: str) -> str:
        """Of what holds the member."""
        return self.beside_pointer if member in self.beside else self.pointer


class Reader(ABC):
    dialect: ClassVar[str]
    methods: ClassVar[tuple[str, ...]] = ("get", "head", "options", "post", "put", "patch", "delete", "trace")
    locations: ClassVar[tuple[str, ...]] = ("path", "query", "header", "cookie")
    """Of parameters."""
    schemas_home: ClassVar[tuple[str, ...]]
    """Where the shared schemas stand."""
    modern_schemas: ClassVar[bool] = False

    def __init__(self, document: Document) -> None:
        self.document = document
        self.root = document.root
        self.schemas = SchemaTranslator(document, below("", *self.schemas_home), modern=self.modern_schemas)
        self.declared: dict[str, SecurityScheme] = {}
        """The security schemes."""
        self._default_security: Security = ()
        self._default_scopes: dict[str, tuple[str, ...]] = {}
        self._operation_ids: dict[str, str] = {}
        self.callers: list[tuple[dict[str, Json], str]] = []
        """Operations that have callbacks, and their pointers."""
        self._count = 0

    # What a dialect says in its own way

    @abstractmethod
    def servers(self) -> tuple[str, ...]: ...

    def server_names(self) -> dict[str, str]:
        return {}

    @abstractmethod
    def server_of(self, node: Mapping[str, Json], pointer: str) -> str | None:
        """The server declared on a path item or an operation."""

    @abstractmethod
    def security_schemes(self) -> dict[str, SecurityScheme]: ...

    @abstractmethod
    def parameter(self, node: dict[str, Json], pointer: str) -> Parameter | None:
        """`None` for what is no parameter of the request line or headers, and for a broken one."""

    @abstractmethod
    def body(
        self, operation: dict[str, Json], pointer: str, shared: list[tuple[dict[str, Json], str]]
    ) -> RequestBody | None:
        """`shared` are the parameters of the path item."""

    @abstractmethod
    def response(
        self, status: str, node: dict[str, Json], pointer: str, operation: dict[str, Json]
    ) -> ResponseSpec: ...

    def webhooks(self) -> Iterator[Operation]:
        return iter(())

    def callbacks(self) -> Iterator[Operation]:
        return iter(())

    def link(self, operations: tuple[Operation, ...]) -> None:
        """Completes the links between operations."""
        return

    # What they have in common

    def describe(self) -> ApiDescription:
        document = self.document
        self._define_shared_schemas()
        document.web_link(self.root, "")
        tags = self._tags()
        info = document.mapping(self.root, "info", "")
        servers = self.servers() or ("/",)
        self.declared = self.security_schemes()
        self._default_security, self._default_scopes = self._security(self.root, "") or ((), {})
        if self.root.get("paths") is None and not self.modern_schemas:
            document.fault("", "there are no paths")
        operations = tuple(self._operations(document.entries(self.root, "paths", "")))
        self._report_ambiguity(operations)
        webhooks, callbacks = tuple(self.webhooks()), tuple(self.callbacks())
        self.link(operations)
        self.schemas.finish()
        return ApiDescription(
            title=document.text(info, "title", "/info"),
            version=document.text(info, "version", "/info"),
            dialect=self.dialect,
            servers=servers,
            operations=operations,
            definitions=self.schemas.definitions,
            security_schemes=self.declared,
            faults=document.faults(),
            server_names=self.server_names(),
            tags=tags,
            webhooks=webhooks,
            callbacks=callbacks,
        )

    def _tags(self) -> tuple[Tag, ...]:
        document = self.document
        tags: dict[str, Tag] = {}
        for raw, at in document.items(self.root, "tags", ""):
            found = document.resolved(raw, at) if isinstance(raw, dict) else None
            if found is None:
                continue
            node, at = found
            document.web_link(node, at)
            name = document.text(node, "name", at)
            tag = Tag(name, *(document.text(node, key, at) for key in ("summary", "parent", "kind")))
            if name and tags.setdefault(name, tag) is not tag:
                document.fault(at, f"the tag {name!r} is declared twice")
        for tag in tags.values():
            line = [tag.name]
            while (parent := tags[line[-1]].parent) in tags and parent not in line:
                line.append(parent)
            if parent and parent not in tags:
                document.fault("/tags", f"the tag {line[-1]!r} stands under {parent!r}, which is not declared")
            elif parent == tag.name:
                document.fault("/tags", f"the tag {tag.name!r} stands under itself")
        return tuple(tags.values())

    def _define_shared_schemas(self) -> None:
        node, pointer = self.root, ""
        *parents, last = self.schemas_home
        for name in parents:
            found = self.document.resolved(self.document.mapping(node, name, pointer), below(pointer, name))
            if found is None:
                return
            node, pointer = found
        for _, schema, at in self.document.entries(node, last, pointer, extensions=True):
            self.schemas.define(schema, at)

    def _operations(self, items: Iterable[tuple[str, Json, str]]) -> Iterator[Operation]:
        """Of path items with their paths and pointers."""
        for path, node, pointer in items:
            for method, item, operation in self.methods_of(node, pointer):
                template = path
                if not path.startswith("/"):
                    self.document.fault(pointer, "a path begins with /")
                    template = f"/{path}"
                yield self.operation(method, template, item, *operation)

    def methods_of(self, node: Json, pointer: str) -> Iterator[tuple[str, PathItem, tuple[Json, str]]]:
        """The methods of a path item as they are sent, with the operation and its pointer."""
        item = self._path_item(node, pointer)
        if item is None:
            return
        for method, operation, at in self.members_of(item):
            self._count += 1
            if self._count > self.document.limits.operations:
                raise SpecError(
                    "spec.too_many_operations", f"more than {self.document.limits.operations} operations", pointer
                )
            self.document.spend(1)
            if isinstance(operation, dict):
                yield method, item, (operation, at)
            else:
                self.document.fault(at, "an object is expected here")

    def members_of(self, item: PathItem) -> Iterator[tuple[str, Json, str]]:
        """Method, operation and pointer."""
        for name in self.methods:
            if name in item.members:
                yield name.upper(), item.members[name], below(item.pointer_of(name), name)

    def _path_item(self, node: Json, pointer: str) -> PathItem | None:
        """Where the `$ref` cannot be followed, what stands beside it is left."""
        found = self.document.resolved(node, pointer)
        beside = {key: value for key, value in node.items() if key != "$ref"} if isinstance(node, dict) else {}
        if found is None:
            return PathItem(beside, pointer) if beside else None
        target, at = found
        if target is node or not beside:
            return PathItem(target, at)
        return PathItem(target | beside, at, frozenset(beside), pointer)

    def operation(
        self, method: str, path: str, item: PathItem, raw: Json, place: str, *, sent: bool = False
    ) -> Operation:
        """`sent`: the API sends it, and the path is no template."""
        document = self.document
        # Operation Objects may not be references, yet documents in the field have them. One that cannot be followed
        # still says that the operation exists.
        unresolved = document.unresolved
        node, pointer = document.resolved(raw, place) or ({}, place)
        document.web_link(node, pointer)
        operation_id = document.text(node, "operationId", pointer) or None
        if operation_id and self._operation_ids.setdefault(operation_id, pointer) != pointer:
            document.fault(below(pointer, "operationId"), f"the operationId {operation_id!r} is used twice")
        if "callbacks" in node and not sent:
            self.callers.append((node, pointer))
        security, scopes = self._security(node, pointer) or (self._default_security, self._default_scopes)
        shared = self.parameter_nodes(item.members, item.pointer_of("parameters"))
        merged = self._parameters(shared, self.parameter_nodes(node, pointer))
        legible = document.unresolved == unresolved and not document.outlined
        parameters = merged.values() if sent else self._fitting(path, merged, pointer, legible=legible)
        return Operation(
            method=method,
            path=path,
            operation_id=operation_id,
            summary=document.text(node, "summary", pointer)
            or document.text(node, "description", pointer)
            or document.text(item.members, "summary", item.pointer_of("summary")),
            tags=document.strings(node, "tags", pointer),
            deprecated=document.flag(node, "deprecated", pointer),
            parameters=tuple(parameters),
            body=self.body(node, pointer, shared),
            responses=tuple(self._responses(node, pointer)),
            security=security,
            pointer=pointer,
            server=self.server_of(node, pointer) or self.server_of(item.members, item.pointer_of("servers")),
            scopes=scopes,
        )

    def parameter_nodes(self, node: Mapping[str, Json], pointer: str) -> list[tuple[dict[str, Json], str]]:
        """The parameters of a path item or an operation that can be followed, each with its pointer."""
        document = self.document
        return [
            found for raw, at in document.items(node, "parameters", pointer) if (found := document.resolved(raw, at))
        ]

    def _parameters(
        self, shared: list[tuple[dict[str, Json], str]], own: list[tuple[dict[str, Json], str]]
    ) -> dict[tuple[ParameterLocation, str], Parameter]:
        """Those of the operation replace those of its path item that have the same place and name."""
        document = self.document
        merged: dict[tuple[ParameterLocation, str], Parameter] = {}
        for group in (shared, own):
            seen: set[tuple[ParameterLocation, str]] = set()
            for node, at in group:
                parameter = document.shared("parameter", self.parameter, node, at)
                if parameter is None:
                    continue
                key = parameter.location, parameter.name
                if key in seen:
                    document.fault(at, f"the {parameter.location} parameter {parameter.name!r} is declared twice")
                    continue
                seen.add(key)
                merged[key] = parameter
        return merged

    def _fitting(
        self, path: str, parameters: dict[tuple[ParameterLocation, str], Parameter], pointer: str, *, legible: bool
    ) -> Iterator[Parameter]:
        """Exactly the path parameters that the template names, and all others. Where something is not `legible`, what
        no parameter declares may be declared there."""
        names = _TEMPLATE_NAME.findall(path)
        if len(set(names)) != len(names):
            self.document.fault(pointer, f"a name stands twice in the template {path[:200]!r}")
        queries = [name for location, name in parameters if location is ParameterLocation.QUERYSTRING]
        if len(queries) > 1 or (queries and any(location is ParameterLocation.QUERY for location, _ in parameters)):
            self.document.fault(pointer, "a querystring excludes other parameters of the query")
        for (location, name), parameter in parameters.items():
            if location is ParameterLocation.PATH and name not in names:
                self.document.fault(pointer, f"the path parameter {name!r} is not in the template {path[:200]!r}")
            else:
                yield parameter
        for name in dict.fromkeys(names):
            if (ParameterLocation.PATH, name) not in parameters:
                if legible:
                    self.document.fault(
                        pointer, f"the template names {name!r}, which no parameter declares; taken as text"
                    )
                yield Parameter(name, ParameterLocation.PATH, required=True, schema={"type": "string"}, style="simple")

    def _responses(self, operation: dict[str, Json], pointer: str) -> Iterator[ResponseSpec]:
        document = self.document
        for status, raw, at in document.entries(operation, "responses", pointer):
            if not _STATUS.fullmatch(status):
                document.fault(at, f"{status[:80]!r} is no status code")
                continue
            found = document.resolved(raw, at)
            if found is not None:
                label = status if status == "default" else status.upper()
                node, where = found
                yield self.response(label, node, where, operation)

    def _security(self, node: dict[str, Json], pointer: str) -> tuple[Security, dict[str, tuple[str, ...]]] | None:
        """The alternatives and the scopes of each scheme; `None` when nothing is said."""
        if "security" not in node:
            return None
        document = self.document
        alternatives = []
        scopes: dict[str, tuple[str, ...]] = {}
        for requirement, at in document.items(node, "security", pointer):
            if not isinstance(requirement, dict):
                document.fault(at, "an object is expected here")
                continue
            for name in requirement:
                if name not in self.declared and not self.scheme_at(name, at):
                    document.fault(at, f"the security scheme {name[:80]!r} is not declared")
                if wanted := document.strings(requirement, name, at):
                    scopes[name] = tuple(dict.fromkeys((*scopes.get(name, ()), *wanted)))
            alternatives.append(tuple(requirement))
        return tuple(dict.fromkeys(alternatives)), scopes

    def scheme_at(self, name: str, pointer: str) -> bool:
        """Whether a name that is not declared is the URI of a security scheme, which is then."""
        return False

    def _report_ambiguity(self, operations: tuple[Operation, ...]) -> None:
        shapes: dict[str, str] = {}
        for operation in operations:
            shape = _TEMPLATE_NAME.sub("{}", operation.path)
            first = shapes.setdefault(shape, operation.path)
            if first != operation.path:
                self.document.fault(
                    below("/paths", operation.path), f"the template matches the same paths as {first[:200]!r}"
                )

    # Helpers of the dialects

    def media_type(self, content_type: str, node: dict[str, Json], pointer: str) -> MediaType:
        schema = self.schemas.translate(node["schema"], below(pointer, "schema")) if "schema" in node else True
        return MediaType(content_type, schema, self.examples(node, pointer))

    def examples(self, node: dict[str, Json], pointer: str) -> tuple[Json, ...]:
        """The values under `example` and `examples` (an object of Example Objects, or a plain list)."""
        document = self.document
        found: list[Json] = []
        for key in ("example", "x-example"):
            if key in node and document.finite(node[key], below(pointer, key)):
                found.append(node[key])
        examples = node.get("examples")
        if isinstance(examples, list):
            found.extend(value for value, at in document.items(node, "examples", pointer) if document.finite(value, at))
        else:
            for _, raw, at in document.entries(node, "examples", pointer):
                if len(found) >= MAX_EXAMPLES:
                    break
                example = document.resolve(raw, at)
                if example is None or not isinstance(example[0], dict):
                    continue
                # `dataValue` since 3.2, where `value` is as it is sent.
                for key in ("dataValue", "value"):
                    if key in example[0] and document.finite(example[0][key], at):
                        found.append(example[0][key])
                        break
        return tuple(found[:MAX_EXAMPLES])

    def location(self, node: dict[str, Json], pointer: str) -> tuple[str, ParameterLocation] | None:
        """The name and place of a parameter."""
        name, place = node.get("name"), node.get("in")
        if not isinstance(name, str) or not name:
            self.document.fault(pointer, "a parameter without a name")
            return None
        if not isinstance(place, str) or place not in self.locations:
            self.document.fault(below(pointer, "in"), f"{str(place)[:80]!r} is no place of a parameter")
            return None
        return name, ParameterLocation(place)

    def required(self, node: dict[str, Json], location: ParameterLocation, pointer: str) -> bool:
        required = self.document.flag(node, "required", pointer)
        if location is ParameterLocation.PATH and not required:
            self.document.fault(pointer, "a path parameter is always required")
        return required or location is ParameterLocation.PATH

    def server(self, url: str, pointer: str) -> str | None:
        """The URL, if a request could be sent to it."""
        if scheme_of(url) not in ("", "http", "https") or re.search(r"[\x00-\x20{}\\]", url):
            self.document.fault(pointer, f"{url[:200]!r} is no HTTP server")
            return None
        return url
