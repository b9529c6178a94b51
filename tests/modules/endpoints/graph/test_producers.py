"""Who gives what another operation asks for."""

from typing import Any

import pytest

from backend.app.engine.spec.model import ApiDescription
from backend.app.engine.spec.normalise import describe
from backend.app.modules.endpoints.discovery.captures.model import Flow
from backend.app.modules.endpoints.graph.producers import Producers

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def object_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def api(paths: dict[str, Any], **schemas: Any) -> ApiDescription:
    return describe(
        {
            "openapi": "3.1.0",
            "info": {"title": "Shop", "version": "1"},
            "paths": paths,
            "components": {"schemas": schemas},
        }
    )


def answers(schema: Any, status: str = "200", **members: Any) -> dict[str, Any]:
    response = {"description": "ok", "content": {"application/json": {"schema": schema}}, **members}
    return {"responses": {status: response}}


def takes(schema: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def path(*names: str, schema: Any = NUMBER) -> dict[str, Any]:
    return {"parameters": [{"name": it, "in": "path", "required": True, "schema": schema} for it in names]}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


NOTHING = {"responses": {"204": {"description": "gone"}}}
USER = object_of(id=NUMBER, name=TEXT)


def links_of(description: ApiDescription, *flows: Flow) -> dict[tuple[str, str, str, str], float]:
    return {
        (it.producer, it.field, f"{it.location}.{it.parameter}", it.consumer): it.confidence
        for it in Producers(description).links(flows)
    }


def test_what_a_collection_makes_and_lists_names_its_items() -> None:
    found = links_of(
        api(
            {
                "/users": {
                    "post": answers(ref("User"), "201"),
                    "get": answers({"type": "array", "items": ref("User")}),
                },
                "/users/{id}": {"get": answers(ref("User")), "delete": NOTHING, **path("id")},
            },
            User=USER,
        )
    )
    assert found == {
        ("POST /users", "/id", "path.id", "GET /users/{id}"): 0.95,
        ("GET /users", "/0/id", "path.id", "GET /users/{id}"): 0.85,
        ("POST /users", "/id", "path.id", "DELETE /users/{id}"): 0.95,
        ("GET /users", "/0/id", "path.id", "DELETE /users/{id}"): 0.85,
    }


@pytest.mark.parametrize(
    ("parameter", "schema", "field"),
    [
        ("user_id", NUMBER, "/data/items/0/id"),
        ("userId", TEXT, "/data/items/0/uuid"),  # text: not the number
        ("uuid", TEXT, "/data/items/0/uuid"),
        ("slug", TEXT, "/data/items/0/slug"),
        ("owner", TEXT, "/data/items/0/owner/login"),
    ],
)
def test_the_field_that_fits_is_found_in_envelopes(parameter: str, schema: Any, field: str) -> None:
    owner = object_of(login=TEXT, full_name=TEXT)
    user = object_of(full_name=TEXT, id=NUMBER, slug=TEXT, uuid=TEXT, owner=owner)
    envelope = object_of(data=object_of(items={"type": "array", "items": user}))
    found = links_of(
        api(
            {
                "/users": {"get": answers(envelope)},
                f"/users/{{{parameter}}}": {"get": NOTHING, **path(parameter, schema=schema)},
            }
        )
    )
    assert [key[1] for key in found] == [field]


def test_the_id_of_a_nested_thing_is_not_that_of_another_with_its_name() -> None:
    comments = {"post": answers(object_of(id=NUMBER), "201")}
    found = links_of(
        api(
            {
                "/posts/{id}/comments": {**comments, **path("id")},
                "/photos/{id}/comments": {**comments, **path("id")},
                "/photos/{id}/comments/{comment_id}": {"get": NOTHING, **path("id", "comment_id")},
            }
        )
    )
    assert list(found) == [
        ("POST /photos/{id}/comments", "/id", "path.comment_id", "GET /photos/{id}/comments/{comment_id}")
    ]


def test_bodies_and_queries_name_things_of_other_collections() -> None:
    found = links_of(
        api(
            {
                "/users": {"post": answers(ref("User"), "201")},
                "/orders": {
                    "post": {**takes({**object_of(user_id=NUMBER, note=TEXT), "required": ["user_id"]}), **NOTHING},
                    "get": {"parameters": [{"name": "userId", "in": "query", "schema": NUMBER}], **NOTHING},
                },
            },
            User=USER,
        )
    )
    assert found == {
        ("POST /users", "/id", "body.user_id", "POST /orders"): 0.63,
        ("POST /users", "/id", "query.userId", "GET /orders"): 0.567,
    }


def test_other_paths_that_answer_the_same_schema_give_it_too() -> None:
    found = links_of(
        api(
            {
                "/register": {"post": answers(object_of(user=ref("Account")), "201")},
                "/search": {"get": answers({"type": "array", "items": ref("Account")})},
                "/users/{id}": {"get": answers(ref("Account")), **path("id")},
                "/users/{id}/friends": {"get": answers({"type": "array", "items": ref("Account")}), **path("id")},
            },
            Account=USER,
        )
    )
    consumers = "GET /users/{id}", "GET /users/{id}/friends"
    assert {key: value for key, value in found.items() if key[3] in consumers} == {
        ("GET /search", "/0/id", "path.id", consumer): 0.55 for consumer in consumers
    }


def test_where_nothing_makes_items_the_client_chooses_their_names() -> None:
    found = links_of(api({"/keys/{name}": {"put": NOTHING, "get": NOTHING, **path("name", schema=TEXT)}}))
    assert found == {("PUT /keys/{name}", "", "path.name", "GET /keys/{name}"): 0.7}


def test_a_parameter_with_the_whole_name_of_its_collection_is_one_of_it() -> None:
    rate, tax = object_of(id=TEXT), object_of(id=TEXT)
    found = links_of(
        api(
            {
                "/taxes": {"post": answers(tax, "201")},
                "/tax_rates": {"post": answers(rate, "201")},
                "/tax_rates/{tax_rate}": {"get": NOTHING, **path("tax_rate", schema=TEXT)},
            }
        )
    )
    assert list(found) == [("POST /tax_rates", "/id", "path.tax_rate", "GET /tax_rates/{tax_rate}")]


def test_a_link_of_the_description_is_certain() -> None:
    link = {"operationId": "readUser", "parameters": {"key": "$response.body#/number"}}
    found = links_of(
        api(
            {
                "/users": {"post": answers(object_of(number=NUMBER), "201", links={"read": link})},
                "/people/{key}": {"get": {"operationId": "readUser", **NOTHING}, **path("key")},
            }
        )
    )
    assert found == {("POST /users", "/number", "path.key", "GET /people/{key}"): 1.0}


def test_traffic_adds_to_what_is_read_off_names_and_finds_what_is_not() -> None:
    description = api(
        {
            "/users": {"post": answers(USER, "201")},
            "/users/{id}": {"get": NOTHING, **path("id")},
            "/login": {"post": answers(object_of(ticket=TEXT))},
        }
    )
    seen = Flow("POST /users", "/id", "GET /users/{id}", "path", "id", times=3, place="entry 7")
    odd = Flow("POST /login", "/ticket", "GET /users/{id}", "query", "t", times=1)
    unknown = Flow("POST /nowhere", "/id", "GET /users/{id}", "path", "id", times=9)
    assert links_of(description, seen, odd, unknown) == {
        ("POST /users", "/id", "path.id", "GET /users/{id}"): 0.988,
        ("POST /login", "/ticket", "query.t", "GET /users/{id}"): 0.5,
    }


def test_values_that_many_answers_held_say_less() -> None:
    paths = {"/users": {"post": answers(USER, "201")}, "/users/{id}": {"get": NOTHING, **path("id")}}
    description = api({**paths, "/login": {"post": NOTHING}, "/logout": {"post": NOTHING}})
    shared = Flow("POST /users", "/id", "GET /users/{id}", "path", "id", times=4, place="entry 7", share=0.25)
    rare = Flow("POST /login", "/ticket", "POST /logout", "body", "ticket", times=4, share=0.5)
    vague = Flow("POST /login", "/id", "POST /logout", "body", "id", times=1, share=0.5)
    found = {(it.producer, it.field): it for it in Producers(description).links([shared, rare, vague])}
    assert {key: it.confidence for key, it in found.items()} == {
        ("POST /users", "/id"): 0.975,
        ("POST /login", "/ticket"): 0.667,
    }
    named = found["POST /users", "/id"]
    assert (named.rule, named.others) == ("collection", (("traffic", "entry 7"),))


def test_schemas_that_refer_to_themselves_end() -> None:
    tree = object_of(id=NUMBER, data=ref("Tree"), items={"type": "array", "items": ref("Tree")})
    loop = {"type": "array", "items": ref("Loop")}
    description = api(
        {
            "/trees": {"get": answers(ref("Tree")), "post": answers(object_of(data=ref("Loop")))},
            "/trees/{id}": {"get": NOTHING, **path("id")},
        },
        Tree=tree,
        Loop=loop,
    )
    assert ("GET /trees", "/id", "path.id", "GET /trees/{id}") in links_of(description)
