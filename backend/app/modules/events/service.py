"""The rules of timelines: one workspace sees its own events, and a timeline exists when something happened on it."""

from backend.app.core.context import ServiceContext
from backend.app.core.pagination import Page, PageRequest
from backend.app.modules.events.errors import TimelineNotFound
from backend.app.modules.events.repository import EventRepository, Filter, Subject
from backend.app.modules.events.schemas import EventRead


class EventService:
    def __init__(self, context: ServiceContext) -> None:
        self._events = EventRepository(context.session, context.workspace_id)

    async def timeline(self, subject: Subject | None, wanted: Filter, request: PageRequest) -> Page[EventRead]:
        """The events of a subject, or of the workspace. Raises `TimelineNotFound`, `InvalidCursor`."""
        after = request.after(int)
        rows = await self._events.page(subject, wanted, after, request.limit + 1)
        if not rows and subject is not None and not await self._events.exists(subject):
            raise TimelineNotFound
        return request.page(rows, "position")
