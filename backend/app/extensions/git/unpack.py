"""From a bare repository to a folder of plain files, without git's own checkout: no attribute, filter, symbolic link or
submodule is looked at.

`git ls-tree` says what there is and `git cat-file` gives the bytes, as a stream: memory does not grow with the number
of files.
"""

import asyncio
import os
import re
import subprocess
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Final

from backend.app.extensions.git.command import Job, kill_group
from backend.app.extensions.git.errors import GitError, Reason
from backend.app.extensions.git.limits import MAX_FILE_BYTES, MIB
from backend.app.extensions.git.rules import is_safe

_CHUNK: Final = 1 << 16
_BATCH: Final = 200
"""Objects that are asked for at once: their ids fit into a pipe, so that nobody waits for the other."""
_LONGEST_PATH: Final = 1 << 16
_NAMED: Final = 100
"""Entries that were passed over and are named."""
_ENTRY = re.compile(rb"(\d{6}) (\w+) ([0-9a-f]{40,64})\t(.+)", re.DOTALL)
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_MAX_POINTER: Final = 1024
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
    work = _Work(job, f"{commit}:{subfolder}" if subfolder else commit, target)
    running = asyncio.create_task(asyncio.to_thread(work.do))
    try:
        async with asyncio.timeout(job.limits.deadline_s):
            return await asyncio.shield(running)
    except TimeoutError:
        raise GitError(Reason.TOO_SLOW, f"the files took longer than {job.limits.deadline_s:g} s") from None
    finally:
        work.stop()
        await asyncio.gather(running, return_exceptions=True)


class _Work:
    """In a thread of its own; `stop` ends it soon, from any other."""

    def __init__(self, job: Job, treeish: str, target: Path) -> None:
        self._job = job
        self._treeish = treeish
        self._target = target
        self._made: set[bytes] = set()
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._stopped = False
        self._done = Unpacked()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for child in self._children:
                if child.returncode is None:
                    kill_group(child.pid)

    def do(self) -> Unpacked:
        limit = self._job.limits.max_files
        with closing(self._entries()) as entries:
            if sum(1 for _ in islice(entries, limit + 1)) > limit:
                raise GitError(Reason.TOO_MANY_FILES, f"the repository has more than {limit} files")
        self._target.mkdir()
        with (
            closing(self._entries()) as entries,
            self._git("cat-file", "--batch-command", "--buffer") as reader,
        ):
            wanted = self._wanted(entries)
            assert reader.stdin  # noqa: S101 - for the type checker
            assert reader.stdout  # noqa: S101
            while batch := list(islice(wanted, _BATCH)):
                try:
                    reader.stdin.write(b"".join(b"contents %b\n" % entry.object_id for entry in batch) + b"flush\n")
                    reader.stdin.flush()
                except OSError:
                    raise _unreadable() from None
                for entry in batch:
                    self._take(entry, reader.stdout)
        return self._done

    def _wanted(self, entries: Iterable[tuple[bytes, _Entry]]) -> Iterator[_Entry]:
        for mode, entry in entries:
            if mode == _LINK:
                self._done.skip(entry.path, "symlink")
            elif mode == _SUBMODULE:
                self._done.skip(entry.path, "submodule")
            elif not _is_plain(entry.path):
                self._done.skip(entry.path, "name")
            else:
                yield entry

    def _entries(self) -> Generator[tuple[bytes, _Entry], None, None]:
        """Mode and entry of everything that is no folder. Raises `GitError` (SUBFOLDER_NOT_FOUND, FAILED)."""
        with self._git("ls-tree", "-r", "-z", "--full-tree", self._treeish) as lister:
            assert lister.stdout  # noqa: S101
            empty = True
            for record in _records(lister.stdout):
                found = _ENTRY.fullmatch(record)
                if found is None:
                    raise _unreadable()
                empty = False
                yield found[1], _Entry(found[3], found[4])
            if lister.wait():
                if empty and ":" in self._treeish and not self._stopped:
                    raise GitError(Reason.SUBFOLDER_NOT_FOUND, "the branch has no such folder")
                raise _unreadable()

    def _take(self, entry: _Entry, source: IO[bytes]) -> None:
        """Writes one file, whose bytes come next. A missing one was larger than what is fetched."""
        _, _, facts = source.readline(200).strip().partition(b" ")
        if facts == b"missing":
            self._done.skip(entry.path, "too_large")
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
            self._done.skip(entry.path, "too_large")
            return
        data = source.read(size + 1)[:size]
        if len(data) < size:
            raise _unreadable()
        if size <= _MAX_POINTER and data.startswith(_POINTER):
            self._done.skip(entry.path, "lfs_pointer")
            return
        self._done.size += size
        if self._done.size > self._job.limits.max_bytes:
            raise GitError(Reason.TOO_LARGE, f"the files have more than {self._job.limits.max_bytes // MIB} MiB")
        if self._write(entry.path, data):
            self._done.files += 1
        else:
            self._done.skip(entry.path, "name")

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
        except OSError:
            return False
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return True

    def _git(self, *arguments: str) -> "_Child":
        with self._lock:
            if self._stopped:
                raise _unreadable()
            child = _Child(self._job, arguments)
            self._children.append(child)
            return child


class _Child(subprocess.Popen[bytes]):
    """git on the repository, as the leader of a group that ends with the block."""

    def __init__(self, job: Job, arguments: Sequence[str]) -> None:
        super().__init__(
            job.command(job.local(*arguments), seconds=job.limits.deadline_s, fed=True),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=job.folder,
            env=job.environment(online=False),
            start_new_session=True,
        )

    def __exit__(self, *error: object) -> None:
        if self.poll() is None:
            kill_group(self.pid)
        for pipe in (self.stdin, self.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self.wait()


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


def _unreadable() -> GitError:
    return GitError(Reason.FAILED, "git could not read the files of the repository")
