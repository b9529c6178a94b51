"""A small application around one router, with everything that a request meets on its way."""

from typing import Any

import httpx2
from fastapi import APIRouter, FastAPI, Request

from backend.app.core.clock import utc_now
from backend.app.core.errors import NotAuthenticated
from backend.app.core.message_hub import MessageHub
from backend.app.core.permissions import ALL_PERMISSIONS, Principal
from backend.app.core.runtime import Runtime
from backend.app.core.settings import Settings
from backend.app.extensions.error_handlers import add_error_handlers
from backend.app.extensions.routing import RouteIndex
from tests.support.databases import behind_the_wall


async def named_caller(request: Request, runtime: Runtime) -> Principal:
    """The header `who` names the caller and its workspace."""
    name = request.headers.get("who")
    if name is None:
        raise NotAuthenticated
    return Principal(name, name, ALL_PERMISSIONS)


def small_app(router: APIRouter, settings: Settings, database: Any = None) -> FastAPI:
    app = FastAPI()
    app.include_router(router, prefix="/api/v1")
    database = database and behind_the_wall(database)
    app.state.runtime = Runtime(settings, database, MessageHub(), utc_now, named_caller)
    add_error_handlers(app, settings)
    app.router.middleware_stack = RouteIndex(app.router)
    return app


def client_of(app: Any, who: str | None = "alice") -> httpx2.AsyncClient:
    headers = {"who": who} if who else {}
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url="http://test/api/v1", headers=headers
    )
