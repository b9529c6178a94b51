"""One ASGI middleware for all that every request needs: its id, its log line, its metrics, the body limit, security
headers, CORS, rate limits. Several of Starlette's `BaseHTTPMiddleware` would cost more than the rest of an empty
request."""

import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.app.core.client_address import client_address
from backend.app.core.errors import InvalidInput
from backend.app.core.ids import new_ulid
from backend.app.core.settings import Settings
from backend.app.core.views import ADMIT, MAX_BODY
from backend.app.extensions.cors import Cors, Headers
from backend.app.extensions.logging import get_logger
from backend.app.extensions.metrics import LATENCY, REQUESTS
from backend.app.extensions.rate_limits import HEADERS, RateLimits

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""OWASP ASVS 5, 3.4."""
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_NOTHING_LOADS = (
    b"content-security-policy",
    b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
_NOT_STORED = (b"cache-control", b"no-store")
_UNROUTED = "(none)"
_REFUSALS = frozenset({401, 403, 429})
"""Of which the log says where they went to: who guesses comes from somewhere (OWASP ASVS 5, 16.3)."""


class BodyTooLarge(HTTPException):
    """The request body passed `web.max_body_bytes` while it was read. FastAPI lets only this kind of exception out of
    its reading of a body."""

    def __init__(self) -> None:
        super().__init__(413)


class RequestMiddleware:
    """`on_error` answers what no other handler did; it runs in here so that a 500 has an id and a log line too."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        cors: Cors,
        on_error: Callable[[Request, Exception], Awaitable[Response]],
    ) -> None:
        self._app = app
        self._settings = settings
        self._on_error = on_error
        self._slow_s = settings.logging.slow_request_s
        self._max_body = settings.web.max_body_bytes
        self._cors = cors
        self._rates = RateLimits(settings) if settings.rates.enabled else None
        is_https = (settings.web.public_url or "").startswith("https://")
        self._security_headers = [*_SECURITY_HEADERS, *([_HSTS] if is_https else [])]
        self._log = get_logger("http")
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            try:
                await self._app(scope, receive, send)
            finally:
                if scope["type"] == "lifespan" and self._rates is not None:
                    await self._rates.close()
            return
        started = time.perf_counter()
        request_id = _incoming_id(scope["headers"]) or new_ulid()
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if self._rates is not None:
            scope[ADMIT] = self._rates.admit
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = list(message["headers"])
                is_private, is_guarded, is_kept = "principal" in scope["state"], False, False
                for name, value in headers:
                    if name == b"content-type":
                        # Whatever is JSON may be for one caller only, or hold a token.
                        is_private = is_private or b"json" in value
                    elif name == b"content-security-policy":
                        is_guarded = True
                    elif name == b"cache-control":
                        is_kept = True
                headers.append((b"x-request-id", request_id.encode()))
                headers += self._security_headers
                headers += self._cors.headers(scope)
                headers += scope.get(HEADERS, ())
                if not is_guarded:
                    headers.append(_NOTHING_LOADS)
                if is_private and not is_kept:
                    headers.append(_NOT_STORED)
            await send(message)

        try:
            _refuse_what_is_no_text(scope)
            if (allowed := self._cors.preflight(scope)) is not None:
                await _no_content(allowed)(scope, receive, send_with_headers)
            else:
                await self._app(scope, self._limited(scope, receive), send_with_headers)
        except Exception as error:
            if status:
                raise
            response = await self._on_error(Request(scope), error)
            await response(scope, receive, send_with_headers)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        came = 0

        async def limited() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > scope.get(MAX_BODY, self._max_body):
                raise BodyTooLarge
            return message

        return limited

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route: str = scope.get("touchstone.route", _UNROUTED)
        method: str = scope["method"] if route != _UNROUTED else "*"
        children = self._children.get((method, route, status))
        if children is None:
            children = REQUESTS.labels(method, route, status), LATENCY.labels(method, route)
            self._children[method, route, status] = children
        children[0].inc()
        children[1].observe(seconds)
        principal = scope["state"].get("principal")
        origin = {"client": client_address(Request(scope), self._settings)} if status in _REFUSALS else {}
        slow = seconds > self._slow_s
        log = self._log.warning if slow else self._log.info
        log(
            "request.slow" if slow else "request",
            method=scope["method"],
            path=scope["path"],
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
            user_id=principal.user_id if principal else None,
            **origin,
        )


def _refuse_what_is_no_text(scope: Scope) -> None:
    """Of the URL, which a server decodes with question marks for what it cannot read. Raises `InvalidInput`."""
    for raw in (scope.get("raw_path") or b"", scope["query_string"]):
        if b"%" in raw or not raw.isascii():
            try:
                text = unquote_to_bytes(raw).decode()
            except UnicodeDecodeError:
                raise InvalidInput("A URL is UTF-8, once it is decoded") from None
            if "\x00" in text:
                raise InvalidInput("A URL must not hold the NUL character")


def _no_content(headers: Headers) -> Response:
    response = Response(status_code=204)
    response.raw_headers += headers
    return response


def _incoming_id(headers: list[tuple[bytes, bytes]]) -> str | None:
    """A caller's own `X-Request-Id` is taken over when it is harmless, so that traces join."""
    for name, value in headers:
        if name == b"x-request-id":
            return value.decode() if _REQUEST_ID.fullmatch(value) else None
    return None
