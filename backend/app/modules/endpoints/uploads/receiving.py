"""A file comes in: to a file of this machine while it comes, and once it is whole and known into the database.

So a slow sender holds no transaction, what is refused never meets the database, and what breaks off leaves nothing. The
chunks are stored in short transactions, because on SQLite a long one would hold up every other writer.
"""

import asyncio
import errno
import hashlib
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, Final

import structlog
from fastapi import Request
from starlette.requests import ClientDisconnect

from backend.app.core.context import ServiceContext
from backend.app.core.permissions import Principal
from backend.app.core.runtime import Runtime
from backend.app.core.views import MAX_BODY
from backend.app.extensions.scratch import scratch_folder
from backend.app.modules.endpoints.discovery.captures.reading import display_name
from backend.app.modules.endpoints.looking.reading import recognise_file
from backend.app.modules.endpoints.uploads.errors import NoSpace, UploadBroken, UploadTooLarge, UploadTooSlow, WrongForm
from backend.app.modules.endpoints.uploads.multipart import FormFile, MalformedForm
from backend.app.modules.endpoints.uploads.schemas import UploadRead
from backend.app.modules.endpoints.uploads.service import CHUNK, Received, UploadService
from backend.app.modules.projects.service import ProjectService

log = structlog.get_logger(module_id="endpoints")

GRACE_S: Final = 60.0
SLOWEST: Final = 16 * 1024
"""Bytes a second that a file has to come with on average, once `GRACE_S` are over."""
_FRAME: Final = 64 * 1024
"""Bytes of a form around its file."""


class Reception:
    def __init__(self, runtime: Runtime, principal: Principal, request_id: str) -> None:
        self._runtime = runtime
        self._principal = principal
        self._request_id = request_id

    async def receive(self, project_id: str, name: str, request: Request) -> UploadRead:
        """`name` is what the file is called, for people; of a form it may be left to the form.

        Raises `ProjectNotFound`, and the errors of uploads.
        """
        async with self._transaction(write=False) as context:
            await ProjectService(context).get(project_id)
        async with _temporary_file() as file:
            taken = await self._take(request, file)
            kind = await recognise_file(Path(file.name))
            shown = display_name(name or taken.name, "upload")
            return await self._store(project_id, Received(shown, kind, taken.size, taken.sha256), file)

    async def _take(self, request: Request, file: IO[bytes]) -> "_Taken":
        most = self._runtime.settings.storage.max_upload_bytes
        request.scope[MAX_BODY] = sys.maxsize  # counted here, so that the answer names the limit
        if int(request.headers.get("content-length", "0")) > most + _FRAME:
            raise _too_large(most)
        taken = _Taken(file, most)
        form = _form_of(request)
        loop = asyncio.get_running_loop()
        started = loop.time()
        came = 0
        try:
            async with asyncio.timeout(GRACE_S) as patience:
                async for piece in request.stream():
                    came += len(piece)
                    if came > most + _FRAME:
                        raise _too_large(most)
                    patience.reschedule(started + GRACE_S + came / SLOWEST)
                    await taken.add(piece if form is None else form.feed(piece))
                if form is not None:
                    form.close()
                    taken.name = form.name
                await taken.finish()
        except TimeoutError:
            raise UploadTooSlow from None
        except (ClientDisconnect, MalformedForm) as error:
            raise UploadBroken(str(error)) from None
        except OSError as error:
            raise _no_space(error) from None
        return taken

    async def _store(self, project_id: str, received: Received, file: IO[bytes]) -> UploadRead:
        async with self._transaction() as context:
            upload_id = await UploadService(context).begin(project_id, received)
        try:
            await asyncio.to_thread(file.seek, 0)
            number = 0
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                async with self._transaction() as context:
                    await UploadService(context).add_chunk(upload_id, number, chunk)
                number += 1
            async with self._transaction() as context:
                return await UploadService(context).complete(project_id, upload_id)
        except BaseException:
            await asyncio.shield(self._abandon(project_id, upload_id))
            raise

    async def _abandon(self, project_id: str, upload_id: str) -> None:
        """What cannot be removed now, because the database is away or full, expires."""
        try:
            async with self._transaction() as context:
                await UploadService(context).abandon(project_id, upload_id)
        except Exception:
            log.exception("upload.not_abandoned", upload_id=upload_id)

    @asynccontextmanager
    async def _transaction(self, *, write: bool = True) -> AsyncIterator[ServiceContext]:
        runtime = self._runtime
        async with runtime.database.transaction(self._principal.workspace_id, write=write) as session:
            yield ServiceContext(
                runtime.settings, session, runtime.hub, self._principal, runtime.clock, self._request_id
            )


class _Taken:
    """What has come of a file."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self.name = ""
        self.size = 0
        self._most = most
        self._file = file
        self._digest = hashlib.sha256()
        self._pending = bytearray()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def add(self, piece: bytes) -> None:
        """Raises `UploadTooLarge`."""
        self.size += len(piece)
        if self.size > self._most:
            raise _too_large(self._most)
        self._pending += piece
        if len(self._pending) >= CHUNK:
            await self._write()

    async def finish(self) -> None:
        await self._write()
        await asyncio.to_thread(self._file.flush)

    async def _write(self) -> None:
        content, self._pending = bytes(self._pending), bytearray()
        await asyncio.to_thread(self._keep, content)

    def _keep(self, content: bytes) -> None:
        self._digest.update(content)
        self._file.write(content)


@asynccontextmanager
async def _temporary_file() -> AsyncIterator[IO[bytes]]:
    async with AsyncExitStack() as stack:
        try:
            folder = await stack.enter_async_context(scratch_folder("upload"))
            file = (folder / "file").open("w+b")
        except OSError as error:
            raise _no_space(error) from None
        stack.callback(_close, file)
        yield file


def _close(file: IO[bytes]) -> None:
    try:
        file.close()
    except OSError:
        return  # what is buffered and does not fit is not wanted any more


def _form_of(request: Request) -> FormFile | None:
    """Raises `WrongForm`."""
    content_type = request.headers.get("content-type", "application/octet-stream")
    match content_type.partition(";")[0].strip().lower():
        case "application/octet-stream":
            return None
        case "multipart/form-data":
            return FormFile(content_type)
    raise WrongForm


def _too_large(most: int) -> UploadTooLarge:
    return UploadTooLarge(f"the limit is {most} bytes")


def _no_space(error: OSError) -> Exception:
    return NoSpace() if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else error
