"""Timelines over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, listed
from backend.app.core.views import access_control, view
from backend.app.modules.events.dependencies import event_filter, event_service
from backend.app.modules.events.repository import Filter, Subject
from backend.app.modules.events.schemas import Collection, EventRead
from backend.app.modules.events.service import EventService

router = APIRouter()


@view(router)
class EventViews:
    events: Annotated[EventService, Depends(event_service)]

    @router.get("/events")
    @access_control(Permission.EVENTS_READ)
    async def workspace_timeline(
        self,
        page: Annotated[PageRequest, Depends(page_request)],
        wanted: Annotated[Filter, Depends(event_filter)],
    ) -> Envelope[list[EventRead]]:
        """Everything that happened in the workspace."""
        return listed(await self.events.timeline(None, wanted, page))

    @router.get("/{collection}/{entity_id}/events")
    @access_control(Permission.EVENTS_READ)
    async def entity_timeline(
        self,
        collection: Collection,
        entity_id: Ulid,
        page: Annotated[PageRequest, Depends(page_request)],
        wanted: Annotated[Filter, Depends(event_filter)],
    ) -> Envelope[list[EventRead]]:
        """What happened to one thing; a project's timeline holds everything inside it."""
        return listed(await self.events.timeline(Subject(collection, entity_id), wanted, page))
