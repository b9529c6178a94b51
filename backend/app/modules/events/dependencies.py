"""How a request gets its service and its filter."""

from typing import Annotated

from fastapi import Depends, Query

from backend.app.core.context import ServiceContext
from backend.app.core.runtime import service_context
from backend.app.core.schema import Time
from backend.app.modules.events.repository import Filter
from backend.app.modules.events.schemas import Order
from backend.app.modules.events.service import EventService


async def event_service(context: Annotated[ServiceContext, Depends(service_context)]) -> EventService:
    return EventService(context)


async def event_filter(
    name: Annotated[
        str | None,
        Query(pattern=r"^[a-z_]+\.(\*|[a-z_]+)$", max_length=100, description="`scan.completed` or `scan.*`."),
    ] = None,
    since: Annotated[Time | None, Query(description="Events at or after this time; UTC without a zone.")] = None,
    until: Annotated[Time | None, Query(description="Events before this time; UTC without a zone.")] = None,
    order: Annotated[
        Order,
        Query(
            description="To follow a timeline, read `oldest` with a `since` one minute back and pass over known ids: "
            "an event may appear below positions that were read already."
        ),
    ] = Order.NEWEST,
) -> Filter:
    return Filter(name, since, until, order)
