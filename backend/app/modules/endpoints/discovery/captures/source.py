"""The bytes of a capture: a file, a folder, an archive or what was handed in, read piece by piece."""

import codecs
import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeAlias

from backend.app.engine.spec.limits import DocumentLimits
from backend.app.engine.spec.model import Json, SpecError
from backend.app.engine.spec.parse import parse_document
from backend.app.modules.endpoints.discovery.captures.model import CaptureError, CaptureLimits

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes that were read and those that there are, now and then. What it raises ends the reading."""

_HEAD = 1 << 16
_CHUNK = 1 << 20
_HARMLESS = 8 << 20
"""Bytes that anything may unpack to."""
_ZIP = b"PK\x03\x04"
_GZIP = b"\x1f\x8b\x08"
_AS_GZIP = zlib.MAX_WBITS | 16


class Source:
    """`data` is a file, a folder or content."""

    def __init__(self, data: Path | bytes, limits: CaptureLimits, progress: Progress) -> None:
        self.limits = limits
        self._data = data
        self._progress = progress

    @cached_property
    def is_folder(self) -> bool:
        return isinstance(self._data, Path) and self._data.is_dir()

    @cached_property
    def head(self) -> bytes:
        """The beginning; empty for a folder and an archive. Of a file in an archive by itself, and of one that was
        compressed by gzip (RFC 1952), the beginning of what was packed."""
        if self.is_folder:
            return b""
        with self._open() as file:
            start = file.read(_HEAD)
        if start.startswith(_ZIP):
            start = next(self.chunks(), b"")[:_HEAD] if self._only_member else b""
        elif start.startswith(_GZIP):
            start = _beginning(start)
        return start.removeprefix(codecs.BOM_UTF8)

    @cached_property
    def top(self) -> frozenset[str]:
        """The names of what stands right in the folder; none for a file and an archive."""
        if not self.is_folder:
            return frozenset()
        assert isinstance(self._data, Path)  # noqa: S101
        try:
            return frozenset(each.name for each in self._data.iterdir())
        except OSError as error:
            raise _unreadable(error) from None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The files of a folder or an archive, in order; none for a file."""
        if self.is_folder:
            try:
                return tuple(sorted(self._walk()))
            except OSError as error:
                raise _unreadable(error) from None
        return () if self._only_member is not None else self._packed

    @cached_property
    def _packed(self) -> tuple[str, ...]:
        """The files of an archive, in order."""
        with self._open() as file:
            if file.read(4) != _ZIP:
                return ()
            with _archive(file) as archive:
                return tuple(sorted(each.filename for each in self._members(archive)))

    @cached_property
    def _only_member(self) -> str | None:
        """The file of an archive with one, unless its kind is one of many: then it is that file, compressed."""
        return self._packed[0] if len(self._packed) == 1 and not self._packed[0].endswith(".bru") else None

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces, unpacked. Raises `CaptureError`: `capture.too_large`, `capture.bad_archive`."""
        with self._open() as file:
            size = file.seek(0, io.SEEK_END)
            if size > self.limits.bytes:
                raise CaptureError("capture.too_large", f"{size} bytes; the limit is {self.limits.bytes}")
            file.seek(0)
            start = file.read(4)
            file.seek(0)
            if start.startswith(_GZIP):
                yield from self._limited(file, _gunzipped(file), size)
            elif start == _ZIP and self._only_member is not None:
                with _archive(file) as archive:
                    yield from self._limited(file, _unzipped(archive, self._only_member), size)
            else:
                yield from self._limited(file, iter(lambda: file.read(_CHUNK), b""), size)

    def _limited(self, file: BinaryIO, pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
        done = 0
        for piece in pieces:
            done += len(piece)
            if done > self.limits.bytes:
                raise CaptureError("capture.too_large", f"more than {self.limits.bytes} bytes, once it is unpacked")
            if done > max(self.limits.ratio * size, _HARMLESS):
                raise CaptureError(
                    "capture.too_compressed", f"it unpacks to more than {self.limits.ratio} times its size"
                )
            self._progress(file.tell(), size)
            yield piece

    def text(self) -> Iterator[str]:
        """The content in pieces of text. Raises `CaptureError` `capture.not_utf8` with the place of the first byte."""
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        done = 0
        for chunk in self.chunks():
            pending = len(decoder.getstate()[0])
            try:
                yield decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise _not_utf8(done - pending + error.start) from None
            done += len(chunk)
        if pending := len(decoder.getstate()[0]):
            raise _not_utf8(done - pending)

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        """Each line with its number from 1; None in place of one that is longer than an entry may be."""
        rest, number, overlong = b"", 1, False
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield number, None if overlong or len(line) > self.limits.entry_bytes else line
                number, overlong = number + 1, False
            if len(rest) > self.limits.entry_bytes:
                rest, overlong = b"", True
        if rest or overlong:
            yield number, None if overlong else rest

    def content(self) -> bytes:
        """The whole. Raises `CaptureError` `capture.too_large`."""
        limit = self.limits.document_bytes
        content = bytearray()
        for chunk in self.chunks():
            content += chunk
            if len(content) > limit:
                raise CaptureError("capture.too_large", f"more than {limit} bytes, which is the limit of this format")
        return bytes(content)

    def document(self) -> dict[str, Json]:
        """The whole content as JSON or YAML. Raises `CaptureError`."""
        return self.parsed(self.content())

    def parsed(self, content: bytes) -> dict[str, Json]:
        """A text as JSON or YAML. Raises `CaptureError`."""
        limits = DocumentLimits(bytes=self.limits.document_bytes, nodes=self.limits.nodes)
        try:
            return parse_document(content, limits)
        except SpecError as error:
            raise CaptureError(error.code.replace("spec.", "capture."), error.message, error.where) from None

    def files(self) -> Iterator[tuple[str, bytes | None]]:
        """Of a folder or an archive, in order: the path and the content; None where it is too large or unreadable."""
        limit = self.limits.document_bytes
        total = len(self.names)
        if self.is_folder:
            assert isinstance(self._data, Path)  # noqa: S101
            for done, name in enumerate(self.names):
                self._progress(done, total)
                yield name, _content(self._data / name, limit)
            return
        with self._open() as file, _archive(file) as archive:
            # The size of the file bounds what a short one may unpack to.
            left = min(self.limits.bytes, max(self.limits.ratio * file.seek(0, io.SEEK_END), _HARMLESS))
            for done, member in enumerate(sorted(self._members(archive), key=lambda each: each.filename)):
                self._progress(done, total)
                content = _extracted(archive, member, min(limit, left))
                left -= len(content or b"")
                yield member.filename, content

    def _open(self) -> BinaryIO:
        try:
            return self._data.open("rb") if isinstance(self._data, Path) else io.BytesIO(self._data)
        except OSError as error:
            raise _unreadable(error) from None

    def _walk(self) -> Iterator[str]:
        assert isinstance(self._data, Path)  # noqa: S101
        folders, seen = [self._data], 0
        while folders:
            for each in sorted(folders.pop().iterdir()):
                if each.is_symlink() or each.name in ("node_modules", ".git"):
                    continue
                seen += 1
                if seen > self.limits.files:
                    raise CaptureError("capture.too_many_files", f"more than {self.limits.files} files")
                if each.is_dir():
                    folders.append(each)
                elif each.is_file():
                    yield each.relative_to(self._data).as_posix()

    def _members(self, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        members = archive.infolist()
        if len(members) > self.limits.files:
            raise CaptureError("capture.too_many_files", f"more than {self.limits.files} files")
        return [
            each
            for each in members
            if not each.is_dir()
            and not stat.S_ISLNK(each.external_attr >> 16)
            and ".." not in PurePosixPath(each.filename).parts
        ]


def _beginning(start: bytes) -> bytes:
    try:
        return zlib.decompressobj(_AS_GZIP).decompress(start, _HEAD)
    except zlib.error:
        return b""


def _gunzipped(file: BinaryIO) -> Iterator[bytes]:
    """Of all members, one behind the other (RFC 1952, 2.2)."""
    unpacking, pending = zlib.decompressobj(_AS_GZIP), b""
    while pending or (pending := file.read(_CHUNK)):
        if unpacking.eof:
            if not pending.startswith(_GZIP[:1]):
                return  # padding
            unpacking = zlib.decompressobj(_AS_GZIP)
        try:
            piece = unpacking.decompress(pending, _CHUNK)
        except zlib.error:
            raise CaptureError("capture.bad_archive", "the compressed data are damaged") from None
        pending = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
        if piece:
            yield piece
    if not unpacking.eof:
        raise CaptureError("capture.bad_archive", "the compressed data end too early")


def _unzipped(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    try:
        with archive.open(name) as member:
            while piece := member.read(_CHUNK):
                yield piece
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError):
        raise CaptureError("capture.bad_archive", f"{name} cannot be unpacked") from None


def _archive(file: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, RuntimeError, ValueError, OSError):
        raise CaptureError("capture.bad_archive", "the archive cannot be read") from None


def _extracted(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes | None:
    # What the directory of the archive says of sizes is not to be trusted.
    try:
        with archive.open(member) as file:
            content = file.read(limit + 1)
    except Exception:  # whatever zlib, lzma, the password or a wrong header make of it
        return None
    return content if len(content) <= limit else None


def _content(path: Path, limit: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError:
        return None
    return content if len(content) <= limit else None


def _unreadable(error: OSError) -> CaptureError:
    return CaptureError("capture.unreadable", f"cannot be read: {error.strerror}")


def _not_utf8(byte: int) -> CaptureError:
    return CaptureError("capture.not_utf8", f"byte {byte} is not UTF-8", f"byte {byte}")
