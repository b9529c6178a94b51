"""The rules of the graph: what was derived follows the inventory, and what a person made or edited is theirs."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import orjson

from backend.app.core.context import ServiceContext
from backend.app.core.errors import Conflict, NotFound, TouchstoneError
from backend.app.core.etag import entity_tag, require_match
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event
from backend.app.core.pagination import Page, PageRequest, Row
from backend.app.db.base import Base
from backend.app.db.types import storable
from backend.app.engine.spec.model import ApiDescription
from backend.app.modules.endpoints.graph.derive import Entity, Graph, Key, Relationship, RelationshipType
from backend.app.modules.endpoints.graph.errors import (
    DerivedEntity,
    DerivedRelationship,
    EntityNotFound,
    EntityTaken,
    RelationshipNotFound,
    RelationshipTaken,
    UnknownEnd,
)
from backend.app.modules.endpoints.graph.events import (
    EntityCreated,
    EntityDeleted,
    EntityUpdated,
    GraphDerived,
    RelationshipCreated,
    RelationshipDeleted,
    RelationshipUpdated,
)
from backend.app.modules.endpoints.graph.models import MAX_NAME, EntityRecord, Origin, RelationshipRecord
from backend.app.modules.endpoints.graph.paths import simple_paths
from backend.app.modules.endpoints.graph.repository import GraphFilter, GraphRepository
from backend.app.modules.endpoints.graph.schemas import (
    EntityCreate,
    EntityRead,
    EntityUpdate,
    NeighbourhoodRead,
    PathRead,
    PathsRead,
    RelationshipCreate,
    RelationshipRead,
    RelationshipUpdate,
)
from backend.app.modules.endpoints.models import DiscoveryStatus
from backend.app.modules.endpoints.service import DiscoveryService, EndpointService, Observed
from backend.app.modules.projects.service import ProjectService

BATCH: Final = 500
"""Derived rows of one transaction: some milliseconds on the event loop."""
MAX_NEIGHBOURS: Final = 500
MAX_AROUND: Final = 2_000
"""Relationships of one level of neighbours."""
MAX_EDGES: Final = 250_000
"""Relationships that a search for paths reads."""
_LOOK_BACK: Final = 10
_VANISHED: Final = "vanished"


@dataclass(frozen=True, slots=True)
class Dependency:
    """`producer_key` gives what `consumer_key` needs; both are `Operation.key`s. `field` is as in `producers.Link`.
    A person's dependency may name neither field nor parameter."""

    producer_key: str
    field: str
    consumer_key: str
    location: str
    parameter: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Changes:
    """What sets the stored rows of one table apart from the derived ones."""

    model: type[Base]
    add: list[tuple[Mapping[str, str], Entity | Relationship]]
    """What a row is known by, and what it says."""
    alter: list[tuple[str, Entity | Relationship | None]]
    """The id of a row, and what it says; None: nothing any more, but somebody's relationship leads to it."""
    remove: list[str]

    def batches(self) -> "list[Changes]":
        """In steps of `BATCH` rows, what goes first."""
        steps = [Changes(self.model, [], [], part) for part in _parts(self.remove)]
        steps += [Changes(self.model, [], part, []) for part in _parts(self.alter)]
        return steps + [Changes(self.model, part, [], []) for part in _parts(self.add)]


