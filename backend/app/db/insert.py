"""Inserts that yield to a row that is already there, in the dialect of the session's engine."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, inspect
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


async def insert_or_update(
    session: AsyncSession, model: type[Base], rows: Sequence[Mapping[str, Any]], *, keep: Collection[str] = ()
) -> None:
    """A row whose primary key is there already gets the values of the new one, but for the columns in `keep`."""
    if not rows:
        return
    statement = _insert(session, model)
    key = [column.name for column in inspect(model).primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key and name not in keep}
    await session.execute(statement.on_conflict_do_update(index_elements=key, set_=changed), rows)


def _insert(session: AsyncSession, model: type[Base]) -> Any:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(model.__table__)
