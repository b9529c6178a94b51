"""The rules of discovery: one at a time for a project; the inventory follows the latest description that was read."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson

from backend.app.core.context import ServiceContext
from backend.app.core.errors import Conflict, NotFound
from backend.app.core.etag import entity_tag, require_match
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event
from backend.app.core.pagination import Page, PageRequest, Row
from backend.app.core.permissions import system_principal
from backend.app.core.registry import UnknownPluginError
from backend.app.engine.generate.requests import is_json
from backend.app.engine.spec.codec import operation_from_json, reachable_definitions
from backend.app.engine.spec.model import ApiDescription, Fault, MediaType, Operation
from backend.app.engine.spec.servers import resolve_base_url
from backend.app.modules.endpoints.discovery import Document, Kind, Subject, strategies
from backend.app.modules.endpoints.discovery.captures.model import Flow
from backend.app.modules.endpoints.errors import (
    DiscoveryAlreadyRunning,
    DiscoveryNotFound,
    EndpointNotFound,
    SourceNotFound,
    TooManyDescriptions,
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
    EndpointEdited,
    EndpointVanished,
    RescanPostponed,
    SourceRemoved,
)
from backend.app.modules.endpoints.inventory.changes import Changes, report_of, storable
from backend.app.modules.endpoints.inventory.exporting import ExportFormat, exported
from backend.app.modules.endpoints.inventory.observed import observed_evidence, observed_flows
from backend.app.modules.endpoints.inventory.reconcile import DOCUMENTS, Endpoint, combined, evidence_from_json
from backend.app.modules.endpoints.inventory.update import (
    InventoryUpdate,
    shared_of,
    stored_endpoint,
    stored_operations,
)
from backend.app.modules.endpoints.looking.look import Part, slot_of
from backend.app.modules.endpoints.models import MAX_PATH, DiscoveryStatus
from backend.app.modules.endpoints.repository import (
    DiscoveryRepository,
    EndpointFilter,
    EndpointRepository,
)
from backend.app.modules.endpoints.schemas import (
    MAX_NAMED,
    DiscoveryCreate,
    DiscoveryRead,
    DriftChange,
    EndpointRead,
    EndpointSource,
    EndpointSummary,
    EndpointUpdate,
    SourceRead,
)
from backend.app.modules.endpoints.uploads.service import UploadService
from backend.app.modules.projects.git.service import GitService, SourceOrder
from backend.app.modules.projects.schemas import TargetAuth
from backend.app.modules.projects.service import ProjectService

MAX_EVENTS = 200
"""Of one kind in one discovery; beyond it one event summarises."""
MAX_FAULTS = 200
"""Kept in the report of one source."""
SOURCE = "source"
"""The strategy that reads git sources."""
MAX_DRIFT = 2_000
"""Changes that are kept of a discovery."""
SHOWN = 20
"""Endpoints that a summarising event names, and differences that `endpoint.changed` does."""


@dataclass(frozen=True, slots=True)
class DiscoveryOrder:
    """What the job of a discovery has to do."""

    project_id: str
    strategies: tuple[str, ...]
    """Empty: all that apply."""
    subject: Subject
    handed: bool
    """Something came with the request: then only strategies that read it look, unless others are named."""
    spec_url: str | None
    """What came with the request, without a name."""
    remembered: frozenset[str]
    """Names of the descriptions that are read again."""
    uploads: Sequence[str]
    git_sources: Sequence[SourceOrder]
    base_url: str
    """Where the target is as far as the project says, empty when it does not: a login step may be below it."""
    auth: TargetAuth


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a discovery found, and what that means for the inventory."""

    parts: Sequence[Part]
    update: InventoryUpdate


@dataclass(frozen=True, slots=True)
class Inventory:
    """The endpoints of a project that a scan asks, as one description. `ids` are theirs by `Operation.key`."""

    description: ApiDescription
    ids: Mapping[str, str]
    location: str


