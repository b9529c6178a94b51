"""All SQL of git sources.

`GitSourceRepository` sees the sources of one workspace; `DeliveryRepository` finds one for whoever delivers, before it
is known whose it is.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.insert import insert_or_ignore
from backend.app.modules.projects.models import GitDeliveryRecord, GitSourceRecord, LeftWebhookRecord, ProjectRecord

_SOURCES = select(*GitSourceRecord.__table__.columns)
_LEFT = [column.name for column in LeftWebhookRecord.__table__.columns]


class GitSourceRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._mine = GitSourceRecord.workspace_id == workspace_id

    async def page(self, project_id: str, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        query = _SOURCES.where(self._mine, GitSourceRecord.project_id == project_id)
        if before is not None:
            query = query.where(GitSourceRecord.id < before)
        rows = await self._session.execute(query.order_by(GitSourceRecord.id.desc()).limit(limit))
        return rows.mappings().all()

    async def get(self, project_id: str, source_id: str, *, lock: bool = False) -> Row | None:
        """`lock`: nobody else changes it until the transaction ends."""
        query = _SOURCES.where(self._mine, GitSourceRecord.project_id == project_id, GitSourceRecord.id == source_id)
        return (await self._session.execute(query.with_for_update() if lock else query)).mappings().first()

    async def some(self, project_id: str, ids: Collection[str] | None) -> Sequence[Row]:
        """Those of `ids`, or all, oldest first."""
        query = _SOURCES.where(self._mine, GitSourceRecord.project_id == project_id)
        if ids is not None:
            query = query.where(GitSourceRecord.id.in_(ids))
        return (await self._session.execute(query.order_by(GitSourceRecord.id))).mappings().all()

    async def add(self, values: Mapping[str, Any]) -> bool:
        """False when the name is taken."""
        keyed = {**values, "workspace_id": self._workspace_id, "name_key": values["name"].casefold()}
        return await insert_or_ignore(self._session, GitSourceRecord, keyed)

    async def edit(self, source_id: str, values: Mapping[str, Any]) -> bool:
        """The next version of the source. False when the name is taken."""
        keyed = {"name_key": values["name"].casefold()} if "name" in values else {}
        try:
            async with self._session.begin_nested():
                await self.note(source_id, {**values, **keyed, "version": GitSourceRecord.version + 1})
        except IntegrityError:
            return False
        return True

    async def note(self, source_id: str, values: Mapping[str, Any], *, of: Mapping[str, Any] | None = None) -> None:
        """What is no edit of a person's; of a source that has the values `of`."""
        mine = update(GitSourceRecord).where(self._mine, GitSourceRecord.id == source_id)
        same = (getattr(GitSourceRecord, name) == value for name, value in (of or {}).items())
        kept = {} if "updated_at" in values else {"updated_at": GitSourceRecord.updated_at}
        await self._session.execute(mine.where(*same).values(**values, **kept))

    async def leave_webhooks(self, project_id: str, source_id: str | None = None) -> None:
        """Keeps what the provider has to be told about the webhooks of a source, or of all, that is about to go."""
        wanted = select(*(getattr(GitSourceRecord, name) for name in _LEFT)).where(
            self._mine, GitSourceRecord.project_id == project_id, GitSourceRecord.hook_id.is_not(None)
        )
        if source_id is not None:
            wanted = wanted.where(GitSourceRecord.id == source_id)
        await self._session.execute(insert(LeftWebhookRecord).from_select(_LEFT, wanted))

    async def left_webhooks(self, project_id: str, source_id: str | None = None) -> Sequence[Row]:
        query = select(*LeftWebhookRecord.__table__.columns).where(
            LeftWebhookRecord.workspace_id == self._workspace_id, LeftWebhookRecord.project_id == project_id
        )
        if source_id is not None:
            query = query.where(LeftWebhookRecord.id == source_id)
        return (await self._session.execute(query)).mappings().all()

    async def forget_webhook(self, source_id: str) -> None:
        mine = (LeftWebhookRecord.workspace_id == self._workspace_id) & (LeftWebhookRecord.id == source_id)
        await self._session.execute(delete(LeftWebhookRecord).where(mine))

    async def remove(self, source_id: str) -> bool:
        statement = delete(GitSourceRecord).where(self._mine, GitSourceRecord.id == source_id)
        return cast(CursorResult[Any], await self._session.execute(statement)).rowcount == 1


class DeliveryRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def source(self, source_id: str) -> Row | None:
        """With `project_status`."""
        query = _SOURCES.add_columns(ProjectRecord.status.label("project_status"))
        mine = query.join(ProjectRecord, ProjectRecord.id == GitSourceRecord.project_id)
        return (await self._session.execute(mine.where(GitSourceRecord.id == source_id))).mappings().first()

    async def drop_expired(self, source_id: str, now: datetime) -> None:
        expired = (GitDeliveryRecord.source_id == source_id) & (GitDeliveryRecord.expires_at <= now)
        await self._session.execute(delete(GitDeliveryRecord).where(expired))

    async def add(self, values: Mapping[str, Any]) -> bool:
        """False when it came before."""
        return await insert_or_ignore(self._session, GitDeliveryRecord, values)
