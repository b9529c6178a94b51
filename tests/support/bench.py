"""The application with its modules up to `scans`, people of two workspaces, and jobs that are performed on demand."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from fastapi import FastAPI
from sqlalchemy import select, update

from backend.app.api import include_modules
from backend.app.core.clock import utc_now
from backend.app.core.errors import NotAuthenticated
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import MessageHub
from backend.app.core.message_hub import hub as module_hub
from backend.app.core.performer import Performer
from backend.app.core.permissions import ALL_PERMISSIONS, Principal
from backend.app.core.runner import QUEUES, Runner
from backend.app.core.runtime import Runtime
from backend.app.core.settings import RateSettings, Settings
from backend.app.db.insert import insert_or_ignore
from backend.app.db.outbox import EventRecord, JobRecord
from backend.app.db.session import Database
from backend.app.db.types import db_now
from backend.app.engine.spec.model import ApiDescription, Fault
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document
from backend.app.extensions.error_handlers import add_error_handlers
from backend.app.extensions.routing import RouteIndex
from backend.app.extensions.server import background_server
from backend.app.modules.auth.models import WorkspaceRecord
from tests.support.databases import behind_the_wall

__all__ = ["ALICE", "BOB", "Bench", "background_server"]

ALICE, BOB = new_ulid(), new_ulid()


async def _named_caller(request: Any, runtime: Runtime) -> Principal:
    name = request.headers.get("who")
    if name is None:
        raise NotAuthenticated
    if request.method == "POST":
        async with runtime.database.transaction() as session:
            await insert_or_ignore(session, WorkspaceRecord, {"id": name, "name": "Workspace"})
    return Principal(name, name, ALL_PERMISSIONS)


@functools.cache
def _application() -> FastAPI:
    """One for the process, because its first request builds a lot; each bench puts a runtime of its own into it."""
    app = FastAPI()
    include_modules(app)
    add_error_handlers(app, Settings(rates=RateSettings(enabled=False)))
    app.router.middleware_stack = RouteIndex(app.router)
    return app


@dataclass
class Bench:
    app: FastAPI
    client: httpx2.AsyncClient
    """Alice's."""
    database: Database
    settings: Settings
    hub: MessageHub
    performer: Performer

    @classmethod
    def open(cls, settings: Settings, database: Database) -> "Bench":
        app = _application()
        hub = MessageHub()
        for handler in module_hub.handlers():
            hub.on(handler.event, queue=handler.queue, attempts=handler.attempts)(handler.function)
        app.state.runtime = Runtime(settings, behind_the_wall(database), hub, utc_now, _named_caller)
        performer = Performer(Runner(behind_the_wall(database), hub, settings), QUEUES)
        return cls(app, cls._client(app, ALICE), database, settings, hub, performer)

    @staticmethod
    def _client(app: FastAPI, who: str | None) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        return httpx2.AsyncClient(
            transport=transport, base_url="http://test/api/v1", headers={"who": who} if who else {}
        )

    def client_of(self, who: str | None) -> httpx2.AsyncClient:
        return self._client(self.app, who)

    async def drain(self, *queues: str) -> None:
        """Performs every due job, or those of `queues`, and those that follow from them."""
        performer = self.performer
        if queues:
            performer = Performer(Runner(behind_the_wall(self.database), self.hub, self.settings), queues)
        await performer.drain()

    async def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **options: Any) -> Any:
        """The data of an answer that has the status."""
        if body is not None:
            options["json"] = body
        answer = await self.client.request(method, path, **options)
        assert answer.status_code == status, answer.text
        return answer.json().get("data", answer.json())

    async def project(self, **fields: Any) -> str:
        """The id of a project of Alice's."""
        created = await self.call("POST", "/projects", {"name": f"Project {new_ulid()}", **fields}, status=201)
        return str(created["id"])

    async def discover(self, project_id: str, body: Mapping[str, Any] | None = None) -> Any:
        """A discovery that has ended."""
        started = await self.call("POST", f"/projects/{project_id}/endpoints/scan", body, status=202)
        await self.drain()
        return await self.call("GET", f"/discoveries/{started['id']}")

    async def scan(self, project_id: str, **fields: Any) -> Any:
        """A scan that has ended."""
        started = await self.call("POST", f"/projects/{project_id}/scans", fields, status=202)
        await self.drain()
        return await self.call("GET", f"/scans/{started['id']}")

    async def events(self, project_id: str) -> list[str]:
        """Names, oldest first, without those of the project itself, of its graph and of the modules above."""
        async with self.database.transaction(write=False) as session:
            mine = EventRecord.project_id == project_id
            names = await session.scalars(select(EventRecord.name).where(mine).order_by(EventRecord.position))
            return [name for name in names if not name.startswith(("project.", "anomal", "graph."))]

    async def due_again(self, *statuses: str) -> None:
        """Makes long jobs due at once, those that have ended too, or only those with one of `statuses`."""
        async with self.database.transaction() as session:
            mine = JobRecord.queue == "long"
            if statuses:
                mine &= JobRecord.status.in_(statuses)
            due = {"status": "pending", "available_at": db_now(), "lease_until": None, "worker": None}
            await session.execute(update(JobRecord).where(mine).values(due))

    def with_settings(self, **changes: Any) -> "Bench":
        return Bench.open(self.settings.model_copy(update=changes), self.database)


async def read_here(document: bytes, *, where: str = "", outlined: bool = False, **_: object) -> ApiDescription:
    """In place of the sandbox, where the reading is not what a test is about. No other document is loaded."""
    faults: list[Fault] = []
    parsed = parse_document(document, outlined=outlined, faults=faults)
    return describe(parsed, where=where, outlined=outlined, faults=faults)


def operation(method: str = "get", **members: Any) -> dict[str, Any]:
    return {method: {"responses": {"200": {"description": "ok"}}, **members}}


def document(paths: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": "Things", "version": "1"}, "paths": paths, **members}
