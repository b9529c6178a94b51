import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from backend.app.engine.generate.requests import Credentials
from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.engine.scan import ScanLimits, Stopped, TestRun, run_scan
from backend.app.engine.spec.model import (
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
)
from tests.support.fake_api import BASE_URL, TOKEN, FakeApi, description
from tests.support.scanning import Recorder, VirtualClock, plan, scanned


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("concurrency", [1, 8])
async def test_a_correct_api_has_no_findings(seed: int, concurrency: int) -> None:
    result, recorder, _ = await scanned(seed=seed, limits=ScanLimits(concurrency=concurrency))
    assert [(finding.title, finding.detail) for finding in result.findings] == []
    assert result.stopped is Stopped.COMPLETED
    assert {operation.path for operation in result.operations if not operation.reached_2xx} == set()
    assert all(run.success for run in recorder.runs)
    assert result.coverage.percent == 100.0
    assert result.internal_errors == ()


PLANTED = [
    ("crash", "server_error", "high", "GET /status"),
    ("crash_on_bad_json", "server_error", "high", "POST /pets"),
    ("crash_without_name", "server_error", "high", "POST /pets"),
    ("undocumented_status", "undocumented_status", "medium", "GET /search"),
    ("wrong_content_type", "content_type", "medium", "GET /search"),
    ("not_json", "response_schema", "medium", "GET /search"),
    ("bad_schema", "response_schema", "medium", "GET /pets"),
    ("accepts_missing_q", "negative_accepted", "low", "GET /search"),
    ("accepts_wrong_age", "negative_accepted", "medium", "POST /pets"),
    ("no_auth", "missing_auth", "critical", "GET /pets"),
    ("missing_header", "required_header", "low", "GET /status"),
    ("timeout", "transport", "high", "GET /status"),
    ("reset", "transport", "high", "GET /status"),
    ("protocol_error", "transport", "high", "GET /status"),
    ("too_large", "transport", "medium", "GET /status"),
]


@pytest.mark.parametrize(("fault", "check", "severity", "operation"), PLANTED)
async def test_a_planted_fault_is_found(fault: str, check: str, severity: str, operation: str) -> None:
    result, recorder, _ = await scanned(fault)
    found = {(finding.check, f"{finding.method} {finding.path}"): finding for finding in result.findings}
    assert (check, operation) in found
    assert found[check, operation].severity == severity
    assert {finding.check for finding in result.findings} == {check}
    assert result.stopped is Stopped.COMPLETED
    shown = {mark for run in recorder.runs for mark in run.fingerprints}
    assert shown == {finding.fingerprint for finding in result.findings}
    assert sum(finding.count for finding in result.findings) == sum(len(run.fingerprints) for run in recorder.runs)


async def test_quick_reads_once_and_changes_nothing() -> None:
    result, _, api = await scanned(scan_type="quick")
    assert {request.method for request in api.requests} == {"GET", "HEAD"}
    assert [operation.requests for operation in result.operations] == [
        int(operation.method in ("GET", "HEAD")) for operation in result.operations
    ]
    assert api.pets.keys() == {1}
    assert all(operation.skipped for operation in result.operations if not operation.requests)


async def test_full_deletes_what_it_created_and_nothing_else() -> None:
    result, _, api = await scanned("accepts_wrong_age")
    assert api.pets == FakeApi().pets
    # Visits have no operation that deletes them.
    assert result.left_behind == len(api.visits) > 0


async def test_ids_flow_from_answers_into_later_requests() -> None:
    _, recorder, api = await scanned()
    reads = [request.url for request in api.requests if "/visits/" in request.url and request.method == "GET"]
    assert reads[0].removeprefix(BASE_URL) in {f"/pets/{pet}/visits/{visit}" for pet, visit in api.visits}
    assert {run.status_code for run in recorder.runs if run.case_kind == "valid"} == {200, 201, 204}


async def test_a_finding_says_how_to_make_what_its_request_names() -> None:
    operations = tuple(
        replace(operation, responses=(ResponseSpec("299"),)) if operation.key == "GET /pets/{petId}" else operation
        for operation in description().operations
    )
    result, _, _ = await scanned(description=replace(description(), operations=operations))
    finding = next(found for found in result.findings if found.check == "undocumented_status")
    (setup,) = finding.setup
    assert setup.startswith("curl -sS -i -X POST")
    assert setup.endswith(f"{BASE_URL}/pets")
    assert TOKEN not in setup
    assert finding.path == "/pets/{petId}"


async def test_equal_seeds_give_equal_requests() -> None:
    first, second, other = [(await scanned(seed=seed))[2].requests for seed in (1, 1, 2)]
    assert first == second
    assert first != other


