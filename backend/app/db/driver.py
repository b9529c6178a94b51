"""Past the statement machinery, for the statements that every write or every job runs: there it costs more than the
round trip. Errors are the driver's own; `db.errors` knows them."""

from collections.abc import Callable
from sqlite3 import Connection as SqliteConnection
from typing import Any, TypeVar, cast

from sqlalchemy import Update
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.dialects.sqlite import aiosqlite
from sqlalchemy.engine.interfaces import AdaptedConnection, DBAPICursor
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from backend.app.db import sqlite

T = TypeVar("T")


async def run(
    session: AsyncSession, on_sqlite: Callable[[SqliteConnection], T], on_postgresql: Callable[[DBAPICursor], T]
) -> T:
    """Call one of the two with the driver's connection or cursor, inside the transaction of `session`.

    What it does must be brief: on SQLite it may run on the event loop's thread.
    """
    return await session.run_sync(_run, on_sqlite, on_postgresql)


def _run(session: Session, on_sqlite: Callable[[SqliteConnection], T], on_postgresql: Callable[[DBAPICursor], T]) -> T:
    pooled = session.connection().connection
    if isinstance(pooled.driver_connection, sqlite.Connection):
        adapted = cast("AdaptedConnection", pooled.dbapi_connection)
        return cast("T", adapted.run_async(lambda driver: driver.run(on_sqlite, brief=True)))
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
