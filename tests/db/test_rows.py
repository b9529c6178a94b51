"""Lists read by prepared statements, on both engines."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, func, insert, literal, select, text

from backend.app.core.ids import new_ulid
from backend.app.db import driver
from backend.app.db.outbox import EventRecord
from backend.app.db.rows import ListQuery, PreparedSelect, part_of
from backend.app.db.session import Database
from backend.app.db.sqlite import _BRIEF_STEPS

_events: Any = EventRecord.__table__
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
WORKSPACE = new_ulid()


@pytest.fixture
async def events(database: Database) -> Database:
    """Ten events, a minute apart."""
    async with database.transaction() as session:
        rows = [
            {
                "id": new_ulid(),
                "name": f"thing_{number % 2}.made",
                "version": 1,
                "payload": {"number": number, "text": 'é "\u2028'},
                "entity_type": "thing",
                "entity_id": str(number),
                "workspace_id": WORKSPACE,
                "request_id": "r",
                "occurred_at": NOW + timedelta(minutes=number),
            }
            for number in range(10)
        ]
        await session.execute(insert(_events), rows)
    return database


COLUMNS = [_events.c[name] for name in ("position", "name", "payload", "entity_id", "project_id", "occurred_at")]
LIST = ListQuery(
    select(*COLUMNS).where(_events.c.workspace_id == bindparam("workspace")),
    {
        "name": _events.c.name == bindparam("name"),
        "since": _events.c.occurred_at >= bindparam("since"),
        "part": _events.c.name.icontains(bindparam("part"), escape="/"),
    },
    _events.c.position.desc(),
)


async def fetch(database: Database, **values: Any) -> list[dict[str, Any]]:
    async with database.transaction(write=False) as session:
        return await LIST.fetch(session, **{"limit": 100, "workspace": WORKSPACE, **values})


async def test_the_same_rows_as_by_the_session(events: Database) -> None:
    async with events.transaction(write=False) as session:
        query = select(*COLUMNS).order_by(_events.c.position.desc())
        expected = [dict(row) for row in (await session.execute(query)).mappings()]
    rows = await fetch(events)
    assert rows == expected
    assert rows[0]["occurred_at"] == NOW + timedelta(minutes=9)
    assert rows[0]["occurred_at"].tzinfo is UTC
    assert rows[0]["payload"] == {"number": 9, "text": 'é "\u2028'}


async def test_filters_narrow_and_none_does_not(events: Database) -> None:
    assert len(await fetch(events, name="thing_1.made")) == 5
    assert len(await fetch(events, name="thing_1.made", since=NOW + timedelta(minutes=8))) == 1
    assert len(await fetch(events, name=None, since=None)) == 10
    assert len(await fetch(events, limit=3)) == 3
    assert await fetch(events, workspace=new_ulid()) == []


@pytest.mark.parametrize(("part", "found"), [("THING_1", 5), ("thing", 10), ("%", 0), ("g_", 10), ("h_n", 0), ("/", 0)])
async def test_a_part_is_taken_literally(events: Database, part: str, found: int) -> None:
    assert len(await fetch(events, part=part_of(part))) == found


async def test_inside_a_transaction_it_sees_what_that_wrote(events: Database) -> None:
    async with events.transaction() as session:
        await session.execute(text("DELETE FROM events WHERE entity_id = '9'"))
        assert len(await LIST.fetch(session, limit=100, workspace=WORKSPACE)) == 9
        await session.rollback()
    assert len(await fetch(events)) == 10


async def test_many_readers_share_few_connections(events: Database) -> None:
    async def read() -> int:
        async with events.transaction(write=False) as session:
            before = len(await LIST.fetch(session, limit=100, workspace=WORKSPACE))
            await session.execute(select(literal(1)))
            return before + len(await LIST.fetch(session, limit=100, workspace=WORKSPACE))

    assert await asyncio.gather(*(read() for _ in range(60))) == [20] * 60


async def test_what_only_reads_cannot_write(events: Database) -> None:
    write = "DELETE FROM events"
    for attempt in (
        lambda session: session.execute(text(write)),
        lambda session: driver.run(session, lambda c: c.execute(write), lambda c: c.execute(write)),
        lambda session: driver.read(session, lambda c: c.execute(write), lambda c: c.execute(write)),
    ):
        with pytest.raises(Exception, match=r"read-?only"):
            async with events.transaction(write=False) as session:
                await attempt(session)
    assert len(await fetch(events)) == 10


@pytest.mark.parametrize("directly", [True, False])
async def test_who_is_cancelled_does_not_wait_for_the_query(events: Database, directly: bool) -> None:
    query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT max(i) FROM n"

    async def read() -> None:
        async with events.transaction(write=False) as session:
            if directly:
                await driver.read(session, lambda c: c.execute(query), lambda c: c.execute(query))
            else:
                await session.execute(text(query))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await read()
    assert len(await fetch(events)) == 10


async def test_a_long_read_does_not_stop_the_loop(events: Database) -> None:
    numbers = select(literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < _BRIEF_STEPS * 20))
    count = PreparedSelect(select(func.count().label("count")).select_from(numbers))
    async with events.transaction(write=False) as session:
        reading = asyncio.ensure_future(count.fetch(session, {}))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        assert await reading == [{"count": _BRIEF_STEPS * 20}]
    assert turns > 2
    assert len(await fetch(events)) == 10
