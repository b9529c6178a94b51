"""Transactions. `Database.transaction` is the only place that commits."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from backend.app.db.driver import READS
from backend.app.db.engine import reader_of
from backend.app.db.errors import DatabaseBusy, DatabaseUnreachable, translate
from backend.app.db.tenancy import WORKSPACE

log = structlog.get_logger(module_id="db")

Callback: TypeAlias = Callable[[], Awaitable[None] | None]
_CALLBACKS = "touchstone_after_commit"


class Database:
    """One engine and the transactions on it."""

    def __init__(self, engine: AsyncEngine, *, patience_s: float = 5.0) -> None:
        """`patience_s`: how long a writer waits for its turn on SQLite."""
        self.engine = engine
        self._reader = reader_of(engine)
        # SQLite has one writer. Waiting in our own line is fair and costs nothing; its busy handler sleeps and retries.
        self._turn = asyncio.Lock() if engine.dialect.name == "sqlite" else None
        self._patience_s = patience_s

    @asynccontextmanager
    async def transaction(self, workspace_id: str = "", *, write: bool = True) -> AsyncIterator[AsyncSession]:
        """One transaction: commits when the block ends, rolls back when it raises.

        `workspace_id`: whose rows PostgreSQL shows and takes, or `EVERY_WORKSPACE`; by default no tenant's.

        `write=False` says that the block only reads: the database refuses a write with a `DBAPIError`. On PostgreSQL
        each statement then stands for itself. After the commit the callbacks of `after_commit` run.
        Raises `Unavailable` or `InvalidInput` in place of the driver's errors (see `db.errors`).
        """
        turn = self._turn if write else None
        if turn:
            await self._wait_for(turn)
        engine = self.engine if write else self._reader
        session = AsyncSession(engine, expire_on_commit=False, info={READS: not write, WORKSPACE: workspace_id})
        try:
            yield session
            if write:
                await session.commit()
                session.sync_session.close()  # the connection went back with the commit: nothing to wait for
            elif session.in_transaction():
                await session.close()
        except BaseException as error:
            translated = translate(error)
            if isinstance(translated, DatabaseUnreachable):
                await session.invalidate()
            await asyncio.shield(session.close())  # who is cancelled returns its connection too
            if translated is None:
                raise
            raise translated from error
        finally:
            if turn:
                turn.release()
        for callback in session.info.pop(_CALLBACKS, ()):
            await _run(callback)

    async def _wait_for(self, turn: asyncio.Lock) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await turn.acquire()
        except TimeoutError:
            raise DatabaseBusy from None

    async def close(self) -> None:
        await self.engine.dispose()
        await self._reader.dispose()


def after_commit(session: AsyncSession, callback: Callback) -> None:
    """Run `callback` once the transaction of `session` is committed; never when it is rolled back. Best effort: what
    it raises is logged."""
    session.info.setdefault(_CALLBACKS, []).append(callback)


async def _run(callback: Callback) -> None:
    try:
        pending = callback()
        if inspect.isawaitable(pending):
            await pending
    except Exception:
        log.exception("after_commit.failed")
