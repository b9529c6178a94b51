"""Past the statement machinery, for the statements that every write or every job runs: there it costs more than the
round trip. Errors are the driver's own; `db.errors` knows them."""

from collections.abc import Callable, Sequence
from sqlite3 import Connection as SqliteConnection
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Connection, Engine, Update, event
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.dialects.sqlite import aiosqlite
from sqlalchemy.engine.interfaces import AdaptedConnection, DBAPICursor
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.util import greenlet_spawn

from backend.app.db import sqlite, tenancy

T = TypeVar("T")

READS: Final = "touchstone_reads"
"""In `session.info`: nothing is written in this session."""
_BEGUN: Final = "touchstone_connection"
"""In `session.info`: the connection of the transaction, once it has one."""


async def run(
    session: AsyncSession, on_sqlite: Callable[[SqliteConnection], T], on_postgresql: Callable[[DBAPICursor], T]
) -> T:
    """Call one of the two with the driver's connection or cursor, inside the transaction of `session`.

    What it does must be brief: on SQLite it may run on the event loop's thread.
    """
    begun: Connection | None = session.info.get(_BEGUN)
    if begun is not None and not begun.closed and begun.in_transaction():
        driver = begun.connection.driver_connection
        if not isinstance(driver, sqlite.Connection):
            return await greenlet_spawn(on_postgresql, begun.connection.cursor())
        if driver.holds_the_lock:
            return on_sqlite(driver.on_this_thread)
    return await session.run_sync(_run, on_sqlite, on_postgresql)


async def fetch_value(session: AsyncSession, statement: str, values: Sequence[Any]) -> Any:
    """The first value of what PostgreSQL answers, past SQLAlchemy's cursor, which costs twice the round trip. Only in a
    transaction that is `open_on_postgresql`. Raises as a cursor does."""
    connection: Connection = session.info[_BEGUN]
    adapted: Any = connection.connection.dbapi_connection
    try:
        return await adapted.driver_connection.fetchval(statement, *values)
    except Exception as error:
        adapted._handle_exception(error)


def open_on_postgresql(session: AsyncSession) -> bool:
    """Whether the server knows of the transaction of `session`: it learns of one with the first statement."""
    begun: Connection | None = session.info.get(_BEGUN)
    if begun is None or begun.closed or not begun.in_transaction() or begun.dialect.name != "postgresql":
        return False
    driver: Any = begun.connection.driver_connection
    return bool(driver.is_in_transaction())


@event.listens_for(Session, "after_begin")
def _note_connection(session: Session, _: SessionTransaction, connection: Connection) -> None:
    session.info[_BEGUN] = connection
    if connection.dialect.name == "postgresql":
        tenancy.enter(connection.connection, session.info.get(tenancy.WORKSPACE, ""))


async def read(
    session: AsyncSession, on_sqlite: Callable[[SqliteConnection], T], on_postgresql: Callable[[DBAPICursor], T]
) -> T:
    """As `run`, for one statement that only reads. It stands for itself, on a connection that it gives back at once,
    unless the session has one in use: a session and a transaction cost more than a short statement does."""
    if not session.info.get(READS) or session.in_transaction():
        return await run(session, on_sqlite, on_postgresql)
    workspace_id = session.info.get(tenancy.WORKSPACE, "")
    return await greenlet_spawn(_read, engine_of(session), workspace_id, on_sqlite, on_postgresql)


def engine_of(session: AsyncSession) -> Engine:
    return cast(Engine, session.sync_session.bind)


def _read(
    engine: Engine,
    workspace_id: str,
    on_sqlite: Callable[[SqliteConnection], T],
    on_postgresql: Callable[[DBAPICursor], T],
) -> T:
    pooled = engine.raw_connection()
    adapted: Any = pooled.dbapi_connection
    try:
        if isinstance(pooled.driver_connection, sqlite.Connection):
            return cast("T", adapted.run_async(lambda driver: driver.read(on_sqlite)))
        tenancy.enter(pooled, workspace_id)
        return on_postgresql(pooled.cursor())
    except BaseException as error:
        # Who is cancelled leaves a connection on which the statement may still run.
        if not isinstance(error, Exception) or engine.dialect.is_disconnect(error, adapted, None):  # type: ignore[arg-type]
            pooled.invalidate(error)
        raise
    finally:
        pooled.close()


def _run(session: Session, on_sqlite: Callable[[SqliteConnection], T], on_postgresql: Callable[[DBAPICursor], T]) -> T:
    pooled = session.connection().connection
    if isinstance(pooled.driver_connection, sqlite.Connection):
        adapted = cast("AdaptedConnection", pooled.dbapi_connection)
        return cast("T", adapted.run_async(lambda driver: driver.run(on_sqlite)))
    return on_postgresql(pooled.cursor())


class PreparedUpdate:
    """An UPDATE compiled once, for text and number parameters only: no type converts them."""

    def __init__(self, statement: Update) -> None:
        self._on_sqlite = statement.compile(dialect=aiosqlite.dialect())
        self._on_postgresql = statement.compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]

    async def execute(self, session: AsyncSession, **values: Any) -> int:
        """Answers how many rows changed."""

        def on_sqlite(connection: SqliteConnection) -> int:
            return connection.execute(str(self._on_sqlite), _in_order(self._on_sqlite, values)).rowcount

        def on_postgresql(cursor: DBAPICursor) -> int:
            cursor.execute(str(self._on_postgresql), _in_order(self._on_postgresql, values))
            return cursor.rowcount

        return await run(session, on_sqlite, on_postgresql)


def _in_order(compiled: Any, values: dict[str, Any]) -> tuple[Any, ...]:
    values = compiled.params | values
    return tuple(values[name] for name in compiled.positiontup)
