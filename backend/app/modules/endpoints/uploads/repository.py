"""All SQL of uploads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.delete import delete_some
from backend.app.modules.endpoints.uploads.models import ChunkRecord, UploadRecord
from backend.app.modules.endpoints.uploads.schemas import UploadRead

_READ = select(*(getattr(UploadRecord, name) for name in UploadRead.model_fields))
CHUNKS_AT_ONCE = 16
_EXPIRED_AT_ONCE = 50


class UploadRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._mine = UploadRecord.workspace_id == workspace_id

    async def add(self, **values: Any) -> None:
        await self._session.execute(insert(UploadRecord).values(workspace_id=self._workspace_id, **values))

    async def add_chunk(self, upload_id: str, number: int, content: bytes) -> None:
        values = {"upload_id": upload_id, "number": number, "content": content, "workspace_id": self._workspace_id}
        await self._session.execute(insert(ChunkRecord), values)

    async def total(self) -> int:
        """Bytes of all uploads of the workspace."""
        query = select(func.coalesce(func.sum(UploadRecord.size), 0)).where(self._mine)
        return int((await self._session.execute(query)).scalar_one())

    async def complete(self, upload_id: str) -> bool:
        """Whether the row is there still."""
        statement = update(UploadRecord).where(self._mine, UploadRecord.id == upload_id).values(complete=True)
        rows = await self._session.execute(statement.returning(UploadRecord.id))
        return rows.first() is not None

    async def page(self, project_id: str, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        query = _READ.where(self._mine, UploadRecord.project_id == project_id, UploadRecord.complete.is_(True))
        if before is not None:
            query = query.where(UploadRecord.id < before)
        rows = await self._session.execute(query.order_by(UploadRecord.id.desc()).limit(limit))
        return rows.mappings().all()

    async def get(self, project_id: str, upload_id: str) -> Row | None:
        query = _READ.where(
            self._mine,
            UploadRecord.id == upload_id,
            UploadRecord.project_id == project_id,
            UploadRecord.complete.is_(True),
        )
        return (await self._session.execute(query)).mappings().first()

    async def remove(self, upload_id: str) -> bool:
        """The row, with which the upload is gone for everybody. Whether it was there."""
        statement = delete(UploadRecord).where(self._mine, UploadRecord.id == upload_id)
        return (await self._session.execute(statement.returning(UploadRecord.id))).first() is not None

    async def ids_of(self, project_id: str) -> Sequence[str]:
        query = select(UploadRecord.id).where(self._mine, UploadRecord.project_id == project_id)
        return (await self._session.execute(query)).scalars().all()

    async def remove_chunks(self, upload_id: str) -> bool:
        """Some of them. Whether there may be more."""
        mine = ChunkRecord.workspace_id == self._workspace_id
        removed = await delete_some(
            self._session, ChunkRecord, mine, ChunkRecord.upload_id == upload_id, limit=CHUNKS_AT_ONCE
        )
        return removed == CHUNKS_AT_ONCE

    async def chunk(self, upload_id: str, number: int) -> bytes | None:
        query = select(ChunkRecord.content).where(
            ChunkRecord.workspace_id == self._workspace_id,
            ChunkRecord.upload_id == upload_id,
            ChunkRecord.number == number,
        )
        return (await self._session.execute(query)).scalar_one_or_none()


async def expired(session: AsyncSession, before: datetime, broken_before: datetime) -> Sequence[Row]:
    """Of any workspace, some: those that were handed in before `before`, and those that are incomplete since
    `broken_before`."""
    too_old = (UploadRecord.created_at < before) | (
        (UploadRecord.created_at < broken_before) & UploadRecord.complete.is_(False)
    )
    query = select(
        UploadRecord.id, UploadRecord.workspace_id, UploadRecord.project_id, UploadRecord.name, UploadRecord.complete
    )
    return (await session.execute(query.where(too_old).limit(_EXPIRED_AT_ONCE))).mappings().all()
