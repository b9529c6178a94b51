"""An application with its real way in, and people who use it."""

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from backend.app.core.clock import Clock, utc_now
from backend.app.core.message_hub import MessageHub
from backend.app.core.runtime import Runtime
from backend.app.core.settings import Settings
from backend.app.db.session import Database
from backend.app.extensions.error_handlers import add_error_handlers
from backend.app.extensions.routing import RouteIndex
from backend.app.modules.auth.dependencies import authenticate
from backend.app.modules.auth.router import routers as auth_routers
from tests.support.databases import behind_the_wall

API = "http://test/api/v1"
PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


class SetClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **step: float) -> None:
        self.now += timedelta(**step)


_parents: dict[int, APIRouter] = {}


def _routes(router: APIRouter) -> list[BaseRoute]:
    """Shared by all applications: FastAPI builds what it needs of a route at its first request."""
    parent = _parents.get(id(router))
    if parent is None:
        parent = _parents[id(router)] = APIRouter()
        parent.include_router(router, prefix="/api/v1")
    return parent.routes


def application(settings: Settings, database: Database, *routers: APIRouter, clock: Clock = utc_now) -> FastAPI:
    """The routers beside those of `auth`."""
    app = FastAPI()
    app.router.routes.extend(route for router in (*auth_routers, *routers) for route in _routes(router))
    app.state.runtime = Runtime(settings, behind_the_wall(database), MessageHub(), clock, authenticate)
    add_error_handlers(app, settings)
    app.router.middleware_stack = RouteIndex(app.router)
    return app


def client_of(app: FastAPI, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url=API, headers=headers)


def person(**fields: Any) -> dict[str, Any]:
    """What a sign-up sends."""
    return {
        "email": f"person{next(_numbers)}@example.com",
        "password": PASSWORD,
        "first_name": "Ada",
        "last_name": "Lovelace",
        **fields,
    }


async def sign_in(app: FastAPI, email: str) -> dict[str, Any]:
    async with client_of(app) as client:
        answer = await client.post("/auth/login", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()["data"]
    return tokens


async def sign_up(app: FastAPI, **fields: Any) -> httpx2.AsyncClient:
    """The client of somebody who just signed up and in."""
    body = person(**fields)
    async with client_of(app) as client:
        answer = await client.post("/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    tokens = await sign_in(app, body["email"])
    return client_of(app, {"Authorization": f"Bearer {tokens['access_token']}"})
