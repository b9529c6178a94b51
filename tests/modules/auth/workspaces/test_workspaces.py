"""Workspaces, as those who are in them see them."""

import asyncio
from itertools import product
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from backend.app.core.ids import new_ulid
from backend.app.core.permissions import Role
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.models import InvitationRecord, MembershipRecord
from backend.app.modules.auth.workspaces import service
from tests.support.accounts import SetClock, client_of, sign_in
from tests.support.teams import Person, accept, enrol, invite, join, mailed_token, team

ROLES = ("viewer", "member", "admin", "owner")


async def events_in(database: Database, workspace_id: str) -> list[tuple[str, str]]:
    """Name and subject of each."""
    async with database.transaction(write=False) as session:
        query = select(EventRecord.name, EventRecord.entity_id).where(EventRecord.workspace_id == workspace_id)
        return [(name, subject) for name, subject in await session.execute(query.order_by(EventRecord.position))]


async def members_of(who: Person, workspace_id: str) -> dict[str, str]:
    answer = await who.client.get(f"/workspaces/{workspace_id}/members")
    assert answer.status_code == 200, answer.text
    return {row["user_id"]: row["role"] for row in answer.json()["data"]}


async def change(by: Person, workspace_id: str, who: Person, role: str) -> Any:
    return await by.client.patch(f"/workspaces/{workspace_id}/members/{who.id}", json={"role": role})


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_a_workspace_is_made_renamed_listed_and_deleted(app: FastAPI, database: Database) -> None:
    ada = await join(app)
    made = await ada.client.post("/workspaces", json={"name": " Team "})
    workspace = made.json()["data"]
    path = f"/workspaces/{workspace['id']}"
    renamed = await ada.client.patch(path, json={"name": "Crew"}, headers={"If-Match": made.headers["etag"]})
    stale = await ada.client.patch(path, json={"name": "Gang"}, headers={"If-Match": '"1"'})
    listed = (await ada.client.get("/workspaces")).json()["data"]
    lower = await ada.client.get(path.lower())
    deleted = await ada.client.delete(path)
    gone = await ada.client.get(path)

    assert (made.status_code, workspace["name"], workspace["role"], workspace["personal"]) == (
        201,
        "Team",
        "owner",
        False,
    )
    assert renamed.json()["data"]["name"] == "Crew"
    assert stale.status_code == 412
    assert [(row["id"], row["name"], row["personal"]) for row in listed] == [
        (workspace["id"], "Crew", False),
        (ada.home, "Ada's workspace", True),
    ]
    assert lower.json()["data"] == listed[0]
    assert deleted.status_code == 200
    assert outcome(gone) == (404, "workspace.not_found")
    assert [name for name, _ in await events_in(database, workspace["id"])] == [
        "workspace.created",
        "workspace.updated",
        "workspace.deleted",
    ]


async def test_the_workspace_of_the_path_decides_whatever_the_header_says(app: FastAPI, database: Database) -> None:
    ada, bob = await join(app), await join(app)
    shared = await team(ada)
    await enrol(database, ada, shared, bob, "viewer")
    path = f"/workspaces/{shared}"
    seen = await bob.client.get(path, headers={"X-Workspace-Id": bob.home})
    refused = await bob.client.patch(path, json={"name": "Mine"}, headers={"X-Workspace-Id": bob.home})
    foreign = await bob.client.get(f"/workspaces/{ada.home}", headers={"X-Workspace-Id": shared})
    assert (seen.status_code, seen.json()["data"]["role"]) == (200, "viewer")
    assert outcome(refused) == (403, "auth.forbidden")
    assert outcome(foreign) == (404, "workspace.not_found")


async def test_a_key_sees_its_own_workspace_and_no_other(app: FastAPI) -> None:
    ada = await join(app)
    shared = await team(ada)
    key = (await ada.client.post("/user/api-keys", json={"name": "CI"})).json()["data"]["key"]
    async with client_of(app, {"X-API-Key": key}) as machine:
        listed = (await machine.get("/workspaces")).json()["data"]
        own = await machine.get(f"/workspaces/{ada.home}")
        other = await machine.get(f"/workspaces/{shared}")
        unknown = await machine.get(f"/workspaces/{new_ulid()}")
    assert [row["id"] for row in listed] == [ada.home]
    assert own.status_code == 200
    assert outcome(other) == outcome(unknown) == (404, "workspace.not_found")


