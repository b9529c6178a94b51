"""One suite for both engines and both queues: whoever delivers a job, its effects happen once."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from backend.app.core import runner
from backend.app.core.settings import Settings
from backend.app.db.jobs import cancel_job, retry_job
from backend.app.db.outbox import JobRow, JobStatus
from backend.app.db.session import Database
from tests.support.jobs import FLAKY, HOPELESS, LONG, SHORT, SLOW, WORKSPACE, WRONG, Shop, context, fast, until


@pytest.fixture(params=["in_process", "rq"])
async def shop(
    request: pytest.FixtureRequest, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    monkeypatch.setattr(runner, "MAX_DELAY_S", 0.05)
    rq = request.param == "rq"
    shop = Shop(database, fast(settings, request.getfixturevalue("redis_url") if rq else None), rq=rq)
    yield shop
    await shop.close()


async def test_every_job_is_done_and_takes_effect_once(shop: Shop) -> None:
    async with shop.performing():
        events = [await shop.publish(random.choice((SHORT, LONG))) for _ in range(30)]
        await shop.settle()
    assert await shop.effects() == Counter(event.entity_id for event in events)
    assert {job.status for job in await shop.jobs()} == {JobStatus.DONE}
    assert {job.attempts for job in await shop.jobs()} == {1}


async def test_a_job_that_fails_is_tried_again_and_its_failed_attempts_have_no_effect(shop: Shop) -> None:
    async with shop.performing():
        event = await shop.publish(FLAKY)
        await shop.settle()
    job = await shop.job(event, "do_flaky")
    assert (job.status, job.attempts, job.error) == (JobStatus.DONE, 3, None)
    assert shop.script.calls[event.entity_id] == 3
    assert await shop.effects() == {event.entity_id: 1}


async def test_a_job_that_used_its_attempts_is_dead_on_the_timeline_and_can_be_run_again(shop: Shop) -> None:
    async with shop.performing():
        event = await shop.publish(HOPELESS)
        await shop.settle()
        job = await shop.job(event, "do_hopeless")
        assert (job.status, job.attempts) == (JobStatus.DEAD, 2)
        assert job.error == "RuntimeError: never"
        assert not await shop.effects()
        async with shop.database.transaction(write=False) as session:
            dead = (
                await session.execute(text("SELECT entity_id, workspace_id FROM events WHERE name = 'job.dead'"))
            ).all()
        assert dead == [(job.id, WORKSPACE)]

        shop.script.slow_may_end.set()
        async with context(shop.database, shop.settings, shop.hub) as ctx:
            shop.hub.wake(ctx.session, [await retry_job(ctx.session, WORKSPACE, job.id)])
        await shop.settle()
    job = await shop.job(event, "do_hopeless")
    assert (job.status, job.attempts) == (JobStatus.DONE, 3)
    assert await shop.effects() == {event.entity_id: 1}


async def test_what_cannot_get_better_is_not_tried_again(shop: Shop) -> None:
    async with shop.performing():
        event = await shop.publish(WRONG)
        await shop.settle()
    assert (await shop.job(event, "do_wrong")).status == JobStatus.DEAD
    assert shop.script.calls[event.entity_id] == 1


async def test_a_pending_job_that_is_cancelled_never_runs(shop: Shop) -> None:
    event = await shop.publish(SHORT)
    job = await shop.job(event, "do_short")
    async with shop.database.transaction() as session:
        assert await cancel_job(session, WORKSPACE, job.id) == JobStatus.CANCELLED
    async with shop.performing():
        await shop.settle()
    assert (await shop.job(event, "do_short")).status == JobStatus.CANCELLED
    assert not await shop.effects()


async def test_a_running_job_stops_when_it_is_cancelled(shop: Shop) -> None:
    async with shop.performing():
        event = await shop.publish(SLOW)
        await asyncio.to_thread(shop.script.slow_started.wait, 10)
        job = await shop.job(event, "do_slow")
        async with shop.database.transaction() as session:
            assert await cancel_job(session, WORKSPACE, job.id) == JobStatus.RUNNING
        await shop.settle()
    assert (await shop.job(event, "do_slow")).status == JobStatus.CANCELLED
    assert not await shop.effects()


async def test_a_worker_that_lost_its_lease_has_no_effect(shop: Shop) -> None:
    async with shop.performing():
        event = await shop.publish(SLOW)
        await asyncio.to_thread(shop.script.slow_started.wait, 10)
        job = await shop.job(event, "do_slow")
        async with shop.database.transaction() as session:  # as the sweep of another process does
            await session.execute(
                text("UPDATE jobs SET status = 'pending', lease_until = NULL, worker = NULL, lost = 1 WHERE id = :id"),
                {"id": job.id},
            )
        await shop.settle()
        shop.script.slow_may_end.set()
    job = await shop.job(event, "do_slow")
    assert (job.status, job.attempts) == (JobStatus.DONE, 2)
    assert await shop.effects() == {event.entity_id: 1}


async def test_jobs_delivered_three_times_and_in_any_order_take_effect_once(shop: Shop) -> None:
    events = [await shop.publish(random.choice((SHORT, LONG, FLAKY))) for _ in range(20)]
    rows = [JobRow(job.id, job.handler, job.queue, job.max_attempts) for job in await shop.jobs()] * 3
    random.shuffle(rows)
    async with shop.performing():
        for row in rows:
            await shop.hub.queue.wake([row])
        await shop.settle()
    assert await shop.effects() == Counter(event.entity_id for event in events)


async def test_a_job_in_progress_at_the_shutdown_is_handed_back_and_the_attempt_does_not_count(shop: Shop) -> None:
    async with shop.performing():
        event = await shop.publish(SLOW)
        await asyncio.to_thread(shop.script.slow_started.wait, 10)
    job = await shop.job(event, "do_slow")
    assert (job.status, job.max_attempts - job.attempts, job.lost) == (JobStatus.PENDING, 5, 0)
    async with shop.performing():
        await shop.settle()
    assert await shop.effects() == {event.entity_id: 1}


async def test_jobs_nobody_rang_for_are_found(shop: Shop) -> None:
    async with shop.performing():
        bell, shop.hub.queue = shop.hub.queue, type(shop.hub)().queue
        event = await shop.publish(SHORT)

        async def done() -> bool:
            return (await shop.job(event, "do_short")).status == JobStatus.DONE

        await until(done)
        shop.hub.queue = bell
