"""Archives of strangers, unpacked into a folder: ZIP, and tar plain or compressed by gzip, bzip2 or xz.

Only files and folders are made, readable and writable for their owner alone. Links, devices and what is too large are
left out; a path that leads out of the folder, or that is absolute, refuses the whole archive (CWE-22). What counts is
what comes out, not what the archive says of itself.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

Progress: TypeAlias = Callable[[int, int], None]

_PIECE: Final = 1 << 18
_HARMLESS: Final = 32 << 20
"""Bytes that anything may unpack to."""
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_ENCRYPTED: Final = 1
_END_OF_ZIP: Final = 22 + 0xFFFF + 76
"""Bytes at the end of a ZIP in which its last records stand."""
_LONGEST_ENTRY: Final = 400
"""Bytes of an entry of a ZIP's directory, on average over all of them."""
_LONGEST_LINK: Final = 4096
_LONGEST_NAME: Final = 255
"""Bytes of one part of a path."""
_DEEPEST: Final = 60
_DAMAGED: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,  # a password is needed, or the compression is not known
    ValueError,
)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    entries: int = 250_000
    bytes: int = 2 << 30
    """Of all files together, unpacked."""
    file_bytes: int = 64 << 20
    """Of one file. A larger one is left out."""
    ratio: int = 200
    """How many times its own size the archive may unpack to."""


