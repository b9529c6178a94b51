"""One history, the same on SQLite and PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, inspect, text

from backend.app.core.settings import DatabaseSettings
from backend.app.db import migrate
from backend.app.db.engine import create_engine
from backend.app.db.models import metadata
from tests.conftest import ENGINES
from tests.support.databases import unmigrated


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a table."""
    with unmigrated(request.param, tmp_path) as url:
        yield url


def tables(url: str) -> set[str]:
    return migrate.perform(url, lambda connection: set(inspect(connection).get_table_names()))


def test_up_down_and_up_again(url: str) -> None:
    migrate.upgrade(url)
    migrate.downgrade(url, "base")
    assert tables(url) == {"alembic_version"}
    assert migrate.current(url) is None
    migrate.upgrade(url)
    assert tables(url) == {"alembic_version", *metadata().tables}
    assert migrate.current(url) == migrate.head()


def test_the_history_gives_the_tables_that_the_code_declares(url: str) -> None:
    migrate.upgrade(url)
    assert migrate.check(url) == []


def test_a_difference_is_seen(url: str) -> None:
    migrate.upgrade(url)
    migrate.perform(url, lambda connection: connection.execute(text("DROP TABLE jobs")))
    assert migrate.check(url)


def test_every_constraint_has_a_name() -> None:
    nameless = [
        f"{table.name}: {constraint}"
        for table in metadata().tables.values()
        for constraint in table.constraints
        if not constraint.name
    ]
    assert nameless == []


def test_processes_that_migrate_together_take_turns(url: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate.upgrade, [url] * 3))
    assert migrate.check(url) == []


def test_a_migration_that_fails_leaves_the_schema_as_it_was(url: str) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (id INTEGER PRIMARY KEY)"))
        connection.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(Exception, match="nowhere"):
        migrate.perform(url, half)
    assert tables(url) == set()


def test_altering_a_table_keeps_the_rows_that_refer_to_it(url: str) -> None:
    def alter(connection: Connection) -> object:
        connection.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY, name VARCHAR(10))"))
        connection.execute(
            text(
                "CREATE TABLE children (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parents ON DELETE CASCADE)"
            )
        )
        connection.execute(text("INSERT INTO parents VALUES (1, 'one')"))
        connection.execute(text("INSERT INTO children VALUES (1, 1)"))
        with Operations(MigrationContext.configure(connection)).batch_alter_table("parents") as batch:
            batch.alter_column("name", nullable=False)
        return connection.scalar(text("SELECT count(*) FROM children"))

    assert migrate.perform(url, alter) == 1


def test_a_migration_that_orphans_rows_is_refused(tmp_path: Path) -> None:
    def orphan(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE children (parent_id INTEGER REFERENCES parents)"))
        connection.execute(text("INSERT INTO children VALUES (1)"))

    with unmigrated("sqlite", tmp_path) as url:
        with pytest.raises(RuntimeError, match="breaks foreign keys"):
            migrate.perform(url, orphan)
        assert tables(url) == set()


def test_a_migrated_file_has_its_log(tmp_path: Path) -> None:
    """Connections that had to make one at the same time would refuse one another."""
    path = tmp_path / "a.db"
    migrate.upgrade(f"sqlite+aiosqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_an_application_tells_whether_its_database_is_migrated(url: str) -> None:
    await asyncio.to_thread(migrate.upgrade, url)
    engine = create_engine(DatabaseSettings(url=url))
    assert await migrate.is_current(engine)
    await migrate.require_current(engine)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'other'"))
    assert not await migrate.is_current(engine)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(migrate.NotMigratedError, match="touchstone migrate"):
        await migrate.require_current(engine)
    await engine.dispose()
