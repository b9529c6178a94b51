"""The view door: one test for each promise and each refusal."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel

from backend.app.core.clock import utc_now
from backend.app.core.errors import NotAuthenticated
from backend.app.core.message_hub import MessageHub
from backend.app.core.permissions import Permission, Principal
from backend.app.core.responses import Envelope, envelope
from backend.app.core.runtime import Runtime, current_principal
from backend.app.core.settings import DatabaseSettings, Settings
from backend.app.core.views import PUBLIC, ViewError, access_control, view
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from backend.app.extensions.error_handlers import add_error_handlers
from backend.app.extensions.routing import RouteIndex
from tests.support.apps import client_of, small_app

READ = Permission.JOBS_READ


class Thing(BaseModel):
    size: int


async def five() -> int:
    return 5


async def authenticate(request: Request, runtime: Runtime) -> Principal:
    name = request.headers.get("who")
    if name is None:
        raise NotAuthenticated
    return Principal(name, "w", frozenset({READ} if name == "reader" else set()))


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[[APIRouter], httpx2.AsyncClient]]:
    settings = Settings(database=DatabaseSettings(url=f"sqlite+aiosqlite:///{tmp_path}/views.db"))
    database = Database(create_engine(settings.database))

    def start(router: APIRouter) -> httpx2.AsyncClient:
        app = FastAPI()
        app.include_router(router, prefix="/api/v1")
        app.state.runtime = Runtime(settings, database, MessageHub(), utc_now, authenticate)
        add_error_handlers(app, settings)
        app.router.middleware_stack = RouteIndex(app.router)
        transport = httpx2.ASGITransport(app)
        return httpx2.AsyncClient(transport=transport, base_url="http://test", headers={"who": "reader"})

    yield start
    await database.close()


def things() -> APIRouter:
    router = APIRouter()

    @view(router)
    class ThingViews:
        limit: Annotated[int, Depends(five)]
        principal: Annotated[Principal, Depends(current_principal)]

        @router.post("/things/{thing_id}", status_code=201)
        @access_control(READ)
        async def create_thing(self, thing_id: int, body: Thing) -> Envelope[dict[str, Any]]:
            """Makes a thing."""
            return envelope({"id": thing_id, "limit": self.limit, "who": self.principal.user_id, "size": body.size})

    return router


def open_door() -> APIRouter:
    router = APIRouter()

    @view(router)
    class OpenViews:
        @router.get("/open")
        @access_control(PUBLIC)
        async def read_open(self) -> Envelope[str]:
            return envelope("open")

    return router


async def test_a_method_gets_its_dependencies_and_answers_an_envelope(
    serve: Callable[[APIRouter], httpx2.AsyncClient],
) -> None:
    answer = await serve(things()).post("/api/v1/things/7", json={"size": 2})
    assert answer.status_code == 201
    assert answer.json()["data"] == {"id": 7, "limit": 5, "who": "reader", "size": 2}
    assert answer.json()["meta"]["request_id"] == answer.headers["x-request-id"]
    assert answer.json()["errors"] == []


async def test_a_forged_body_cannot_pose_as_the_signed_in_user(
    serve: Callable[[APIRouter], httpx2.AsyncClient],
) -> None:
    forged = {"size": 2, "principal": {"user_id": "root"}, "limit": 99}
    answer = await serve(things()).post("/api/v1/things/7?limit=99", json=forged)
    assert answer.json()["data"] == {"id": 7, "limit": 5, "who": "reader", "size": 2}


@pytest.mark.parametrize(("who", "status"), [(None, 401), ("stranger", 403), ("reader", 422)])
async def test_credentials_are_judged_before_the_input(
    serve: Callable[[APIRouter], httpx2.AsyncClient], who: str | None, status: int
) -> None:
    client = serve(things())
    client.headers.pop("who")
    headers = {"who": who} if who else {}
    answer = await client.post("/api/v1/things/not-a-number", json={"size": "big"}, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_a_public_route_needs_no_credentials(serve: Callable[[APIRouter], httpx2.AsyncClient]) -> None:
    client = serve(open_door())
    client.headers.pop("who")
    assert (await client.get("/api/v1/open")).json()["data"] == "open"


def test_openapi_names_the_permission_and_the_answer() -> None:
    app = FastAPI()
    app.include_router(things())
    app.include_router(open_door())
    operation = app.openapi()["paths"]["/things/{thing_id}"]["post"]
    assert operation["x-permission"] == "jobs.read"
    assert operation["operationId"] == "create_thing"
    assert operation["description"] == "Makes a thing."
    assert "201" in operation["responses"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {"thing_id", "Idempotency-Key"}
    assert app.openapi()["paths"]["/open"]["get"]["x-permission"] == "public"


def refused(build: Callable[[APIRouter], Any]) -> str:
    router = APIRouter()
    with pytest.raises(ViewError) as caught:
        build(router)
    return str(caught.value)


def test_refuses_an_attribute_that_is_no_dependency() -> None:
    def build(router: APIRouter) -> None:
        @view(router)
        class Views:
            limit: int

            @router.get("/x")
            @access_control(PUBLIC)
            async def read_x(self) -> Envelope[str]:
                return envelope("x")

    assert "Annotated" in refused(build)


def test_refuses_a_dependency_that_would_run_in_the_thread_pool() -> None:
    def slow() -> int:
        return 5

    def build(router: APIRouter) -> None:
        @view(router)
        class Views:
            limit: Annotated[int, Depends(slow)]

            @router.get("/x")
            @access_control(PUBLIC)
            async def read_x(self) -> Envelope[str]:
                return envelope("x")

    assert "async function" in refused(build)


def test_refuses_a_route_without_a_mark() -> None:
    def build(router: APIRouter) -> None:
        @view(router)
        class Views:
            @router.get("/x")
            async def read_x(self) -> Envelope[str]:
                return envelope("x")

    assert "access_control" in refused(build)


def test_refuses_a_sync_method() -> None:
    def build(router: APIRouter) -> None:
        @view(router)
        class Views:
            @router.get("/x")
            @access_control(PUBLIC)
            def read_x(self) -> Envelope[str]:
                return envelope("x")

    assert "async method" in refused(build)


def test_refuses_a_second_class_on_a_router() -> None:
    def build(router: APIRouter) -> None:
        for _ in range(2):

            @view(router)
            class Views:
                @router.get("/x")
                @access_control(PUBLIC)
                async def read_x(self) -> Envelope[str]:
                    return envelope("x")

    assert "one view class a router" in refused(build)


def test_refuses_a_class_without_routes() -> None:
    def build(router: APIRouter) -> None:
        @view(router)
        class Views:
            pass

    assert "at least one route" in refused(build)


async def test_overrides_that_would_not_reach_a_view_are_refused(settings: Settings) -> None:
    app = small_app(open_door(), settings)
    assert (await client_of(app).get("/open")).status_code == 200
    app.dependency_overrides[current_principal] = five
    assert (await client_of(app).get("/open")).status_code == 500
