"""What one process takes away, another one gives nobody any more: at once where it would stay, else within a second."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from backend.app.core.settings import DatabaseSettings, Settings
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from backend.app.modules.auth.credentials.proven import TTL_S
from backend.app.modules.auth.models import ApiKeyRecord
from backend.app.modules.projects.models import ProjectRecord
from backend.app.modules.projects.router import router as projects_router
from tests.support.accounts import application, client_of
from tests.support.processes import TwoProcesses
from tests.support.teams import Person, enrol, join, team

PROJECT = {"name": "Shop", "base_url": "http://shop.example"}


@dataclass
class Pair:
    """Ada owns the workspace, in the first process; Bob is a member of it, in the second."""

    processes: TwoProcesses
    database: Database
    other: FastAPI
    ada: Person
    bob: Person
    shared: str

    async def take(self, method: str, path: str, **options: Any) -> None:
        answer = await self.processes.ask(0, self.ada.client, method, f"/workspaces/{self.shared}{path}", **options)
        assert answer.status_code == 200, answer.text

    async def try_as_bob(self, method: str, path: str, client: httpx2.AsyncClient | None = None, **options: Any) -> Any:
        if client is None:
            client = client_of(self.other, {**self.bob.client.headers, "X-Workspace-Id": self.shared})
        return await self.processes.ask(1, client, method, path, **options)

    async def make_key(self) -> Any:
        return await self.try_as_bob("POST", "/user/api-keys", json={"name": "CI"})

    async def count(self, record: Any) -> int:
        async with self.database.transaction(write=False) as session:
            here = select(func.count()).select_from(record).where(record.workspace_id == self.shared)
            return int(await session.scalar(here) or 0)


@pytest.fixture
async def pair(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    other = Database(create_engine(DatabaseSettings(url=settings.database.url)))
    apps = [application(settings, each, projects_router) for each in (database, other)]
    ada, bob = await join(apps[0]), await join(apps[0])
    shared = await team(ada)
    await enrol(database, ada, shared, bob, "member")
    yield Pair(TwoProcesses(monkeypatch), database, apps[1], ada, bob, shared)
    await other.close()


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_nothing_is_left_behind_in_a_workspace_that_another_process_deletes(pair: Pair) -> None:
    assert (await pair.try_as_bob("GET", "/auth/me")).status_code == 200
    await pair.take("DELETE", "")
    made = [await pair.try_as_bob("POST", "/projects", json=PROJECT), await pair.make_key()]
    assert [outcome(answer) for answer in made] == [(404, "workspace.not_found")] * 2
    assert (await pair.count(ProjectRecord), await pair.count(ApiKeyRecord)) == (0, 0)


async def test_who_is_removed_makes_no_key_that_a_later_invitation_would_revive(pair: Pair) -> None:
    assert (await pair.try_as_bob("GET", "/auth/me")).status_code == 200
    await pair.take("DELETE", f"/members/{pair.bob.id}")
    assert outcome(await pair.make_key()) == (404, "workspace.not_found")
    assert await pair.count(ApiKeyRecord) == 0


async def test_a_lower_role_holds_in_every_process_within_a_second(pair: Pair) -> None:
    key = (await pair.make_key()).json()["data"]["key"]
    async with client_of(pair.other, {"X-API-Key": key}) as machine:
        before = [await pair.try_as_bob("GET", "/auth/me", client) for client in (None, machine)]
        await pair.take("PATCH", f"/members/{pair.bob.id}", json={"role": "viewer"})
        pair.processes.now += TTL_S
        after = [await pair.try_as_bob("POST", "/projects", client, json=PROJECT) for client in (None, machine)]
    assert all("projects.write" in answer.json()["data"]["permissions"] for answer in before)
    assert [outcome(answer) for answer in after] == [(403, "auth.forbidden")] * 2


@pytest.mark.parametrize("way", ["remove", "delete"])
async def test_who_is_out_is_out_in_every_process_within_a_second_with_every_key(pair: Pair, way: str) -> None:
    key = (await pair.make_key()).json()["data"]["key"]
    async with client_of(pair.other, {"X-API-Key": key}) as machine:
        before = [await pair.try_as_bob("GET", "/auth/me", client) for client in (None, machine)]
        await pair.take("DELETE", f"/members/{pair.bob.id}" if way == "remove" else "")
        pair.processes.now += TTL_S
        after = [await pair.try_as_bob("GET", "/auth/me", client) for client in (None, machine)]
    assert [answer.status_code for answer in before] == [200, 200]
    assert [outcome(answer) for answer in after] == [(404, "workspace.not_found"), (401, "auth.invalid_token")]