@dataclass(frozen=True, slots=True)
class Observed:
    """`flows` between operations by `Operation.key`, and `evidence` of each: rule and place."""

    flows: Sequence[Flow]
    evidence: Mapping[str, Sequence[tuple[str, str]]]


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
        """Raises `ProjectNotFound`, `DiscoveryAlreadyRunning`, `UnknownStrategy`, `UploadNotFound`,
        `GitSourceNotFound`, `TooManyDescriptions`."""
        await self._projects.get_active(project_id)
        for name in wanted.strategies or ():
            try:
                strategies.get(name)
            except UnknownPluginError as error:
                raise UnknownStrategy(str(error)) from None
        for upload_id in wanted.uploads:
            await UploadService(self._context).get(project_id, upload_id)
        for source_id in wanted.git_sources or ():
            await GitService(self._context).get(project_id, source_id)
        if wanted.name is not None and len(await self._named(project_id) | {wanted.name}) > MAX_NAMED:
            raise TooManyDescriptions(f"{MAX_NAMED}: take one of them away first")
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
                "strategies": list(dict.fromkeys(wanted.strategies or ())),
                "spec_url": wanted.spec_url,
                "spec_name": wanted.name,
                "document": orjson.dumps(document).decode() if isinstance(document, dict) else document,
                "uploads": wanted.uploads,
                "git_sources": wanted.git_sources,
                "created_at": self._context.clock(),
            }
        )
        if not added:
            raise DiscoveryAlreadyRunning
        return await self.get(discovery_id)

    async def rescan(self, project_id: str, source_id: str) -> None:
        """Reads a git source again. A discovery that is running may have read it already: then it is read once that
        one has ended. Raises as `start`."""
        active = await self._discoveries.hold_active(project_id)
        if active is None:
            try:
                async with self._context.session.begin_nested():
                    await self.start(project_id, DiscoveryCreate(strategies=[SOURCE], git_sources=[source_id]))
                return
            except DiscoveryAlreadyRunning:  # another push in this moment
                active = await self._discoveries.hold_active(project_id)
                if active is None:
                    raise
        if not _will_read(active, source_id):
            await self._publish(RescanPostponed(git_source_id=source_id, project_id=project_id))

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

    async def changes(self, discovery_id: str, request: PageRequest) -> Page[DriftChange]:
        """The worst first. Raises `DiscoveryNotFound`, `InvalidCursor`."""
        drift = await self._discoveries.drift(discovery_id)
        if drift is None:
            raise DiscoveryNotFound
        after = request.after(int) or 0
        return request.page(
            [{**change, "number": number} for number, change in enumerate(drift, 1)][after : after + request.limit + 1],
            "number",
        )

    async def begin(self, discovery_id: str) -> DiscoveryOrder | None:
        """Marks it running; None when there is nothing to do. Raises `ProjectNotFound`, `SealBroken`."""
        row = await self._discoveries.begin(discovery_id)
        if row is None:
            return None
        project = await self._projects.get(row["project_id"])
        document, spec_url, spec_name = row["document"], row["spec_url"], row["spec_name"]
        named = row["git_sources"]
        handed = bool(spec_url or document or row["uploads"] or named)
        known = {} if handed else await self._endpoints.spec_urls(project.id)
        documents = _remembered(known)
        remembered = frozenset(each.name for each in documents)
        if spec_name:
            documents, spec_url = [Document(spec_name, spec_url=spec_url)], None
        subject = Subject(
            base_url=project.base_url or "",
            spec_url=spec_url or project.spec_url,
            document=None if document is None else document.encode(),
            documents=documents,
            only_documents=bool(documents) and not project.spec_url and DOCUMENTS.keys().isdisjoint(known),
        )
        wants_code = SOURCE in row["strategies"] if row["strategies"] else not handed
        try:
            git_sources = (
                await GitService(self._context).checkout_orders(project.id, named) if named or wants_code else []
            )
        except NotFound as error:
            await self.fail(discovery_id, error.code, "A git source was deleted meanwhile")
            return None
        return DiscoveryOrder(
            project.id,
            tuple(row["strategies"]),
            subject,
            handed,
            spec_url,
            remembered,
            row["uploads"],
            git_sources,
            resolve_base_url((), project.spec_url, project.base_url) or "",
            await self._projects.credentials(project.id),
        )

    async def known(self, project_id: str) -> list[Endpoint]:
        """What the inventory holds, without what sources say of it."""
        operations = await stored_operations(self._endpoints, project_id)
        rows = await self._endpoints.known(project_id)
        return await asyncio.to_thread(lambda: [stored_endpoint(row, operations.get(row["id"])) for row in rows])

    async def note_read(self, order: DiscoveryOrder, commits: Mapping[str, str], uploads: Sequence[str]) -> None:
        """`commits`: what was read of git sources, by their ids. `uploads` that were read are not needed any more; the
        others may be tried again."""
        await UploadService(self._context).release(order.project_id, uploads)
        for source in order.git_sources:
            if source.source_id in commits:
                await GitService(self._context).record_scan(source, commits[source.source_id])

    async def sources(self, project_id: str, request: PageRequest) -> Page[SourceRead]:
        """Raises `ProjectNotFound`, `InvalidCursor`."""
        await self._projects.get(project_id)
        return request.page(await self._endpoints.sources(project_id, request.after(), request.limit + 1), "slot")

    async def has_document(self, project_id: str, name: str) -> bool:
        """Whether one of the project's descriptions has this name."""
        slots = [slot_of(strategy, name) for strategy in DOCUMENTS]
        return any([await self._endpoints.has_source(project_id, slot) for slot in slots])

    async def _named(self, project_id: str) -> set[str]:
        return {each.name for each in _remembered(await self._endpoints.spec_urls(project_id))}

    async def forget_source(self, project_id: str, slot: str) -> None:
        """Takes away all that a source said. Raises `ProjectNotFound`, `SourceNotFound`."""
        project = await self._projects.lock(project_id)
        if not await self._endpoints.has_source(project_id, slot):
            raise SourceNotFound
        update = await InventoryUpdate.prepare(self._endpoints, project_id, project.base_url, (), [slot])
        await update.store(self._endpoints, self._context.clock())
        await self._projects.record_statistics(project_id, endpoints=update.changes.kept)
        await self._tell(None, project_id, update.changes)
        await self._publish(SourceRemoved(project_id=project_id, slot=slot))

    async def prepare(self, project_id: str, parts: Sequence[Part]) -> Prepared:
        """Compares what was found with the inventory, which takes most of the time: in a transaction that only reads
        others write meanwhile. Raises `ProjectNotFound`."""
        project = await self._projects.get(project_id)
        parts = await asyncio.to_thread(_storable, parts)
        return Prepared(parts, await InventoryUpdate.prepare(self._endpoints, project_id, project.base_url, parts))

    async def complete(self, discovery_id: str, prepared: Prepared, order: DiscoveryOrder) -> None:
        """Brings the inventory up to what was found and ends the discovery, unless it has ended or is deleted. What a
        source that failed said before stands; what one said that was deleted meanwhile is dropped. Raises
        `ProjectNotFound`."""
        row = await self._discoveries.get(discovery_id)
        if row is None:
            return
        project_id = row["project_id"]
        now = self._context.clock()
        project = await self._projects.lock(project_id)
        # Under the lock: a source that goes from here on is forgotten by `forget_git_source`, which waits for it.
        gone = await GitService(self._context).gone(project_id, [each.source_id for each in order.git_sources])
        gone |= order.remembered - await self._named(project_id)
        if gone or not await prepared.update.is_current(self._endpoints, project.base_url):
            stay = [_deleted(it) if it.found and it.found.slot in gone else it for it in prepared.parts]
            prepared = await self.prepare(project_id, stay)
        parts, update = prepared.parts, prepared.update
        changes = update.changes
        counts = changes.counts()
        if not await self._end(
            discovery_id,
            DiscoveryStatus.COMPLETED,
            parts=[_part(part, update.reconciliation.faults.get(part.slot, ())) for part in parts],
            drift=changes.drift[:MAX_DRIFT],
            document=None,
            **counts,
        ):
            return
        await update.store(self._endpoints, now)
        await self._projects.record_statistics(project_id, endpoints=changes.kept + counts["added"])
        await self._tell(discovery_id, project_id, changes)
        found = [part.found for part in parts if part.found]
        await self._publish(
            DiscoveryCompleted(
                discovery_id=discovery_id,
                project_id=project_id,
                sources=tuple(each.source for each in found),
                faults=sum(len(each.description.faults) for each in found),
                **counts,
            )
        )
        await self._rescan_postponed(discovery_id, project_id)

    async def fail(
        self,
        discovery_id: str,
        code: str,
        message: str,
        where: str = "",
        *,
        parts: Sequence[Part] = (),
        retryable: bool = False,
    ) -> None:
        """The inventory stays as it is. `retryable`: the job may be run again by hand."""
        error = {"code": code, "message": message, "where": where}
        kept = {} if retryable else {"document": None, "parts": [_part(part) for part in parts]}
        if project_id := await self._end(discovery_id, DiscoveryStatus.FAILED, error=error, **kept):
            await self._publish(DiscoveryFailed(discovery_id=discovery_id, project_id=project_id, **error))
            await self._rescan_postponed(discovery_id, project_id)

    async def cancel(self, discovery_id: str) -> None:
        if project_id := await self._end(discovery_id, DiscoveryStatus.CANCELLED):
            await self._publish(DiscoveryCancelled(discovery_id=discovery_id, project_id=project_id))
            await self._rescan_postponed(discovery_id, project_id)

    async def forget_project(self, project_id: str) -> None:
        await self._discoveries.delete_of_project(project_id)
        await self._endpoints.delete_of_project(project_id)

    async def _end(self, discovery_id: str, status: DiscoveryStatus, **values: Any) -> str | None:
        """The project, None when the discovery has ended already or is deleted."""
        return await self._discoveries.finish(
            discovery_id, {"status": status, "finished_at": self._context.clock(), **values}
        )

    async def _rescan_postponed(self, discovery_id: str, project_id: str) -> None:
        """One discovery for all pushes that came while this one was active, in nobody's name."""
        pushed = await self._discoveries.postponed_since(discovery_id)
        wanted = sorted(set(pushed) - await GitService(self._context).gone(project_id, pushed))
        if wanted:
            context = replace(self._context, principal=system_principal(self._context.workspace_id))
            few = wanted if len(wanted) <= MAX_NAMED else None
            with suppress(NotFound, Conflict):  # the project is gone or archived, or somebody was faster
                await DiscoveryService(context).start(project_id, DiscoveryCreate(strategies=[SOURCE], git_sources=few))

    async def _publish(self, event: Event) -> None:
        await self._context.hub.publish(event, self._context)

    async def _tell(self, discovery_id: str | None, project_id: str, changes: Changes) -> None:
        about = {"discovery_id": discovery_id, "project_id": project_id}
        for change, found in (
            (Change.DISCOVERED, [*changes.added, *changes.returned]),
            (Change.CHANGED, changes.changed),
            (Change.VANISHED, changes.gone),
        ):
            if len(found) > MAX_EVENTS:
                first = tuple(each.endpoint.key for each in found[:SHOWN])
                await self._publish(DiscoverySummarised(**about, change=change, count=len(found), first=first))
                continue
            for each in found:
                it = {**about, "endpoint_id": each.id, "method": each.endpoint.method, "path": each.endpoint.path}
                match change:
                    case Change.DISCOVERED:
                        await self._publish(EndpointDiscovered(**it, state=each.state))
                    case Change.CHANGED:
                        await self._publish(EndpointChanged(**it, changes=each.words[:SHOWN]))
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
        outline = await self.outline(project_id)
        operation = operation_from_json(row["operation"])
        body = operation.body
        preferred = _preferred(body.content) if body else None
        return EndpointRead(
            **{name: row[name] for name in EndpointSummary.model_fields},
            sources=[_source(claim) for claim in await self._endpoints.claims(project_id, endpoint_id)],
            parameters=[asdict(parameter) for parameter in operation.parameters],
            body_schema=preferred.schema if preferred else None,
            body_required=body.required if body else False,
            body_content_types=[media.content_type for media in body.content] if body else [],
            response_schemas={
                response.status: media.schema if (media := _preferred(response.content)) else None
                for response in operation.responses
            },
            definitions=reachable_definitions(operation, outline.description.definitions if outline else {}),
        )

    async def update(
        self, project_id: str, endpoint_id: str, wanted: EndpointUpdate, if_match: str | None
    ) -> EndpointRead:
        """A person's edit. Raises `EndpointNotFound`, `PreconditionFailed`."""
        await self._endpoints.hold(endpoint_id)
        row = await self._endpoints.get(project_id, endpoint_id)
        if row is None:
            raise EndpointNotFound
        if if_match is not None:
            require_match(if_match, entity_tag(row["version"]))
        sent = wanted.model_dump(exclude_unset=True)
        if "tags" in sent:
            sent["own_tags"] = sent["tags"]
            if sent["tags"] is None:
                sent["tags"] = list(operation_from_json(row["operation"]).tags)
        changed = {name: value for name, value in sent.items() if value != row[name]}
        if changed:
            await self._endpoints.change([{"id": endpoint_id, **changed, "version": row["version"] + 1}])
            fields = tuple(sorted(changed.keys() - {"own_tags"} | ({"tags"} if "own_tags" in changed else set())))
            event = EndpointEdited(endpoint_id=endpoint_id, project_id=project_id, fields=fields)
            await self._context.hub.publish(event, self._context)
        return await self.get(project_id, endpoint_id)

    async def require(self, project_id: str, endpoint_id: str) -> None:
        """Raises `EndpointNotFound`."""
        if not await self._endpoints.exists(project_id, endpoint_id):
            raise EndpointNotFound

    async def outline(self, project_id: str) -> Inventory | None:
        """The inventory without its operations: servers, security schemes, definitions; None before a discovery."""
        rows = {row["slot"]: row for row in await self._endpoints.descriptions(project_id)}
        if not rows:
            return None
        location = next((rows[slot]["location"] for slot in DOCUMENTS if slot in rows), "")
        return Inventory(combined({slot: shared_of(row) for slot, row in rows.items()}), {}, location)

    async def inventory(self, project_id: str) -> Inventory | None:
        """What a scan exercises; None when no discovery has completed or nothing is left."""
        outline = await self.outline(project_id)
        stored = await stored_operations(self._endpoints, project_id)
        if outline is None or not stored:
            return None
        operations: dict[str, Operation] = {}
        ids: dict[str, str] = {}
        for endpoint_id, operation in stored.items():
            # Of two that differ only in where their paths begin, the one below the base URL is exercised.
            if operation.key not in operations or operation.server is None:
                operations[operation.key] = operation
                ids[operation.key] = endpoint_id
        description = replace(outline.description, operations=tuple(operations.values()))
        return Inventory(description, ids, outline.location)

    async def digest(self, project_id: str) -> str:
        """Of all that `inventory` and `observed` tell."""
        found = blake2b(digest_size=16)
        async for rows in self._endpoints.contents(project_id):
            await asyncio.to_thread(lambda some: found.update(repr(some).encode()), rows)
        return found.hexdigest()

    async def observed(self, project_id: str, inventory: Inventory) -> Observed:
        """What sources show of the endpoints of the inventory."""
        operations = {inventory.ids[it.key]: it for it in inventory.description.operations}
        descriptions, claims = await self._endpoints.descriptions(project_id), await self._endpoints.claims(project_id)
        return await asyncio.to_thread(
            lambda: Observed(observed_flows(descriptions, operations), observed_evidence(claims, operations))
        )

    async def export(self, project_id: str, wanted: ExportFormat) -> bytes:
        """Raises `ProjectNotFound`."""
        project = await self._projects.get(project_id)
        outline = await self.outline(project_id)
        shared = outline.description if outline else ApiDescription(project.name, "", "")
        if project.base_url:
            shared = replace(shared, servers=(project.base_url, *shared.servers))
        rows, claims = await self._endpoints.whole(project_id), await self._endpoints.claims(project_id)
        operations: dict[str, Operation] = {}
        if wanted is ExportFormat.OPENAPI:
            operations = await stored_operations(self._endpoints, project_id, [row["id"] for row in rows])
        return await asyncio.to_thread(exported, wanted, shared, rows, operations, claims)

    async def has_endpoints(self, project_id: str) -> bool:
        """Whether there is anything to scan."""
        return await self._endpoints.any_scanned(project_id)

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


