"""An aiosqlite connection that crosses to its thread once for a statement.

aiosqlite crosses four times for a SELECT (cursor, execute, fetch, close), and BEGIN is one more; each crossing costs
more than a short statement does.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite

T = TypeVar("T")


_BRIEF_STEPS: Final = 10_000
"""Instructions of SQLite's virtual machine, some 0.3 ms; a page of 50 rows takes 2,000."""


def _stop() -> bool:
    return True


class Connection(aiosqlite.Connection):
    _begin = ""
    _writes = False

    def begin(self, *, write: bool) -> None:
        """The transaction opens together with its first statement, in the same crossing."""
        self._begin = "BEGIN IMMEDIATE" if write else "BEGIN"
        self._writes = write

    @property
    def holds_the_lock(self) -> bool:
        """The transaction is the one that writes: what is brief has nobody to wait for, and WAL syncs nothing before
        the commit."""
        return self._writes and not self._begin

    @property
    def on_this_thread(self) -> sqlite3.Connection:
        return self._conn

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Call `function` on the connection's thread, inside the transaction."""
        begin, self._begin = self._begin, ""
        if not self._writes:
            if begin:
                self._conn.execute(begin)
            return await self.read(function)

        def call() -> T:
            connection = self._conn
            if begin:
                connection.execute(begin)
            return function(connection)

        return await self._cross(call)

    async def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Call `function`, which only reads. Readers wait for nobody: what ends within `_BRIEF_STEPS` stays on this
        thread, at half the cost; the rest begins anew on the connection's own."""
        self._conn.set_progress_handler(_stop, _BRIEF_STEPS)
        try:
            return function(self._conn)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
        finally:
            self._conn.set_progress_handler(None, 0)
        return await self._cross(lambda: function(self._conn))

    async def _cross(self, call: Callable[[], T]) -> T:
        """On the connection's thread. Who is cancelled does not wait for the statement to end."""
        try:
            result: T = await self._execute(call)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            self._conn.interrupt()
            raise
        return result

    def cursor(self) -> "Cursor":  # type: ignore[override]
        return Cursor(self)

    async def commit(self) -> None:
        if self._begin:
            self._begin = ""
        else:
            await super().commit()

    async def rollback(self) -> None:
        if self._begin:
            self._begin = ""
        elif self._writes:
            await super().rollback()
        else:
            self._conn.rollback()


class Cursor:
    """The part of a DBAPI cursor that SQLAlchemy's asyncio adapter calls; rows are fetched as the statement runs."""

    description: Any = None
    rowcount = -1
    lastrowid: int | None = None
    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> "Cursor":
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> "Cursor":
        return await self._run(lambda connection: connection.execute(sql, parameters))

    async def executemany(self, sql: str, parameters: Any) -> "Cursor":
        return await self._run(lambda connection: connection.executemany(sql, parameters))

    async def _run(self, execute: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> "Cursor":
        def call(connection: sqlite3.Connection) -> tuple[Any, list[Any], int, int | None]:
            cursor = execute(connection)
            rows = cursor.fetchall() if cursor.description else []
            result = cursor.description, rows, cursor.rowcount, cursor.lastrowid
            cursor.close()
            return result

        self.description, self._rows, self.rowcount, self.lastrowid = await self._connection.run(call)
        return self

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        size = size or self.arraysize
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    async def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    async def close(self) -> None:
        self._rows = []


async def connect(database: str | Path, *, write: bool = True, **options: Any) -> Connection:
    """`write=False`: SQLite refuses to write on this connection.

    The driver opens no transaction by itself (`isolation_level=None`): SQLAlchemy's begin event does.
    """

    def open_database() -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(
            database, isolation_level=None, cached_statements=256, **options
        )
        # WAL loses no committed transaction when a process dies; NORMAL may lose the last ones when the power fails.
        # A checkpoint writes each page once, however often it changed: rarer ones (every 16 MB) are cheaper.
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            connection.execute("PRAGMA journal_mode = WAL")  # migrations set it, which the file remembers
        connection.executescript(
            "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000; PRAGMA foreign_keys = ON"
        )
        if not write:
            connection.execute("PRAGMA query_only = ON")
        return connection

    connection: Connection = Connection(open_database, iter_chunk_size=64)
    connection._thread.daemon = True  # a connection left open must not keep the process from ending
    await connection
    return connection