class ArchiveError(Exception):
    """The archive is refused as a whole. `code` is `archive.<reason>`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Unpacked:
    files: int = 0
    bytes: int = 0
    archives: int = 0
    """Files that are archives themselves, which nobody opens."""
    left_out: dict[str, int] = field(default_factory=dict)
    """How many, by the reason."""

    def leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def is_archive(path: Path) -> bool:
    """Whether the content is that of a ZIP or a tar archive."""
    with path.open("rb") as file:
        if file.read(4) in _ZIP:
            return True
    return _is_tar(path)


def is_archive_magic(start: bytes) -> bool:
    """Whether the first bytes are those of an archive or of something compressed."""
    return start[:4] in _ZIP or start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")) or start[257:262] == b"ustar"


def refuse_long_directory(file: BinaryIO, limits: ArchiveLimits = ArchiveLimits()) -> None:
    """Before all of a ZIP's directory is read into memory (APPNOTE 4.3.16): what its end says of it. Raises
    `ArchiveError` `archive.too_many_entries`."""
    start = file.read(4)
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _END_OF_ZIP))
    end = file.read()
    file.seek(0)
    at = end.rfind(b"PK\x05\x06")
    if start not in _ZIP or at < 0 or len(end) < at + 16:
        return
    directory = int.from_bytes(end[at + 12 : at + 16], "little")
    if directory > limits.entries * _LONGEST_ENTRY or (directory == 0xFFFFFFFF and size > 0xFFFFFFFF):
        raise ArchiveError("archive.too_many_entries", f"more than {limits.entries} entries")
    if int.from_bytes(end[at + 10 : at + 12], "little") == 0xFFFF:  # ZIP64 says how many
        more = end.rfind(b"PK\x06\x06", 0, at)
        if more >= 0 and int.from_bytes(end[more + 32 : more + 40], "little") > limits.entries:
            raise ArchiveError("archive.too_many_entries", f"more than {limits.entries} entries")


def _refuse_unsafe_link(target: str, name: str) -> None:
    """A link is never made; one that leads out shows what the archive is for."""
    path = target.replace("\\", "/")
    if path.startswith("/") or path[1:2] == ":":
        raise ArchiveError("archive.unsafe_link", "a link in the archive leads out of it")
    depth = len([part for part in name.replace("\\", "/").split("/")[:-1] if part not in ("", ".")])
    for part in path.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            raise ArchiveError("archive.unsafe_link", "a link in the archive leads out of it")


def inspect(path: Path, limits: ArchiveLimits = ArchiveLimits()) -> None:
    """Reads all of it and writes nothing. Raises what `unpack` raises, and `ArchiveError` `archive.only_archives`."""
    looked_at = _run(path, _Unpacking(None, limits, path.stat().st_size), lambda done, total: None)
    if looked_at.files and looked_at.files == looked_at.archives:
        raise ArchiveError("archive.only_archives", "the archive holds nothing but archives")


def unpack(
    path: Path,
    folder: Path,
    limits: ArchiveLimits = ArchiveLimits(),
    progress: Progress = lambda done, total: None,
) -> Unpacked:
    """Into a folder that is empty. `progress` is called with the bytes of the archive that were read and that it has.

    Raises `ArchiveError`: `archive.unknown_format`, `.damaged`, `.encrypted`, `.unsafe_path`, `.unsafe_link`,
    `.too_many_entries`, `.too_large`, `.too_compressed`.
    """
    return _run(path, _Unpacking(folder, limits, path.stat().st_size), progress)


def _run(path: Path, unpacking: "_Unpacking", progress: Progress) -> Unpacked:
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            refuse_long_directory(file, unpacking.limits)
            for name, content in _members(file, unpacking.result.leave_out):
                unpacking.add(name, content)
                progress(min(file.tell(), size), size)
    except _DAMAGED as error:
        raise ArchiveError("archive.damaged", f"the archive cannot be read: {type(error).__name__}") from None
    except OSError as error:
        if error.errno is None:  # gzip.BadGzipFile
            raise ArchiveError("archive.damaged", "the archive cannot be read") from None
        raise
    return unpacking.result


Content: TypeAlias = Callable[[], BinaryIO] | None
"""Opens it; None for a folder."""


def _members(file: BinaryIO, leave_out: Callable[[str], None]) -> Iterator[tuple[str, Content]]:
    """The files and folders, in the order of the archive."""
    if file.read(2) == b"PK":
        yield from _of_zip(file, leave_out)
        return
    file.seek(0)
    if not _is_tar_stream(_plain(file)):
        raise ArchiveError("archive.unknown_format", "neither a ZIP nor a tar archive")
    file.seek(0)
    with tarfile.open(fileobj=_plain(file), mode="r|") as archive:
        for member in archive:
            if member.isdir():
                yield member.name, None
            elif member.issym() or member.islnk():
                # The name of a hard link is told from the top of the archive.
                _refuse_unsafe_link(member.linkname, member.name if member.issym() else "")
                leave_out("a link, a device or another special file")
            elif not member.isreg() or member.issparse():
                leave_out("a link, a device or another special file")
            else:
                yield member.name, lambda member=member: archive.extractfile(member) or io.BytesIO()  # type: ignore[misc]


def _of_zip(file: BinaryIO, leave_out: Callable[[str], None]) -> Iterator[tuple[str, Content]]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.flag_bits & _ENCRYPTED:
                raise ArchiveError("archive.encrypted", "a password is needed")
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind == stat.S_IFLNK:
                with archive.open(member) as link:
                    _refuse_unsafe_link(link.read(_LONGEST_LINK).decode(errors="replace"), member.filename)
            if member.is_dir():
                yield member.filename, None
            elif kind not in (0, stat.S_IFREG):
                leave_out("a link, a device or another special file")
            else:
                yield member.filename, lambda member=member: archive.open(member)  # type: ignore[misc]


class _Unpacking:
    """`folder` None writes nothing."""

    def __init__(self, folder: Path | None, limits: ArchiveLimits, size: int) -> None:
        self.result = Unpacked()
        self.limits = limits
        self._folder = folder
        self._most = max(limits.ratio * size, _HARMLESS)
        self._entries = 0

    def add(self, name: str, content: Content) -> None:
        self._entries += 1
        if self._entries > self.limits.entries:
            raise ArchiveError("archive.too_many_entries", f"more than {self.limits.entries} entries")
        parts = _parts_of(name)
        if not parts:
            return
        if len(parts) > _DEEPEST or any(len(os.fsencode(part)) > _LONGEST_NAME for part in parts):
            self.result.leave_out("a path that is too long")
            return
        if self._folder is None:
            if content is not None:
                self._copy(content, None)
            return
        target = self._folder.joinpath(*parts)
        try:
            (target if content is None else target.parent).mkdir(mode=0o700, parents=True, exist_ok=True)
            if content is not None:
                self._write(target, content)
        except (FileExistsError, NotADirectoryError):
            # No link was made, so what is in the way is a file or a folder of the archive.
            self.result.leave_out("a name that is taken")

    def _write(self, target: Path, content: Callable[[], BinaryIO]) -> None:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            whole = self._copy(content, file)
        if not whole:
            target.unlink()

    def _copy(self, content: Callable[[], BinaryIO], file: BinaryIO | None) -> bool:
        """False for a file that is too large."""
        written = 0
        with content() as source:
            while piece := source.read(_PIECE):
                if not written and is_archive_magic(piece):
                    self.result.archives += 1
                written += len(piece)
                self.result.bytes += len(piece)
                if self.result.bytes > self.limits.bytes:
                    raise ArchiveError("archive.too_large", f"it unpacks to more than {self.limits.bytes} bytes")
                if self.result.bytes > self._most:
                    raise ArchiveError(
                        "archive.too_compressed", f"it unpacks to more than {self.limits.ratio} times its size"
                    )
                if file is not None and written <= self.limits.file_bytes:
                    file.write(piece)
        if written > self.limits.file_bytes:
            self.result.leave_out("a file that is too large")
            return False
        self.result.files += 1
        return True


def _parts_of(name: str) -> list[str]:
    """Raises `ArchiveError` `archive.unsafe_path`."""
    path = name.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\0" in path or (parts and parts[0][1:2] == ":"):
        raise ArchiveError("archive.unsafe_path", "a path in the archive leads out of it")
    return parts


def _plain(file: BinaryIO) -> BinaryIO:
    """What was compressed, in a stream."""
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(file)  # type: ignore[return-value]
    if magic == b"\xfd7zXZ\x00":
        return lzma.LZMAFile(file)  # type: ignore[return-value]
    return file


def _is_tar(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            return _is_tar_stream(_plain(file))
        except (*_DAMAGED, OSError):
            return False


def _is_tar_stream(file: BinaryIO) -> bool:
    return file.read(512)[257:262] == b"ustar"
