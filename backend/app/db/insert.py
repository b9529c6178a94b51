"""Inserts that yield to a row that is already there, in the dialect of the session's engine."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.db.base import Base


async def insert_or_ignore(session: AsyncSession, model: type[Base], values: Mapping[str, Any]) -> bool:
    """Whether the row was inserted; False when a unique constraint was met. On PostgreSQL it waits for a transaction
    that is inserting the same key."""
    statement = _insert(session, model).values(**values).on_conflict_do_nothing()
    result = cast(CursorResult[Any], await session.execute(statement))
    return result.rowcount == 1


async def insert_or_ignore_many(
    session: AsyncSession, model: type[Base], rows: Sequence[Mapping[str, Any]]
) -> set[str]:
    """The ids of the rows that were inserted, of a model with `id`."""
    if not rows:
        return set()
    table: Any = model.__table__
    statement = _insert(session, model).on_conflict_do_nothing().returning(table.c.id)
    return set((await session.execute(statement, rows)).scalars())


def _insert(session: AsyncSession, model: type[Base]) -> Any:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(model.__table__)
