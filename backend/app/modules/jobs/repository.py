"""All SQL of the jobs list."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.outbox import EventRecord, JobRecord, JobStatus
from backend.app.modules.jobs.schemas import JobRead

_OF_THE_EVENT = {"event_name": EventRecord.name, "project_id": EventRecord.project_id}
_COLUMNS = [
    (_OF_THE_EVENT[name] if name in _OF_THE_EVENT else getattr(JobRecord, name)).label(name)
    for name in JobRead.model_fields
]
_JOBS = select(*_COLUMNS).join(EventRecord, EventRecord.id == JobRecord.event_id)


@dataclass(frozen=True, slots=True)
class JobFilter:
    status: JobStatus | None = None
    queue: str | None = None
    handler: str | None = None
    event_id: str | None = None
    project_id: str | None = None


class JobRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._mine = JobRecord.workspace_id == workspace_id

    async def page(self, wanted: JobFilter, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        query = _JOBS.where(self._mine)
        for name in ("status", "queue", "handler", "event_id"):
            if (value := getattr(wanted, name)) is not None:
                query = query.where(getattr(JobRecord, name) == value)
        if wanted.project_id is not None:
            query = query.where(EventRecord.project_id == wanted.project_id)
        if before is not None:
            query = query.where(JobRecord.id < before)
        return (await self._session.execute(query.order_by(JobRecord.id.desc()).limit(limit))).mappings().all()

    async def get(self, job_id: str) -> Row | None:
        return (await self._session.execute(_JOBS.where(self._mine, JobRecord.id == job_id))).mappings().first()

    async def subject(self, job_id: str) -> tuple[str, str]:
        """What the job's event is about: (type, id)."""
        query = select(EventRecord.entity_type, EventRecord.entity_id).join(
            JobRecord, JobRecord.event_id == EventRecord.id
        )
        row = (await self._session.execute(query.where(self._mine, JobRecord.id == job_id))).one()
        return row.entity_type, row.entity_id
