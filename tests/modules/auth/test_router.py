"""Sign up, sign in, and API keys, as a client sees them."""

import re
import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from backend.app.core.ids import new_ulid
from backend.app.core.permissions import ALL_PERMISSIONS, Permission, Role
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.models import ApiKeyRecord, MembershipRecord, WorkspaceRecord
from tests.support.accounts import PASSWORD, SetClock, client_of, person, sign_in, sign_up
from tests.support.engines import whatever_the_engine

OTHER_PASSWORD = "seven hills and one river"


async def event_names(database: Database) -> list[str]:
    async with database.transaction(write=False) as session:
        return list(await session.scalars(select(EventRecord.name).order_by(EventRecord.position)))


async def test_somebody_signs_up_signs_in_and_is_told_who_they_are(app: FastAPI, database: Database) -> None:
    async with client_of(app) as client:
        signed_up = await client.post("/auth/register", json=person(email=" Ada@Example.COM "))
        assert signed_up.status_code == 201
        signed_in = await client.post("/auth/login", json={"email": "ADA@example.com", "password": PASSWORD})
        tokens = signed_in.json()["data"]
        me = await client.get("/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    user = signed_up.json()["data"]
    assert user["email"] == "ada@example.com"
    assert "password" not in signed_up.text
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 24 * 3600
    assert signed_in.headers["cache-control"] == "no-store"
    assert me.json()["data"] == {
        **user,
        "workspace_id": user["personal_workspace_id"],
        "permissions": sorted(Permission),
    }
    assert await event_names(database) == ["user.registered", "user.signed_in"]


async def test_an_email_address_belongs_to_one_account_however_it_is_written(app: FastAPI) -> None:
    async with client_of(app) as client:
        await client.post("/auth/register", json=person(email="straße@example.com"))
        answer = await client.post("/auth/register", json=person(email="STRASSE@Example.com", password=OTHER_PASSWORD))
        refused = await client.post("/auth/login", json={"email": "strasse@example.com", "password": OTHER_PASSWORD})
        kept = await client.post("/auth/login", json={"email": "straße@example.com", "password": PASSWORD})
    assert answer.status_code == 201
    assert (refused.status_code, kept.status_code) == (401, 200)


async def test_a_wrong_password_and_an_unknown_account_are_answered_alike(app: FastAPI, database: Database) -> None:
    known = person()
    async with client_of(app) as client:
        await client.post("/auth/register", json=known)
        answers = [
            await client.post("/auth/login", json={"email": email, "password": "not the password at all"})
            for email in (known["email"], "unknown@example.com", "no address")
        ]
    assert {answer.status_code for answer in answers} == {401}
    bodies = [{**answer.json(), "request_id": ""} for answer in answers]
    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0]["code"] == "auth.invalid_credentials"
    assert await event_names(database) == ["user.registered", "sign_in.failed"]


async def test_a_password_is_the_same_in_every_normal_form_and_keeps_its_spaces(app: FastAPI) -> None:
    body = person(password=" pa\u00df w\u00f6rter sind gut ")
    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
        statuses = [
            (await client.post("/auth/login", json={"email": body["email"], "password": password})).status_code
            for password in (" pa\u00df wo\u0308rter sind gut ", "pa\u00df w\u00f6rter sind gut")
        ]
    assert statuses == [200, 401]


@pytest.mark.parametrize("length", [14, 15, 1024, 1025])
async def test_a_password_has_15_to_1024_characters(app: FastAPI, length: int) -> None:
    text = "".join(chr(0xAC00 + number * 7) for number in range(length))  # Hangul, which NFD takes apart
    async with client_of(app) as client:
        composed, decomposed = [
            await client.post("/auth/register", json=person(password=unicodedata.normalize(form, text)))
            for form in ("NFC", "NFD")
        ]
    expected = 201 if 15 <= length <= 1024 else 422
    assert (composed.status_code, decomposed.status_code) == (expected, expected)


