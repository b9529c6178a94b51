"""The model as JSON, for the database and for the process that reads documents. Members at their default are left out.

`operation_from_json(operation_to_json(operation)) == operation`, likewise for descriptions.

Operations of a large description have most of their parameters, bodies and answers in common: 11,000 operations with
46,000 parameters have a thousand different ones. These parts are written, read and kept once where a `Part` says so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, TypeAlias, TypeVar

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

T = TypeVar("T")
Part: TypeAlias = Callable[[Callable[[Any], Any], Any], Any]
"""Called with a function that writes or reads a parameter, a body or an answer, and with what to call it for."""

_ALWAYS = frozenset({"method", "path", "name", "status"})
_AT_ONCE = 200
"""Operations or definitions of one line: some milliseconds of writing or reading."""


def _each(convert: Callable[[Any], T], it: Any) -> T:
    return convert(it)


def operation_to_json(operation: Operation, part: Part = _each) -> dict[str, Json]:
    return _without_empty(
        {
            "method": operation.method,
            "path": operation.path,
            "operation_id": operation.operation_id,
            "summary": operation.summary,
            "tags": list(operation.tags),
            "deprecated": operation.deprecated,
            "parameters": [part(_parameter_to_json, parameter) for parameter in operation.parameters],
            "body": None if operation.body is None else part(_body_to_json, operation.body),
            "responses": [part(_response_to_json, response) for response in operation.responses],
            "security": [list(alternative) for alternative in operation.security],
            "pointer": operation.pointer,
            "server": operation.server,
            "scopes": {name: list(scopes) for name, scopes in operation.scopes.items()},
        }
    )


def operation_from_json(data: Mapping[str, Json], part: Part = _each) -> Operation:
    """Raises `KeyError`, `TypeError` or `ValueError` for what `operation_to_json` did not write."""
    body = data.get("body")
    return Operation(
        method=data["method"],
        path=data["path"],
        operation_id=data.get("operation_id"),
        summary=data.get("summary", ""),
        tags=tuple(data.get("tags", ())),
        deprecated=data.get("deprecated", False),
        parameters=tuple(part(_parameter_from_json, item) for item in data.get("parameters", ())),
        body=None if body is None else part(_body_from_json, body),
        responses=tuple(part(_response_from_json, item) for item in data.get("responses", ())),
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
    """Lines of JSON, so that who reads them can pause between. Raises `SpecError` `spec.too_deep` when schemas or
    examples are nested deeper than JSON writers allow."""
    try:
        return b"\n".join(_lines(description))
    except orjson.JSONEncodeError as error:
        raise SpecError("spec.too_deep", f"the description cannot be written as JSON: {error}") from None


def description_from_bytes(data: bytes) -> ApiDescription:
    """Raises `ValueError`, `LookupError` or `TypeError` for what `description_to_bytes` did not write."""
    first, *lines = data.split(b"\n")
    description = description_from_json(orjson.loads(first))
    definitions: dict[str, Schema] = {}
    operations: list[Operation] = []
    numbered = _Numbered()
    for line in lines:
        members = orjson.loads(line)
        definitions.update(members.get("definitions", {}))
        numbered.add(members.get("parts", ()))
        operations += (operation_from_json(item, numbered) for item in members.get("operations", ()))
    return replace(description, definitions=definitions, operations=tuple(operations))


def _lines(description: ApiDescription) -> Iterator[bytes]:
    yield orjson.dumps(description_to_json(replace(description, definitions={}, operations=())))
    names = iter(description.definitions.items())
    while definitions := dict(islice(names, _AT_ONCE)):
        yield orjson.dumps({"definitions": definitions})
    remaining, numbers = iter(description.operations), _Numbers()
    while some := list(islice(remaining, _AT_ONCE)):
        operations = [operation_to_json(operation, numbers) for operation in some]
        yield orjson.dumps({"parts": numbers.take(), "operations": operations})


class _Numbers:
    """A `Part` that writes a number, from 1 on, in place of each."""

    def __init__(self) -> None:
        self._by_id: dict[int, int] = {}
        self._by_text: dict[tuple[Any, bytes], int] = {}
        self._fresh: list[orjson.Fragment] = []

    def __call__(self, write: Callable[[Any], Json], it: Any) -> int:
        number = self._by_id.get(id(it))  # of the description, which lives longer
        if number is None:
            text = orjson.dumps(write(it))
            number = self._by_text.get((write, text))
            if number is None:
                number = self._by_text[write, text] = len(self._by_text) + 1
                self._fresh.append(orjson.Fragment(text))
            self._by_id[id(it)] = number
        return number

    def take(self) -> list[orjson.Fragment]:
        """What was numbered since the last time."""
        fresh, self._fresh = self._fresh, []
        return fresh


class _Numbered:
    """A `Part` that reads them."""

    def __init__(self) -> None:
        self._written: list[Json] = []
        self._read: dict[int, Any] = {}

    def add(self, written: Iterable[Json]) -> None:
        self._written.extend(written)

    def __call__(self, read: Callable[[Json], Any], number: int) -> Any:
        if number not in self._read:
            self._read[number] = read(self._written[number - 1])
        return self._read[number]


class WrittenOnce:
    """A `Part` for JSON text: what is the same object is written once. `options` are those of orjson."""

    def __init__(self, options: int = 0) -> None:
        self._options = options
        self._known: dict[int, tuple[Any, orjson.Fragment]] = {}

    def __call__(self, write: Callable[[Any], Json], it: Any) -> orjson.Fragment:
        known = self._known.get(id(it))
        if known is None:
            known = self._known[id(it)] = it, orjson.Fragment(orjson.dumps(write(it), option=self._options))
        return known[1]


class ReadOnce:
    """A `Part` by which equal ones become the same object."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, bytes], Any] = {}

    def __call__(self, read: Callable[[Json], Any], written: Json) -> Any:
        key = read, orjson.dumps(written)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = read(written)
        return known


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


def _body_to_json(body: RequestBody) -> dict[str, Json]:
    return {"required": body.required, "content": _content_to_json(body.content)}


def _body_from_json(data: Mapping[str, Json]) -> RequestBody:
    return RequestBody(data["required"], _content_from_json(data["content"]))


def _response_to_json(response: ResponseSpec) -> dict[str, Json]:
    return _without_empty(
        {
            "status": response.status,
            "content": _content_to_json(response.content),
            "required_headers": list(response.required_headers),
            "links": {name: dict(link) for name, link in response.links.items()},
        }
    )


def _response_from_json(data: Mapping[str, Json]) -> ResponseSpec:
    return ResponseSpec(
        status=data["status"],
        content=_content_from_json(data.get("content", ())),
        required_headers=tuple(data.get("required_headers", ())),
        links=data.get("links", {}),
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
