"""The inventory for others: as an OpenAPI 3.1 document (3.1.1), as CSV, as JSON."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from backend.app.engine.spec.callbacks import by_caller
from backend.app.engine.spec.model import (
    ApiDescription,
    Json,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    Schema,
    SecurityKind,
    SecurityScheme,
)
from backend.app.engine.spec.reach import PREFIX
from backend.app.engine.subschemas import with_subschemas

EXTENSION = "x-touchstone"
ANY_METHOD = "*"
_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
"""What a path item has room for (3.1.1, 4.8.9)."""
_FLOWS = frozenset({"authorizationCode", "clientCredentials", "implicit", "password"})
_TEMPLATE_NAME = re.compile(r"\{([^{}]*)\}")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""


def openapi_document(
    description: ApiDescription, extras: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Json]:
    """The description as OpenAPI 3.1. `extras` by `Operation.key` become the `x-touchstone` of the operation.

    Read again it is the same description, but for pointers, faults, the dialect, and header parameters that 3.1 ignores
    (4.8.12.1); an `operationId` that stands twice gets a number. Templates that differ only in what their parameters
    are called become one path, as 3.1 demands. What it has no place for stands in extensions: other methods
    (`x-touchstone-methods`), parameters in the `querystring` (`x-touchstone-querystring`), operations that share method
    and path with one that is written (`x-touchstone-also`). A GET with `x-touchstone-any-method` stands for any
    method."""
    return _Writer(description, extras or {}).document()


def as_csv(rows: Sequence[Mapping[str, Json]]) -> str:
    """RFC 4180, with the names of the first row as header. Lists are joined with `; `, objects are JSON. A text that a
    spreadsheet would run as a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    if rows:
        names = list(rows[0])
        writer.writerow(map(_cell, names))
        writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


def as_json(rows: Sequence[Mapping[str, Json]]) -> bytes:
    return orjson.dumps(list(rows), option=orjson.OPT_INDENT_2, default=str)


