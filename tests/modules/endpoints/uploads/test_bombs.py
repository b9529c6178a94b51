"""Archives and other files that are made to hurt: each is refused when it is handed in, with what it passed."""

import gzip
import io
import json
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.app.core.errors import TouchstoneError
from backend.app.modules.endpoints.looking.reading import recognise_file

LISTED = {each["id"] for each in json.loads(Path("tests/data/spec-bombs-archives.json").read_text())["payloads"]}
ELSEWHERE = {
    "spec-bombs-080": "a target: tests/extensions/http_client/test_hostile_targets.py",
    "spec-bombs-085": "read, its entry left out and reported: tests/modules/endpoints/discovery/captures",
    "spec-bombs-086": "read, its secrets masked: tests/modules/endpoints/discovery/captures/test_masking.py",
}


def zipped(name: str, content: bytes, change: Callable[[zipfile.ZipInfo], None] = lambda info: None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        change(info)
        archive.writestr(info, content)
    return buffer.getvalue()


def nested() -> bytes:
    content = b"print()"
    for level in range(5):
        content = zipped(f"level{level}.zip" if level else "app.py", content)
    return content


def million() -> bytes:
    """Entries of nothing, all at one place: what counts is the directory."""
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 1_000_000
    more = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**6, 10**6, len(directory), len(local))
    where = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(local) + len(directory), 1)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), len(local), 0)
    return local + directory + more + where + end


def linked(info: zipfile.ZipInfo) -> None:
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


def hard_linked() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("users.py")
        info.type, info.linkname = tarfile.LNKTYPE, "/etc/passwd"
        archive.addfile(info)
    return buffer.getvalue()


def encrypted() -> bytes:
    content = bytearray(zipped("app.py", b"print()"))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def endless() -> bytes:
    """A deflate stream without its last block."""
    return gzip.compress(b"a" * 100_000)[:-30]


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "spec-bombs-066": (lambda: zipped("zeros", bytes(300_000_000)), "archive.too_compressed"),
    "spec-bombs-067": (nested, "archive.only_archives"),
    "spec-bombs-070": (million, "archive.too_many_entries"),
    "spec-bombs-072": (lambda: zipped("users.py", b"../../etc/passwd", linked), "archive.unsafe_link"),
    "spec-bombs-074": (hard_linked, "archive.unsafe_link"),
    "spec-bombs-075": (encrypted, "archive.encrypted"),
    "spec-bombs-077": (lambda: gzip.compress(bytes(100_000_000)), "upload."),
    "spec-bombs-082": (endless, "upload."),
    "spec-bombs-087": (lambda: zipped("[Content_Types].xml", b"<Types/>"), "upload.unsupported"),
    "spec-bombs-092": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "upload."),
}


def test_every_listed_bomb_is_tried() -> None:
    assert BOMBS.keys() | ELSEWHERE.keys() == LISTED


@pytest.mark.parametrize("name", sorted(BOMBS))
async def test_a_bomb_is_refused_with_what_it_passed(tmp_path: Path, name: str) -> None:
    build, reason = BOMBS[name]
    path = tmp_path / "upload"
    path.write_bytes(build())
    with pytest.raises(TouchstoneError) as refused:
        await recognise_file(path)
    assert refused.value.status in (415, 422)
    (fault,) = refused.value.errors
    assert fault["type"].startswith(reason)
    assert fault["detail"] == str(refused.value)
