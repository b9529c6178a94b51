"""Inserts that yield to a row that is already there, in the dialect of the session's engine."""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.db.base import Base


async def insert_or_ignore(session: AsyncSession, model: type[Base], values: Mapping[str, Any]) -> bool:
    """Whether the row was inserted; False when a unique constraint was met. On PostgreSQL it waits for a transaction
    that is inserting the same key."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(model).values(**values).on_conflict_do_nothing()
    result = cast(CursorResult[Any], await session.execute(statement))
    return result.rowcount == 1
