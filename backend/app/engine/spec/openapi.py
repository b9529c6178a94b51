"""OpenAPI 3.0 (3.0.4), 3.1 (3.1.1) and 3.2 (3.2.0). A later 3.x is read as 3.2."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice, product
from typing import ClassVar

from backend.app.engine.spec.document import Document
from backend.app.engine.spec.model import (
    Json,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    SecurityKind,
    SecurityScheme,
    below,
)
from backend.app.engine.spec.reader import PathItem, Reader

_STYLES = {
    ParameterLocation.PATH: ("simple", "label", "matrix"),
    ParameterLocation.QUERY: ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    ParameterLocation.HEADER: ("simple",),
    ParameterLocation.COOKIE: ("form", "cookie"),
}
_NOT_PARAMETERS = frozenset({"accept", "content-type", "authorization"})
"""Header parameters of these names are to be ignored (3.1.1, 4.8.12.1)."""
_FLOWS = ("authorizationCode", "clientCredentials", "deviceAuthorization", "implicit", "password")
_FLOW_URLS = ("authorizationUrl", "deviceAuthorizationUrl", "tokenUrl", "refreshUrl")
_SEQUENTIAL = re.compile(
    r"application/(jsonl|x-jsonlines|x-ndjson|jsonlines|.*json-seq)|text/event-stream|multipart/.*"
)
"""Media types that are a sequence of items and nothing else (3.2.0, "Sequential Media Types")."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.6.2."""
MAX_SERVER_VARIANTS = 20


def _expanded(url: str, defaults: dict[str, str]) -> str:
    return re.sub(r"\{([^{}]*)\}", lambda match: defaults.get(match[1], match[0]), url)


