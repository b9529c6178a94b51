"""What scans decide without a database."""

from dataclasses import replace

import pytest

from backend.app.engine.http import Outcome
from backend.app.engine.scan import TestRun
from backend.app.engine.spec.model import ApiDescription
from backend.app.modules.endpoints.service import Inventory
from backend.app.modules.scans.service import Tally, target_url


@pytest.mark.parametrize(
    ("base_url", "servers", "location", "expected"),
    [
        ("http://api.test", (), "request", "http://api.test"),
        ("http://api.test/v2", ("/v1",), "request", "http://api.test/v2"),
        ("http://api.test", ("/v1",), "request", "http://api.test/v1"),
        ("http://api.test/", ("http://api.test/v1",), "request", "http://api.test/v1"),
        ("http://staging.test", ("http://api.test/v1",), "request", "http://staging.test"),
        (None, ("/v1",), "http://api.test/docs/openapi.json", "http://api.test/v1"),
        (None, (), "http://api.test/docs/openapi.json", "http://api.test"),
        (None, ("https://api.test/v1",), "request", "https://api.test/v1"),
        (None, ("/v1",), "request", None),
    ],
)
def test_where_the_paths_begin(
    base_url: str | None, servers: tuple[str, ...], location: str, expected: str | None
) -> None:
    inventory = Inventory(ApiDescription("t", "1", "openapi-3.1", servers), {}, location)
    found = target_url(base_url, inventory)
    assert (found and found.rstrip("/")) == expected


RUN = TestRun(
    method="GET",
    path="/things",
    case_kind="valid",
    case_title="",
    status_code=200,
    outcome=Outcome.ANSWERED,
    success=True,
    latency_ms=10.0,
    first_byte_ms=9.0,
    response_size_bytes=100,
    validation_errors=(),
    timestamp=1.0,
    reliable=True,
)
IDS = {"GET /things": "E"}


def tally(*runs: TestRun) -> Tally:
    tally = Tally()
    for run in runs:
        tally.add(run)
    return tally


def test_latency_is_that_of_valid_requests_that_succeeded_on_a_quiet_loop() -> None:
    samples = tally(
        RUN,
        replace(RUN, latency_ms=20.0, success=False),
        replace(RUN, latency_ms=500.0, reliable=False),
        replace(RUN, latency_ms=600.0, case_kind="wrong_type", status_code=422),
        replace(RUN, latency_ms=700.0, status_code=404),
    ).of("GET /things")
    assert samples.latencies == [10.0, 20.0]
    assert samples.errors == 0


def test_server_errors_and_silence_are_errors() -> None:
    silent = replace(RUN, status_code=None, outcome=Outcome.TIMEOUT)
    assert tally(RUN, silent, replace(RUN, status_code=503, case_kind="wrong_type")).of("GET /things").errors == 2


@pytest.mark.parametrize(
    ("run", "tried"),
    [
        (RUN, True),
        (replace(RUN, status_code=500), True),
        (replace(RUN, status_code=401), False),
        (replace(RUN, status_code=429), False),
        (replace(RUN, status_code=None, outcome=Outcome.RESET), False),
        (replace(RUN, status_code=401, case_kind="no_credentials"), True),
    ],
)
def test_a_refusal_does_not_show_that_a_fault_is_gone(run: TestRun, tried: bool) -> None:
    assert tally(run).tried(IDS) == ({("E", run.case_kind)} if tried else set())


def test_one_refused_request_leaves_its_kind_undecided() -> None:
    assert tally(RUN, replace(RUN, status_code=403)).tried(IDS) == set()


def test_the_latest_result_is_that_of_the_last_valid_request() -> None:
    (latest,) = tally(RUN, replace(RUN, status_code=404), replace(RUN, case_kind="null_value")).latest(IDS)
    assert (latest.endpoint_id, latest.status) == ("E", 404)
