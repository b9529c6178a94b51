"""Transactions, on both engines."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from backend.app.core.errors import InvalidInput, Unavailable
from backend.app.core.settings import DatabaseSettings
from backend.app.db.engine import create_engine
from backend.app.db.session import Database, after_commit
from backend.app.db.types import JsonValue, UtcDateTime, db_now
from tests.support import databases

NOTES = Table(
    "test_notes",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("text", String(100)),
    Column("at", UtcDateTime),
    Column("data", JsonValue),
)


@pytest.fixture(autouse=True)
async def _notes(database: Database) -> object:
    async with database.transaction() as session:
        await (await session.connection()).run_sync(NOTES.create)
    yield
    async with database.transaction() as session:
        await (await session.connection()).run_sync(NOTES.drop)


async def _ids(database: Database) -> list[int]:
    async with database.transaction(write=False) as session:
        return list((await session.scalars(select(NOTES.c.id).order_by(NOTES.c.id))).all())


async def test_the_block_is_one_transaction(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(NOTES.insert(), [{"id": 1}, {"id": 2}])

    async def insert_and_fail() -> None:
        async with database.transaction() as session:
            await session.execute(NOTES.insert().values(id=3))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await insert_and_fail()
    assert await _ids(database) == [1, 2]


async def test_what_waits_for_the_commit_runs_after_it_and_cannot_fail_it(database: Database) -> None:
    seen: list[list[int]] = []

    async def look() -> None:
        seen.append(await _ids(database))

    def fail() -> None:
        raise RuntimeError("nobody is told")

    async def insert() -> None:
        async with database.transaction() as session:
            after_commit(session, fail)
            after_commit(session, look)
            await session.execute(NOTES.insert().values(id=1))

    await insert()
    with pytest.raises(IntegrityError):
        await insert()
    assert seen == [[1]]


async def test_reads_before_writes_do_not_collide(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(NOTES.insert().values(id=0, text="0"))

    async def count_up() -> None:
        async with database.transaction() as session:
            query = select(NOTES.c.text).where(NOTES.c.id == 0).with_for_update()
            number = int((await session.execute(query)).scalar_one())
            await session.execute(NOTES.update().values(text=str(number + 1)))

    await asyncio.gather(*(count_up() for _ in range(30)))
    async with database.transaction(write=False) as session:
        assert await session.scalar(select(NOTES.c.text)) == "30"


async def test_a_cancelled_transaction_returns_its_connection(database_url: str) -> None:
    database = Database(create_engine(DatabaseSettings(url=database_url, pool_size=1)))

    async def hang() -> None:
        async with database.transaction() as session:
            await session.execute(NOTES.insert().values(id=7))
            await asyncio.Event().wait()

    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await hang()
    assert await _ids(database) == []
    await database.close()


async def test_a_writer_that_waits_too_long_is_told_to_come_back(database_url: str) -> None:
    """On SQLite; PostgreSQL lets both write."""
    busy = 0.1 if database_url.startswith("sqlite") else 5.0  # it is also the time to connect in
    settings = DatabaseSettings(url=database_url, busy_timeout_s=busy)
    first, second = (Database(create_engine(settings), patience_s=0.1) for _ in range(2))
    async with first.transaction() as session:
        await session.execute(NOTES.insert().values(id=1))
        if first.engine.dialect.name != "sqlite":
            async with second.transaction() as other:
                await other.execute(NOTES.insert().values(id=2))
        else:
            for database in (first, second):
                with pytest.raises(Unavailable) as error:
                    async with database.transaction() as other:
                        await other.execute(NOTES.insert().values(id=2))
                assert error.value.code == "database.busy"
    await first.close()
    await second.close()


async def test_times_keep_their_zone_and_json_its_shape(database: Database) -> None:
    at = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5)))
    data = {"a": [1, None, "ü"], "b": {"c": 1.5}}
    async with database.transaction() as session:
        await session.execute(NOTES.insert(), [{"id": 1, "at": at, "data": data}, {"id": 2, "at": None, "data": None}])
    async with database.transaction(write=False) as session:
        one, two = (await session.execute(select(NOTES).order_by(NOTES.c.id))).all()
        assert await session.scalar(select(NOTES.c.id).where(NOTES.c.data.is_(None))) == 2
    assert (one.at, one.at.tzinfo, one.data) == (at, UTC, data)
    assert (two.at, two.data) == (None, None)


async def test_the_clock_is_the_databases(database: Database) -> None:
    async with database.transaction(write=False) as session:
        now, later = (await session.execute(select(db_now(), db_now(90.5)))).one()
    assert abs((now - datetime.now(UTC)).total_seconds()) < 5
    assert abs((later - now).total_seconds() - 90.5) < 0.1


@pytest.mark.parametrize(
    "values", [{"id": 2**63}, {"id": 2**70}, {"id": 1, "text": "\ud800"}, {"id": 1, "data": 2**70}]
)
async def test_what_cannot_be_stored_is_the_callers_fault(database: Database, values: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        async with database.transaction() as session:
            await session.execute(NOTES.insert().values(**values))


async def test_a_connection_that_broke_costs_one_transaction() -> None:
    url = databases.postgres_database()
    database = Database(create_engine(DatabaseSettings(url=url, pool_size=1)))
    killer = Database(create_engine(DatabaseSettings(url=url, pool_size=1)))
    async with database.transaction() as session:
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
    async with killer.transaction() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid, 1000)"), {"pid": pid})
    with pytest.raises(Unavailable):
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await database.close()
    await killer.close()


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    database = Database(create_engine(DatabaseSettings(url="postgresql+asyncpg://nobody@127.0.0.1:1/none")))
    with pytest.raises(Unavailable):
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
    await database.close()


async def test_a_value_that_reads_like_a_fault_of_the_database_is_none() -> None:
    database = Database(create_engine(DatabaseSettings(url=databases.postgres_database())))
    with pytest.raises(DBAPIError, match="invalid input syntax"):
        async with database.transaction() as session:
            await session.execute(text("SELECT CAST('database is locked; disk is full' AS integer)"))
    await database.close()


async def test_the_text_of_an_error_holds_no_values(database: Database) -> None:
    async def insert() -> None:
        async with database.transaction() as session:
            await session.execute(NOTES.insert().values(id=1, text="hunter2"))

    await insert()
    with pytest.raises(IntegrityError) as error:
        await insert()
    assert "hunter2" not in str(error.value)