class OpenApi30Reader(Reader):
    dialect: ClassVar[str] = "openapi-3.0"
    schemas_home: ClassVar[tuple[str, ...]] = ("components", "schemas")

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._links: list[tuple[dict[str, Json], str]] = []
        """With their pointers."""

    def servers(self) -> tuple[str, ...]:
        declared = list(self._servers(self.root, ""))
        variants = [variant for _, _, others in declared for variant in others]
        return tuple(dict.fromkeys([*(url for url, _, _ in declared), *variants]))

    def server_names(self) -> dict[str, str]:
        return {name: url for url, name, _ in self._servers(self.root, "") if name}

    def server_of(self, node: Mapping[str, Json], pointer: str) -> str | None:
        return next((url for url, _, _ in self._servers(node, pointer)), None)

    def _servers(self, node: Mapping[str, Json], pointer: str) -> Iterator[tuple[str, str, list[str]]]:
        """URL, name, and the URLs that other values of the variables make."""
        document = self.document
        for raw, at in document.items(node, "servers", pointer):
            server, at = document.resolve(raw, at) or ({}, at)
            if not isinstance(server, dict) or not isinstance(url := server.get("url"), str):
                document.fault(at, "a server without a URL")
                continue
            values: dict[str, tuple[str, ...]] = {}
            for name, variable, where in document.entries(server, "variables", at):
                values[name] = self._values(variable, where)
                if f"{{{name}}}" not in url:
                    values[name] = values[name][:1]
            usable = self.server(_expanded(url, {name: each[0] for name, each in values.items() if each}), at)
            if usable is None:
                continue
            variants = islice(product(*filter(None, values.values())), 1, MAX_SERVER_VARIANTS)
            names = [name for name, each in values.items() if each]
            others = (_expanded(url, dict(zip(names, chosen, strict=True))) for chosen in variants)
            yield usable, document.text(server, "name", at), [each for each in others if self.server(each, at)]

    def _values(self, variable: Json, pointer: str) -> tuple[str, ...]:
        """What a server variable may be, its default first."""
        document = self.document
        if not isinstance(variable, dict):
            document.fault(pointer, "an object is expected here")
            return ()
        listed = document.strings(variable, "enum", pointer)
        if "default" not in variable:
            document.fault(pointer, "a server variable without a default")
            return listed
        default = document.text(variable, "default", pointer, longest=2_000)
        if listed and default not in listed:
            document.fault(below(pointer, "default"), f"{default[:80]!r} is not one of the values that are listed")
        return tuple(dict.fromkeys((default, *listed)))

    def security_schemes(self) -> dict[str, SecurityScheme]:
        document = self.document
        components = document.mapping(self.root, "components", "")
        schemes = {}
        for name, raw, at in document.entries(components, "securitySchemes", "/components"):
            found = document.resolved(raw, at)
            if found is not None:
                schemes[name] = self._security_scheme(name, *found)
        return schemes

    def _security_scheme(self, name: str, node: dict[str, Json], pointer: str) -> SecurityScheme:
        kind = self.document.text(node, "type", pointer)
        if kind == "http":
            scheme = self.document.text(node, "scheme", pointer).lower()
            known = {"basic": SecurityKind.BASIC, "bearer": SecurityKind.BEARER}
            return SecurityScheme(name, known.get(scheme, SecurityKind.OTHER), scheme=scheme)
        if kind == "apiKey":
            place = self.location(node, pointer)
            if place is not None:
                return SecurityScheme(name, SecurityKind.API_KEY, location=place[1], parameter=place[0])
        elif kind == "oauth2":
            url = self.document.text(node, "oauth2MetadataUrl", pointer, longest=2_000)
            return SecurityScheme(name, SecurityKind.OAUTH2, flows=dict(self._flows(node, pointer)), url=url)
        elif kind == "openIdConnect":
            url = self.document.text(node, "openIdConnectUrl", pointer, longest=2_000)
            return SecurityScheme(name, SecurityKind.OPENID_CONNECT, url=url)
        elif kind == "mutualTLS":
            return SecurityScheme(name, SecurityKind.MUTUAL_TLS)
        else:
            self.document.fault(below(pointer, "type"), f"{kind[:80]!r} is no kind of security scheme")
        return SecurityScheme(name, SecurityKind.OTHER)

    def _flows(self, node: dict[str, Json], pointer: str) -> Iterator[tuple[str, dict[str, Json]]]:
        document = self.document
        for name, raw, at in document.entries(node, "flows", pointer):
            found = document.resolved(raw, at)
            if found is None:
                continue
            if name not in _FLOWS:
                document.fault(at, f"{name[:80]!r} is no flow of OAuth 2")
                continue
            flow, at = found
            urls = {key: document.text(flow, key, at, longest=2_000) for key in _FLOW_URLS if key in flow}
            yield name, urls | {"scopes": [scope for scope, _, _ in document.entries(flow, "scopes", at)]}

    def parameter(self, node: dict[str, Json], pointer: str) -> Parameter | None:
        document = self.document
        place = self.location(node, pointer)
        if place is None:
            return None
        name, location = place
        if location is ParameterLocation.HEADER and name.lower() in _NOT_PARAMETERS:
            return None
        if location is ParameterLocation.QUERYSTRING:
            return self._querystring(name, node, pointer)
        styles = _STYLES[location]
        style = document.text(node, "style", pointer) or styles[0]
        if style not in styles:
            document.fault(below(pointer, "style"), f"the style {style!r} does not exist in a {location}")
            style = styles[0]
        explode = document.flag(node, "explode", pointer) if "explode" in node else style in ("form", "cookie")
        content = next(self._content(node, pointer), None)
        if content is None and "schema" not in node:
            document.fault(pointer, f"the parameter {name[:80]!r} has no schema")
        schema = True if content is None else content.schema
        if "schema" in node:
            schema = self.schemas.translate(node["schema"], below(pointer, "schema"))
        if self.document.flag(node, "deprecated", pointer) and schema is not False:
            schema = {**({} if schema is True else schema), "deprecated": True}
        return Parameter(
            name=name,
            location=location,
            required=self.required(node, location, pointer),
            schema=schema,
            style=style,
            explode=explode,
            content_type=content.content_type if content is not None and "schema" not in node else None,
            examples=self.examples(node, pointer) + (content.examples if content is not None else ()),
        )

    def _querystring(self, name: str, node: dict[str, Json], pointer: str) -> Parameter | None:
        content = next(self._content(node, pointer), None)
        if content is None:
            self.document.fault(pointer, "a querystring without content")
            return None
        return Parameter(
            name=name,
            location=ParameterLocation.QUERYSTRING,
            required=self.document.flag(node, "required", pointer),
            schema=content.schema,
            content_type=content.content_type,
            examples=self.examples(node, pointer) + content.examples,
        )

    def _content(self, node: dict[str, Json], pointer: str) -> Iterator[MediaType]:
        for content_type, raw, at in self.document.entries(node, "content", pointer):
            found = self.document.resolved(raw, at)
            if found is not None:
                yield self.media_type(content_type.strip(), *found)

    def body(
        self, operation: dict[str, Json], pointer: str, shared: list[tuple[dict[str, Json], str]]
    ) -> RequestBody | None:
        if operation.get("requestBody") is None:
            return None
        found = self.document.resolved(operation["requestBody"], below(pointer, "requestBody"))
        if found is None:
            return None
        node, at = found
        return self.document.shared("body", self._body, node, at)

    def _body(self, node: dict[str, Json], pointer: str) -> RequestBody:
        if "content" not in node:
            self.document.fault(pointer, "a request body without content")
        return RequestBody(self.document.flag(node, "required", pointer), tuple(self._content(node, pointer)))

    def response(self, status: str, node: dict[str, Json], pointer: str, operation: dict[str, Json]) -> ResponseSpec:
        # The same response may stand under several status codes.
        return replace(self.document.shared("response", self._response, node, pointer), status=status)

    def _response(self, node: dict[str, Json], pointer: str) -> ResponseSpec:
        document = self.document
        required_headers = []
        for name, raw, at in document.entries(node, "headers", pointer):
            header = document.resolved(raw, at)
            if (
                header is not None
                and document.flag(header[0], "required", header[1])
                and name.lower() != "content-type"
            ):
                required_headers.append(name)
        links: dict[str, dict[str, Json]] = {}
        for name, raw, at in document.entries(node, "links", pointer):
            link = document.resolved(raw, at)
            if link is not None and document.finite(link[0], at):
                links[name] = {key: value for key, value in link[0].items() if key not in ("description", "server")}
                self._links.append((links[name], link[1]))
        return ResponseSpec("", tuple(self._content(node, pointer)), tuple(required_headers), links)

    def webhooks(self) -> Iterator[Operation]:
        # Before 3.1 they are an extension that several tools know.
        key = "webhooks" if "webhooks" in self.root else "x-webhooks"
        yield from self._sent(self.document.entries(self.root, key, ""))

    def callbacks(self) -> Iterator[Operation]:
        document = self.document
        seen: set[str] = set()
        for caller, pointer in self.callers:
            for _, raw, at in document.entries(caller, "callbacks", pointer):
                found = document.resolved(raw, at)
                if found is not None and found[1] not in seen:
                    seen.add(found[1])
                    members, at = found
                    items = [(name, node, below(at, name)) for name, node in members.items()]
                    yield from self._sent(item for item in items if not item[0].startswith("x-"))

    def _sent(self, items: Iterable[tuple[str, Json, str]]) -> Iterator[Operation]:
        for name, node, pointer in items:
            for method, item, operation in self.methods_of(node, pointer):
                yield self.operation(method, name, item, *operation, sent=True)

    def link(self, operations: tuple[Operation, ...]) -> None:
        by_pointer = {operation.pointer: operation for operation in reversed(operations)}
        for link, pointer in self._links:
            reference = link.get("operationRef")
            if isinstance(reference, str):
                found = self.document.references.find(reference, pointer)
                target = None if isinstance(found, str) else by_pointer.get(found[1])
                if target is not None:
                    link["operationRef"] = "#" + below("/paths", target.path, target.method.lower())