async def test_a_key_manages_members_only_with_that_scope_and_gives_no_more_than_it_holds(app: FastAPI) -> None:
    ada = await join(app)

    async def machine_with(*scopes: str) -> Any:
        body = {"name": "CI", "scopes": list(scopes)}
        key = (await ada.client.post("/user/api-keys", json=body)).json()["data"]["key"]
        return client_of(app, {"X-API-Key": key})

    path = f"/workspaces/{ada.home}"
    viewer = sorted(Role.VIEWER.permissions)
    async with await machine_with(*viewer) as reader, await machine_with("members.write", *viewer) as clerk:
        body = {"email": "new@example.com", "role": "viewer"}
        refused = await reader.post(f"{path}/invitations", json=body)
        undeleted = await reader.delete(path)
        invited = await clerk.post(f"{path}/invitations", json=body)
        stronger = await clerk.post(f"{path}/invitations", json={**body, "role": "member"})
    assert outcome(refused) == outcome(undeleted) == (403, "auth.forbidden")
    assert invited.status_code == 202
    assert outcome(stronger) == (403, "member.role_not_held")


async def test_an_invitation_opens_once_for_the_address_it_was_sent_to(app: FastAPI, database: Database) -> None:
    ada, bob, eve = await join(app), await join(app), await join(app)
    shared = await team(ada)
    invited = await invite(ada, shared, bob.email.upper(), "member")
    invitation = invited.json()["data"]
    token = await mailed_token(database, invitation["id"])
    listed = (await ada.client.get(f"/workspaces/{shared}/invitations")).json()["data"]
    stolen = await accept(eve, token)
    accepted = await accept(bob, token)
    again = await accept(bob, token)

    assert invited.status_code == 202
    assert listed == [invitation]
    assert (invitation["email"], invitation["role"], invitation["invited_by"]) == (bob.email, "member", ada.id)
    assert outcome(stolen) == outcome(again) == outcome(await accept(bob, "mt_unknown")) == (422, "invitation.invalid")
    assert accepted.json()["data"]["role"] == "member"
    assert await members_of(bob, shared) == {ada.id: "owner", bob.id: "member"}
    assert (await ada.client.get(f"/workspaces/{shared}/invitations")).json()["data"] == []
    assert await events_in(database, shared) == [
        ("workspace.created", shared),
        ("invitation.created", invitation["id"]),
        *[event for event in await events_in(database, shared) if event[0] == "mail.requested"],
        ("member.joined", bob.id),
    ]


async def test_an_invitation_is_mailed_and_nothing_that_is_kept_opens_it(app: FastAPI, database: Database) -> None:
    ada = await join(app)
    shared = await team(ada)
    answer = await invite(ada, shared, "new@example.com", "viewer")
    async with database.transaction(write=False) as session:
        mail = (await session.execute(select(EventRecord).where(EventRecord.name == "mail.requested"))).scalar_one()
        token_hash = (await session.scalars(select(InvitationRecord.token_hash))).one()
    assert mail.payload["to"] == "new@example.com"
    assert (mail.payload["template"], mail.payload["invitation_id"]) == ("invitation", answer.json()["data"]["id"])
    assert mail.payload["details"] == {"workspace": "Team", "inviter": ada.email, "role": "viewer"}
    assert token_hash not in f"{mail.payload}{answer.text}"


async def test_inviting_answers_alike_whether_or_not_there_is_an_account(app: FastAPI) -> None:
    ada, bob = await join(app), await join(app)
    shared = await team(ada)
    answers = [await invite(ada, shared, email) for email in (bob.email, "nobody@example.com")]
    kept = [{**answer.json()["data"], "id": "", "email": "", "created_at": "", "expires_at": ""} for answer in answers]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert kept[0] == kept[1]


async def test_an_invitation_ends_after_seven_days_and_when_it_is_withdrawn_or_sent_again(
    app: FastAPI, database: Database, clock: SetClock
) -> None:
    ada, bob = await join(app), await join(app)
    shared = await team(ada)
    tokens = []
    for _ in range(2):
        invitation = (await invite(ada, shared, bob.email)).json()["data"]
        tokens.append(await mailed_token(database, invitation["id"]))
    withdrawn = await ada.client.delete(f"/workspaces/{shared}/invitations/{invitation['id']}")
    again = await ada.client.delete(f"/workspaces/{shared}/invitations/{invitation['id']}")
    tokens.append(await mailed_token(database, (await invite(ada, shared, bob.email)).json()["data"]["id"]))
    clock.move(days=7)
    proven.forget()
    assert (withdrawn.status_code, *outcome(again)) == (200, 404, "invitation.not_found")
    fresh = await sign_in(app, bob.email)  # an access token lasts a day
    bob.client.headers["Authorization"] = f"Bearer {fresh['access_token']}"
    assert [outcome(await accept(bob, token)) for token in tokens] == [(422, "invitation.invalid")] * 3


