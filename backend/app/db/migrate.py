"""The history of the schema, applied: one history for SQLite and PostgreSQL.

Each call is one transaction, so a killed migration leaves the old schema; processes that migrate at the same time take
turns. The functions that take a URL run an event loop of their own: call them in a thread where one runs already.
Alembic is imported by those that need it: it costs a quarter of a second.
"""

import asyncio
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from backend.app.db import tenancy
from backend.app.db.engine import WRITE
from backend.app.db.models import metadata

if TYPE_CHECKING:
    from alembic.config import Config

T = TypeVar("T")

OPTIONS: dict[str, Any] = {
    "compare_type": True,
    "compare_server_default": True,
    "render_as_batch": True,
    "user_module_prefix": "types.",
}
"""How Alembic compares and writes; `env.py` uses the same."""

_VERSION = text("SELECT version_num FROM alembic_version")
_LOCK = 0x70C45  # any number that nothing else in the database locks


class NotMigratedError(Exception):
    """The schema is not the one that this release works with."""

    def __init__(self) -> None:
        super().__init__("The database is not migrated. Run: touchstone migrate")


def upgrade(url: str, revision: str = "head", *, role: str | None = None) -> None:
    """On PostgreSQL `role` may then do what the application does; it is made when it is missing."""
    from alembic import command

    def apply(connection: Connection) -> None:
        command.upgrade(_config(connection), revision)
        if role is not None and connection.dialect.name == "postgresql":
            tenancy.admit(connection, role)

    perform(url, apply)


def downgrade(url: str, revision: str) -> None:
    """To `revision`, or to nothing with `base`."""
    from alembic import command

    perform(url, lambda connection: command.downgrade(_config(connection), revision))


def current(url: str) -> str | None:
    """The revision of the database, or `None` when it has none."""
    from alembic.migration import MigrationContext

    return perform(url, lambda connection: MigrationContext.configure(connection).get_current_revision())


def check(url: str) -> list[Any]:
    """What differs between the tables that the code declares and those of the database, in Alembic's terms."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    return perform(
        url,
        lambda connection: list(compare_metadata(MigrationContext.configure(connection, opts={**OPTIONS}), metadata())),
    )


@functools.cache
def head() -> str | None:
    """The newest revision of this release."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_current_head()


async def is_current(engine: AsyncEngine) -> bool:
    """Whether the database stands at `head`: one statement, fit for a readiness check."""
    reader = engine.execution_options(**{WRITE: False})
    try:
        async with reader.connect() as connection:
            return list(await connection.scalars(_VERSION)) == [head()]
    except DBAPIError:
        async with reader.connect() as connection:
            if await connection.run_sync(lambda sync: inspect(sync).has_table("alembic_version")):
                raise
        return False


async def require_current(engine: AsyncEngine) -> None:
    """Raises `NotMigratedError`."""
    if not await is_current(engine):
        raise NotMigratedError


def perform(url: str, action: Callable[[Connection], T]) -> T:
    """Runs `action` in one transaction that no other migration shares."""
    return asyncio.run(_perform(url, action))


async def _perform(url: str, action: Callable[[Connection], T]) -> T:
    engine = _create_engine(url)
    try:
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                await connection.execute(tenancy.SEE_ALL)
            result = await connection.run_sync(action)
            if engine.dialect.name == "sqlite":
                broken = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).all()
                if broken:
                    raise RuntimeError(f"the migration breaks foreign keys: {broken[:5]}")
            return result
    finally:
        await engine.dispose()


def _create_engine(url: str) -> AsyncEngine:
    """Without foreign keys on SQLite: it alters a table by building it anew, and dropping the old one would delete the
    rows that refer to it."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_async_engine(url, poolclass=NullPool)
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"isolation_level": None, "timeout": 60})

    @event.listens_for(engine.sync_engine, "connect")
    def keep_a_log(connection: DBAPIConnection, _record: Any) -> None:
        # The file remembers it. Connections that change it at the same time refuse one another, and do not wait.
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "backend.app:migrations")
    config.attributes["connection"] = connection
    return config
