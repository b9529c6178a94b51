"""From a bare repository to a folder of plain files, without git's own checkout: no attribute, filter, symbolic link or
submodule is looked at.

`git ls-tree` says what there is and `git cat-file` gives the bytes, as a stream: memory does not grow with the number
of files.
"""

import asyncio
import errno
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Final, ParamSpec, TypeVar

from backend.app.extensions.git.command import Job
from backend.app.extensions.git.errors import GitError, Reason
from backend.app.extensions.git.limits import MAX_FILE_BYTES, MIB
from backend.app.extensions.git.rules import is_safe
from backend.app.extensions.processes import Process

P = ParamSpec("P")
T = TypeVar("T")

_CHUNK: Final = 1 << 16
_BATCH: Final = 200
"""Objects that are asked for at once: their ids fit into a pipe, so that nobody waits for the other."""
_LONGEST_PATH: Final = 1 << 16
_NAMED: Final = 100
"""Entries that were passed over and are named."""
_ENTRY = re.compile(rb"(\d{6}) (\w+) ([0-9a-f]{40,64})\t(.+)", re.DOTALL)
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_MAX_POINTER: Final = 1024
_NO_SUCH_NAMES: Final = frozenset(
    {errno.EEXIST, errno.EILSEQ, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR}
)
_LINK, _SUBMODULE = b"120000", b"160000"


@dataclass(frozen=True, slots=True)
class Skipped:
    path: str
    """As it may be shown: control and direction characters are escaped."""
    why: str
    """`lfs_pointer`, `name`, `submodule`, `symlink` or `too_large`."""


@dataclass
class Unpacked:
    files: int = 0
    size: int = 0
    """Bytes of all files."""
    skipped: list[Skipped] = field(default_factory=list)
    skipped_count: int = 0

    def skip(self, path: bytes, why: str) -> None:
        self.skipped_count += 1
        if len(self.skipped) < _NAMED:
            self.skipped.append(Skipped(shown(path), why))


@dataclass(frozen=True, slots=True)
class _Entry:
    object_id: bytes
    path: bytes


async def unpack(job: Job, commit: str, subfolder: str, target: Path) -> Unpacked:
    """Writes the files below `subfolder` of `commit` below `target`, which must not be there. Raises `GitError`."""
    listing = ("ls-tree", "-r", "-z", "--full-tree", f"{commit}:{subfolder}" if subfolder else commit)
    work = _Work(job, target)
    try:
        async with asyncio.timeout(job.limits.deadline_s):
            async with _git(job, *listing) as (lister, _, entries):
                empty = await _in_thread([lister], work.count, entries) == 0
                if await lister.wait():
                    raise _no_folder() if empty and subfolder else _unreadable()
            async with (
                _git(job, *listing) as (lister, _, entries),
                _git(job, "cat-file", "--batch-command", "--buffer") as (reader, questions, answers),
            ):
                await _in_thread([lister, reader], work.write, entries, questions, answers)
    except TimeoutError:
        raise GitError(Reason.TOO_SLOW, f"the files took longer than {job.limits.deadline_s:g} s") from None
    return work.done


@asynccontextmanager
async def _git(job: Job, *arguments: str) -> AsyncIterator[tuple[Process, IO[bytes], IO[bytes]]]:
    """git as it reads the repository, the pipe that it is asked through, and the one that it answers through."""
    stdin, asks = os.pipe()
    answers, stdout = os.pipe()
    # Unbuffered: what git did not take any more is not tried again when the pipe is closed.
    with os.fdopen(asks, "wb", buffering=0) as questions, os.fdopen(answers, "rb") as output:
        async with AsyncExitStack() as stack:
            try:
                process = await stack.enter_async_context(job.reading(*arguments, stdin=stdin, stdout=stdout))
            finally:
                os.close(stdin)
                os.close(stdout)
            yield process, questions, output


