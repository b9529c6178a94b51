"""Reading rows for lists, without the ORM's loading: half the cost of a page."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam
from sqlalchemy.ext.asyncio import AsyncSession


async def fetch_rows(
    session: AsyncSession, query: Select[Any], parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Rows as dictionaries by column name. `query` selects columns of tables (`Model.__table__.c`), not of classes."""
    result = await (await session.connection()).execute(query, parameters)
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result.all()]


class ListQuery:
    """The statement of a list, built once for each set of filters: building costs as much as running.

    `conditions` are the filters by name, each on a `bindparam` of that name; what always holds stands in `base`.
    """

    def __init__(self, base: Select[Any], conditions: Mapping[str, ColumnElement[bool]], order: Any) -> None:
        self._base = base.order_by(order).limit(bindparam("limit"))
        self._conditions = conditions
        self._built: dict[frozenset[str], Select[Any]] = {}

    async def fetch(self, session: AsyncSession, *, limit: int, **values: Any) -> list[dict[str, Any]]:
        """Filters whose value is None do not filter."""
        given = {name: value for name, value in values.items() if value is not None}
        filters = frozenset(name for name in given if name in self._conditions)
        query = self._built.get(filters)
        if query is None:
            conditions = [self._conditions[name] for name in sorted(filters)]
            query = self._built[filters] = self._base.where(*conditions)
        return await fetch_rows(session, query, {**given, "limit": limit})


def part_of(text: str | None) -> str | None:
    """For a LIKE whose escape character is `/`."""
    return None if text is None else text.replace("/", "//").replace("%", "/%").replace("_", "/_")
