"""How a request gets its service and its filters."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Query

from backend.app.core.context import ServiceContext
from backend.app.core.ids import Ulid
from backend.app.core.runtime import service_context
from backend.app.core.schema import Line
from backend.app.modules.endpoints.graph.derive import EntityType, RelationshipType
from backend.app.modules.endpoints.graph.models import MAX_NAME, Origin
from backend.app.modules.endpoints.graph.repository import GraphFilter
from backend.app.modules.endpoints.graph.service import GraphService

_NamePart: TypeAlias = Annotated[Line | None, Query(max_length=MAX_NAME, description="Part of the name, in any case.")]
_Least: TypeAlias = Annotated[float | None, Query(ge=0, le=1, description="Only what is at least as sure.")]


async def graph_service(context: Annotated[ServiceContext, Depends(service_context)]) -> GraphService:
    return GraphService(context)


async def entity_filter(
    type: EntityType | None = None,  # noqa: A002 - the name of the query parameter
    name: _NamePart = None,
    origin: Origin | None = None,
    min_confidence: _Least = None,
) -> GraphFilter:
    return GraphFilter(type, name, origin, min_confidence)


async def relationship_filter(
    type: RelationshipType | None = None,  # noqa: A002 - the name of the query parameter
    name: _NamePart = None,
    origin: Origin | None = None,
    min_confidence: _Least = None,
    source_id: Ulid | None = None,
    target_id: Ulid | None = None,
) -> GraphFilter:
    return GraphFilter(type, name, origin, min_confidence, source_id, target_id)
