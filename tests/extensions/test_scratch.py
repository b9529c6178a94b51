import asyncio
import os
from pathlib import Path

import pytest

from backend.app.extensions.scratch import remove_abandoned, scratch_folder

LONG_AGO = (0, 0)


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_folder_goes_when_its_work_ends(tmp_path: Path) -> None:
    async with scratch_folder("test", below=tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(b"x")
    with pytest.raises(ZeroDivisionError):
        async with scratch_folder("test", below=tmp_path):
            raise ZeroDivisionError
    making = asyncio.create_task(scratch_folder("test", below=tmp_path).__aenter__())
    await asyncio.sleep(0)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert entries(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        async with scratch_folder("test", below=tmp_path / "nowhere"):
            pytest.fail("there is no such folder")


async def test_folders_of_nobody_are_removed_and_no_others(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    async with scratch_folder("used", below=tmp_path) as used:
        left, young, other = (tmp_path / name for name in ("touchstone-scratch-a", "touchstone-scratch-b", "other"))
        for folder in (left, young, other):
            folder.mkdir()
            (folder / "file").touch()
        (tmp_path / "touchstone-scratch-link").symlink_to(elsewhere)
        for folder in (used, left, other):
            os.utime(folder, LONG_AGO)
        os.utime(tmp_path / "touchstone-scratch-link", LONG_AGO, follow_symlinks=False)
        assert remove_abandoned(tmp_path) == 1
        assert not left.exists()
        assert all(folder.exists() for folder in (used, young, other, elsewhere / "kept"))
    assert remove_abandoned(tmp_path) == 0
