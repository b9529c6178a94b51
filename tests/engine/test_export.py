"""What is exported can be read again, and harms nobody's spreadsheet."""

import csv
import io
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backend.app.engine.export import as_csv, as_json, openapi_document
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    SecurityKind,
    SecurityScheme,
)
from backend.app.engine.spec.normalise import describe

USER = {"type": "object", "properties": {"id": {"type": "integer"}, "friend": {"$ref": "#/components/schemas/User"}}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "2"},
    "servers": [{"url": "https://shop.example/v2"}, {"url": "/"}],
    "tags": [{"name": "users"}],
    "security": [{"token": ["read"]}],
    "paths": {
        "/users/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {
                "operationId": "user",
                "summary": "One user",
                "tags": ["users"],
                "parameters": [
                    {"name": "fields", "in": "query", "style": "pipeDelimited", "schema": {"type": "array"}},
                    {"name": "filter", "in": "query", "content": {"application/json": {"schema": True, "example": 1}}},
                    {"name": "X-Trace", "in": "header", "required": True, "schema": {"const": {"$ref": "kept"}}},
                ],
                "responses": {
                    "200": {
                        "description": "x",
                        "headers": {"ETag": {"required": True, "schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}},
                        "links": {"again": {"operationId": "user", "parameters": {"id": "$response.body#/id"}}},
                    },
                    "4XX": {"description": "x"},
                    "default": {"description": "x", "content": {"text/plain": {}}},
                },
            },
            "put": {
                "deprecated": True,
                "security": [{"key": []}, {}],
                "servers": [{"url": "https://other.example"}],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "examples": {"a": {"value": {"id": 1}}, "b": {"value": None}},
                            "schema": {
                                "oneOf": [{"$ref": "#/components/schemas/User"}, {"$ref": "#/components/schemas/Bot"}],
                                "discriminator": {"propertyName": "kind", "mapping": {"u": "User"}},
                            },
                        }
                    },
                },
                "responses": {"204": {"description": "x"}},
                "callbacks": {
                    "saved": {"{$request.body#/url}": {"post": {"responses": {"200": {"description": "x"}}}}}
                },
            },
        }
    },
    "webhooks": {"joined": {"post": {"requestBody": {"content": {"application/json": {"schema": True}}}}}},
    "components": {
        "schemas": {"User": USER, "Bot": {"allOf": [{"$ref": "#/components/schemas/User"}, {"required": ["id"]}]}},
        "securitySchemes": {
            "basic": {"type": "http", "scheme": "basic"},
            "digest": {"type": "http", "scheme": "digest"},
            "key": {"type": "apiKey", "in": "cookie", "name": "sid"},
            "token": {
                "type": "oauth2",
                "flows": {
                    "clientCredentials": {"tokenUrl": "https://shop.example/t", "scopes": {"read": "", "write": ""}}
                },
            },
            "oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://shop.example/.well-known"},
            "tls": {"type": "mutualTLS"},
        },
    },
}


def comparable(description: ApiDescription) -> ApiDescription:
    def placeless(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
        return tuple(replace(operation, pointer="") for operation in operations)

    return replace(
        description,
        operations=placeless(description.operations),
        webhooks=placeless(description.webhooks),
        callbacks=placeless(description.callbacks),
        faults=(),
        dialect="",
    )


def read(document: dict[str, Any]) -> ApiDescription:
    return describe(orjson.loads(orjson.dumps(document)))


def test_a_description_survives_the_way_out_and_in() -> None:
    before = read(DOCUMENT)
    after = read(openapi_document(before))
    assert comparable(after) == comparable(before)
    assert after.faults == ()
    assert len(after.callbacks) == len(after.webhooks) == 1


NAMES = st.sampled_from(["a", "$ref", "items", "a/b", "~", "type"])
SCHEMAS = st.recursive(
    st.sampled_from([True, {"type": "string"}, {"$ref": "#/$defs/Thing"}, {"enum": [1, "$ref"]}]),
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner, max_size=2).map(lambda members: {"type": "object", "properties": members}),
        inner.map(lambda schema: {"type": "array", "items": schema}),
        st.lists(inner, min_size=1, max_size=2).map(lambda members: {"anyOf": members}),
    ),
    max_leaves=4,
)
CONTENTS = st.lists(
    st.builds(
        MediaType,
        st.sampled_from(["application/json", "text/plain", "*/*"]),
        SCHEMAS,
        st.lists(st.sampled_from([1, "x", None, {"a": []}]), max_size=2).map(tuple),
    ),
    max_size=2,
    unique_by=lambda media: media.content_type,
).map(tuple)
OPERATIONS = st.builds(
    Operation,
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH"]),
    path=st.sampled_from(["/", "/a", "/a/b-c", "/users?beta=true"]),
    summary=NAMES,
    tags=st.lists(NAMES, unique=True, max_size=2).map(tuple),
    deprecated=st.booleans(),
    parameters=st.lists(
        st.builds(
            Parameter,
            NAMES,
            st.just(ParameterLocation.QUERY),
            required=st.booleans(),
            schema=SCHEMAS,
            style=st.just("form"),
            explode=st.booleans(),
        ),
        max_size=2,
        unique_by=lambda parameter: parameter.name,
    ).map(tuple),
    body=st.none() | st.builds(RequestBody, st.booleans(), CONTENTS),
    responses=st.lists(
        st.builds(ResponseSpec, st.sampled_from(["200", "4XX", "default"]), CONTENTS, st.just(("X",))),
        max_size=2,
        unique_by=lambda response: response.status,
    ).map(tuple),
    security=st.sampled_from([(), (("key",),), (("key",), ())]),
)


