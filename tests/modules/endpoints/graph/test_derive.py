"""What an inventory says of what belongs together."""

from typing import Any

from backend.app.modules.endpoints.discovery.captures.model import Flow
from backend.app.modules.endpoints.graph.derive import Graph, Key, derive
from tests.modules.endpoints.graph.test_producers import (
    NOTHING,
    NUMBER,
    TEXT,
    USER,
    answers,
    api,
    object_of,
    path,
    ref,
    takes,
)

SHOP: dict[str, Any] = {
    "/api/v1/users": {
        "post": {**takes(ref("UserDraft")), **answers(ref("User"), "201")},
        "get": answers(object_of(data={"type": "array", "items": ref("User")})),
    },
    "/api/v1/users/{id}": {"get": answers(ref("User")), **path("id")},
    "/api/v1/users/{user_id}/orders": {
        "post": answers(object_of(number=NUMBER, total=NUMBER), "201"),
        **path("user_id"),
    },
    "/api/v1/login": {"post": NOTHING},
}


def spoken(key: Key) -> str:
    return f"{key[0]} {key[1]}"


def relationships(graph: Graph, kind: str) -> dict[tuple[str, str], float]:
    return {
        (spoken(source), spoken(target)): it.confidence
        for (type_, source, target), it in graph.relationships.items()
        if type_ == kind
    }


def shop() -> Graph:
    return derive(api(SHOP, User=USER, UserDraft=object_of(name=TEXT), Unused=USER))


def test_paths_make_resources_and_their_parts() -> None:
    graph = shop()
    found = {spoken(key): it.confidence for key, it in graph.entities.items() if key[0] in ("service", "resource")}
    assert found == {"service Shop": 1.0, "resource user": 0.95, "resource order": 0.4, "resource login": 0.4}
    parts = relationships(graph, "part_of")
    assert parts[("resource user", "service Shop")] == 0.95
    assert parts[("resource order", "resource user")] == 0.4
    assert parts[("operation POST /api/v1/users", "resource user")] == 0.95
    assert parts[("operation POST /api/v1/users/{user_id}/orders", "resource order")] == 0.4
    assert parts[("parameter path /api/v1/users/{id}", "resource user")] == 0.95


def test_bodies_make_schemas_also_those_in_place() -> None:
    graph = shop()
    assert {name for kind, name in graph.entities if kind == "schema"} == {
        "User",
        "UserDraft",
        "POST /api/v1/users/{user_id}/orders 201",
    }
    produced = {key: value for key, value in relationships(graph, "produces").items() if key[1].startswith("schema")}
    assert produced == {
        ("operation POST /api/v1/users", "schema User"): 1.0,
        ("operation GET /api/v1/users", "schema User"): 0.9,
        ("operation GET /api/v1/users/{id}", "schema User"): 1.0,
        ("operation POST /api/v1/users/{user_id}/orders", "schema POST /api/v1/users/{user_id}/orders 201"): 1.0,
    }
    assert relationships(graph, "consumes")[("operation POST /api/v1/users", "schema UserDraft")] == 1.0


def test_producers_make_dependencies_with_their_bindings_and_evidence() -> None:
    graph = shop()
    user, users = ("operation", "GET /api/v1/users/{id}"), ("operation", "POST /api/v1/users")
    (needed,) = [
        it for key, it in graph.relationships.items() if (key[0], key[1], key[2]) == ("depends_on", user, users)
    ]
    assert needed.properties["bindings"] == [
        {"field": "/id", "location": "path", "parameter": "id", "required": True, "confidence": 0.95}
    ]
    assert needed.evidence == [("collection", "/paths/~1api~1v1~1users/post")]
    given = relationships(graph, "produces")
    assert given[("operation POST /api/v1/users", "parameter path /api/v1/users/{id}")] == 0.95


def test_what_means_the_same_refers_to_one() -> None:
    point = object_of(x=NUMBER, y=NUMBER, z=NUMBER)
    paths = {
        **SHOP,
        "/points": {"post": {**takes(ref("Point")), **answers(ref("Spot"))}},
        "/far": {"post": {**takes(object_of(x=NUMBER, y=NUMBER, z=TEXT, userId=NUMBER)), **NOTHING}},
    }
    graph = derive(api(paths, User=USER, UserDraft=object_of(name=TEXT), Point=point, Spot=point))
    assert relationships(graph, "same_as") == {
        ("schema Spot", "schema Point"): 0.65,
        ("parameter path /api/v1/users/{user_id}", "parameter path /api/v1/users/{id}"): 0.95,
        ("parameter body userId", "parameter path /api/v1/users/{id}"): 0.8,
    }


def test_traffic_makes_dependencies() -> None:
    flow = Flow("POST /api/v1/login", "/session", "GET /api/v1/users/{id}", "header", "X-Session", 4, "entry 9")
    graph = derive(api(SHOP, User=USER, UserDraft=object_of(name=TEXT)), [flow])
    key = ("operation GET /api/v1/users/{id}", "operation POST /api/v1/login")
    assert relationships(graph, "depends_on")[key] == 0.8


def test_an_inventory_without_anything_is_a_service() -> None:
    assert [spoken(key) for key in derive(api({})).entities] == ["service Shop"]