class GraphService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._projects = ProjectService(context)
        self._graph = GraphRepository(context.session, context.workspace_id)

    async def entities(self, project_id: str, wanted: GraphFilter, request: PageRequest) -> Page[EntityRead]:
        """Raises `ProjectNotFound`, `InvalidCursor`."""
        return await self._page(EntityRecord, project_id, wanted, request)

    async def relationships(self, project_id: str, wanted: GraphFilter, request: PageRequest) -> Page[RelationshipRead]:
        """Raises `ProjectNotFound`, `InvalidCursor`."""
        return await self._page(RelationshipRecord, project_id, wanted, request)

    async def entity(self, project_id: str, entity_id: str) -> EntityRead:
        """Raises `EntityNotFound`."""
        return EntityRead.model_validate(await self._row(EntityRecord, project_id, entity_id))

    async def relationship(self, project_id: str, relationship_id: str) -> RelationshipRead:
        """Raises `RelationshipNotFound`."""
        return RelationshipRead.model_validate(await self._row(RelationshipRecord, project_id, relationship_id))

    async def create_entity(self, project_id: str, wanted: EntityCreate) -> EntityRead:
        """Raises `ProjectNotFound`, `ArchivedProject`, `EntityTaken`."""
        await self._projects.get_active(project_id)
        entity_id = await self._create(EntityRecord, project_id, wanted.model_dump(), EntityTaken())
        await self._publish(
            EntityCreated(graph_entity_id=entity_id, project_id=project_id, type=wanted.type, label=wanted.name)
        )
        return await self.entity(project_id, entity_id)

    async def create_relationship(self, project_id: str, wanted: RelationshipCreate) -> RelationshipRead:
        """Raises `ProjectNotFound`, `ArchivedProject`, `UnknownEnd`, `RelationshipTaken`."""
        await self._projects.get_active(project_id)
        if not await self._graph.hold_ends(project_id, {wanted.source_id, wanted.target_id}):
            raise UnknownEnd
        relationship_id = await self._create(RelationshipRecord, project_id, wanted.model_dump(), RelationshipTaken())
        await self._publish(
            RelationshipCreated(
                relationship_id=relationship_id,
                project_id=project_id,
                type=wanted.type,
                source_id=wanted.source_id,
                target_id=wanted.target_id,
            )
        )
        return await self.relationship(project_id, relationship_id)

    async def update_entity(
        self, project_id: str, entity_id: str, wanted: EntityUpdate, if_match: str | None
    ) -> EntityRead:
        """Raises `EntityNotFound`, `PreconditionFailed`, `DerivedEntity`, `EntityTaken`."""
        row = await self._locked(EntityRecord, project_id, entity_id, if_match)
        changes = _differing(row, wanted.model_dump(exclude_unset=True))
        if "name" in changes and row["origin"] == Origin.DERIVED:
            raise DerivedEntity
        if changes:
            await self._change(EntityRecord, project_id, entity_id, changes, EntityTaken())
            event = EntityUpdated(graph_entity_id=entity_id, project_id=project_id, fields=tuple(sorted(changes)))
            await self._publish(event)
        return await self.entity(project_id, entity_id)

    async def update_relationship(
        self, project_id: str, relationship_id: str, wanted: RelationshipUpdate, if_match: str | None
    ) -> RelationshipRead:
        """Raises `RelationshipNotFound`, `PreconditionFailed`."""
        row = await self._locked(RelationshipRecord, project_id, relationship_id, if_match)
        changes = _differing(row, wanted.model_dump(exclude_unset=True))
        if changes:
            await self._change(RelationshipRecord, project_id, relationship_id, changes, RelationshipTaken())
            await self._publish(
                RelationshipUpdated(
                    relationship_id=relationship_id, project_id=project_id, fields=tuple(sorted(changes))
                )
            )
        return await self.relationship(project_id, relationship_id)

    async def delete_entity(self, project_id: str, entity_id: str, if_match: str | None) -> None:
        """With its relationships. Raises `EntityNotFound`, `PreconditionFailed`, `DerivedEntity`."""
        row = await self._locked(EntityRecord, project_id, entity_id, if_match)
        if row["origin"] == Origin.DERIVED:
            raise DerivedEntity
        await self._graph.remove(EntityRecord, project_id, entity_id)
        await self._publish(
            EntityDeleted(graph_entity_id=entity_id, project_id=project_id, type=row["type"], label=row["name"])
        )

    async def delete_relationship(self, project_id: str, relationship_id: str, if_match: str | None) -> None:
        """Raises `RelationshipNotFound`, `PreconditionFailed`, `DerivedRelationship`."""
        row = await self._locked(RelationshipRecord, project_id, relationship_id, if_match)
        if row["origin"] == Origin.DERIVED:
            raise DerivedRelationship
        await self._graph.remove(RelationshipRecord, project_id, relationship_id)
        await self._publish(
            RelationshipDeleted(
                relationship_id=relationship_id,
                project_id=project_id,
                **{name: row[name] for name in ("type", "source_id", "target_id")},
            )
        )

    async def neighbours(
        self, project_id: str, entity_id: str, *, out: bool, into: bool, kind: str | None, depth: int
    ) -> NeighbourhoodRead:
        """What is up to `depth` relationships away. Raises `EntityNotFound`."""
        await self._row(EntityRecord, project_id, entity_id)
        seen: dict[str, None] = {entity_id: None}
        taken: dict[str, None] = {}
        level, complete = [entity_id], True
        for _ in range(depth):
            found: list[Row] = []
            for way in (True,) * out + (False,) * into:
                rows = await self._graph.around(project_id, level, out=way, kind=kind, limit=MAX_AROUND + 1)
                complete = complete and len(rows) <= MAX_AROUND
                found += rows[:MAX_AROUND]
            level = []
            for row in found:
                ends = [end for end in (row["source_id"], row["target_id"]) if end not in seen]
                if ends and len(seen) + len(ends) > MAX_NEIGHBOURS + 1:
                    complete = False
                    continue
                taken[row["id"]] = None
                seen |= dict.fromkeys(ends)
                level += ends
        entities = await self._graph.some(EntityRecord, project_id, list(seen)[1:])
        relationships = await self._graph.some(RelationshipRecord, project_id, list(taken))
        return NeighbourhoodRead.model_validate(
            {"entities": entities, "relationships": relationships, "complete": complete}
        )

    async def paths(
        self,
        project_id: str,
        start: str,
        end: str,
        *,
        kinds: Sequence[RelationshipType],
        max_length: int,
        limit: int,
    ) -> PathsRead:
        """Raises `ProjectNotFound`, `EntityNotFound`."""
        await self._projects.get(project_id)
        for entity_id in (start, end):
            await self._row(EntityRecord, project_id, entity_id)
        only = kinds[0] if len(kinds) == 1 else None
        edges = await self._graph.edges(project_id, only, MAX_EDGES + 1)
        wanted = [(row["id"], row["source_id"], row["target_id"]) for row in edges if not kinds or row["type"] in kinds]
        found = await asyncio.to_thread(simple_paths, wanted, start, end, max_length=max_length, limit=limit)
        taken = list(dict.fromkeys(edge for path in found.found for edge in path))
        relationships = await self._graph.some(RelationshipRecord, project_id, taken)
        targets = {row["id"]: row["target_id"] for row in relationships}
        paths = [
            PathRead(entity_ids=[start, *(targets[edge] for edge in path)], relationship_ids=list(path))
            for path in found.found
            if all(edge in targets for edge in path)
        ]
        entities = list(dict.fromkeys(entity for path in paths for entity in path.entity_ids))
        return PathsRead.model_validate(
            {
                "paths": paths,
                "entities": await self._graph.some(EntityRecord, project_id, entities),
                "relationships": relationships,
                "complete": found.complete and len(edges) <= MAX_EDGES,
            }
        )

    async def dependencies(self, project_id: str) -> Sequence[Dependency]:
        """Who needs what of whom, for the order and the values of a sequence of requests; what is denied (confidence 0)
        is left out. Raises `ProjectNotFound`."""
        await self._projects.get(project_id)
        found: list[Dependency] = []
        for row in await self._graph.dependencies(project_id):
            is_derived = row["origin"] == Origin.DERIVED
            for binding in row["properties"].get("bindings") or [{}]:
                it = binding if isinstance(binding, dict) else {}
                sure = it.get("confidence") if is_derived else None
                found.append(
                    Dependency(
                        row["producer"],
                        str(it.get("field", "")),
                        row["consumer"],
                        str(it.get("location", "")),
                        str(it.get("parameter", "")),
                        row["confidence"] if sure is None else sure,
                    )
                )
        return found

    async def known(self, project_id: str) -> tuple[ApiDescription, Observed] | None:
        """What the graph is derived from; None when nothing is left, or the project is gone."""
        endpoints = EndpointService(self._context)
        inventory = await endpoints.inventory(project_id)
        return None if inventory is None else (inventory.description, await endpoints.observed(project_id, inventory))

    async def state(self, project_id: str) -> tuple[Any, ...]:
        """Of what the graph is derived from, and of the graph: while it is the same, so is what would be derived."""
        return await EndpointService(self._context).digest(project_id), await self._graph.revision(project_id)

    async def entity_changes(self, project_id: str, graph: Graph) -> Changes:
        held = await self._graph.held_by_people(project_id)
        known = await self._graph.known_entities(project_id)
        return await asyncio.to_thread(self._entity_changes, graph, known, held)

    @staticmethod
    def _entity_changes(graph: Graph, known: Iterable[Sequence[str]], held: Collection[str]) -> Changes:
        changes = Changes(EntityRecord, [], [], [])
        wanted = {_stored(key): entity for key, entity in graph.entities.items()}
        for row_id, kind, name, origin, digest in known:
            entity = wanted.pop((kind, name), None)
            if origin == Origin.PERSON:
                continue
            if entity is not None:
                if digest != _digest(entity):
                    changes.alter.append((row_id, entity))
            elif row_id not in held:
                changes.remove.append(row_id)
            elif digest != _VANISHED:
                changes.alter.append((row_id, None))
        changes.add.extend(({"type": kind, "name": name}, entity) for (kind, name), entity in wanted.items())
        return changes

    async def relationship_changes(self, project_id: str, graph: Graph) -> Changes:
        """After those of the entities, whose ids it takes."""
        entities = await self._graph.known_entities(project_id)
        known = await self._graph.known_relationships(project_id)
        return await asyncio.to_thread(self._relationship_changes, graph, entities, known)

    @staticmethod
    def _relationship_changes(
        graph: Graph, entities: Iterable[Sequence[str]], known: Iterable[Sequence[str]]
    ) -> Changes:
        changes = Changes(RelationshipRecord, [], [], [])
        ids = {(kind, name): row_id for row_id, kind, name, *_ in entities}
        wanted: dict[tuple[str, str, str], Relationship] = {}
        for (said, source, target), it in graph.relationships.items():
            begin, end = ids.get(_stored(source)), ids.get(_stored(target))
            if begin and end and begin != end:
                wanted[(said.value, begin, end)] = it
        for row_id, kind, source_id, target_id, origin, digest in known:
            relationship = wanted.pop((kind, source_id, target_id), None)
            if origin == Origin.PERSON:
                continue
            if relationship is None:
                changes.remove.append(row_id)
            elif digest != _digest(relationship):
                changes.alter.append((row_id, relationship))
        changes.add.extend(
            ({"type": said_type, "source_id": begin, "target_id": end, "name": ""}, it)
            for (said_type, begin, end), it in wanted.items()
        )
        return changes

    async def apply(self, project_id: str, discovery_id: str, changes: Changes) -> bool:
        """Stores them; False when the project is gone or archived, or a later discovery has completed, whose own job
        brings the graph up to date."""
        if not await self._is_latest(project_id, discovery_id):
            return False
        now = self._context.clock()
        if changes.remove:
            await self._graph.remove_derived(changes.model, project_id, changes.remove)
        if changes.alter:
            rows = [{"id": row_id, **_says(it), "updated_at": now} for row_id, it in changes.alter]
            await self._graph.rederive(changes.model, project_id, rows)
        if changes.add:
            fixed = {"project_id": project_id, "origin": Origin.DERIVED, "version": 1}
            times = {"created_at": now, "updated_at": now}
            rows = [{"id": new_ulid(), **known_by, **fixed, **_says(it), **times} for known_by, it in changes.add]
            await self._graph.add_many(changes.model, rows)
        return True

    async def tell(self, project_id: str, graph: Graph, done: Sequence[Changes]) -> None:
        """That the graph is another one."""
        await self._publish(
            GraphDerived(
                project_id=project_id,
                entities=len(graph.entities),
                relationships=len(graph.relationships),
                added=sum(len(changes.add) for changes in done),
                changed=sum(len(changes.alter) for changes in done),
                removed=sum(len(changes.remove) for changes in done),
            )
        )

    async def forget_some(self, project_id: str) -> bool:
        """Removes some of what is kept of a deleted project; whether there may be more."""
        return await self._graph.remove_some(project_id, BATCH)

    async def latest_discovery(self, project_id: str) -> str | None:
        """The last that completed, among those that were asked for last. Raises `ProjectNotFound`."""
        page = await DiscoveryService(self._context).page(project_id, PageRequest(limit=_LOOK_BACK))
        return next((row["id"] for row in page.rows if row["status"] == DiscoveryStatus.COMPLETED), None)

    async def _is_latest(self, project_id: str, discovery_id: str) -> bool:
        try:
            await self._projects.get_active(project_id)
            latest = await self.latest_discovery(project_id)
        except (NotFound, Conflict):
            return False  # deleted or archived
        return latest is None or latest <= discovery_id

    async def _page(self, model: type[Base], project_id: str, wanted: GraphFilter, request: PageRequest) -> Page[Any]:
        rows = await self._graph.page(model, project_id, wanted, request.after(), request.limit + 1)
        if not rows:
            await self._projects.get(project_id)
        return request.page(rows, "id")

    async def _row(self, model: type[Base], project_id: str, row_id: str, *, lock: bool = False) -> Row:
        row = await self._graph.get(model, project_id, row_id, lock=lock)
        if row is None:
            raise EntityNotFound if model is EntityRecord else RelationshipNotFound
        return row

    async def _locked(self, model: type[Base], project_id: str, row_id: str, if_match: str | None) -> Row:
        row = await self._row(model, project_id, row_id, lock=True)
        if if_match is not None:
            require_match(if_match, entity_tag(row["version"]))
        return row

    async def _create(self, model: type[Base], project_id: str, values: dict[str, Any], taken: TouchstoneError) -> str:
        now, row_id = self._context.clock(), new_ulid()
        fixed = {"id": row_id, "project_id": project_id, "origin": Origin.PERSON, "evidence": [], "version": 1}
        if not await self._graph.add(model, {**values, **fixed, "digest": "", "created_at": now, "updated_at": now}):
            raise taken
        return row_id

    async def _change(
        self, model: type[Base], project_id: str, row_id: str, changes: Row, taken: TouchstoneError
    ) -> None:
        values = {**changes, "origin": Origin.PERSON, "updated_at": self._context.clock()}
        if not await self._graph.change(model, project_id, row_id, values):
            raise taken

    async def _publish(self, event: Event) -> None:
        await self._context.hub.publish(event, self._context)


def _differing(row: Row, sent: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sent.items() if value != row[name]}


def _stored(key: Key) -> tuple[str, str]:
    kind, name = key
    return kind.value, storable(name)[:MAX_NAME]


def _evidence(it: Entity | Relationship) -> list[dict[str, str]]:
    return [{"rule": rule, "place": place} for rule, place in it.evidence]


def _digest(it: Entity | Relationship) -> str:
    said = orjson.dumps([it.properties, it.confidence, it.evidence])
    return blake2b(said, digest_size=16).hexdigest()


def _says(it: Entity | Relationship | None) -> dict[str, Any]:
    if it is None:
        return {"properties": {}, "confidence": 0.0, "evidence": [], "digest": _VANISHED}
    return {
        "properties": it.properties,
        "confidence": it.confidence,
        "evidence": _evidence(it),
        "digest": _digest(it),
    }


def _parts(rows: list[Any]) -> list[list[Any]]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
