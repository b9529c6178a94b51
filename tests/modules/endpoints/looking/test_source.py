"""Source code is scanned beside the event loop, with progress and an end."""

from pathlib import Path

import pytest

from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from backend.app.modules.endpoints.looking.tools import discovery_tools

CODE = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/{number}')\ndef read(number: int): ...\n"


class _Cancelled(Exception):
    pass


async def test_progress_is_told_and_what_it_raises_ends_the_scan(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CODE)
    for number in range(50):
        (tmp_path / f"part{number}.py").write_text(CODE)
    told: list[tuple[int, int, str]] = []

    async def listen(done: int, total: int, note: str = "") -> None:
        told.append((done, total, note))

    async def refuse(done: int, total: int, note: str = "") -> None:
        raise _Cancelled

    async with HttpClient(OutgoingPolicy(allow_private=False)) as client:
        report = await discovery_tools(client, progress=listen, workers=0).read_source(tmp_path)
        assert report.files == 51
        assert told
        assert told[-1][2] == "source files"
        with pytest.raises(_Cancelled):
            await discovery_tools(client, progress=refuse, workers=0).read_source(tmp_path)
