"""The stack that tutorials add up to: BaseHTTPMiddleware, `fastapi_utils.cbv` with class dependencies, ORM rows, a
response model, the standard library's JSON and logging, and FastAPI's own router."""

import json
import logging
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi_utils.cbv import cbv
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.middleware.base import BaseHTTPMiddleware

from backend.app.db.outbox import EventRecord

ROUTERS = 20
ROUTES_EACH = 24
log = logging.getLogger("naive")


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat()
        return json.dumps(
            {"timestamp": at, "level": record.levelname, "event": record.getMessage(), **record.__dict__["fields"]}
        )


class EventOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    position: int
    id: str
    name: str
    version: int
    payload: dict[str, Any]
    entity_type: str
    entity_id: str
    project_id: str | None
    actor_id: str | None
    request_id: str
    occurred_at: datetime


class Events(BaseModel):
    data: list[EventOut]
    meta: dict[str, Any]


async def session_of(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session:
        yield session


class Caller:
    """Knows one key by heart: cheaper than any real look-up."""

    def __init__(self, request: Request) -> None:
        self.workspace_id: str = request.headers.get("x-workspace", "")
        if not request.headers.get("x-api-key"):
            raise HTTPException(401)


class EventService:
    def __init__(self, session: AsyncSession = Depends(session_of), caller: Caller = Depends()) -> None:  # noqa: B008
        self._session = session
        self._workspace_id = caller.workspace_id

    async def page(self, limit: int) -> list[EventRecord]:
        query = (
            select(EventRecord)
            .where(EventRecord.workspace_id == self._workspace_id)
            .order_by(EventRecord.position.desc())
            .limit(limit)
        )
        return list((await self._session.scalars(query)).all())


def create(url: str) -> FastAPI:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    log.addHandler(handler)
    log.setLevel(logging.INFO)

    app = FastAPI()
    app.state.sessions = async_sessionmaker(create_async_engine(url), expire_on_commit=False)
    app.add_middleware(BaseHTTPMiddleware, dispatch=_log_request)
    app.add_middleware(BaseHTTPMiddleware, dispatch=_give_id)
    for number in range(ROUTERS):
        app.include_router(_area(number), prefix="/api/v1")
    app.include_router(_events(), prefix="/api/v1")
    return app


Next = Callable[[Request], Awaitable[Response]]


async def _give_id(request: Request, call_next: Next) -> Response:
    request.state.request_id = str(uuid.uuid4())
    response = await call_next(request)
    response.headers["x-request-id"] = request.state.request_id
    return response


async def _log_request(request: Request, call_next: Next) -> Response:
    started = time.perf_counter()
    response = await call_next(request)
    fields = {
        "method": request.method,
        "path": request.url.path,
        "status": response.status_code,
        "duration_ms": (time.perf_counter() - started) * 1000,
        "request_id": request.state.request_id,
    }
    log.info("request", extra={"fields": fields})
    return response


def _area(number: int) -> APIRouter:
    router = APIRouter()
    for route in range(ROUTES_EACH - 1):
        router.add_api_route(f"/area{number}/thing{route}/{{thing_id}}", _thing)

    @cbv(router)
    class EmptyViews:
        @router.get(f"/area{number}/empty")
        async def empty(self) -> dict[str, Any]:
            return {"data": None}

    return router


async def _thing(thing_id: str) -> dict[str, str]:
    return {"id": thing_id}


def _events() -> APIRouter:
    router = APIRouter()

    @cbv(router)
    class EventViews:
        events: EventService = Depends()

        @router.get("/events", response_model=Events)
        async def page(self, request: Request, limit: int = 50) -> dict[str, Any]:
            return {"data": await self.events.page(limit), "meta": {"request_id": request.state.request_id}}

    return router
