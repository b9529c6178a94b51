"""Sign-ins, failures, keys and roles stand on the timelines of the user and of the workspace, and on nobody else's."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from backend.app.core.settings import Settings
from backend.app.db.session import Database
from backend.app.modules.events.router import router as events_router
from tests.support.accounts import PASSWORD, SetClock, application, client_of, sign_in
from tests.support.teams import Person, enrol, join, team


@pytest.fixture
def app(settings: Settings, database: Database, clock: SetClock) -> FastAPI:
    return application(settings, database, events_router, clock=clock)


async def timeline(client: httpx2.AsyncClient, path: str = "/events", workspace_id: str | None = None) -> list[Any]:
    """Oldest first."""
    headers = {"X-Workspace-Id": workspace_id} if workspace_id else {}
    answer = await client.get(path, params={"order": "oldest"}, headers=headers)
    assert answer.status_code == 200, answer.text
    rows: list[Any] = answer.json()["data"]
    return rows


def names(rows: list[Any]) -> list[str]:
    return [row["name"] for row in rows]


async def test_what_somebody_does_with_the_account_stands_on_both_timelines(app: FastAPI) -> None:
    ada = await join(app)
    async with client_of(app) as nobody:
        await nobody.post("/auth/login", json={"email": ada.email, "password": "not my password, sadly"})
    key = (await ada.client.post("/user/api-keys", json={"name": "CI"})).json()["data"]
    await ada.client.delete(f"/user/api-keys/{key['id']}")
    change = {"current_password": PASSWORD, "new_password": "seven hills and one river"}
    await ada.client.post("/auth/change-password", json=change)
    rows = await timeline(ada.client)
    assert [name for name in names(rows) if name != "mail.requested"] == [
        "user.registered",
        "user.signed_in",
        "sign_in.failed",
        "api_key.created",
        "api_key.revoked",
        "user.password_changed",
    ]
    own = await timeline(ada.client, f"/users/{ada.id}/events")
    assert [row for row in rows if row["name"] != "mail.requested"] == own
    assert [row["actor_id"] for row in own] == [ada.id, ada.id, None, ada.id, ada.id, ada.id]
    assert key["key"] not in str(rows)


async def test_sessions_that_end_are_told(app: FastAPI) -> None:
    ada = await join(app)
    other = (await ada.client.get("/auth/sessions")).json()["data"][0]["id"]
    tokens = await sign_in(app, ada.email)
    async with client_of(app, {"Authorization": f"Bearer {tokens['access_token']}"}) as client:
        await client.delete(f"/auth/sessions/{other}")
        await client.post("/auth/logout")
    async with client_of(app, {"Authorization": f"Bearer {(await sign_in(app, ada.email))['access_token']}"}) as client:
        rows = await timeline(client, f"/users/{ada.id}/events")
    assert names(rows)[2:] == ["user.signed_in", "session.revoked", "user.signed_out", "user.signed_in"]


async def test_keys_and_roles_in_a_workspace_are_seen_by_its_administrator_and_its_member_alone(
    app: FastAPI, database: Database
) -> None:
    owner, member, outsider = [await join(app) for _ in range(3)]
    workspace_id = await team(owner)
    await enrol(database, owner, workspace_id, member, "member")
    inside = {"X-Workspace-Id": workspace_id}
    key = (await member.client.post("/user/api-keys", json={"name": "CI"}, headers=inside)).json()["data"]
    await member.client.delete(f"/user/api-keys/{key['id']}", headers=inside)
    promoted = await owner.client.patch(f"/workspaces/{workspace_id}/members/{member.id}", json={"role": "admin"})
    assert promoted.status_code == 200

    of_member = ["member.joined", "api_key.created", "api_key.revoked", "member.role_changed"]
    for who in (owner, member):
        rows = await timeline(who.client, workspace_id=workspace_id)
        assert [name for name in names(rows) if name.startswith(("member.", "api_key."))] == of_member
        assert names(await timeline(who.client, f"/users/{member.id}/events", workspace_id)) == of_member
    assert rows[-1]["actor_id"] == owner.id
    await expect_hidden(outsider, workspace_id, member.id, key["id"])


async def expect_hidden(outsider: Person, workspace_id: str, user_id: str, key_id: str) -> None:
    assert not {user_id, key_id} & {row["entity_id"] for row in await timeline(outsider.client)}
    for path in (f"/users/{user_id}/events", f"/api-keys/{key_id}/events"):
        assert (await outsider.client.get(path)).status_code == 404
    foreign = await outsider.client.get("/events", headers={"X-Workspace-Id": workspace_id})
    assert foreign.status_code == 404


async def test_who_administers_the_installation_is_told_on_the_timeline_of_the_user(app: FastAPI) -> None:
    administrator, bob = await join(app), await join(app)
    for change in ({"role": "admin"}, {"disabled": True}, {"disabled": False}):
        assert (await administrator.client.patch(f"/admin/users/{bob.id}", json=change)).status_code == 200
    async with client_of(app, {"Authorization": f"Bearer {(await sign_in(app, bob.email))['access_token']}"}) as client:
        rows = await timeline(client, f"/users/{bob.id}/events")
    assert names(rows)[2:] == ["user.role_changed", "user.disabled", "user.enabled", "user.signed_in"]
    assert {row["actor_id"] for row in rows[2:5]} == {administrator.id}
