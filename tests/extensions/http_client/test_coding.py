import gzip
import subprocess
import sys
import zlib
from contextlib import suppress

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.extensions.http_client.coding import BadCoding, BodyTooLarge, decode

ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
}


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


@given(st.binary(max_size=200_000), st.lists(st.sampled_from(sorted(ENCODERS)), min_size=1, max_size=3))
def test_what_was_encoded_is_decoded(body: bytes, codings: list[str]) -> None:
    encoded = body
    for coding in codings:
        encoded = ENCODERS[coding](encoded)
    assert decode(encoded, ", ".join(codings).upper(), 1_000_000) == body


@given(st.binary())
def test_deflate_without_its_zlib_header_is_read_too(body: bytes) -> None:
    assert decode(raw_deflate(body), "deflate", 1_000_000) == body


@given(st.binary(), st.sampled_from(sorted(ENCODERS)))
def test_arbitrary_bytes_decode_or_are_a_bad_coding(body: bytes, coding: str) -> None:
    with suppress(BadCoding, BodyTooLarge):
        decode(body, coding, 10_000)


@pytest.mark.parametrize("coding", sorted(ENCODERS))
def test_a_cut_body_is_a_bad_coding(coding: str) -> None:
    with pytest.raises(BadCoding, match=coding):
        decode(ENCODERS[coding](b"hello" * 1000)[:-3], coding, 100_000)


@pytest.mark.parametrize("coding", sorted(ENCODERS))
def test_the_limit_is_of_the_decoded_body(coding: str) -> None:
    encoded = ENCODERS[coding](bytes(100_000))
    assert len(decode(encoded, coding, 100_000)) == 100_000
    with pytest.raises(BodyTooLarge):
        decode(encoded, coding, 99_999)


def test_members_of_a_gzip_file_are_joined() -> None:
    assert decode(gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0", "gzip", 10) == b"ab"


@pytest.mark.parametrize("header", ["gzip, identity", "identity,gzip", ",gzip,", " GZIP ,, "])
def test_what_says_nothing_beside_a_coding_is_passed_over(header: str) -> None:
    assert decode(gzip.compress(b"a"), header, 10) == b"a"


@pytest.mark.parametrize("codings", [("gzip", "gzip"), ("br", "gzip"), ("deflate", "br", "gzip", "br")])
def test_a_bomb_in_a_bomb_is_stopped_at_the_first_layer_that_is_too_large(codings: tuple[str, ...]) -> None:
    encoded = bytes(20_000_000)
    for coding in codings:
        encoded = ENCODERS[coding](encoded)
    with pytest.raises(BodyTooLarge):
        decode(encoded, ", ".join(codings), 100_000)


def test_a_body_that_keeps_the_decoder_busy_is_given_up() -> None:
    with pytest.raises(BadCoding):
        decode(gzip.compress(b"") * 200_000, "gzip", 100)
    with pytest.raises(BadCoding):
        decode(gzip.compress(b""), ",".join(["gzip"] * 5), 100)


@pytest.mark.parametrize("coding", ["zstd", "identity", "utf-8", ""])
def test_an_unknown_coding_leaves_the_body_as_received(coding: str) -> None:
    assert decode(b"as it came", coding, 10) == b"as it came"


def test_an_empty_body_needs_no_decoding() -> None:
    assert decode(b"", "gzip", 10) == b""


MEASURE = """
import resource, sys
from backend.app.extensions.http_client.coding import BodyTooLarge, decode
bomb = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode(bomb, sys.argv[1], 10 * 1024 * 1024)
except BodyTooLarge:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def bomb(coding: str) -> bytes:
    """A few hundred bytes of brotli, or some 200 KB of gzip, that stand for 200 MB of zeros."""
    block = bytes(1 << 20)
    if coding == "br":
        compressor = brotli.Compressor(quality=5)
        return bytes(b"".join(compressor.process(block) for _ in range(200)) + compressor.finish())
    zipper = zlib.compressobj(1, wbits=31)
    return b"".join(zipper.compress(block) for _ in range(200)) + zipper.flush()


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_a_bomb_costs_no_more_memory_than_the_limit_and_64_mib(coding: str) -> None:
    run = subprocess.run([sys.executable, "-c", MEASURE, coding], input=bomb(coding), capture_output=True, check=True)
    assert int(run.stdout) < (10 + 64) * 1024
