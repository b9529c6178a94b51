"""How fast discovery asks, with a clock that is moved by sleeping alone."""

import asyncio

import pytest

from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.modules.endpoints.looking.tools import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def answered(status: int, **headers: str) -> Exchange:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Exchange(Request("GET", "http://api.test/"), Outcome.ANSWERED, Timing(0), Answer(status, named))


async def turns(pace: Pace, clock: Clock, url: str, count: int) -> list[float]:
    times = []
    for _ in range(count):
        await pace.wait(url)
        times.append(round(clock.now - 100, 6))
    return times


async def test_requests_to_a_host_are_spaced_evenly_and_hosts_do_not_wait_for_each_other() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock, sleep=clock.sleep)
    assert await turns(pace, clock, "http://api.test/a", 4) == [0, 0.1, 0.2, 0.3]
    assert await turns(pace, clock, "http://other.test/a", 1) == [0.3]


async def test_requests_that_come_together_take_their_turns() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 6))

    pace = Pace(10, clock=lambda: 100.0, sleep=sleep)
    await asyncio.gather(*(pace.wait("http://api.test/") for _ in range(4)))
    assert waits == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("url", ["http://localhost:8000/", "http://127.0.0.1/", "http://[::1]:80/"])
async def test_this_machine_is_asked_as_fast_as_it_answers(url: str) -> None:
    clock = Clock()
    assert await turns(Pace(10, clock=clock, sleep=clock.sleep), clock, url, 5) == [0, 0, 0, 0, 0]


async def test_no_rate_is_no_limit() -> None:
    clock = Clock()
    assert await turns(Pace(0, clock=clock, sleep=clock.sleep), clock, "http://api.test/", 3) == [0, 0, 0]


@pytest.mark.parametrize(("headers", "pause"), [({}, 2), ({"Retry_After": "7"}, 7), ({"Retry_After": "86400"}, 30)])
@pytest.mark.parametrize("host", ["api.test", "127.0.0.1:8000"])
async def test_a_host_that_asks_for_fewer_is_asked_more_slowly(
    headers: dict[str, str], pause: float, host: str
) -> None:
    clock = Clock()
    pace = Pace(10, clock=clock, sleep=clock.sleep)
    pace.heard(f"http://{host}/", answered(429, **headers))
    assert await turns(pace, clock, f"http://{host}/", 3) == [pause, pause + 2, pause + 4]
    pace.heard("http://fine.test/", answered(200))
    assert await turns(pace, clock, "http://fine.test/", 2) == [pause + 4, pause + 4.1]
