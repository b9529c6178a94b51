"""Scans that are held against the ones before them, on both engines."""

from collections.abc import Iterator
from typing import Any

import pytest

from backend.app.core.ids import new_ulid
from backend.app.modules.anomalies.detectors import MetricType, Sensitivity, Series, Verdict, detectors
from backend.app.modules.anomalies.service import MAX_EVENTS
from backend.app.modules.scans.events import ScanCompleted
from tests.modules.anomalies.conftest import ScanOnce, completed, publish, told
from tests.support.bench import BOB, Bench
from tests.support.engines import whatever_the_engine
from tests.support.paging import next_page

BOOKS, USERS = (new_ulid(), "GET /books"), (new_ulid(), "GET /users")
USUAL = {"latency": 20.0, "size": 1_000.0}
SLOW = {"latency": 900.0, "size": 1_000.0}


@pytest.fixture
async def project(bench: Bench) -> str:
    return await bench.project(base_url="http://127.0.0.1:9")


async def usual(scan: ScanOnce, project: str, times: int = 4) -> str:
    for number in range(times):
        did = {"latency": 20.0 + number, "size": 1_000.0 + number}
        last = await scan(project, {BOOKS: did, USERS: did})
    return last


async def test_an_endpoint_that_grew_slow_stands_out_and_the_timeline_says_why(
    bench: Bench, scan: ScanOnce, project: str
) -> None:
    await usual(scan, project)
    slow = await scan(project, {BOOKS: SLOW, USERS: USUAL})
    (found,) = await bench.call("GET", f"/projects/{project}/anomalies")
    assert (found["endpoint_id"], found["scan_id"], found["metric_type"]) == (BOOKS[0], slow, "latency")
    assert (found["method"], found["path"], found["detector"]) == ("GET", "/books", "robust_z")
    assert found["is_anomalous"] is True
    assert (found["value"], found["samples"]) == (900.0, 5)
    assert found["expected_low"] <= 20 <= found["expected_high"] < 900
    assert found["score"] > 3.5
    assert "GET /books" in found["details"]
    assert "900 ms" in found["details"]
    assert await bench.call("GET", f"/anomalies/{found['id']}") == found

    (event,) = await bench.call("GET", f"/anomalies/{found['id']}/events")
    assert event["name"] == "anomaly.detected"
    assert event["project_id"] == project
    assert event["payload"]["details"] == found["details"]
    checks = await bench.call("GET", f"/projects/{project}/events?name=anomaly_check.completed")
    (check,) = [event for event in checks if event["payload"]["scan_id"] == slow]
    assert (check["payload"]["judged"], check["payload"]["anomalous"]) == (6 * len(detectors.names()), 1)


@pytest.mark.parametrize(
    ("did", "metric"),
    [
        ({**USUAL, "errors": 12.0}, "error_rate"),
        ({"latency": 20.0, "size": 9_000.0}, "response_size"),
        ({"latency": 20.0, "size": 2.0}, "response_size"),
    ],
)
async def test_errors_and_sizes_are_judged_too(
    bench: Bench, scan: ScanOnce, project: str, did: dict[str, float], metric: str
) -> None:
    await usual(scan, project)
    await scan(project, {BOOKS: USUAL, USERS: did})
    (found,) = await bench.call("GET", f"/projects/{project}/anomalies")
    assert (found["metric_type"], found["path"]) == (metric, "/users")


@pytest.mark.parametrize(("sensitivity", "found"), [("low", 0), ("medium", 0), ("high", 1)])
async def test_the_sensitivity_is_a_setting(bench: Bench, scan: ScanOnce, project: str, found: int) -> None:
    await usual(scan, project)
    await scan(project, {BOOKS: {"latency": 50.0, "size": 1_000.0}})
    assert len(await bench.call("GET", f"/projects/{project}/anomalies")) == found


