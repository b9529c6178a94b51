"""Engines for the two databases, set up alike."""

import functools
from typing import Any, cast

import orjson
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from backend.app.core.settings import DatabaseSettings
from backend.app.db import sqlite

WRITE = "touchstone_write"
"""Execution option: whether a transaction will write. It decides how SQLite begins."""
_SETTINGS = "touchstone_settings"


def create_engine(settings: DatabaseSettings, *, write: bool = True) -> AsyncEngine:
    """SQLite: WAL, foreign keys, `BEGIN IMMEDIATE` for transactions that write (a plain BEGIN that upgrades later
    fails at once when another wrote meanwhile). PostgreSQL: asyncpg with its statement cache.

    `write=False`: the database refuses every write on these connections. On PostgreSQL each statement stands for
    itself there, which READ COMMITTED is without the cost of a transaction.
    """
    url = make_url(settings.url)
    common: dict[str, Any] = {
        "json_serializer": _dumps,
        "json_deserializer": orjson.loads,
        "hide_parameters": True,  # the text of an error is kept and shown: values do not belong in it
        "pool_size": settings.pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.busy_timeout_s,
        "pool_use_lifo": True,
        "execution_options": {WRITE: write, _SETTINGS: settings},
    }
    if url.get_backend_name() == "postgresql":
        defaults = {"role": settings.role} if settings.role else {}
        if not write:
            common["isolation_level"] = "AUTOCOMMIT"
            defaults["default_transaction_read_only"] = "on"
        options = {
            "timeout": settings.busy_timeout_s,
            "prepared_statement_cache_size": 500,
            "server_settings": defaults,
        }
        return create_async_engine(url, connect_args=options, **common)
    engine = create_async_engine(
        url,
        connect_args={
            "async_creator_fn": functools.partial(sqlite.connect, write=write),
            "timeout": settings.busy_timeout_s,
        },
        pool_reset_on_return=None,
        **common,
    )
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def reader_of(engine: AsyncEngine) -> AsyncEngine:
    """Connections of their own to the same database, on which nothing can be written."""
    return create_engine(engine.get_execution_options()[_SETTINGS], write=False)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITE, True)
    driver = cast("sqlite.Connection", connection.connection.driver_connection)
    driver.begin(write=writes)


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()
