"""Two descriptions that call different things the same."""

from dataclasses import replace
from typing import Any

import pytest

from backend.app.engine.export import openapi_document
from backend.app.engine.spec.model import ApiDescription
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.qualify import qualified


def description(kind: str, header: str) -> ApiDescription:
    user = {"type": "object", "properties": {"id": {"type": kind}, "boss": {"$ref": "#/components/schemas/User"}}}
    pet = {
        "oneOf": [{"$ref": "#/components/schemas/User"}],
        "discriminator": {"propertyName": "kind", "mapping": {"u": "#/components/schemas/User"}},
    }
    content = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}
    operation: dict[str, Any] = {
        "parameters": [{"name": "user", "in": "query", "schema": {"$ref": "#/components/schemas/User"}}],
        "requestBody": content,
        "responses": {"200": {"description": "", **content}},
        "security": [{"key": []}],
    }
    return describe(
        {
            "openapi": "3.1.0",
            "info": {"title": "T", "version": "1"},
            "paths": {"/users": {"post": operation}},
            "webhooks": {"made": {"post": operation}},
            "components": {
                "schemas": {"User": user, "Pet": pet},
                "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": header}},
            },
        }
    )


@pytest.mark.parametrize("name", ["admin", "équipe/admin v2.yaml"])
def test_names_of_one_description_are_told_apart_from_those_of_others(name: str) -> None:
    public, admin = description("string", "X-Public"), description("integer", "X-Admin")
    other = qualified(admin, name)
    (operation,) = other.operations
    assert operation.pointer == f"{name}#/paths/~1users/post"
    both = replace(
        public,
        operations=(*public.operations, replace(operation, path="/admin/users")),
        definitions={**public.definitions, **other.definitions},
        security_schemes={**public.security_schemes, **other.security_schemes},
    )
    assert len(both.definitions) == 4
    read = describe(openapi_document(both))
    assert read.faults == ()
    found = {each.path: each for each in read.operations}
    assert [read.security_schemes[found[path].security[0][0]].parameter for path in ("/users", "/admin/users")] == [
        "X-Public",
        "X-Admin",
    ]
    for path, kind in (("/users", "string"), ("/admin/users", "integer")):
        schema = found[path].parameters[0].schema
        assert isinstance(schema, dict)
        user = read.definitions[schema["$ref"].removeprefix("#/$defs/")]
        assert isinstance(user, dict)
        assert (user["properties"]["id"], user["properties"]["boss"]) == ({"type": kind}, schema)
        body = found[path].body
        assert body is not None
        pet = body.content[0].schema
        assert isinstance(pet, dict)
        pet = read.definitions[pet["$ref"].removeprefix("#/$defs/")]
        assert isinstance(pet, dict)
        assert pet["discriminator"]["mapping"] == {"u": schema["$ref"]}


def test_two_names_never_make_the_same() -> None:
    made = [qualified(description("string", "X"), name).definitions.keys() for name in ("a b", "a_b", "a+b")]
    assert len(set().union(*made)) == 6
