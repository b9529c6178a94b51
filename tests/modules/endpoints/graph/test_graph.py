"""The graph of a project, as a client sees it."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.permissions import system_principal
from backend.app.modules.endpoints.graph import handlers
from backend.app.modules.endpoints.graph.derive import derive
from backend.app.modules.endpoints.graph.models import EntityRecord, RelationshipRecord
from backend.app.modules.endpoints.graph.service import Dependency, GraphService
from tests.modules.endpoints.discovery.captures.build import exchange, har
from tests.modules.endpoints.graph.conftest import ID, USERS, answering
from tests.modules.endpoints.test_inventory import archive, upload
from tests.support.bench import ALICE, BOB, Bench, document, operation
from tests.support.paging import next_page

ORDERS = {
    **USERS,
    "/users/{id}/orders": operation(
        "post", **answering({"type": "object", "properties": {"total": {"type": "integer"}}})
    ),
}


@pytest.fixture
async def project(bench: Bench) -> str:
    project_id = await bench.project(base_url="http://127.0.0.1:9")
    await bench.discover(project_id, {"document": document(USERS)})
    return project_id


async def entities(bench: Bench, project: str, query: str = "limit=200") -> dict[str, Any]:
    rows = await bench.call("GET", f"/projects/{project}/entities?{query}")
    return {f"{row['type']} {row['name']}": row for row in rows}


async def relationships(bench: Bench, project: str, query: str = "limit=200") -> list[Any]:
    rows: list[Any] = await bench.call("GET", f"/projects/{project}/relationships?{query}")
    return rows


async def entity(bench: Bench, project: str, name: str, kind: str = "resource", **fields: Any) -> str:
    body = {"type": kind, "name": name, **fields}
    return str((await bench.call("POST", f"/projects/{project}/entities", body, status=201))["id"])


async def relate(bench: Bench, project: str, source: str, target: str, kind: str = "part_of", **fields: Any) -> str:
    body = {"type": kind, "source_id": source, "target_id": target, **fields}
    return str((await bench.call("POST", f"/projects/{project}/relationships", body, status=201))["id"])


async def test_a_discovery_derives_the_graph(bench: Bench, project: str) -> None:
    found = await entities(bench, project)
    assert set(found) == {
        "service Things",
        "resource user",
        "operation POST /users",
        "operation GET /users/{id}",
        "schema POST /users 200",
        "parameter path /users/{id}",
    }
    assert {(row["origin"], row["version"]) for row in found.values()} == {("derived", 1)}
    assert found["resource user"]["evidence"] == [{"rule": "path", "place": "/users"}]
    (needed,) = await relationships(bench, project, "type=depends_on")
    assert needed["source_id"] == found["operation GET /users/{id}"]["id"]
    assert needed["target_id"] == found["operation POST /users"]["id"]
    assert (needed["confidence"], needed["origin"]) == (0.95, "derived")
    events = await bench.call("GET", f"/projects/{project}/events?name=graph.derived")
    counts = {"entities": 6, "relationships": 8, "added": 14, "changed": 0, "removed": 0}
    assert [event["payload"] for event in events] == [{"project_id": project, **counts}]


async def test_another_discovery_keeps_ids_and_what_is_a_persons(bench: Bench, project: str) -> None:
    before = await entities(bench, project)
    own = await entity(bench, project, "invoice", properties={"team": "billing"})
    tie = await relate(bench, project, own, before["operation GET /users/{id}"]["id"])
    denied = (await relationships(bench, project, "type=depends_on"))[0]["id"]
    await bench.call("PATCH", f"/projects/{project}/relationships/{denied}", {"confidence": 0})
    await bench.discover(project, {"document": document({"/users": ORDERS["/users"], "/pets": operation()})})
    after = await entities(bench, project)
    assert {name: after[name]["id"] for name in before.keys() & after.keys()} == {
        name: before[name]["id"] for name in before.keys() & after.keys()
    }
    assert "resource pet" in after
    assert "parameter path /users/{id}" not in after
    assert after["resource invoice"]["properties"] == {"team": "billing"}
    # Nothing vouches for it, but somebody's relationship leads there.
    assert after["operation GET /users/{id}"]["confidence"] == 0
    kept = {row["id"]: row["confidence"] for row in await relationships(bench, project)}
    assert (kept[tie], kept[denied]) == (1, 0)
    again = await bench.discover(project, {"document": document({"/users": ORDERS["/users"], "/pets": operation()})})
    assert again["status"] == "completed"
    assert await entities(bench, project) == after
    await bench.discover(project, {"document": document(USERS)})
    assert (await entities(bench, project))["operation GET /users/{id}"]["confidence"] == 1


async def test_a_source_that_is_taken_away_leaves_the_graph(bench: Bench, project: str) -> None:
    await bench.call("DELETE", f"/projects/{project}/endpoints/sources?slot=openapi")
    await bench.drain()
    assert await entities(bench, project) == {}
    events = await bench.call("GET", f"/projects/{project}/events?name=inventory_source.removed")
    assert [event["payload"]["slot"] for event in events] == ["openapi"]


async def test_an_earlier_discovery_does_not_bring_back_what_a_later_one_lost(bench: Bench, project: str) -> None:
    await bench.discover(project, {"document": document({"/pets": operation()})})
    late = await entities(bench, project)
    await bench.due_again("done")
    await bench.drain()
    assert await entities(bench, project) == late


async def test_an_entity_is_created_once(bench: Bench, project: str) -> None:
    body = {"type": "resource", "name": "cart", "properties": {"deep": {"list": [1, None]}}}
    path, key = f"/projects/{project}/entities", {"Idempotency-Key": new_ulid()}
    first = await bench.client.post(path, json=body, headers=key)
    same = await bench.client.post(path, json=body, headers=key)
    taken = await bench.client.post(path, json=body)
    other = await bench.client.post(path, json={**body, "type": "schema"})
    assert (first.status_code, same.json()["data"], other.status_code) == (201, first.json()["data"], 201)
    assert first.headers["etag"] == '"1"'
    assert (taken.status_code, taken.json()["code"]) == (409, "entity.taken")
    made = first.json()["data"]
    assert made == await bench.call("GET", f"{path}/{made['id']}")
    assert {name: made[name] for name in body} == body
    assert (made["origin"], made["confidence"], made["evidence"]) == ("person", 1, [])


async def test_many_at_once_make_one(bench: Bench, project: str) -> None:
    body = {"type": "resource", "name": "cart"}
    made = await asyncio.gather(*(bench.client.post(f"/projects/{project}/entities", json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in made) == [201] + [409] * 7


BAD = [
    {"type": "thing", "name": "x"},
    {"type": "resource", "name": ""},
    {"type": "resource", "name": "a\nb"},
    {"type": "resource", "name": "x" * 601},
    {"type": "resource", "name": "x", "confidence": 1.1},
    {"type": "resource", "name": "x", "properties": []},
    {"type": "resource", "name": "x", "properties": {"a": "x" * 20_000}},
    {"type": "resource", "name": "x", "properties": {str(n): n for n in range(65)}},
    {"type": "resource", "name": "x", "properties": {"a": [[[[[[[[1]]]]]]]]}},
    {"type": "resource", "name": "x", "properties": {"a": "\0"}},
    {"type": "resource", "name": "x", "origin": "derived"},
]


async def test_what_is_no_entity_is_refused(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    for body in BAD:
        await bench.call("POST", f"/projects/{project}/entities", body, status=422)
    assert await entities(bench, project) == {}


async def test_an_edit_of_an_old_version_is_refused(bench: Bench, project: str) -> None:
    path = f"/projects/{project}/entities/{await entity(bench, project, 'cart')}"
    edited = await bench.client.patch(path, json={"name": "basket"}, headers={"If-Match": '"1"'})
    stale = await bench.client.patch(path, json={"name": "bag"}, headers={"If-Match": '"1"'})
    nothing = await bench.client.patch(path, json={"name": "basket"})
    taken = await bench.client.patch(path, json={"name": "user"})
    stale_delete = await bench.client.delete(path, headers={"If-Match": '"1"'})
    deleted = await bench.client.delete(path, headers={"If-Match": '"2"'})
    answers = [edited, stale, nothing, taken, stale_delete, deleted, await bench.client.get(path)]
    assert [answer.status_code for answer in answers] == [200, 412, 200, 409, 412, 200, 404]
    assert edited.headers["etag"] == nothing.headers["etag"] == '"2"'
    names = [name for name in await bench.events(project) if name.startswith("entity.")]
    assert names == ["entity.created", "entity.updated", "entity.deleted"]


async def test_what_was_derived_becomes_a_persons_by_an_edit(bench: Bench, project: str) -> None:
    user = (await entities(bench, project))["resource user"]
    path = f"/projects/{project}/entities/{user['id']}"
    renamed = await bench.client.patch(path, json={"name": "person"})
    for answer in (renamed, await bench.client.delete(path)):
        assert (answer.status_code, answer.json()["code"]) == (409, "entity.derived")
    edited = await bench.call("PATCH", path, {"properties": {"owner": "accounts"}})
    assert (edited["origin"], edited["version"], edited["evidence"]) == ("person", 2, user["evidence"])
    await bench.discover(project, {"document": document({"/pets": operation()})})
    assert (await bench.call("GET", path)) == edited
    await bench.call("DELETE", path)


async def test_a_relationship_joins_two_entities_of_its_project(bench: Bench, project: str) -> None:
    elsewhere = await bench.project(base_url="http://127.0.0.1:9")
    ends = [await entity(bench, project, "one"), await entity(bench, project, "two")]
    foreign = await entity(bench, elsewhere, "foreign")
    path = f"/projects/{project}/relationships"
    body = {"type": "depends_on", "source_id": ends[0], "target_id": ends[1]}
    made = await bench.call("POST", path, {**body, "name": "needs", "properties": {"n": 1}}, status=201)
    refused = {
        (409, "relationship.taken"): body,
        (422, "relationship.unknown_end"): {**body, "target_id": foreign},
        (422, "request.invalid"): {**body, "target_id": ends[0]},
    }
    for (status, code), wrong in refused.items():
        assert (await bench.call("POST", path, wrong, status=status))["code"] == code
    edited = await bench.call("PATCH", f"{path}/{made['id']}", {"name": "asks"})
    assert (edited["name"], edited["properties"], edited["version"]) == ("asks", {"n": 1}, 2)
    await bench.call("POST", path, {**body, "type": "same_as"}, status=201)
    await bench.call("DELETE", f"{path}/{made['id']}")
    await bench.call("DELETE", f"/projects/{project}/entities/{ends[0]}")
    assert await relationships(bench, project, "origin=person") == []
    derived = (await relationships(bench, project, "type=depends_on"))[0]
    answer = await bench.call("DELETE", f"{path}/{derived['id']}", status=409)
    assert answer["code"] == "relationship.derived"
    names = [name for name in await bench.events(project) if name.startswith("relationship.")]
    assert names == ["relationship.created", "relationship.updated", "relationship.created", "relationship.deleted"]


async def test_lists_are_filtered_and_paged(bench: Bench, project: str) -> None:
    for name, confidence in (("50%_off", 0.3), ("Half", 0.8)):
        await entity(bench, project, name, "schema", confidence=confidence)
    expected = {
        "type=schema": {"schema POST /users 200", "schema 50%_off", "schema Half"},
        "type=schema&origin=person": {"schema 50%_off", "schema Half"},
        "type=schema&min_confidence=0.8": {"schema POST /users 200", "schema Half"},
        "name=%25_O": {"schema 50%_off"},
        "name=half": {"schema Half"},
    }
    for query, names in expected.items():
        assert set(await entities(bench, project, query)) == names, query
    seen, url = [], f"/projects/{project}/entities?limit=3"
    while url:
        answer = await bench.client.get(url)
        seen += [row["id"] for row in answer.json()["data"]]
        url = next_page(answer)
    assert seen == [row["id"] for row in (await entities(bench, project)).values()]
    user = (await entities(bench, project))["operation POST /users"]["id"]
    both = [await relationships(bench, project, f"{end}_id={user}") for end in ("source", "target")]
    assert {row["type"] for row in both[0]} == {"part_of", "produces"}
    assert [row["type"] for row in both[1]] == ["depends_on"]


async def test_neighbours_are_those_within_reach(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    ids = {name: await entity(bench, project, name) for name in "abcde"}
    for source, target in ("ab", "bc", "cd", "ea"):
        await relate(bench, project, ids[source], ids[target], "depends_on" if source == "e" else "part_of")

    async def near(query: str) -> tuple[list[str], int]:
        found = await bench.call("GET", f"/projects/{project}/entities/{ids['a']}/neighbours?{query}")
        assert found["complete"]
        return [row["name"] for row in found["entities"]], len(found["relationships"])

    assert await near("") == (["b", "e"], 2)
    assert await near("direction=out&depth=3") == (["b", "c", "d"], 3)
    assert await near("direction=in&depth=3") == (["e"], 1)
    assert await near("depth=2&type=part_of") == (["b", "c"], 2)
    await bench.call("GET", f"/projects/{project}/entities/{ids['a']}/neighbours?depth=4", status=422)


async def test_paths_lead_along_relationships(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    ids = {name: await entity(bench, project, name) for name in "abcd"}
    names = {row_id: name for name, row_id in ids.items()}
    ties = {pair: await relate(bench, project, ids[pair[0]], ids[pair[1]]) for pair in ("ab", "bd", "ac", "cd", "da")}
    await relate(bench, project, ids["a"], ids["d"], "same_as")

    async def ways(query: str = "") -> list[str]:
        url = f"/projects/{project}/graph/paths?from={ids['a']}&to={ids['d']}{query}"
        found = await bench.call("GET", url)
        assert {row["id"] for row in found["entities"]} == {it for way in found["paths"] for it in way["entity_ids"]}
        return ["".join(names[it] for it in way["entity_ids"]) for way in found["paths"]]

    assert sorted(await ways()) == ["abd", "acd", "ad"]
    assert sorted(await ways("&types=part_of")) == ["abd", "acd"]
    assert sorted(await ways("&types=part_of,same_as")) == ["abd", "acd", "ad"]
    assert await ways("&max_length=1") == ["ad"]
    assert await ways("&limit=1") == ["ad"]
    await bench.call("PATCH", f"/projects/{project}/relationships/{ties['ab']}", {"confidence": 0})
    assert sorted(await ways()) == ["acd", "ad"]
    nowhere = f"/projects/{project}/graph/paths?from={ids['a']}&to={new_ulid()}"
    assert (await bench.call("GET", nowhere, status=404))["code"] == "entity.not_found"


async def test_test_sequences_learn_who_needs_whom(bench: Bench, project: str) -> None:
    own = [await entity(bench, project, name, "operation") for name in ("POST /login", "GET /me")]
    await relate(bench, project, own[1], own[0], "depends_on", confidence=0.5)
    await relate(bench, project, own[0], own[1], "depends_on", confidence=0)
    async with bench.database.transaction(write=False) as session:
        principal = system_principal(ALICE)
        context = ServiceContext(bench.settings, session, bench.hub, principal, utc_now, "request")
        assert list(await GraphService(context).dependencies(project)) == [
            Dependency("POST /users", "/id", "GET /users/{id}", "path", "id", 0.95),
            Dependency("POST /login", "", "GET /me", "", "", 0.5),
        ]


async def test_another_workspace_finds_nothing(bench: Bench, project: str) -> None:
    one = (await entities(bench, project))["resource user"]["id"]
    tie = (await relationships(bench, project))[0]["id"]
    pair = {"type": "same_as", "source_id": one, "target_id": new_ulid()}
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/entities", None),
        ("POST", "/entities", {"type": "resource", "name": "mine"}),
        *((method, f"/entities/{one}", body) for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None))),
        ("GET", f"/entities/{one}/neighbours", None),
        ("GET", "/relationships", None),
        ("POST", "/relationships", pair),
        *((method, f"/relationships/{tie}", body) for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None))),
        ("GET", f"/graph/paths?from={one}&to={one}", None),
    ]
    async with bench.client_of(BOB) as bob, bench.client_of(None) as nobody:
        for method, path, body in asked:
            options = {} if body is None else {"json": body}
            url = f"/projects/{project}{path}"
            assert (await bob.request(method, url, **options)).status_code == 404, path
            assert (await nobody.request(method, url, **options)).status_code == 401, path
        mine = await bob.post("/projects", json={"name": "Bob's", "base_url": "http://127.0.0.1:9"})
        foreign = await bob.post(f"/projects/{mine.json()['data']['id']}/relationships", json=pair)
    assert foreign.json()["code"] == "relationship.unknown_end"


async def test_a_deleted_project_takes_its_graph_along(bench: Bench, project: str) -> None:
    kept = await bench.project(base_url="http://127.0.0.1:9")
    await entity(bench, kept, "cart")
    await bench.call("DELETE", f"/projects/{project}")
    await bench.drain()
    async with bench.database.transaction(write=False) as session:
        left = [await session.scalar(select(func.count()).select_from(it)) for it in (EntityRecord, RelationshipRecord)]
    assert left == [1, 0]


CODE = """
from fastapi import FastAPI
app = FastAPI()
@app.get("/v1/orders/{number}")
def read_order(number: str): ...
"""
SHOP = document(
    {
        "/orders": operation("post"),
        "/orders/{orderId}": {**operation(), **operation("delete"), "parameters": [{**ID, "name": "orderId"}]},
    },
    servers=[{"url": "http://api.test/v1"}],
)


async def test_traffic_shows_what_depends_on_what(bench: Bench) -> None:
    made = [new_ulid() for _ in range(3)]
    traffic = har(
        entry
        for order in made
        for entry in (
            exchange("POST", "/v1/orders", status=201, answer={"ticket": order}),
            exchange("GET", f"/v1/orders/{order}", answer={"state": "open"}),
            exchange("DELETE", f"/v1/orders/{order}", status=204),
        )
    )
    project = await bench.project(base_url="http://api.test/v1")
    uploads = [
        await upload(bench, project, "shop.har", traffic),
        await upload(bench, project, "app.zip", archive(app=CODE)),
    ]
    discovery = await bench.discover(project, {"document": SHOP, "uploads": uploads})
    assert discovery["status"] == "completed"
    found = await entities(bench, project)
    names = {row["id"]: name for name, row in found.items()}
    needed = {names[row["source_id"]]: row for row in await relationships(bench, project, "type=depends_on")}
    assert set(needed) == {"operation GET /orders/{orderId}", "operation DELETE /orders/{orderId}"}
    for method, number in (("GET", 1), ("DELETE", 2)):
        row = needed[f"operation {method} /orders/{{orderId}}"]
        assert names[row["target_id"]] == "operation POST /orders"
        place = f"shop.har /log/entries/0 -> /log/entries/{number}"
        assert {"rule": "traffic", "place": place} in row["evidence"]
        assert {
            "field": "/ticket",
            "location": "path",
            "parameter": "orderId",
            "required": True,
            "confidence": 0.75,
        } in row["properties"]["bindings"]
    assert not [order for order in made if order in json.dumps([found, needed])]

    assert found["operation GET /orders/{orderId}"]["evidence"] == [
        {"rule": "declared", "place": "request #/paths/~1orders~1{orderId}/get"},
        {"rule": "code", "place": "app.zip app.py:4"},
        {"rule": "traffic", "place": "shop.har /log/entries/1"},
    ]

    # Another look at the document alone changes nothing of what traffic showed; without the capture it is gone.
    await bench.discover(project, {"document": SHOP})
    assert await relationships(bench, project, "type=depends_on") == list(needed.values())
    slot = {"slot": "capture:shop.har"}
    await bench.call("DELETE", f"/projects/{project}/endpoints/sources", status=200, params=slot)
    await bench.discover(project, {"document": SHOP})
    assert "traffic" not in json.dumps([await entities(bench, project), await relationships(bench, project)])


async def test_what_a_discovery_leaves_as_it_was_is_not_derived_again(
    bench: Bench, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived: list[str] = []

    def deriving(description: Any, *observed: Any) -> Any:
        derived.append(description.title)
        return derive(description, *observed)

    monkeypatch.setattr(handlers, "derive", deriving)
    await bench.discover(project, {"document": document(USERS)})
    assert derived == []
    await bench.discover(project, {"document": document(ORDERS)})
    await bench.discover(project, {"document": document(ORDERS)})
    assert derived == ["Things"]
    async with bench.database.transaction() as session:
        await session.execute(delete(EntityRecord).where(EntityRecord.name == "POST /users"))
    await bench.discover(project, {"document": document(ORDERS)})
    assert "operation POST /users" in await entities(bench, project)
