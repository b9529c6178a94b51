"""Keyset pages: a cursor holds the sort key of the last row seen, so a page costs the same at any depth and rows that
arrive meanwhile neither repeat nor vanish."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import orjson
from fastapi import Query

from backend.app.core.errors import InvalidInput

T = TypeVar("T")
K = TypeVar("K", str, int)

Row: TypeAlias = Mapping[Any, Any]
"""A result row by column name."""

MAX_LIMIT = 200


class InvalidCursor(InvalidInput):
    code = "request.invalid_cursor"
    title = "The cursor is not one that this list answered"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows of one page as mappings with the fields of `T`; `next_cursor` is None on the last page."""

    rows: Sequence[Row]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class PageRequest:
    limit: int = 50
    cursor: str | None = None

    def after(self, kind: type[K] = str) -> K | None:  # type: ignore[assignment]
        """The sort key behind the cursor, None on the first page. Raises `InvalidCursor`."""
        if self.cursor is None:
            return None
        key = decode_cursor(self.cursor)
        if not isinstance(key, kind):
            raise InvalidCursor
        return key

    def page(self, rows: Sequence[Row], key: str) -> Page[Any]:
        """Cuts the one row too many that the query asked for (`limit + 1`), and remembers where to go on."""
        if len(rows) <= self.limit:
            return Page(rows)
        rows = rows[: self.limit]
        return Page(rows, encode_cursor(rows[-1][key]))


def encode_cursor(key: str | int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> str | int:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError):
        raise InvalidCursor from None
    if isinstance(key, bool) or not isinstance(key, str | int) or (isinstance(key, str) and "\x00" in key):
        raise InvalidCursor
    if isinstance(key, int) and not 0 <= key < 2**63:
        raise InvalidCursor
    return key


async def page_request(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows in a page.")] = 50,
    cursor: Annotated[
        str | None,
        Query(
            max_length=512,
            description="`meta.next_cursor` of the page before this one.",
            json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"},
        ),
    ] = None,
) -> PageRequest:
    return PageRequest(limit, cursor)