async def test_fingerprints_do_not_depend_on_seed_or_concurrency() -> None:
    faults = ("crash", "bad_schema", "accepts_wrong_age", "no_auth", "wrong_content_type", "crash_without_name")
    marks = []
    for seed, concurrency in ((1, 1), (2, 1), (3, 16)):
        result, _, _ = await scanned(*faults, seed=seed, limits=ScanLimits(concurrency=concurrency))
        marks.append({finding.fingerprint for finding in result.findings})
    assert marks[0] == marks[1] == marks[2]


async def test_credentials_stay_out_of_everything_that_is_kept() -> None:
    async def echo(request: Request) -> Exchange:
        timing = Timing(0.0, 1.0, 2.0)
        body = f'{{"seen": "{dict(request.headers).get("Authorization")}"}}'.encode()
        return Exchange(request, Outcome.ANSWERED, timing, Answer(500, (("Content-Type", "application/json"),), body))

    recorder = Recorder()
    own = (("X-Session", "of-the-user"), ("X-Trace", "visible"))
    result = await run_scan(plan(headers=own), echo, observer=recorder, clock=VirtualClock())
    assert result.findings
    for secret in (TOKEN, "of-the-user"):
        assert secret not in repr(result)
        assert secret not in repr(recorder.runs)
    assert "X-Trace: visible" in result.findings[0].curl
    assert "***" in str(result.findings[0].evidence["body"])
    assert '"$TOKEN"' in result.findings[0].curl


async def test_an_unreachable_target_ends_the_scan_early() -> None:
    result, _, _ = await scanned("unreachable")
    assert result.stopped is Stopped.UNREACHABLE
    assert result.requests <= 3
    assert result.findings == ()


@pytest.mark.parametrize("most", [1, 100])
async def test_one_request_is_enough_to_see_that_nobody_is_there(most: int) -> None:
    alone = replace(description(), operations=(description().operations[-2],))
    result, _, _ = await scanned("unreachable", description=alone, limits=ScanLimits(max_requests=most))
    assert (result.stopped, result.requests) == (Stopped.UNREACHABLE, 1)


async def test_wrong_credentials_are_reported_once_and_not_as_faults() -> None:
    result, _, _ = await scanned(credentials=Credentials(headers=(("Authorization", "Bearer wrong"),)))
    assert result.findings == ()
    assert not result.unauthorised
    refused = [operation for operation in result.operations if operation.path.startswith("/pets")]
    assert all("credentials" in operation.note for operation in refused)
    closed = replace(
        description(),
        operations=tuple(operation for operation in description().operations if operation.requires_auth),
    )
    result, _, _ = await scanned(description=closed, credentials=None)
    assert result.unauthorised


async def test_cancelling_stops_and_cleans_up() -> None:
    result, recorder, api = await scanned(recorder=Recorder(stop_after=20))
    assert result.stopped is Stopped.CANCELLED
    assert 20 <= sum(run.case_kind != "clean_up" for run in recorder.runs) <= 70
    assert api.pets == FakeApi().pets


async def test_hanging_requests_are_cancelled_on_request() -> None:
    recorder = Recorder(stop_after=0)

    async def hang(request: Request) -> Exchange:
        await asyncio.Event().wait()
        raise AssertionError

    result = await run_scan(plan(), hang, observer=recorder, clock=VirtualClock())
    assert result.stopped is Stopped.CANCELLED


@pytest.mark.parametrize("most", [1, 10, 40])
@pytest.mark.parametrize("concurrency", [1, 16])
async def test_requests_never_exceed_their_limit(most: int, concurrency: int) -> None:
    limits = ScanLimits(concurrency=concurrency, max_requests=most)
    result, _, api = await scanned(limits=limits)
    assert result.stopped is Stopped.MAX_REQUESTS
    assert result.requests == len(api.requests) <= most
    assert api.pets == FakeApi().pets


async def test_wall_time_is_limited() -> None:
    clock = VirtualClock()
    api = FakeApi()

    async def slow(request: Request) -> Exchange:
        await clock.sleep(3)
        return await api.send(request)

    limits = ScanLimits(concurrency=2, max_seconds=30)
    result = await run_scan(plan(limits=limits), slow, observer=Recorder(), clock=clock)
    assert result.stopped is Stopped.MAX_SECONDS
    assert 30 <= result.duration_s < 60


