"""Scans from request to findings, against APIs on loopback."""

import asyncio
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.errors import Unavailable
from backend.app.core.ids import new_ulid
from backend.app.core.permissions import system_principal
from backend.app.core.settings import HttpSettings
from backend.app.modules.labs.recipes import recipes
from backend.app.modules.scans import handlers
from backend.app.modules.scans.models import (
    EndpointResultRecord,
    FindingRecord,
    ScanRecord,
    SightingRecord,
    TestRunRecord,
)
from backend.app.modules.scans.repository import ScanRepository
from backend.app.modules.scans.schemas import ScanCreate
from backend.app.modules.scans.service import ScanService
from tests.support.bench import ALICE, Bench, background_server, document, operation
from tests.support.target import Answer, Asked, Says, target

THING = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {"type": "integer", "readOnly": True}, "name": {"type": "string", "maxLength": 20}},
}
THING_REF = {"$ref": "#/components/schemas/Thing"}
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}


def answers(schema: Any, status: str = "200", **more: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {status: {"description": "fine", "content": content}, "404": {"description": "none"}, **more}


PATHS = {
    "/things": {
        "get": {"responses": answers({"type": "array", "items": THING_REF})},
        "post": {
            "requestBody": {"required": True, "content": {"application/json": {"schema": THING_REF}}},
            "responses": answers(THING_REF, "201") | {"422": {"description": "wrong"}},
        },
    },
    "/things/{id}": {"get": {"parameters": [ID], "responses": answers(THING_REF)}},
}
DOCUMENT = document(PATHS, components={"schemas": {"Thing": THING}})


async def created(asked: Asked) -> Says:
    try:
        body = orjson.loads(asked.body)
    except orjson.JSONDecodeError:
        return Says(422)
    name = body.get("name") if isinstance(body, dict) else None
    good = isinstance(name, str) and len(name) <= 20 and set(body) <= {"id", "name"}
    return Says(201, {"id": 7, "name": name}) if good else Says(422)


async def read(asked: Asked) -> Says:
    number = asked.path.rpartition("/")[2]
    known = number.isdecimal() and int(number) < 1000
    return Says(body={"id": int(number), "name": "one"}) if known else Says(404, {})


GOOD: dict[str, Answer] = {
    "GET /things": Says(body=[{"id": 1, "name": "one"}]),
    "POST /things": created,
    "GET /things/*": read,
}


async def discovered(bench: Bench, base_url: str, described: Any = DOCUMENT, **fields: Any) -> str:
    project = await bench.project(base_url=base_url, **fields)
    discovery = await bench.discover(project, {"document": described})
    assert discovery["error"] is None
    return project


async def count(bench: Bench, record: Any, **where: Any) -> int:
    async with bench.database.transaction(write=False) as session:
        found = await session.scalar(select(func.count()).select_from(record).filter_by(**where))
        return int(found or 0)


async def findings(bench: Bench, path: str) -> dict[str, str]:
    """Status (or sighting, for a scan's) of each, by check and operation."""
    rows = await bench.call("GET", f"{path}?limit=200")
    name = "sighting" if path.startswith("/scans") else "status"
    return {f"{row['check']} {row['method']} {row['path']}": row[name] for row in rows}


async def test_a_full_scan_of_a_sound_api(bench: Bench) -> None:
    async with target(GOOD) as api:
        project = await discovered(bench, api.url)
        scan = await bench.scan(project, scan_type="full", seed=3)
    assert (scan["status"], scan["error"], scan["seed"]) == ("completed", None, 3)
    summary = scan["summary"]
    assert (summary["operations_total"], summary["operations_2xx"], summary["stopped"]) == (3, 3, "completed")
    assert summary["findings"] == summary["findings_open"] == 0
    assert summary["requests"] == len(api.asked) == await count(bench, TestRunRecord, scan_id=scan["id"])
    assert scan["progress"] == {"done": summary["requests"], "total": summary["requests"]}
    assert scan["created_at"] <= scan["started_at"] <= scan["finished_at"]
    assert (await bench.events(project))[-3:] == ["scan.requested", "scan.started", "scan.completed"]
    statistics = (await bench.call("GET", f"/projects/{project}"))["statistics"]
    assert statistics["last_scan"] == {"id": scan["id"], "status": "completed", "finished_at": scan["finished_at"]}
    (job,) = await bench.call("GET", f"/jobs?event_id={scan['event_id']}")
    assert (job["status"], job["progress"]["done"]) == ("done", job["progress"]["total"])


async def test_a_quick_scan_only_reads(bench: Bench) -> None:
    async with target(GOOD) as api:
        project = await discovered(bench, api.url)
        scan = await bench.scan(project, scan_type="quick")
    assert scan["status"] == "completed"
    assert sorted(set(api.paths())) == ["GET /things", "GET /things/1"]
    operations = await bench.call("GET", f"/scans/{scan['id']}/operations")
    assert {row["method"]: row["skipped"] for row in operations}["POST"] == "a quick scan only reads"


async def test_test_runs_and_results_are_kept(bench: Bench) -> None:
    async with target({**GOOD, "GET /things/*": Says(500, {"oops": "\x00"})}) as api:
        project = await discovered(bench, api.url)
        scan = await bench.scan(project)
    runs = await bench.call("GET", f"/scans/{scan['id']}/test-runs?limit=200")
    assert len(runs) == scan["summary"]["requests"]
    assert [run["id"] for run in runs] == sorted(run["id"] for run in runs)
    bad = await bench.call("GET", f"/scans/{scan['id']}/test-runs?success=false&limit=200")
    assert bad == [run for run in runs if not run["success"]]
    failed = bad[0]
    assert (failed["status_code"], failed["method"], failed["path"]) == (500, "GET", "/things/{id}")
    assert failed["validation_errors"]
    assert failed["request_excerpt"].startswith("curl")
    assert failed["latency_ms"] > 0
    assert failed["response_size_bytes"] > 0
    endpoints = {row["path"]: row for row in await bench.call("GET", f"/projects/{project}/endpoints?method=GET")}
    assert endpoints["/things"]["last_status"] == 200
    assert endpoints["/things"]["last_latency_ms"] > 0
    assert endpoints["/things/{id}"]["last_status"] == 500
    own = f"/scans/{scan['id']}/test-runs?endpoint_id={failed['endpoint_id']}"
    assert {run["path"] for run in await bench.call("GET", own)} == {"/things/{id}"}
    of_endpoint = await bench.call("GET", f"/projects/{project}/endpoints/{failed['endpoint_id']}/test-runs")
    assert {run["id"] for run in of_endpoint} == {run["id"] for run in runs if run["path"] == "/things/{id}"}
    results = {row["path"]: row for row in await bench.call("GET", f"/scans/{scan['id']}/operations")}
    assert results["/things/{id}"]["errors"] >= 1
    assert results["/things/{id}"]["statuses"]["500"] >= 1


async def test_findings_survive_are_fixed_and_come_back(bench: Bench) -> None:
    broken = {"GET /things/*": Says(500), "GET /things": Says(body=[{"id": "one", "name": "one"}])}
    async with target({**GOOD, **broken}) as api:
        project = await discovered(bench, api.url)
        first = await bench.scan(project)
        crash, schema = "server_error GET /things/{id}", "response_schema GET /things"
        assert await findings(bench, f"/scans/{first['id']}/findings") == {crash: "opened", schema: "opened"}
        opened = {row["check"]: row for row in await bench.call("GET", f"/projects/{project}/findings")}
        assert opened["server_error"]["curl"].rpartition("/")[0].endswith(f"{api.url}/things")
        assert opened["server_error"]["evidence"]["status"] == 500

        api.answers["GET /things/*"] = GOOD["GET /things/*"]
        second = await bench.scan(project)
        assert await findings(bench, f"/scans/{second['id']}/findings") == {crash: "fixed", schema: "seen"}
        assert await findings(bench, f"/projects/{project}/findings") == {crash: "fixed", schema: "open"}
        counts = {name: second["summary"][f"findings_{name}"] for name in ("opened", "fixed", "reopened", "open")}
        assert counts == {"opened": 0, "fixed": 1, "reopened": 0, "open": 1}

        api.answers["GET /things/*"] = Says(500)
        third = await bench.scan(project)
        assert await findings(bench, f"/scans/{third['id']}/findings") == {crash: "reopened", schema: "seen"}
        assert await findings(bench, f"/projects/{project}/findings") == {crash: "reopened", schema: "open"}
    after = {row["check"]: row for row in await bench.call("GET", f"/projects/{project}/findings")}
    assert after["server_error"]["id"] == opened["server_error"]["id"]
    assert after["server_error"]["first_scan_id"] == first["id"]
    assert after["server_error"]["last_scan_id"] == third["id"]
    events = await bench.call("GET", f"/findings/{after['server_error']['id']}/events?order=oldest")
    assert [event["name"] for event in events] == ["finding.opened", "finding.fixed", "finding.reopened"]
    assert (await bench.events(project))[-1] == "scan.completed"
    assert (await bench.call("GET", f"/projects/{project}"))["statistics"]["open_findings"] == 2
    assert len(await bench.call("GET", f"/projects/{project}/findings?status=reopened")) == 1
    severity = after["server_error"]["severity"]
    assert [row["check"] for row in await bench.call("GET", f"/projects/{project}/findings?severity={severity}")] == [
        "server_error"
    ]


async def test_only_a_whole_full_scan_shows_that_something_is_fixed(bench: Bench) -> None:
    async with target({**GOOD, "GET /things/*": Says(500)}) as api:
        project = await discovered(bench, api.url)
        await bench.scan(project)
        api.answers["GET /things/*"] = GOOD["GET /things/*"]
        crash = "server_error GET /things/{id}"
        quick = await bench.scan(project, scan_type="quick")
        assert quick["summary"]["findings_fixed"] == 0
        limited = await bench.scan(project, max_requests=1)
        assert (limited["status"], limited["summary"]["findings_fixed"]) == ("completed", 0)
        assert limited["summary"]["requests"] == 1
        assert await findings(bench, f"/projects/{project}/findings") == {crash: "open"}
        api.answers["GET /things/*"] = Says(429, headers={"Retry-After": "0"})
        await bench.scan(project, max_seconds=60)
        assert await findings(bench, f"/projects/{project}/findings") == {crash: "open"}
        api.answers["GET /things/*"] = GOOD["GET /things/*"]
        await bench.scan(project)
        assert await findings(bench, f"/projects/{project}/findings") == {crash: "fixed"}


async def test_a_fault_that_could_not_be_reached_is_not_fixed(bench: Bench) -> None:
    async with target({**GOOD, "GET /things/*": Says(500)}) as api:
        project = await discovered(bench, api.url)
        await bench.scan(project)
        # Nobody gives an id any more, so that the one of the request is invented.
        broken = {"GET /things": Says(503), "POST /things": Says(503), "GET /things/*": Says(404, {})}
        api.answers.update(broken)
        await bench.scan(project)
        crash = "server_error GET /things/{id}"
        assert (await findings(bench, f"/projects/{project}/findings"))[crash] == "open"
        api.answers.update(GOOD)
        await bench.scan(project)
        assert (await findings(bench, f"/projects/{project}/findings"))[crash] == "fixed"


async def test_what_is_sent_again_does_not_overtake_the_progress(bench: Bench) -> None:
    async def busy(asked: Asked) -> Says:
        busy_once.append(asked)
        return Says(429, headers={"Retry-After": "0"}) if len(busy_once) % 2 else Says(body=[])

    busy_once: list[Asked] = []
    async with target({**GOOD, "GET /things": busy}) as api:
        project = await discovered(bench, api.url)
        scan = await bench.scan(project, scan_type="quick")
    assert scan["progress"] == {"done": 3, "total": 3}
    assert scan["summary"]["requests"] == 3


async def test_an_accepted_finding_stays_accepted(bench: Bench) -> None:
    async with target({**GOOD, "GET /things/*": Says(500)}) as api:
        project = await discovered(bench, api.url)
        await bench.scan(project)
        (finding,) = await bench.call("GET", f"/projects/{project}/findings")
        path = f"/findings/{finding['id']}"
        read = await bench.client.get(path)
        stale = await bench.call("PATCH", path, {"status": "accepted"}, status=412, headers={"If-Match": '"1"'})
        assert stale["code"] == "resource.changed"
        tag = {"If-Match": read.headers["etag"]}
        decided = await bench.call("PATCH", path, {"status": "accepted", "reason": "a teapot"}, headers=tag)
        assert (decided["status"], decided["reason"]) == ("accepted", "a teapot")
        assert (await bench.call("GET", f"/projects/{project}"))["statistics"]["open_findings"] == 0
        again = await bench.scan(project)
        assert again["summary"]["findings_open"] == 0
        api.answers["GET /things/*"] = GOOD["GET /things/*"]
        await bench.scan(project)
        assert (await bench.call("GET", path))["status"] == "accepted"
    returned = await bench.call("PATCH", path, {"status": "open"})
    assert (returned["status"], returned["reason"]) == ("open", None)
    refused = await bench.call("PATCH", path, {"status": "open"}, status=409)
    assert refused["code"] == "finding.invalid_transition"
    events = await bench.call("GET", f"{path}/events?order=oldest")
    assert [event["name"] for event in events] == ["finding.opened", "finding.accepted", "finding.returned"]


async def test_one_scan_runs_at_a_time(bench: Bench) -> None:
    async with target(GOOD) as api:
        project = await discovered(bench, api.url)
        other = await discovered(bench, api.url)
        first = await bench.call("POST", f"/projects/{project}/scans", {}, status=202)
        assert (first["status"], first["summary"], first["progress"]) == ("queued", None, {"done": 0, "total": 0})
        refused = await bench.call("POST", f"/projects/{project}/scans", {}, status=409)
        assert refused["code"] == "scan.already_running"
        await bench.call("POST", f"/projects/{other}/scans", {}, status=202)
        await bench.drain()
        assert (await bench.scan(project))["status"] == "completed"
    assert [one["status"] for one in await bench.call("GET", f"/projects/{project}/scans")] == ["completed"] * 2
    assert await bench.call("GET", f"/projects/{project}/scans?status=failed") == []


async def test_a_queued_scan_is_cancelled_at_once(bench: Bench) -> None:
    async with target(GOOD) as api:
        project = await discovered(bench, api.url)
        scan = await bench.call("POST", f"/projects/{project}/scans", {}, status=202)
        cancelled = await bench.call("POST", f"/scans/{scan['id']}/cancel", status=202)
        assert cancelled["status"] == "cancelled"
        await bench.drain()
        assert api.asked == []
    refused = await bench.call("POST", f"/scans/{scan['id']}/cancel", status=409)
    assert refused["code"] == "scan.ended"
    assert (await bench.call("GET", f"/jobs?event_id={scan['event_id']}"))[0]["status"] == "cancelled"
    assert (await bench.events(project))[-1] == "scan.cancelled"


@pytest.mark.parametrize("through", ["the scan", "its job"])
async def test_a_running_scan_is_cancelled_and_keeps_what_it_found(bench: Bench, through: str) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hang(asked: Asked) -> Says:
        reached.set()
        await go_on.wait()
        return Says(200)

    async with target({**GOOD, "GET /things": Says(500), "GET /things/*": hang}) as api:
        project = await discovered(bench, api.url)
        scan = await bench.call("POST", f"/projects/{project}/scans", {"concurrency": 2}, status=202)
        performing = asyncio.create_task(bench.drain())
        await reached.wait()
        if through == "the scan":
            cancelled = await bench.call("POST", f"/scans/{scan['id']}/cancel", status=202)
            assert cancelled["status"] == "cancelled"
        else:
            (job,) = await bench.call("GET", f"/jobs?event_id={scan['event_id']}")
            await bench.call("POST", f"/jobs/{job['id']}/cancel", status=202)
        await performing
        go_on.set()
    scan = await bench.call("GET", f"/scans/{scan['id']}")
    assert scan["status"] == "cancelled"
    assert scan["summary"]["stopped"] == "cancelled"
    answered = sum(row["requests"] for row in await bench.call("GET", f"/scans/{scan['id']}/operations"))
    assert await count(bench, TestRunRecord, scan_id=scan["id"]) == answered > 0
    assert await findings(bench, f"/scans/{scan['id']}/findings") == {"server_error GET /things": "opened"}
    assert (await bench.call("GET", f"/jobs?event_id={scan['event_id']}"))[0]["status"] == "cancelled"
    events = await bench.events(project)
    assert events.count("scan.cancelled") == 1
    assert "scan.completed" not in events


async def test_a_job_performed_twice_has_one_effect(bench: Bench) -> None:
    async with target({**GOOD, "GET /things": Says(500)}) as api:
        project = await discovered(bench, api.url)
        scan = await bench.scan(project)
        events, runs = await bench.events(project), await count(bench, TestRunRecord)
        asked = len(api.asked)
        await bench.due_again()
        await bench.drain()
        assert len(api.asked) == asked
    assert await bench.call("GET", f"/scans/{scan['id']}") == scan
    assert await bench.events(project) == events
    assert await count(bench, TestRunRecord) == runs


async def test_an_attempt_that_broke_off_is_begun_from_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def die(*arguments: Any) -> None:
        raise RuntimeError("the power went out")

    async with target({**GOOD, "GET /things": Says(500)}) as api:
        project = await discovered(bench, api.url)
        with monkeypatch.context() as patch:
            patch.setattr(ScanService, "settle", die)
            scan = await bench.scan(project)
        assert scan["status"] == "running"
        assert await count(bench, TestRunRecord) > 0
        await bench.due_again("pending")
        await bench.drain()
    scan = await bench.call("GET", f"/scans/{scan['id']}")
    assert scan["status"] == "completed"
    assert await count(bench, TestRunRecord) == scan["summary"]["requests"]
    assert await count(bench, EndpointResultRecord) == 3
    assert (await bench.events(project)).count("finding.opened") == 1


async def test_a_dead_job_leaves_a_failed_scan_that_can_be_retried(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*arguments: Any) -> None:
        raise RuntimeError("the power went out")

    async with target(GOOD) as api:
        project = await discovered(bench, api.url)
        with monkeypatch.context() as patch:
            patch.setattr(ScanService, "settle", die)
            scan = await bench.scan(project)
            for _ in range(3):
                await bench.due_again("pending")
                await bench.drain()
        scan = await bench.call("GET", f"/scans/{scan['id']}")
        assert (scan["status"], scan["error"]["code"]) == ("failed", "scan.job_dead")
        assert (await bench.events(project))[-1] == "scan.failed"
        (job,) = await bench.call("GET", f"/jobs?event_id={scan['event_id']}")
        await bench.call("POST", f"/jobs/{job['id']}/retry", status=202)
        await bench.drain()
    scan = await bench.call("GET", f"/scans/{scan['id']}")
    assert (scan["status"], scan["error"]) == ("completed", None)


async def test_a_target_that_is_away_fails_the_scan(bench: Bench) -> None:
    async with target() as api:
        project = await discovered(bench, api.url)
    scan = await bench.scan(project)
    assert (scan["status"], scan["error"]["code"]) == ("failed", "scan.target_unreachable")
    assert api.url in scan["error"]["message"]
    assert await findings(bench, f"/projects/{project}/findings") == {}
    assert (await bench.events(project))[-1] == "scan.failed"
    (job,) = await bench.call("GET", f"/jobs?event_id={scan['event_id']}")
    assert job["status"] == "done"


async def test_a_hostile_target_does_not_stop_the_scan(bench: Bench) -> None:
    async def drip(asked: Asked) -> bytes:
        await asyncio.Event().wait()
        return b""

    bad: dict[str, Any] = {
        "hang": drip,
        "garbage": b"\x00\xff\xfe garbage\r\n\r\n",
        "nothing": b"",
        "short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        "gzip": Says(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
        "binary": Says(body=b"\x00\x01\xff" * 100),
        "nul": Says(body={"na\x00me": "\x00", "big": 1}),
        "ring": Says(302, headers={"Location": "/ring"}),
        "fine": Says(body={}),
    }
    described = document({f"/{name}": operation() for name in bad})
    async with target({f"GET /{name}": answer for name, answer in bad.items()}) as api:
        quick = bench.with_settings(http=HttpSettings(deadline_s=0.3))
        project = await discovered(quick, api.url, described)
        scan = await quick.scan(project)
    assert scan["status"] == "completed"
    runs = await bench.call("GET", f"/scans/{scan['id']}/test-runs?limit=200&case_kind=valid")
    outcomes = {run["path"][1:]: run["outcome"] for run in runs}
    assert outcomes == {
        "hang": "timeout",
        "garbage": "protocol_error",
        "nothing": outcomes["nothing"],
        "short": outcomes["short"],
        "gzip": "protocol_error",
        "binary": "answered",
        "nul": "answered",
        "ring": "answered",
        "fine": "answered",
    }
    assert {outcomes["nothing"], outcomes["short"]} <= {"reset", "protocol_error"}
    rows = await bench.call("GET", f"/projects/{project}/findings?limit=200")
    assert {"/hang", "/garbage"} <= {row["path"] for row in rows}


async def test_credentials_of_the_project_are_sent_and_never_shown(bench: Bench) -> None:
    secured = document(
        {"/things": operation(security=[{"token": []}])},
        components={"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    )

    async def guard(asked: Asked) -> Says:
        return Says(500) if asked.headers.get("authorization") == "Bearer opensesame" else Says(401)

    async with target({"GET /things": guard}) as api:
        auth = {"auth_type": "bearer", "auth_config": {"token": "opensesame"}}
        project = await discovered(bench, api.url, secured, **auth)
        scan = await bench.scan(project)
    assert await findings(bench, f"/projects/{project}/findings") == {"server_error GET /things": "open"}
    for path in (f"/scans/{scan['id']}/test-runs", f"/projects/{project}/findings", f"/projects/{project}/events"):
        assert "opensesame" not in (await bench.client.get(path)).text


async def test_a_login_step_is_performed_first(bench: Bench) -> None:
    async def log_in(asked: Asked) -> Says:
        return Says(body={"data": {"token": "t0ken"}}) if b"ada" in asked.body else Says(403)

    async def guard(asked: Asked) -> Says:
        return Says(200, {}) if asked.headers.get("x-session") == "s t0ken" else Says(401)

    step = {"url": "/login", "body": {"user": "ada"}, "token_pointer": "/data/token"}
    auth = {"auth_type": "login", "auth_config": {**step, "header": "X-Session", "prefix": "s "}}
    async with target({"POST /v1/login": log_in, "GET /v1/things": guard}) as api:
        project = await discovered(bench, f"{api.url}/v1", document({"/things": operation()}), **auth)
        scan = await bench.scan(project, scan_type="quick")
        assert scan["summary"]["operations_2xx"] == 1
        assert api.paths() == ["POST /v1/login", "GET /v1/things"]
        api.answers["POST /v1/login"] = Says(500)
        scan = await bench.scan(project, scan_type="quick")
        assert (scan["status"], scan["error"]["code"]) == ("failed", "scan.login_failed")
        assert "500" in scan["error"]["message"]
        api.answers["POST /v1/login"] = Says(body={"data": {}})
        scan = await bench.scan(project, scan_type="quick")
        assert "/data/token" in scan["error"]["message"]


async def test_without_an_inventory_there_is_nothing_to_scan(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    refused = await bench.call("POST", f"/projects/{project}/scans", {}, status=409)
    assert refused["code"] == "scan.no_endpoints"
    assert "/endpoints/scan" in refused["title"]


async def test_a_target_must_be_known(bench: Bench) -> None:
    project = await bench.project(spec_url="http://127.0.0.1:9/openapi.json")
    await bench.discover(project, {"document": DOCUMENT})
    refused = await bench.call("POST", f"/projects/{project}/scans", {}, status=409)
    assert refused["code"] == "scan.no_base_url"


@pytest.mark.parametrize("described", ["by a document of the request", "at another place"])
async def test_a_description_cannot_send_credentials_to_another_origin(bench: Bench, described: str) -> None:
    auth = {"auth_type": "api_key_header", "auth_config": {"name": "X-Key", "value": "opensesame"}}
    async with target(GOOD) as api, target(GOOD) as other:
        document = {**DOCUMENT, "servers": [{"url": f"{other.url}/v1"}]}
        other.answers["GET /spec"] = Says(body=document)
        project = await bench.project(spec_url=f"{api.url}/spec", **auth)
        handed_in = {"document": document} if "document" in described else {"spec_url": f"{other.url}/spec"}
        found = await bench.discover(project, handed_in)
        assert found["status"] == "completed"
        scan = await bench.scan(project, scan_type="quick")
        assert (scan["status"], scan["error"]["code"]) == ("failed", "scan.credentials_elsewhere")
        assert not any("x-key" in asked.headers for asked in other.asked)


async def test_a_deleted_project_takes_everything_with_it(bench: Bench) -> None:
    async with target({**GOOD, "GET /things": Says(500)}) as api:
        project = await discovered(bench, api.url)
        other = await discovered(bench, api.url)
        await bench.scan(project)
        kept = await bench.scan(other)
    await bench.call("DELETE", f"/projects/{project}")
    await bench.drain()
    for record in (ScanRecord, TestRunRecord, EndpointResultRecord, FindingRecord):
        assert await count(bench, record) == await count(bench, record, project_id=other) > 0
    assert await count(bench, SightingRecord) == await count(bench, SightingRecord, scan_id=kept["id"])


async def test_a_project_is_not_deleted_under_a_scan_that_is_being_started(bench: Bench) -> None:
    async with target(GOOD) as api:
        project = await discovered(bench, api.url)
    async with bench.database.transaction(ALICE) as session:
        context = ServiceContext(bench.settings, session, bench.hub, system_principal(ALICE), utc_now, new_ulid())
        await ScanService(context).start(project, ScanCreate())
        deletion = asyncio.create_task(bench.call("DELETE", f"/projects/{project}"))
        # It waits for the lock as long as this transaction lives; what it would do otherwise takes a few milliseconds.
        _, waiting = await asyncio.wait([deletion], timeout=0.3)
        assert waiting
    await deletion
    await bench.drain()
    assert await count(bench, ScanRecord) == 0


async def test_a_project_deleted_before_its_scan_begins_leaves_no_dead_job(bench: Bench) -> None:
    async with target(GOOD) as api:
        project = await discovered(bench, api.url)
    await bench.call("POST", f"/projects/{project}/scans", {}, status=202)
    await bench.call("DELETE", f"/projects/{project}")
    await bench.drain("long")
    await bench.drain()
    assert {job["status"] for job in await bench.call("GET", "/jobs")} == {"done"}
    assert await count(bench, ScanRecord) == 0


async def test_a_project_deleted_during_a_scan_ends_it(bench: Bench) -> None:
    async def delete(asked: Asked) -> Says:
        if not deleted.is_set():
            deleted.set()
            await bench.call("DELETE", f"/projects/{project}")
            async with bench.database.transaction() as session:
                context = ServiceContext(
                    bench.settings, session, bench.hub, system_principal(ALICE), utc_now, new_ulid()
                )
                await ScanService(context).forget_project(project)
        return Says(500)

    deleted = asyncio.Event()
    async with target({**GOOD, "GET /things": delete}) as api:
        project = await discovered(bench, api.url)
        await bench.call("POST", f"/projects/{project}/scans", {}, status=202)
        await bench.drain()
    for record in (ScanRecord, TestRunRecord, EndpointResultRecord, FindingRecord, SightingRecord):
        assert await count(bench, record) == 0


async def test_a_busy_database_does_not_end_a_scan(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "BATCH", 5)
    store, calls = ScanRepository.add_test_runs, []

    async def sometimes(self: ScanRepository, rows: Any) -> None:
        calls.append(len(rows))
        if len(calls) in (1, 2):
            raise Unavailable("busy")
        await store(self, rows)

    monkeypatch.setattr(ScanRepository, "add_test_runs", sometimes)
    async with target(GOOD) as api:
        project = await discovered(bench, api.url)
        scan = await bench.scan(project)
    assert scan["status"] == "completed"
    assert len(calls) >= 3
    assert await count(bench, TestRunRecord) == scan["summary"]["requests"]


async def test_series_follow_each_endpoint_through_the_scans(bench: Bench) -> None:
    async with target({**GOOD, "GET /things": Says(500)}) as api:
        project = await discovered(bench, api.url)
        scans = [await bench.scan(project, scan_type="quick")]
        api.answers["GET /things"] = Says(body=[{"id": 1, "name": "a longer name"}])
        scans += [await bench.scan(project, scan_type="quick"), await bench.scan(project)]
    async with bench.database.transaction(write=False) as session:
        context = ServiceContext(bench.settings, session, bench.hub, system_principal(ALICE), utc_now, "")
        series = {f"{one.method} {one.path}": one for one in await ScanService(context).endpoint_series(project)}
        latest = await ScanService(context).endpoint_series(project, scans=1)
        full = await ScanService(context).endpoint_series(project, scan_type="full")
    assert set(series) == {"GET /things", "GET /things/{id}", "POST /things"}
    points = series["GET /things"].points
    assert [point.scan_id for point in points] == [scan["id"] for scan in scans]
    assert [point.error_rate for point in points] == [1.0, 0.0, 0.0]
    assert points[0].median_latency_ms is None
    assert points[2].latency_samples >= 0
    assert points[1].median_size_bytes in (None, len(b'[{"id":1,"name":"a longer name"}]'))
    assert len(series["POST /things"].points) == 1
    assert {point.scan_id for one in latest for point in one.points} == {scans[2]["id"]}
    assert {point.scan_id for one in full for point in one.points} == {scans[2]["id"]}


async def test_the_bookshop_shows_its_planted_faults(bench: Bench) -> None:
    recipe = recipes.get("bookshop")
    lab = recipe.create(1, True)
    ((name, value),) = lab.credentials.items()
    auth = {"auth_type": "api_key_header", "auth_config": {"name": name, "value": value}}
    with background_server(lab) as url:
        project = await bench.project(spec_url=f"{url}/openapi.json", **auth)
        assert (await bench.discover(project))["status"] == "completed"
        scan = await bench.scan(project)
    assert scan["status"] == "completed"
    found = await findings(bench, f"/projects/{project}/findings")
    planted = {fault.operation for fault in recipe.faults if fault.check}
    assert {key.partition(" ")[2] for key in found} == planted
