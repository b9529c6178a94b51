"""What is sent how often."""

from collections import Counter

import pytest

from backend.app.engine.scan import ScanLimits, Stopped
from tests.support.scanning import scanned


async def test_an_operation_that_can_be_read_is_timed_three_times() -> None:
    _, recorder, _ = await scanned()
    times = Counter(f"{run.method} {run.path}" for run in recorder.runs if run.case_kind == "valid")
    reads = {key: number for key, number in times.items() if key.startswith(("GET", "HEAD"))}
    assert len(reads) == 6
    assert set(reads.values()) == {3}
    assert (times["PUT /pets/{petId}"], times["POST /logout"]) == (1, 1)


async def test_what_fails_is_not_timed_again() -> None:
    _, recorder, _ = await scanned("crash")
    assert sum(run.case_kind == "valid" and (run.method, run.path) == ("GET", "/status") for run in recorder.runs) == 1


async def test_timing_again_gives_way_to_everything_else() -> None:
    whole, recorder, _ = await scanned()
    kinds = Counter(run.case_kind for run in recorder.runs)
    result, recorder, _ = await scanned(limits=ScanLimits(concurrency=1, max_requests=whole.requests - 1))
    fewer = Counter(run.case_kind for run in recorder.runs)
    assert result.stopped is Stopped.COMPLETED
    assert kinds["valid"] - 12 <= fewer.pop("valid") < kinds.pop("valid")
    assert fewer == kinds


@pytest.mark.parametrize("most", [40, 60, 80])
async def test_a_limit_on_requests_leaves_room_for_every_operation(most: int) -> None:
    result, _, _ = await scanned(limits=ScanLimits(concurrency=1, max_requests=most))
    assert [operation.path for operation in result.operations if not operation.reached_2xx] == []
    assert result.stopped is Stopped.MAX_REQUESTS
