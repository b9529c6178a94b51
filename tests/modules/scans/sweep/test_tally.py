from dataclasses import replace

from backend.app.engine.http import Outcome
from backend.app.engine.scan import TestRun
from backend.app.modules.scans.sweep.tally import Tally

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


def test_a_kind_is_tried_when_all_its_answers_are_conclusive() -> None:
    vague = replace(RUN, conclusive=False)
    wrong = replace(RUN, case_kind="wrong_type", status_code=422)
    assert tally(RUN, wrong).tried() == {("GET /things", "valid"), ("GET /things", "wrong_type")}
    assert tally(RUN, wrong, vague).tried() == {("GET /things", "wrong_type")}
    assert tally(vague).tried() == set()


def test_the_latest_result_is_that_of_the_last_valid_request() -> None:
    (latest,) = tally(RUN, replace(RUN, status_code=404), replace(RUN, case_kind="null_value")).latest(IDS)
    assert (latest.endpoint_id, latest.status) == ("E", 404)
