"""One inventory of a spec, source code, traffic and a running server, with planted shadow and dead endpoints."""

import io
import json
import zipfile
from typing import Any

import pytest

from backend.app.core.ids import new_ulid
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document
from tests.support.bench import BOB, Bench, document, operation
from tests.support.target import Says, Target, target

CODE = """
from fastapi import FastAPI
app = FastAPI()
@app.get("/users/{user_id}")
def read_user(user_id: int): ...
@app.post("/users")
def add_user(): ...
@app.post("/internal/rebuild")
def rebuild(): ...
"""
SPEC = document(
    {
        "/users": {**operation(), **operation("post")},
        "/users/{id}": operation(
            parameters=[{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}]
        ),
        "/orders": operation(),
        "/items": operation(),
        "/reports": operation(),
        "/old": operation(deprecated=True),
    }
)
ALLOW = {"users": "GET, POST", "orders": "GET", "items": "GET", "old": "GET"}
PEOPLE = {f"GET /{name}": Says(body=[name]) for name in ALLOW} | {
    f"OPTIONS /{name}": Says(204, headers={"Allow": allow}) for name, allow in ALLOW.items()
}


def entry(api: Target, method: str, path: str, status: int = 200) -> dict[str, Any]:
    answer = {"mimeType": "application/json", "text": '{"name": "Ann"}'}
    return {
        "request": {"method": method, "url": api.url + path, "headers": []},
        "response": {"status": status, "headers": [], "content": answer},
    }


