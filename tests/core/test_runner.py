"""What the runner decides by itself; `test_conformance` has what a user sees."""

import asyncio
from collections import Counter
from random import Random
from typing import ClassVar

import pytest
from sqlalchemy import text

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.errors import InvalidInput, TooManyRequests
from backend.app.core.message_hub import Event, MessageHub
from backend.app.core.performer import Performer
from backend.app.core.permissions import system_principal
from backend.app.core.runner import JobContext, Runner
from backend.app.core.settings import Settings
from backend.app.db.jobs import ClaimedJob
from backend.app.db.session import Database
from tests.support.databases import behind_the_wall
from tests.support.jobs import context


class TaskSet(Event):
    name: ClassVar = "task.set"

    task_id: str


def make_hub(error: BaseException | None = None) -> MessageHub:
    hub = MessageHub()

    @hub.on(TaskSet, attempts=12)
    async def do(event: TaskSet, context: ServiceContext) -> None:
        if error:
            raise error

    return hub


async def publish(database: Database, settings: Settings, hub: MessageHub, count: int) -> None:
    async with context(database, settings, hub) as ctx:
        for number in range(count):
            await hub.publish(TaskSet(task_id=str(number)), ctx)


async def column(database: Database, query: str) -> list[object]:
    async with database.transaction(write=False) as session:
        return list((await session.scalars(text(query))).all())


async def lose_the_leases(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("UPDATE jobs SET lease_until = '2020-01-01 00:00:00' WHERE status = 'running'"))


async def make_due(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("UPDATE jobs SET available_at = '2020-01-01 00:00:00' WHERE status = 'pending'"))


async def test_many_workers_never_claim_the_same_job(database: Database, settings: Settings) -> None:
    hub = make_hub()
    await publish(database, settings, hub, 60)
    claimed: Counter[str] = Counter()

    async def claim_all(runner: Runner) -> None:
        while jobs := await runner.claim("default", 3):
            claimed.update(job.id for job in jobs)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(claim_all(Runner(behind_the_wall(database), hub, settings)))
    # Those that others hold locked are skipped, so a round may end early: the next one takes the rest.
    await claim_all(Runner(behind_the_wall(database), hub, settings))
    assert claimed == Counter(await column(database, "SELECT id FROM jobs"))


async def test_a_job_whose_worker_died_is_claimed_alone(database: Database, settings: Settings) -> None:
    hub = make_hub()
    await publish(database, settings, hub, 4)
    runner = Runner(behind_the_wall(database), hub, settings)
    assert len(await runner.claim("default", 2)) == 2
    await lose_the_leases(database)
    assert await runner.sweep() == 2

    def lost(jobs: list[ClaimedJob]) -> list[int]:
        return [job.lost for job in jobs]

    assert lost(await runner.claim("default", 20)) == [0, 0]
    assert lost(await runner.claim("default", 20, busy=True)) == []
    assert lost(await runner.claim("default", 20)) == [1]
    assert lost(await runner.claim("default", 20)) == [1]


async def test_suspects_that_must_wait_keep_nobody_else_waiting(database: Database, settings: Settings) -> None:
    hub = make_hub()
    await publish(database, settings, hub, 6)
    runner = Runner(behind_the_wall(database), hub, settings)
    suspects = [job.id for job in await runner.claim("default", 5)]
    await lose_the_leases(database)
    await runner.sweep()
    await make_due(database)
    assert await runner.claim("default", 2, suspects=False, ids=suspects) == []
    (job,) = await runner.claim("default", 2, suspects=False)
    assert job.id not in suspects


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError("by itself")])
async def test_a_handler_that_ends_oddly_has_used_an_attempt(
    database: Database, settings: Settings, error: BaseException
) -> None:
    hub = make_hub(error)
    await publish(database, settings, hub, 1)
    runner = Runner(behind_the_wall(database), hub, settings)
    (job,) = await runner.claim("default", 1)
    assert await runner.perform(job) is not None
    assert await column(database, "SELECT max_attempts - attempts FROM jobs") == [11]
    assert str(*await column(database, "SELECT error FROM jobs")).startswith(type(error).__name__)
    assert await column(database, "SELECT status FROM jobs") == ["pending"]


async def test_what_a_hostile_target_says_can_be_stored_as_the_error(database: Database, settings: Settings) -> None:
    hub = make_hub(InvalidInput("a\x00b\ud800c"))
    await publish(database, settings, hub, 1)
    runner = Runner(behind_the_wall(database), hub, settings)
    (job,) = await runner.claim("default", 1)
    await runner.perform(job)
    assert await column(database, "SELECT status FROM jobs") == ["dead"]
    assert await column(database, "SELECT error FROM jobs") == ["InvalidInput: a\ufffdb\ufffdc"]
    assert await column(database, "SELECT name FROM events ORDER BY position") == ["task.set", "job.dead"]


