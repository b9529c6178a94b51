"""Gets what strategies read files from: uploads out of the database, repositories out of git."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from backend.app.core.runner import JobContext
from backend.app.extensions.git import GitError, checked_out
from backend.app.extensions.http_client.configure import outgoing_policy
from backend.app.modules.endpoints.discovery import Document, Kind, Material, Subject
from backend.app.modules.endpoints.looking.look import Part
from backend.app.modules.endpoints.looking.reading import unpack_archive
from backend.app.modules.endpoints.looking.tools import watched
from backend.app.modules.endpoints.service import DiscoveryService
from backend.app.modules.endpoints.uploads.archives import ArchiveError
from backend.app.modules.endpoints.uploads.errors import UploadNotFound
from backend.app.modules.endpoints.uploads.recognition import SOURCE_ARCHIVE
from backend.app.modules.endpoints.uploads.service import UploadService
from backend.app.modules.projects.git.service import SourceOrder


@dataclass(slots=True)
class Gathered:
    """`subject` with all that could be got, and `parts` for what could not."""

    subject: Subject
    parts: list[Part] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)
    """What was read of git sources, by their ids."""

    def fail(self, strategy: str, kind: Kind, code: str, message: str, where: str) -> None:
        self.parts.append(Part(strategy, kind, error={"code": code, "message": message, "where": where}))


@asynccontextmanager
async def gathered(
    subject: Subject, project_id: str, uploads: Sequence[str], orders: Sequence[SourceOrder], job: JobContext
) -> AsyncIterator[Gathered]:
    """The files are there until the context ends."""
    got = Gathered(subject)
    async with AsyncExitStack() as stack:
        if uploads:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="touchstone-discovery-")))
            for number, upload_id in enumerate(uploads):
                await job.progress(number, len(uploads), "reading uploads")
                await _add_upload(got, project_id, upload_id, folder, job)
            got.subject = await _settled(got.subject, project_id, job)
        for number, order in enumerate(orders):
            tell = partial(job.progress, number, len(orders), f"cloning {order.order.name}")
            await _add_checkout(got, order, stack, job, tell)
        yield got


async def _add_upload(got: Gathered, project_id: str, upload_id: str, folder: Path, job: JobContext) -> None:
    try:
        async with job.transaction(write=False) as context:
            service = UploadService(context)
            upload = await service.get(project_id, upload_id)
            path = await service.materialise(project_id, upload_id, folder)
    except UploadNotFound as error:
        got.fail("openapi", Kind.DOCUMENT, error.code, "The upload is gone: hand the file in again", upload_id)
        return
    subject = got.subject
    if upload.kind == SOURCE_ARCHIVE:
        tree = folder / f"{upload.id}.d"
        try:
            tree.mkdir()
            await unpack_archive(path, tree, progress=lambda done, total: job.progress(done, total, "unpacking"))
        except ArchiveError as error:
            got.fail("source", Kind.CODE, error.code, error.message, upload.name)
            return
        got.subject = replace(subject, trees=(*subject.trees, Material(upload.name, tree)))
    elif upload.kind.startswith("capture-"):
        got.subject = replace(subject, captures=(*subject.captures, Material(upload.name, path)))
    else:
        document = Document(upload.name, await asyncio.to_thread(path.read_bytes))
        got.subject = replace(subject, documents=(*subject.documents, document))


async def _settled(subject: Subject, project_id: str, job: JobContext) -> Subject:
    """A description that is alone is the project's, unless the project has several and one of them has this name."""
    if len(subject.documents) != 1 or subject.document is not None:
        return subject
    (document,) = subject.documents
    async with job.transaction(write=False) as context:
        if await DiscoveryService(context).has_document(project_id, document.name):
            return subject
    return replace(subject, document=document.content, documents=())


async def _add_checkout(
    got: Gathered, order: SourceOrder, stack: AsyncExitStack, job: JobContext, tell: Callable[[], Awaitable[None]]
) -> None:
    await tell()
    cloning = stack.enter_async_context(checked_out(order.order, outgoing_policy(job.settings)))
    try:
        checkout = await watched(cloning, tell)
    except GitError as error:
        got.fail("source", Kind.CODE, error.reason, error.message, order.order.name)
        return
    got.commits[order.source_id] = checkout.commit
    got.subject = replace(
        got.subject, trees=(*got.subject.trees, Material(checkout.name, checkout.path, order.source_id))
    )
