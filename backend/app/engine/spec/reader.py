"""What the dialects have in common: paths, operations, parameters merged from the path, security, templates."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, TypeAlias

from backend.app.engine.spec.document import Document, below, scheme_of
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
)
from backend.app.engine.spec.schemas import SchemaTranslator

Security: TypeAlias = tuple[tuple[str, ...], ...]
METHODS = ("get", "head", "options", "post", "put", "patch", "delete", "trace")
MAX_EXAMPLES = 20

_TEMPLATE_NAME = re.compile(r"\{([^{}]*)\}")
_STATUS = re.compile(r"[1-5](?:[0-9]{2}|[xX]{2})|default")


class Reader(ABC):
    dialect: ClassVar[str]
    schemas_home: ClassVar[tuple[str, ...]]
    """Where the shared schemas stand."""
    modern_schemas: ClassVar[bool] = False

    def __init__(self, document: Document) -> None:
        self.document = document
        self.root = document.root
        self.schemas = SchemaTranslator(document, below("", *self.schemas_home), modern=self.modern_schemas)
        self._schemes: dict[str, SecurityScheme] = {}
        self._default_security: Security = ()
        self._operation_ids: dict[str, str] = {}

    # What a dialect says in its own way

    @abstractmethod
    def servers(self) -> tuple[str, ...]: ...

    @abstractmethod
    def server_of(self, node: dict[str, Json], pointer: str) -> str | None:
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

    # What they have in common

    def describe(self) -> ApiDescription:
        document = self.document
        self._define_shared_schemas()
        document.web_link(self.root, "")
        for tag, at in document.items(self.root, "tags", ""):
            if isinstance(tag, dict):
                document.web_link(tag, at)
        info = document.mapping(self.root, "info", "")
        servers = self.servers() or ("/",)
        self._schemes = self.security_schemes()
        self._default_security = self._security(self.root, "") or ()
        operations = tuple(self._operations())
        self._report_ambiguity(operations)
        self.schemas.finish()
        return ApiDescription(
            title=document.text(info, "title", "/info"),
            version=document.text(info, "version", "/info"),
            dialect=self.dialect,
            servers=servers,
            operations=operations,
            definitions=self.schemas.definitions,
            security_schemes=self._schemes,
            faults=document.faults(),
        )

    def _define_shared_schemas(self) -> None:
        node, pointer = self.root, ""
        *parents, last = self.schemas_home
        for name in parents:
            node, pointer = self.document.mapping(node, name, pointer), below(pointer, name)
        for name, schema in self.document.mapping(node, last, pointer).items():
            self.schemas.define(schema, below(pointer, last, name))

    def _operations(self) -> Iterator[Operation]:
        document = self.document
        if self.root.get("paths") is None and not self.modern_schemas:
            document.fault("", "there are no paths")
        count = 0
        for path, node, pointer in document.entries(self.root, "paths", ""):
            found = self._path_item(node, pointer)
            if found is None:
                continue
            item, at = found
            for method in METHODS:
                if method not in item:
                    continue
                count += 1
                if count > document.limits.operations:
                    raise SpecError(
                        "spec.too_many_operations", f"more than {document.limits.operations} operations", pointer
                    )
                document.spend(1)
                if not isinstance(item[method], dict):
                    document.fault(below(at, method), "an object is expected here")
                    continue
                template = path
                if not path.startswith("/"):
                    document.fault(pointer, "a path begins with /")
                    template = f"/{path}"
                yield self._operation(method, template, item, at)

    def _path_item(self, node: Json, pointer: str) -> tuple[dict[str, Json], str] | None:
        found = self.document.resolved(node, pointer)
        if found is None:
            return None
        target, at = found
        if target is not node and isinstance(node, dict) and len(node) > 1:
            return target | {key: value for key, value in node.items() if key != "$ref"}, pointer
        return target, at

    def _operation(self, method: str, path: str, item: dict[str, Json], item_at: str) -> Operation:
        document = self.document
        place = below(item_at, method)
        # Operation Objects may not be references, yet documents in the field have them. One that cannot be followed
        # still says that the operation exists.
        unresolved = document.unresolved
        node, pointer = document.resolved(item[method], place) or ({}, place)
        document.web_link(node, pointer)
        operation_id = document.text(node, "operationId", pointer) or None
        if operation_id and self._operation_ids.setdefault(operation_id, pointer) != pointer:
            document.fault(below(pointer, "operationId"), f"the operationId {operation_id!r} is used twice")
        security = self._security(node, pointer)
        shared = self.parameter_nodes(item, item_at)
        parameters = self._parameters(shared, self.parameter_nodes(node, pointer))
        legible = document.unresolved == unresolved
        return Operation(
            method=method.upper(),
            path=path,
            operation_id=operation_id,
            summary=document.text(node, "summary", pointer) or document.text(node, "description", pointer),
            tags=document.strings(node, "tags", pointer),
            deprecated=document.flag(node, "deprecated", pointer),
            parameters=tuple(self._fitting(path, parameters, pointer, legible=legible)),
            body=self.body(node, pointer, shared),
            responses=tuple(self._responses(node, pointer)),
            security=self._default_security if security is None else security,
            pointer=pointer,
            server=self.server_of(node, pointer) or self.server_of(item, item_at),
        )

    def parameter_nodes(self, node: dict[str, Json], pointer: str) -> list[tuple[dict[str, Json], str]]:
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

    def _security(self, node: dict[str, Json], pointer: str) -> Security | None:
        """`None` when nothing is said."""
        if "security" not in node:
            return None
        alternatives = []
        for requirement, at in self.document.items(node, "security", pointer):
            if not isinstance(requirement, dict):
                self.document.fault(at, "an object is expected here")
                continue
            for name in requirement:
                if name not in self._schemes:
                    self.document.fault(at, f"the security scheme {name[:80]!r} is not declared")
            alternatives.append(tuple(requirement))
        return tuple(dict.fromkeys(alternatives))

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
        if "example" in node and document.finite(node["example"], below(pointer, "example")):
            found.append(node["example"])
        examples = node.get("examples")
        if isinstance(examples, list):
            found.extend(value for value, at in document.items(node, "examples", pointer) if document.finite(value, at))
        else:
            for _, raw, at in document.entries(node, "examples", pointer):
                if len(found) >= MAX_EXAMPLES:
                    break
                example = document.resolve(raw, at)
                if example is None or not isinstance(example[0], dict) or "value" not in example[0]:
                    continue
                value = example[0]["value"]
                if document.finite(value, at):
                    found.append(value)
        return tuple(found[:MAX_EXAMPLES])

    def location(self, node: dict[str, Json], pointer: str) -> tuple[str, ParameterLocation] | None:
        """The name and place of a parameter."""
        name, place = node.get("name"), node.get("in")
        if not isinstance(name, str) or not name:
            self.document.fault(pointer, "a parameter without a name")
            return None
        if not isinstance(place, str) or place not in tuple(ParameterLocation):
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
