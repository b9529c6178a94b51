"""How request bodies are read as JSON, for every route of a view class."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from backend.app.core.errors import InvalidInput

_NOT_JSON = object()


class MalformedBody(InvalidInput):
    code = "request.malformed"
    title = "The request body is not valid JSON"


class JsonRequest(Request):
    """Parses by RFC 8259 to the letter: no NaN or Infinity, UTF-8 without lone surrogates, limited nesting. The last of
    equal names wins; integers beyond 64 bits become floats, as everywhere in the web."""

    fault: MalformedBody | None = None

    async def json(self) -> Any:
        try:
            return orjson.loads(await self.body())
        except orjson.JSONDecodeError as error:
            self.fault = MalformedBody(f"{error.msg}: line {error.lineno} column {error.colno}")
            return _NOT_JSON


def read_strictly(route: APIRoute) -> None:
    """FastAPI parses a body before it asks who calls: the fault waits until the dependencies have answered 401 or 403."""
    build = route.get_route_handler

    def get_route_handler() -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = build()

        async def handler(request: Request) -> Response:
            strict = JsonRequest(request.scope, request.receive)
            try:
                return await handle(strict)
            except RequestValidationError:
                if strict.fault:
                    raise strict.fault from None
                raise

        return handler

    route.get_route_handler = get_route_handler  # type: ignore[method-assign]
