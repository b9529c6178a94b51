"""The rules of uploads: who sees them, how the discovery gets at them, and when they go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.pagination import Page, PageRequest, Row
from backend.app.modules.endpoints.uploads.errors import TooManyUploads, UploadNotFound
from backend.app.modules.endpoints.uploads.events import UploadCreated, UploadDeleted, Why
from backend.app.modules.endpoints.uploads.repository import UploadRepository, expired
from backend.app.modules.endpoints.uploads.schemas import UploadRead
from backend.app.modules.projects.service import ProjectService

CHUNK: Final = 1 << 20
"""Bytes of a row. The last one of an upload may have fewer."""
AT_ONCE: Final = 8
"""Uploads of the largest size that a workspace may have at a time."""
KEPT: Final = timedelta(hours=24)
_BROKEN_AFTER: Final = timedelta(hours=1)
"""An upload that is incomplete for so long will not be completed: it is stored in seconds, after it came as a whole."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file that came as a whole."""

    name: str
    kind: str
    size: int
    sha256: str


class UploadService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._uploads = UploadRepository(context.session, context.workspace_id)

    async def page(self, project_id: str, request: PageRequest) -> Page[UploadRead]:
        """Raises `ProjectNotFound` and `InvalidCursor`."""
        await ProjectService(self._context).get(project_id)
        rows = await self._uploads.page(project_id, request.after(), request.limit + 1)
        return request.page(rows, "id")

    async def get(self, project_id: str, upload_id: str) -> UploadRead:
        """Raises `UploadNotFound`."""
        row = await self._uploads.get(project_id, upload_id)
        if row is None:
            raise UploadNotFound
        return UploadRead.model_validate(dict(row))

    async def delete(self, project_id: str, upload_id: str) -> None:
        """It is gone at once; its bytes follow when `drop_chunks` hears of it. Raises `UploadNotFound`."""
        upload = await self.get(project_id, upload_id)
        await self._remove(upload.id, project_id, upload.name, Why.ASKED)

    async def release(self, project_id: str, upload_ids: Sequence[str]) -> None:
        """A discovery has read them. Those that are gone already are passed over."""
        for upload_id in upload_ids:
            row = await self._uploads.get(project_id, upload_id)
            if row is not None:
                await self._remove(upload_id, project_id, row["name"], Why.READ)

    async def forget_project(self, project_id: str) -> None:
        for upload_id in await self._uploads.ids_of(project_id):
            await self._remove(upload_id, project_id, "", Why.PROJECT_DELETED)

    async def expire(self, upload: Row) -> None:
        """One of `expired_uploads`."""
        why = Why.EXPIRED if upload["complete"] else Why.INCOMPLETE
        await self._remove(upload["id"], upload["project_id"], upload["name"], why)

    async def materialise(self, project_id: str, upload_id: str, folder: Path) -> Path:
        """Writes the bytes into a file in the folder, which is named by the id. In a transaction that only reads it
        holds nobody up. Raises `UploadNotFound`, also when it goes meanwhile."""
        upload = await self.get(project_id, upload_id)
        path, number, written = folder / upload.id, 0, 0
        with path.open("xb") as file:
            while written < upload.size:
                content = await self._uploads.chunk(upload.id, number)
                if not content:
                    raise UploadNotFound
                written += file.write(content)
                number += 1
        return path

    async def begin(self, project_id: str, file: Received) -> str:
        """The id of an upload that nobody sees yet. Raises `ProjectNotFound`, `TooManyUploads` and, of an archived
        project, its conflict."""
        await ProjectService(self._context).get_active(project_id)
        most = AT_ONCE * self._context.settings.storage.max_upload_bytes
        if await self._uploads.total() + file.size > most:
            raise TooManyUploads(f"the uploads of a workspace may have {most} bytes together")
        upload_id = new_ulid()
        await self._uploads.add(
            id=upload_id,
            project_id=project_id,
            name=file.name,
            kind=file.kind,
            size=file.size,
            sha256=file.sha256,
            complete=False,
            created_at=self._context.clock(),
        )
        return upload_id

    async def add_chunk(self, upload_id: str, number: int, content: bytes) -> None:
        await self._uploads.add_chunk(upload_id, number, content)

    async def complete(self, project_id: str, upload_id: str) -> UploadRead:
        """Raises `UploadNotFound` when the project went meanwhile."""
        if not await self._uploads.complete(upload_id):
            raise UploadNotFound
        upload = await self.get(project_id, upload_id)
        event = UploadCreated(
            upload_id=upload.id,
            project_id=project_id,
            label=upload.name,
            kind=upload.kind,
            size=upload.size,
            sha256=upload.sha256,
        )
        await self._context.hub.publish(event, self._context)
        return upload

    async def abandon(self, project_id: str, upload_id: str) -> None:
        """It could not be stored as a whole."""
        await self._remove(upload_id, project_id, "", Why.INCOMPLETE)

    async def remove_chunks(self, upload_id: str) -> bool:
        """Some of them. Whether there may be more."""
        return await self._uploads.remove_chunks(upload_id)

    async def _remove(self, upload_id: str, project_id: str, name: str, why: Why) -> None:
        if await self._uploads.remove(upload_id):
            event = UploadDeleted(upload_id=upload_id, project_id=project_id, label=name, reason=why)
            await self._context.hub.publish(event, self._context)


async def expired_uploads(context: ServiceContext) -> Sequence[Row]:
    """Some of those of every workspace whose time is over, and of those that broke off."""
    now = context.clock()
    return await expired(context.session, now - KEPT, now - _BROKEN_AFTER)
