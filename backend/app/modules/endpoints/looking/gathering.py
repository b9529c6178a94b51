"""Gets what strategies read files from: uploads out of the database, repositories out of git."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from backend.app.core.runner import JobContext
from backend.app.engine.spec.model import Fault
from backend.app.extensions.git import GitError, checked_out
from backend.app.extensions.http_client.configure import outgoing_policy
from backend.app.extensions.scratch import scratch_folder
from backend.app.modules.endpoints.discovery import Document, Kind, Material, Subject
from backend.app.modules.endpoints.inventory.reconcile import DOCUMENTS
from backend.app.modules.endpoints.looking import left_out
from backend.app.modules.endpoints.looking.look import Part
from backend.app.modules.endpoints.looking.reading import unpack_archive
from backend.app.modules.endpoints.looking.tools import watched
from backend.app.modules.endpoints.service import DiscoveryService
from backend.app.modules.endpoints.uploads.archives import ArchiveError
from backend.app.modules.endpoints.uploads.errors import UploadNotFound
from backend.app.modules.endpoints.uploads.recognition import SOURCE_ARCHIVE
from backend.app.modules.endpoints.uploads.service import UploadService
from backend.app.modules.projects.git.service import SourceOrder

MOST_SOURCE: Final = 4 << 30
"""Bytes of source code, after which a discovery takes no further tree: all of them lie on the disk at once."""


@dataclass(slots=True)
class Gathered:
    """`subject` with all that could be got, and `parts` for what could not."""

    subject: Subject
    parts: list[Part] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)
    """What was read of git sources, by their ids."""
    names: set[tuple[str, str]] = field(default_factory=set)
    """Strategies and names of descriptions and uploads: what one of them says replaces what the one of its name said
    before."""
    read_by: dict[str, str] = field(default_factory=dict)
    """The strategy that reads an upload, by the upload's id."""
    notes: dict[str, tuple[Fault, ...]] = field(default_factory=dict)
    """What is missing of a tree, by its slot."""
    source_bytes: int = 0

    def fail(self, strategy: str, kind: Kind, code: str, message: str, where: str) -> None:
        self.parts.append(Part(strategy, kind, error={"code": code, "message": message, "where": where}))

    def has_room(self, where: str) -> bool:
        if self.source_bytes < MOST_SOURCE:
            return True
        message = f"The sources before it have {MOST_SOURCE >> 30} GiB: read this one in a discovery of its own"
        self.fail("source", Kind.CODE, "discovery.too_much_source", message, where)
        return False

    def add_tree(self, tree: Material, size: int, notes: Iterable[Fault]) -> None:
        self.subject = replace(self.subject, trees=(*self.subject.trees, tree))
        self.source_bytes += size
        self.notes[tree.slot or tree.name] = tuple(notes)

    def told(self, parts: Sequence[Part]) -> list[Part]:
        """All parts: `parts` of the looks, with what is missing of the trees, and those of this one."""
        noted = (left_out.noted(part, self.notes.get(part.found.slot, ()) if part.found else ()) for part in parts)
        return [*self.parts, *noted]

    def read_uploads(self, parts: Sequence[Part]) -> list[str]:
        """Those that a strategy could read, and all that it was to read."""
        failed = {part.strategy for part in parts if part.error}
        read = {part.strategy for part in parts if part.found} - failed
        return [upload_id for upload_id, strategy in self.read_by.items() if strategy in read]


@asynccontextmanager
async def gathered(
    subject: Subject, project_id: str, uploads: Sequence[str], orders: Sequence[SourceOrder], job: JobContext
) -> AsyncIterator[Gathered]:
    """The files are there until the context ends."""
    got = Gathered(subject, names={(strategy, each.name) for each in subject.documents for strategy in DOCUMENTS})
    async with AsyncExitStack() as stack:
        if uploads:
            folder = await stack.enter_async_context(scratch_folder("discovery"))
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
    strategy, kind = _reader_of(upload.kind)
    if (strategy, upload.name) in got.names:
        message = "Another file of this discovery is called the same: hand it in under a name of its own"
        got.fail(strategy, kind, "discovery.same_name", message, upload.name)
        return
    got.names.add((strategy, upload.name))
    subject = got.subject
    if kind is Kind.CODE:
        if not got.has_room(upload.name):
            return
        tree = folder / f"{upload.id}.d"
        try:
            tree.mkdir()
            unpacked = await unpack_archive(
                path, tree, progress=lambda done, total: job.progress(done, total, "unpacking")
            )
        except ArchiveError as error:
            got.fail(strategy, kind, error.code, error.message, upload.name)
            return
        got.add_tree(Material(upload.name, tree), unpacked.bytes, left_out.of_archive(unpacked))
    elif kind is Kind.TRAFFIC:
        got.subject = replace(subject, captures=(*subject.captures, Material(upload.name, path)))
    else:
        document = Document(upload.name, await asyncio.to_thread(path.read_bytes))
        got.subject = replace(subject, documents=(*subject.documents, document))
    got.read_by[upload.id] = strategy


def _reader_of(kind: str) -> tuple[str, Kind]:
    """The strategy that reads an upload of this kind."""
    if kind == SOURCE_ARCHIVE:
        return "source", Kind.CODE
    return ("capture", Kind.TRAFFIC) if kind.startswith("capture-") else (kind, Kind.DOCUMENT)


async def _settled(subject: Subject, project_id: str, job: JobContext) -> Subject:
    """A description that is alone is the project's, unless the project has several and one of them has this name."""
    if len(subject.documents) != 1 or subject.document is not None:
        return subject
    (document,) = subject.documents
    if document.spec_url is not None:
        return subject
    async with job.transaction(write=False) as context:
        if await DiscoveryService(context).has_document(project_id, document.name):
            return subject
    return replace(subject, document=document.content, documents=())


async def _add_checkout(
    got: Gathered, order: SourceOrder, stack: AsyncExitStack, job: JobContext, tell: Callable[[], Awaitable[None]]
) -> None:
    if not got.has_room(order.order.name):
        return
    await tell()
    cloning = stack.enter_async_context(checked_out(order.order, outgoing_policy(job.settings)))
    try:
        checkout = await watched(cloning, tell)
    except GitError as error:
        got.fail("source", Kind.CODE, error.reason, error.message, order.order.name)
        return
    got.commits[order.source_id] = checkout.commit
    tree = Material(checkout.name, checkout.path, order.source_id)
    got.add_tree(tree, checkout.size, left_out.of_checkout(checkout))
