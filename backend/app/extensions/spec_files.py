"""Descriptions in files of this machine, which may be split over several files of one folder."""

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

from backend.app.engine.spec.limits import DEFAULT_LIMITS, DocumentLimits
from backend.app.engine.spec.model import ApiDescription
from backend.app.engine.spec.outline import OUTLINE_BYTES
from backend.app.engine.spec.references import NotLoaded
from backend.app.extensions.sandbox import Load, read_description


async def read_spec_file(
    path: Path, limits: DocumentLimits = DEFAULT_LIMITS, *, listing: bool = False
) -> ApiDescription:
    """What the file describes; what it refers to is read from its folder and the folders below. For a `listing` a large
    one is read as its outline.

    Raises `SpecError`, as `read_description` does, and `OSError` when the file itself cannot be read.
    """
    folder, data = await asyncio.to_thread(lambda: (path.absolute().parent.resolve(), path.read_bytes()))
    where = (folder / path.name).as_uri()
    outlined = listing and len(data) > OUTLINE_BYTES
    return await read_description(
        data, where=where, load=below_folder(folder, limits), outlined=outlined, limits=limits
    )


def below_folder(folder: Path, limits: DocumentLimits = DEFAULT_LIMITS) -> Load:
    """Hands out the files of a folder, which is given without links, and of those below, by `file:` URIs. A link that
    leads out of the folder is refused."""

    async def load(uri: str) -> bytes:
        parts = urlsplit(uri)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            raise NotLoaded("only files are read from a file")
        return await asyncio.to_thread(_beside, unquote(parts.path), folder, limits.bytes)

    return load


def _beside(name: str, folder: Path, most: int) -> bytes:
    try:
        target = Path(name).resolve(strict=True)
        if not target.is_relative_to(folder):
            raise NotLoaded("it is not below the folder of the description")
        if not target.is_file():
            raise NotLoaded("it is no file")
        if target.stat().st_size > most:
            raise NotLoaded(f"it has more than {most} bytes")
        return target.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise NotLoaded((reason or "it cannot be read").lower()) from None
