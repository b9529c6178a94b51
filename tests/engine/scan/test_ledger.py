"""Which answers can tell that a fault is gone."""

from dataclasses import replace
from zlib import crc32

import pytest

from backend.app.engine.http import Answer, Exchange, Outcome, Request
from backend.app.engine.scan import run_scan
from tests.support.fake_api import FakeApi
from tests.support.scanning import Recorder, VirtualClock, plan, scanned


@pytest.mark.parametrize(
    ("refusal", "kinds"),
    [
        (Answer(401, ()), {"no_credentials"}),
        (Answer(403, ()), {"no_credentials"}),
        (Answer(429, (("Retry-After", "0"),)), set()),
    ],
)
async def test_a_refusal_is_not_conclusive(refusal: Answer, kinds: set[str]) -> None:
    api = FakeApi()

    async def send(request: Request) -> Exchange:
        exchange = await api.send(request)
        # Not all, so that the operations stay worth trying, and a repeated request as the first one.
        known = "Authorization" in dict(request.headers)
        chosen = not known or crc32(f"{request.method} {request.url} {request.body!r}".encode()) % 2
        return replace(exchange, answer=refusal) if chosen else exchange

    recorder = Recorder()
    await run_scan(plan(), send, observer=recorder, clock=VirtualClock())
    refused = [run for run in recorder.runs if run.status_code == refusal.status]
    assert {run.case_kind for run in refused if run.conclusive} == kinds
    assert len({run.case_kind for run in refused}) > 3


async def test_silence_is_not_conclusive() -> None:
    _, recorder, _ = await scanned("timeout")
    assert {run.outcome for run in recorder.runs if not run.conclusive} == {Outcome.TIMEOUT}


async def test_not_to_find_what_nobody_gave_us_is_not_conclusive() -> None:
    api = FakeApi()

    async def send(request: Request) -> Exchange:
        exchange = await api.send(request)
        creating = request.method == "POST" and request.url.endswith("/pets")
        listing = request.url.partition("?")[0].endswith("/pets") and request.method == "GET"
        return replace(exchange, answer=Answer(503, ())) if creating or listing else exchange

    recorder = Recorder()
    await run_scan(plan(), send, observer=recorder, clock=VirtualClock())
    missed = [run for run in recorder.runs if run.path == "/pets/{petId}" and run.status_code == 404]
    assert {run.conclusive for run in missed if run.case_kind == "valid"} == {False}
    assert {run.conclusive for run in missed if run.case_kind == "unknown_id"} == {True}
    _, recorder, _ = await scanned()
    assert all(run.conclusive for run in recorder.runs if run.case_kind == "valid")
