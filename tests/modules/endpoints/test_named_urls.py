"""Descriptions that are named with their URLs, and read again by every plain scan."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from backend.app.core.settings import HttpSettings
from backend.app.modules.endpoints import service
from backend.app.modules.endpoints.looking import tools
from tests.support.bench import BOB, Bench, document, operation, read_here
from tests.support.target import Asked, Says, Target, target

DOCUMENTS = {"strategies": ["openapi", "graphql"]}


@pytest.fixture(autouse=True)
def _without_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "read_description", read_here)


def says(*paths: str, server: str = "/") -> Says:
    return Says(body={**document({path: operation() for path in paths}), "servers": [{"url": server}]})


def api_of_two() -> dict[str, Any]:
    return {
        "GET /openapi.json": says("/users"),
        "GET /admin.json": says("/jobs", "/old", server="/admin"),
        "GET /open.json": says("/prices", server="/open"),
    }


async def name(bench: Bench, project: str, api: Target, *names: str) -> None:
    for each in names:
        await bench.discover(project, {"spec_url": f"{api.url}/{each}.json", "name": each})


async def states(bench: Bench, project: str) -> dict[str, str]:
    rows = await bench.call("GET", f"/projects/{project}/endpoints")
    return {f"{row['method']} {row['path']}": row["state"] for row in rows}


async def sources(bench: Bench, project: str) -> dict[str, str | None]:
    rows = await bench.call("GET", f"/projects/{project}/endpoints/sources")
    return {row["slot"]: row["spec_url"] for row in rows}


async def test_what_was_named_with_its_url_is_read_again_by_every_plain_scan(bench: Bench) -> None:
    async with target(api_of_two()) as api:
        project = await bench.project(spec_url=f"{api.url}/openapi.json")
        await name(bench, project, api, "admin", "open")
        assert await sources(bench, project) == {
            "openapi:admin": f"{api.url}/admin.json",
            "openapi:open": f"{api.url}/open.json",
        }
        assert set(await states(bench, project)) == {"GET /admin/jobs", "GET /admin/old", "GET /open/prices"}

        api.answers["GET /admin.json"] = says("/jobs", "/users", server="/admin")
        found = await bench.discover(project)
        documents = [part["location"] for part in found["parts"] if part["strategy"] == "openapi"]
        assert documents == [f"{api.url}/{each}.json" for each in ("admin", "open", "openapi")]
        assert found["gone"] == 1
        told = await states(bench, project)
        assert told.pop("GET /admin/old") == "gone"
        assert set(told) == {"GET /admin/jobs", "GET /admin/users", "GET /open/prices", "GET /users"}
        assert await sources(bench, project) | {"crawl": None, "probe": None} == {
            "openapi": None,
            "openapi:admin": f"{api.url}/admin.json",
            "openapi:open": f"{api.url}/open.json",
            "crawl": None,
            "probe": None,
        }


async def test_one_that_is_away_is_told_and_what_it_said_stands(bench: Bench) -> None:
    async with target(api_of_two()) as api:
        project = await bench.project(spec_url=f"{api.url}/openapi.json")
        await name(bench, project, api, "admin", "open")
        api.answers["GET /admin.json"] = Says(503)
        found = await bench.discover(project, DOCUMENTS)
        assert [part["error"] and part["error"]["code"] for part in found["parts"]][:3] == [
            "discovery.bad_status",
            None,
            None,
        ]
        assert found["parts"][0]["location"] == f"admin: {api.url}/admin.json"
        assert "GET /admin/jobs" in await states(bench, project)

        # The project's own is told of too, although others could be read.
        api.answers["GET /openapi.json"] = Says(503)
        found = await bench.discover(project)
        errors = [part["error"] and part["error"]["code"] for part in found["parts"] if part["strategy"] == "openapi"]
        assert errors == ["discovery.bad_status", None, "discovery.bad_status"]
        assert {"GET /users", "GET /open/prices"} <= {
            key for key, state in (await states(bench, project)).items() if state == "active"
        }


async def test_what_is_taken_away_is_asked_for_no_more(bench: Bench) -> None:
    async with target(api_of_two()) as api:
        project = await bench.project(base_url=api.url)
        await name(bench, project, api, "admin", "open")
        api.answers["GET /open.json"] = says(server="/open")
        await bench.discover(project, DOCUMENTS)
        assert await sources(bench, project) == {"openapi:admin": f"{api.url}/admin.json"}, (
            "one that is empty says naught"
        )
        for slot in ("openapi:admin", "openapi:open"):
            await bench.call("DELETE", f"/projects/{project}/endpoints/sources?slot={slot}")
        assert set((await states(bench, project)).values()) == {"gone"}
        before = len(api.asked)
        await bench.discover(project, DOCUMENTS)
        assert not {"GET /admin.json", "GET /open.json"} & {*api.paths()[before:]}


async def test_what_is_read_where_it_moved_is_asked_for_where_it_was_named(bench: Bench) -> None:
    async with target(api_of_two()) as api:
        api.answers["GET /latest.json"] = Says(302, headers={"Location": "/admin.json"})
        project = await bench.project(base_url=api.url)
        await name(bench, project, api, "latest")
        api.answers["GET /latest.json"] = Says(302, headers={"Location": "/open.json"})
        await bench.discover(project, DOCUMENTS)
        assert {key for key, state in (await states(bench, project)).items() if state == "active"} == {
            "GET /open/prices"
        }
        assert await sources(bench, project) == {"openapi:latest": f"{api.url}/latest.json"}


async def test_beside_named_descriptions_another_is_looked_for_only_if_there_was_one(bench: Bench) -> None:
    async with target(api_of_two()) as api:
        project = await bench.project(base_url=api.url)
        await name(bench, project, api, "admin")
        await bench.discover(project, DOCUMENTS)
        assert api.paths() == ["GET /admin.json"] * 2
        await bench.call("DELETE", f"/projects/{project}/endpoints/sources?slot=openapi:admin")
        await bench.discover(project, DOCUMENTS)
        await name(bench, project, api, "admin")
        api.answers["GET /openapi.json"] = says("/people")
        await bench.discover(project, DOCUMENTS)
    told = await states(bench, project)
    assert (told["GET /users"], told["GET /people"], told["GET /admin/jobs"]) == ("gone", "active", "active")


async def test_a_file_of_its_name_takes_the_place_of_a_named_url(bench: Bench) -> None:
    async with target(api_of_two()) as api:
        project = await bench.project(base_url=api.url)
        await bench.discover(project, {"spec_url": f"{api.url}/admin.json", "name": "admin.json"})
        path = f"/projects/{project}/endpoints/uploads?name=admin.json"
        content = {"content": says("/people", server="/admin").encoded().partition(b"\r\n\r\n")[2]}
        handed = await bench.call(
            "POST", path, status=201, **content, headers={"Content-Type": "application/octet-stream"}
        )
        await bench.discover(project, {"uploads": [handed["id"]]})
        assert await sources(bench, project) == {"openapi:admin.json": None}
        before = len(api.asked)
        await bench.discover(project, {**DOCUMENTS, "uploads": []})
        assert "GET /admin.json" not in api.paths()[before:]
    told = await states(bench, project)
    assert (told["GET /admin/people"], told["GET /admin/jobs"]) == ("active", "gone")


async def test_a_named_graphql_server_is_read_again_too(bench: Bench) -> None:
    fields = [field("user")]
    kinds = [{"kind": "OBJECT", "name": "Query", "fields": fields}, {"kind": "SCALAR", "name": "String"}]
    schema = {"__schema": {"queryType": {"name": "Query"}, "types": kinds}}
    async with target({"POST /graphql": Says(body={"data": schema}), "GET /graphql": Says(400)}) as api:
        project = await bench.project(base_url=f"{api.url}/v1")
        await bench.discover(project, {"spec_url": f"{api.url}/graphql", "name": "graph"})
        assert await sources(bench, project) == {"graphql:graph": f"{api.url}/graphql"}
        fields[:] = [field("person")]
        found = await bench.discover(project, DOCUMENTS)
    assert [(part["strategy"], part["error"]) for part in found["parts"]] == [("graphql", None)]
    assert await states(bench, project) == {
        "POST /graphql#query.user": "gone",
        "POST /graphql#query.person": "active",
    }


def field(name: str) -> dict[str, Any]:
    return {"name": name, "args": [], "type": {"kind": "SCALAR", "name": "String"}}


async def test_what_is_taken_away_while_it_is_read_stays_away(bench: Bench) -> None:
    async with target(api_of_two()) as api:
        project = await bench.project(base_url=api.url)
        await name(bench, project, api, "admin", "open")
        api.answers["GET /open.json"] = taken_away(bench, project, "openapi:admin", api_of_two()["GET /open.json"])
        found = await bench.discover(project, DOCUMENTS)
    assert [part["error"] and part["error"]["code"] for part in found["parts"]] == ["source.not_found", None]
    assert await sources(bench, project) == {"openapi:open": f"{api.url}/open.json"}
    assert (await states(bench, project))["GET /admin/jobs"] == "gone"


def taken_away(bench: Bench, project: str, slot: str, answer: Says) -> Callable[[Asked], Awaitable[Says]]:
    async def while_asked(asked: Asked) -> Says:
        await bench.call("DELETE", f"/projects/{project}/endpoints/sources?slot={slot}")
        return answer

    return while_asked


async def test_credentials_go_to_no_named_url_elsewhere(bench: Bench) -> None:
    async with target(api_of_two()) as api, target(api_of_two()) as other:
        auth = {"auth_type": "api_key_header", "auth_config": {"name": "X-Key", "value": "opensesame"}}
        project = await bench.project(base_url=api.url, **auth)
        await name(bench, project, api, "admin")
        await name(bench, project, other, "open")
        await bench.discover(project, DOCUMENTS)
    assert [asked.headers.get("x-key") for asked in api.asked] == ["opensesame"] * 2
    assert [asked.headers.get("x-key") for asked in other.asked] == [None] * 2


async def test_named_urls_pass_the_guard_each_time(bench: Bench) -> None:
    async with target(api_of_two()) as api:
        project = await bench.project(base_url=api.url)
        await name(bench, project, api, "admin")
        careful = bench.with_settings(http=HttpSettings(allow_private=False))
        found = await careful.discover(project, DOCUMENTS)
        assert (found["status"], found["error"]["code"]) == ("failed", "discovery.refused")
        refused = await careful.discover(project, {"spec_url": f"{api.url}/open.json", "name": "open"})
        assert (refused["status"], refused["error"]["code"]) == ("failed", "discovery.refused")
        assert api.paths() == ["GET /admin.json"]
    assert await sources(bench, project) == {"openapi:admin": f"{api.url}/admin.json"}


async def test_a_project_has_so_many_named_urls(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_NAMED", 2)
    async with target({"GET /*": says("/a")}) as api:
        project = await bench.project(base_url=api.url)
        await name(bench, project, api, "n0", "n1")
        body = {"spec_url": f"{api.url}/one-more.json", "name": "one more"}
        refused = await bench.call("POST", f"/projects/{project}/endpoints/scan", body, status=409)
        assert refused["code"] == "discovery.too_many_descriptions"
        assert (await bench.discover(project, {**body, "name": "n1"}))["status"] == "completed"
        assert (await sources(bench, project))["openapi:n1"] == body["spec_url"]


async def test_named_urls_of_another_workspace_are_not_read_seen_or_taken_away(bench: Bench) -> None:
    async with target(api_of_two()) as api, bench.client_of(BOB) as bob:
        project = await bench.project(base_url=api.url)
        await name(bench, project, api, "admin")
        body = {"spec_url": f"{api.url}/open.json", "name": "admin"}
        path = f"/projects/{project}/endpoints"
        for answer in (
            await bob.post(f"{path}/scan", json=body),
            await bob.get(f"{path}/sources"),
            await bob.delete(f"{path}/sources?slot=openapi:admin"),
        ):
            assert answer.status_code == 404
        theirs = await bob.post("/projects", json={"name": "Bob's", "base_url": api.url})
        await bob.post(f"/projects/{theirs.json()['data']['id']}/endpoints/scan", json=DOCUMENTS)
        await bench.drain()
    assert api.paths().count("GET /admin.json") == 1
    assert await sources(bench, project) == {"openapi:admin": f"{api.url}/admin.json"}
