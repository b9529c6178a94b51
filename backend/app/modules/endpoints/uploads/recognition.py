"""What a file is, by its content alone."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backend.app.engine.spec.parse import GRAPHQL_SDL, is_graphql_sdl
from backend.app.modules.endpoints.discovery.captures.reading import format_of
from backend.app.modules.endpoints.uploads.archives import ArchiveError, inspect, is_archive, refuse_long_directory

SOURCE_ARCHIVE: Final = "source-archive"

_PIECE: Final = 1 << 20
_OVERLAP: Final = 64
_BINARY: Final = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"SQLite format 3", "a database"),
)
# Members by their names, wherever they stand: others may be megabytes before them.
_MARKS: Final = (
    ("openapi", re.compile(rb'(?<![\\\w])"(?:openapi|swagger)"\s{0,20}:\s{0,20}"?[0-9]')),
    ("openapi", re.compile(rb"(?:\A|\n)[\"']?(?:openapi|swagger)[\"']?[ \t]{0,20}:[ \t]{0,20}[\"']?[0-9]")),
    ("graphql", re.compile(rb'(?<![\\\w])"__schema"\s{0,20}:\s{0,20}\{')),
)


class Unrecognised(Exception):
    """`code` is `upload.<reason>`: `unsupported` for a format of others, `not_text`, `empty`, `unknown_content`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def kind_of(path: Path) -> str:
    """`openapi`, `graphql`, `capture-har` (any of the formats of captures), `source-archive`. Raises `Unrecognised`; of
    an archive that `inspect` refuses, with its code."""
    with path.open("rb") as file:
        start = file.read(16)
        file.seek(0)
        try:
            refuse_long_directory(file)
        except ArchiveError as error:
            raise Unrecognised(error.code, error.message) from None
    if not start:
        raise Unrecognised("upload.empty", "the file is empty")
    for magic, what in _BINARY:
        if start.startswith(magic):
            raise Unrecognised("upload.unsupported", f"the content is {what}")
    if (capture := format_of(path)) is not None:
        return f"capture-{capture}"
    if is_archive(path):
        _refuse_documents(path)
        try:
            inspect(path)
        except ArchiveError as error:
            raise Unrecognised(error.code, error.message) from None
        return SOURCE_ARCHIVE
    found: dict[str, None] = {}
    is_sdl = False
    for number, text in enumerate(_texts(path)):
        is_sdl = is_sdl or (number == 0 and is_graphql_sdl(text.decode("utf-8-sig", errors="replace")))
        found.update((kind, None) for kind, mark in _MARKS if kind not in found and mark.search(text))
    for kind, _ in _MARKS:
        if kind in found:
            return kind
    if is_sdl:
        raise Unrecognised("upload.unsupported", f"the content is {GRAPHQL_SDL}")
    raise Unrecognised("upload.unknown_content", "the content is no spec, no capture and no archive of source code")


def _refuse_documents(path: Path) -> None:
    """Office documents are archives too (ECMA-376, part 2, and OpenDocument 1.3, part 2)."""
    with path.open("rb") as file:
        start = file.read(_PIECE)
    if start.startswith(b"PK") and (b"[Content_Types].xml" in start or b"mimetypeapplication/vnd.oasis" in start):
        raise Unrecognised("upload.unsupported", "the content is an office document")


def _texts(path: Path) -> Iterator[bytes]:
    """The content in pieces that overlap. Raises `Unrecognised` `upload.not_text` with the place of the first byte that
    no text in UTF-8 has."""
    decoder, done, rest = codecs.getincrementaldecoder("utf-8")(), 0, b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                raise _not_text(done - pending + error.start, "is not UTF-8") from None
            if (at := piece.find(0)) >= 0:
                raise _not_text(done + at, "is NUL")
            yield rest + piece
            done, rest = done + len(piece), piece[-_OVERLAP:]
    if pending := len(decoder.getstate()[0]):
        raise _not_text(done - pending, "is not UTF-8")


def _not_text(byte: int, fault: str) -> Unrecognised:
    return Unrecognised("upload.not_text", f"byte {byte} {fault}")
