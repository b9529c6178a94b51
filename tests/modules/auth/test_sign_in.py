"""The ways in: what they tell a stranger, how they slow a guesser down, and the form of OAuth 2."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import bcrypt
import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update

from backend.app.core.runtime import Runtime
from backend.app.core.settings import AuthSettings, Settings, WebSettings
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from backend.app.modules.auth import service
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.models import SignInFailureRecord, UserRecord
from tests.support.accounts import PASSWORD, SetClock, application, client_of, person, sign_in

WRONG = "not the password at all"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long tries were made to wait, instead of the waiting."""
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    # Only there: servers of other tests sleep too.
    monkeypatch.setattr(service, "asyncio", SimpleNamespace(sleep=note))
    return waited


async def try_password(client: httpx2.AsyncClient, email: str, password: str, source: str = "") -> httpx2.Response:
    headers = {"X-Forwarded-For": source} if source else {}
    return await client.post("/auth/login", json={"email": email, "password": password}, headers=headers)


async def events(database: Database) -> list[tuple[str, Any]]:
    async with database.transaction(write=False) as session:
        rows = await session.execute(select(EventRecord.name, EventRecord.payload).order_by(EventRecord.position))
        return [(name, payload) for name, payload in rows]


def behind_proxy(settings: Settings) -> Settings:
    return settings.model_copy(update={"web": WebSettings(trusted_proxies=("127.0.0.0/8",))})


