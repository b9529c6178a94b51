"""All SQL of discovery and its inventory."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, Text, bindparam, delete, exists, func, insert, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.insert import insert_or_ignore, insert_or_update
from backend.app.db.outbox import EventRecord
from backend.app.db.rows import ListQuery, all_rows, all_tuples, part_of
from backend.app.modules.endpoints.events import RescanPostponed
from backend.app.modules.endpoints.inventory.reconcile import ANY_METHOD, EndpointState
from backend.app.modules.endpoints.models import (
    DescriptionRecord,
    DiscoveryRecord,
    DiscoveryStatus,
    EndpointRecord,
    EndpointSourceRecord,
)
from backend.app.modules.endpoints.schemas import DiscoveryRead, EndpointSummary

ACTIVE = (DiscoveryStatus.QUEUED, DiscoveryStatus.RUNNING)

_discoveries: Any = DiscoveryRecord.__table__
_descriptions: Any = DescriptionRecord.__table__
_endpoints: Any = EndpointRecord.__table__
_sources: Any = EndpointSourceRecord.__table__

_DISCOVERIES = select(*(_discoveries.c[name] for name in DiscoveryRead.model_fields))
_ENDPOINTS = select(*(_endpoints.c[name] for name in EndpointSummary.model_fields))
_KNOWN = select(
    *(
        _endpoints.c[name]
        for name in (
            "id",
            "method",
            "path",
            "from_root",
            "digest",
            "state",
            "kinds",
            "unresolved",
            "source",
            "requires_auth",
            "own_tags",
        )
    )
)
_CLAIMS = select(*(column for column in _sources.c if column.name not in ("operation", "workspace_id")))
_BATCH = 500
_ABSENT = (EndpointState.GONE, EndpointState.DEAD)
_SCANNED = (
    # What the server says is not there is asked all the same: it may come back.
    _endpoints.c.state != EndpointState.GONE,
    _endpoints.c.ignored.is_(False),
    _endpoints.c.unresolved == "",
    _endpoints.c.method != ANY_METHOD,
)
"""Which endpoints a scan asks."""


def _has(column: Any, name: str, elements: Any, dialect: str) -> ColumnElement[bool]:
    """`elements` is the dialect's function that makes rows of a JSON array."""
    rows = elements(column).table_valued("value")
    return exists(select(rows.c.value).where(rows.c.value == bindparam(f"{name}_{dialect}", type_=String)))


_DISCOVERY_LIST = ListQuery(
    _DISCOVERIES.where(
        _discoveries.c.workspace_id == bindparam("workspace"), _discoveries.c.project_id == bindparam("project")
    ),
    {"before": _discoveries.c.id < bindparam("before")},
    _discoveries.c.id.desc(),
)
_ENDPOINT_LIST = ListQuery(
    _ENDPOINTS.where(
        _endpoints.c.workspace_id == bindparam("workspace"), _endpoints.c.project_id == bindparam("project")
    ),
    {
        **{name: _endpoints.c[name] == bindparam(name) for name in ("method", "state", "requires_auth", "ignored")},
        "source": exists().where(
            _sources.c.endpoint_id == _endpoints.c.id,
            _sources.c.workspace_id == _endpoints.c.workspace_id,
            _sources.c.source == bindparam("source", type_=String),
        ),
        "path": _endpoints.c.path.icontains(bindparam("path", type_=String), escape="/"),
        **{
            f"{name}_{dialect}": _has(column, name, elements, dialect)
            for name, column in (("tag", _endpoints.c.tags), ("kind", _endpoints.c.kinds))
            for dialect, elements in (("postgresql", func.jsonb_array_elements_text), ("sqlite", func.json_each))
        },
        "after": _endpoints.c.id > bindparam("after"),
    },
    _endpoints.c.id,
)


@dataclass(frozen=True, slots=True)
class EndpointFilter:
    """`path` is a part of it, compared without case."""

    method: str | None = None
    state: str | None = None
    requires_auth: bool | None = None
    source: str | None = None
    kind: str | None = None
    ignored: bool | None = None
    tag: str | None = None
    path: str | None = None


class DiscoveryRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._mine = _discoveries.c.workspace_id == workspace_id

    async def add(self, values: Row) -> bool:
        """False when the project has an active discovery."""
        return await insert_or_ignore(self._session, DiscoveryRecord, {**values, "workspace_id": self._workspace_id})

    async def page(self, project_id: str, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        return await _DISCOVERY_LIST.fetch(
            self._session, limit=limit, workspace=self._workspace_id, project=project_id, before=before
        )

    async def get(self, discovery_id: str) -> Row | None:
        query = _DISCOVERIES.where(self._mine, _discoveries.c.id == discovery_id)
        return (await self._session.execute(query)).mappings().first()

    async def begin(self, discovery_id: str) -> Row | None:
        """Marks it running and answers what to look at; None when it is completed, deleted, or another is active."""
        other = _discoveries.alias()
        blocked = exists().where(
            other.c.project_id == _discoveries.c.project_id, other.c.id != discovery_id, other.c.status.in_(ACTIVE)
        )
        statement = (
            update(_discoveries)
            .where(
                self._mine,
                _discoveries.c.id == discovery_id,
                _discoveries.c.status != DiscoveryStatus.COMPLETED,
                ~blocked,
            )
            .values(status=DiscoveryStatus.RUNNING, error=None, finished_at=None)
            .returning(
                *(
                    _discoveries.c[name]
                    for name in (
                        "project_id",
                        "strategies",
                        "spec_url",
                        "spec_name",
                        "document",
                        "uploads",
                        "git_sources",
                    )
                )
            )
        )
        return (await self._session.execute(statement)).mappings().first()

    async def finish(self, discovery_id: str, values: Row) -> str | None:
        """Ends an active discovery and answers its project; None when it has ended or is deleted."""
        statement = (
            update(_discoveries)
            .where(self._mine, _discoveries.c.id == discovery_id, _discoveries.c.status.in_(ACTIVE))
            .values(**values)
            .returning(_discoveries.c.project_id)
        )
        project_id: str | None = (await self._session.execute(statement)).scalar_one_or_none()
        return project_id

    async def hold_active(self, project_id: str) -> Row | None:
        """The active discovery of the project, which neither begins nor ends before this transaction does."""
        names = ("status", "strategies", "git_sources", "uploads", "spec_url", "document")
        query = select(*(_discoveries.c[name] for name in names)).where(
            self._mine, _discoveries.c.project_id == project_id, _discoveries.c.status.in_(ACTIVE)
        )
        return (await self._session.execute(query.with_for_update())).mappings().first()

    async def postponed_since(self, discovery_id: str) -> Sequence[str]:
        """Git sources that wait for the end of the discovery."""
        asked = select(EventRecord.position).join(DiscoveryRecord, DiscoveryRecord.event_id == EventRecord.id)
        mine = (EventRecord.workspace_id == self._workspace_id) & (EventRecord.name == RescanPostponed.name)
        query = select(EventRecord.entity_id).join(
            DiscoveryRecord, DiscoveryRecord.project_id == EventRecord.project_id
        )
        since = EventRecord.position > asked.where(DiscoveryRecord.id == discovery_id).scalar_subquery()
        return (await self._session.scalars(query.where(mine, DiscoveryRecord.id == discovery_id, since))).all()

    async def drift(self, discovery_id: str) -> list[dict[str, Any]] | None:
        """None: there is no such discovery."""
        query = select(_discoveries.c.drift).where(self._mine, _discoveries.c.id == discovery_id)
        drift: list[dict[str, Any]] | None = await self._session.scalar(query)
        return drift

    async def delete_of_project(self, project_id: str) -> None:
        await self._session.execute(delete(_discoveries).where(self._mine, _discoveries.c.project_id == project_id))


class EndpointRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._dialect = session.get_bind().dialect.name
        self._mine = _endpoints.c.workspace_id == workspace_id
        self._my_sources = _sources.c.workspace_id == workspace_id
        self._my_descriptions = _descriptions.c.workspace_id == workspace_id

    async def page(self, project_id: str, wanted: EndpointFilter, after: str | None, limit: int) -> Sequence[Row]:
        """Oldest first, those of one discovery in the order of its document."""
        filters = {name: getattr(wanted, name) for name in ("method", "state", "requires_auth", "source", "ignored")}
        return await _ENDPOINT_LIST.fetch(
            self._session,
            limit=limit,
            workspace=self._workspace_id,
            project=project_id,
            after=after,
            path=part_of(wanted.path),
            **filters,
            **{f"tag_{self._dialect}": wanted.tag, f"kind_{self._dialect}": wanted.kind},
        )

    async def get(self, project_id: str, endpoint_id: str) -> Row | None:
        query = _ENDPOINTS.add_columns(_endpoints.c.operation, _endpoints.c.own_tags).where(
            self._mine, _endpoints.c.project_id == project_id, _endpoints.c.id == endpoint_id
        )
        return (await self._session.execute(query)).mappings().first()

    async def exists(self, project_id: str, endpoint_id: str) -> bool:
        query = select(_endpoints.c.id).where(
            self._mine, _endpoints.c.project_id == project_id, _endpoints.c.id == endpoint_id
        )
        return await self._session.scalar(query) is not None

    async def hold(self, endpoint_id: str) -> None:
        """Nobody else edits it until the end of the transaction."""
        await self._session.execute(
            update(_endpoints).where(self._mine, _endpoints.c.id == endpoint_id).values(version=_endpoints.c.version)
        )

    async def revision(self, project_id: str) -> tuple[Any, ...]:
        """Another one whenever a discovery, a person, or a source that was taken away has changed the inventory."""
        found: list[Any] = []
        for table, changes in (
            (_endpoints, func.sum(_endpoints.c.version)),
            (_sources, func.max(_sources.c.last_seen_at)),
            (_descriptions, func.max(_descriptions.c.updated_at)),
        ):
            query = select(func.count(), changes).where(
                table.c.workspace_id == self._workspace_id, table.c.project_id == project_id
            )
            found += (await self._session.execute(query)).one()
        return tuple(found)

    async def contents(self, project_id: str) -> AsyncIterator[Sequence[Any]]:
        """What endpoints, sources and descriptions say, by digests and as text; when they were seen is not in it."""
        shared = type_coerce(_descriptions.c.shared, Text)
        for table, columns in (
            (_endpoints, [_endpoints.c[name] for name in ("id", "digest", "state", "ignored", "unresolved")]),
            (_sources, [_sources.c[name] for name in ("endpoint_id", "slot", "digest")]),
            (_descriptions, [_descriptions.c.slot, _descriptions.c.location, shared]),
        ):
            query = select(*columns).where(table.c.workspace_id == self._workspace_id, table.c.project_id == project_id)
            yield await all_tuples(self._session, query.order_by(*columns[:2]))

    async def known(self, project_id: str) -> Sequence[Row]:
        """What a discovery compares with, of every endpoint of the project."""
        return await all_rows(self._session, _KNOWN.where(self._mine, _endpoints.c.project_id == project_id))

    async def claims(self, project_id: str, endpoint_id: str | None = None) -> Sequence[Row]:
        """What sources say, without their operations, of one endpoint or of all."""
        query = _CLAIMS.where(self._my_sources, _sources.c.project_id == project_id).order_by(_sources.c.slot)
        if endpoint_id is not None:
            query = query.where(_sources.c.endpoint_id == endpoint_id)
        return await all_rows(self._session, query)

    async def has_source(self, project_id: str, slot: str) -> bool:
        """Also one that speaks of no endpoint."""
        described = select(_descriptions.c.slot).where(
            self._my_descriptions, _descriptions.c.project_id == project_id, _descriptions.c.slot == slot
        )
        query = select(_sources.c.slot).where(
            self._my_sources, _sources.c.project_id == project_id, _sources.c.slot == slot
        )
        return any([await self._session.scalar(each.limit(1)) is not None for each in (query, described)])

    async def sources(self, project_id: str, after: str | None, limit: int) -> Sequence[Row]:
        """By name, each with the number of endpoints that it speaks of."""
        query = (
            select(
                _sources.c.slot,
                _sources.c.kind,
                func.max(_sources.c.source).label("source"),
                func.max(_sources.c.location).label("location"),
                func.max(_descriptions.c.spec_url).label("spec_url"),
                func.count().label("endpoints"),
                func.min(_sources.c.first_seen_at).label("first_seen_at"),
                func.max(_sources.c.last_seen_at).label("last_seen_at"),
            )
            .outerjoin_from(
                _sources,
                _descriptions,
                (_descriptions.c.project_id == _sources.c.project_id)
                & (_descriptions.c.slot == _sources.c.slot)
                & self._my_descriptions,
            )
            .where(self._my_sources, _sources.c.project_id == project_id, _sources.c.slot > (after or ""))
            .group_by(_sources.c.slot, _sources.c.kind)
            .order_by(_sources.c.slot)
            .limit(limit)
        )
        return (await self._session.execute(query)).mappings().all()

    async def claimed_operations(self, endpoint_ids: Iterable[str]) -> AsyncIterator[Sequence[Row]]:
        """How each source describes the endpoints, as JSON text; where it says null, as the endpoint itself is."""
        operation = type_coerce(_sources.c.operation, Text).label("operation")
        query = select(_sources.c.endpoint_id, _sources.c.slot, operation).where(self._my_sources)
        for batch in _batches(list(endpoint_ids)):
            yield (await self._session.execute(query.where(_sources.c.endpoint_id.in_(batch)))).mappings().all()

    async def save_claims(self, rows: Sequence[Row]) -> None:
        own = [{**row, "workspace_id": self._workspace_id} for row in rows]
        await insert_or_update(self._session, EndpointSourceRecord, own, keep=("first_seen_at",))

    async def drop_claims(self, slot: str, endpoint_ids: Sequence[str]) -> None:
        for batch in _batches(endpoint_ids):
            await self._session.execute(
                delete(_sources).where(self._my_sources, _sources.c.slot == slot, _sources.c.endpoint_id.in_(batch))
            )

    async def mark_seen(self, project_id: str, slots: Sequence[str], at: datetime) -> None:
        """All that the sources of these slots speak of, and what they say of it."""
        said = self._my_sources, _sources.c.project_id == project_id, _sources.c.slot.in_(slots)
        await self._session.execute(update(_sources).where(*said).values(last_seen_at=at))
        seen = select(_sources.c.endpoint_id).where(
            self._my_sources, _sources.c.project_id == project_id, _sources.c.last_seen_at == at
        )
        await self._session.execute(
            update(_endpoints)
            .where(self._mine, _endpoints.c.id.in_(seen), _endpoints.c.state.not_in(_ABSENT))
            .values(last_seen_at=at)
        )

    async def operations(self, project_id: str, ids: Collection[str] | None = None) -> AsyncIterator[Sequence[Row]]:
        """Id and operation, as JSON text, of the endpoints that a scan asks in the order of `page`, or of those with
        `ids`; some hundred at once."""
        query = select(_endpoints.c.id, type_coerce(_endpoints.c.operation, Text).label("operation")).where(
            self._mine, _endpoints.c.project_id == project_id
        )
        if ids is not None:
            for batch in _batches(list(ids)):
                yield (await self._session.execute(query.where(_endpoints.c.id.in_(batch)))).mappings().all()
            return
        query, after = query.where(*_SCANNED).order_by(_endpoints.c.id).limit(_BATCH), ""
        while rows := (await self._session.execute(query.where(_endpoints.c.id > after))).mappings().all():
            yield rows
            after = rows[-1]["id"]

    async def whole(self, project_id: str) -> Sequence[Row]:
        """Every endpoint that some source vouches for, in the order of paths."""
        query = _ENDPOINTS.where(
            self._mine, _endpoints.c.project_id == project_id, _endpoints.c.state != EndpointState.GONE
        )
        return await all_rows(self._session, query.order_by(_endpoints.c.path, _endpoints.c.method))

    async def any_scanned(self, project_id: str) -> bool:
        query = select(_endpoints.c.id).where(self._mine, _endpoints.c.project_id == project_id, *_SCANNED)
        return await self._session.scalar(query.limit(1)) is not None

    async def add(self, rows: Sequence[Row]) -> None:
        if rows:
            await self._session.execute(
                insert(_endpoints), [{**row, "workspace_id": self._workspace_id} for row in rows]
            )

    async def change(self, rows: Sequence[Row]) -> None:
        """Each row names its `id` and the same columns."""
        if rows:
            columns = {name: bindparam(f"b_{name}", type_=_endpoints.c[name].type) for name in rows[0] if name != "id"}
            statement = update(_endpoints).where(self._mine, _endpoints.c.id == bindparam("b_id")).values(columns)
            await self._session.execute(
                statement, [{f"b_{name}": value for name, value in row.items()} for row in rows]
            )

    async def descriptions(self, project_id: str) -> Sequence[Row]:
        """`shared`: what the operations of one source share; `location`: where it was found."""
        query = select(_descriptions.c.slot, _descriptions.c.shared, _descriptions.c.location).where(
            self._my_descriptions, _descriptions.c.project_id == project_id
        )
        return (await self._session.execute(query)).mappings().all()

    async def spec_urls(self, project_id: str) -> dict[str, str | None]:
        """By slot: where the description of a source is read again, if a person named that."""
        query = select(_descriptions.c.slot, _descriptions.c.spec_url).where(
            self._my_descriptions, _descriptions.c.project_id == project_id
        )
        return {row["slot"]: row["spec_url"] for row in await all_rows(self._session, query.order_by("slot"))}

    async def save_description(self, values: Row) -> None:
        await self._session.merge(DescriptionRecord(**values, workspace_id=self._workspace_id))

    async def drop_description(self, project_id: str, slot: str) -> None:
        await self._session.execute(
            delete(_descriptions).where(
                self._my_descriptions, _descriptions.c.project_id == project_id, _descriptions.c.slot == slot
            )
        )

    async def delete_of_project(self, project_id: str) -> None:
        for table in (_sources, _endpoints, _descriptions):
            await self._session.execute(
                delete(table).where(table.c.workspace_id == self._workspace_id, table.c.project_id == project_id)
            )


def _batches(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