@pytest.mark.parametrize(
    "change",
    [
        {"email": "nobody"},
        {"email": "a@b@example.com"},
        {"email": "a" * 400 + "@example.com"},
        {"email": None},
        {"first_name": " "},
        {"last_name": "x" * 101},
        {"first_name": "a\nb"},
        {"password": 123456789012345678},
        {"role": "admin"},
    ],
)
async def test_a_sign_up_that_breaks_a_rule_is_refused(app: FastAPI, change: dict[str, Any]) -> None:
    async with client_of(app) as client:
        answer = await client.post("/auth/register", json=person(**change))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert PASSWORD not in answer.text


@whatever_the_engine
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer x.y.z"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer " + "x" * 100_000},
        {"X-API-Key": ""},
        {"X-API-Key": "ak_" + "a" * 36},
        {"X-API-Key": "\u00e9"},
        {"X-Workspace-Id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
    ],
)
@pytest.mark.parametrize("path", ["/auth/me", "/user/api-keys"])
async def test_without_credentials_a_route_is_closed(app: FastAPI, path: str, headers: dict[str, str]) -> None:
    async with client_of(app) as client:
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        answer = await client.get(path, headers=encoded)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_opens_the_door_until_it_is_revoked(app: FastAPI, database: Database) -> None:
    async with await sign_up(app) as client:
        made = await client.post("/user/api-keys", json={"name": "CI"})
        key = made.json()["data"]
        listed = (await client.get("/user/api-keys")).json()["data"]
        for headers in ({"X-API-Key": key["key"]}, {"Authorization": f"Bearer {key['key']}"}):
            async with client_of(app, headers) as machine:
                assert (await machine.get("/auth/me")).status_code == 200
        revoked = await client.delete(f"/user/api-keys/{key['id']}")
        again = await client.delete(f"/user/api-keys/{key['id']}")
        left = (await client.get("/user/api-keys")).json()["data"]
        async with client_of(app, {"X-API-Key": key["key"]}) as machine:
            refused = await machine.get("/auth/me")

    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"ak_[0-9A-Za-z]{36}", key["key"])
    assert key["key"].endswith(key["last_four"])
    assert key["scopes"] == sorted(ALL_PERMISSIONS)
    assert listed == [{name: value for name, value in key.items() if name != "key"}]
    assert (revoked.status_code, again.status_code) == (200, 404)
    assert left == []
    assert (refused.status_code, refused.json()["code"]) == (401, "auth.invalid_token")
    assert (await event_names(database))[2:] == ["api_key.created", "api_key.revoked"]


async def test_a_key_does_no_more_than_its_scopes_and_makes_no_stronger_key(app: FastAPI) -> None:
    async with await sign_up(app) as client:
        made = await client.post(
            "/user/api-keys", json={"name": "narrow", "scopes": ["api_keys.write", "profile.read", "profile.read"]}
        )
    key = made.json()["data"]
    assert key["scopes"] == ["api_keys.write", "profile.read"]
    async with client_of(app, {"X-API-Key": key["key"]}) as machine:
        me = await machine.get("/auth/me")
        listing = await machine.get("/user/api-keys")
        child = await machine.post("/user/api-keys", json={"name": "child"})
        stronger = await machine.post("/user/api-keys", json={"name": "stronger", "scopes": ["scans.write"]})
    assert me.json()["data"]["permissions"] == key["scopes"]
    assert listing.status_code == 403
    assert child.json()["data"]["scopes"] == key["scopes"]
    assert (stronger.status_code, stronger.json()["code"]) == (403, "api_key.scope_not_held")


async def test_a_key_follows_its_owners_role(app: FastAPI, database: Database) -> None:
    async with await sign_up(app) as client:
        key = (await client.post("/user/api-keys", json={"name": "CI"})).json()["data"]["key"]
    async with database.transaction() as session:
        await session.execute(update(MembershipRecord).values(role=Role.VIEWER))
    async with client_of(app, {"X-API-Key": key}) as machine:
        me = await machine.get("/auth/me")
    assert me.json()["data"]["permissions"] == sorted(Role.VIEWER.permissions)
    assert "projects.write" not in me.json()["data"]["permissions"]


