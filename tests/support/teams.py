"""People who share workspaces."""

from dataclasses import dataclass
from typing import Any

import httpx2
from fastapi import FastAPI
from sqlalchemy import update

from backend.app.db.session import Database
from backend.app.modules.auth.credentials.mailed_tokens import hash_mailed_token, new_mailed_token
from backend.app.modules.auth.models import InvitationRecord
from tests.support.accounts import person, sign_up


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    email: str
    home: str
    """The id of the personal workspace."""
    client: httpx2.AsyncClient


async def join(app: FastAPI) -> Person:
    """Somebody who signed up and in."""
    email = person()["email"]
    client = await sign_up(app, email=email)
    me = (await client.get("/auth/me")).json()["data"]
    return Person(me["id"], email, me["personal_workspace_id"], client)


async def team(owner: Person) -> str:
    """The id of a workspace of theirs."""
    answer = await owner.client.post("/workspaces", json={"name": "Team"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


async def invite(by: Person, workspace_id: str, email: str, role: str = "member") -> Any:
    return await by.client.post(f"/workspaces/{workspace_id}/invitations", json={"email": email, "role": role})


async def mailed_token(database: Database, invitation_id: str) -> str:
    """The token of an invitation, as the sender of its mail makes it."""
    token = new_mailed_token()
    async with database.transaction() as session:
        mine = InvitationRecord.id == invitation_id
        await session.execute(update(InvitationRecord).where(mine).values(token_hash=hash_mailed_token(token)))
    return token


async def accept(who: Person, token: str) -> Any:
    return await who.client.post("/invitations/accept", json={"token": token})


async def enrol(database: Database, by: Person, workspace_id: str, who: Person, role: str) -> None:
    """Invited and accepted."""
    invited = await invite(by, workspace_id, who.email, role)
    assert invited.status_code == 202, invited.text
    accepted = await accept(who, await mailed_token(database, invited.json()["data"]["id"]))
    assert accepted.status_code == 200, accepted.text
