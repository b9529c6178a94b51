"""Nothing of an archive gets out of its folder, and nothing of it gets out of hand."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from backend.app.modules.endpoints.looking.reading import unpack_archive
from backend.app.modules.endpoints.uploads.archives import ArchiveError, ArchiveLimits, Unpacked, unpack

LIMITS = ArchiveLimits()
FILES = {"app/main.py": b"print()\n", "app/web/users.py": b"x = 1\n", "README": b""}


def zip_of(files: Mapping[str, bytes], change: Callable[[zipfile.ZipInfo], None] = lambda info: None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            archive.writestr(info, content)
    return buffer.getvalue()


def tar_of(files: Mapping[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda info: None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            change(info)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def unpacked(tmp_path: Path, data: bytes, limits: ArchiveLimits = LIMITS) -> tuple[Unpacked, dict[str, bytes]]:
    (tmp_path / "archive").write_bytes(data)
    folder = tmp_path / "out"
    folder.mkdir()
    result = unpack(tmp_path / "archive", folder, limits)
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "out"}
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    return result, {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(
    "pack",
    [
        zip_of,
        tar_of,
        lambda files: gzip.compress(tar_of(files)),
        lambda files: bz2.compress(tar_of(files)),
        lambda files: lzma.compress(tar_of(files)),
    ],
)
def test_every_kind_of_archive_is_unpacked(tmp_path: Path, pack: Callable[[Mapping[str, bytes]], bytes]) -> None:
    result, found = unpacked(tmp_path, pack(FILES))
    assert found == FILES
    assert (result.files, result.bytes, result.left_out) == (3, sum(map(len, FILES.values())), {})


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "..\\x", "C:\\x", "a/..", "\\\\server\\x"])
@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_a_path_that_leads_out_refuses_the_archive(
    tmp_path: Path, name: str, pack: Callable[[Mapping[str, bytes]], bytes]
) -> None:
    with pytest.raises(ArchiveError) as refusal:
        unpacked(tmp_path, pack({name: b"x"}))
    assert refusal.value.code == "archive.unsafe_path"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "archive"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_left_out(tmp_path: Path, kind: bytes) -> None:
    def special(info: tarfile.TarInfo) -> None:
        if info.name == "trap":
            info.type, info.linkname, info.size = kind, "trap/x", 0

    result, found = unpacked(tmp_path, tar_of({"trap": b"", "trap/x": b"inside", "a": b"1"}, special))
    assert found == {"trap/x": b"inside", "a": b"1"}
    assert result.left_out == {"a link, a device or another special file": 1}


def test_links_of_a_zip_are_left_out(tmp_path: Path) -> None:
    def link(info: zipfile.ZipInfo) -> None:
        info.external_attr = (0o120777 if info.filename == "trap" else 0o100777) << 16

    result, found = unpacked(tmp_path, zip_of({"trap": b"a", "a": b"1"}, link))
    assert found == {"a": b"1"}
    assert result.left_out == {"a link, a device or another special file": 1}
    assert (tmp_path / "out/a").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("target", ["/etc/passwd", "../b", "x/../../b", "C:\\b"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_that_leads_out_refuses_the_archive(tmp_path: Path, kind: bytes, target: str) -> None:
    def link(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, target, 0

    with pytest.raises(ArchiveError) as refusal:
        unpacked(tmp_path, tar_of({"trap": b""}, link))
    assert refusal.value.code == "archive.unsafe_link"


def test_names_that_are_taken_are_left_out(tmp_path: Path) -> None:
    result, found = unpacked(tmp_path, tar_of({"a": b"1", "./a": b"2", "a/b": b"3", "a/b/c": b"4"}))
    assert found == {"a": b"1"}
    assert result.left_out == {"a name that is taken": 3}


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (ArchiveLimits(entries=2), "archive.too_many_entries"),
        (ArchiveLimits(bytes=13), "archive.too_large"),
    ],
)
def test_what_passes_a_limit_is_refused(tmp_path: Path, limits: ArchiveLimits, code: str) -> None:
    with pytest.raises(ArchiveError) as refusal:
        unpacked(tmp_path, zip_of(FILES), limits)
    assert refusal.value.code == code


@pytest.mark.parametrize("pack", [zip_of, lambda files: gzip.compress(tar_of(files))])
def test_a_bomb_is_refused(tmp_path: Path, pack: Callable[[Mapping[str, bytes]], bytes]) -> None:
    with pytest.raises(ArchiveError) as refusal:
        unpacked(tmp_path, pack({"zeros": bytes(40 << 20)}))
    assert refusal.value.code == "archive.too_compressed"


def test_a_large_file_is_left_out_and_the_others_are_not(tmp_path: Path) -> None:
    result, found = unpacked(tmp_path, tar_of({"big": b"12345", "a": b"1"}), ArchiveLimits(file_bytes=4))
    assert found == {"a": b"1"}
    assert result.left_out == {"a file that is too large": 1}


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04rubbish", zip_of(FILES)[:-30], gzip.compress(tar_of(FILES))[:90]])
def test_a_damaged_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ArchiveError) as refusal:
        unpacked(tmp_path, data)
    assert refusal.value.code in ("archive.damaged", "archive.unknown_format")


async def test_archives_are_unpacked_in_a_process_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of(FILES))
    folder = tmp_path / "out"
    folder.mkdir()
    result = await unpack_archive(tmp_path / "a.zip", folder)
    assert (result.files, (folder / "app/main.py").read_bytes()) == (3, FILES["app/main.py"])
    (tmp_path / "b.zip").write_bytes(zip_of({"../x": b""}))
    with pytest.raises(ArchiveError) as refusal:
        await unpack_archive(tmp_path / "b.zip", folder)
    assert refusal.value.code == "archive.unsafe_path"
