"""Rules on operations, parameters, bodies and responses."""

from dataclasses import replace
from typing import Any

import pytest

from backend.app.engine.diff import Severity, diff_descriptions
from backend.app.engine.spec.model import (
    ApiDescription,
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
from backend.app.engine.spec.normalise import describe

LIMIT = Parameter("limit", ParameterLocation.QUERY, schema={"type": "integer"}, style="form", explode=True)
IDS = Parameter("ids", ParameterLocation.QUERY, schema={"type": "array"}, style="form", explode=True)
BASE = Operation(
    "GET",
    "/users",
    operation_id="listUsers",
    parameters=(LIMIT, IDS),
    body=RequestBody(False, (MediaType("application/json", {"type": "object"}),)),
    responses=(
        ResponseSpec("200", (MediaType("application/json", {"type": "array"}),), ("ETag",), {"next": {}}),
        ResponseSpec("404"),
    ),
    security=(("key",),),
    scopes={"key": ("read",)},
)
SCHEMES = {
    "key": SecurityScheme("key", SecurityKind.OAUTH2),
    "other": SecurityScheme("other", SecurityKind.API_KEY, ParameterLocation.HEADER, "X-Key"),
}


def api(*operations: Operation, **members: Any) -> ApiDescription:
    return ApiDescription("", "", "", **{"operations": operations, "security_schemes": SCHEMES, **members})


def body(*, required: bool = False, content_type: str = "application/json", schema: Schema = True) -> RequestBody:
    return RequestBody(required, (MediaType(content_type, schema),))


def answers(*responses: ResponseSpec) -> dict[str, Any]:
    return {"responses": responses}


OK = BASE.responses[0]


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ({"parameters": (IDS,)}, {"parameter.removed": "breaking"}),
        ({"parameters": (IDS, LIMIT, Parameter("page", ParameterLocation.QUERY))}, {"parameter.added": "safe"}),
        (
            {"parameters": (IDS, LIMIT, Parameter("page", ParameterLocation.QUERY, True))},
            {"parameter.added_required": "breaking"},
        ),
        (
            {"parameters": (IDS, replace(LIMIT, location=ParameterLocation.HEADER))},
            {"parameter.moved": "breaking"},
        ),
        ({"parameters": (IDS, replace(LIMIT, required=True))}, {"parameter.became_required": "breaking"}),
        ({"parameters": (replace(IDS, explode=False), LIMIT)}, {"parameter.serialisation": "breaking"}),
        ({"parameters": (IDS, replace(LIMIT, explode=False))}, {}),
        ({"parameters": (IDS, replace(LIMIT, schema={"type": "string"}))}, {"request.type.widened": "safe"}),
        ({"parameters": (IDS, replace(LIMIT, schema={"type": "array"}))}, {"request.type.unclear": "risky"}),
        ({"parameters": (IDS, replace(LIMIT, schema={"type": "object"}))}, {"request.type.replaced": "breaking"}),
        ({"body": None}, {"body.removed": "breaking"}),
        ({"body": body(required=True, schema={"type": "object"})}, {"body.became_required": "breaking"}),
        ({"body": body(schema={"type": "array"})}, {"request.type.replaced": "breaking"}),
        ({"body": body(content_type="text/xml")}, {"content.added": "safe", "content.removed": "breaking"}),
        ({"body": body(content_type="application/*", schema={"type": "object"})}, {}),
        (answers(OK), {"response.removed": "risky"}),
        (answers(BASE.responses[1]), {"response.removed_success": "breaking"}),
        (answers(*BASE.responses, ResponseSpec("5XX")), {"response.added": "safe"}),
        (answers(*BASE.responses, ResponseSpec("202")), {"response.added_success": "risky"}),
        (answers(replace(OK, status="2XX"), BASE.responses[1]), {}),
        (answers(replace(OK, required_headers=()), BASE.responses[1]), {"response.header_removed": "breaking"}),
        (
            answers(replace(OK, required_headers=("etag", "Age")), BASE.responses[1]),
            {"response.header_added": "safe"},
        ),
        (answers(replace(OK, content=()), BASE.responses[1]), {"content.removed": "breaking"}),
        (answers(replace(OK, links={}), BASE.responses[1]), {"response.link_removed": "risky"}),
        ({"security": ()}, {"security.loosened": "risky"}),
        ({"security": (("key",), ())}, {"security.loosened": "risky"}),
        ({"scopes": {}}, {"security.loosened": "risky"}),
        ({"scopes": {"key": ("read", "write")}}, {"security.refused": "breaking"}),
        ({"security": (("other",),)}, {"security.refused": "breaking"}),
        ({"security": (("key", "other"),)}, {"security.refused": "breaking"}),
        ({"security": (("key",), ("other",))}, {"security.alternative_added": "safe"}),
        ({"server": "https://other.example"}, {"operation.server": "risky"}),
        ({"deprecated": True}, {"operation.deprecated": "safe"}),
        ({"operation_id": "users"}, {"operation.id": "risky"}),
        ({"summary": "x", "tags": ("x",), "pointer": "/x", "responses": BASE.responses[::-1]}, {}),
    ],
)
def test_a_change_is_classified(change: dict[str, Any], rules: dict[str, str]) -> None:
    changes = diff_descriptions(api(BASE), api(replace(BASE, **change)))
    assert {each.rule: each.severity.value for each in changes} == rules
    assert {each.key for each in changes} <= {BASE.key}
    assert all(each.words and each.where for each in changes)


