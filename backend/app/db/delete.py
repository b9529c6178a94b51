"""Deleting much, in steps: one huge DELETE would hold SQLite's only writer, or its rows, for as long as it runs."""

from sqlalchemy import ColumnElement, delete, inspect, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.db.base import Base


async def delete_some(session: AsyncSession, model: type[Base], *where: ColumnElement[bool], limit: int) -> int:
    """Deletes up to `limit` of the rows, and answers how many. Call it, each time in a transaction of its own, until
    there are fewer than `limit`. Rows that another transaction has locked are passed over."""
    key = inspect(model).primary_key
    some = select(*key).where(*where).limit(limit).with_for_update(skip_locked=True).cte("some")
    statement = delete(model).where(tuple_(*key).in_(select(some))).returning(key[0])
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    return len(result.all())  # SQLite counts no rows of a statement that begins with WITH
