"""Descriptions that are used beside each other: each keeps its own schemas and security schemes, whatever the others
call theirs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    RequestBody,
    ResponseSpec,
    Schema,
)
from backend.app.engine.spec.reach import PREFIX
from backend.app.engine.subschemas import with_subschemas

_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_Names: TypeAlias = Mapping[str, str]


def qualified(description: ApiDescription, name: str) -> ApiDescription:
    """With `<name>:` before the names of its definitions and security schemes, and with pointers that begin with the
    name: `admin.yaml#/paths/~1users/get`."""
    mark = _mark(name)
    schemas, schemes = (
        {each: f"{mark}:{each}" for each in names} for names in (description.definitions, description.security_schemes)
    )
    change = _Change(name, schemas, schemes)
    return replace(
        description,
        operations=change.operations(description.operations),
        webhooks=change.operations(description.webhooks),
        callbacks=change.operations(description.callbacks),
        definitions={schemas[each]: change.schema(schema) for each, schema in description.definitions.items()},
        security_schemes={
            schemes[each]: replace(scheme, name=schemes[each]) for each, scheme in description.security_schemes.items()
        },
    )


def _mark(name: str) -> str:
    """What may stand in a reference; two names never make the same."""
    plain = _NOT_IN_A_NAME.sub("_", name)
    return plain if plain == name else f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}"


class _Change:
    def __init__(self, name: str, schemas: _Names, schemes: _Names) -> None:
        self._name = name
        self._schemas = schemas
        self._schemes = schemes
        self._known: dict[int, tuple[Any, Any]] = {}
        """Parts that many operations share stay shared."""

    def operations(self, operations: Iterable[Operation]) -> tuple[Operation, ...]:
        return tuple(map(self._operation, operations))

    def schema(self, schema: Schema) -> Schema:
        if not isinstance(schema, Mapping):
            return schema
        changed = with_subschemas(schema, self.schema)
        if isinstance(target := changed.get("$ref"), str):
            changed["$ref"] = self._reference(target)
        if isinstance(said := changed.get("discriminator"), Mapping):
            changed["discriminator"] = {
                keyword: {value: self._reference(target) for value, target in told.items()}
                if keyword == "mapping"
                else self._reference(told)
                if keyword == "defaultMapping"
                else told
                for keyword, told in said.items()
            }
        return changed

    def _reference(self, target: str) -> str:
        name = target.removeprefix(PREFIX)
        return f"{PREFIX}{self._schemas[name]}" if target != name and name in self._schemas else target

    def _operation(self, operation: Operation) -> Operation:
        pointer = operation.pointer
        return replace(
            operation,
            parameters=tuple(self._once(each, self._with_schema) for each in operation.parameters),
            body=None if operation.body is None else self._once(operation.body, self._body),
            responses=tuple(self._once(each, self._response) for each in operation.responses),
            security=tuple(tuple(self._schemes.get(each, each) for each in names) for names in operation.security),
            scopes={self._schemes.get(each, each): scopes for each, scopes in operation.scopes.items()},
            pointer=pointer if "#" in pointer else f"{self._name}#{pointer}",
        )

    def _once(self, part: Any, change: Any) -> Any:
        known = self._known.get(id(part))
        if known is None:
            known = self._known[id(part)] = part, change(part)
        return known[1]

    def _with_schema(self, part: Parameter | MediaType) -> Parameter | MediaType:
        return replace(part, schema=self.schema(part.schema))

    def _body(self, body: RequestBody) -> RequestBody:
        return replace(body, content=tuple(self._once(each, self._with_schema) for each in body.content))

    def _response(self, response: ResponseSpec) -> ResponseSpec:
        return replace(response, content=tuple(self._once(each, self._with_schema) for each in response.content))
