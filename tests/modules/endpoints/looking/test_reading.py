"""Captures are read in a child process: what comes back is what `read_capture` gives, and nothing gets out of hand."""

import asyncio
import os
from pathlib import Path

import orjson
import pytest

from backend.app.extensions import sandbox
from backend.app.modules.endpoints.discovery.captures.codec import report_from_json, report_to_bytes
from backend.app.modules.endpoints.discovery.captures.model import CaptureError
from backend.app.modules.endpoints.discovery.captures.reading import read_capture
from backend.app.modules.endpoints.looking.reading import read_capture_file
from tests.modules.endpoints.discovery.captures.build import exchange, har, keys

ENTRIES = [
    exchange(url="/users/1?page=2", answer={"id": 1, "name": "ann"}, headers={"Authorization": "Bearer s3cretS3cret"}),
    exchange("POST", "http://other.test:81/users", status=422, body={"name": None, "tags": ["a"]}, answer=[1.5]),
    {"request": {}},
]


async def test_the_report_is_that_of_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    path.write_bytes(har(ENTRIES))
    told = []

    async def progress(done: int, total: int) -> None:
        told.append((done, total))

    report = await read_capture_file(path, progress=progress)
    assert report == read_capture(path)
    assert len(report.captured) == 2
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    below = await read_capture_file(path, name="shown.har", base_url="http://other.test:81")
    assert (below.name, keys(below)) == ("shown.har", ["POST /users"])


def test_a_report_survives_the_way_between_processes() -> None:
    report = read_capture(har(ENTRIES * 3), name="x.har")
    assert report_from_json(orjson.loads(report_to_bytes(report))) == report


async def test_a_refusal_comes_back_with_its_code_and_place(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    path.write_bytes(b"no capture")
    with pytest.raises(CaptureError) as refusal:
        await read_capture_file(path)
    assert refusal.value.code == "capture.unknown_format"


async def test_what_progress_raises_ends_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cancelled(Exception):
        pass

    async def progress(done: int, total: int) -> None:
        raise Cancelled

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = "import sys, time\nheld = open({!r}, 'w')\nprint('1 2', file=sys.stderr, flush=True)\ntime.sleep(600)\n"
    (tmp_path / "telling.py").write_text(reader.format(str(pipe)))
    monkeypatch.setattr(sandbox, "_IMPORT_ROOT", str(tmp_path))
    gone = asyncio.create_task(asyncio.to_thread(pipe.read_text))
    with pytest.raises(Cancelled):
        await sandbox.run_reader("telling", {}, seconds=60, heard=progress)
    assert await gone == ""


async def test_memory_and_time_are_limited(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    path.write_bytes(har(ENTRIES))
    with pytest.raises(CaptureError) as refusal:
        await read_capture_file(path, memory=32 << 20)
    assert refusal.value.code in ("capture.too_much_memory", "capture.parser_died")
    with pytest.raises(CaptureError) as refusal:
        await read_capture_file(path, seconds=0.01)
    assert refusal.value.code == "capture.too_slow"
