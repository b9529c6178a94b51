"""Whatever people do to each other, a workspace has an owner, and everybody has the role that the answers said."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import hypothesis
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from backend.app.core.settings import Settings
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from backend.app.modules.auth.models import MembershipRecord
from tests.support.accounts import application
from tests.support.teams import Person, accept, invite, join, mailed_token, team

PEOPLE = 3
ROLES = ("viewer", "member", "admin", "owner")
Step: TypeAlias = tuple[str, int, int, str]

_who = st.integers(0, PEOPLE - 1)
_actions = st.sampled_from(("change", "enrol", "leave", "remove", "transfer"))
_steps = st.lists(st.tuples(_actions, _who, _who, st.sampled_from(ROLES)), min_size=1, max_size=20)


@dataclass
class Model:
    """What the rules say: roles by person; the first one founded the workspace."""

    roles: dict[int, str] = field(default_factory=lambda: {0: "owner"})

    def manages(self, actor: int, *roles: str | None) -> bool:
        """Whether the actor may give or take these roles."""
        own = self.roles.get(actor, "viewer")
        return own in ("admin", "owner") and all(ROLES.index(role) <= ROLES.index(own) for role in roles if role)

    def last_owner(self, who: int) -> bool:
        return [person for person, role in self.roles.items() if role == "owner"] == [who]

    def apply(self, step: Step) -> bool:
        """Whether the step is allowed, which is then done."""
        action, actor, target, role = step
        if actor not in self.roles:
            return False
        held = self.roles.get(target)
        if action == "leave":
            return not self.last_owner(actor) and self.roles.pop(actor) != ""
        if action == "enrol":
            allowed = held is None and self.manages(actor, role)
        elif action == "transfer":
            allowed = held is not None and self.roles[actor] == "owner"
            role = "owner"
        else:
            kept = action == "change" and role == "owner"
            given_or_taken = (held, role) if action == "change" else (held,)
            allowed = (
                held is not None and self.manages(actor, *given_or_taken) and (kept or not self.last_owner(target))
            )
        if not allowed:
            return False
        if action == "transfer" and actor != target:
            self.roles[actor] = "admin"
        if action == "remove":
            del self.roles[target]
        else:
            self.roles[target] = role
        return True


async def perform(database: Database, people: list[Person], workspace_id: str, step: Step) -> bool:
    action, actor, target, role = step
    by, of, path = people[actor], people[target], f"/workspaces/{workspace_id}"
    answer: Any
    if action == "enrol":
        answer = await invite(by, workspace_id, of.email, role)
        if answer.status_code == 202:
            answer = await accept(of, await mailed_token(database, answer.json()["data"]["id"]))
    elif action == "leave":
        answer = await by.client.post(f"{path}/leave")
    elif action == "transfer":
        answer = await by.client.post(f"{path}/transfer", json={"user_id": of.id})
    elif action == "remove":
        answer = await by.client.delete(f"{path}/members/{of.id}")
    else:
        answer = await by.client.patch(f"{path}/members/{of.id}", json={"role": role})
    assert answer.status_code in (200, 403, 404, 409), answer.text
    return bool(answer.status_code == 200)


async def roles_in(database: Database, workspace_id: str) -> dict[str, str]:
    async with database.transaction(write=False) as session:
        query = select(MembershipRecord.user_id, MembershipRecord.role)
        rows = await session.execute(query.where(MembershipRecord.workspace_id == workspace_id))
        return {row.user_id: row.role for row in rows}


def test_a_workspace_always_has_an_owner(settings: Settings) -> None:
    with asyncio.Runner() as runner:
        database = Database(create_engine(settings.database))
        app = application(settings, database)

        async def gather() -> list[Person]:
            return [await join(app) for _ in range(PEOPLE)]

        async def play(steps: list[Step]) -> None:
            workspace_id, model = await team(people[0]), Model()
            for step in steps:
                assert await perform(database, people, workspace_id, step) == model.apply(step), step
                held = await roles_in(database, workspace_id)
                assert "owner" in held.values()
                assert held == {people[number].id: role for number, role in model.roles.items()}

        people = runner.run(gather())

        @hypothesis.settings(max_examples=50)
        @given(_steps)
        def whatever_they_do(steps: list[Step]) -> None:
            runner.run(play(steps))

        whatever_they_do()
        runner.run(database.close())
