"""Projects with several descriptions."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.app.modules.endpoints.looking import tools
from backend.app.modules.endpoints.uploads import receiving
from backend.app.modules.endpoints.uploads.recognition import kind_of
from tests.support.bench import Bench, document, operation, read_here


@pytest.fixture(autouse=True)
def _without_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    async def recognise(path: Path) -> str:
        return kind_of(path)

    monkeypatch.setattr(tools, "read_description", read_here)
    monkeypatch.setattr(receiving, "recognise_file", recognise)


def described(server: str, kind: str, **paths: Any) -> bytes:
    """`GET /users` answers a `User`, of which each description has its own."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}
    users = operation(responses={"200": {"description": "", "content": content}})
    schemas = {"User": {"type": "object", "properties": {"id": {"type": kind}}}}
    whole = document({"/users": users, **paths}, components={"schemas": schemas})
    return json.dumps({**whole, "servers": [{"url": server}]}).encode()


async def look(bench: Bench, project: str, *same: bytes, **files: bytes) -> dict[str, Any]:
    ids = []
    for name, content in [*(("same", each) for each in same), *files.items()]:
        answer = await bench.client.post(
            f"/projects/{project}/endpoints/uploads?name={name}.json",
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        )
        ids.append(answer.json()["data"]["id"])
    found: dict[str, Any] = await bench.discover(project, {"uploads": ids})
    return found


async def states(bench: Bench, project: str) -> dict[str, str]:
    rows = await bench.call("GET", f"/projects/{project}/endpoints")
    return {f"{row['method']} {row['path']}": row["state"] for row in rows}


async def kind_of_id(bench: Bench, project: str, path: str) -> str:
    (row,) = await bench.call("GET", f"/projects/{project}/endpoints?path={path}")
    one = await bench.call("GET", f"/projects/{project}/endpoints/{row['id']}")
    (definition,) = one["definitions"].values()
    kind: str = definition["properties"]["id"]["type"]
    return kind


async def test_each_description_vouches_and_vanishes_by_itself(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    public = described("https://api.test/v1", "string", **{"/both": operation(summary="public"), "/old": operation()})
    admin = described("/admin", "integer", **{"/jobs": operation()})
    found = await look(bench, project, public=public, admin=admin)
    assert [(part["location"], part["operations"], part["error"]) for part in found["parts"]] == [
        ("public.json", 3, None),
        ("admin.json", 2, None),
    ]
    assert set(await states(bench, project)) == {
        "GET /v1/users",
        "GET /v1/both",
        "GET /v1/old",
        "GET /admin/users",
        "GET /admin/jobs",
    }
    assert [await kind_of_id(bench, project, f"/{name}/users") for name in ("v1", "admin")] == ["string", "integer"]

    # Handed in alone, a file replaces what the one of its name said, and nothing else.
    again = await look(bench, project, public=described("https://api.test/v1", "string", **{"/both": operation()}))
    assert (again["gone"], again["breaking"]) == (1, 1)
    assert await states(bench, project) == {
        "GET /v1/users": "active",
        "GET /v1/both": "active",
        "GET /v1/old": "gone",
        "GET /admin/users": "active",
        "GET /admin/jobs": "active",
    }
    await bench.call("DELETE", f"/projects/{project}/endpoints/sources?slot=openapi:admin.json")
    gone = {name for name, state in (await states(bench, project)).items() if state == "gone"}
    assert gone == {"GET /v1/old", "GET /admin/users", "GET /admin/jobs"}


async def test_what_two_descriptions_say_of_one_operation_is_kept_apart(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    await look(bench, project, b=described("/", "integer"), c=described("/", "string"))
    assert await kind_of_id(bench, project, "/users") == "integer", "the first by name is believed"
    await look(bench, project, a=described("/", "boolean"), b=described("/", "integer"))
    assert await kind_of_id(bench, project, "/users") == "boolean"
    sources = f"/projects/{project}/endpoints/sources"
    for slot, kind in (("openapi:a.json", "integer"), ("openapi:b.json", "string")):
        await bench.call("DELETE", f"{sources}?slot={slot}")
        assert await kind_of_id(bench, project, "/users") == kind
    exported = (await bench.client.get(f"/projects/{project}/endpoints/export")).json()
    assert list(exported["components"]["schemas"]) == ["c.json_User"]


async def test_one_that_cannot_be_read_does_not_stop_the_others(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    found = await look(bench, project, good=described("/", "string"), bad=b'openapi: 3.1.0\npaths: {"a')
    assert found["status"] == "completed"
    good, bad = found["parts"]
    assert (good["location"], good["error"]) == ("good.json", None)
    assert bad["location"].startswith("bad.json: line 2")
    assert bad["error"]["code"] == "spec.syntax"


async def test_two_files_of_one_name_are_not_taken_for_one(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    first, second = described("/v1", "string"), described("/v2", "string")
    found = await look(bench, project, first, second, other=described("/v3", "string"))
    assert found["status"] == "completed"
    assert [(part["location"], part["error"] and part["error"]["code"]) for part in found["parts"]] == [
        ("same.json", "discovery.same_name"),
        ("same.json", None),
        ("other.json", None),
    ]
    assert set(await states(bench, project)) == {"GET /v1/users", "GET /v3/users"}


async def test_a_description_that_is_alone_is_the_one_of_the_project(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    await look(bench, project, one=described("/v1", "string"))
    await look(bench, project, two=described("/v1", "string"))
    (source,) = await bench.call("GET", f"/projects/{project}/endpoints/sources")
    assert source["slot"] == "openapi"
    assert await states(bench, project) == {"GET /users": "active"}