@pytest.mark.parametrize("fall", ["viewer", "disabled", None])
async def test_an_invitation_falls_with_the_right_of_who_gave_it(
    app: FastAPI, database: Database, fall: str | None
) -> None:
    root = await join(app)
    ada, bob, eve = await join(app), await join(app), await join(app)
    shared = await team(ada)
    await enrol(database, ada, shared, bob, "admin")
    token = await mailed_token(database, (await invite(bob, shared, eve.email, "admin")).json()["data"]["id"])
    if fall == "disabled":
        path, state = f"/admin/users/{bob.id}", await root.client.get(f"/admin/users/{bob.id}")
        headers = {"If-Match": state.headers["etag"]}
        assert (await root.client.patch(path, json={"disabled": True}, headers=headers)).status_code == 200
    elif fall:
        assert (await change(ada, shared, bob, fall)).status_code == 200
    else:
        assert (await ada.client.delete(f"/workspaces/{shared}/members/{bob.id}")).status_code == 200
    assert outcome(await accept(eve, token)) == (422, "invitation.invalid")


async def test_nobody_gives_or_takes_a_role_above_their_own(app: FastAPI, database: Database) -> None:
    people = {role: await join(app) for role in ROLES}
    owner = people["owner"]
    shared = await team(owner)
    for role in ROLES[:-1]:
        await enrol(database, owner, shared, people[role], role)
    target = await join(app)
    await enrol(database, owner, shared, target, "viewer")
    changed, invited = {}, {}
    for mine, wanted in product(ROLES, ROLES):
        changed[mine, wanted] = outcome(await change(people[mine], shared, target, wanted))
        await change(owner, shared, target, "viewer")
        invited[mine, wanted] = outcome(await invite(people[mine], shared, f"{mine}.{wanted}@example.com", wanted))

    def expected(mine: str, wanted: str, good: int) -> tuple[int, str]:
        if mine in ("viewer", "member"):
            return 403, "auth.forbidden"
        return (403, "member.role_not_held") if (mine, wanted) == ("admin", "owner") else (good, "")

    assert changed == {pair: expected(*pair, 200) for pair in product(ROLES, ROLES)}
    assert invited == {pair: expected(*pair, 202) for pair in product(ROLES, ROLES)}
    admin = people["admin"]
    demoted = await change(admin, shared, owner, "viewer")
    removed = await admin.client.delete(f"/workspaces/{shared}/members/{owner.id}")
    assert outcome(demoted) == outcome(removed) == (403, "member.role_not_held")


async def test_the_last_owner_stays_until_somebody_else_is_one(app: FastAPI, database: Database) -> None:
    ada, bob = await join(app), await join(app)
    shared = await team(ada)
    await enrol(database, ada, shared, bob, "admin")
    path = f"/workspaces/{shared}"
    stuck = [
        await ada.client.post(f"{path}/leave"),
        await ada.client.delete(f"{path}/members/{ada.id}"),
        await change(ada, shared, ada, "admin"),
    ]
    assert {outcome(answer) for answer in stuck} == {(409, "workspace.last_owner")}
    unknown = await ada.client.post(f"{path}/transfer", json={"user_id": new_ulid()})
    refused = await bob.client.post(f"{path}/transfer", json={"user_id": bob.id})
    itself = await ada.client.post(f"{path}/transfer", json={"user_id": ada.id})
    assert await members_of(ada, shared) == {ada.id: "owner", bob.id: "admin"}
    handed = await ada.client.post(f"{path}/transfer", json={"user_id": bob.id})
    assert await members_of(ada, shared) == {ada.id: "admin", bob.id: "owner"}
    left = await ada.client.post(f"{path}/leave")
    assert outcome(unknown) == (404, "member.not_found")
    assert outcome(refused) == (403, "auth.forbidden")
    assert (itself.status_code, handed.json()["data"]["role"], left.status_code) == (200, "owner", 200)
    assert await members_of(bob, shared) == {bob.id: "owner"}
    assert (await events_in(database, shared))[-3:] == [
        ("member.role_changed", ada.id),
        ("member.role_changed", bob.id),
        ("member.left", ada.id),
    ]