def har(*entries: dict[str, Any]) -> bytes:
    return json.dumps(
        {"log": {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": entries}}
    ).encode()


def archive(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, text in files.items():
            file.writestr(f"{name}.py", text)
    return content.getvalue()


async def upload(bench: Bench, project: str, name: str, content: bytes) -> str:
    answer = await bench.client.post(
        f"/projects/{project}/endpoints/uploads",
        params={"name": name},
        content=content,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert answer.status_code == 201, answer.text
    upload_id: str = answer.json()["data"]["id"]
    return upload_id


async def states(bench: Bench, project: str) -> dict[str, str]:
    rows = await bench.call("GET", f"/projects/{project}/endpoints?limit=200")
    return {f"{row['method']} {row['path']}": row["state"] for row in rows}


async def test_every_side_of_an_api_in_one_inventory(bench: Bench) -> None:
    async with target(PEOPLE) as api:
        project = await bench.project(base_url=api.url)
        await bench.discover(project, {"document": SPEC})
        traffic = har(
            *(entry(api, "GET", f"/users/{number}") for number in range(3)),
            *(entry(api, "DELETE", f"/users/{number}", 204) for number in range(3)),
            entry(api, "GET", "/nowhere", 404),
        )
        uploads = [
            await upload(bench, project, "traffic.har", traffic),
            await upload(bench, project, "code.zip", archive(main=CODE)),
        ]
        discovery = await bench.discover(project, {"uploads": uploads})
        assert {part["strategy"]: part["error"] for part in discovery["parts"]} == {"source": None, "capture": None}
        live = await bench.discover(project, {"strategies": ["probe"]})
    assert live["status"] == "completed"
    assert await states(bench, project) == {
        "GET /users": "active",
        "POST /users": "active",
        "GET /users/{id}": "active",
        "GET /orders": "active",
        "GET /items": "active",
        "GET /reports": "dead",
        "GET /old": "deprecated",
        "POST /internal/rebuild": "undocumented",
        "DELETE /users/{user_id}": "shadow",
    }
    assert {asked.method for asked in api.asked} <= {"GET", "HEAD", "OPTIONS"}
    rows = {row["path"]: row for row in await bench.call("GET", f"/projects/{project}/endpoints?method=GET")}
    one = await bench.call("GET", f"/projects/{project}/endpoints/{rows['/users/{id}']['id']}")
    assert [(source["slot"], source["places"]) for source in one["sources"] if source["kind"] != "live"] == [
        ("capture:traffic.har", ["/log/entries/0", "/log/entries/1", "/log/entries/2"]),
        ("openapi", ["#/paths/~1users~1{id}/get"]),
        ("source:code.zip", ["main.py:4"]),
    ]
    in_code = await bench.call("GET", f"/projects/{project}/endpoints?source=fastapi")
    assert {f"{row['method']} {row['path']}" for row in in_code} == {
        "GET /users/{id}",
        "POST /users",
        "POST /internal/rebuild",
    }
    drift = await bench.call("GET", f"/discoveries/{live['id']}/changes")
    assert [(change["severity"], change["operation"], change["message"]) for change in drift] == [
        ("breaking", "GET /reports", "was active, is dead")
    ]
    assert await bench.call("GET", f"/projects/{project}/endpoints/uploads") == [], "what was read is not kept"


async def test_a_source_that_is_taken_away_takes_what_only_it_said(bench: Bench) -> None:
    async with target() as api:
        project = await bench.project(base_url=api.url)
        await bench.discover(project, {"document": SPEC})
        traffic = har(entry(api, "GET", "/users"), entry(api, "GET", "/shadow"))
        await bench.discover(project, {"uploads": [await upload(bench, project, "a.har", traffic)]})
    sources = f"/projects/{project}/endpoints/sources"
    told = [(row["slot"], row["kind"], row["endpoints"]) for row in await bench.call("GET", sources)]
    assert told == [("capture:a.har", "traffic", 2), ("openapi", "document", 7)]
    assert (await bench.client_of(BOB).get(sources)).status_code == 404
    assert (await bench.client_of(BOB).delete(f"{sources}?slot=openapi")).status_code == 404
    await bench.call("DELETE", f"{sources}?slot=capture:a.har")
    after = await states(bench, project)
    assert (after["GET /shadow"], after["GET /users"]) == ("gone", "active")
    assert (await bench.call("GET", f"/projects/{project}"))["statistics"]["endpoints"] == 7
    assert (await bench.call("DELETE", f"{sources}?slot=nothing", status=404))["code"] == "source.not_found"
    await bench.call("DELETE", f"{sources}?slot=openapi")
    assert set((await states(bench, project)).values()) == {"gone"}


@pytest.mark.parametrize("named", [{"uploads": [new_ulid()]}, {"git_sources": [new_ulid()]}])
async def test_what_does_not_exist_is_refused_at_once(bench: Bench, named: dict[str, Any]) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    await bench.call("POST", f"/projects/{project}/endpoints/scan", named, status=404)
    assert await bench.call("GET", f"/projects/{project}/discoveries") == []


async def test_the_inventory_leaves_as_a_document_a_sheet_and_json(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    await bench.discover(project, {"document": SPEC})
    code = await upload(bench, project, "code.zip", archive(main=CODE))
    await bench.discover(project, {"uploads": [code]})
    (row, *_) = await bench.call("GET", f"/projects/{project}/endpoints?path=reports")
    await bench.call("PATCH", f"/projects/{project}/endpoints/{row['id']}", {"owner": "=cmd()"})
    url = f"/projects/{project}/endpoints/export"

    answer = await bench.client.get(url)
    assert answer.headers["content-disposition"] == 'attachment; filename="inventory.openapi.json"'
    described = describe(parse_document(answer.content))
    assert described.faults == ()
    assert {each.key for each in described.operations} == set(await states(bench, project))
    rebuild = answer.json()["paths"]["/internal/rebuild"]["post"]["x-touchstone"]
    assert (rebuild["state"], rebuild["evidence"]) == ("undocumented", ["code.zip main.py:8"])

    sheet = await bench.client.get(f"{url}?format=csv")
    assert sheet.headers["content-type"] == "text/csv; charset=utf-8"
    lines = sheet.text.splitlines()
    assert len(lines) == 9
    assert lines[0].startswith("method,path,state,")
    assert "'=cmd()" in sheet.text
    rows = (await bench.client.get(f"{url}?format=json")).json()
    assert [row["owner"] for row in rows if row["path"] == "/reports"] == ["=cmd()"]
    assert (await bench.client.get(f"{url}?format=xml")).status_code == 422
    assert (await bench.client_of(BOB).get(url)).status_code == 404
