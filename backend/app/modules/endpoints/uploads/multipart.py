"""The one file of a `multipart/form-data` body, as it comes (RFC 7578; RFC 2046, 5.1)."""

import re
from typing import Final

_LONGEST_HEAD: Final = 16 * 1024
_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s";]{1,70}))', re.I)
_NAME: Final = re.compile(rb'filename="((?:[^"\\]|\\.)*)"', re.I | re.S)
_IS_FILE: Final = re.compile(rb"content-disposition:[^\r\n]*;\s*filename\*?=", re.I)


class MalformedForm(Exception):
    """The body is no form with one file."""


class FormFile:
    """Takes the body in pieces of any size, and gives those of the file."""

    def __init__(self, content_type: str) -> None:
        """Raises `MalformedForm` when the type names no boundary."""
        match = _BOUNDARY.search(content_type)
        if match is None:
            raise MalformedForm("the Content-Type names no boundary")
        self.name = ""
        """As the client called the file, once it was met."""
        self._delimiter = b"\r\n--" + (match[1] or match[2]).encode()
        self._pending = b"\r\n"  # the first delimiter has no line before it
        self._files = 0
        self._in_file = False
        self._in_head = False
        self._ended = False

    def feed(self, piece: bytes) -> bytes:
        """What of the file the piece brings. Raises `MalformedForm`."""
        self._pending += piece
        content = bytearray()
        while not self._ended:
            if not (self._head() if self._in_head else self._body(content)):
                break
        return bytes(content)

    def close(self) -> None:
        """Raises `MalformedForm` when the body ended early, or held no file."""
        if not self._ended:
            raise MalformedForm("the form ends within a part")
        if not self._files:
            raise MalformedForm("the form holds no file")

    def _body(self, content: bytearray) -> bool:
        """Up to the next delimiter. Whether it was found."""
        at = self._pending.find(self._delimiter)
        # What may be the beginning of a delimiter waits for the next piece.
        end = at if at >= 0 else max(0, len(self._pending) - len(self._delimiter) + 1)
        if self._in_file:
            content += self._pending[:end]
        if at < 0:
            self._pending = self._pending[end:]
            return False
        self._pending = self._pending[at + len(self._delimiter) :]
        self._in_head, self._in_file = True, False
        return True

    def _head(self) -> bool:
        """The rest of the line of the delimiter, and the headers of the part. Whether they are there as a whole."""
        if self._pending.startswith(b"--"):
            self._ended = True
            return False
        head, end, rest = self._pending.partition(b"\r\n\r\n")
        if not end:
            if len(self._pending) > _LONGEST_HEAD:
                raise MalformedForm("the headers of a part are too long")
            return False
        self._pending = rest
        self._in_head = False
        if _IS_FILE.search(head) is not None:
            self._files += 1
            if self._files > 1:
                raise MalformedForm("the form holds more than one file")
            self._in_file = True
            name = _NAME.search(head)
            self.name = name[1].decode(errors="replace") if name else ""
        return True