async def test_two_owners_who_leave_at_once_do_not_both_succeed(app: FastAPI, database: Database) -> None:
    ada, bob = await join(app), await join(app)
    for _ in range(5):
        shared = await team(ada)
        await enrol(database, ada, shared, bob, "owner")
        answers = await asyncio.gather(
            ada.client.post(f"/workspaces/{shared}/leave"),
            bob.client.patch(f"/workspaces/{shared}/members/{bob.id}", json={"role": "viewer"}),
            ada.client.delete(f"/workspaces/{shared}/members/{bob.id}"),
            bob.client.delete(f"/workspaces/{shared}/members/{ada.id}"),
        )
        async with database.transaction(write=False) as session:
            here = MembershipRecord.workspace_id == shared
            roles = list(await session.scalars(select(MembershipRecord.role).where(here)))
        assert "owner" in roles
        assert {answer.status_code for answer in answers} <= {200, 403, 404, 409}


async def test_one_token_at_two_doors_opens_one(app: FastAPI, database: Database) -> None:
    ada, bob = await join(app), await join(app)
    shared = await team(ada)
    token = await mailed_token(database, (await invite(ada, shared, bob.email)).json()["data"]["id"])
    answers = await asyncio.gather(*(accept(bob, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]


async def test_a_personal_workspace_stays_its_persons(app: FastAPI, database: Database) -> None:
    ada, bob = await join(app), await join(app)
    await enrol(database, ada, ada.home, bob, "owner")
    path = f"/workspaces/{ada.home}"
    answers = [
        await ada.client.delete(path),
        await ada.client.post(f"{path}/leave"),
        await ada.client.post(f"{path}/transfer", json={"user_id": bob.id}),
        await change(bob, ada.home, ada, "viewer"),
        await bob.client.delete(f"{path}/members/{ada.id}"),
    ]
    assert {outcome(answer) for answer in answers} == {(409, "workspace.personal")}
    assert (await bob.client.post(f"{path}/leave")).status_code == 200
    assert (await ada.client.get("/auth/me")).status_code == 200


@pytest.mark.parametrize("way", ["leave", "remove", "demote", "delete"])
async def test_what_is_taken_holds_at_once_for_sessions_and_keys(app: FastAPI, database: Database, way: str) -> None:
    ada, bob = await join(app), await join(app)
    shared = await team(ada)
    await enrol(database, ada, shared, bob, "member")
    here = {"X-Workspace-Id": shared}
    key = (await bob.client.post("/user/api-keys", json={"name": "CI"}, headers=here)).json()["data"]["key"]
    path = f"/workspaces/{shared}"
    async with client_of(app, {"X-API-Key": key}) as machine:
        for caller, headers in ((bob.client, here), (machine, {})):
            assert "projects.write" in (await caller.get("/auth/me", headers=headers)).json()["data"]["permissions"]
        member = f"{path}/members/{bob.id}"
        client, method, where, body = {
            "leave": (bob.client, "POST", f"{path}/leave", None),
            "remove": (ada.client, "DELETE", member, None),
            "demote": (ada.client, "PATCH", member, {"role": "viewer"}),
            "delete": (ada.client, "DELETE", path, None),
        }[way]
        assert (await client.request(method, where, json=body)).status_code == 200
        by_token = await bob.client.get("/auth/me", headers=here)
        by_key = await machine.get("/auth/me")
        if way == "demote":
            assert "projects.write" not in by_token.json()["data"]["permissions"] + by_key.json()["data"]["permissions"]
        else:
            assert (by_token.status_code, by_key.status_code) == (404, 401)
        if way in ("leave", "remove"):
            await enrol(database, ada, shared, bob, "member")
            assert (await machine.get("/auth/me")).status_code == 401


async def test_who_is_in_already_is_not_invited_and_open_invitations_are_limited(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_OPEN", 2)
    ada = await join(app)
    shared = await team(ada)
    assert outcome(await invite(ada, shared, ada.email)) == (409, "member.exists")
    answers = [await invite(ada, shared, f"{name}@example.com") for name in "aba"]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert outcome(await invite(ada, shared, "c@example.com")) == (409, "invitation.too_many")


async def test_members_and_workspaces_come_in_pages(app: FastAPI, database: Database) -> None:
    ada = await join(app)
    shared = await team(ada)
    people = [await join(app) for _ in range(2)]
    for each in people:
        await enrol(database, ada, shared, each, "viewer")
    for path, field, expected in (
        (f"/workspaces/{shared}/members", "user_id", {ada.id, *(each.id for each in people)}),
        ("/workspaces", "id", {ada.home, shared}),
    ):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            answer = (await ada.client.get(path, params={"limit": 1, **cursor})).json()
            seen += [row[field] for row in answer["data"]]
            if answer["meta"]["next_cursor"] is None:
                break
            cursor = {"cursor": answer["meta"]["next_cursor"]}
        assert (set(seen), len(seen)) == (expected, len(expected))