def verifying(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": settings.auth.model_copy(update={"verify_email": True})})


async def test_a_taken_address_is_answered_like_a_free_one_and_its_owner_told(app: FastAPI, database: Database) -> None:
    body = person()
    async with client_of(app) as client:
        first = await client.post("/auth/register", json=body)
        again = await client.post("/auth/register", json={**body, "first_name": "Eve"})
    one, two = first.json()["data"], again.json()["data"]
    assert (first.status_code, again.status_code) == (201, 201)
    assert set(one) == set(two)
    assert two["first_name"] == "Eve"
    assert two["id"] != one["id"]
    (_, (repeated, subject), (mail, letter)) = await events(database)
    assert (repeated, subject["user_id"]) == ("sign_up.repeated", one["id"])
    assert (mail, letter["template"], letter["to"]) == ("mail.requested", "sign_up_repeated", body["email"])


@pytest.mark.parametrize("password", ["passwordpassword", "AdaLovelace-1815", "qwertyuiop123456"])
async def test_a_password_that_everybody_tries_is_refused(app: FastAPI, password: str) -> None:
    async with client_of(app) as client:
        answer = await client.post("/auth/register", json=person(password=password))
    assert (answer.status_code, answer.json()["code"]) == (422, "auth.expected_password")
    assert answer.json()["errors"][0]["pointer"] == "#/password"
    assert password not in answer.text


async def test_a_hash_of_bcrypt_opens_and_is_replaced(app: FastAPI, database: Database) -> None:
    body = person()

    async def stored() -> str:
        async with database.transaction(write=False) as session:
            return str(await session.scalar(select(UserRecord.password_hash)))

    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
        old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        async with database.transaction() as session:
            await session.execute(update(UserRecord).values(password_hash=old))
        refused = await try_password(client, body["email"], WRONG)
        assert await stored() == old
        await sign_in(app, body["email"])
        upgraded = await stored()
        await sign_in(app, body["email"])
    assert refused.status_code == 401
    assert upgraded.startswith("$argon2id$")
    assert await stored() == upgraded


@pytest.mark.parametrize("values", [{"password_hash": None}, {"disabled_at": SetClock().now}])
async def test_who_has_no_password_or_is_disabled_is_answered_like_a_stranger(
    app: FastAPI, database: Database, values: dict[str, Any]
) -> None:
    body = person()
    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
        tokens = await sign_in(app, body["email"])
        async with database.transaction() as session:
            await session.execute(update(UserRecord).values(**values))
        answer = await try_password(client, body["email"], PASSWORD)
        stranger = await try_password(client, "nobody@example.com", PASSWORD)
        refreshed = await client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert {**answer.json(), "request_id": ""} == {**stranger.json(), "request_id": ""}
    assert answer.status_code == 401
    assert refreshed.status_code == (401 if "disabled_at" in values else 200)


async def test_an_address_to_verify_is_mailed_a_link_and_opens_nothing(settings: Settings, database: Database) -> None:
    app, body = application(verifying(settings), database), person()
    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
        early = await try_password(client, body["email"], PASSWORD)
        wrong = await try_password(client, body["email"], WRONG)
        mails = [payload["template"] for name, payload in await events(database) if name == "mail.requested"]
        async with database.transaction() as session:
            await session.execute(update(UserRecord).values(email_verified_at=SetClock().now))
        assert (await try_password(client, body["email"], PASSWORD)).status_code == 200
    assert {**early.json(), "request_id": ""} == {**wrong.json(), "request_id": ""}
    assert early.status_code == 401
    assert mails == ["verify_email", "verify_email"]


@pytest.mark.parametrize("known", [True, False])
async def test_guesses_wait_longer_and_longer(app: FastAPI, clock: SetClock, known: bool) -> None:
    body = person()
    async with client_of(app) as client:
        if known:
            await client.post("/auth/register", json=body)
        statuses = [(await try_password(client, body["email"], WRONG)).status_code for _ in range(6)]
        refused = await try_password(client, body["email"].upper(), PASSWORD)
        clock.move(seconds=1)
        heard = await try_password(client, body["email"], WRONG)
        clock.move(seconds=1)
        early = await try_password(client, body["email"], WRONG)
        clock.move(seconds=1)
        right = await try_password(client, body["email"], PASSWORD)
        after = [(await try_password(client, body["email"], WRONG)).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    assert (refused.status_code, refused.json()["code"]) == (429, "auth.too_many_attempts")
    assert (heard.status_code, early.status_code, early.headers["retry-after"]) == (401, 429, "1")
    assert right.status_code == (200 if known else 401)
    assert after == ([401] * 5 + [429] if known else [429] * 6)


async def test_tries_at_once_are_no_more_than_tries_in_a_row(app: FastAPI) -> None:
    email = person()["email"]
    async with client_of(app) as client:
        answers = await asyncio.gather(*(try_password(client, email, WRONG) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15


async def test_nobody_locks_somebody_else_out(
    settings: Settings, database: Database, clock: SetClock, pauses: list[float]
) -> None:
    app, body = application(behind_proxy(settings), database, clock=clock), person()
    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
        for number in range(40):
            assert (await try_password(client, body["email"], WRONG, f"198.51.100.{number}")).status_code == 401
        assert (await try_password(client, body["email"], PASSWORD, "203.0.113.7")).status_code == 200
        stranger = len(pauses)
        for number in range(40):
            await try_password(client, "nobody@example.com", WRONG, f"198.51.100.{number}")
    assert pauses[:3] == [0.1, 0.2, 0.4]
    assert max(pauses) == 2
    assert pauses[stranger:] == pauses[: stranger - 1]


async def test_of_ten_guesses_a_second_for_1000_s_no_more_than_20_are_checked(
    app: FastAPI, clock: SetClock, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that are refused only the first is sent here, after each one that is checked."""
    checked = 0

    async def count(*_: Any) -> bool:
        nonlocal checked
        checked += 1
        return False

    monkeypatch.setattr(service, "verify_password", count)
    started = clock.now
    async with client_of(app) as client:
        while clock.now - started < timedelta(seconds=1000):
            answer = await try_password(client, "ada@example.com", WRONG)
            clock.move(seconds=int(answer.headers.get("retry-after", 0)) or 0.1)
    assert 5 <= checked <= 20


async def test_failures_are_forgotten_after_a_day_and_their_rows_removed(
    app: FastAPI, clock: SetClock, database: Database
) -> None:
    async def rows() -> int:
        async with database.transaction(write=False) as session:
            return await session.scalar(select(func.count()).select_from(SignInFailureRecord)) or 0

    async with client_of(app) as client:
        for _ in range(5):
            await try_password(client, "ada@example.com", WRONG)
        await try_password(client, "eve@example.com", WRONG)
        assert await rows() == 4
        clock.move(hours=25)
        statuses = [(await try_password(client, "ada@example.com", WRONG)).status_code for _ in range(5)]
    assert statuses == [401] * 5
    assert await rows() == 2


async def test_of_many_who_sign_up_at_once_with_one_address_one_has_it(app: FastAPI, database: Database) -> None:
    bodies = [person(email="ada@example.com", password=f"{PASSWORD} {number}") for number in range(4)]
    async with client_of(app) as client:
        answers = await asyncio.gather(*(client.post("/auth/register", json=body) for body in bodies))
        opened = [(await try_password(client, "ada@example.com", body["password"])).status_code for body in bodies]
    assert {answer.status_code for answer in answers} == {201}
    assert sorted(opened) == [200, 401, 401, 401]
    names = [name for name, _ in await events(database)]
    assert (names.count("user.registered"), names.count("sign_up.repeated")) == (1, 3)


async def test_of_many_who_refresh_at_once_all_get_the_same_successor(app: FastAPI, database: Database) -> None:
    body = person()
    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
        sent = {"refresh_token": (await sign_in(app, body["email"]))["refresh_token"]}
        answers = await asyncio.gather(*(client.post("/auth/refresh", json=sent) for _ in range(5)))
        following = {answer.json()["data"]["refresh_token"] for answer in answers}
        again = await client.post("/auth/refresh", json={"refresh_token": following.copy().pop()})
    assert (len(following), again.status_code) == (1, 200)
    assert "refresh_token.reused" not in [name for name, _ in await events(database)]


async def test_the_form_of_oauth_signs_in(app: FastAPI) -> None:
    body = person()
    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
        form = {
            "grant_type": "password",
            "username": body["email"],
            "password": PASSWORD,
            "scope": "",
            "client_id": "x",
        }
        answer = await client.post("/auth/token", data=form)
        wrong = await client.post("/auth/token", data={**form, "password": WRONG})
        other = await client.post("/auth/token", data={**form, "grant_type": "client_credentials"})
        missing = await client.post("/auth/token", data={"grant_type": "password"})
        twice = await client.post(
            "/auth/token",
            content=b"grant_type=password&grant_type=password&username=a&password=b",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        as_json = await client.post("/auth/token", json=form)
        token = answer.json()
        me = await client.get("/auth/me", headers={"Authorization": f"Bearer {token['access_token']}"})
    assert (answer.status_code, token["token_type"], answer.headers["cache-control"]) == (200, "bearer", "no-store")
    assert me.json()["data"]["email"] == body["email"]
    assert (wrong.status_code, wrong.json()["error"], wrong.json()["code"]) == (
        400,
        "invalid_grant",
        "auth.invalid_grant",
    )
    assert (other.status_code, other.json()["error"]) == (400, "unsupported_grant_type")
    assert (missing.status_code, twice.status_code, as_json.status_code) == (422, 422, 415)
    assert {fault["pointer"] for fault in missing.json()["errors"]} == {"#/username", "#/password"}
    assert PASSWORD not in missing.text + wrong.text


@pytest.mark.parametrize(
    "content",
    [
        b"%00=1",
        b"grant_type=password&username=%00&password=x",
        b"grant_type=password&username=%ED%A0%80&password=x",
        b"\xff=1",
        b"a&" * 100,
    ],
)
async def test_a_form_that_cannot_be_read_is_a_problem(app: FastAPI, content: bytes) -> None:
    async with client_of(app) as client:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await client.post("/auth/token", content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_what_a_former_key_signed_holds_after_a_rotation(
    app: FastAPI, settings: Settings, database: Database, clock: SetClock
) -> None:
    body = person()
    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
        tokens = await sign_in(app, body["email"])
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        key = (await client.post("/user/api-keys", json={"name": "CI"}, headers=bearer)).json()["data"]["key"]
        second = await client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})

    def restarted(*former: str) -> FastAPI:
        auth = AuthSettings(secret_key="another key that is 32 characters long", previous_keys=former)
        proven.forget()
        return application(settings.model_copy(update={"auth": auth}), database, clock=clock)

    async def opens(app: FastAPI, headers: dict[str, str]) -> int:
        async with client_of(app, headers) as client:
            return (await client.get("/auth/me")).status_code

    former = settings.auth.secret_key
    assert former is not None
    assert await opens(restarted(), bearer) == 401
    assert await opens(restarted(), {"X-API-Key": key}) == 401
    rotated = restarted(former.get_secret_value())
    assert await opens(rotated, bearer) == 200
    assert await opens(rotated, {"X-API-Key": key}) == 200
    async with client_of(rotated) as client:
        again = await client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert again.json()["data"]["refresh_token"] == second.json()["data"]["refresh_token"]
    assert await opens(restarted(), {"X-API-Key": key}) == 200  # kept under the newest key since it was used


async def test_a_runtime_with_other_proxies_sees_other_addresses(settings: Settings, database: Database) -> None:
    app = application(behind_proxy(settings), database)
    body = person()
    async with client_of(app, {"X-Forwarded-For": "203.0.113.7", "User-Agent": "curl/8" + "x" * 300}) as client:
        await client.post("/auth/register", json=body)
        tokens = (await try_password(client, body["email"], PASSWORD)).json()["data"]
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        (session,) = (await client.get("/auth/sessions", headers=bearer)).json()["data"]
    assert session["address"] == "203.0.113.7"
    assert session["user_agent"].startswith("curl/8xxx")
    assert len(session["user_agent"]) == 200
    assert isinstance(app.state.runtime, Runtime)