async def _in_thread(processes: Sequence[Process], function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Who is cancelled ends the processes, for which the thread waits, and then waits for the thread."""
    running = asyncio.create_task(asyncio.to_thread(function, *given, **named))
    try:
        return await asyncio.shield(running)
    finally:
        if not running.done():
            for process in processes:
                process.kill()
            await asyncio.gather(running, return_exceptions=True)


class _Work:
    """What is done in a thread, with pipes that block."""

    def __init__(self, job: Job, target: Path) -> None:
        self._limits = job.limits
        self._target = target
        self._made: set[bytes] = set()
        self.done = Unpacked()

    def count(self, listing: IO[bytes]) -> int:
        limit = self._limits.max_files
        count = sum(1 for _ in islice(_records(listing), limit + 1))
        if count > limit:
            raise GitError(Reason.TOO_MANY_FILES, f"the repository has more than {limit} files")
        return count

    def write(self, listing: IO[bytes], questions: IO[bytes], answers: IO[bytes]) -> None:
        self._target.mkdir()
        wanted = self._wanted(listing)
        while batch := list(islice(wanted, _BATCH)):
            try:
                questions.write(b"".join(b"contents %b\n" % entry.object_id for entry in batch) + b"flush\n")
            except OSError:
                raise _unreadable() from None
            for entry in batch:
                self._take(entry, answers)

    def _wanted(self, listing: IO[bytes]) -> Iterator[_Entry]:
        for record in _records(listing):
            found = _ENTRY.fullmatch(record)
            if found is None:
                raise _unreadable()
            mode, _, object_id, path = found.groups()
            if mode == _LINK:
                self.done.skip(path, "symlink")
            elif mode == _SUBMODULE:
                self.done.skip(path, "submodule")
            elif not _is_plain(path):
                self.done.skip(path, "name")
            else:
                yield _Entry(object_id, path)

    def _take(self, entry: _Entry, source: IO[bytes]) -> None:
        """Writes one file, whose bytes come next. A missing one was larger than what is fetched."""
        _, _, facts = source.readline(200).strip().partition(b" ")
        if facts == b"missing":
            self.done.skip(entry.path, "too_large")
            return
        kind, _, digits = facts.partition(b" ")
        if kind != b"blob" or not digits.isdigit():
            raise _unreadable()
        size = int(digits)
        if size > MAX_FILE_BYTES:
            left = size + 1
            while left:
                if not (chunk := source.read(min(left, _CHUNK))):
                    raise _unreadable()
                left -= len(chunk)
            self.done.skip(entry.path, "too_large")
            return
        data = source.read(size + 1)[:size]
        if len(data) < size:
            raise _unreadable()
        if size <= _MAX_POINTER and data.startswith(_POINTER):
            self.done.skip(entry.path, "lfs_pointer")
            return
        self.done.size += size
        if self.done.size > self._limits.max_bytes:
            raise GitError(Reason.TOO_LARGE, f"the files have more than {self._limits.max_bytes // MIB} MiB")
        if self._write(entry.path, data):
            self.done.files += 1
        else:
            self.done.skip(entry.path, "name")

    def _write(self, path: bytes, data: bytes) -> bool:
        """False where the file system has no room for the name: too long, or taken by one that it reads alike."""
        folder, _, _ = path.rpartition(b"/")
        base = os.fsencode(self._target)
        try:
            if folder not in self._made:
                os.makedirs(base + b"/" + folder, exist_ok=True)  # noqa: PTH103 - names are bytes
                self._made.add(folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            descriptor = os.open(base + b"/" + path, flags, 0o600)
        except OSError as error:
            if error.errno in _NO_SUCH_NAMES:
                return False
            raise _no_space(error) from None
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        except OSError as error:
            raise _no_space(error) from None
        return True


def shown(path: bytes) -> str:
    text = path.decode(errors="backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _is_plain(path: bytes) -> bool:
    try:
        return all(map(is_safe, path.decode().split("/")))
    except UnicodeDecodeError:
        return False


def _records(pipe: IO[bytes]) -> Iterator[bytes]:
    """What stands between NULs."""
    rest = b""
    while chunk := os.read(pipe.fileno(), _CHUNK):
        *records, rest = (rest + chunk).split(b"\0")
        yield from records
        if len(rest) > _LONGEST_PATH:
            raise _unreadable()


def _no_folder() -> GitError:
    return GitError(Reason.SUBFOLDER_NOT_FOUND, "the branch has no such folder")


def _no_space(error: OSError) -> Exception:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return GitError(Reason.NO_SPACE, "there is no space left on this machine for the files")


def _unreadable() -> GitError:
    return GitError(Reason.FAILED, "git could not read the files of the repository")