async def test_what_is_usual_is_kept_of_the_latest_scan_only(bench: Bench, scan: ScanOnce, project: str) -> None:
    first = await usual(scan, project)
    assert await bench.call("GET", f"/projects/{project}/anomalies") == []
    calm = await bench.call("GET", f"/projects/{project}/anomalies?is_anomalous=false")
    assert {verdict["scan_id"] for verdict in calm} == {first}
    assert len(calm) == 6 * len(detectors.names())
    slow = await scan(project, {BOOKS: SLOW, USERS: USUAL})
    await scan(project, {BOOKS: USUAL, USERS: USUAL})
    assert await bench.call("GET", f"/scans/{first}/anomalies?is_anomalous=false") == []
    assert [found["scan_id"] for found in await bench.call("GET", f"/projects/{project}/anomalies")] == [slow]


async def test_the_first_scans_say_that_there_is_too_little_history(bench: Bench, scan: ScanOnce, project: str) -> None:
    await scan(project, {BOOKS: USUAL})
    await scan(project, {BOOKS: SLOW})
    assert await bench.call("GET", f"/projects/{project}/anomalies") == []
    calm = await bench.call("GET", f"/projects/{project}/anomalies?is_anomalous=false&metric_type=latency")
    assert all(verdict["expected_high"] is None for verdict in calm)
    assert "history" in calm[0]["details"]


async def test_a_metric_that_was_not_measured_is_not_judged(bench: Bench, scan: ScanOnce, project: str) -> None:
    await usual(scan, project)
    await scan(project, {BOOKS: {"errors": 0.0}})
    calm = await bench.call("GET", f"/projects/{project}/anomalies?is_anomalous=false")
    assert {verdict["metric_type"] for verdict in calm} == {"error_rate"}


async def test_heard_twice_it_has_one_effect(bench: Bench, scan: ScanOnce, project: str) -> None:
    await usual(scan, project)
    slow = await scan(project, {BOOKS: SLOW, USERS: SLOW})
    before = await bench.call("GET", f"/projects/{project}/anomalies")
    events = await told(bench, project)
    await publish(bench, completed(project, slow))
    await bench.drain()
    await bench.due_again()
    await bench.drain()
    assert await bench.call("GET", f"/projects/{project}/anomalies") == before
    assert len(before) == 2
    assert await told(bench, project) == events
    assert events.count("anomaly.detected") == 2
    assert events.count("anomaly_check.completed") == 5


async def test_a_late_hearer_judges_by_what_was_known_then(bench: Bench, scan: ScanOnce, project: str) -> None:
    await usual(scan, project)
    slow = await scan(project, {BOOKS: SLOW}, heard=False)
    for _ in range(3):
        await scan(project, {BOOKS: SLOW})
    await publish(bench, completed(project, slow))
    await bench.drain()
    (found,) = await bench.call("GET", f"/scans/{slow}/anomalies")
    assert "over the last 4 scans" in found["details"]
    assert await bench.call("GET", f"/scans/{slow}/anomalies?is_anomalous=false") == []


async def test_a_deleted_project_takes_its_anomalies_along(bench: Bench, scan: ScanOnce, project: str) -> None:
    await usual(scan, project)
    slow = await scan(project, {BOOKS: SLOW})
    (found,) = await bench.call("GET", f"/projects/{project}/anomalies")
    await bench.call("DELETE", f"/projects/{project}", status=200)
    await publish(bench, completed(project, slow))
    await bench.drain()
    assert (await bench.client.get(f"/anomalies/{found['id']}")).status_code == 404


@pytest.fixture
def odd_detectors() -> Iterator[None]:
    """Third parties' detectors: one fails, one answers no number, one finds everything odd."""

    def fails(series: Series, sensitivity: Sensitivity) -> Verdict:
        raise RuntimeError("no idea")

    def infinite(series: Series, sensitivity: Sensitivity) -> Verdict:
        return Verdict(float("inf"), True, None, None, "far")

    def odd(series: Series, sensitivity: Sensitivity) -> Verdict:
        return Verdict(series.current, True, None, None, "odd \x00 \ud800")

    names = {"fails": fails, "infinite": infinite, "odd": odd}
    detectors.names()
    for name, detector in names.items():
        detectors.register(name)(detector)
    yield
    for name in names:
        del detectors._plugins[name]


