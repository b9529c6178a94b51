"""Files that are handed in, as clients see them, and what becomes of them."""

import asyncio
import errno
import functools
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.app.core.context import ServiceContext
from backend.app.core.errors import TouchstoneError
from backend.app.core.permissions import system_principal
from backend.app.core.runner import Runner
from backend.app.core.settings import StorageSettings
from backend.app.extensions.scratch import scratch_folder
from backend.app.modules.endpoints.looking.reading import recognise_file
from backend.app.modules.endpoints.uploads import receiving
from backend.app.modules.endpoints.uploads.errors import UploadNotFound
from backend.app.modules.endpoints.uploads.models import ChunkRecord, UploadRecord
from backend.app.modules.endpoints.uploads.recognition import Unrecognised, kind_of
from backend.app.modules.endpoints.uploads.service import AT_ONCE, CHUNK, UploadService
from tests.modules.endpoints.discovery.captures.build import exchange, har
from tests.modules.endpoints.uploads.test_archives import tar_of, zip_of
from tests.support.bench import ALICE, BOB, Bench
from tests.support.databases import behind_the_wall

HAR = har([exchange(url="/users/1", answer={"id": 1})])
SPEC = b'{"info": {}, "paths": {}, "openapi": "3.1.0"}'
CASES = json.loads(Path("tests/data/uploads.json").read_text())["payloads"]
NAMES = [each["value"] for each in CASES if each["kind"] == "file name"]
BYTES = {"Content-Type": "application/octet-stream"}


async def hand_in(bench: Bench, project: str, content: Any, *, name: str = "x", **options: Any) -> Any:
    options = {"headers": BYTES, "params": {"name": name}, **options}
    return await bench.client.post(f"/projects/{project}/endpoints/uploads", content=content, **options)


def form_of(content: bytes, name: str) -> tuple[bytes, dict[str, str]]:
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n\r\n'
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode()
    return head % quoted + content + b"\r\n--edge--\r\n", {"Content-Type": "multipart/form-data; boundary=edge"}


async def stored(bench: Bench) -> tuple[int, int]:
    """Uploads and chunks of the database, of any workspace, seen or not."""
    async with bench.database.transaction(write=False) as session:
        uploads = await session.scalar(select(func.count()).select_from(UploadRecord))
        return uploads or 0, await session.scalar(select(func.count()).select_from(ChunkRecord)) or 0


