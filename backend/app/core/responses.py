"""The envelope of every successful answer, and problem+json (RFC 9457) for every other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from backend.app.core.errors import TouchstoneError
from backend.app.core.pagination import Page

T = TypeVar("T")
D = TypeVar("D")


class Meta(BaseModel):
    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    request_id: str
    """The log has the same."""
    timestamp: datetime
    """When the answer was made."""
    next_cursor: str | None = None
    """Of a list: gets the next page as `cursor`; null on the last one."""


class Envelope(BaseModel, Generic[T]):
    """`{"data": ..., "meta": ..., "errors": []}`.

    Describes the answer to type checkers and in OpenAPI. What `envelope()` and `listed()` really make is a `Reply`,
    which is sent without a second validation.
    """

    data: T
    meta: Meta
    errors: list[Any] = []


@dataclass(frozen=True, slots=True)
class Reply:
    data: Any
    headers: dict[str, str]
    meta: dict[str, Any]


class DefaultResponse(BaseModel):
    """The data of an action that has nothing else to say."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    message: str = "ok"
    """Always `ok`."""


def envelope(data: D, *, etag: str | None = None, headers: Mapping[str, str] | None = None, **meta: Any) -> Envelope[D]:
    """An answer with one object; `meta` adds fields to the envelope's `meta`."""
    sent = dict(headers or {})
    if etag is not None:
        sent["ETag"] = etag
    return cast("Envelope[D]", Reply(data, sent, meta))


def listed(page: Page[D], **meta: Any) -> Envelope[list[D]]:
    """An answer with one page of a list."""
    return cast(
        "Envelope[list[D]]", Reply(page.rows, {}, {"next_cursor": page.next_cursor, "count": len(page.rows), **meta})
    )


def render(reply: Reply, request: Request, status: int) -> Response:
    """The answer as bytes; a page with a successor gets a `Link` header (RFC 8288)."""
    headers = reply.headers
    if (cursor := reply.meta.get("next_cursor")) is not None:
        headers["Link"] = f'<{_with_cursor(request, cursor)}>; rel="next"'
    body = {
        "data": reply.data,
        "meta": {"request_id": request.scope["state"]["request_id"], "timestamp": datetime.now(UTC), **reply.meta},
        "errors": [],
    }
    return Response(dump_json(body), status, headers, "application/json")


def _with_cursor(request: Request, cursor: str) -> str:
    """Relative to the URL that was asked for (RFC 3986, 5.2.2): nothing in it comes from the `Host` header, and a proxy
    may serve us below another path."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"?{urlencode([*query, ('cursor', cursor)])}"


def dump_json(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be answered as JSON")


class Problem(BaseModel):
    """`application/problem+json` (RFC 9457)."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    """A name for the kind of problem: `urn:touchstone:problem:` and the code."""
    title: str
    """The kind of problem in a few words."""
    status: int
    """The HTTP status."""
    detail: str
    """What is wrong this time."""
    instance: str
    """The path that was asked."""
    code: str
    """Stable, for programs: `scan.not_found`."""
    request_id: str
    """The log has the same."""
    errors: list[Any] = []
    """Faults of single fields: `pointer` into the body, or `parameter` and `in`, with `detail` and `type`."""


def problem(request: Request, error: TouchstoneError) -> Response:
    return problem_response(
        request,
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        errors=error.errors,
        headers=error.headers,
        members=error.members,
    )


def problem_response(
    request: Request,
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: Sequence[Any] = (),
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, str] | None = None,
) -> Response:
    body = {
        "type": f"urn:touchstone:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": code,
        "request_id": getattr(request.state, "request_id", ""),
        "errors": list(errors),
        **(members or {}),
    }
    return Response(dump_json(body), status, headers, "application/problem+json")


_PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What is wrong with the request", "content": _PROBLEM_CONTENT},
    "503": {"description": "Busy: `Retry-After` says when to come again", "content": _PROBLEM_CONTENT},
}
