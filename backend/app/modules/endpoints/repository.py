"""All SQL of discovery and its inventory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.insert import insert_or_ignore
from backend.app.db.rows import ListQuery, part_of
from backend.app.modules.endpoints.models import (
    DescriptionRecord,
    DiscoveryRecord,
    DiscoveryStatus,
    EndpointRecord,
    EndpointStatus,
)
from backend.app.modules.endpoints.schemas import DiscoveryRead, EndpointSummary

ACTIVE = (DiscoveryStatus.QUEUED, DiscoveryStatus.RUNNING)

_discoveries: Any = DiscoveryRecord.__table__
_descriptions: Any = DescriptionRecord.__table__
_endpoints: Any = EndpointRecord.__table__

_DISCOVERIES = select(*(_discoveries.c[name] for name in DiscoveryRead.model_fields))
_ENDPOINTS = select(*(_endpoints.c[name] for name in EndpointSummary.model_fields))
_KNOWN = select(_endpoints.c.id, _endpoints.c.method, _endpoints.c.path, _endpoints.c.digest, _endpoints.c.status)
_BATCH = 500


def _has_tag(elements: Any, dialect: str) -> ColumnElement[bool]:
    """`elements` is the dialect's function that makes rows of a JSON array."""
    tags = elements(_endpoints.c.tags).table_valued("value")
    return exists(select(tags.c.value).where(tags.c.value == bindparam(f"tag_{dialect}", type_=String)))


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
        **{name: _endpoints.c[name] == bindparam(name) for name in ("method", "status", "requires_auth", "source")},
        "path": _endpoints.c.path.icontains(bindparam("path", type_=String), escape="/"),
        "tag_postgresql": _has_tag(func.jsonb_array_elements_text, "postgresql"),
        "tag_sqlite": _has_tag(func.json_each, "sqlite"),
        "after": _endpoints.c.id > bindparam("after"),
    },
    _endpoints.c.id,
)


@dataclass(frozen=True, slots=True)
class EndpointFilter:
    """`path` is a part of it, compared without case."""

    method: str | None = None
    status: str | None = None
    requires_auth: bool | None = None
    source: str | None = None
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
                _discoveries.c.project_id, _discoveries.c.strategy, _discoveries.c.spec_url, _discoveries.c.document
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

    async def delete_of_project(self, project_id: str) -> None:
        await self._session.execute(delete(_discoveries).where(self._mine, _discoveries.c.project_id == project_id))


class EndpointRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._mine = _endpoints.c.workspace_id == workspace_id

    async def page(self, project_id: str, wanted: EndpointFilter, after: str | None, limit: int) -> Sequence[Row]:
        """Oldest first, those of one discovery in the order of its document."""
        filters = {name: getattr(wanted, name) for name in ("method", "status", "requires_auth", "source")}
        return await _ENDPOINT_LIST.fetch(
            self._session,
            limit=limit,
            workspace=self._workspace_id,
            project=project_id,
            after=after,
            path=part_of(wanted.path),
            **filters,
            **{f"tag_{self._session.get_bind().dialect.name}": wanted.tag},
        )

    async def get(self, project_id: str, endpoint_id: str) -> Row | None:
        query = _ENDPOINTS.add_columns(_endpoints.c.operation).where(
            self._mine, _endpoints.c.project_id == project_id, _endpoints.c.id == endpoint_id
        )
        return (await self._session.execute(query)).mappings().first()

    async def exists(self, project_id: str, endpoint_id: str) -> bool:
        query = select(_endpoints.c.id).where(
            self._mine, _endpoints.c.project_id == project_id, _endpoints.c.id == endpoint_id
        )
        return await self._session.scalar(query) is not None

    async def keys(self, project_id: str) -> Sequence[Row]:
        """Identity, digest and status of every endpoint of the project."""
        query = _KNOWN.where(self._mine, _endpoints.c.project_id == project_id)
        return (await self._session.execute(query)).mappings().all()

    async def operations(self, project_id: str, ids: Iterable[str] | None = None) -> Sequence[Row]:
        """Id and operation of the active endpoints in the order of `page`, or of those with `ids`."""
        query = select(_endpoints.c.id, _endpoints.c.operation).where(self._mine, _endpoints.c.project_id == project_id)
        if ids is None:
            active = query.where(_endpoints.c.status == EndpointStatus.ACTIVE).order_by(_endpoints.c.id)
            return (await self._session.execute(active)).mappings().all()
        rows: list[Row] = []
        for batch in _batches(list(ids)):
            rows += (await self._session.execute(query.where(_endpoints.c.id.in_(batch)))).mappings().all()
        return rows

    async def any_active(self, project_id: str) -> bool:
        query = select(_endpoints.c.id).where(
            self._mine, _endpoints.c.project_id == project_id, _endpoints.c.status == EndpointStatus.ACTIVE
        )
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

    async def mark_gone(self, ids: Sequence[str]) -> None:
        for batch in _batches(ids):
            await self._session.execute(
                update(_endpoints).where(self._mine, _endpoints.c.id.in_(batch)).values(status=EndpointStatus.GONE)
            )

    async def mark_seen(self, project_id: str, at: datetime) -> None:
        """All that are active."""
        await self._session.execute(
            update(_endpoints)
            .where(self._mine, _endpoints.c.project_id == project_id, _endpoints.c.status == EndpointStatus.ACTIVE)
            .values(last_seen_at=at)
        )

    async def description(self, project_id: str) -> Row | None:
        """`shared`: what the operations of the project share; `location`: where it was found."""
        query = select(_descriptions.c.shared, _descriptions.c.location).where(
            _descriptions.c.workspace_id == self._workspace_id, _descriptions.c.project_id == project_id
        )
        return (await self._session.execute(query)).mappings().first()

    async def save_description(self, values: Row) -> None:
        await self._session.merge(DescriptionRecord(**values, workspace_id=self._workspace_id))

    async def delete_of_project(self, project_id: str) -> None:
        for table in (_endpoints, _descriptions):
            await self._session.execute(
                delete(table).where(table.c.workspace_id == self._workspace_id, table.c.project_id == project_id)
            )


def _batches(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