def _cell(value: Json) -> str | int | float:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return value
        case list() | tuple():
            text = "; ".join(
                each if isinstance(each, str) else orjson.dumps(each, default=str).decode() for each in value
            )
        case dict():
            text = orjson.dumps(value, default=str).decode()
        case _:
            text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Writer:
    def __init__(self, description: ApiDescription, extras: Mapping[str, Mapping[str, Any]]) -> None:
        self._description = description
        self._extras = extras
        self._schemas = _valid_names(description.definitions)
        self._schemes = _valid_names(description.security_schemes)
        self._paths: dict[str, dict[str, Json]] = {}
        self._templates: dict[str, str] = {}
        self._servers = [{"url": url} for url in description.servers[:1]]
        self._ids: set[str] = set()
        self._sent = by_caller(description.callbacks)

    def document(self) -> dict[str, Json]:
        description = self._description
        for operation in description.operations:
            self._add(operation)
        names = {url: name for name, url in description.server_names.items()}
        webhooks: dict[str, dict[str, Json]] = {}
        for operation in description.webhooks:
            webhooks.setdefault(operation.path, {})[operation.method.lower()] = self._operation(operation, {})
        components = {
            "schemas": {self._schemas[name]: self._schema(each) for name, each in description.definitions.items()},
            "securitySchemes": {
                self._schemes[name]: _security_scheme(each) for name, each in description.security_schemes.items()
            },
        }
        return {
            "openapi": "3.1.1",
            "info": {"title": description.title or "API", "version": description.version or "0"},
            **_without_empty(
                {
                    "servers": [
                        {"url": url} | ({"x-name": names[url]} if url in names else {}) for url in description.servers
                    ],
                    "tags": [
                        {"name": tag.name}
                        | _without_empty({f"x-{key}": getattr(tag, key) for key in ("summary", "parent", "kind")})
                        for tag in description.tags
                    ],
                }
            ),
            "paths": self._paths,
            **_without_empty({"webhooks": webhooks, "components": _without_empty(components)}),
        }

    def _add(self, operation: Operation) -> None:
        shape = _TEMPLATE_NAME.sub("{}", operation.path)
        path = self._templates.setdefault(shape, _distinct(operation.path))
        names = _TEMPLATE_NAME.findall(path)
        # Backwards, so that the first of two equal names keeps its own.
        renamed = dict(reversed(list(zip(_TEMPLATE_NAME.findall(operation.path), names, strict=True))))
        written = self._operation(operation, renamed, names)
        item = self._paths.setdefault(path, {})
        if operation.method == ANY_METHOD and "get" not in item:
            item["get"] = written | {f"{EXTENSION}-any-method": True}
        elif operation.method in _METHODS:
            known = item.setdefault(operation.method.lower(), written)
            if known is not written:
                item.setdefault(f"{EXTENSION}-also", []).append(
                    {"method": operation.method, "path": operation.path, **written}
                )
                if "servers" in written:
                    known["servers"] = [*known.get("servers", self._servers), *written["servers"]]
        else:
            item.setdefault(f"{EXTENSION}-methods", {})[operation.method] = written

    def _operation(
        self, operation: Operation, renamed: Mapping[str, str], names: Sequence[str] = ()
    ) -> dict[str, Json]:
        """`names` are those of the path that it is written under, `renamed` those that are others in its own."""
        whole = [each for each in operation.parameters if each.location is ParameterLocation.QUERYSTRING]
        parameters = [each for each in operation.parameters if each not in whole]
        declared = {renamed.get(each.name, each.name) for each in parameters if each.location is ParameterLocation.PATH}
        undeclared = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
            if name not in declared
        ]
        written = _without_empty(
            {
                "operationId": self._id(operation),
                "summary": operation.summary,
                "tags": list(operation.tags),
                "deprecated": operation.deprecated,
                "parameters": [
                    *(self._parameter(each, renamed) for each in parameters),
                    *undeclared,
                ],
                "requestBody": None if operation.body is None else self._body(operation.body),
                "responses": {each.status: self._response(each) for each in operation.responses},
                "security": [
                    {self._schemes.get(name, name): list(operation.scopes.get(name, ())) for name in names}
                    for names in operation.security
                ],
                "servers": [{"url": operation.server}] if operation.server else None,
                f"{EXTENSION}-querystring": [self._content([_as_media(each)]) for each in whole],
            }
        )
        callbacks = self._callbacks(operation) if operation.pointer else {}
        extra = self._extras.get(operation.key)
        return written | _without_empty({"callbacks": callbacks}) | ({EXTENSION: dict(extra)} if extra else {})

    def _id(self, operation: Operation) -> str:
        """One that no other operation has (3.1.1, 4.8.10.1): what several sources describe may be called the same."""
        wanted = name = operation.operation_id or ""
        number = 1
        while name in self._ids:
            number += 1
            name = f"{wanted}_{number}"
        if name:
            self._ids.add(name)
        return name

    def _callbacks(self, operation: Operation) -> dict[str, Json]:
        """Those whose pointer says that they stand in the operation."""
        found: dict[str, Json] = {}
        for name, sent in self._sent.get(operation.pointer, {}).items():
            for each in sent:
                item = found.setdefault(name, {}).setdefault(each.path, {})
                item[each.method.lower()] = self._operation(each, {})
        return found

    def _parameter(self, parameter: Parameter, renamed: Mapping[str, str]) -> dict[str, Json]:
        in_path = parameter.location is ParameterLocation.PATH
        written: dict[str, Json] = {
            "name": renamed.get(parameter.name, parameter.name) if in_path else parameter.name,
            "in": parameter.location.value,
        }
        if parameter.required or in_path:
            written["required"] = True
        if parameter.content_type is not None:
            return written | {"content": self._content([_as_media(parameter)])}
        written["schema"] = self._schema(parameter.schema)
        if parameter.style:
            # `cookie` came with 3.2; `form` is nearest.
            written["style"] = "form" if parameter.style == "cookie" else parameter.style
            written["explode"] = parameter.explode
        return written | _examples(parameter.examples)

    def _body(self, body: RequestBody) -> dict[str, Json]:
        return {"content": self._content(body.content)} | ({"required": True} if body.required else {})

    def _response(self, response: ResponseSpec) -> dict[str, Json]:
        headers = {name: {"required": True, "schema": {}} for name in response.required_headers}
        links = {name: dict(link) for name, link in response.links.items()}
        content = self._content(response.content)
        return {"description": ""} | _without_empty({"headers": headers, "content": content, "links": links})

    def _content(self, content: Iterable[MediaType]) -> dict[str, Json]:
        return {
            media.content_type: ({} if media.schema is True else {"schema": self._schema(media.schema)})
            | _examples(media.examples)
            for media in content
        }

    def _schema(self, schema: Schema) -> Json:
        if not isinstance(schema, Mapping):
            return schema
        written = with_subschemas(schema, self._schema)
        if "$ref" in written:
            written["$ref"] = self._reference(written["$ref"])
        if "discriminator" in written:
            said = dict(written["discriminator"])
            if "mapping" in said:
                said["mapping"] = {name: self._reference(target) for name, target in said["mapping"].items()}
            if "defaultMapping" in said:
                said["x-defaultMapping"] = self._reference(said.pop("defaultMapping"))
            written["discriminator"] = said
        return written

    def _reference(self, target: str) -> str:
        name = target.removeprefix(PREFIX)
        return f"#/components/schemas/{self._schemas.get(name, _NOT_IN_A_NAME.sub('_', name))}"


