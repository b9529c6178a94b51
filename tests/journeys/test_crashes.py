"""Real processes, really killed. `python -m benchmarks.crash` does the same at full size."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
from sqlalchemy import text

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event
from backend.app.core.permissions import system_principal
from backend.app.core.settings import Settings
from backend.app.db.session import Database
from tests.support import crashes
from tests.support.crashes import OrderPlaced, PatienceAsked, PoisonTaken, Storm
from tests.support.jobs import until
from tests.support.servers import RedisServer


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """One of its own, to be killed."""
    server = RedisServer()
    yield server
    server.stop()


StartWorker: TypeAlias = Callable[[Settings], "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker() -> Iterator[StartWorker]:
    started = []

    def start(settings: Settings) -> "subprocess.Popen[bytes]":
        started.append(crashes.start_process("work", settings))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_nothing_is_lost_or_done_twice_when_processes_and_redis_die(
    database_url: str, redis_server: RedisServer
) -> None:
    seed = int(time.time())
    storm = Storm(database_url, redis_server, orders=60, workers=2, seed=seed)
    outcome = storm.run(kills=3, stops=1)
    assert (outcome.orders, outcome.lost, outcome.doubled, outcome.dead) == (60, 0, 0, 0), f"seed {seed}"
    assert outcome.failures == 0
    assert outcome.notes == []


async def test_a_job_that_kills_its_workers_is_dead_after_three_and_its_neighbours_are_done(
    database: Database, database_url: str, start_worker: StartWorker
) -> None:
    settings = crashes.settings_for(database_url, None, max_lost_leases=3, lease_s=0.8)
    await _prepare(database)
    await _publish(database, settings, PoisonTaken(poison_id="x"))
    for number in (1, 2, 3):
        await _publish(database, settings, OrderPlaced(order_id="x", number=number))
    worker = start_worker(settings)

    async def settled() -> bool:
        nonlocal worker
        if worker.poll() is not None:
            worker = start_worker(settings)
        return await _scalar(database, "SELECT count(*) FROM jobs WHERE status IN ('pending', 'running')") == 0

    await until(settled)
    assert await _scalar(database, "SELECT status FROM jobs WHERE handler = 'crashes.swallow'") == "dead"
    assert await _scalar(database, "SELECT lost FROM jobs WHERE handler = 'crashes.swallow'") == 3
    assert await _scalar(database, "SELECT count(*) FROM jobs WHERE status = 'done'") == 9
    assert await _scalar(database, "SELECT count(*) FROM events WHERE name = 'job.dead'") == 1


async def test_a_worker_that_is_asked_to_end_hands_back_what_it_cannot_finish(
    database: Database, database_url: str, redis_url: str, start_worker: StartWorker
) -> None:
    settings = crashes.settings_for(database_url, None if database.engine.dialect.name == "sqlite" else redis_url)
    await _publish(database, settings, PatienceAsked(patience_id="x"))
    worker = start_worker(settings)

    async def running() -> bool:
        return await _scalar(database, "SELECT count(*) FROM jobs WHERE progress IS NOT NULL") == 1

    await until(running)
    asked = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=settings.jobs.shutdown_s + 5) == 0
    assert time.monotonic() - asked < settings.jobs.shutdown_s + 3
    assert await _scalar(database, "SELECT status FROM jobs") == "pending"
    assert await _scalar(database, "SELECT max_attempts - attempts FROM jobs") == 5
    assert await _scalar(database, "SELECT lost FROM jobs") == 0

    start_worker(settings)

    async def done() -> bool:
        return await _scalar(database, "SELECT status FROM jobs") == "done"

    await until(done)


async def _prepare(database: Database) -> None:
    async with database.transaction() as session:
        for statement in crashes.SCHEMA:
            await session.execute(text(statement))


async def _publish(database: Database, settings: Settings, event: Event) -> None:
    async with database.transaction() as session:
        principal = system_principal(new_ulid())
        await crashes.hub.publish(event, ServiceContext(settings, session, crashes.hub, principal, utc_now, "test"))


async def _scalar(database: Database, query: str) -> object:
    async with database.transaction(write=False) as session:
        return await session.scalar(text(query))