async def test_a_detector_that_fails_does_not_silence_the_others(
    bench: Bench, scan: ScanOnce, project: str, odd_detectors: None
) -> None:
    await scan(project, {BOOKS: USUAL})
    found = await bench.call("GET", f"/projects/{project}/anomalies")
    assert {(verdict["detector"], verdict["metric_type"]) for verdict in found} == {
        ("odd", metric) for metric in MetricType
    }


async def test_a_timeline_bears_only_so_many(bench: Bench, scan: ScanOnce, project: str, odd_detectors: None) -> None:
    await scan(project, {(new_ulid(), f"GET /t{number}"): USUAL for number in range(MAX_EVENTS)})
    (check,) = await bench.call("GET", f"/projects/{project}/events?name=anomaly_check.completed")
    assert check["payload"]["anomalous"] == 3 * MAX_EVENTS
    assert (await told(bench, project)).count("anomaly.detected") == MAX_EVENTS


ROUTES = ["/projects/{project}/anomalies", "/scans/{scan}/anomalies", "/anomalies/{anomaly}"]


@pytest.fixture
async def ids(bench: Bench, scan: ScanOnce, project: str) -> dict[str, str]:
    await usual(scan, project)
    slow = await scan(project, {BOOKS: SLOW, USERS: SLOW})
    (found, _) = await bench.call("GET", f"/scans/{slow}/anomalies")
    return {"project": project, "scan": slow, "anomaly": found["id"]}


async def test_another_workspace_finds_nothing(bench: Bench, ids: dict[str, str]) -> None:
    async with bench.client_of(BOB) as bob, bench.client_of(None) as nobody:
        for template in ROUTES:
            path = template.format(**ids)
            assert (await bob.get(path)).status_code == 404, path
            assert (await nobody.get(path)).status_code == 401, path


async def test_an_event_of_another_workspace_judges_nothing(bench: Bench, ids: dict[str, str]) -> None:
    event: ScanCompleted = completed(ids["project"], ids["scan"])
    await publish(bench, event, BOB)
    await bench.drain()
    assert len(await bench.call("GET", f"/scans/{ids['scan']}/anomalies")) == 2


@pytest.mark.parametrize("template", ROUTES)
async def test_what_does_not_exist_is_not_found(bench: Bench, template: str) -> None:
    answer = await bench.client.get(template.format(**{name: new_ulid() for name in ("project", "scan", "anomaly")}))
    assert answer.status_code == 404
    assert answer.json()["code"].endswith(".not_found")


@whatever_the_engine
@pytest.mark.parametrize(
    "query", ["is_anomalous=perhaps", "metric_type=taste", "endpoint_id=x", "limit=0", "cursor=Nw", "cursor=x%00"]
)
async def test_bad_input_is_a_422(bench: Bench, ids: dict[str, str], query: str) -> None:
    for template in ROUTES[:2]:
        answer = await bench.client.get(f"{template.format(**ids)}?{query}")
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def test_lists_filter_and_page(bench: Bench, ids: dict[str, str]) -> None:
    url = f"/projects/{ids['project']}/anomalies"
    (only,) = await bench.call("GET", f"{url}?endpoint_id={USERS[0].lower()}")
    assert only["path"] == "/users"
    assert await bench.call("GET", f"{url}?metric_type=error_rate") == []
    first = await bench.client.get(f"{url}?limit=1")
    second = await bench.client.get(next_page(first))
    assert next_page(second) == ""
    seen: list[Any] = first.json()["data"] + second.json()["data"]
    assert {found["path"] for found in seen} == {"/books", "/users"}
