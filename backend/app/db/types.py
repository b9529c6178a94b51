"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import JSON, DateTime, Dialect, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import MappedColumn, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from backend.app.core.ids import new_ulid

SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
"""The database's clock in the text form of `UtcDateTime`; `strftime` counts milliseconds."""


class UtcDateTime(TypeDecorator[datetime]):
    """Time-zone aware in and out, in UTC. SQLite keeps text without a zone; a naive value is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is UTC:
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonValue(TypeDecorator[Any]):
    """JSON on SQLite, JSONB on PostgreSQL; the engine serialises with orjson. `None` is SQL NULL."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        return self.impl_instance.coerce_compared_value(op, value)


class JsonText(TypeDecorator[Any]):
    """JSON as text, for values that no query looks into: members keep their order, and storing costs less."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


UlidColumn = String(26)


def ulid_key() -> MappedColumn[str]:
    """A ULID primary key that the application makes."""
    return mapped_column(UlidColumn, primary_key=True, default=new_ulid)


class db_now(FunctionElement[datetime]):  # noqa: N801 - reads as a SQL function
    """The database's clock, `db_now(seconds)` from now: leases never trust the clock of a process."""

    type = UtcDateTime()
    inherit_cache = True
    name = "db_now"


@compiles(db_now, "sqlite")
def _sqlite_now(element: db_now, compiler: SQLCompiler, **kw: Any) -> str:
    if not len(element.clauses):
        return SQLITE_NOW
    return f"{SQLITE_NOW[:-1]}, ({compiler.process(element.clauses, **kw)}) || ' seconds')"


@compiles(db_now, "postgresql")
def _postgresql_now(element: db_now, compiler: SQLCompiler, **kw: Any) -> str:
    if not len(element.clauses):
        return "statement_timestamp()"
    seconds = compiler.process(element.clauses, **kw)
    return f"statement_timestamp() + make_interval(secs => {seconds})"
