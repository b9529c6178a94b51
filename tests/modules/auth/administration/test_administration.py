"""The users of the installation, as its administrators see them."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from backend.app.core.ids import new_ulid
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from backend.app.modules.auth.models import UserRecord
from tests.support.accounts import PASSWORD, SetClock, client_of, person
from tests.support.teams import Person, join


async def update(by: Person, who: Person, headers: dict[str, str] | None = None, **change: Any) -> Any:
    return await by.client.patch(f"/admin/users/{who.id}", json=change, headers=headers)


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_the_first_user_is_the_administrator_and_nobody_else(app: FastAPI) -> None:
    first, second = await join(app), await join(app)
    users = (await first.client.get("/admin/users")).json()["data"]
    assert [(user["id"], user["role"]) for user in users] == [(second.id, "user"), (first.id, "admin")]
    for method, path in (("GET", ""), ("GET", f"/{first.id}"), ("PATCH", f"/{second.id}")):
        answer = await second.client.request(method, f"/admin/users{path}", json={"role": "admin"})
        assert outcome(answer) == (403, "auth.forbidden")


async def test_of_many_who_sign_up_at_once_one_is_the_administrator(app: FastAPI, database: Database) -> None:
    async with client_of(app) as client:
        answers = await asyncio.gather(*(client.post("/auth/register", json=person()) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    async with database.transaction(write=False) as session:
        roles = list(await session.scalars(select(UserRecord.role)))
    assert sorted(roles) == ["admin", *["user"] * 5]


async def test_users_are_filtered_and_paged(app: FastAPI) -> None:
    ada, bob, eve = await join(app), await join(app), await join(app)
    await update(ada, bob, disabled=True)

    async def found(**wanted: Any) -> list[str]:
        return [row["id"] for row in (await ada.client.get("/admin/users", params=wanted)).json()["data"]]

    assert await found() == [eve.id, bob.id, ada.id]
    assert await found(role="admin") == [ada.id]
    assert await found(disabled=True) == [bob.id]
    assert await found(disabled=False) == [eve.id, ada.id]
    assert await found(email=eve.email[:-5].upper()) == [eve.id]
    assert await found(email="%") == []
    page = (await ada.client.get("/admin/users", params={"limit": 2})).json()
    assert await found(limit=2, cursor=page["meta"]["next_cursor"]) == [ada.id]


async def test_a_disabled_user_is_out_at_once_and_comes_back_with_the_keys_but_no_session(
    app: FastAPI, database: Database
) -> None:
    ada, bob = await join(app), await join(app)
    key = (await bob.client.post("/user/api-keys", json={"name": "CI"})).json()["data"]["key"]
    login = {"email": bob.email, "password": PASSWORD}
    async with client_of(app, {"X-API-Key": key}) as machine, client_of(app) as nobody:

        async def statuses() -> list[int]:
            callers = (bob.client, machine)
            return [
                *[(await caller.get("/auth/me")).status_code for caller in callers],
                (await nobody.post("/auth/login", json=login)).status_code,
            ]

        assert await statuses() == [200, 200, 200]
        disabled = await update(ada, bob, disabled=True)
        assert await statuses() == [401, 401, 401]
        enabled = await update(ada, bob, disabled=False)
        assert await statuses() == [401, 200, 200]
    assert disabled.json()["data"]["disabled_at"] is not None
    assert enabled.json()["data"]["disabled_at"] is None
    async with database.transaction(write=False) as session:
        query = select(EventRecord.name, EventRecord.workspace_id, EventRecord.actor_id).where(
            EventRecord.entity_type == "user", EventRecord.entity_id == bob.id, EventRecord.actor_id == ada.id
        )
        events = [tuple(row) for row in await session.execute(query.order_by(EventRecord.position))]
    assert events == [("user.disabled", bob.home, ada.id), ("user.enabled", bob.home, ada.id)]


@pytest.mark.parametrize("change", [{"role": "user"}, {"disabled": True}, {"role": "admin", "disabled": True}])
async def test_the_last_administrator_stays(app: FastAPI, change: dict[str, Any]) -> None:
    ada, bob = await join(app), await join(app)
    assert outcome(await update(ada, ada, **change)) == (409, "user.last_administrator")
    assert (await update(ada, bob, role="admin")).status_code == 200
    assert (await update(bob, bob, disabled=True)).status_code == 200
    assert outcome(await update(ada, ada, **change)) == (409, "user.last_administrator")
    await update(ada, bob, disabled=False)
    assert (await update(ada, ada, **change)).status_code == 200


async def test_administrators_who_dismiss_each_other_at_once_leave_one(app: FastAPI, database: Database) -> None:
    ada, bob = await join(app), await join(app)
    await update(ada, bob, role="admin")
    answers = await asyncio.gather(update(ada, bob, role="user"), update(bob, ada, role="user"))
    assert sorted(answer.status_code for answer in answers) == [200, 403]
    async with database.transaction(write=False) as session:
        assert sorted(await session.scalars(select(UserRecord.role))) == ["admin", "user"]


async def test_an_administrator_is_known_in_every_workspace_until_dismissed(app: FastAPI) -> None:
    ada, bob = await join(app), await join(app)
    assert "users.write" not in (await bob.client.get("/auth/me")).json()["data"]["permissions"]
    await update(ada, bob, role="admin")
    shared = (await bob.client.post("/workspaces", json={"name": "Team"})).json()["data"]["id"]
    assert (await bob.client.get("/admin/users", headers={"X-Workspace-Id": shared})).status_code == 200
    await update(ada, bob, role="user")
    assert (await bob.client.get("/admin/users")).status_code == 403


async def test_a_key_administers_only_when_that_was_named_and_its_owner_still_may(app: FastAPI) -> None:
    ada, bob = await join(app), await join(app)
    await update(ada, bob, role="admin")
    plain = (await bob.client.post("/user/api-keys", json={"name": "all"})).json()["data"]
    named = (await bob.client.post("/user/api-keys", json={"name": "a", "scopes": ["users.read"]})).json()["data"]
    assert not {"users.read", "users.write"} & set(plain["scopes"])
    async with (
        client_of(app, {"X-API-Key": plain["key"]}) as all_of_it,
        client_of(app, {"X-API-Key": named["key"]}) as reader,
    ):
        assert (await all_of_it.get("/admin/users")).status_code == 403
        assert (await reader.get("/admin/users")).status_code == 200
        assert (await reader.patch(f"/admin/users/{ada.id}", json={"disabled": True})).status_code == 403
        await update(ada, bob, role="user")
        assert (await reader.get("/admin/users")).status_code == 403
    refused = await bob.client.post("/user/api-keys", json={"name": "a", "scopes": ["users.read"]})
    assert outcome(refused) == (403, "api_key.scope_not_held")


async def test_an_edit_names_what_it_read_and_sends_nothing_unknown(app: FastAPI, clock: SetClock) -> None:
    ada, bob = await join(app), await join(app)
    read = await ada.client.get(f"/admin/users/{bob.id}")
    clock.move(seconds=1)
    first = await update(ada, bob, {"If-Match": read.headers["etag"]}, role="admin")
    second = await update(ada, bob, {"If-Match": read.headers["etag"]}, role="user")
    nothing = await update(ada, bob)
    assert (first.status_code, second.status_code, nothing.json()["data"]) == (200, 412, first.json()["data"])
    for change in ({"email": "a@example.com"}, {"role": "owner"}, {"role": None}, {"disabled": "yes"}):
        assert (await ada.client.patch(f"/admin/users/{bob.id}", json=change)).status_code == 422, change
    unknown = await ada.client.patch(f"/admin/users/{new_ulid()}", json={"role": "admin"})
    assert outcome(unknown) == (404, "user.not_found")