async def test_the_rate_is_kept_from_the_intended_start_on() -> None:
    clock = VirtualClock()
    api = FakeApi()
    starts: list[float] = []

    async def stamped(request: Request) -> Exchange:
        starts.append(clock.now)
        return await api.send(request)

    limits = ScanLimits(requests_per_second=10, concurrency=8)
    await run_scan(plan(scan_type="quick", limits=limits), stamped, observer=Recorder(), clock=clock)
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps
    assert min(gaps) >= 0.1 - 1e-9


async def test_a_rate_limited_request_is_sent_again_when_the_target_says() -> None:
    clock = VirtualClock()
    api = FakeApi()
    refused: set[str] = set()
    times: dict[str, list[float]] = {}

    async def limited(request: Request) -> Exchange:
        times.setdefault(request.url, []).append(clock.now)
        if request.url not in refused:
            refused.add(request.url)
            return Exchange(request, Outcome.ANSWERED, Timing(0.0), Answer(429, (("Retry-After", "2"),)))
        return await api.send(request)

    result = await run_scan(plan(scan_type="quick"), limited, observer=Recorder(), clock=clock)
    assert result.findings == ()
    assert all(later - earlier >= 2 for earlier, later, *_ in times.values())


async def test_an_operation_that_keeps_hanging_is_given_up() -> None:
    operation = Operation(
        "GET",
        "/slow",
        parameters=tuple(
            Parameter(name, ParameterLocation.QUERY, False, {"type": "integer", "minimum": 1}, "form", True)
            for name in "abcdef"
        ),
        responses=(ResponseSpec("200"),),
    )

    async def hang(request: Request) -> Exchange:
        return Exchange(request, Outcome.TIMEOUT, Timing(0.0, None, 30_000.0), error="No answer within 30 s.")

    result, _, _ = await scanned(description=replace(description(), operations=(operation,)), api=_Api(hang))
    assert result.operations[0].requests == 3
    assert "broke off" in result.operations[0].skipped
    assert [finding.title for finding in result.findings] == ["No answer in time"]


async def test_an_operation_whose_body_cannot_be_written_says_so() -> None:
    operation = Operation("POST", "/xml", body=RequestBody(True, (MediaType("application/xml", {"type": "object"}),)))
    result, _, api = await scanned(description=replace(description(), operations=(operation,)))
    assert api.requests == []
    assert "application/xml" in result.operations[0].skipped


async def test_another_host_is_never_contacted() -> None:
    operation = Operation("GET", "/upload", server="https://uploads.example.com", responses=(ResponseSpec("200"),))
    result, _, api = await scanned(description=replace(description(), operations=(operation,)))
    assert api.requests == []
    assert "uploads.example.com" in result.operations[0].skipped


async def test_a_fault_of_the_sender_is_raised_as_it_is() -> None:
    async def broken(request: Request) -> Exchange:
        raise LookupError("no such client")

    with pytest.raises(LookupError, match="no such client"):
        await run_scan(plan(), broken, observer=Recorder(), clock=VirtualClock())


async def test_progress_grows_to_its_total() -> None:
    _, recorder, _ = await scanned()
    done = [step[0] for step in recorder.steps]
    assert done == sorted(done)
    assert recorder.steps[-1][0] == recorder.steps[-1][1] > 0


class _Api(FakeApi):
    def __init__(self, send: Any) -> None:
        super().__init__()
        self.send = send  # type: ignore[method-assign]


class _SlowRecorder(Recorder):
    """Takes its time to store something, as a database does."""

    def __init__(self, clock: VirtualClock, stop_after: int | None = None) -> None:
        super().__init__(stop_after)
        self.clock = clock
        self.unfinished: Counter[str] = Counter()

    async def test_run(self, run: TestRun) -> None:
        self.unfinished["test run"] += 1
        await self.clock.sleep(1)
        await super().test_run(run)
        self.unfinished["test run"] -= 1

    async def progress(self, done: int, total: int) -> None:
        self.unfinished["progress"] += 1
        await self.clock.sleep(5)
        self.unfinished["progress"] -= 1


@pytest.mark.parametrize("stop_after", [None, 3, 20])
@pytest.mark.parametrize("scan_type", ["quick", "full"])
async def test_what_the_observer_stores_is_stored_whole(stop_after: int | None, scan_type: str) -> None:
    clock, api = VirtualClock(), FakeApi()

    async def slow(request: Request) -> Exchange:
        await clock.sleep(0.7)
        return await api.send(request)

    recorder = _SlowRecorder(clock, stop_after)
    limits = ScanLimits(concurrency=4)
    result = await run_scan(plan(scan_type=scan_type, limits=limits), slow, observer=recorder, clock=clock)
    assert not +recorder.unfinished
    assert len(recorder.runs) == sum(operation.requests for operation in result.operations)
