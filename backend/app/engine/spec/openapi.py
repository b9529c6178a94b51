"""OpenAPI 3.0 (3.0.4) and 3.1 (3.1.1). A later 3.x is read as 3.1."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from backend.app.engine.spec.document import below
from backend.app.engine.spec.model import (
    Json,
    MediaType,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    SecurityKind,
    SecurityScheme,
)
from backend.app.engine.spec.reader import Reader

_STYLES = {
    ParameterLocation.PATH: ("simple", "label", "matrix"),
    ParameterLocation.QUERY: ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    ParameterLocation.HEADER: ("simple",),
    ParameterLocation.COOKIE: ("form", "cookie"),
}
_NOT_PARAMETERS = frozenset({"accept", "content-type", "authorization"})
"""Header parameters of these names are to be ignored (3.1.1, 4.8.12.1)."""


class OpenApi30Reader(Reader):
    dialect: ClassVar[str] = "openapi-3.0"
    schemas_home: ClassVar[tuple[str, ...]] = ("components", "schemas")

    def servers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._servers(self.root, "")))

    def server_of(self, node: dict[str, Json], pointer: str) -> str | None:
        return next(self._servers(node, pointer), None)

    def _servers(self, node: dict[str, Json], pointer: str) -> Iterator[str]:
        document = self.document
        for server, at in document.items(node, "servers", pointer):
            url = server.get("url") if isinstance(server, dict) else None
            if not isinstance(url, str):
                document.fault(at, "a server without a URL")
                continue
            defaults = {
                name: document.text(variable, "default", where, longest=2_000)
                for name, variable, where in document.entries(server, "variables", at)
                if isinstance(variable, dict)
            }
            usable = self.server(_expanded(url, defaults), at)
            if usable is not None:
                yield usable

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
            return SecurityScheme(name, known.get(scheme, SecurityKind.OTHER))
        if kind == "apiKey":
            place = self.location(node, pointer)
            if place is not None:
                return SecurityScheme(name, SecurityKind.API_KEY, location=place[1], parameter=place[0])
        elif kind in ("oauth2", "openIdConnect"):
            return SecurityScheme(name, SecurityKind.OAUTH2 if kind == "oauth2" else SecurityKind.OPENID_CONNECT)
        elif kind != "mutualTLS":
            self.document.fault(below(pointer, "type"), f"{kind[:80]!r} is no kind of security scheme")
        return SecurityScheme(name, SecurityKind.OTHER)

    def parameter(self, node: dict[str, Json], pointer: str) -> Parameter | None:
        document = self.document
        place = self.location(node, pointer)
        if place is None:
            return None
        name, location = place
        if location is ParameterLocation.HEADER and name.lower() in _NOT_PARAMETERS:
            return None
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
        links = {}
        for name, raw, at in document.entries(node, "links", pointer):
            link = document.resolved(raw, at)
            if link is not None and document.finite(link[0], at):
                links[name] = {key: value for key, value in link[0].items() if key not in ("description", "server")}
        return ResponseSpec("", tuple(self._content(node, pointer)), tuple(required_headers), links)


def _expanded(url: str, defaults: dict[str, str]) -> str:
    return re.sub(r"\{([^{}]*)\}", lambda match: defaults.get(match[1], match[0]), url)


class OpenApi31Reader(OpenApi30Reader):
    dialect: ClassVar[str] = "openapi-3.1"
    modern_schemas: ClassVar[bool] = True
