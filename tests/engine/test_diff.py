from dataclasses import replace
from typing import Any

import pytest

from backend.app.engine.diff import diff_operations
from backend.app.engine.spec.model import (
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    Schema,
)

LIMIT = Parameter("limit", ParameterLocation.QUERY, schema={"type": "integer"}, style="form", explode=True)
BASE = Operation(
    "GET",
    "/users",
    parameters=(LIMIT,),
    body=RequestBody(False, (MediaType("application/json", {"type": "object"}),)),
    responses=(ResponseSpec("200", (MediaType("application/json", {"type": "array"}),)), ResponseSpec("404")),
    security=(("key",),),
)


def body(*, required: bool = False, content_type: str = "application/json", schema: Schema = True) -> RequestBody:
    return RequestBody(required, (MediaType(content_type, schema),))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parameters": ()}, ["parameter limit removed"]),
        (
            {"parameters": (LIMIT, Parameter("limit", ParameterLocation.HEADER))},
            ["header parameter limit added"],
        ),
        ({"parameters": (replace(LIMIT, required=True),)}, ["parameter limit became required"]),
        ({"parameters": (replace(LIMIT, schema={"type": "string"}),)}, ["parameter limit has another schema"]),
        ({"parameters": (replace(LIMIT, explode=False),)}, ["parameter limit is serialised in another way"]),
        ({"body": None}, ["request body removed"]),
        ({"body": body(required=True, schema={"type": "object"})}, ["request body became required"]),
        ({"body": body(schema={"type": "array"})}, ["request body as application/json has another schema"]),
        (
            {"body": body(content_type="text/xml")},
            ["request body as text/xml added", "request body as application/json removed"],
        ),
        ({"responses": BASE.responses[:1]}, ["response 404 removed"]),
        ({"responses": (*BASE.responses, ResponseSpec("5XX"))}, ["response 5XX added"]),
        (
            {"responses": (BASE.responses[0], ResponseSpec("404", required_headers=("ETag",)))},
            ["response 404 promises the header ETag"],
        ),
        ({"security": ()}, ["credentials are no longer required"]),
        ({"security": (("key",), ())}, ["credentials are no longer required"]),
        ({"security": (("other",),)}, ["accepted credentials changed"]),
        ({"server": "https://other.example"}, ["server changed"]),
        ({"deprecated": True}, ["deprecated"]),
        ({"summary": "x", "tags": ("x",), "operation_id": "x", "pointer": "/x"}, []),
        ({"responses": BASE.responses[::-1]}, []),
    ],
)
def test_a_change_is_said_in_words(change: dict[str, Any], words: list[str]) -> None:
    diff = diff_operations([BASE], [replace(BASE, **change)])
    assert [word for each in diff.changed for word in each.words] == words
    assert bool(diff) is bool(words)
    assert not diff.added
    assert not diff.gone


def test_operations_come_and_go() -> None:
    kept, old, new = Operation("GET", "/a"), Operation("PUT", "/a"), Operation("GET", "/b")
    diff = diff_operations([kept, old], [new, kept])
    assert (diff.added, diff.changed, diff.gone) == (("GET /b",), (), ("PUT /a",))
