"""The process dies before or after every single statement of publishing, claiming and performing: nothing is half done,
and once another worker has taken over, every effect is there once."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import MessageHub
from backend.app.core.runner import Runner
from backend.app.core.settings import Settings
from backend.app.db import sqlite
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from tests.support.databases import behind_the_wall
from tests.support.jobs import FLAKY, LONG, SHORT, Asked, Script, context

_STATEMENTS = (
    (sqlite.Connection, "run"),
    (sqlite.Connection, "commit"),
    (asyncpg.connection.Connection, "execute"),
    (asyncpg.prepared_stmt.PreparedStatement, "fetch"),
)


class Killed(BaseException):
    """No handler of errors sees it, as none would see a `kill -9`."""


class Killer:
    """Lets `survive` statements pass and kills at the next one."""

    def __init__(self, survive: int, when: str) -> None:
        self.killed = False
        self._survive = survive
        self._when = when

    async def __call__(self, statement: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        self._survive -= 1
        if self.killed or self._survive >= 0:
            return await statement(*args, **kwargs)
        self.killed = True
        if self._when == "after":
            await statement(*args, **kwargs)
        raise Killed


@contextmanager
def killing(killer: Killer) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in _STATEMENTS:
            statement = getattr(owner, name)
            patch.setattr(owner, name, lambda *args, _s=statement, **kwargs: killer(_s, *args, **kwargs))
        try:
            yield
        except Killed:
            assert killer.killed


async def at_every_statement(
    settings: Settings,
    when: str,
    operation: Callable[[Database], Awaitable[None]],
    check: Callable[[], Awaitable[None]],
) -> int:
    """Kills `operation` at its first statement, then at its second one, until it survives. Each time it has connections
    of its own, which end with it."""
    for survive in range(100):
        killer = Killer(survive, when)
        doomed = Database(create_engine(settings.database))
        with killing(killer):
            await operation(doomed)
        await doomed.close()
        await check()
        if not killer.killed:
            return survive
    raise AssertionError("the operation has no end")


@pytest.fixture(params=["before", "after"])
def when(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def hub_for(*kinds: str) -> MessageHub:
    """With the handlers of `kinds` only: each of the others would add its statements."""
    hub = MessageHub()
    for handler in Script().hub().handlers():
        if handler.function.__name__.removeprefix("do_") in kinds:
            hub.on(handler.event, queue=handler.queue, attempts=handler.attempts)(handler.function)
    return hub


async def test_a_write_and_its_event_and_jobs_are_there_together_or_not_at_all(
    database: Database, settings: Settings, when: str
) -> None:
    hub = hub_for(SHORT, LONG)

    async def publish(doomed: Database) -> None:
        async with context(doomed, settings, hub) as ctx:
            await ctx.session.execute(text("INSERT INTO test_marks (id) VALUES (:id)"), {"id": (mark := new_ulid())})
            await hub.publish(Asked(asked_id=mark, kind=SHORT), ctx)

    async def all_or_nothing() -> None:
        marks = await _column(database, "SELECT id FROM test_marks ORDER BY id")
        events = await _column(database, "SELECT entity_id FROM events ORDER BY entity_id")
        jobs = await _column(database, "SELECT count(*) FROM jobs")
        assert events == marks
        assert jobs == [len(marks) * len(hub.handlers())]

    await _execute(database, "CREATE TABLE test_marks (id VARCHAR(26))")
    try:
        assert await at_every_statement(settings, when, publish, all_or_nothing) >= 3
    finally:
        await _execute(database, "DROP TABLE test_marks")


@pytest.mark.parametrize("kind", [SHORT, LONG, FLAKY])
async def test_a_job_takes_effect_once_wherever_its_worker_dies(
    database: Database, settings: Settings, when: str, kind: str
) -> None:
    hub = hub_for(kind)

    async def publish_and_perform(doomed: Database) -> None:
        async with context(doomed, settings, hub) as ctx:
            await hub.publish(Asked(asked_id=new_ulid(), kind=kind), ctx)
        await _perform_due(Runner(doomed, hub, settings))

    async def another_worker_takes_over() -> None:
        other = Runner(behind_the_wall(database), hub, settings)
        unfinished = "SELECT count(*) FROM jobs WHERE status <> 'done'"
        for _ in range(6):
            await _execute(
                database,
                "UPDATE jobs SET lease_until = '2020-01-01 00:00:00' WHERE status = 'running'",
                "UPDATE jobs SET available_at = '2020-01-01 00:00:00' WHERE status = 'pending'",
            )
            await other.sweep()
            await _perform_due(other)
            if await _column(database, unfinished) == [0]:
                break
        counts = await _column(database, "SELECT count(*) FROM events WHERE entity_type = 'effect' GROUP BY entity_id")
        published = await _column(database, "SELECT count(*) FROM events WHERE entity_type = 'asked'")
        assert counts == [1] * published[0]
        assert await _column(database, unfinished) == [0]

    await at_every_statement(settings, when, publish_and_perform, another_worker_takes_over)


async def _perform_due(runner: Runner) -> None:
    for queue in ("default", "long", "outgoing"):
        while claimed := await runner.claim(queue, 20):
            for job in claimed:
                await runner.perform(job)


async def _column(database: Database, query: str) -> list[Any]:
    async with database.transaction(write=False) as session:
        return list((await session.scalars(text(query))).all())


async def _execute(database: Database, *statements: str) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement))
