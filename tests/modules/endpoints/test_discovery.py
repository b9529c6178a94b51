"""Discoveries from request to inventory, against descriptions on loopback."""

from typing import Any

import orjson
import pytest
from sqlalchemy import func, select, text

from backend.app.core import runner
from backend.app.core.settings import HttpSettings
from backend.app.modules.endpoints.looking import tools
from backend.app.modules.endpoints.models import DescriptionRecord, DiscoveryRecord, EndpointRecord
from backend.app.modules.endpoints.service import MAX_EVENTS, MAX_FAULTS, DiscoveryService
from tests.support.bench import Bench, document, operation, read_here
from tests.support.target import Asked, Says, target

BASE = "http://127.0.0.1:9/api"


@pytest.fixture(autouse=True)
def _without_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "read_description", read_here)


def things(**members: Any) -> dict[str, Any]:
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
    thing = {"type": "object", "properties": {"id": {"type": "integer"}, "part": {"$ref": "#/components/schemas/Part"}}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}, "required": True}
    paths = {
        "/things": {**operation(parameters=[limit], tags=["read"]), **operation("post", requestBody=body)},
        "/things/{id}": operation("delete", security=[{"key": []}], operationId="drop", deprecated=True),
    }
    schemas = {"Thing": thing, "Part": {"type": "string"}, "Other": {"type": "null"}}
    key = {"type": "apiKey", "in": "header", "name": "X-Key"}
    return document(paths, components={"schemas": schemas, "securitySchemes": {"key": key}}, **members)


async def inventory(bench: Bench, project_id: str, query: str = "") -> dict[str, Any]:
    rows = await bench.call("GET", f"/projects/{project_id}/endpoints?limit=200{query}")
    return {f"{row['method']} {row['path']}": row for row in rows}


