"""All SQL of timelines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.outbox import EventRecord, JobRecord
from backend.app.modules.events.schemas import Collection, EventRead, Order

_COLUMNS = [getattr(EventRecord, name).label(name) for name in EventRead.model_fields]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose timeline it is."""

    collection: Collection
    id: str

    def condition(self) -> ColumnElement[bool]:
        own = (EventRecord.entity_type == self.collection.entity_type) & (EventRecord.entity_id == self.id)
        if self.collection is Collection.PROJECTS:
            return EventRecord.project_id == self.id
        if self.collection is Collection.JOBS:
            cause = select(JobRecord.event_id).where(JobRecord.id == self.id).scalar_subquery()
            return or_(own, EventRecord.id == cause)
        return own


@dataclass(frozen=True, slots=True)
class Filter:
    """`name` is a whole name or a prefix with a dot and a star: `scan.*`."""

    name: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    order: Order = Order.NEWEST


class EventRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._mine = EventRecord.workspace_id == workspace_id

    async def page(self, subject: Subject | None, wanted: Filter, after: int | None, limit: int) -> Sequence[Row]:
        newest = wanted.order is Order.NEWEST
        position = EventRecord.position
        query = select(*_COLUMNS).where(self._mine)
        if subject is not None:
            query = query.where(subject.condition())
        if after is not None:
            query = query.where(position < after if newest else position > after)
        if wanted.name is not None:
            query = query.where(
                EventRecord.name.startswith(wanted.name[:-1], autoescape=True)
                if wanted.name.endswith(".*")
                else EventRecord.name == wanted.name
            )
        if wanted.since is not None:
            query = query.where(EventRecord.occurred_at >= wanted.since)
        if wanted.until is not None:
            query = query.where(EventRecord.occurred_at < wanted.until)
        query = query.order_by(position.desc() if newest else position.asc()).limit(limit)
        return (await self._session.execute(query)).mappings().all()

    async def exists(self, subject: Subject) -> bool:
        query = select(EventRecord.position).where(self._mine, subject.condition()).limit(1)
        return (await self._session.execute(query)).first() is not None
