"""Swagger 2.0."""

from collections.abc import Mapping
from typing import ClassVar

from backend.app.engine.spec.model import (
    Json,
    MediaType,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    Schema,
    SecurityKind,
    SecurityScheme,
    below,
)
from backend.app.engine.spec.reader import Reader

_URLENCODED, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_STYLES = {
    "ssv": ("spaceDelimited", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
    "csv": ("form", False),
}
_FLOWS = {
    "accessCode": "authorizationCode",
    "application": "clientCredentials",
    "implicit": "implicit",
    "password": "password",
}
_FLOW_URLS = ("authorizationUrl", "tokenUrl")
_NOT_SCHEMA = frozenset({"name", "in", "required", "description", "allowEmptyValue", "collectionFormat", "x-example"})


class SwaggerReader(Reader):
    dialect: ClassVar[str] = "swagger-2.0"
    schemas_home: ClassVar[tuple[str, ...]] = ("definitions",)

    def servers(self) -> tuple[str, ...]:
        document = self.document
        root = self.root
        host = document.text(root, "host", "", longest=2_000).strip("/")
        base = "/" + document.text(root, "basePath", "", longest=2_000).strip("/")
        if not host:
            return (base,)
        # Without `schemes` the scheme is the one by which the document was fetched (RFC 3986, 4.2).
        schemes = [f"{scheme}:" for scheme in document.strings(root, "schemes", "")] or [""]
        urls = [self.server(f"{scheme}//{host}{base}".rstrip("/"), "/host") for scheme in schemes]
        return tuple(url for url in urls if url is not None)

    def server_of(self, node: Mapping[str, Json], pointer: str) -> str | None:
        return None

    def security_schemes(self) -> dict[str, SecurityScheme]:
        document = self.document
        schemes = {}
        for name, raw, at in document.entries(self.root, "securityDefinitions", ""):
            found = document.resolved(raw, at)
            if found is None:
                continue
            node, at = found
            kind = document.text(node, "type", at)
            place = self.location(node, at) if kind == "apiKey" else None
            if place is not None:
                schemes[name] = SecurityScheme(name, SecurityKind.API_KEY, location=place[1], parameter=place[0])
            elif kind == "oauth2":
                schemes[name] = SecurityScheme(name, SecurityKind.OAUTH2, flows=self._flows(node, at))
            elif kind == "basic":
                schemes[name] = SecurityScheme(name, SecurityKind.BASIC, scheme="basic")
            else:
                if kind != "apiKey":
                    document.fault(below(at, "type"), f"{kind[:80]!r} is no kind of security scheme")
                schemes[name] = SecurityScheme(name, SecurityKind.OTHER)
        return schemes

    def _flows(self, node: dict[str, Json], pointer: str) -> dict[str, dict[str, Json]]:
        document = self.document
        name = document.text(node, "flow", pointer)
        if name not in _FLOWS:
            document.fault(below(pointer, "flow"), f"{name[:80]!r} is no flow of OAuth 2")
            return {}
        urls = {key: document.text(node, key, pointer, longest=2_000) for key in _FLOW_URLS if key in node}
        return {_FLOWS[name]: urls | {"scopes": [scope for scope, _, _ in document.entries(node, "scopes", pointer)]}}

    def parameter(self, node: dict[str, Json], pointer: str) -> Parameter | None:
        document = self.document
        if node.get("in") in ("body", "formData"):
            return None
        place = self.location(node, pointer)
        if place is None:
            return None
        name, location = place
        style, explode = self._style(node, location, pointer)
        return Parameter(
            name=name,
            location=location,
            required=self.required(node, location, pointer),
            schema=self._value_schema(node, pointer),
            style=style,
            explode=explode,
            examples=tuple(
                node[key] for key in ("x-example", "example") if key in node and document.finite(node[key], pointer)
            ),
        )

    def _style(self, node: dict[str, Json], location: ParameterLocation, pointer: str) -> tuple[str, bool]:
        if location in (ParameterLocation.PATH, ParameterLocation.HEADER):
            return "simple", False
        if node.get("type") != "array":
            return "form", True
        name = self.document.text(node, "collectionFormat", pointer) or "csv"
        if name not in _STYLES:
            self.document.fault(below(pointer, "collectionFormat"), f"{name!r} is read as csv")
        return _STYLES.get(name, _STYLES["csv"])

    def _value_schema(self, node: dict[str, Json], pointer: str) -> Schema:
        """The schema that stands among the other members of a parameter; some documents nest it as in 3.0."""
        if isinstance(node.get("schema"), dict):
            return self.schemas.translate(node["schema"], below(pointer, "schema"))
        if "type" not in node:
            self.document.fault(pointer, "a parameter without a type")
        return self.schemas.translate({key: node[key] for key in node if key not in _NOT_SCHEMA}, pointer)

    def body(
        self, operation: dict[str, Json], pointer: str, shared: list[tuple[dict[str, Json], str]]
    ) -> RequestBody | None:
        document = self.document
        own = self.parameter_nodes(operation, pointer)
        nodes = [(node, at) for node, at in [*own, *shared] if node.get("in") in ("body", "formData")]
        if not nodes:
            return None
        consumes = self._media_ranges("consumes", operation, pointer)
        whole = next(((node, at) for node, at in nodes if node["in"] == "body"), None)
        if whole is not None:
            if len(nodes) > 1 and any(node["in"] == "formData" for node, _ in nodes):
                document.fault(pointer, "body and formData parameters exclude each other")
            node, at = whole
            media = document.shared("body", self._whole_body, node, at)
            examples = (*media.examples, *self._examples_by_media_type(node, "x-examples", at).values())
            required = document.flag(node, "required", at)
            types = consumes or ("application/json",)
            return RequestBody(required, tuple(MediaType(each, media.schema, examples) for each in types))
        return self._form(nodes, consumes)

    def _whole_body(self, node: dict[str, Json], pointer: str) -> MediaType:
        return self.media_type("", node, pointer)

    def _response_schema(self, node: dict[str, Json], pointer: str) -> Schema:
        return self.schemas.translate(node["schema"], below(pointer, "schema"))

    def _form(self, nodes: list[tuple[dict[str, Json], str]], consumes: tuple[str, ...]) -> RequestBody:
        properties: dict[str, Schema] = {}
        required = []
        for node, at in nodes:
            name = node.get("name")
            if not isinstance(name, str) or not name:
                self.document.fault(at, "a parameter without a name")
            elif name not in properties:
                properties[name] = self.document.shared("form", self._value_schema, node, at)
                if self.document.flag(node, "required", at):
                    required.append(name)
        schema: dict[str, Json] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        has_file = any(node.get("type") == "file" for node, _ in nodes)
        types = tuple(each for each in consumes if each in (_URLENCODED, _MULTIPART))
        if has_file:
            types = (_MULTIPART,)
        return RequestBody(bool(required), tuple(MediaType(each, schema) for each in types or (_URLENCODED,)))

    def _media_ranges(self, key: str, operation: dict[str, Json], pointer: str) -> tuple[str, ...]:
        if key in operation:
            return self.document.strings(operation, key, pointer)
        return self.document.strings(self.root, key, "")

    def _examples_by_media_type(self, node: dict[str, Json], key: str, pointer: str) -> dict[str, Json]:
        value = node.get(key)
        if not isinstance(value, dict):
            return {}
        return {name: each for name, each in value.items() if self.document.finite(each, below(pointer, key, name))}

    def response(self, status: str, node: dict[str, Json], pointer: str, operation: dict[str, Json]) -> ResponseSpec:
        document = self.document
        examples = self._examples_by_media_type(node, "examples", pointer)
        if "schema" not in node:
            return ResponseSpec(status, tuple(MediaType(name, True, (value,)) for name, value in examples.items()))
        schema = document.shared("response", self._response_schema, node, pointer)
        produces = self._media_ranges("produces", operation, "") or tuple(examples) or ("*/*",)
        return ResponseSpec(
            status,
            tuple(MediaType(name, schema, (examples[name],) if name in examples else ()) for name in produces),
        )
