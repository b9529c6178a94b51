"""The ASGI application: `create_app()` puts settings, middleware, routers, error handlers and the lifespan together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from backend import __version__
from backend.app.api import API_PREFIX, include_docs, include_modules, include_operations
from backend.app.core.clock import utc_now
from backend.app.core.errors import PayloadTooLarge, TouchstoneError
from backend.app.core.message_hub import hub
from backend.app.core.responses import Problem, problem, problem_response
from backend.app.core.runner import Runner
from backend.app.core.runtime import Runtime
from backend.app.core.settings import Settings, load_settings
from backend.app.db.engine import create_engine
from backend.app.db.errors import translate
from backend.app.db.migrate import prepare
from backend.app.db.session import Database
from backend.app.extensions.logging import configure_logging, get_logger
from backend.app.extensions.middleware import BodyTooLarge, RequestMiddleware
from backend.app.extensions.queue import create_queue
from backend.app.extensions.routing import RouteIndex
from backend.app.modules.auth.dependencies import authenticate

_DESCRIPTION = """Point Touchstone at an HTTP API: it discovers the endpoints, scans them, names the faults, notices what
behaves unlike itself, and tells the story on one timeline. Sign in with a bearer token or an `X-API-Key`."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Raises `SettingsError`. The database is opened and checked when the application starts."""
    settings = settings or load_settings()
    configure_logging(settings.logging)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await prepare(settings)
        database = Database(create_engine(settings.database))
        hub.queue = create_queue(settings, Runner(database, hub, settings, utc_now))
        app.state.runtime = Runtime(settings, database, hub, utc_now, authenticate)
        await hub.queue.start()
        try:
            yield
        finally:
            await hub.queue.stop()
            await database.close()

    app = FastAPI(
        title="Touchstone",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url=f"{API_PREFIX}/openapi.json" if settings.serve_docs else None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    include_modules(app)
    include_operations(app)
    if settings.serve_docs:
        include_docs(app)
    _describe(app)
    app.add_middleware(RequestMiddleware, settings=settings, on_error=_unexpected)
    app.add_exception_handler(TouchstoneError, _touchstone_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(BodyTooLarge, _body_too_large)
    app.router.middleware_stack = RouteIndex(app.router)
    return app


def _describe(app: FastAPI) -> None:
    """Adds to OpenAPI what routes cannot say: the two ways to sign in, and the problem schema."""
    generate = app.openapi

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            document = generate()
            components = document.setdefault("components", {})
            components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
            components["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
        return app.openapi_schema or document

    app.openapi = openapi  # type: ignore[method-assign]


async def _touchstone_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TouchstoneError)  # noqa: S101
    return problem(request, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    faults = [
        {"location": list(fault["loc"]), "detail": fault["msg"], "type": fault["type"]} for fault in error.errors()
    ]
    first = faults[0] if faults else {"location": [], "detail": ""}
    where = ".".join(str(part) for part in first["location"])
    return problem_response(
        request,
        status=422,
        code="request.invalid",
        title="The request is not valid",
        detail=f"{where}: {first['detail']}",
        errors=faults,
    )


_HTTP_CODES = {404: "route.not_found", 405: "route.method_not_allowed", 400: "request.malformed"}


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return problem_response(
        request,
        status=error.status_code,
        code=_HTTP_CODES.get(error.status_code, "request.refused"),
        title=str(error.detail),
        detail=str(error.detail),
        headers=error.headers,
    )


async def _body_too_large(request: Request, error: Exception) -> Response:
    return problem(request, PayloadTooLarge())


async def _unexpected(request: Request, error: Exception) -> Response:
    """Says nothing of the inside; the log has the trace under the same request id."""
    if (known := translate(error)) is not None:
        return problem(request, known)
    structlog.contextvars.bind_contextvars(path=request.url.path)
    get_logger("http").error("request.failed", exc_info=error)
    return problem(request, TouchstoneError("Something went wrong on our side; the request id leads to the log."))