async def test_operations_of_a_document_become_the_inventory(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    discovery = await bench.discover(project, {"document": things()})
    assert discovery["status"] == "completed"
    assert (discovery["parts"][0]["source"], discovery["parts"][0]["location"]) == ("openapi-3.1", "request")
    assert [discovery[name] for name in ("added", "changed", "gone", "unchanged")] == [3, 0, 0, 0]
    found = await inventory(bench, project)
    assert list(found) == ["GET /things", "POST /things", "DELETE /things/{id}"]
    gone = found["DELETE /things/{id}"]
    assert (gone["requires_auth"], gone["deprecated"], gone["operation_id"]) == (True, True, "drop")
    assert found["GET /things"]["tags"] == ["read"]
    assert found["GET /things"]["state"] == "active"
    assert (await bench.call("GET", f"/projects/{project}"))["statistics"]["endpoints"] == 3
    assert await bench.events(project) == ["discovery.requested", *["endpoint.discovered"] * 3, "discovery.completed"]


async def test_an_endpoint_shows_its_parts_and_the_definitions_they_lead_to(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    await bench.discover(project, {"document": things()})
    found = await inventory(bench, project)
    post = await bench.call("GET", f"/projects/{project}/endpoints/{found['POST /things']['id']}")
    assert post["body_schema"] == {"$ref": "#/$defs/Thing"}
    assert (post["body_required"], post["body_content_types"]) == (True, ["application/json"])
    assert post["response_schemas"] == {"200": None}
    assert set(post["definitions"]) == {"Thing", "Part"}
    assert list(post["definitions"]["Thing"]["properties"]) == ["id", "part"]
    get = await bench.call("GET", f"/projects/{project}/endpoints/{found['GET /things']['id']}")
    assert [(one["name"], one["location"], one["schema"]) for one in get["parameters"]] == [
        ("limit", "query", {"type": "integer"})
    ]
    assert get["definitions"] == {}


async def test_a_second_discovery_reports_and_never_duplicates(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    await bench.discover(project, {"document": things()})
    before = await inventory(bench, project)
    again = await bench.discover(project, {"document": things()})
    assert [again[name] for name in ("added", "changed", "gone", "unchanged")] == [0, 0, 0, 3]

    other = things()
    other["paths"]["/things"]["get"]["parameters"][0]["required"] = True
    other["paths"]["/things"]["post"]["summary"] = "Make a thing"
    other["paths"]["/parts"] = other["paths"].pop("/things/{id}")
    third = await bench.discover(project, {"document": other})
    assert [third[name] for name in ("added", "changed", "gone", "unchanged")] == [1, 1, 1, 1]
    after = await inventory(bench, project)
    assert {key: row["state"] for key, row in after.items()} == {
        "GET /things": "active",
        "POST /things": "active",
        "DELETE /things/{id}": "gone",
        "DELETE /parts": "deprecated",
    }
    assert after["GET /things"]["id"] == before["GET /things"]["id"]
    assert after["GET /things"]["first_seen_at"] == before["GET /things"]["first_seen_at"]
    assert after["GET /things"]["last_seen_at"] > before["GET /things"]["last_seen_at"]
    assert after["DELETE /things/{id}"]["last_seen_at"] < after["GET /things"]["last_seen_at"]
    assert after["POST /things"]["summary"] == "Make a thing"
    changes = await bench.call("GET", f"/endpoints/{after['GET /things']['id']}/events?name=endpoint.changed")
    assert changes[0]["payload"]["changes"] == ["parameter limit became required"]
    assert (await bench.call("GET", f"/projects/{project}"))["statistics"]["endpoints"] == 3

    fourth = await bench.discover(project, {"document": things()})
    assert [fourth[name] for name in ("added", "changed", "gone")] == [1, 1, 1]
    assert (await inventory(bench, project))["DELETE /things/{id}"]["id"] == before["DELETE /things/{id}"]["id"]


async def test_a_change_deep_in_a_shared_schema_is_a_change_of_those_that_reach_it(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    await bench.discover(project, {"document": things()})
    other = things()
    other["components"]["schemas"]["Part"] = {"type": "integer"}
    other["components"]["schemas"]["Other"] = {"type": "boolean"}
    discovery = await bench.discover(project, {"document": other})
    assert [discovery[name] for name in ("added", "changed", "gone", "unchanged")] == [0, 1, 0, 2]
    row = (await inventory(bench, project))["POST /things"]
    changed = await bench.call("GET", f"/endpoints/{row['id']}/events?name=endpoint.changed")
    (change,) = changed[0]["payload"]["changes"]
    assert change.startswith("Part in requests")
    (drift,) = await bench.call("GET", f"/discoveries/{discovery['id']}/changes")
    assert (drift["operation"], drift["message"], discovery[drift["severity"]]) == ("POST /things", change, 1)


async def test_many_changes_are_told_in_one_event(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    many = document({f"/things{number:03}": operation() for number in range(MAX_EVENTS + 1)})
    discovery = await bench.discover(project, {"document": many})
    assert discovery["added"] == MAX_EVENTS + 1
    assert await bench.events(project) == ["discovery.requested", "discovery.summarised", "discovery.completed"]
    (told,) = await bench.call("GET", f"/discoveries/{discovery['id']}/events?name=discovery.summarised")
    assert (told["payload"]["change"], told["payload"]["count"]) == ("discovered", MAX_EVENTS + 1)
    assert told["payload"]["first"][0] == "GET /things000"


@pytest.mark.parametrize("place", ["spec_url of the project", "spec_url of the request", "usual place"])
async def test_a_description_is_found_on_the_network(bench: Bench, place: str) -> None:
    async with target({"GET /docs/openapi.json": Says(body=things())}) as api:
        url = f"{api.url}/docs/openapi.json"
        project = await bench.project(
            base_url=api.url if place != "spec_url of the project" else None,
            spec_url=url if place == "spec_url of the project" else None,
        )
        discovery = await bench.discover(project, {"spec_url": url} if place == "spec_url of the request" else None)
    assert (discovery["status"], discovery["parts"][0]["location"], discovery["added"]) == ("completed", url, 3)


async def test_yaml_text_and_swagger_are_read(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    swagger = "swagger: '2.0'\ninfo: {title: t, version: v}\npaths: {/a: {get: {responses: {200: {description: ok}}}}}"
    discovery = await bench.discover(project, {"document": swagger})
    assert (discovery["status"], discovery["parts"][0]["source"]) == ("completed", "swagger-2.0")
    assert list(await inventory(bench, project, "&source=swagger-2.0")) == ["GET /a"]


async def test_credentials_go_to_the_target_and_nowhere_else(bench: Bench) -> None:
    async with target({"GET /spec": Says(body=things())}) as api, target({"GET /spec": Says(body=things())}) as other:
        auth = {"auth_type": "api_key_header", "auth_config": {"name": "X-Key", "value": "opensesame"}}
        project = await bench.project(base_url=f"{api.url}/v1", **auth)
        assert (await bench.discover(project, {"spec_url": f"{api.url}/spec"}))["status"] == "completed"
        assert (await bench.discover(project, {"spec_url": f"{other.url}/spec"}))["status"] == "completed"
        api.answers["GET /spec"] = Says(302, headers={"Location": f"{other.url}/spec"})
        moved = await bench.discover(project, {"spec_url": f"{api.url}/spec"})
        assert moved["parts"][0]["location"] == f"{other.url}/spec"
    assert [asked.headers.get("x-key") for asked in api.asked] == ["opensesame", "opensesame"]
    assert [asked.headers.get("x-key") for asked in other.asked] == [None, None]


LOGIN = {"auth_type": "login", "auth_config": {"url": "/login", "body": {"user": "ann", "password": "opensesame"}}}


async def test_a_login_step_is_performed_once_and_its_token_shown_to_the_target_only(bench: Bench) -> None:
    async with target({"GET /spec": Says(body=things())}) as other, target({}) as api:
        api.answers["POST /v1/login"] = Says(body={"access_token": "t0k3n"})
        api.answers["GET /v1/openapi.json"] = Says(body=things())
        project = await bench.project(base_url=f"{api.url}/v1", **LOGIN)
        await bench.discover(project, {"document": things()})
        assert (await bench.discover(project, {"spec_url": f"{other.url}/spec"}))["status"] == "completed"
        assert api.asked == []
        assert (await bench.discover(project))["parts"][0]["location"] == f"{api.url}/v1/openapi.json"
    assert api.paths().count("POST /v1/login") == 1
    assert orjson.loads(api.asked[0].body) == LOGIN["auth_config"]["body"]  # type: ignore[index]
    assert {asked.headers.get("authorization") for asked in api.asked[1:]} == {"Bearer t0k3n"}
    assert [asked.headers.get("authorization") for asked in other.asked] == [None]


async def test_a_login_without_a_base_url_is_where_the_description_is(bench: Bench) -> None:
    async with target({"POST /login": Says(body={"access_token": "t0k3n"}), "GET /spec": Says(body=things())}) as api:
        project = await bench.project(base_url=None, spec_url=f"{api.url}/spec", **LOGIN)
        assert (await bench.discover(project))["status"] == "completed"
    assert api.asked[1].headers["authorization"] == "Bearer t0k3n"


async def test_a_login_that_fails_fails_the_discovery(bench: Bench) -> None:
    async with target({"POST /login": Says(401), "GET /openapi.json": Says(body=things())}) as api:
        project = await bench.project(base_url=api.url, **LOGIN)
        discovery = await bench.discover(project)
    assert (discovery["status"], discovery["error"]["code"]) == ("failed", "discovery.login_failed")
    assert "401" in discovery["error"]["message"]
    assert api.paths() == ["POST /login"]


async def test_a_key_in_the_query_goes_to_the_target_and_is_kept_nowhere(bench: Bench) -> None:
    async with target({"GET /spec": Says(body=things())}) as api, target({"GET /spec": Says(body=things())}) as other:
        auth = {"auth_type": "api_key_query", "auth_config": {"name": "api key", "value": "open&sesame"}}
        project = await bench.project(base_url=api.url, **auth)
        discovery = await bench.discover(project, {"spec_url": f"{api.url}/spec?v=1"})
        assert (discovery["status"], discovery["parts"][0]["location"]) == ("completed", f"{api.url}/spec?v=1")
        assert (await bench.discover(project, {"spec_url": f"{other.url}/spec"}))["status"] == "completed"
        api.answers["GET /spec"] = Says(302, headers={"Location": f"{other.url}/spec?api%20key=open%26sesame"})
        discovery = await bench.discover(project, {"spec_url": f"{api.url}/spec"})
        assert discovery["error"]["code"] == "discovery.bad_status"
        told = await bench.client.get(f"/projects/{project}/events?limit=200")
        assert "sesame" not in told.text
        assert "sesame" not in str(discovery)
    assert [asked.query for asked in api.asked] == ["v=1&api%20key=open%26sesame", "api%20key=open%26sesame"]
    assert [asked.query for asked in other.asked] == [""]


HTML = Says(body=b"<html>log in</html>", content_type="text/html")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Says(body=b'{"openapi": "3.1.0", "paths": '), "spec.syntax"),
        (Says(body=b"a: [1\nb: 2"), "spec.syntax"),
        (HTML, "spec.not_json_or_yaml"),
        (Says(body={"hello": "world"}), "spec.not_a_spec"),
        (Says(body=b"[" * 100_000), "spec.too_deep"),
        (Says(403, {"no": "entry"}), "discovery.bad_status"),
        (b"HTTP/1.1 nonsense\r\n\r\n", "discovery.protocol_error"),
        (Says(302, headers={"Location": "/spec"}), "discovery.too_many_redirects"),
    ],
)
async def test_a_description_that_cannot_be_read_fails_the_discovery_and_keeps_the_inventory(
    bench: Bench, answer: Any, code: str
) -> None:
    async with target({"GET /spec": answer}) as api:
        project = await bench.project(base_url=api.url)
        await bench.discover(project, {"document": things()})
        discovery = await bench.discover(project, {"spec_url": f"{api.url}/spec"})
    assert (discovery["status"], discovery["error"]["code"]) == ("failed", code)
    assert discovery["error"]["message"]
    if code.startswith("spec.s"):
        assert discovery["error"]["where"].startswith("line")
    assert {key: row["state"] for key, row in (await inventory(bench, project)).items()} == {
        "GET /things": "active",
        "POST /things": "active",
        "DELETE /things/{id}": "deprecated",
    }
    assert (await bench.events(project))[-1] == "discovery.failed"
    (job,) = await bench.call("GET", f"/jobs?event_id={discovery['event_id']}")
    assert job["status"] == "done"


async def test_faults_of_a_readable_document_are_reported(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    paths = {"/a": operation(parameters=[{"$ref": "#/nowhere"}]), f"/{'long' * 200}": operation()}
    discovery = await bench.discover(project, {"document": document(paths)})
    assert (discovery["status"], discovery["added"]) == ("completed", 1)
    messages = [fault["message"] for fault in discovery["parts"][0]["report"]]
    assert any("names nothing" in message for message in messages)
    assert any("500 characters" in message for message in messages)


async def test_a_path_that_json_says_twice_is_read_as_it_stands_last_and_what_is_lost_is_reported(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    text = """{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {
        "/a": {"get": {"responses": {}}, "delete": {"responses": {}}},
        "/a": {"post": {"responses": {}}}
    }}"""
    discovery = await bench.discover(project, {"document": text})
    assert set(await inventory(bench, project)) == {"POST /a"}
    (fault,) = discovery["parts"][0]["report"]
    assert fault["pointer"] == "/paths/~1a"
    assert "line 3, column 9 overrides line 2, column 9, which held 'get', 'delete'" in fault["message"]


async def test_a_report_says_that_faults_were_left_out(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    paths = {f"/a{number}": operation(parameters=[{"$ref": "#/nowhere"}]) for number in range(MAX_FAULTS + 1)}
    discovery = await bench.discover(project, {"document": document(paths)})
    assert len(discovery["parts"][0]["report"]) == MAX_FAULTS + 1
    assert "left out" in discovery["parts"][0]["report"][-1]["message"]


async def test_one_discovery_runs_at_a_time(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    first = await bench.call("POST", f"/projects/{project}/endpoints/scan", {"document": things()}, status=202)
    refused = await bench.call("POST", f"/projects/{project}/endpoints/scan", {"document": things()}, status=409)
    assert refused["code"] == "discovery.already_running"
    await bench.drain()
    assert (await bench.call("GET", f"/discoveries/{first['id']}"))["status"] == "completed"
    assert [one["id"] for one in await bench.call("GET", f"/projects/{project}/discoveries")] == [first["id"]]
    assert (await bench.discover(project, {"document": things()}))["status"] == "completed"


async def test_the_same_job_performed_twice_has_one_effect(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    discovery = await bench.discover(project, {"document": things()})
    events = await bench.events(project)
    await bench.due_again()
    await bench.drain()
    assert await bench.call("GET", f"/discoveries/{discovery['id']}") == discovery
    assert await bench.events(project) == events


async def test_a_job_that_fails_for_good_fails_its_discovery_and_can_be_retried(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await bench.project(base_url=BASE)

    async def fail(*arguments: Any) -> None:
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(DiscoveryService, "complete", fail)
        discovery = await bench.discover(project, {"document": things()})
        for _ in range(3):
            await bench.due_again("pending")
            await bench.drain()
    discovery = await bench.call("GET", f"/discoveries/{discovery['id']}")
    assert (discovery["status"], discovery["error"]["code"]) == ("failed", "discovery.job_dead")
    (job,) = await bench.call("GET", f"/jobs?event_id={discovery['event_id']}")
    assert job["status"] == "dead"
    await bench.call("POST", f"/jobs/{job['id']}/retry", status=202)
    await bench.drain()
    discovery = await bench.call("GET", f"/discoveries/{discovery['id']}")
    assert (discovery["status"], discovery["added"], discovery["error"]) == ("completed", 3, None)


async def test_a_cancelled_job_cancels_its_discovery(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    started = await bench.call("POST", f"/projects/{project}/endpoints/scan", {"document": things()}, status=202)
    (job,) = await bench.call("GET", f"/jobs?event_id={started['event_id']}")
    await bench.call("POST", f"/jobs/{job['id']}/cancel", status=202)
    await bench.drain()
    assert (await bench.call("GET", f"/discoveries/{started['id']}"))["status"] == "cancelled"
    assert "discovery.cancelled" in await bench.events(project)
    assert (await bench.discover(project, {"document": things()}))["status"] == "completed"


async def test_a_job_cancelled_while_its_target_answers_leaves_the_inventory_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_GLANCE_S", 0.0)

    async def answer(asked: Asked) -> Says:
        (job,) = await bench.call("GET", "/jobs?handler=endpoints.discover")
        await bench.call("POST", f"/jobs/{job['id']}/cancel", status=202)
        return Says(body=things())

    async with target({"GET /spec": answer}) as api:
        project = await bench.project(base_url=api.url)
        discovery = await bench.discover(project, {"spec_url": f"{api.url}/spec"})
    assert discovery["status"] == "cancelled"
    assert await inventory(bench, project) == {}


async def test_a_job_says_which_strategy_looks(bench: Bench) -> None:
    notes = []

    async def answer(asked: Asked) -> Says:
        (job,) = await bench.call("GET", "/jobs?handler=endpoints.discover")
        notes.append(job["note"])
        return Says(body=things())

    async with target({"GET /spec": answer}) as api:
        project = await bench.project(base_url=api.url)
        await bench.discover(project, {"spec_url": f"{api.url}/spec"})
    assert notes == ["openapi"]


async def test_strategies_that_have_nothing_to_look_at_fail_and_say_what_helps(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    discovery = await bench.discover(project, {"strategies": ["capture", "source"]})
    assert (discovery["status"], discovery["error"]["code"]) == ("failed", "discovery.nowhere_to_look")
    assert all(it in discovery["error"]["message"] for it in ("uploads", "git source"))


async def test_production_calls_no_private_address(bench: Bench) -> None:
    careful = bench.with_settings(http=HttpSettings(allow_private=False))
    async with target({"GET /spec": Says(body=things())}) as api:
        project = await careful.project(base_url=api.url)
        discovery = await careful.discover(project, {"spec_url": f"{api.url}/spec"})
        assert (discovery["status"], discovery["error"]["code"]) == ("failed", "discovery.refused")
        await careful.discover(project, {"document": things()})
        scan = await careful.scan(project)
        assert (scan["status"], scan["error"]["code"]) == ("failed", "scan.target_unreachable")
        assert api.asked == []


async def test_a_deleted_project_takes_its_inventory_with_it(bench: Bench) -> None:
    project, other = await bench.project(base_url=BASE), await bench.project(base_url=BASE)
    await bench.discover(project, {"document": things()})
    await bench.discover(other, {"document": things()})
    await bench.call("DELETE", f"/projects/{project}")
    await bench.drain()
    async with bench.database.transaction(write=False) as session:
        for record in (EndpointRecord, DiscoveryRecord, DescriptionRecord):
            owners = await session.scalars(select(record.project_id).distinct())
            assert set(owners) == {other}


async def test_a_project_deleted_before_its_discovery_begins_leaves_no_dead_job(bench: Bench) -> None:
    project = await bench.project(base_url=BASE)
    await bench.call("POST", f"/projects/{project}/endpoints/scan", {"document": things()}, status=202)
    await bench.call("DELETE", f"/projects/{project}")
    await bench.drain("long")
    await bench.drain()
    assert {job["status"] for job in await bench.call("GET", "/jobs")} == {"done"}
    async with bench.database.transaction(write=False) as session:
        assert await session.scalar(select(func.count()).select_from(DiscoveryRecord)) == 0


async def test_a_project_deleted_while_its_target_is_asked_leaves_nothing(bench: Bench) -> None:
    async def answer(asked: Asked) -> Says:
        await bench.call("DELETE", f"/projects/{project}")
        async with bench.database.transaction() as session:
            await session.execute(text("DELETE FROM discoveries"))
        return Says(body=things())

    async with target({"GET /spec": answer}) as api:
        project = await bench.project(base_url=api.url)
        await bench.call("POST", f"/projects/{project}/endpoints/scan", {"spec_url": f"{api.url}/spec"}, status=202)
        await bench.drain()
    async with bench.database.transaction(write=False) as session:
        assert await session.scalar(select(func.count()).select_from(EndpointRecord)) == 0


async def test_a_webhook_that_changes_is_told_and_changes_no_endpoint(bench: Bench) -> None:
    def describing(kind: str) -> dict[str, Any]:
        content = {"application/json": {"schema": {"type": kind}}}
        sent = {"requestBody": {"content": content}, "responses": {"200": {"description": ""}}}
        return {**document({"/a": operation()}), "webhooks": {"paid": {"post": sent}}}

    project = await bench.project(base_url="http://127.0.0.1:9")
    await bench.discover(project, {"document": describing("string")})
    discovery = await bench.discover(project, {"document": describing("integer")})
    assert (discovery["status"], discovery["changed"], discovery["breaking"]) == ("completed", 0, 1)
    (change,) = await bench.call("GET", f"/discoveries/{discovery['id']}/changes")
    assert (change["operation"], change["endpoint_id"]) == ("webhook POST paid", None)


async def test_an_edit_while_a_discovery_compares_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    project = await bench.project(base_url=BASE)
    await bench.discover(project, {"document": things()})
    path = f"/projects/{project}/endpoints/{(await inventory(bench, project))['GET /things']['id']}"
    prepare, edits = DiscoveryService.prepare, [{"tags": ["mine"]}]

    async def edited_meanwhile(self: DiscoveryService, project_id: str, parts: Any) -> Any:
        prepared = await prepare(self, project_id, parts)
        while edits:
            await bench.call("PATCH", path, edits.pop())
        return prepared

    monkeypatch.setattr(DiscoveryService, "prepare", edited_meanwhile)
    document = things()
    document["paths"]["/things"]["get"] |= {"tags": ["theirs"], "operationId": "list"}
    assert (await bench.discover(project, {"document": document}))["status"] == "completed"
    read = await bench.call("GET", path)
    assert (read["tags"], read["operation_id"]) == (["mine"], "list")


async def test_what_is_cancelled_before_it_is_stored_leaves_the_inventory_as_it_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await bench.project(base_url=BASE)
    await bench.discover(project, {"document": things()})
    before = await inventory(bench, project)
    prepare = DiscoveryService.prepare

    async def cancelled_meanwhile(self: DiscoveryService, project_id: str, parts: Any) -> Any:
        (job,) = await bench.call("GET", f"/jobs?project_id={project}&status=running")
        await bench.call("POST", f"/jobs/{job['id']}/cancel", status=202)
        return await prepare(self, project_id, parts)

    monkeypatch.setattr(DiscoveryService, "prepare", cancelled_meanwhile)
    discovery = await bench.discover(project, {"document": document({"/others": operation()})})
    assert discovery["status"] == "cancelled"
    assert await inventory(bench, project) == before


async def test_a_callback_that_changes_is_a_change_of_what_it_belongs_to(bench: Bench) -> None:
    def describing(kind: str) -> dict[str, Any]:
        content = {"application/json": {"schema": {"type": kind}}}
        sent = {"post": {"requestBody": {"content": content}, "responses": {}}}
        return document({"/a": operation(callbacks={"paid": {"{$request.body#/url}": sent}}), "/b": operation()})

    project = await bench.project(base_url="http://127.0.0.1:9")
    await bench.discover(project, {"document": describing("string")})
    discovery = await bench.discover(project, {"document": describing("integer")})
    assert (discovery["changed"], discovery["breaking"]) == (1, 1)
    (change,) = await bench.call("GET", f"/discoveries/{discovery['id']}/changes")
    assert (change["operation"], change["message"]) == ("GET /a", "callback paid: type string became integer")
    unchanged = await bench.discover(project, {"document": describing("integer")})
    assert (unchanged["changed"], unchanged["breaking"]) == (0, 0)
