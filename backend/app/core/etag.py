"""Lost updates: an answer carries an `ETag`, an edit names it in `If-Match` (RFC 9110, 8.8.3 and 13.1.1)."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from fastapi import Request

from backend.app.core.errors import InvalidInput, PreconditionFailed, PreconditionRequired

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t]*(?:{_TAG.pattern})?)*[ \t]*")

_PARAMETER: Final = {
    "name": "If-Match",
    "in": "header",
    "description": "The `ETag` of what you read: the edit is refused when it has changed since.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$'},
    "example": "*",
}


class InvalidIfMatch(InvalidInput):
    code = "request.invalid_if_match"
    title = 'If-Match holds quoted entity tags ("abc", "def") or *'


def entity_tag(version: datetime | int | str) -> str:
    """A strong tag for a version of a resource, such as its `updated_at`."""
    text = str(round(version.timestamp() * 1_000_000)) if isinstance(version, datetime) else str(version)
    return f'"{text}"'


async def if_match(request: Request) -> str | None:
    """Dependency: the `If-Match` header, several lines joined. An empty one is no list of tags, and not the same as
    none: who has lost the tag did not ask for an edit without conditions."""
    lines = request.headers.getlist("if-match")
    return ", ".join(lines) if lines else None


async def required_if_match(request: Request) -> str:
    """Dependency: as `if_match`, for edits that have to name it. Raises `PreconditionRequired` (RFC 6585, 3)."""
    header = await if_match(request)
    if header is None:
        raise PreconditionRequired
    return header


PARAMETERS: Final[dict[Callable[..., Any] | None, dict[str, Any]]] = {
    if_match: _PARAMETER,
    required_if_match: {**_PARAMETER, "required": True},
}
"""What OpenAPI says of a route that depends on one of them."""


def require_match(header: str, current: str) -> None:
    """Raises `PreconditionFailed` unless one tag matches `current` by the strong comparison: weak tags never do. `*`
    matches whatever exists."""
    if header.strip() == "*":
        return
    if not _LIST.fullmatch(header):
        raise InvalidIfMatch
    if current not in {f'"{tag.group(2)}"' for tag in _TAG.finditer(header) if not tag.group(1)}:
        raise PreconditionFailed
