"""Engines for the two databases, set up alike."""

from typing import Any, cast

import orjson
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from backend.app.core.settings import DatabaseSettings
from backend.app.db import sqlite

WRITE = "touchstone_write"
"""Execution option: whether a transaction will write. It decides how SQLite begins."""


def create_engine(settings: DatabaseSettings) -> AsyncEngine:
    """SQLite: WAL, foreign keys, `BEGIN IMMEDIATE` for transactions that write (a plain BEGIN that upgrades later
    fails at once when another wrote meanwhile). PostgreSQL: asyncpg with its statement cache."""
    url = make_url(settings.url)
    common: dict[str, Any] = {"json_serializer": _dumps, "json_deserializer": orjson.loads}
    if url.get_backend_name() == "postgresql":
        return create_async_engine(
            url,
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_timeout=settings.busy_timeout_s,
            pool_use_lifo=True,
            connect_args={"timeout": settings.busy_timeout_s, "prepared_statement_cache_size": 500},
            **common,
        )
    memory = url.database in (None, "", ":memory:")
    engine = create_async_engine(
        url,
        connect_args={"async_creator_fn": sqlite.connect, "timeout": settings.busy_timeout_s},
        pool_reset_on_return=None,
        **({} if memory else {"pool_size": settings.pool_size, "max_overflow": 0, "pool_use_lifo": True}),
        **common,
    )
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITE, True)
    driver = cast("sqlite.Connection", connection.connection.driver_connection)
    driver.begin(write=writes)


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()
