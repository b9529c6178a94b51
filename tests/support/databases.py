"""Databases for the tests, each with the schema and without a row.

On PostgreSQL they belong to a plain user, so that row-level security binds the product and the tests alike.
Making a PostgreSQL database from a template costs 75 ms of CPU, dropping it 20. Emptying one that is kept costs 19 with
a connection of its own and a DELETE for each of 30 tables; over a connection that is kept, and where there is a row, 2.
So a process keeps one PostgreSQL database and a connection to it; a SQLite database is a copy of a file.

An engine compiles each statement that it meets, which costs more than to perform it on a few rows. So a process keeps
its engines too, and the place of the SQLite file.
"""

import asyncio
import atexit
import copy
import functools
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import exists, literal, select, union_all
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.settings import DatabaseSettings
from backend.app.db import migrate
from backend.app.db.engine import create_engine
from backend.app.db.models import metadata
from backend.app.db.session import Database
from backend.app.db.tenancy import EVERY_WORKSPACE
from tests.support.servers import PostgresServer, RedisServer

T = TypeVar("T")

DATABASE_URL = os.environ.get("TOUCHSTONE_TEST_DATABASE_URL")
"""A PostgreSQL whose user may create databases; a superuser hands them to `PLAIN_USER`."""
REDIS_URL = os.environ.get("TOUCHSTONE_TEST_REDIS_URL")
"""A Redis whose databases, one for each test process, are emptied."""


PLAIN_USER = "touchstone_tests"


def named_hosts() -> list[str]:
    """Where the servers are that the environment names."""
    return [host for url in (DATABASE_URL, REDIS_URL) if url and (host := make_url(url).host)]


class Postgres:
    """One PostgreSQL server's databases, through one connection and an event loop of its own."""

    def __init__(self, url: str) -> None:
        self._own_url = self._url = make_url(url).set(drivername="postgresql+asyncpg")
        self._loop = asyncio.new_event_loop()
        self._server = self._run(_connect(url))
        self._emptying: dict[str, asyncpg.Connection] = {}
        self.is_superuser: bool = self._run(self._server.fetchval(_IS_SUPERUSER))
        if self.is_superuser:
            self.execute(_ADD_PLAIN_USER)
            self._url = self._url.set(username=PLAIN_USER, password=PLAIN_USER)
        atexit.register(self.close)

    def create(self) -> str:
        """The URL of a fresh database without a table."""
        name = f"touchstone_test_{secrets.token_hex(6)}"
        self.execute(f'CREATE DATABASE "{name}" OWNER "{self._url.username}"')
        return self._url.set(database=name).render_as_string(hide_password=False)

    def unbound(self, url: str) -> str:
        """The same database for the server's own user: row-level security does not bind a superuser."""
        return self._own_url.set(database=make_url(url).database).render_as_string(hide_password=False)

    def execute(self, statement: str) -> None:
        self._run(self._server.execute(statement))

    def drop(self, url: str) -> None:
        if connection := self._emptying.pop(url, None):
            self._run(connection.close())
        self.execute(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')

    def empty(self, url: str) -> None:
        """Removes every row, puts the counters back and ends connections that a test left open."""
        self._run(self._empty(url))

    async def _empty(self, url: str) -> None:
        if (connection := self._emptying.get(url)) is None:
            connection = self._emptying[url] = await _connect(url)
            await connection.execute("SET touchstone.workspace = '*'")
        await connection.execute(_EMPTY)
        used = {name for (name,) in await connection.fetch(_used_tables())}
        statements = [str(it.delete()) for it in reversed(metadata().sorted_tables) if it.name in used]
        if statements:
            await connection.execute(";".join(statements))

    def close(self) -> None:
        atexit.unregister(self.close)
        for connection in self._emptying.values():
            self._run(connection.close())
        self._run(self._server.close())
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)


_IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
_ADD_PLAIN_USER = f"""
DO $$ BEGIN
  CREATE ROLE {PLAIN_USER} LOGIN PASSWORD '{PLAIN_USER}';
EXCEPTION WHEN duplicate_object OR unique_violation THEN -- another process of the tests was first
END $$
"""
_EMPTY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences;
"""


@functools.cache
def _used_tables() -> str:
    """Selects the names of the tables with a row."""
    names = [select(literal(str(table.name))).where(exists().select_from(table)) for table in metadata().sorted_tables]
    return str(union_all(*names).compile(compile_kwargs={"literal_binds": True}))


class Overview(Database):
    """For what a test plants and looks at: every workspace, unless one is named."""

    @asynccontextmanager
    async def transaction(
        self, workspace_id: str = EVERY_WORKSPACE, *, write: bool = True
    ) -> AsyncIterator[AsyncSession]:
        async with super().transaction(workspace_id, write=write) as session:
            yield session


def overview(url: str) -> Overview:
    """On the engines that this process keeps for `url`. To be closed before its event loop."""
    database = copy.copy(_kept(url))
    database._turn = database._turn and asyncio.Lock()
    return database


@functools.cache
def _kept(url: str) -> Overview:
    return Overview(create_engine(DatabaseSettings(url=url)))


def behind_the_wall(database: Database) -> Database:
    """The same connections as the product uses them: who names no workspace sees none."""
    plain = Database.__new__(Database)
    vars(plain).update(vars(database))
    return plain


async def _connect(url: str) -> "asyncpg.Connection":
    return await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))


@functools.cache
def postgres() -> Postgres:
    return Postgres(DATABASE_URL or PostgresServer().url)


@functools.cache
def postgres_of_a_superuser() -> Postgres:
    """That server, or, where its user is none, one of our own."""
    return postgres() if postgres().is_superuser else Postgres(PostgresServer().url)


@functools.cache
def postgres_database() -> str:
    """The migrated PostgreSQL database of this process."""
    server = postgres()
    url = server.create()
    atexit.register(server.drop, url)
    _migrate(url)
    return url


@functools.cache
def _sqlite_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="touchstone-"))
    atexit.register(shutil.rmtree, folder)
    _migrate(sqlite_url(folder / "template.db"))
    return folder / "template.db"


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def sqlite_database(folder: Path) -> str:
    """A migrated SQLite database in `folder`."""
    return sqlite_url(Path(shutil.copyfile(_sqlite_template(), folder / "touchstone.db")))


@functools.cache
def _sqlite_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="touchstone-"))
    atexit.register(shutil.rmtree, folder)
    return folder


def kept_sqlite_database() -> str:
    """A migrated SQLite database in the place of the one before."""
    for left in _sqlite_folder().iterdir():
        left.unlink()  # whoever still has it open has the old one
    return sqlite_database(_sqlite_folder())


@contextmanager
def unmigrated(engine: str, folder: Path) -> Iterator[str]:
    """A database of `engine` ("sqlite" or "postgresql") without a table."""
    if engine == "sqlite":
        yield sqlite_url(folder / "unmigrated.db")
    else:
        url = postgres().create()
        yield url
        postgres().drop(url)


@functools.cache
def redis_server_url() -> str:
    """The Redis of this process; on a server that the environment names, each process has its own database."""
    if REDIS_URL is None:
        return RedisServer().url
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return make_url(REDIS_URL).set(database=worker).render_as_string(hide_password=False)


def _migrate(url: str) -> None:
    if migrate.head() is None:
        migrate.perform(url, metadata().create_all)
    else:
        migrate.upgrade(url)
