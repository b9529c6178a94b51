"""Folders for what is on its way. They go when their work ends; of a process that was killed, another one removes them.

A folder is locked (flock(2)) as long as its process lives: the kernel lets go of the lock of one that is killed.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

_PREFIX: Final = "touchstone-scratch-"
_YOUNG_S: Final = 60.0
"""Whoever makes a folder has locked it by then."""


@asynccontextmanager
async def scratch_folder(purpose: str, *, below: Path | None = None) -> AsyncIterator[Path]:
    """A new folder below `below` (default: that of temporary files), for its owner alone. Raises `OSError`."""
    making = asyncio.create_task(asyncio.to_thread(_make, purpose, below))
    try:
        yield (await asyncio.shield(making))[0]
    finally:
        await asyncio.shield(asyncio.create_task(_end(making)))


def remove_abandoned(below: Path | None = None) -> int:
    """Removes the folders of processes that are gone. Answers how many there were."""
    removed = 0
    for folder in (below or Path(tempfile.gettempdir())).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if found.st_uid != os.geteuid() or time.time() - found.st_mtime < _YOUNG_S:
                continue
            lock = _locked(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
            removed += not folder.exists()
    return removed


def _make(purpose: str, below: Path | None) -> tuple[Path, int]:
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-", dir=below))
    try:
        return folder, _locked(folder)
    except OSError:
        folder.rmdir()
        raise


def _locked(folder: Path) -> int:
    """What holds the lock until it is closed. Raises `OSError` where somebody else holds it, and for a link."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


async def _end(making: "asyncio.Task[tuple[Path, int]]") -> None:
    """Also of a folder whose maker was cancelled meanwhile."""
    with suppress(OSError):
        folder, lock = await making
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        os.close(lock)