def _storable(parts: Sequence[Part]) -> list[Part]:
    return [
        replace(part, found=replace(part.found, description=storable(part.found.description, MAX_PATH)))
        if part.found
        else part
        for part in parts
    ]


def _will_read(discovery: Row, source_id: str) -> bool:
    """Whether a discovery has not begun and is to read the git source."""
    if discovery["status"] != DiscoveryStatus.QUEUED:
        return False
    by_code = not discovery["strategies"] or SOURCE in discovery["strategies"]
    if discovery["git_sources"]:
        return by_code and source_id in discovery["git_sources"]
    handed = discovery["spec_url"] or discovery["document"] or discovery["uploads"]
    return by_code and not (handed and not discovery["strategies"])


def _remembered(urls: Mapping[str, str | None]) -> list[Document]:
    """Those that are read again where a person named them; `urls` are by slot."""
    return [Document(slot.partition(":")[2], spec_url=url) for slot, url in urls.items() if url]


def _deleted(part: Part) -> Part:
    where = part.found.where if part.found else ""
    error = {"code": "source.not_found", "message": "The source was taken away meanwhile", "where": where}
    if part.kind is Kind.CODE:
        error |= {"code": "git_source.not_found", "message": "The git source was deleted meanwhile"}
    return Part(part.strategy, part.kind, error=error)


def _part(part: Part, left_out: Sequence[Fault] = ()) -> dict[str, Any]:
    """In the form of `DiscoveryPart`."""
    found, error = part.found, part.error
    if found is None:
        where = (error or {}).get("where", "")
        return {
            "strategy": part.strategy,
            "source": "",
            "location": where,
            "operations": 0,
            "webhooks": [],
            "callbacks": [],
            "report": [],
            "error": error,
        }
    faults = (*found.description.faults, *left_out)
    return {
        "strategy": part.strategy,
        "source": found.source,
        "location": found.where,
        "operations": len(found.description.operations),
        "webhooks": [each.key for each in found.description.webhooks[:MAX_FAULTS]],
        "callbacks": [each.key for each in found.description.callbacks[:MAX_FAULTS]],
        "report": report_of(faults, MAX_FAULTS),
        "error": None,
    }


def _source(claim: Row) -> EndpointSource:
    evidence = evidence_from_json(claim["evidence"])
    kept = {name: claim[name] for name in EndpointSource.model_fields if name in claim}
    return EndpointSource(**kept, **{**asdict(evidence), "places": list(evidence.places)})
