"""Reading rows for lists: not through the ORM, and past the statement machinery, which costs more than the rows do."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from sqlite3 import Connection as SqliteConnection
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Dialect, Select, bindparam
from sqlalchemy.engine import Row, RowMapping
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.db import driver

_Found: TypeAlias = tuple[Any, Sequence[Any]]
_SLICE: Final = 200
"""Rows that are made at once: some milliseconds."""


class PreparedSelect:
    """A SELECT of columns of tables (`Model.__table__.c`), compiled once for each engine. Its parameters are
    `bindparam`s; an IN of many values is not among them."""

    def __init__(self, query: Select[Any]) -> None:
        self._query = query
        self._compiled: dict[str, _Compiled] = {}

    async def fetch(self, session: AsyncSession, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows as dictionaries by column name."""
        dialect = driver.engine_of(session).dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _Compiled(self._query, dialect)
        sql, parameters = compiled.sql, compiled.parameters(values)

        def on_sqlite(connection: SqliteConnection) -> _Found:
            cursor = connection.execute(sql, parameters)
            return cursor.description, cursor.fetchall()

        def on_postgresql(cursor: DBAPICursor) -> _Found:
            cursor.execute(sql, parameters)
            return cursor.description, cursor.fetchall()

        return compiled.rows(*await driver.read(session, on_sqlite, on_postgresql))


class _Compiled:
    def __init__(self, query: Select[Any], dialect: Dialect) -> None:
        compiled: Any = query.compile(dialect=dialect)
        self.sql = str(compiled)
        self._defaults: dict[str, Any] = compiled.params
        self._order: list[str] = compiled.positiontup
        self._binders: dict[str, Callable[[Any], Any]] = compiled._bind_processors
        self._dialect = dialect
        self._types = [column.type for column in query.selected_columns]
        self._names = tuple(column.name for column in query.selected_columns)
        self._readers: list[tuple[str, Callable[[Any], Any]]] | None = None

    def parameters(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        given = {**self._defaults, **values}
        binders = self._binders
        return tuple(binders[name](given[name]) if name in binders else given[name] for name in self._order)

    def rows(self, description: Any, found: Sequence[Any]) -> list[dict[str, Any]]:
        if self._readers is None:
            self._readers = list(self._readers_of(description))
        names = self._names
        rows = [dict(zip(names, row)) for row in found]  # noqa: B905 - `strict` costs a quarter
        for name, reader in self._readers:
            for row in rows:
                row[name] = reader(row[name])
        return rows

    def _readers_of(self, description: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
        for name, kind, (_, code, *_rest) in zip(self._names, self._types, description, strict=True):
            reader: Callable[[Any], Any] | None = kind.dialect_impl(self._dialect).result_processor(self._dialect, code)
            if reader is not None:
                yield name, reader


class ListQuery:
    """The statement of a list, built once for each set of filters: building costs as much as running.

    `conditions` are the filters by name, each on a `bindparam` of that name; what always holds stands in `base`.
    """

    def __init__(self, base: Select[Any], conditions: Mapping[str, ColumnElement[bool]], order: Any) -> None:
        self._base = base.order_by(order).limit(bindparam("limit"))
        self._conditions = conditions
        self._built: dict[frozenset[str], PreparedSelect] = {}

    async def fetch(self, session: AsyncSession, *, limit: int, **values: Any) -> list[dict[str, Any]]:
        """Filters whose value is None do not filter."""
        given = {name: value for name, value in values.items() if value is not None}
        filters = frozenset(name for name in given if name in self._conditions)
        query = self._built.get(filters)
        if query is None:
            conditions = [self._conditions[name] for name in sorted(filters)]
            query = self._built[filters] = PreparedSelect(self._base.where(*conditions))
        return await query.fetch(session, {**given, "limit": limit})


async def all_rows(session: AsyncSession, query: Select[Any]) -> list[RowMapping]:
    """However many there are, others are served meanwhile."""
    return await _in_slices((await session.execute(query)).mappings())


async def all_tuples(session: AsyncSession, query: Select[Any]) -> list[Row[Any]]:
    """Likewise, at less cost."""
    return await _in_slices(await session.execute(query))


async def _in_slices(found: Any) -> list[Any]:
    rows: list[Any] = []
    for some in found.partitions(_SLICE):
        rows += some
        await asyncio.sleep(0)
    return rows


def part_of(text: str | None) -> str | None:
    """For a LIKE whose escape character is `/`."""
    return None if text is None else text.replace("/", "//").replace("%", "/%").replace("_", "/_")