async def test_a_key_made_with_a_key_does_not_outlive_it(app: FastAPI, clock: SetClock) -> None:
    """Else whoever finds one that ends today makes one that never does."""
    end = "2026-11-21T12:00:00Z"
    async with await sign_up(app) as client:
        made = await client.post("/user/api-keys", json={"name": "brief", "expires_at": end})
    async with client_of(app, {"X-API-Key": made.json()["data"]["key"]}) as machine:
        child = await machine.post("/user/api-keys", json={"name": "child"})
        sooner = await machine.post("/user/api-keys", json={"name": "child", "expires_at": "2026-11-21T11:00:00Z"})
        later = await machine.post("/user/api-keys", json={"name": "child", "expires_at": "2026-11-21T12:00:01Z"})
    assert child.json()["data"]["expires_at"] == end
    assert sooner.json()["data"]["expires_at"] == "2026-11-21T11:00:00Z"
    assert (later.status_code, later.json()["code"]) == (422, "api_key.invalid_expiry")


async def test_a_key_expires(app: FastAPI, clock: SetClock) -> None:
    async with await sign_up(app) as client:
        expires_at = (clock.now + timedelta(hours=1)).isoformat()
        made = await client.post("/user/api-keys", json={"name": "brief", "expires_at": expires_at})
    async with client_of(app, {"X-API-Key": made.json()["data"]["key"]}) as machine:
        before = await machine.get("/auth/me")
        proven.forget()
        clock.move(hours=1)
        after = await machine.get("/auth/me")
    assert (before.status_code, after.status_code) == (200, 401)


@whatever_the_engine
@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": "2026-11-20T12:00:00Z"},
        {"expires_at": "2026-11-21T12:00:00"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"expires_at": "9999-12-31T23:59:59-14:00"},
        {"expires_at": 10**18},
        {"scopes": ["everything"]},
        {"scopes": ["scans.read"] * 101},
        {"name": ""},
        {"name": "x" * 101},
        {"workspace_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
    ],
)
async def test_a_key_that_breaks_a_rule_is_refused(app: FastAPI, change: dict[str, Any]) -> None:
    async with await sign_up(app) as client:
        answer = await client.post("/user/api-keys", json={"name": "CI", **change})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_use_of_a_key_is_noted_once_a_minute(app: FastAPI, clock: SetClock, database: Database) -> None:
    async def last_used() -> Any:
        async with database.transaction(write=False) as session:
            return await session.scalar(select(ApiKeyRecord.last_used_at))

    async with await sign_up(app) as client:
        key = (await client.post("/user/api-keys", json={"name": "CI"})).json()["data"]["key"]
    noted = []
    first = clock.now
    async with client_of(app, {"X-API-Key": key}) as machine:
        for seconds in (0, 59, 1):
            clock.move(seconds=seconds)
            proven.forget()
            assert (await machine.get("/auth/me")).status_code == 200
            noted.append(await last_used() - first)
    assert noted == [timedelta(0), timedelta(0), timedelta(minutes=1)]


async def test_keys_come_in_pages(app: FastAPI) -> None:
    async with await sign_up(app) as client:
        for name in "abc":
            await client.post("/user/api-keys", json={"name": name})
        first = (await client.get("/user/api-keys", params={"limit": 2})).json()
        second = (
            await client.get("/user/api-keys", params={"limit": 2, "cursor": first["meta"]["next_cursor"]})
        ).json()
        wrong = await client.get("/user/api-keys", params={"cursor": "MQ"})
    assert {row["name"] for row in first["data"] + second["data"]} == set("abc")
    assert len(first["data"]) == 2
    assert second["meta"]["next_cursor"] is None
    assert wrong.status_code == 422


