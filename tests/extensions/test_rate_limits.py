"""Who asks too often waits; who does not is never held up by others, nor by a Redis that is away."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import given
from hypothesis import strategies as st

from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, envelope
from backend.app.core.settings import RateSettings, RedisSettings, Settings, SettingsError, WebSettings, load_settings
from backend.app.core.views import PUBLIC, access_control, view
from backend.app.extensions import rate_limits
from tests.support.apps import client_of, small_app

RATES = RateSettings(public="3/minute", sign_in="2/minute;5/hour", signed_in="4/minute")
PROXY = WebSettings(trusted_proxies=("127.0.0.1",))
GROUPS = [("/open", 3), ("/auth/login", 2), ("/closed", 4)]


def routes() -> APIRouter:
    router = APIRouter()

    @view(router)
    class Views:
        @router.get("/open")
        @access_control(PUBLIC)
        async def read_open(self) -> Envelope[str]:
            return envelope("ok")

        @router.get("/auth/login")
        @access_control(PUBLIC)
        async def login(self) -> Envelope[str]:
            return envelope("ok")

        @router.get("/forbidden")
        @access_control(Permission.USERS_READ)
        async def read_forbidden(self) -> Envelope[str]:
            return envelope("never")

        @router.get("/closed")
        @access_control(Permission.EVENTS_READ)
        async def read_closed(self) -> Envelope[str]:
            return envelope("ok")

    return router


def app_with(**fields: Any) -> FastAPI:
    app = small_app(routes(), Settings(**{"rates": RATES, "web": PROXY, **fields}))
    app.get("/health")(lambda: "ok")
    return app


async def statuses(app: Any, path: str, count: int, who: str = "alice", address: str = "198.51.100.1") -> list[int]:
    async with client_of(app, who) as client:
        headers = {"X-Forwarded-For": address}
        return [(await client.get(path, headers=headers)).status_code for _ in range(count)]


@pytest.mark.parametrize(("path", "limit"), GROUPS)
async def test_each_group_has_its_own_limit(path: str, limit: int) -> None:
    app = app_with()
    assert await statuses(app, path, limit + 2) == [200] * limit + [429] * 2
    for other, many in GROUPS:
        if other != path:
            assert await statuses(app, other, many) == [200] * many


async def test_a_refusal_says_when_to_come_again() -> None:
    app = app_with()
    await statuses(app, "/auth/login", 2)
    answer = await client_of(app).get("/auth/login", headers={"X-Forwarded-For": "198.51.100.1"})
    body = answer.json()
    assert (answer.status_code, body["code"], body["status"]) == (429, "request.too_many", 429)
    assert answer.headers["content-type"] == "application/problem+json"
    assert 0 < int(answer.headers["retry-after"]) <= 60


async def test_every_counted_answer_says_how_much_is_left() -> None:
    client = client_of(app_with())
    answers = [await client.get("/closed") for _ in range(5)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"signed_in";q=4;w=60'}
    left = [answer.headers["ratelimit"].split(";") for answer in answers]
    assert [(name, rest) for name, rest, _ in left] == [('"signed_in"', f"r={n}") for n in (3, 2, 1, 0, 0)]
    assert all(0 <= int(seconds.removeprefix("t=")) <= 60 for _, _, seconds in left)
    several = (await client.get("/auth/login")).headers["ratelimit-policy"]
    assert several == '"sign_in-60";q=2;w=60, "sign_in-3600";q=5;w=3600'


async def test_one_client_does_not_use_up_what_others_have() -> None:
    app = app_with()
    assert await statuses(app, "/open", 4) == [200, 200, 200, 429]
    assert await statuses(app, "/open", 1, address="198.51.100.2") == [200]
    assert await statuses(app, "/closed", 5) == [200] * 4 + [429]
    assert await statuses(app, "/closed", 1, who="bob") == [200]


async def test_the_addresses_of_one_ipv6_site_count_together() -> None:
    app = app_with()
    answers = [await statuses(app, "/open", 1, address=f"2001:db8::{number}") for number in range(1, 5)]
    assert answers == [[200], [200], [200], [429]]


async def test_an_address_that_a_client_makes_up_does_not_help() -> None:
    app = app_with(web=WebSettings())
    answers = [await statuses(app, "/open", 1, address=f"198.51.100.{number}") for number in range(4)]
    assert answers == [[200], [200], [200], [429]]


async def test_the_window_slides_on(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_with()
    assert await statuses(app, "/open", 4) == [200, 200, 200, 429]
    real = time.monotonic
    monkeypatch.setattr(rate_limits, "monotonic", lambda: real() + 121)
    assert await statuses(app, "/open", 4) == [200, 200, 200, 429]


async def test_probes_are_never_counted() -> None:
    async with client_of(app_with()) as client:
        for _ in range(20):
            assert (await client.get("http://test/health")).status_code == 200


async def test_who_guesses_waits_and_holds_up_nobody_at_the_same_address() -> None:
    app = app_with()
    async with client_of(app, who=None) as guesser:
        headers = {"X-Forwarded-For": "198.51.100.1"}
        answers = [await guesser.get("/closed", headers=headers) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert int(answers[-1].headers["retry-after"]) > 0
    for path, limit in GROUPS:
        assert await statuses(app, path, limit) == [200] * limit
    async with client_of(app, who=None) as other:
        assert (await other.get("/closed", headers={"X-Forwarded-For": "198.51.100.2"})).status_code == 401


async def test_whoever_may_not_is_counted_as_the_user_and_not_as_a_guesser() -> None:
    """Good credentials without the right are no guess."""
    app = app_with()
    async with client_of(app) as client:
        assert [(await client.get("/forbidden")).status_code for _ in range(5)] == [403] * 4 + [429]
    async with client_of(app, who=None) as nobody:
        assert (await nobody.get("/closed")).status_code == 401


async def test_they_can_be_switched_off() -> None:
    app = app_with(rates=RATES.model_copy(update={"enabled": False}))
    assert await statuses(app, "/open", 10) == [200] * 10


async def test_processes_with_one_redis_count_together(redis_url: str) -> None:
    apps = [app_with(redis=RedisSettings(url=redis_url, timeout_s=5)) for _ in range(2)]
    answers = [(await statuses(app, "/open", 1))[0] for app in (*apps, *apps)]
    assert answers == [200, 200, 200, 429]
    for app in apps:
        await stop(app)


async def stop(app: Any) -> None:
    """Runs the application's life to its end, which closes its connections."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(_: Any) -> None: ...

    await app({"type": "lifespan", "app": app}, receive, send)


