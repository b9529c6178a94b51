"""The model as JSON, for the database and for the process that reads documents. Members at their default are left out.

`operation_from_json(operation_to_json(operation)) == operation`, likewise for descriptions."""

from collections.abc import Iterable, Mapping

import orjson

from backend.app.engine.spec.model import (
    ApiDescription,
    Fault,
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
    SpecError,
    Tag,
)
from backend.app.engine.spec.reach import Reach

_ALWAYS = frozenset({"method", "path", "name", "status"})


def operation_to_json(operation: Operation) -> dict[str, Json]:
    return _without_empty(
        {
            "method": operation.method,
            "path": operation.path,
            "operation_id": operation.operation_id,
            "summary": operation.summary,
            "tags": list(operation.tags),
            "deprecated": operation.deprecated,
            "parameters": [_parameter_to_json(parameter) for parameter in operation.parameters],
            "body": None
            if operation.body is None
            else {"required": operation.body.required, "content": _content_to_json(operation.body.content)},
            "responses": [
                _without_empty(
                    {
                        "status": response.status,
                        "content": _content_to_json(response.content),
                        "required_headers": list(response.required_headers),
                        "links": {name: dict(link) for name, link in response.links.items()},
                    }
                )
                for response in operation.responses
            ],
            "security": [list(alternative) for alternative in operation.security],
            "pointer": operation.pointer,
            "server": operation.server,
            "scopes": {name: list(scopes) for name, scopes in operation.scopes.items()},
        }
    )


def operation_from_json(data: Mapping[str, Json]) -> Operation:
    """Raises `KeyError`, `TypeError` or `ValueError` for what `operation_to_json` did not write."""
    body = data.get("body")
    return Operation(
        method=data["method"],
        path=data["path"],
        operation_id=data.get("operation_id"),
        summary=data.get("summary", ""),
        tags=tuple(data.get("tags", ())),
        deprecated=data.get("deprecated", False),
        parameters=tuple(_parameter_from_json(item) for item in data.get("parameters", ())),
        body=None if body is None else RequestBody(body["required"], _content_from_json(body["content"])),
        responses=tuple(
            ResponseSpec(
                status=item["status"],
                content=_content_from_json(item.get("content", ())),
                required_headers=tuple(item.get("required_headers", ())),
                links=item.get("links", {}),
            )
            for item in data.get("responses", ())
        ),
        security=tuple(tuple(alternative) for alternative in data.get("security", ())),
        pointer=data.get("pointer", ""),
        server=data.get("server"),
        scopes={name: tuple(scopes) for name, scopes in data.get("scopes", {}).items()},
    )


def description_to_json(description: ApiDescription) -> dict[str, Json]:
    return {
        "title": description.title,
        "version": description.version,
        "dialect": description.dialect,
        "servers": list(description.servers),
        "operations": [operation_to_json(operation) for operation in description.operations],
        "definitions": dict(description.definitions),
        "security_schemes": {
            name: _without_empty(
                {
                    "name": scheme.name,
                    "kind": scheme.kind.value,
                    "location": None if scheme.location is None else scheme.location.value,
                    "parameter": scheme.parameter,
                    "scheme": scheme.scheme,
                    "flows": {flow: dict(each) for flow, each in scheme.flows.items()},
                    "url": scheme.url,
                }
            )
            for name, scheme in description.security_schemes.items()
        },
        "faults": [[fault.pointer, fault.message] for fault in description.faults],
        "server_names": dict(description.server_names),
        "tags": [[tag.name, tag.summary, tag.parent, tag.kind] for tag in description.tags],
        "webhooks": [operation_to_json(operation) for operation in description.webhooks],
        "callbacks": [operation_to_json(operation) for operation in description.callbacks],
    }


def description_from_json(data: Mapping[str, Json]) -> ApiDescription:
    return ApiDescription(
        title=data["title"],
        version=data["version"],
        dialect=data["dialect"],
        servers=tuple(data["servers"]),
        operations=tuple(operation_from_json(item) for item in data["operations"]),
        definitions=data["definitions"],
        security_schemes={
            name: SecurityScheme(
                name=item["name"],
                kind=SecurityKind(item["kind"]),
                location=ParameterLocation(item["location"]) if "location" in item else None,
                parameter=item.get("parameter"),
                scheme=item.get("scheme", ""),
                flows=item.get("flows", {}),
                url=item.get("url", ""),
            )
            for name, item in data["security_schemes"].items()
        },
        faults=tuple(Fault(pointer, message) for pointer, message in data["faults"]),
        server_names=data.get("server_names", {}),
        tags=tuple(Tag(*members) for members in data.get("tags", ())),
        webhooks=tuple(operation_from_json(item) for item in data.get("webhooks", ())),
        callbacks=tuple(operation_from_json(item) for item in data.get("callbacks", ())),
    )


def description_to_bytes(description: ApiDescription) -> bytes:
    """Raises `SpecError` `spec.too_deep` when schemas or examples are nested deeper than JSON writers allow."""
    try:
        return orjson.dumps(description_to_json(description))
    except orjson.JSONEncodeError as error:
        raise SpecError("spec.too_deep", f"the description cannot be written as JSON: {error}") from None


def reachable_definitions(operation: Operation, definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """The definitions that the schemas of an operation refer to, directly or not."""
    schemas = [parameter.schema for parameter in operation.parameters]
    contents = [response.content for response in operation.responses]
    if operation.body is not None:
        contents.append(operation.body.content)
    schemas.extend(media.schema for content in contents for media in content)
    return {name: definitions[name] for name in sorted(Reach(definitions).names(schemas))}


def _without_empty(members: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in members.items() if value or name in _ALWAYS}


def _parameter_to_json(parameter: Parameter) -> dict[str, Json]:
    return _schema_to_json(parameter.schema) | _without_empty(
        {
            "name": parameter.name,
            "location": parameter.location.value,
            "required": parameter.required,
            "style": parameter.style,
            "explode": parameter.explode,
            "content_type": parameter.content_type,
            "examples": list(parameter.examples),
        }
    )


def _parameter_from_json(data: Mapping[str, Json]) -> Parameter:
    return Parameter(
        name=data["name"],
        location=ParameterLocation(data["location"]),
        required=data.get("required", False),
        schema=data.get("schema", True),
        style=data.get("style", ""),
        explode=data.get("explode", False),
        content_type=data.get("content_type"),
        examples=tuple(data.get("examples", ())),
    )


def _content_to_json(content: Iterable[MediaType]) -> list[dict[str, Json]]:
    return [
        _schema_to_json(media.schema)
        | {"content_type": media.content_type}
        | _without_empty({"examples": list(media.examples)})
        for media in content
    ]


def _content_from_json(data: Iterable[Mapping[str, Json]]) -> tuple[MediaType, ...]:
    return tuple(
        MediaType(item["content_type"], item.get("schema", True), tuple(item.get("examples", ()))) for item in data
    )


def _schema_to_json(schema: Schema) -> dict[str, Json]:
    return {} if schema is True else {"schema": schema}