async def test_another_users_key_is_not_there(app: FastAPI) -> None:
    async with await sign_up(app) as owner, await sign_up(app) as other:
        key = (await owner.post("/user/api-keys", json={"name": "CI"})).json()["data"]
        foreign = await other.delete(f"/user/api-keys/{key['id']}")
        unknown = await other.delete(f"/user/api-keys/{new_ulid()}")
        malformed = await other.delete("/user/api-keys/1")
        assert (await other.get("/user/api-keys")).json()["data"] == []
        assert len((await owner.get("/user/api-keys")).json()["data"]) == 1
    assert (foreign.status_code, unknown.status_code, malformed.status_code) == (404, 404, 422)
    assert {**foreign.json(), "request_id": "", "instance": ""} == {**unknown.json(), "request_id": "", "instance": ""}


async def test_the_active_workspace_is_one_of_the_users_own(app: FastAPI, database: Database, clock: SetClock) -> None:
    async with await sign_up(app) as stranger, await sign_up(app) as client:
        me = (await client.get("/auth/me")).json()["data"]
        team = new_ulid()
        async with database.transaction() as session:
            session.add(WorkspaceRecord(id=team, name="Team"))
            await session.flush()
            session.add(MembershipRecord(workspace_id=team, user_id=me["id"], role=Role.VIEWER, created_at=clock.now))
        inside = await client.get("/auth/me", headers={"X-Workspace-Id": team})
        outside = await stranger.get("/auth/me", headers={"X-Workspace-Id": team})
        nowhere = await stranger.get("/auth/me", headers={"X-Workspace-Id": "nowhere"})
        key = (await client.post("/user/api-keys", json={"name": "home"})).json()["data"]["key"]
        async with client_of(app, {"X-API-Key": key, "X-Workspace-Id": team}) as machine:
            elsewhere = await machine.get("/auth/me")
    assert me["workspace_id"] == me["personal_workspace_id"]
    assert inside.json()["data"]["workspace_id"] == team
    assert inside.json()["data"]["permissions"] == sorted(Role.VIEWER.permissions)
    assert [answer.status_code for answer in (outside, nowhere, elsewhere)] == [404, 404, 404]
    assert outside.json()["code"] == "workspace.not_found"


async def test_a_refresh_token_is_exchanged_once(app: FastAPI, clock: SetClock, database: Database) -> None:
    body = person()
    async with client_of(app) as client:

        async def refresh(token: str) -> Any:
            return await client.post("/auth/refresh", json={"refresh_token": token})

        async def me(tokens: dict[str, Any]) -> int:
            answer = await client.get("/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
            return answer.status_code

        await client.post("/auth/register", json=body)
        first = await sign_in(app, body["email"])
        second = (await refresh(first["refresh_token"])).json()["data"]
        clock.move(seconds=10)
        lost_answer = (await refresh(first["refresh_token"])).json()["data"]
        third = (await refresh(second["refresh_token"])).json()["data"]
        assert await me(third) == 200
        clock.move(seconds=1)
        copied = await refresh(first["refresh_token"])
        ended = await refresh(third["refresh_token"])
        assert await me(third) == 401

    assert second["refresh_token"] == lost_answer["refresh_token"] != first["refresh_token"]
    assert third["refresh_token"] not in (first["refresh_token"], second["refresh_token"])
    assert (copied.status_code, copied.json()["code"]) == (401, "auth.invalid_refresh_token")
    assert ended.status_code == 401
    assert (await event_names(database))[2:] == ["refresh_token.reused"]


async def test_a_session_ends_with_its_refresh_token(app: FastAPI, clock: SetClock) -> None:
    body = person()
    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
        tokens = await sign_in(app, body["email"])
        clock.move(days=30)
        late = await client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        invented = await client.post("/auth/refresh", json={"refresh_token": "rt_invented"})
    assert (late.status_code, invented.status_code) == (401, 401)


async def test_an_access_token_expires(app: FastAPI, clock: SetClock) -> None:
    async with await sign_up(app) as client:
        before = await client.get("/auth/me")
        proven.forget()
        clock.move(days=1)
        after = await client.get("/auth/me")
    assert (before.status_code, after.status_code) == (200, 401)