def _security_scheme(scheme: SecurityScheme) -> dict[str, Json]:
    match scheme.kind:
        case SecurityKind.API_KEY:
            location = scheme.location or ParameterLocation.HEADER
            return {"type": "apiKey", "name": scheme.parameter or scheme.name, "in": location.value}
        case SecurityKind.OAUTH2:
            flows = {
                name if name in _FLOWS else f"x-{name}": {
                    **flow,
                    "scopes": dict.fromkeys(flow.get("scopes", ()), ""),
                }
                for name, flow in scheme.flows.items()
            }
            return {"type": "oauth2", "flows": flows} | _without_empty({"x-oauth2MetadataUrl": scheme.url})
        case SecurityKind.OPENID_CONNECT:
            return {"type": "openIdConnect", "openIdConnectUrl": scheme.url}
        case SecurityKind.MUTUAL_TLS:
            return {"type": "mutualTLS"}
        case SecurityKind.BASIC | SecurityKind.BEARER:
            return {"type": "http", "scheme": scheme.kind.value}
        case SecurityKind.OTHER:
            return {"type": "http", "scheme": scheme.scheme}


def _as_media(parameter: Parameter) -> MediaType:
    return MediaType(parameter.content_type or "", parameter.schema, parameter.examples)


def _examples(values: Sequence[Json]) -> dict[str, Json]:
    return {"examples": {str(number): {"value": value} for number, value in enumerate(values, 1)}} if values else {}


def _distinct(path: str) -> str:
    """With a name of its own for each parameter of the template."""
    seen: dict[str, int] = {}

    def rename(match: re.Match[str]) -> str:
        name = match[1] or "parameter"
        seen[name] = seen.get(name, 0) + 1
        return f"{{{name}_{seen[name]}}}" if seen[name] > 1 else f"{{{name}}}"

    return _TEMPLATE_NAME.sub(rename, path)


def _valid_names(names: Iterable[str]) -> dict[str, str]:
    """Keys of components (3.1.1, 4.8.7.1), one for each name."""
    valid: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        base = candidate = _NOT_IN_A_NAME.sub("_", name) or "_"
        number = 1
        while candidate in taken:
            number += 1
            candidate = f"{base}_{number}"
        taken.add(candidate)
        valid[name] = candidate
    return valid


def _without_empty(members: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in members.items() if value}