def test_credentials_become_required() -> None:
    (change,) = diff_descriptions(api(replace(BASE, security=())), api(BASE))
    assert (change.rule, change.severity) == ("security.required", Severity.BREAKING)


def test_a_scheme_is_told_by_what_is_sent() -> None:
    renamed = replace(BASE, security=(("same",),), scopes={"same": ("read",)})
    schemes = {"same": SecurityScheme("same", SecurityKind.OAUTH2)}
    assert diff_descriptions(api(BASE), api(renamed, security_schemes=schemes)) == ()


def test_operations_come_and_go() -> None:
    kept, old, new = Operation("GET", "/a"), Operation("PUT", "/a"), Operation("GET", "/b")
    retired = Operation("GET", "/c", deprecated=True)
    changes = diff_descriptions(api(kept, old, retired), api(new, kept))
    assert [(each.severity.value, each.rule, each.key) for each in changes] == [
        ("breaking", "operation.removed", "PUT /a"),
        ("risky", "operation.removed_deprecated", "GET /c"),
        ("safe", "operation.added", "GET /b"),
    ]


def test_the_name_of_a_path_parameter_is_not_sent() -> None:
    old = Operation("GET", "/users/{id}", parameters=(Parameter("id", ParameterLocation.PATH, True),))
    new = Operation("GET", "/users/{user}", parameters=(Parameter("user", ParameterLocation.PATH, True),))
    assert [(each.rule, each.key) for each in diff_descriptions(api(old), api(new))] == [
        ("operation.path_renamed", "GET /users/{user}")
    ]


def test_servers() -> None:
    def at(*servers: str, path: str = "/a") -> ApiDescription:
        return api(Operation("GET", path), servers=servers)

    old = at("https://a.example/v1")
    assert [each.rule for each in diff_descriptions(old, at("https://a.example/v2"))] == ["server.base_path"]
    assert [each.rule for each in diff_descriptions(old, at("https://b.example/v1"))] == [
        "server.removed",
        "server.added",
    ]
    assert [each.rule for each in diff_descriptions(old, at("https://a.example/v1", "https://b.example/v1"))] == [
        "server.added"
    ]
    # The same URLs, written in another way.
    assert [each.rule for each in diff_descriptions(old, at("https://a.example", path="/v1/a"))] == [
        "operation.path_renamed"
    ]


