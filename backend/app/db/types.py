"""Column types that mean the same on SQLite and PostgreSQL."""

from collections.abc import Callable, Mapping
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

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """asyncpg answers UTC already. Lists spend much of their time here: one call a value, not three."""
        return _from_sqlite if dialect.name == "sqlite" else None


def _from_sqlite(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value + "+00:00")


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

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """asyncpg's codec has decoded already."""
        return _from_json if dialect.name == "sqlite" else None


def _from_json(value: str | None) -> Any:
    return None if value is None else orjson.loads(value)


class RawJson(TypeDecorator[orjson.Fragment]):
    """The text of a JSON column, cast, read for an answer: it becomes a part of it without being decoded."""

    impl = Text
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        return _as_fragment


def _as_fragment(value: str | None) -> orjson.Fragment | None:
    return None if value is None else orjson.Fragment(value)


class AnyText(TypeDecorator[str]):
    """Text that others wrote: what PostgreSQL cannot store (U+0000, lone surrogates) becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class JsonText(TypeDecorator[Any]):
    """JSON as text, for values that no query looks into: members keep their order, and storing costs less. Integers
    beyond 64 bits become floats, lone surrogates U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        try:
            return orjson.dumps(value).decode()
        except TypeError:
            return orjson.dumps(_plain(value)).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


def storable(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 10**308 else None
    if isinstance(value, Mapping):
        return {storable(str(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


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
