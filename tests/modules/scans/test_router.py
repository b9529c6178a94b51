"""Scans, test runs and findings, as a client sees them."""

import json
from typing import Any

import pytest

from backend.app.core.ids import new_ulid
from tests.support.bench import BOB, Bench, document, operation
from tests.support.paging import next_page
from tests.support.target import Says, target


@pytest.fixture
async def scanned(bench: Bench) -> dict[str, str]:
    """The ids of a project, its scan, an endpoint and a finding."""
    async with target({"GET /things": Says(500), "GET /parts": Says(200)}) as api:
        project = await bench.project(base_url=api.url)
        await bench.discover(project, {"document": document({"/things": operation(), "/parts": operation()})})
        scan = await bench.scan(project)
    (endpoint, _) = await bench.call("GET", f"/projects/{project}/endpoints")
    (finding,) = await bench.call("GET", f"/projects/{project}/findings")
    return {"project": project, "scan": scan["id"], "endpoint": endpoint["id"], "finding": finding["id"]}


JSON = {"Content-Type": "application/json"}

ROUTES = [
    ("GET", "/projects/{project}/scans", None),
    ("GET", "/scans/{scan}", None),
    ("GET", "/scans/{scan}/test-runs", None),
    ("GET", "/scans/{scan}/operations", None),
    ("GET", "/scans/{scan}/findings", None),
    ("GET", "/projects/{project}/findings", None),
    ("GET", "/findings/{finding}", None),
    ("PATCH", "/findings/{finding}", {"status": "accepted"}),
    ("GET", "/projects/{project}/endpoints/{endpoint}/test-runs", None),
    ("POST", "/projects/{project}/scans", {"scan_type": "quick"}),
    ("POST", "/scans/{scan}/cancel", None),
]


async def test_another_workspace_finds_nothing(bench: Bench, scanned: dict[str, str]) -> None:
    async with bench.client_of(BOB) as bob, bench.client_of(None) as nobody:
        for method, template, body in ROUTES:
            path = template.format(**scanned)
            refused = await bob.request(method, path, json=body)
            assert refused.status_code == 404, path
            assert refused.headers["content-type"] == "application/problem+json"
            assert (await nobody.request(method, path, json=body)).status_code == 401, path
            mine = await bench.client.request(method, path, json=body)
            assert mine.status_code in (200, 202, 409), path


async def test_what_does_not_exist_is_not_found(bench: Bench) -> None:
    ids = {name: new_ulid() for name in ("project", "scan", "endpoint", "finding")}
    for method, template, body in ROUTES:
        answer = await bench.client.request(method, template.format(**ids), json=body)
        assert answer.status_code == 404, answer.text
        assert answer.json()["code"].endswith(".not_found")


LISTS = ["/scans/{scan}/test-runs", "/scans/{scan}/operations", "/projects/{project}/endpoints/{endpoint}/test-runs"]


async def test_lists_go_on_where_the_page_ended(bench: Bench, scanned: dict[str, str]) -> None:
    for template in LISTS:
        path = template.format(**scanned)
        whole = await bench.call("GET", f"{path}?limit=200")
        seen, url = [], f"{path}?limit=1"
        while url:
            answer = await bench.client.get(url)
            seen += answer.json()["data"]
            url = next_page(answer)
        assert seen == whole
        assert whole


BAD_SCANS: list[Any] = [
    {"scan_type": "slow"},
    {"scan_type": 1},
    {"concurrency": 0},
    {"concurrency": 101},
    {"concurrency": 1.5},
    {"max_requests": 0},
    {"max_requests": 10**9},
    {"max_seconds": 0},
    {"max_seconds": 1e9},
    {"requests_per_second": 0},
    {"requests_per_second": -1},
    {"seed": -1},
    {"seed": 2**63},
    {"seed": 10**40},
    {"seed": "x"},
    {"unknown": 1},
    [],
    None,
]


async def test_a_bad_scan_is_refused(bench: Bench, scanned: dict[str, str]) -> None:
    before = await bench.events(scanned["project"])
    for body in BAD_SCANS:
        answer = await bench.client.post(
            f"/projects/{scanned['project']}/scans", content=json.dumps(body), headers=JSON
        )
        assert answer.status_code == 422, (body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    assert await bench.events(scanned["project"]) == before


BAD_DECISIONS: list[Any] = [
    {},
    {"status": "fixed"},
    {"status": "accepted", "reason": "a" * 2001},
    {"status": "open", "reason": "\x00"},
    [],
]


async def test_a_bad_decision_is_refused(bench: Bench, scanned: dict[str, str]) -> None:
    for body in BAD_DECISIONS:
        answer = await bench.client.patch(f"/findings/{scanned['finding']}", content=json.dumps(body), headers=JSON)
        assert answer.status_code == 422, (body, answer.text)


BAD_QUERIES = [
    "/scans/{scan}/test-runs?cursor=Ingi",
    "/scans/{scan}/test-runs?case_kind=%00",
    "/scans/{scan}/test-runs?endpoint_id=x",
    "/scans/{scan}/findings?status=odd",
    "/projects/{project}/findings?severity=odd",
    "/projects/{project}/findings?cursor=MQ",
    "/projects/{project}/scans?status=odd",
    "/projects/{project}/scans?limit=201",
]


async def test_bad_queries_are_refused(bench: Bench, scanned: dict[str, str]) -> None:
    for query in BAD_QUERIES:
        answer = await bench.client.get(query.format(**scanned))
        assert answer.status_code == 422, (query, answer.text)


async def test_an_endpoint_of_another_project_has_no_test_runs(bench: Bench, scanned: dict[str, str]) -> None:
    other = await bench.project(base_url="http://127.0.0.1:9")
    refused = await bench.call("GET", f"/projects/{other}/endpoints/{scanned['endpoint']}/test-runs", status=404)
    assert refused["code"] == "endpoint.not_found"


async def test_a_repeated_key_starts_one_scan(bench: Bench, scanned: dict[str, str]) -> None:
    path, key = f"/projects/{scanned['project']}/scans", {"Idempotency-Key": "once"}
    first = await bench.call("POST", path, {}, status=202, headers=key)
    assert await bench.call("POST", path, {}, status=202, headers=key) == first


async def test_an_archived_project_is_not_scanned(bench: Bench, scanned: dict[str, str]) -> None:
    await bench.call("PATCH", f"/projects/{scanned['project']}", {"status": "archived"})
    refused = await bench.call("POST", f"/projects/{scanned['project']}/scans", {}, status=409)
    assert refused["code"] == "project.archived"
    assert len(await bench.call("GET", f"/projects/{scanned['project']}/scans")) == 1