@pytest.fixture
async def project(bench: Bench) -> str:
    return await bench.project(base_url="http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on its way lies in `tmp_path / "way"`."""
    (tmp_path / "way").mkdir()
    monkeypatch.setattr(receiving, "scratch_folder", functools.partial(scratch_folder, below=tmp_path / "way"))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are told in this process: that there is another one is not what the test is about."""

    async def recognise(path: Path) -> str:
        return kind_of(path)

    monkeypatch.setattr(receiving, "recognise_file", recognise)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (SPEC, "openapi"),
        (b"paths: {}\nopenapi: 3.0.1\n", "openapi"),
        (b'{"swagger": "2.0"}', "openapi"),
        (b'{"x": "' + b" " * (2 << 20) + b'", "openapi": "3.0.0"}', "openapi"),
        (b'{"data": {"__schema": {"types": []}}}', "graphql"),
        (HAR, "capture-har"),
        (gzip.compress(HAR), "capture-har"),
        (zip_of({"a.har": HAR}), "capture-har"),
        (b"curl http://a.test/", "capture-curl"),
        (zip_of({"app.py": b"x = 1", "b.py": b""}), "source-archive"),
        (gzip.compress(tar_of({"app.py": b"x = 1"})), "source-archive"),
    ],
)
def test_a_file_is_told_by_its_content(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "f").write_bytes(content)
    assert kind_of(tmp_path / "f") == kind


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "upload.unsupported", "PNG"),
        (b"type Query { a: Int }", "upload.unsupported", "introspection query as JSON"),
        ('{"openapi": "3.1.0", "x": "\u00e9"}'.encode("latin-1"), "upload.not_text", "byte 27"),
        (b"openapi: 3.1.0\nx: \0", "upload.not_text", "byte 18"),
        (b"", "upload.empty", "empty"),
        (b"some words", "upload.unknown_content", "no spec"),
        (b'{"a": "\\"openapi\\": \\"3.1.0\\""}', "upload.unknown_content", "no spec"),
    ],
)
def test_a_file_that_nobody_reads_is_refused(tmp_path: Path, content: bytes, code: str, said: str) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(Unrecognised, match=said) as refusal:
        kind_of(tmp_path / "f")
    assert refusal.value.code == code


async def test_a_file_is_handed_in_shown_read_and_deleted(bench: Bench, project: str, tmp_path: Path) -> None:
    content = HAR + b" " * (CHUNK + 10)
    answer = await hand_in(bench, project, content, name="traffic.har")
    assert answer.status_code == 201
    upload = answer.json()["data"]
    seen = {name: upload[name] for name in ("name", "kind", "size", "sha256")}
    digest = hashlib.sha256(content).hexdigest()
    assert seen == {"name": "traffic.har", "kind": "capture-har", "size": len(content), "sha256": digest}
    path = f"/projects/{project}/endpoints/uploads"
    assert await bench.call("GET", path) == [upload]
    assert await bench.call("GET", f"{path}/{upload['id']}") == upload
    assert await stored(bench) == (1, 2)

    async with bench.database.transaction(ALICE, write=False) as session:
        written = await UploadService(context_of(bench, session)).materialise(project, upload["id"], tmp_path)
    assert (written.name, written.read_bytes()) == (upload["id"], content)

    async with bench.client_of(BOB) as bob:
        for method in ("GET", "DELETE"):
            assert (await bob.request(method, f"{path}/{upload['id']}")).status_code == 404
        assert (await bob.post(path, content=SPEC, headers=BYTES)).status_code == 404
    await bench.call("DELETE", f"{path}/{upload['id']}")
    assert await bench.call("GET", path) == []
    await bench.drain()
    assert await stored(bench) == (0, 0)
    assert await bench.events(project) == ["upload.created", "upload.deleted"]
    assert list((tmp_path / "way").iterdir()) == []


@pytest.mark.usefixtures("known")
async def test_a_name_is_a_text_to_show_and_nothing_else(bench: Bench, project: str, tmp_path: Path) -> None:
    for name in NAMES:
        body, headers = form_of(SPEC, name)
        answers = [await hand_in(bench, project, body, name="", headers=headers)]
        if "\0" not in name:  # no URL may hold it
            answers.append(await hand_in(bench, project, SPEC, name=name))
        for answer in answers:
            assert answer.status_code == 201, answer.text
            shown = answer.json()["data"]["name"]
            assert shown.isprintable()
            assert not set("/\\") & set(shown)
            assert 0 < len(shown.encode()) <= 255
            # What was handed in is found by our own id.
            async with bench.database.transaction(ALICE, write=False) as session:
                service = UploadService(context_of(bench, session))
                path = await service.materialise(project, answer.json()["data"]["id"], tmp_path)
            assert (path.parent, path.name) == (tmp_path, answer.json()["data"]["id"])


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"\x89PNG\r\n\x1a\n", 415, "PNG"),
        ("openapi: 3.1.0\nx: \u00e9".encode("latin-1"), 422, "byte 18"),
        (b"openapi: 3.1.0\0", 422, "byte 14"),
    ],
    ids=["uploads-033", "uploads-047", "uploads-048"],
)
async def test_the_process_that_looks_at_a_file_says_what_is_wrong(
    tmp_path: Path, content: bytes, status: int, said: str
) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(TouchstoneError, match=said) as refusal:
        await recognise_file(tmp_path / "f")
    assert refusal.value.status == status


async def test_content_that_nobody_reads_is_refused(bench: Bench, project: str, tmp_path: Path) -> None:
    answer = await hand_in(bench, project, b"\x89PNG\r\n\x1a\n", name="x.yaml")
    assert (answer.status_code, answer.json()["code"]) == (415, "upload.unsupported")
    assert await stored(bench) == (0, 0)
    assert list((tmp_path / "way").iterdir()) == []


async def test_one_byte_too_many_is_refused_without_reading_the_rest(bench: Bench, project: str) -> None:
    bench = bench.with_settings(storage=StorageSettings(max_upload_bytes=1 << 20))
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1 << 19
            yield b"x" * (1 << 19)

    for headers, most in (({**BYTES, "Content-Length": str(100 << 19)}, 0), (BYTES, 4 << 19)):
        answer = await hand_in(bench, project, body(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "upload.too_large")
        assert "1048576" in answer.json()["detail"]
        assert read <= most
    assert await stored(bench) == (0, 0)


@pytest.mark.usefixtures("known")
async def test_a_file_may_be_larger_than_the_body_of_another_request(bench: Bench, project: str) -> None:
    content = SPEC + b" " * bench.settings.web.max_body_bytes
    assert (await hand_in(bench, project, content)).status_code == 201


@pytest.mark.usefixtures("known")
async def test_a_workspace_has_room_for_so_much(bench: Bench, project: str) -> None:
    bench = bench.with_settings(storage=StorageSettings(max_upload_bytes=1024))
    content = SPEC.ljust(1024)
    answers = [await hand_in(bench, project, content) for _ in range(AT_ONCE + 1)]
    assert [answer.status_code for answer in answers] == [*[201] * AT_ONCE, 409]
    assert answers[-1].json()["code"] == "upload.too_many"
    await bench.call("DELETE", f"/projects/{project}/endpoints/uploads/{answers[0].json()['data']['id']}")
    assert (await hand_in(bench, project, content)).status_code == 201


async def cut(bench: Bench, project: str, messages: list[dict[str, Any]], headers: dict[str, str] = BYTES) -> int:
    """Speaks ASGI itself, because no client sends half of a body. The status, 0 when there is none."""
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "query_string": b"",
        "path": (path := f"/api/v1/projects/{project}/endpoints/uploads"), "raw_path": path.encode(), "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in {**headers, "who": ALICE}.items()],
        "client": ("127.0.0.1", 1), "server": ("test", 80), "app": bench.app, "state": {},
    }  # fmt: skip
    await bench.app(scope, receive, send)
    return next((message["status"] for message in sent if message["type"] == "http.response.start"), 0)


async def test_what_breaks_off_leaves_nothing(bench: Bench, project: str, tmp_path: Path) -> None:
    half: list[dict[str, Any]] = [
        {"type": "http.request", "body": HAR + b" " * (2 * CHUNK), "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert await cut(bench, project, half) == 422
    body, headers = form_of(SPEC, "x")
    assert await cut(bench, project, [{"type": "http.request", "body": body[:-9], "more_body": False}], headers) == 422
    assert await stored(bench) == (0, 0)
    assert list((tmp_path / "way").iterdir()) == []


async def test_a_sender_that_is_too_slow_is_cut_off(
    bench: Bench, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "GRACE_S", 0.0)
    monkeypatch.setattr(receiving, "SLOWEST", 1 << 40)

    async def drip() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    answer = await hand_in(bench, project, drip())
    assert (answer.status_code, answer.json()["code"]) == (408, "upload.too_slow")


async def test_a_full_disk_is_told_and_leaves_nothing(
    bench: Bench, project: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def keep(self: Any, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(receiving._Taken, "_keep", keep)
    answer = await hand_in(bench, project, SPEC)
    assert (answer.status_code, answer.json()["code"]) == (507, "upload.no_space")
    assert await stored(bench) == (0, 0)
    assert list((tmp_path / "way").iterdir()) == []


@pytest.mark.usefixtures("known")
async def test_a_database_that_fails_halfway_keeps_nothing(
    bench: Bench, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = UploadService.add_chunk

    async def add_chunk(self: UploadService, upload_id: str, number: int, content: bytes) -> None:
        if number == 1:
            raise ConnectionError("gone")
        await stores(self, upload_id, number, content)

    monkeypatch.setattr(UploadService, "add_chunk", add_chunk)
    answer = await hand_in(bench, project, SPEC + b" " * (2 * CHUNK))
    assert answer.status_code == 500
    await bench.drain()
    assert await stored(bench) == (0, 0)
    assert await bench.call("GET", f"/projects/{project}/endpoints/uploads") == []


@pytest.mark.usefixtures("known")
async def test_uploads_expire_and_go_with_their_project_and_their_discovery(bench: Bench, project: str) -> None:
    path = f"/projects/{project}/endpoints/uploads"
    ids = [(await hand_in(bench, project, SPEC)).json()["data"]["id"] for _ in range(2)]
    async with bench.database.transaction(ALICE) as session:
        await UploadService(context_of(bench, session)).release(project, [ids[0], ids[0]])
    assert [each["id"] for each in await bench.call("GET", path)] == [ids[1]]
    for hours, left in ((23.9, 1), (24.1, 0)):
        now = bench.app.state.runtime.clock() + timedelta(hours=hours)
        clock = functools.partial(datetime.fromtimestamp, now.timestamp(), UTC)
        await Runner(behind_the_wall(bench.database), bench.hub, bench.settings, clock).tidy()
        assert len(await bench.call("GET", path)) == left
    await hand_in(bench, project, SPEC)
    await bench.drain()
    assert await stored(bench) == (1, 1)
    await bench.call("DELETE", f"/projects/{project}", headers={"If-Match": "*"})
    await bench.drain()
    assert await stored(bench) == (0, 0)


async def test_other_content_types_and_unknown_projects_are_refused(bench: Bench, project: str) -> None:
    answer = await hand_in(bench, project, SPEC, headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "upload.wrong_content_type")
    answer = await hand_in(bench, ALICE, SPEC)
    assert answer.status_code == 404


async def test_an_upload_that_is_gone_is_not_materialised(bench: Bench, project: str, tmp_path: Path) -> None:
    async with bench.database.transaction(ALICE, write=False) as session:
        with pytest.raises(UploadNotFound):
            await UploadService(context_of(bench, session)).materialise(project, ALICE, tmp_path)


def context_of(bench: Bench, session: Any) -> ServiceContext:
    runtime = bench.app.state.runtime
    return ServiceContext(bench.settings, session, bench.hub, system_principal(ALICE), runtime.clock, "request")
