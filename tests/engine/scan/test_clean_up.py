"""What a scan created is deleted again, whatever ends the scan."""

from itertools import count
from typing import Any

import orjson
import pytest

from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.engine.scan import ScanLimits, Stopped, run_scan
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
)
from tests.support.scanning import Recorder, VirtualClock, plan

THINGS = ApiDescription(
    "Things",
    "1",
    "openapi-3.1",
    operations=(
        Operation(
            "POST",
            "/things",
            body=RequestBody(
                True,
                (
                    MediaType(
                        "application/json",
                        {
                            "type": "object",
                            "required": ["name", "size", "color"],
                            "properties": {
                                "name": {"type": "string", "minLength": 2, "maxLength": 9},
                                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                                "color": {"type": "string", "enum": ["red", "blue"]},
                            },
                        },
                    ),
                ),
            ),
        ),
        Operation(
            "DELETE",
            "/things/{id}",
            parameters=(Parameter("id", ParameterLocation.PATH, True, {"type": "integer"}, "simple"),),
        ),
    ),
)
"""Whatever is posted is created, and every deletion is answered by the test."""


class _Things:
    def __init__(self, deletion: Any) -> None:
        self.ids = count(1)
        self.deletions = 0
        self.deletion = deletion

    async def send(self, request: Request) -> Exchange:
        if request.method == "DELETE":
            self.deletions += 1
            return await self.deletion(request)  # type: ignore[no-any-return]
        body = orjson.dumps({"id": next(self.ids)})
        return answered(request, Answer(201, (("Content-Type", "application/json"),), body))


def answered(request: Request, answer: Answer) -> Exchange:
    return Exchange(request, Outcome.ANSWERED, Timing(0.0, 1.0, 2.0), answer)


@pytest.mark.parametrize(("status", "stays"), [(204, False), (404, False), (410, False), (409, True), (500, True)])
async def test_what_is_gone_is_not_left_behind(status: int, stays: bool) -> None:
    async def answer(request: Request) -> Exchange:
        return answered(request, Answer(status, ()))

    things = _Things(answer)
    result = await run_scan(plan(description=THINGS), things.send, observer=Recorder(), clock=VirtualClock())
    created = next(things.ids) - 1
    assert created > 5
    assert result.left_behind == (created if stays else 0)


@pytest.mark.parametrize("ended_by", ["wall time", "a person"])
async def test_clean_up_ends_with_the_scan(ended_by: str) -> None:
    clock, recorder = VirtualClock(), Recorder()

    async def slow(request: Request) -> Exchange:
        await clock.sleep(4)
        if ended_by == "a person" and clock.now >= 30:
            recorder.stop_after = 0
        return answered(request, Answer(204, ()))

    things = _Things(slow)
    limits = ScanLimits(concurrency=1, max_seconds=30 if ended_by == "wall time" else None)
    result = await run_scan(plan(description=THINGS, limits=limits), things.send, observer=recorder, clock=clock)
    assert result.stopped is (Stopped.MAX_SECONDS if ended_by == "wall time" else Stopped.CANCELLED)
    assert result.duration_s < 30 + 4 + 5 + 1
    assert result.left_behind > 0


async def test_clean_up_does_not_wait_for_deletions_that_hang_one_after_the_other() -> None:
    async def hang(request: Request) -> Exchange:
        return Exchange(request, Outcome.TIMEOUT, Timing(0.0, None, 30_000.0), error="No answer within 30 s.")

    things = _Things(hang)
    result = await run_scan(plan(description=THINGS), things.send, observer=Recorder(), clock=VirtualClock())
    assert things.deletions == 3
    assert result.left_behind == next(things.ids) - 1