class OpenApi31Reader(OpenApi30Reader):
    dialect: ClassVar[str] = "openapi-3.1"
    modern_schemas: ClassVar[bool] = True


class OpenApi32Reader(OpenApi31Reader):
    dialect: ClassVar[str] = "openapi-3.2"
    methods: ClassVar[tuple[str, ...]] = (*OpenApi31Reader.methods, "query")
    locations: ClassVar[tuple[str, ...]] = tuple(ParameterLocation)

    def members_of(self, item: PathItem) -> Iterator[tuple[str, Json, str]]:
        yield from super().members_of(item)
        pointer = item.pointer_of("additionalOperations")
        for method, operation, at in self.document.entries(item.members, "additionalOperations", pointer):
            if not _TOKEN.fullmatch(method):
                self.document.fault(at, f"{method[:80]!r} is no method of HTTP")
            elif method.lower() in self.methods and method.isupper():
                self.document.fault(at, f"{method} has a member of its own in a path item")
                if method.lower() not in item.members:
                    yield method, operation, at
            else:
                yield method, operation, at

    def media_type(self, content_type: str, node: dict[str, Json], pointer: str) -> MediaType:
        media = super().media_type(content_type, node, pointer)
        if "itemSchema" not in node:
            return media
        at = below(pointer, "itemSchema")
        if not _SEQUENTIAL.fullmatch(content_type.partition(";")[0].strip().lower()):
            self.document.fault(at, f"{content_type[:80]!r} is no sequence of items")
            return media
        items = {"type": "array", "items": self.schemas.translate(node["itemSchema"], at)}
        return replace(media, schema=items if media.schema is True else {"allOf": [media.schema, items]})

    def scheme_at(self, name: str, pointer: str) -> bool:
        found = self.document.references.resolve({"$ref": name}, pointer)
        if isinstance(found, str) or not isinstance(found[0], dict) or "type" not in found[0]:
            return False
        self.declared[name] = self._security_scheme(name, *found)
        return True