@settings(max_examples=40, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(OPERATIONS, max_size=3, unique_by=lambda operation: operation.key),
    SCHEMAS.filter(lambda it: "$ref" not in str(it)),
)
def test_any_description_survives_it(operations: list[Operation], thing: Any) -> None:
    written = ApiDescription(
        "T",
        "1",
        "",
        servers=("/",),
        operations=tuple(operations),
        definitions={"Thing": thing},
        security_schemes={"key": SecurityScheme("key", SecurityKind.BEARER, scheme="bearer")},
    )
    after = comparable(read(openapi_document(written)))
    by_key = {operation.key: operation for operation in after.operations}
    assert by_key == {operation.key: operation for operation in written.operations}
    assert replace(after, operations=()) == replace(comparable(written), operations=())


def described(*operations: Operation, **members: Any) -> ApiDescription:
    return ApiDescription("", "", "", **{"operations": operations, **members})


def test_what_others_know_stands_at_the_operation() -> None:
    document = openapi_document(described(Operation("GET", "/a")), {"GET /a": {"state": "shadow"}, "GET /b": {}})
    assert document["paths"]["/a"]["get"]["x-touchstone"] == {"state": "shadow"}


def test_paths_that_only_name_their_parameters_differently_become_one() -> None:
    def at(method: str, path: str, *names: str) -> Operation:
        parameters = tuple(Parameter(name, ParameterLocation.PATH, True, {"type": "integer"}) for name in names)
        return Operation(method, path, parameters=parameters)

    document = openapi_document(
        described(at("GET", "/a/{id}", "id"), at("PUT", "/a/{key}", "key"), at("GET", "/{x}/{x}"))
    )
    assert [list(item) for item in document["paths"].values()] == [["get", "put"], ["get"]]
    assert document["paths"]["/a/{id}"]["put"]["parameters"][0]["name"] == "id"
    after = read(document)
    assert after.faults == ()
    assert [operation.key for operation in after.operations] == ["GET /a/{id}", "PUT /a/{id}", "GET /{x}/{x_2}"]


def test_what_has_no_place_is_not_lost() -> None:
    whole = Parameter("q", ParameterLocation.QUERYSTRING, schema={"type": "object"}, content_type="application/json")
    document = openapi_document(
        described(Operation("*", "/any"), Operation("QUERY", "/a"), Operation("GET", "/a", parameters=(whole,)))
    )
    assert document["paths"]["/any"]["get"]["x-touchstone-any-method"] is True
    assert list(document["paths"]["/a"]["x-touchstone-methods"]) == ["QUERY"]
    assert document["paths"]["/a"]["get"]["x-touchstone-querystring"][0].keys() == {"application/json"}
    assert read(document).faults == ()


def test_operations_of_one_path_are_all_kept() -> None:
    below, root = Operation("GET", "/a", "list", "Below"), Operation("GET", "/a", "list", "At the root", server="/")
    other = Operation("DELETE", "/{key}", "drop")
    item, named = openapi_document(
        described(below, root, Operation("DELETE", "/{id}", "remove"), other, servers=("https://api.test/v1",))
    )["paths"].values()
    assert item["get"]["servers"] == [{"url": "https://api.test/v1"}, {"url": "/"}]
    assert [(each["method"], each["summary"]) for each in item["x-touchstone-also"]] == [("GET", "At the root")]
    assert item["x-touchstone-also"][0]["operationId"] == "list_2"
    assert [(each["path"], each["operationId"]) for each in named["x-touchstone-also"]] == [("/{key}", "drop")]


def test_names_of_components_are_made_valid() -> None:
    definitions = {"a b": {"$ref": "#/$defs/a/b"}, "a/b": {"type": "string"}}
    document = openapi_document(described(definitions=definitions))
    assert document["components"]["schemas"] == {
        "a_b": {"$ref": "#/components/schemas/a_b_2"},
        "a_b_2": {"type": "string"},
    }


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    rows: list[dict[str, Any]] = [
        {"path": text, "tags": [text, "b"], "fine": "a=1"},
        {"path": 1, "tags": None, "fine": -1},
    ]
    header, first, second = csv.reader(io.StringIO(as_csv(rows), newline=""))
    assert header == ["path", "tags", "fine"]
    assert first == [f"'{text}", f"'{text}; b", "a=1"]
    assert second == ["1", "", "-1"]


def test_rows_as_json() -> None:
    rows = [{"path": "/a", "tags": ["x"]}]
    assert orjson.loads(as_json(rows)) == rows
    assert as_csv([]) == ""
