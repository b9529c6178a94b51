"""The ASGI application: `create_app()` puts settings, middleware, routers, error handlers and the lifespan together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from backend import __version__
from backend.app.api import API_PREFIX, include_docs, include_modules, include_operations
from backend.app.core.clock import utc_now
from backend.app.core.message_hub import hub
from backend.app.core.redaction import remember_settings
from backend.app.core.responses import Problem
from backend.app.core.runner import Runner
from backend.app.core.runtime import Runtime
from backend.app.core.secrets import sealer
from backend.app.core.settings import Settings, load_settings
from backend.app.db import migrate, tenancy
from backend.app.db.engine import create_engine
from backend.app.db.sealed import require_openable
from backend.app.db.session import Database
from backend.app.extensions.error_handlers import add_error_handlers
from backend.app.extensions.logging import configure_logging
from backend.app.extensions.queue import create_queue
from backend.app.extensions.routing import RouteIndex
from backend.app.modules.auth.dependencies import authenticate

_DESCRIPTION = """Point Touchstone at an HTTP API: it discovers the endpoints, scans them, names the faults, notices
what behaves unlike itself, and tells the story on one timeline. Sign in with a bearer token or an `X-API-Key`."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Raises `SettingsError`. The database is opened and checked when the application starts."""
    settings = settings or load_settings()
    remember_settings(settings)
    configure_logging(settings.logging)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        keys = sealer(settings)  # no start without one
        database = Database(create_engine(settings.database), patience_s=settings.database.busy_timeout_s)
        try:
            if settings.auto_migrate:
                await asyncio.to_thread(migrate.upgrade, settings.database.url, role=settings.database.role)
            await migrate.require_current(database.engine)
            await tenancy.warn(database.engine)
            await require_openable(database, keys)
            hub.queue = create_queue(settings, Runner(database, hub, settings, utc_now))
            app.state.runtime = Runtime(settings, database, hub, utc_now, authenticate)
            await hub.queue.start()
            try:
                yield
            finally:
                await hub.queue.stop()
        finally:
            await database.close()

    app = FastAPI(
        title="Touchstone",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url=f"{API_PREFIX}/openapi.json" if settings.serve_docs else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send a body again, to wherever the Host header says (ASVS 5, 4.1.2)
        lifespan=lifespan,
    )
    include_modules(app)
    include_operations(app)
    if settings.serve_docs:
        include_docs(app)
    _describe(app)
    add_error_handlers(app, settings)
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
                "password": {
                    "type": "oauth2",
                    "flows": {"password": {"tokenUrl": f"{API_PREFIX}/auth/token", "scopes": {}}},
                },
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
        return app.openapi_schema or document

    app.openapi = openapi  # type: ignore[method-assign]
