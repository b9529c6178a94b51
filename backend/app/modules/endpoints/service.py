"""The rules of discovery: one at a time for a project; the inventory follows the latest description that was read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event
from backend.app.core.pagination import Page, PageRequest
from backend.app.core.registry import UnknownPluginError
from backend.app.engine.generate.requests import is_json
from backend.app.engine.spec.codec import (
    description_from_json,
    description_to_json,
    operation_from_json,
    reachable_definitions,
)
from backend.app.engine.spec.model import ApiDescription, MediaType
from backend.app.engine.spec.servers import resolve_base_url
from backend.app.modules.endpoints.changes import Changes, Known, compare, report_of, storable
from backend.app.modules.endpoints.discovery import Discovered, Subject, strategies
from backend.app.modules.endpoints.errors import (
    DiscoveryAlreadyRunning,
    DiscoveryNotFound,
    EndpointNotFound,
    UnknownStrategy,
)
from backend.app.modules.endpoints.events import (
    Change,
    DiscoveryCancelled,
    DiscoveryCompleted,
    DiscoveryFailed,
    DiscoveryRequested,
    DiscoverySummarised,
    EndpointChanged,
    EndpointDiscovered,
    EndpointVanished,
)
from backend.app.modules.endpoints.models import MAX_PATH, DiscoveryStatus, EndpointStatus
from backend.app.modules.endpoints.repository import (
    DiscoveryRepository,
    EndpointFilter,
    EndpointRepository,
)
from backend.app.modules.endpoints.schemas import DiscoveryCreate, DiscoveryRead, EndpointRead, EndpointSummary
from backend.app.modules.projects.schemas import TargetAuth
from backend.app.modules.projects.service import ProjectService

MAX_EVENTS = 200
"""Of one kind in one discovery; beyond it one event summarises."""
MAX_FAULTS = 200
"""Kept in the report of a discovery."""
SHOWN = 20
"""Endpoints that a summarising event names, and differences that `endpoint.changed` does."""


@dataclass(frozen=True, slots=True)
class DiscoveryOrder:
    """What the job of a discovery has to do."""

    strategy: str
    subject: Subject
    base_url: str
    """Where the target is as far as the project says, empty when it does not: a login step may be below it."""
    auth: TargetAuth


@dataclass(frozen=True, slots=True)
class Inventory:
    """The active endpoints of a project as one description. `ids` are theirs by `Operation.key`."""

    description: ApiDescription
    ids: Mapping[str, str]
    location: str


@dataclass(frozen=True, slots=True)
class EndpointResult:
    """How the latest request to an endpoint ended; `status` is None when no answer came."""

    endpoint_id: str
    status: int | None
    latency_ms: float
    at: datetime


class DiscoveryService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._projects = ProjectService(context)
        self._discoveries = DiscoveryRepository(context.session, context.workspace_id)
        self._endpoints = EndpointRepository(context.session, context.workspace_id)

    async def start(self, project_id: str, wanted: DiscoveryCreate) -> DiscoveryRead:
        """Raises `ProjectNotFound`, `DiscoveryAlreadyRunning`, `UnknownStrategy`."""
        await self._projects.get_active(project_id)
        try:
            strategies.get(wanted.strategy)
        except UnknownPluginError as error:
            raise UnknownStrategy(str(error)) from None
        discovery_id = new_ulid()
        event = await self._context.hub.publish(
            DiscoveryRequested(discovery_id=discovery_id, project_id=project_id), self._context
        )
        document = wanted.document
        added = await self._discoveries.add(
            {
                "id": discovery_id,
                "project_id": project_id,
                "event_id": event.id,
                "strategy": wanted.strategy,
                "spec_url": wanted.spec_url,
                "document": orjson.dumps(document).decode() if isinstance(document, dict) else document,
                "created_at": self._context.clock(),
            }
        )
        if not added:
            raise DiscoveryAlreadyRunning
        return await self.get(discovery_id)

    async def page(self, project_id: str, request: PageRequest) -> Page[DiscoveryRead]:
        """Raises `ProjectNotFound`, `InvalidCursor`."""
        await self._projects.get(project_id)
        return request.page(await self._discoveries.page(project_id, request.after(), request.limit + 1), "id")

    async def get(self, discovery_id: str) -> DiscoveryRead:
        """Raises `DiscoveryNotFound`."""
        row = await self._discoveries.get(discovery_id)
        if row is None:
            raise DiscoveryNotFound
        return DiscoveryRead.model_validate(row)

    async def begin(self, discovery_id: str) -> DiscoveryOrder | None:
        """Marks it running; None when there is nothing to do. Raises `ProjectNotFound`, `SealBroken`."""
        row = await self._discoveries.begin(discovery_id)
        if row is None:
            return None
        project = await self._projects.get(row["project_id"])
        base_url = resolve_base_url((), project.spec_url, project.base_url) or ""
        document = row["document"]
        subject = Subject(
            base_url=project.base_url or "",
            spec_url=row["spec_url"] or project.spec_url,
            document=None if document is None else document.encode(),
        )
        return DiscoveryOrder(row["strategy"], subject, base_url, await self._projects.credentials(project.id))

    async def complete(self, discovery_id: str, found: Discovered) -> None:
        """Brings the inventory up to `found` and ends the discovery, unless it has ended or is deleted."""
        row = await self._discoveries.get(discovery_id)
        if row is None:
            return
        project_id = row["project_id"]
        description = storable(found.description, MAX_PATH)
        now = self._context.clock()
        changes = await self._changes(project_id, description)
        counts = changes.counts()
        if not await self._end(
            discovery_id,
            DiscoveryStatus.COMPLETED,
            source=found.source,
            location=found.where,
            report=report_of(description.faults, MAX_FAULTS),
            document=None,
            **counts,
        ):
            return
        await self._store(project_id, changes, found.source, now)
        await self._endpoints.save_description(
            {
                "project_id": project_id,
                "title": description.title,
                "version": description.version,
                "dialect": description.dialect,
                "location": found.where,
                "shared": description_to_json(replace(description, operations=(), faults=())),
                "updated_at": now,
            }
        )
        await self._projects.record_statistics(project_id, endpoints=len(description.operations))
        await self._tell(discovery_id, project_id, changes)
        await self._publish(
            DiscoveryCompleted(
                discovery_id=discovery_id,
                project_id=project_id,
                source=found.source,
                location=found.where,
                faults=len(description.faults),
                **counts,
            )
        )

    async def fail(
        self, discovery_id: str, code: str, message: str, where: str = "", *, retryable: bool = False
    ) -> None:
        """The inventory stays as it is. `retryable`: the job may be run again by hand."""
        error = {"code": code, "message": message, "where": where}
        kept = {} if retryable else {"document": None}
        if project_id := await self._end(discovery_id, DiscoveryStatus.FAILED, error=error, **kept):
            await self._publish(DiscoveryFailed(discovery_id=discovery_id, project_id=project_id, **error))

    async def cancel(self, discovery_id: str) -> None:
        if project_id := await self._end(discovery_id, DiscoveryStatus.CANCELLED):
            await self._publish(DiscoveryCancelled(discovery_id=discovery_id, project_id=project_id))

    async def forget_project(self, project_id: str) -> None:
        await self._discoveries.delete_of_project(project_id)
        await self._endpoints.delete_of_project(project_id)

    async def _end(self, discovery_id: str, status: DiscoveryStatus, **values: Any) -> str | None:
        """The project, None when the discovery has ended already or is deleted."""
        return await self._discoveries.finish(
            discovery_id, {"status": status, "finished_at": self._context.clock(), **values}
        )

    async def _publish(self, event: Event) -> None:
        await self._context.hub.publish(event, self._context)

    async def _changes(self, project_id: str, description: ApiDescription) -> Changes:
        shared = await self._endpoints.description(project_id)
        known = {
            f"{row['method']} {row['path']}": Known(row["id"], row["digest"], row["status"] == EndpointStatus.ACTIVE)
            for row in await self._endpoints.keys(project_id)
        }
        changes = compare(description, known, shared["shared"]["definitions"] if shared else {})
        rewritten = await self._endpoints.operations(project_id, changes.rewritten)
        changes.explain({row["id"]: row["operation"] for row in rewritten})
        return changes

    async def _store(self, project_id: str, changes: Changes, source: str, now: datetime) -> None:
        seen = {"source": source, "status": EndpointStatus.ACTIVE, "last_seen_at": now}
        first = {"project_id": project_id, "first_seen_at": now}
        await self._endpoints.add([{**endpoint.columns(), **seen, **first} for endpoint in changes.added])
        altered = [*changes.returned, *changes.changed, *changes.reworded]
        await self._endpoints.change([{**endpoint.columns(), **seen} for endpoint in altered])
        await self._endpoints.mark_gone(list(changes.gone.values()))
        await self._endpoints.mark_seen(project_id, now)

    async def _tell(self, discovery_id: str, project_id: str, changes: Changes) -> None:
        about = {"discovery_id": discovery_id, "project_id": project_id}
        new = [(endpoint.operation.key, endpoint.id) for endpoint in [*changes.added, *changes.returned]]
        words = {endpoint.id: endpoint.words for endpoint in changes.changed}
        changed = [(endpoint.operation.key, endpoint.id) for endpoint in changes.changed]
        for change, endpoints in (
            (Change.DISCOVERED, new),
            (Change.CHANGED, changed),
            (Change.VANISHED, list(changes.gone.items())),
        ):
            if len(endpoints) > MAX_EVENTS:
                first = tuple(key for key, _ in endpoints[:SHOWN])
                await self._publish(DiscoverySummarised(**about, change=change, count=len(endpoints), first=first))
                continue
            for key, endpoint_id in endpoints:
                method, _, path = key.partition(" ")
                it = {**about, "endpoint_id": endpoint_id, "method": method, "path": path}
                match change:
                    case Change.DISCOVERED:
                        await self._publish(EndpointDiscovered(**it))
                    case Change.CHANGED:
                        await self._publish(EndpointChanged(**it, changes=words[endpoint_id][:SHOWN]))
                    case Change.VANISHED:
                        await self._publish(EndpointVanished(**it))


class EndpointService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._projects = ProjectService(context)
        self._endpoints = EndpointRepository(context.session, context.workspace_id)

    async def page(self, project_id: str, wanted: EndpointFilter, request: PageRequest) -> Page[EndpointSummary]:
        """Raises `ProjectNotFound`, `InvalidCursor`."""
        rows = await self._endpoints.page(project_id, wanted, request.after(), request.limit + 1)
        if not rows:
            await self._projects.get(project_id)
        return request.page(rows, "id")

    async def get(self, project_id: str, endpoint_id: str) -> EndpointRead:
        """Raises `EndpointNotFound`."""
        row = await self._endpoints.get(project_id, endpoint_id)
        if row is None:
            raise EndpointNotFound
        description = await self._endpoints.description(project_id)
        operation = operation_from_json(row["operation"])
        body = operation.body
        preferred = _preferred(body.content) if body else None
        return EndpointRead(
            **{name: row[name] for name in EndpointSummary.model_fields},
            parameters=[asdict(parameter) for parameter in operation.parameters],
            body_schema=preferred.schema if preferred else None,
            body_required=body.required if body else False,
            body_content_types=[media.content_type for media in body.content] if body else [],
            response_schemas={
                response.status: media.schema if (media := _preferred(response.content)) else None
                for response in operation.responses
            },
            definitions=reachable_definitions(operation, description["shared"]["definitions"] if description else {}),
        )

    async def require(self, project_id: str, endpoint_id: str) -> None:
        """Raises `EndpointNotFound`."""
        if not await self._endpoints.exists(project_id, endpoint_id):
            raise EndpointNotFound

    async def outline(self, project_id: str) -> Inventory | None:
        """The inventory without its operations: servers, security schemes, definitions; None before a discovery."""
        row = await self._endpoints.description(project_id)
        return None if row is None else Inventory(description_from_json(row["shared"]), {}, row["location"])

    async def inventory(self, project_id: str) -> Inventory | None:
        """What a scan exercises; None when no discovery has completed or nothing is left."""
        outline = await self.outline(project_id)
        rows = await self._endpoints.operations(project_id)
        if outline is None or not rows:
            return None
        operations = tuple(operation_from_json(row["operation"]) for row in rows)
        ids = {operation.key: row["id"] for operation, row in zip(operations, rows, strict=True)}
        return Inventory(replace(outline.description, operations=operations), ids, outline.location)

    async def has_endpoints(self, project_id: str) -> bool:
        """Whether there is anything to scan."""
        return await self._endpoints.any_active(project_id)

    async def record_results(self, results: Sequence[EndpointResult]) -> None:
        """The latest results, at most one for an endpoint."""
        await self._endpoints.change(
            [
                {
                    "id": result.endpoint_id,
                    "last_status": result.status,
                    "last_latency_ms": result.latency_ms,
                    "last_run_at": result.at,
                }
                for result in results
            ]
        )


def _preferred(content: Sequence[MediaType]) -> MediaType | None:
    """The JSON one, else the first."""
    return next((media for media in content if is_json(media.content_type)), content[0] if content else None)
