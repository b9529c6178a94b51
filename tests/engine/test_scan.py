import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from backend.app.engine.findings import Finding
from backend.app.engine.generate.requests import Credentials
from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.engine.scan import ScanLimits, ScanPlan, ScanResult, Stopped, TestRun, run_scan
from backend.app.engine.spec.model import MediaType, Operation, Parameter, ParameterLocation, RequestBody, ResponseSpec
from tests.support.fake_api import BASE_URL, CREDENTIALS, TOKEN, FakeApi, description


class Recorder:
    def __init__(self, stop_after: int | None = None) -> None:
        self.runs: list[TestRun] = []
        self.findings: list[Finding] = []
        self.steps: list[tuple[int, int]] = []
        self.stop_after = stop_after

    async def test_run(self, run: TestRun) -> None:
        self.runs.append(run)

    async def finding(self, finding: Finding) -> None:
        self.findings.append(finding)

    async def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    async def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.runs) >= self.stop_after


class VirtualClock:
    """Time that passes only by sleeping: when nothing else can happen, the earliest sleeper wakes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.deadlines: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        deadline = self.now + seconds
        self.deadlines.append(deadline)
        idle = 0
        try:
            while self.now < deadline:
                await asyncio.sleep(0)
                idle += 1
                if idle > 50 and deadline == min(self.deadlines):
                    self.now = deadline
        finally:
            self.deadlines.remove(deadline)


def plan(**changes: Any) -> ScanPlan:
    base = ScanPlan(description(), BASE_URL, "full", CREDENTIALS, seed=7, limits=ScanLimits(concurrency=1))
    return replace(base, **changes)


async def scanned(
    *faults: str, api: FakeApi | None = None, recorder: Recorder | None = None, **changes: Any
) -> tuple[ScanResult, Recorder, FakeApi]:
    api = api or FakeApi(*faults)
    recorder = recorder or Recorder()
    result = await run_scan(plan(**changes), api.send, observer=recorder, clock=VirtualClock())
    return result, recorder, api


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
