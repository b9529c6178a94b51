"""Discovery and the inventory, as a client sees them."""

import json
from typing import Any

import pytest

from backend.app.core.ids import new_ulid
from backend.app.modules.endpoints.looking import tools
from tests.support.bench import BOB, Bench, document, operation, read_here
from tests.support.paging import next_page

PATHS = {
    "/things": {**operation(tags=["read", 'a "quoted" 100%_tag']), **operation("post", security=[{"key": []}])},
    "/Things_and/parts": operation("put", tags=["write"]),
}
KEY = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}


@pytest.fixture
async def project(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(tools, "read_description", read_here)
    project_id = await bench.project(base_url="http://127.0.0.1:9")
    await bench.discover(project_id, {"document": document(PATHS, components=KEY)})
    return project_id


FILTERS = [
    ("", ["GET /things", "POST /things", "PUT /Things_and/parts"]),
    ("method=get", ["GET /things"]),
    ("requires_auth=true", ["POST /things"]),
    ("requires_auth=false&method=PUT", ["PUT /Things_and/parts"]),
    ("tag=read", ["GET /things"]),
    ("tag=rea", []),
    ('tag=a "quoted" 100%25_tag', ["GET /things"]),
    ("path=THINGS_", ["PUT /Things_and/parts"]),
    ("path=%25", []),
    ("state=active", ["GET /things", "POST /things", "PUT /Things_and/parts"]),
    ("state=gone", []),
    ("kind=document&method=GET", ["GET /things"]),
    ("kind=code", []),
    ("ignored=true", []),
    ("source=openapi-3.1&limit=1", ["GET /things"]),
    ("source=other", []),
    ("method=*", []),
]


async def test_the_inventory_is_filtered(bench: Bench, project: str) -> None:
    for query, expected in FILTERS:
        rows = await bench.call("GET", f"/projects/{project}/endpoints?{query}")
        assert [f"{row['method']} {row['path']}" for row in rows] == expected, query


async def test_lists_go_on_where_the_page_ended(bench: Bench, project: str) -> None:
    seen, url = [], f"/projects/{project}/endpoints?limit=1"
    while url:
        answer = await bench.client.get(url)
        seen += [row["path"] for row in answer.json()["data"]]
        url = next_page(answer)
    assert seen == ["/things", "/things", "/Things_and/parts"]


JSON = {"Content-Type": "application/json"}


def routes(project: str, endpoint: str, discovery: str) -> list[tuple[str, str]]:
    return [
        ("POST", f"/projects/{project}/endpoints/scan"),
        ("GET", f"/projects/{project}/discoveries"),
        ("GET", f"/discoveries/{discovery}"),
        ("GET", f"/projects/{project}/endpoints"),
        ("GET", f"/projects/{project}/endpoints/{endpoint}"),
    ]


async def test_another_workspace_finds_nothing(bench: Bench, project: str) -> None:
    (endpoint, *_) = await bench.call("GET", f"/projects/{project}/endpoints")
    (discovery,) = await bench.call("GET", f"/projects/{project}/discoveries")
    async with bench.client_of(BOB) as bob, bench.client_of(None) as nobody:
        for method, path in routes(project, endpoint["id"], discovery["id"]):
            assert (await bob.request(method, path)).status_code == 404, path
            assert (await nobody.request(method, path)).status_code == 401, path
            assert (await bench.client.request(method, path)).status_code in (200, 202), path


async def test_an_endpoint_of_another_project_is_not_found(bench: Bench, project: str) -> None:
    other = await bench.project(base_url="http://127.0.0.1:9")
    (endpoint, *_) = await bench.call("GET", f"/projects/{project}/endpoints")
    refused = await bench.call("GET", f"/projects/{other}/endpoints/{endpoint['id']}", status=404)
    assert refused["code"] == "endpoint.not_found"
    refused = await bench.call("GET", f"/discoveries/{new_ulid()}", status=404)
    assert refused["code"] == "discovery.not_found"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {"deep": value}


BAD_BODIES: list[Any] = [
    {"spec_url": "ftp://example.com"},
    {"spec_url": "http://a b"},
    {"spec_url": "http://example.com/" + "a" * 5000},
    {"spec_url": "http://example.com", "document": "openapi: 3.1.0"},
    {"name": "admin"},
    {"name": "admin", "document": "openapi: 3.1.0"},
    {"name": "", "spec_url": "http://example.com"},
    {"name": "a\nb", "spec_url": "http://example.com"},
    {"name": "a" * 201, "spec_url": "http://example.com"},
    {"document": 1},
    {"document": ""},
    {"document": "nul \x00"},
    {"document": nested(500)},
    {"strategies": ["magic"]},
    {"strategies": [""]},
    {"strategies": []},
    {"strategy": "openapi"},
    {"unknown": 1},
    [],
]


async def test_bad_input_is_refused(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    path = f"/projects/{project}/endpoints/scan"
    for body in BAD_BODIES:
        answer = await bench.client.post(path, content=json.dumps(body), headers=JSON)
        assert answer.status_code == 422, (body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    assert await bench.events(project) == []


async def test_bad_queries_are_refused(bench: Bench, project: str) -> None:
    for query in ["method=a-b", "state=x", "kind=x", "limit=0", "cursor=x", "cursor=MQ", "path=%00", "tag=%00"]:
        answer = await bench.client.get(f"/projects/{project}/endpoints?{query}")
        assert answer.status_code == 422, (query, answer.text)


async def test_an_archived_project_is_not_discovered(bench: Bench, project: str) -> None:
    await bench.call("PATCH", f"/projects/{project}", {"status": "archived"})
    refused = await bench.call("POST", f"/projects/{project}/endpoints/scan", status=409)
    assert refused["code"] == "project.archived"
    assert len(await bench.call("GET", f"/projects/{project}/endpoints")) == 3


async def test_a_repeated_key_starts_one_discovery(bench: Bench, project: str) -> None:
    path, key = f"/projects/{project}/endpoints/scan", {"Idempotency-Key": "once"}
    first = await bench.call("POST", path, {}, status=202, headers=key)
    second = await bench.call("POST", path, {}, status=202, headers=key)
    assert first == second


async def test_what_people_note_outlives_every_discovery(bench: Bench, project: str) -> None:
    rows = await bench.call("GET", f"/projects/{project}/endpoints")
    url = f"/projects/{project}/endpoints/{rows[0]['id']}"
    read = await bench.client.get(url)
    edit = {"owner": "Ann", "notes": "slow\nin the morning", "tags": ["billing"], "ignored": True}
    edited = await bench.client.patch(url, json=edit, headers={"If-Match": read.headers["etag"]})
    assert edited.status_code == 200
    assert {name: edited.json()["data"][name] for name in edit} == edit
    assert edited.headers["etag"] != read.headers["etag"]
    stale = await bench.client.patch(url, json={"notes": "mine"}, headers={"If-Match": read.headers["etag"]})
    assert stale.status_code == 412

    changed = {**PATHS, "/things": {**PATHS["/things"], **operation(tags=["other"], summary="Lists")}}
    await bench.discover(project, {"document": document(changed, components=KEY)})
    after = await bench.call("GET", url)
    assert {name: after[name] for name in edit} == edit
    assert after["summary"] == "Lists"
    assert [
        row["id"] for row in await bench.call("GET", f"/projects/{project}/endpoints?tag=billing&ignored=true")
    ] == [rows[0]["id"]]
    assert (await bench.call("PATCH", url, {"tags": None}))["tags"] == ["other"]
    (noted, *_) = await bench.call("GET", f"/endpoints/{rows[0]['id']}/events?name=endpoint.edited")
    assert noted["payload"]["fields"] in (["tags"], ["ignored", "notes", "owner", "tags"])


async def test_a_scan_leaves_out_what_is_ignored(bench: Bench, project: str) -> None:
    for row in await bench.call("GET", f"/projects/{project}/endpoints"):
        await bench.call("PATCH", f"/projects/{project}/endpoints/{row['id']}", {"ignored": True})
    assert (await bench.call("POST", f"/projects/{project}/scans", {}, status=409))["code"] == "scan.no_endpoints"


@pytest.mark.parametrize("edit", [{"owner": "a\nb"}, {"tags": [""]}, {"notes": "x" * 10_001}, {"state": "active"}])
async def test_a_bad_note_is_refused(bench: Bench, project: str, edit: dict[str, Any]) -> None:
    (row, *_) = await bench.call("GET", f"/projects/{project}/endpoints")
    await bench.call("PATCH", f"/projects/{project}/endpoints/{row['id']}", edit, status=422)


async def test_an_endpoint_says_who_vouches_for_it(bench: Bench, project: str) -> None:
    (row, *_) = await bench.call("GET", f"/projects/{project}/endpoints")
    (source,) = (await bench.call("GET", f"/projects/{project}/endpoints/{row['id']}"))["sources"]
    assert (source["slot"], source["kind"], source["source"]) == ("openapi", "document", "openapi-3.1")
    assert source["places"] == ["#/paths/~1things/get"]
    assert (row["kinds"], row["state"], row["version"]) == (["document"], "active", 1)