async def test_redis_away_is_no_reason_to_refuse_and_is_told_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_with(redis=RedisSettings(url="redis://127.0.0.1:1/0"))
    now = 1021.0
    monkeypatch.setattr(rate_limits, "monotonic", lambda: now)
    said: list[str] = []
    monkeypatch.setattr(
        rate_limits, "get_logger", lambda _: SimpleNamespace(warning=lambda event, **_: said.append(event))
    )
    answers = []
    for now in (1021.0, 1027.0, 1033.0, 1079.0, 1085.0):  # noqa: B007 - the clock
        answers += await statuses(app, "/open", 1)
    assert answers == [200, 200, 200, 429, 200]
    assert said == ["rates.redis_away"] * 2
    await stop(app)


@given(st.integers(1, 5), st.integers(1, 90), st.lists(st.floats(0, 60), max_size=40))
def test_whoever_waits_as_long_as_told_is_let_in_and_nobody_sooner_than_the_window_allows(
    amount: int, seconds: int, pauses: list[float]
) -> None:
    window = rate_limits.Window(amount, seconds)
    now, admitted = 0.0, []
    for pause in pauses:
        now += pause
        allowed, left, wait_s = window.hit("a", now)
        if not allowed:
            assert (left, wait_s > 0) == (0, True)
            now += wait_s
            assert window.hit("a", now)[0]
        admitted.append(now)
        assert sum(at > now - seconds for at in admitted) <= 2 * amount
        assert sum(at // seconds == now // seconds for at in admitted) <= amount


@pytest.mark.parametrize("rate", ["", "many", "5", "5/fortnight", "-1/minute", "0/minute"])
def test_a_rate_that_is_none_is_refused_at_the_start(rate: str) -> None:
    with pytest.raises(SettingsError, match=r"rates\.public"):
        load_settings(rates={"public": rate})


@pytest.mark.parametrize("rate", ["5/minute", "5/10 minutes", "1/second; 100/hour", "5 per minute"])
def test_rates_are_written_as_people_say_them(rate: str) -> None:
    assert load_settings(rates={"public": rate}).rates.public == rate
