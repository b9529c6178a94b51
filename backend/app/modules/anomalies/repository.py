"""All SQL of anomalies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.insert import insert_or_ignore_many
from backend.app.db.rows import ListQuery
from backend.app.modules.anomalies.detectors import MetricType
from backend.app.modules.anomalies.models import AnomalyRecord
from backend.app.modules.anomalies.schemas import AnomalyRead

_anomalies: Any = AnomalyRecord.__table__
_ANOMALIES = select(*(_anomalies.c[name] for name in AnomalyRead.model_fields))
_LIST = ListQuery(
    _ANOMALIES.where(_anomalies.c.workspace_id == bindparam("workspace")),
    {
        **{
            name: _anomalies.c[name] == bindparam(name)
            for name in ("project_id", "scan_id", "endpoint_id", "metric_type", "is_anomalous")
        },
        "before": _anomalies.c.id < bindparam("before"),
    },
    _anomalies.c.id.desc(),
)


@dataclass(frozen=True, slots=True)
class AnomalyFilter:
    is_anomalous: bool = True
    metric_type: MetricType | None = None
    endpoint_id: str | None = None


class AnomalyRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._mine = _anomalies.c.workspace_id == workspace_id

    async def page(
        self,
        wanted: AnomalyFilter,
        before: str | None,
        limit: int,
        *,
        project_id: str | None = None,
        scan_id: str | None = None,
    ) -> Sequence[Row]:
        """Newest first."""
        return await _LIST.fetch(
            self._session,
            limit=limit,
            workspace=self._workspace_id,
            before=before,
            project_id=project_id,
            scan_id=scan_id,
            is_anomalous=wanted.is_anomalous,
            metric_type=wanted.metric_type,
            endpoint_id=wanted.endpoint_id,
        )

    async def get(self, anomaly_id: str) -> Row | None:
        query = _ANOMALIES.where(self._mine, _anomalies.c.id == anomaly_id)
        return (await self._session.execute(query)).mappings().first()

    async def add(self, rows: Sequence[Row]) -> set[str]:
        """Answers the ids of those that were not there yet."""
        rows = [{**row, "workspace_id": self._workspace_id} for row in rows]
        return await insert_or_ignore_many(self._session, AnomalyRecord, rows)

    async def latest_scan(self, project_id: str) -> str | None:
        """The latest one that was judged."""
        query = select(func.max(_anomalies.c.scan_id)).where(self._mine, _anomalies.c.project_id == project_id)
        latest: str | None = await self._session.scalar(query)
        return latest

    async def forget_usual(self, project_id: str, before: str) -> None:
        """Removes what was usual in scans `before` this one."""
        usual = ~_anomalies.c.is_anomalous & (_anomalies.c.scan_id < before)
        await self._session.execute(delete(_anomalies).where(self._mine, _anomalies.c.project_id == project_id, usual))

    async def delete_of_project(self, project_id: str) -> None:
        await self._session.execute(delete(_anomalies).where(self._mine, _anomalies.c.project_id == project_id))
