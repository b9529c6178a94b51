"""The graph over HTTP."""

from enum import StrEnum
from typing import Annotated, Final, TypeAlias, TypeVar

from fastapi import APIRouter, Depends, Query

from backend.app.core.etag import entity_tag, if_match
from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import DefaultResponse, Envelope, envelope, listed
from backend.app.core.views import access_control, view
from backend.app.modules.endpoints.graph.dependencies import entity_filter, graph_service, relationship_filter
from backend.app.modules.endpoints.graph.derive import RelationshipType
from backend.app.modules.endpoints.graph.repository import GraphFilter
from backend.app.modules.endpoints.graph.schemas import (
    EntityCreate,
    EntityRead,
    EntityUpdate,
    NeighbourhoodRead,
    PathsRead,
    RelationshipCreate,
    RelationshipRead,
    RelationshipUpdate,
)
from backend.app.modules.endpoints.graph.service import GraphService

router = APIRouter()

IfMatch: TypeAlias = Annotated[str | None, Depends(if_match)]
Paged: TypeAlias = Annotated[PageRequest, Depends(page_request)]
R = TypeVar("R", EntityRead, RelationshipRead)

MAX_LENGTH: Final = 8
MAX_PATHS: Final = 20
_TYPE: Final = "|".join(RelationshipType)
_TYPES: Final = f"^({_TYPE})(,({_TYPE})){{0,{len(RelationshipType) - 1}}}$"
_FOLLOWED: Final = "The types of relationships to follow, with commas between them; none: all."


class Direction(StrEnum):
    OUT = "out"
    IN = "in"
    BOTH = "both"


@view(router)
class GraphViews:
    graph: Annotated[GraphService, Depends(graph_service)]

    @router.get("/projects/{project_id}/entities")
    @access_control(Permission.ENDPOINTS_READ)
    async def list_entities(
        self, project_id: Ulid, wanted: Annotated[GraphFilter, Depends(entity_filter)], page: Paged
    ) -> Envelope[list[EntityRead]]:
        """What the project's API is made of, oldest first."""
        return listed(await self.graph.entities(project_id, wanted, page))

    @router.post("/projects/{project_id}/entities", status_code=201)
    @access_control(Permission.ENDPOINTS_WRITE)
    async def create_entity(self, project_id: Ulid, body: EntityCreate) -> Envelope[EntityRead]:
        """Adds an entity of your own, which discoveries leave alone."""
        return _answer(await self.graph.create_entity(project_id, body))

    @router.get("/projects/{project_id}/entities/{entity_id}")
    @access_control(Permission.ENDPOINTS_READ)
    async def read_entity(self, project_id: Ulid, entity_id: Ulid) -> Envelope[EntityRead]:
        """One entity with its evidence."""
        return _answer(await self.graph.entity(project_id, entity_id))

    @router.patch("/projects/{project_id}/entities/{entity_id}")
    @access_control(Permission.ENDPOINTS_WRITE)
    async def update_entity(
        self, project_id: Ulid, entity_id: Ulid, body: EntityUpdate, tag: IfMatch
    ) -> Envelope[EntityRead]:
        """Changes the fields that are sent; a derived entity becomes yours."""
        return _answer(await self.graph.update_entity(project_id, entity_id, body, tag))

    @router.delete("/projects/{project_id}/entities/{entity_id}")
    @access_control(Permission.ENDPOINTS_WRITE)
    async def delete_entity(self, project_id: Ulid, entity_id: Ulid, tag: IfMatch) -> Envelope[DefaultResponse]:
        """Deletes an entity of your own with its relationships."""
        await self.graph.delete_entity(project_id, entity_id, tag)
        return envelope(DefaultResponse())

    @router.get("/projects/{project_id}/entities/{entity_id}/neighbours")
    @access_control(Permission.ENDPOINTS_READ)
    async def list_neighbours(
        self,
        project_id: Ulid,
        entity_id: Ulid,
        direction: Direction = Direction.BOTH,
        type: RelationshipType | None = None,  # noqa: A002 - the name of the query parameter
        depth: Annotated[int, Query(ge=1, le=3, description="Relationships from the entity.")] = 1,
    ) -> Envelope[NeighbourhoodRead]:
        """What is related to an entity, directly or over others; the likeliest relationships first."""
        out, into = direction is not Direction.IN, direction is not Direction.OUT
        found = await self.graph.neighbours(project_id, entity_id, out=out, into=into, kind=type, depth=depth)
        return envelope(found)

    @router.get("/projects/{project_id}/relationships")
    @access_control(Permission.ENDPOINTS_READ)
    async def list_relationships(
        self, project_id: Ulid, wanted: Annotated[GraphFilter, Depends(relationship_filter)], page: Paged
    ) -> Envelope[list[RelationshipRead]]:
        """How the entities of a project belong together, oldest first."""
        return listed(await self.graph.relationships(project_id, wanted, page))

    @router.post("/projects/{project_id}/relationships", status_code=201)
    @access_control(Permission.ENDPOINTS_WRITE)
    async def create_relationship(self, project_id: Ulid, body: RelationshipCreate) -> Envelope[RelationshipRead]:
        """Adds a relationship of your own, which discoveries leave alone."""
        return _answer(await self.graph.create_relationship(project_id, body))

    @router.get("/projects/{project_id}/relationships/{relationship_id}")
    @access_control(Permission.ENDPOINTS_READ)
    async def read_relationship(self, project_id: Ulid, relationship_id: Ulid) -> Envelope[RelationshipRead]:
        """One relationship with its evidence."""
        return _answer(await self.graph.relationship(project_id, relationship_id))

    @router.patch("/projects/{project_id}/relationships/{relationship_id}")
    @access_control(Permission.ENDPOINTS_WRITE)
    async def update_relationship(
        self, project_id: Ulid, relationship_id: Ulid, body: RelationshipUpdate, tag: IfMatch
    ) -> Envelope[RelationshipRead]:
        """Changes the fields that are sent; a derived relationship becomes yours, and confidence 0 denies it."""
        return _answer(await self.graph.update_relationship(project_id, relationship_id, body, tag))

    @router.delete("/projects/{project_id}/relationships/{relationship_id}")
    @access_control(Permission.ENDPOINTS_WRITE)
    async def delete_relationship(
        self, project_id: Ulid, relationship_id: Ulid, tag: IfMatch
    ) -> Envelope[DefaultResponse]:
        """Deletes a relationship of your own."""
        await self.graph.delete_relationship(project_id, relationship_id, tag)
        return envelope(DefaultResponse())

    @router.get("/projects/{project_id}/graph/paths")
    @access_control(Permission.ENDPOINTS_READ)
    async def list_paths(
        self,
        project_id: Ulid,
        start: Annotated[Ulid, Query(alias="from", description="The entity to begin at.")],
        end: Annotated[Ulid, Query(alias="to", description="The entity to arrive at.")],
        types: Annotated[str | None, Query(pattern=_TYPES, description=_FOLLOWED)] = None,
        max_length: Annotated[int, Query(ge=1, le=MAX_LENGTH, description="Relationships on a path.")] = 6,
        limit: Annotated[int, Query(ge=1, le=MAX_PATHS, description="Paths in the answer.")] = 5,
    ) -> Envelope[PathsRead]:
        """Ways from one entity to another along the relationships, the shortest first."""
        kinds = [RelationshipType(it) for it in types.split(",")] if types else []
        return envelope(await self.graph.paths(project_id, start, end, kinds=kinds, max_length=max_length, limit=limit))


def _answer(found: R) -> Envelope[R]:
    return envelope(found, etag=entity_tag(found.version))