def test_what_a_webhook_sends_is_what_others_receive() -> None:
    def sending(schema: Schema) -> ApiDescription:
        return api(webhooks=(Operation("POST", "paid", body=body(schema=schema)),))

    old, new = sending({"required": ["a"], "properties": {"a": True}}), sending({"properties": {"a": True}})
    assert [each.rule for each in diff_descriptions(old, new)] == ["response.required.widened"]
    assert [(each.rule, each.key) for each in diff_descriptions(old, api())] == [
        ("operation.removed", "webhook POST paid")
    ]


def test_what_a_callback_sends_is_what_others_receive() -> None:
    def calling(schema: Schema | None, path: str = "/a/{id}", caller: str = "/paths/a/post") -> ApiDescription:
        sent = Operation("POST", "{$request.body#/url}", pointer=f"{caller}/callbacks/paid/x/post")
        if schema is not None:
            sent = replace(sent, body=body(schema=schema))
        return api(Operation("POST", path, pointer=caller), callbacks=(sent,))

    old = calling({"required": ["a"], "properties": {"a": True}})
    (change,) = diff_descriptions(old, calling({"properties": {"a": True}}, "/a/{user}", "/paths/b/post"))[:1]
    assert (change.rule, change.key) == ("response.required.widened", "POST /a/{user}")
    assert change.words == "callback paid: property a became optional"
    assert [each.rule for each in diff_descriptions(old, calling(None))] == ["content.removed"]
    without = replace(old, callbacks=())
    assert [(each.rule, each.words) for each in diff_descriptions(old, without)] == [
        ("callback.removed", "callback paid removed")
    ]
    assert [each.rule for each in diff_descriptions(without, old)] == ["callback.added"]
    assert diff_descriptions(old, old) == ()


def test_the_same_path_at_two_servers_is_two_operations() -> None:
    below, root = Operation("GET", "/a"), Operation("GET", "/a", server="/")
    assert [(each.key, each.rule) for each in diff_descriptions(api(root), api(below, root))] == [
        ("GET /a", "operation.added")
    ]
    (change,) = diff_descriptions(api(root, below), api(below, replace(root, deprecated=True)))
    assert (change.key, change.rule) == ("GET /a /", "operation.deprecated")


def test_where_tokens_are_got() -> None:
    def at(url: str) -> ApiDescription:
        flows = {"clientCredentials": {"tokenUrl": url, "scopes": ["read"]}}
        scheme = SecurityScheme("auth", SecurityKind.OAUTH2, flows=flows)
        return api(BASE, security_schemes={"auth": scheme})

    (change,) = diff_descriptions(at("https://a.test/token"), at("https://b.test/token"))
    assert (change.rule, change.severity, change.where) == ("security.address", Severity.RISKY, "security.auth")
    assert change.words == "auth, clientCredentials tokenUrl: https://a.test/token became https://b.test/token"
    assert diff_descriptions(at("https://a.test/token"), at("https://a.test/token")) == ()


def test_a_parameter_is_deprecated_before_it_is_removed() -> None:
    def read(*parameters: dict[str, Any]) -> ApiDescription:
        paths = {"/a": {"get": {"parameters": list(parameters), "responses": {}}}}
        return describe({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths})

    known = {"name": "q", "in": "query", "schema": {"type": "string"}}
    warned = read({**known, "deprecated": True})
    assert [(each.rule, each.severity) for each in diff_descriptions(read(known), warned)] == [
        ("deprecation", Severity.SAFE)
    ]
    assert [(each.rule, each.severity) for each in diff_descriptions(warned, read())] == [
        ("parameter.removed_deprecated", Severity.RISKY)
    ]


def test_a_value_that_was_only_null_is_told_as_such() -> None:
    def answering(kind: str) -> ApiDescription:
        content = (MediaType("application/json", {"type": kind}),)
        return api(Operation("GET", "/a", responses=(ResponseSpec("200", content),)))

    assert "response 200: type null became string" in [
        each.words for each in diff_descriptions(answering("null"), answering("string"))
    ]


def test_two_places_of_one_name_are_told_apart() -> None:
    header = Parameter("limit", ParameterLocation.HEADER)
    (change,) = diff_descriptions(api(BASE), api(replace(BASE, parameters=(*BASE.parameters, header))))
    assert change.words == "header parameter limit added"