async def test_a_note_holds_whatever_a_target_says(database: Database, settings: Settings) -> None:
    hub = MessageHub()

    @hub.on(TaskSet)
    async def work(event: TaskSet, job: JobContext) -> None:
        await job.progress(1, 1, "GET /\x00\ud800")

    await publish(database, settings, hub, 1)
    runner = Runner(behind_the_wall(database), hub, settings)
    (job,) = await runner.claim("default", 1)
    await runner.perform(job)
    assert await column(database, "SELECT note FROM jobs WHERE status = 'done'") == ["GET /\ufffd\ufffd"]


async def test_a_job_that_was_handed_back_a_thousand_times_may_fail(database: Database, settings: Settings) -> None:
    hub = make_hub(RuntimeError("no"))
    await publish(database, settings, hub, 1)
    async with database.transaction() as session:
        await session.execute(text("UPDATE jobs SET attempts = 2000, max_attempts = 2012"))
    runner = Runner(behind_the_wall(database), hub, settings)
    (job,) = await runner.claim("default", 1)
    delay = await runner.perform(job)
    assert delay is not None
    assert delay <= 900


async def test_delays_grow_at_random_up_to_a_quarter_of_an_hour(database: Database, settings: Settings) -> None:
    hub = make_hub(RuntimeError("no"))
    await publish(database, settings, hub, 1)
    runner = Runner(behind_the_wall(database), hub, settings, random=Random(1))
    delays = []
    for _ in range(11):
        (job,) = await runner.claim("default", 1)
        delay = await runner.perform(job)
        assert delay is not None
        delays.append(delay)
        await make_due(database)
    assert all(0 <= delay <= min(2.0**attempt, 900) for attempt, delay in enumerate(delays, start=1))
    assert len(set(delays)) == len(delays)
    assert max(delays) > 60


async def test_a_target_that_asks_for_patience_gets_it(database: Database, settings: Settings) -> None:
    hub = make_hub(TooManyRequests(headers={"Retry-After": "120"}))
    await publish(database, settings, hub, 1)
    runner = Runner(behind_the_wall(database), hub, settings)
    (job,) = await runner.claim("default", 1)
    assert await runner.perform(job) == 120
    assert await runner.claim("default", 1) == []


async def test_a_job_of_another_version_is_left_to_it(database: Database, settings: Settings) -> None:
    await publish(database, settings, make_hub(), 1)
    stranger = Runner(behind_the_wall(database), MessageHub(), settings)
    (job,) = await stranger.claim("default", 1)
    await stranger.perform(job)
    assert await column(database, "SELECT status FROM jobs") == ["pending"]
    assert await column(database, "SELECT max_attempts - attempts FROM jobs") == [12]
    await make_due(database)
    runner = Runner(behind_the_wall(database), make_hub(), settings)
    (job,) = await runner.claim("default", 1)
    await runner.perform(job)
    assert await column(database, "SELECT status FROM jobs") == ["done"]


async def test_the_heartbeat_keeps_the_lease(database: Database, settings: Settings) -> None:
    hub = make_hub()
    await publish(database, settings, hub, 1)
    runner = Runner(behind_the_wall(database), hub, settings)
    (job,) = await runner.claim("default", 1)
    await lose_the_leases(database)
    await runner.heartbeat()
    assert await runner.sweep() == 0
    await runner.perform(job)
    assert await column(database, "SELECT status FROM jobs") == ["done"]


async def test_a_handler_sees_the_workspace_of_its_event_and_no_other(database: Database, settings: Settings) -> None:
    """By a query that forgot to name one; SQLite has no wall for that."""
    seen: dict[str, set[str]] = {}
    hub = MessageHub()

    async def look(context: ServiceContext) -> set[str]:
        return set(await context.session.scalars(text("SELECT workspace_id FROM jobs")))

    @hub.on(TaskSet)
    async def look_once(event: TaskSet, context: ServiceContext) -> None:
        seen[f"short of {context.workspace_id}"] = await look(context)

    @hub.on(TaskSet)
    async def look_twice(event: TaskSet, job: JobContext) -> None:
        await job.progress(1, 1)
        for write in (True, False):
            async with job.transaction(write=write) as context:
                seen[f"long of {context.workspace_id}, {write=}"] = await look(context)

    tenants = ("ada", "bob")
    for tenant in tenants:
        async with database.transaction(tenant) as session:
            principal = system_principal(tenant)
            ctx = ServiceContext(settings, session, hub, principal, utc_now, "request")
            await hub.publish(TaskSet(task_id="1"), ctx)
    await Performer(Runner(behind_the_wall(database), hub, settings)).drain()
    assert await column(database, "SELECT DISTINCT status FROM jobs") == ["done"]
    assert seen == {
        f"{kind} of {tenant}{how}": set(tenants) if database.engine.dialect.name == "sqlite" else {tenant}
        for tenant in tenants
        for kind, how in (("short", ""), ("long", ", write=True"), ("long", ", write=False"))
    }
