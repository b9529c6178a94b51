"""All SQL of timelines."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, String, Text, bindparam, cast, or_, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.outbox import EventRecord, JobRecord
from backend.app.db.rows import PreparedSelect
from backend.app.db.types import RawJson
from backend.app.modules.events.schemas import Collection, EventRead, Order

_EVENTS = EventRecord.__table__.c
_COLUMNS = [
    type_coerce(cast(_EVENTS.payload, Text), RawJson).label(name) if name == "payload" else _EVENTS[name]
    for name in EventRead.model_fields
]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose timeline it is."""

    collection: Collection
    id: str


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
        self._workspace_id = workspace_id

    async def page(self, subject: Subject | None, wanted: Filter, after: int | None, limit: int) -> Sequence[Row]:
        by_family = wanted.name is not None and wanted.name.endswith(".*")
        values = {
            "name": None if by_family else wanted.name,
            "family": wanted.name[:-1].replace("_", "/_") if wanted.name and by_family else None,
            "since": wanted.since,
            "until": wanted.until,
            "after": after,
            "subject": subject and subject.id,
        }
        given = {name: value for name, value in values.items() if value is not None}
        query = _page(subject and subject.collection, wanted.order, frozenset(given))
        return await query.fetch(self._session, {"workspace": self._workspace_id, "limit": limit, **given})

    async def exists(self, subject: Subject) -> bool:
        query = select(_EVENTS.position).where(_MINE, _belongs_to(subject.collection)).limit(1)
        values = {"workspace": self._workspace_id, "subject": subject.id}
        return (await self._session.execute(query, values)).first() is not None


_MINE = _EVENTS.workspace_id == bindparam("workspace")
_CONDITIONS = {
    "name": _EVENTS.name == bindparam("name"),
    "family": _EVENTS.name.startswith(bindparam("family", type_=String), escape="/"),
    "since": _EVENTS.occurred_at >= bindparam("since"),
    "until": _EVENTS.occurred_at < bindparam("until"),
}


@functools.lru_cache(maxsize=512)
def _page(collection: Collection | None, order: Order, given: frozenset[str]) -> PreparedSelect:
    """Building a query costs as much as running it, so each shape is built once."""
    position = _EVENTS.position
    query = select(*_COLUMNS).where(_MINE, *(_CONDITIONS[name] for name in sorted(given & _CONDITIONS.keys())))
    if collection is not None:
        query = query.where(_belongs_to(collection))
    if "after" in given:
        after: BindParameter[int] = bindparam("after")
        query = query.where(position < after if order is Order.NEWEST else position > after)
    query = query.order_by(position.desc() if order is Order.NEWEST else position.asc()).limit(bindparam("limit"))
    return PreparedSelect(query)


def _belongs_to(collection: Collection) -> ColumnElement[bool]:
    subject: BindParameter[str] = bindparam("subject")
    own = (_EVENTS.entity_type == collection.entity_type) & (_EVENTS.entity_id == subject)
    if collection is Collection.PROJECTS:
        return _EVENTS.project_id == subject
    if collection is Collection.USERS:
        # Whoever makes or revokes a key is its user: it stands on the user's timeline beside its own.
        return or_(own, (_EVENTS.entity_type == Collection.API_KEYS.entity_type) & (_EVENTS.actor_id == subject))
    if collection is Collection.JOBS:
        cause = select(JobRecord.event_id).where(JobRecord.id == subject).scalar_subquery()
        return or_(own, _EVENTS.id == cause)
    return own
