"""What a signed-in person does with the account: profile, password, sessions."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, select

from backend.app.core.ids import new_ulid
from backend.app.core.settings import DatabaseSettings, Settings
from backend.app.db.engine import create_engine
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from backend.app.modules.auth.credentials.proven import TTL_S, proven
from backend.app.modules.auth.models import MembershipRecord, UserRecord, WorkspaceRecord
from tests.support.accounts import PASSWORD, SetClock, application, client_of, person, sign_in
from tests.support.processes import TwoProcesses

NEW_PASSWORD = "seven hills and one river"


class Person:
    """Signed in from several places."""

    def __init__(self, app: FastAPI, email: str) -> None:
        self.app = app
        self.email = email

    async def at_a_place(self) -> httpx2.AsyncClient:
        tokens = await sign_in(self.app, self.email)
        return client_of(self.app, {"Authorization": f"Bearer {tokens['access_token']}"})


@pytest.fixture
async def ada(app: FastAPI) -> Person:
    body = person()
    async with client_of(app) as client:
        assert (await client.post("/auth/register", json=body)).status_code == 201
    return Person(app, body["email"])


async def is_open(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/auth/me")).status_code == 200


async def events(database: Database) -> list[str]:
    async with database.transaction(write=False) as session:
        return list(await session.scalars(select(EventRecord.name).order_by(EventRecord.position)))


async def test_a_profile_is_edited_by_who_read_it(ada: Person, clock: SetClock, database: Database) -> None:
    async with await ada.at_a_place() as client:
        read = await client.get("/auth/me")
        blind = await client.patch("/auth/me", json={"first_name": "Augusta"})
        clock.move(seconds=1)
        tag = {"If-Match": read.headers["etag"]}
        edited = await client.patch("/auth/me", json={"first_name": "Augusta"}, headers=tag)
        late = await client.patch("/auth/me", json={"last_name": "King"}, headers=tag)
        again = await client.get("/auth/me")
        for body in ({"first_name": None}, {"first_name": " "}, {"email": "a@example.com"}, {"role": "admin"}):
            assert (await client.patch("/auth/me", json=body, headers={"If-Match": "*"})).status_code == 422
    assert [answer.status_code for answer in (blind, edited, late)] == [428, 200, 412]
    assert edited.json()["data"]["first_name"] == "Augusta"
    assert (again.json()["data"], again.headers["etag"]) == (edited.json()["data"], edited.headers["etag"])
    assert (await events(database))[-1] == "profile.updated"


async def test_a_new_password_ends_every_other_session(ada: Person, app: FastAPI, database: Database) -> None:
    """Also ASVS 5, 7.4.3 and jwt-061: a token from before the change."""
    async with await ada.at_a_place() as here, await ada.at_a_place() as there:
        wanted = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        wrong = await here.post("/auth/change-password", json={**wanted, "current_password": "not this one, not this"})
        expected = await here.post("/auth/change-password", json={**wanted, "new_password": ada.email * 2})
        assert await is_open(there)
        changed = await here.post("/auth/change-password", json=wanted)
        assert await is_open(here)
        assert not await is_open(there)
    async with client_of(app) as nobody:
        statuses = [
            (await nobody.post("/auth/login", json={"email": ada.email, "password": password})).status_code
            for password in (PASSWORD, NEW_PASSWORD)
        ]
    assert (wrong.status_code, wrong.json()["code"]) == (422, "auth.wrong_password")
    assert (expected.status_code, expected.json()["code"]) == (422, "auth.expected_password")
    assert expected.json()["errors"][0]["pointer"] == "#/new_password"
    assert changed.status_code == 200
    assert statuses == [401, 200]
    names = await events(database)
    assert names[3:6] == ["sign_in.failed", "user.password_changed", "mail.requested"]


async def test_the_current_password_cannot_be_guessed_with_a_stolen_token(ada: Person) -> None:
    async with await ada.at_a_place() as thief:
        wanted = {"current_password": "a guess that is wrong", "new_password": NEW_PASSWORD}
        statuses = [(await thief.post("/auth/change-password", json=wanted)).status_code for _ in range(6)]
    assert statuses == [422] * 5 + [429]


async def test_a_credential_says_whose_it_is_and_until_when(ada: Person, app: FastAPI, clock: SetClock) -> None:
    async with await ada.at_a_place() as client:
        me = (await client.get("/auth/me")).json()["data"]
        of_token = (await client.get("/auth/verify")).json()["data"]
        made = {"name": "CI", "expires_at": "2027-01-01T00:00:00Z"}
        keys = [(await client.post("/user/api-keys", json=body)).json()["data"] for body in (made, {"name": "ever"})]
    answers = []
    for key in keys:
        async with client_of(app, {"X-API-Key": key["key"]}) as machine:
            answers.append((await machine.get("/auth/verify")).json()["data"])
    async with client_of(app, {"Authorization": "Bearer x.y.z"}) as nobody:
        assert (await nobody.get("/auth/verify")).status_code == 401
    assert (of_token["kind"], of_token["user_id"], of_token["email"]) == ("access_token", me["id"], ada.email)
    assert of_token["expires_at"] == "2026-11-21T12:00:00Z"
    assert [answer["kind"] for answer in answers] == ["api_key", "api_key"]
    assert [answer["expires_at"] for answer in answers] == ["2027-01-01T00:00:00Z", None]
    assert [answer["session_id"] for answer in answers] == [None, None]


async def test_sessions_are_listed_and_ended(ada: Person, app: FastAPI, clock: SetClock, database: Database) -> None:
    first = await sign_in(app, ada.email)
    clock.move(minutes=5)
    async with client_of(app, {"User-Agent": "curl/8"}) as nobody:
        await nobody.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})
    async with (
        await ada.at_a_place() as here,
        client_of(app, {"Authorization": f"Bearer {first['access_token']}"}) as there,
    ):
        listed = (await here.get("/auth/sessions")).json()["data"]
        page = (await here.get("/auth/sessions", params={"limit": 1})).json()
        rest = (await here.get("/auth/sessions", params={"cursor": page["meta"]["next_cursor"]})).json()
        assert await is_open(there)
        ended = await here.delete(f"/auth/sessions/{listed[1]['id']}")
        again = await here.delete(f"/auth/sessions/{listed[1]['id']}")
        assert not await is_open(there)
        left = (await here.get("/auth/sessions")).json()["data"]
    assert [row["current"] for row in listed] == [True, False]
    assert page["data"] + rest["data"] == listed
    assert listed[1]["created_at"] == "2026-11-20T12:00:00Z"
    assert listed[1]["last_seen_at"] == "2026-11-20T12:05:00Z"
    assert {row["method"] for row in listed} == {"password"}
    assert {row["address"] for row in listed} == {"127.0.0.1"}
    assert (ended.status_code, again.status_code) == (200, 404)
    assert left == listed[:1]
    assert (await events(database))[-1] == "session.revoked"


async def test_another_users_session_is_not_there(ada: Person, app: FastAPI) -> None:
    body = person()
    async with client_of(app) as nobody:
        await nobody.post("/auth/register", json=body)
    async with await ada.at_a_place() as hers, await Person(app, body["email"]).at_a_place() as other:
        (session,) = (await hers.get("/auth/sessions")).json()["data"]
        foreign = await other.delete(f"/auth/sessions/{session['id']}")
        unknown = await other.delete(f"/auth/sessions/{new_ulid()}")
        assert await is_open(hers)
    assert (foreign.status_code, unknown.status_code) == (404, 404)


async def test_who_signs_out_is_out(ada: Person, app: FastAPI, database: Database) -> None:
    """Also jwt-060: the token of an ended session."""
    tokens = await sign_in(app, ada.email)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with client_of(app, bearer) as here, await ada.at_a_place() as there:
        assert (await here.post("/auth/logout")).status_code == 200
        assert not await is_open(here)
        assert await is_open(there)
        refreshed = await there.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 401
    assert (await events(database))[-1] == "user.signed_out"


async def test_who_signs_out_everywhere_is_out_everywhere(ada: Person, app: FastAPI) -> None:
    async with await ada.at_a_place() as here, await ada.at_a_place() as there:
        key = (await here.post("/user/api-keys", json={"name": "CI"})).json()["data"]["key"]
        async with client_of(app, {"X-API-Key": key}) as machine:
            alone = await machine.post("/auth/logout")
            assert await is_open(there)
            assert (await machine.post("/auth/logout", json={"everywhere": True})).status_code == 200
            assert await is_open(machine)
        assert not await is_open(here)
        assert not await is_open(there)
    assert (alone.status_code, alone.json()["code"]) == (409, "session.none")


async def test_the_token_of_a_user_who_is_gone_opens_nothing(ada: Person, database: Database) -> None:
    """jwt-056."""
    async with await ada.at_a_place() as client:
        assert await is_open(client)
        async with database.transaction() as session:
            for record in (MembershipRecord, WorkspaceRecord, UserRecord):
                await session.execute(delete(record))
        proven.forget()
        answer = await client.get("/auth/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.invalid_token")


async def test_a_sign_out_reaches_another_process_within_a_second(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Database(create_engine(DatabaseSettings(url=settings.database.url)))
    apps = [application(settings, each) for each in (database, other)]
    processes, body = TwoProcesses(monkeypatch), person()
    async with client_of(apps[0]) as nobody:
        await nobody.post("/auth/register", json=body)
    tokens = await sign_in(apps[0], body["email"])
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with client_of(apps[0], bearer) as first, client_of(apps[1], bearer) as second:
        assert (await processes.ask(1, second, "GET", "/auth/me")).status_code == 200
        assert (await processes.ask(0, first, "POST", "/auth/logout")).status_code == 200
        processes.now += TTL_S
        access = await processes.ask(1, second, "GET", "/auth/me")
        refresh = await second.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    await other.close()
    assert TTL_S <= 1
    assert (access.status_code, refresh.status_code) == (401, 401)
