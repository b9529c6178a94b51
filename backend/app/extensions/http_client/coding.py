"""Content codings (RFC 9110, 8.4): removed step by step, so that a small body cannot become a large memory."""

import zlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

import brotli

ACCEPTED = "gzip, deflate, br"
STEP = 64 * 1024
MAX_CODINGS = 4
MAX_MEMBERS = 1000

Decoder: TypeAlias = Callable[[bytes], Iterator[bytes]]


class BodyTooLarge(Exception):
    """The decoded body passes the limit."""


class BadCoding(Exception):
    """The body is not what its `Content-Encoding` says; the message names the coding."""


def decode(body: bytes, content_encoding: str, limit: int) -> bytes:
    """The body without its codings, the last one applied removed first. An unknown coding ends the work: what lies
    beneath cannot be read, and the bytes as received say more than an error. Raises `BodyTooLarge`, `BadCoding`."""
    codings = [name for part in content_encoding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if len(codings) > MAX_CODINGS:
        raise BadCoding(f"the body has {len(codings)} content codings, one in the other")
    for coding in reversed(codings):
        decoder = DECODERS.get(coding)
        if decoder is None or not body:
            break
        pieces: list[bytes] = []
        size = 0
        try:
            for piece in decoder(body):
                size += len(piece)
                if size > limit:
                    raise BodyTooLarge
                pieces.append(piece)
        except (zlib.error, brotli.error, EOFError):
            raise BadCoding(f"the body is not valid {coding}") from None
        body = b"".join(pieces)
    return body


def _inflate(body: bytes, window: int) -> Iterator[bytes]:
    """gzip may hold several members, one after the other (RFC 1952, 2.2); other bytes at the end are ignored."""
    decompressor = zlib.decompressobj(window)
    members = 1
    for start in range(0, len(body), STEP):
        pending = body[start : start + STEP]
        while pending:
            if decompressor.eof:
                if window != GZIP or not pending.startswith(b"\x1f"):
                    return
                members += 1
                if members > MAX_MEMBERS:
                    raise EOFError
                decompressor = zlib.decompressobj(window)
            yield decompressor.decompress(pending, STEP)
            pending = decompressor.unused_data if decompressor.eof else decompressor.unconsumed_tail
    while not decompressor.eof:
        piece = decompressor.decompress(b"", STEP)
        if not piece:
            raise EOFError
        yield piece


def _gzip(body: bytes) -> Iterator[bytes]:
    return _inflate(body, GZIP)


def _deflate(body: bytes) -> Iterator[bytes]:
    """zlib (RFC 1950), or the bare deflate stream that some servers send under the same name."""
    zlib_header = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _inflate(body, zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS)


def _brotli(body: bytes) -> Iterator[bytes]:
    decompressor = brotli.Decompressor()
    piece = decompressor.process(body, output_buffer_limit=STEP)
    while piece:
        yield piece
        piece = b"" if decompressor.is_finished() else decompressor.process(b"", output_buffer_limit=STEP)
    if not decompressor.is_finished():
        raise EOFError


GZIP = 16 + zlib.MAX_WBITS
DECODERS: dict[str, Decoder] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli}
