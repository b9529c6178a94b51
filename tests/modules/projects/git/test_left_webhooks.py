"""Webhooks at the provider whose git source is deleted, alone or with its project."""

from typing import Any

import pytest
from sqlalchemy import func, select, update

from backend.app.core.settings import Settings
from backend.app.db.outbox import EventRecord, JobRecord
from backend.app.db.session import Database
from backend.app.db.types import db_now
from backend.app.modules.projects.git import handlers
from backend.app.modules.projects.models import LeftWebhookRecord
from tests.modules.projects.git.test_webhooks import TOKEN, source_at
from tests.support.bench import Bench
from tests.support.fake_git_hosts import FakeApis
from tests.support.git_host import GitHost

ANY = {"If-Match": "*"}


@pytest.fixture
async def bench(settings: Settings, database: Database) -> Bench:
    return Bench.open(settings, database)


async def registered(
    bench: Bench, host: GitHost, names: tuple[str, ...] = ("Shop",)
) -> tuple[str, list[str], FakeApis]:
    """The path of a project, those of its sources, and the API where their webhooks are."""
    fake, fields = source_at(host, "github")
    project = f"/projects/{await bench.project(base_url='http://127.0.0.1:9')}"
    paths = []
    for name in names:
        body = {"name": name, "branch": "main", **fields}
        params = {"validate": False}
        made = await bench.call("POST", f"{project}/git-sources", body, status=201, params=params)
        paths.append(f"{project}/git-sources/{made['id']}")
        await bench.call("POST", f"{paths[-1]}/webhook")
    assert len(fake.hooks) == len(names)
    return project, paths, fake


async def told(bench: Bench) -> list[Any]:
    """Events about webhooks of sources that are gone, and how many of those are to be removed still."""
    async with bench.database.transaction(write=False) as session:
        names = ("git_source.webhook_left", "git_source.webhook_removed")
        rows = await session.execute(select(EventRecord.name, EventRecord.payload).where(EventRecord.name.in_(names)))
        found: list[Any] = [(name.rpartition("_")[2], payload.get("reason")) for name, payload in rows]
        text = str((await session.scalars(select(EventRecord.payload))).all())
        text += str((await session.execute(select(JobRecord.error, JobRecord.note))).all())
        assert TOKEN not in text
        return [*sorted(found), await session.scalar(select(func.count()).select_from(LeftWebhookRecord))]


async def test_the_webhook_goes_with_its_source(bench: Bench, host: GitHost) -> None:
    project, (shop, _), fake = await registered(bench, host, ("Shop", "Other"))
    await bench.call("DELETE", shop, headers=ANY)
    await bench.drain()
    assert len(fake.hooks) == 1
    assert await told(bench) == [("removed", None), 0]
    assert len(await bench.call("GET", f"{project}/git-sources")) == 1


async def test_the_webhooks_go_with_their_project(bench: Bench, host: GitHost) -> None:
    project, _, fake = await registered(bench, host, ("Shop", "Other"))
    await bench.call("DELETE", project, headers=ANY)
    await bench.drain()
    assert fake.hooks == {}
    assert await told(bench) == [("removed", None), ("removed", None), 0]


async def test_a_source_without_a_webhook_asks_nobody(bench: Bench, host: GitHost) -> None:
    _, (shop,), fake = await registered(bench, host)
    await bench.call("DELETE", f"{shop}/webhook", headers=ANY)
    asked = len(host.calls)
    await bench.call("DELETE", shop, headers=ANY)
    await bench.drain()
    assert (len(host.calls), fake.hooks) == (asked, {})
    assert await told(bench) == [("removed", None), 0]


@pytest.mark.parametrize(("status", "reason"), [(403, "git_host.refused"), (302, "git_host.faulty")])
async def test_what_cannot_be_removed_is_told(bench: Bench, host: GitHost, status: int, reason: str) -> None:
    _, (shop,), fake = await registered(bench, host)
    fake.broken = (status, {}, b"")
    await bench.call("DELETE", shop, headers=ANY)
    await bench.drain()
    assert await told(bench) == [("left", reason), 0]
    assert {job["status"] for job in await bench.call("GET", "/jobs?queue=outgoing")} == {"done"}


async def test_without_a_credential_it_is_told_too(bench: Bench, host: GitHost) -> None:
    _, (shop,), _ = await registered(bench, host)
    await bench.call("PATCH", shop, {"credential": None}, headers=ANY, params={"validate": False})
    await bench.call("DELETE", shop, headers=ANY)
    await bench.drain()
    assert await told(bench) == [("left", "git_source.no_provider"), 0]


async def test_a_provider_that_is_away_is_asked_again(
    bench: Bench, host: GitHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (shop,), fake = await registered(bench, host)
    fake.broken = (503, {}, b"")
    await bench.call("DELETE", shop, headers=ANY)
    await bench.drain("outgoing")
    assert await told(bench) == [1]
    fake.broken = None
    async with bench.database.transaction() as session:
        waiting = update(JobRecord).where(JobRecord.status == "pending")
        await session.execute(waiting.values(available_at=db_now()))
    await bench.drain()
    assert (await told(bench), fake.hooks) == ([("removed", None), 0], {})

    _, (shop,), fake = await registered(bench, host)
    fake.broken = (503, {}, b"")
    monkeypatch.setattr(handlers, "ATTEMPTS", 1)
    await bench.call("DELETE", shop, headers=ANY)
    await bench.drain()
    assert await told(bench) == [("left", "git_host.unavailable"), ("removed", None), 0]
