"""Files of strangers, read in processes of their own (`extensions.sandbox`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from backend.app.extensions.sandbox import Heard, ReaderFailed, run_reader
from backend.app.modules.endpoints.discovery.captures.codec import report_from_json
from backend.app.modules.endpoints.discovery.captures.model import CaptureError, CaptureReport
from backend.app.modules.endpoints.uploads.archives import ArchiveError, ArchiveLimits, Unpacked
from backend.app.modules.endpoints.uploads.errors import UnsupportedFile, UnusableFile

_CAPTURES: Final = "backend.app.modules.endpoints.discovery.captures"
_UPLOADS: Final = "backend.app.modules.endpoints.uploads"
MEMORY: Final = 1 << 30
"""Bytes of address space of the child."""
SECONDS: Final = 600.0
"""For a capture of the largest size (1 GiB) on a slow machine."""

RECOGNITION_SECONDS: Final = 60.0


async def read_capture_file(
    path: Path,
    *,
    name: str = "",
    base_url: str | None = None,
    known: Sequence[str] = (),
    progress: Heard | None = None,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> CaptureReport:
    """What `captures.reading.read_capture` reads of a file or a folder. `progress` is called with the bytes (files of a
    folder) that were read and that there are; what it raises ends the reading.

    Raises `CaptureError`: what `read_capture` raises, and `capture.too_slow`, `capture.too_much_memory`,
    `capture.parser_died`.
    """
    order = {"path": str(path), "name": name or path.name, "base_url": base_url, "known": [*known]}
    try:
        answer = await run_reader(_CAPTURES, order, seconds=seconds, memory=memory, heard=progress)
    except ReaderFailed as failure:
        raise CaptureError(f"capture.{failure.reason}", failure.message) from None
    if "report" not in answer:
        raise CaptureError(answer["code"], answer["message"], answer["where"])
    return report_from_json(answer["report"])


async def recognise_file(path: Path) -> str:
    """What `uploads.recognition.kind_of` says. Raises `UnsupportedFile` and `UnusableFile`."""
    try:
        answer = await run_reader(_UPLOADS, {"path": str(path)}, seconds=RECOGNITION_SECONDS, memory=MEMORY)
    except ReaderFailed as failure:
        raise UnusableFile.because(f"upload.{failure.reason}", failure.message) from None
    if "kind" not in answer:
        refusal = UnsupportedFile if answer["code"] == UnsupportedFile.code else UnusableFile
        raise refusal.because(answer["code"], answer["message"])
    return str(answer["kind"])


async def unpack_archive(
    path: Path, folder: Path, *, progress: Heard | None = None, seconds: float = SECONDS
) -> Unpacked:
    """Unpacks source code into an empty folder, as `uploads.archives.unpack` says. Raises `ArchiveError`."""
    order = {"path": str(path), "folder": str(folder), "written": ArchiveLimits().file_bytes}
    try:
        answer = await run_reader(_UPLOADS, order, seconds=seconds, memory=MEMORY, heard=progress)
    except ReaderFailed as failure:
        raise ArchiveError(f"archive.{failure.reason}", failure.message) from None
    if "unpacked" not in answer:
        raise ArchiveError(answer["code"], answer["message"])
    return Unpacked(**answer["unpacked"])
