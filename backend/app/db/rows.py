"""Reading rows for lists, without the ORM's loading: half the cost of a page."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession


async def fetch_rows(
    session: AsyncSession, query: Select[Any], parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Rows as dictionaries by column name. `query` selects columns of tables (`Model.__table__.c`), not of classes."""
    result = await (await session.connection()).execute(query, parameters)
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result.all()]
