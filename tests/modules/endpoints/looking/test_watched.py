"""Who cancels a discovery does not wait for what it is reading."""

import asyncio
import os
from pathlib import Path

import pytest

from backend.app.extensions import sandbox
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from backend.app.modules.endpoints.looking import tools
from backend.app.modules.endpoints.looking.tools import discovery_tools, watched


class _Cancelled(Exception):
    pass


async def _refuse(done: int = 0, total: int = 0, note: str = "") -> None:
    raise _Cancelled


async def test_a_description_that_takes_long_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "endless.py").write_text(f"import time\nheld = open({str(pipe)!r}, 'w')\ntime.sleep(600)\n")
    monkeypatch.setattr(sandbox, "_IMPORT_ROOT", str(tmp_path))
    monkeypatch.setattr(sandbox, "READER", "endless")
    gone = asyncio.create_task(asyncio.to_thread(pipe.read_text))

    async def refuse_when_it_runs(done: int, total: int, note: str = "") -> None:
        assert note == "reading the description"
        with pipe.open():  # the reader is there
            raise _Cancelled

    async with HttpClient(OutgoingPolicy(allow_private=False)) as client:
        with pytest.raises(_Cancelled):
            await discovery_tools(client, progress=refuse_when_it_runs).read_document(b"{}", "")
    assert await gone == ""


async def test_the_work_has_put_its_things_away_when_the_watch_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_GLANCE_S", 0.001)
    tidied = False

    async def work() -> None:
        nonlocal tidied
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied = True

    with pytest.raises(_Cancelled):
        await watched(work(), _refuse)
    assert tidied


async def test_what_the_work_says_is_said() -> None:
    async def work() -> int:
        return 1

    assert await watched(work(), _refuse) == 1
