"""How an error becomes problem+json, whoever raised it."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from backend.app.core.errors import InvalidInput, MalformedBody, PayloadTooLarge, TouchstoneError
from backend.app.core.responses import problem, problem_response
from backend.app.core.settings import Settings
from backend.app.core.views import BodyTooDeep
from backend.app.db.errors import translate
from backend.app.extensions.cors import Cors
from backend.app.extensions.logging import get_logger
from backend.app.extensions.middleware import BodyTooLarge, RequestMiddleware


def add_error_handlers(app: FastAPI, settings: Settings) -> None:
    """Also adds the request middleware, which answers what no handler did. Raises `SettingsError`."""
    cors = Cors(settings.web.cors_origins)
    app.add_middleware(RequestMiddleware, settings=settings, cors=cors, on_error=_unexpected)
    app.add_exception_handler(TouchstoneError, _touchstone_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(BodyTooLarge, _body_too_large)
    app.add_exception_handler(BodyTooDeep, _body_too_deep)


async def _touchstone_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TouchstoneError)  # noqa: S101
    return problem(request, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    faults = [{**fault, "loc": _without_labels(fault, error.body)} for fault in error.errors()[:MAX_FAULTS]]
    if faults and faults[0]["type"] == "json_invalid":
        said = f"{faults[0]['ctx']['error']} at character {faults[0]['loc'][-1]}"
        return problem(request, MalformedBody(said))
    texts = [fault["msg"].removeprefix("Value error, ") for fault in faults]
    detail = f"{'.'.join(map(_clipped, faults[0]['loc']))}: {texts[0]}" if faults else ""
    errors = [
        {**_place(fault["loc"]), "detail": text, "type": fault["type"]}
        for fault, text in zip(faults, texts, strict=True)
    ]
    return problem(request, InvalidInput(detail, errors=errors))


MAX_FAULTS = 50
LONGEST_PART = 200
"""Faults, and characters of a name in a place, that an answer repeats: what a client sent can be megabytes of both."""


def _clipped(part: int | str) -> str:
    return str(part)[:LONGEST_PART]


def _without_labels(fault: Mapping[str, Any], body: Any) -> tuple[int | str, ...]:
    """The location of a fault without what Pydantic calls the members of a union on the way: no part of the body."""
    kind, *path = fault["loc"]
    if kind != "body" or body is None:
        return (kind, *path)
    found: list[int | str] = []
    for at, part in enumerate(path):
        try:
            body = body[part]
        except (LookupError, TypeError):
            if fault["type"] != "missing" or at < len(path) - 1:
                continue
        found.append(part)
    return (kind, *found)


def _place(location: Sequence[int | str]) -> dict[str, str]:
    """A JSON pointer into the body, as a URI fragment (RFC 9457, 3.2; RFC 6901, 6), or the name of a parameter."""
    kind, *path = map(_clipped, location)
    if kind == "body":
        return {"pointer": "#" + "".join("/" + quote(part.replace("~", "~0").replace("/", "~1")) for part in path)}
    return {"parameter": ".".join(path), "in": kind}


HTTP_CODES = {400: "request.unreadable", 404: "route.not_found", 405: "route.method_not_allowed"}
OTHER_HTTP_CODE = "request.refused"


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return problem_response(
        request,
        status=error.status_code,
        code=HTTP_CODES.get(error.status_code, OTHER_HTTP_CODE),
        title=str(error.detail),
        detail=str(error.detail),
        headers=error.headers,
    )


async def _body_too_deep(request: Request, error: Exception) -> Response:
    assert isinstance(error, BodyTooDeep)  # noqa: S101
    return problem(request, InvalidInput(error.detail))


async def _body_too_large(request: Request, error: Exception) -> Response:
    return problem(request, PayloadTooLarge())


async def _unexpected(request: Request, error: Exception) -> Response:
    """Says nothing of the inside; the log has the trace under the same request id."""
    known = error if isinstance(error, TouchstoneError) else translate(error)
    if known is not None:
        return problem(request, known)
    structlog.contextvars.bind_contextvars(path=request.url.path)
    get_logger("http").error("request.failed", exc_info=error)
    return problem(request, TouchstoneError("Something went wrong on our side; the request id leads to the log."))
