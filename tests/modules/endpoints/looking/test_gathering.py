"""What a discovery reads of repositories and uploads, and what becomes of them when it does not go well."""

import asyncio
import io
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from backend.app.modules.endpoints import handlers
from backend.app.modules.endpoints.looking import gathering
from backend.app.modules.endpoints.looking.look import look
from backend.app.modules.endpoints.uploads import receiving
from backend.app.modules.endpoints.uploads.recognition import kind_of
from tests.modules.endpoints.discovery.captures.build import exchange, har
from tests.support.bench import Bench
from tests.support.git_host import GitHost, Repository

FILE, LINK, MODULE = "100644", "120000", "160000"
CODE = b"from flask import Flask\napp = Flask(__name__)\n@app.get('/a')\ndef a(): ...\n"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
HAR = har([exchange(url="http://127.0.0.1:9/users", answer={"id": 1})])


@pytest.fixture(autouse=True)
def _told_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are told in this process: that there is another one is not what these tests are about."""

    async def recognise(path: Path) -> str:
        return kind_of(path)

    monkeypatch.setattr(receiving, "recognise_file", recognise)


@pytest.fixture
async def project(bench: Bench) -> str:
    return await bench.project(base_url="http://127.0.0.1:9")


@pytest.fixture
def repository(host: GitHost) -> Repository:
    repository = host.repository()
    repository.files({"app.py": CODE})
    return repository


async def git_source(bench: Bench, project: str, repository: Repository) -> str:
    body = {"name": "Shop", "url": repository.url, "branch": "main"}
    path = f"/projects/{project}/git-sources"
    return str((await bench.call("POST", path, body, status=201, params={"validate": False}))["id"])


async def upload(bench: Bench, project: str, name: str, content: bytes) -> str:
    path, headers = f"/projects/{project}/endpoints/uploads", {"Content-Type": "application/octet-stream"}
    return str(
        (await bench.call("POST", path, status=201, content=content, headers=headers, params={"name": name}))["id"]
    )


async def kept(bench: Bench, project: str) -> list[str]:
    return [each["id"] for each in await bench.call("GET", f"/projects/{project}/endpoints/uploads")]


async def paths(bench: Bench, project: str) -> dict[str, str]:
    rows = await bench.call("GET", f"/projects/{project}/endpoints")
    return {f"{row['method']} {row['path']}": row["state"] for row in rows}


def while_looking(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[Any]]) -> None:
    """What happens while a discovery has read everything and stored nothing."""

    async def look_and_act(*given: Any, **named: Any) -> Any:
        found = await look(*given, **named)
        await act()
        return found

    monkeypatch.setattr(handlers, "look", look_and_act)


async def test_what_is_passed_over_of_a_repository_is_told(bench: Bench, project: str, repository: Repository) -> None:
    blob = repository.blob
    links = [(LINK, b"link%d" % number, blob(b"/etc")) for number in range(5)]
    module = (MODULE, b"vendor", "1" * 40)
    repository.commit(
        repository.tree([(FILE, b"app.py", blob(CODE)), (FILE, b"spec.yaml", blob(POINTER)), module, *links])
    )
    source = await git_source(bench, project, repository)
    discovery = await bench.discover(project, {"git_sources": [source]})
    (part,) = discovery["parts"]
    assert part["operations"] == 1
    assert [(fault["pointer"], fault["message"]) for fault in part["report"]] == [
        ("spec.yaml", "passed over as an LFS pointer, whose file is not fetched: spec.yaml"),
        (
            "vendor",
            "passed over as a submodule, which is another repository: make it a git source of its own: vendor",
        ),
        ("link0", "passed over as a symbolic link, which is not followed: link0, link1, link2, and 2 others"),
    ]


async def test_what_is_left_out_of_an_archive_is_told(bench: Bench, project: str) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("app.py", CODE)
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "app.py")
    discovery = await bench.discover(
        project, {"uploads": [await upload(bench, project, "code.zip", content.getvalue())]}
    )
    (part,) = discovery["parts"]
    assert part["report"][0]["message"] == "left out of the archive, 1 times: a link, a device or another special file"
    assert await kept(bench, project) == []


async def test_a_source_that_is_deleted_while_it_is_read_says_nothing(
    bench: Bench, project: str, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await git_source(bench, project, repository)

    async def delete() -> None:
        await bench.call("DELETE", f"/projects/{project}/git-sources/{source}", headers={"If-Match": "*"})

    while_looking(monkeypatch, delete)
    discovery = await bench.discover(project, {"git_sources": [source]})
    assert (discovery["status"], discovery["parts"][0]["error"]["code"]) == ("completed", "git_source.not_found")
    assert await bench.call("GET", f"/projects/{project}/endpoints/sources") == []
    assert await paths(bench, project) == {}


async def test_a_source_that_is_edited_while_it_is_read_was_not_read(
    bench: Bench, project: str, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await git_source(bench, project, repository)
    path = f"/projects/{project}/git-sources/{source}"

    async def edit() -> None:
        change = {"branch": "next"}
        await bench.call("PATCH", path, change, headers={"If-Match": "*"}, params={"validate": False})

    while_looking(monkeypatch, edit)
    await bench.discover(project, {"git_sources": [source]})
    assert (await bench.call("GET", path))["last_commit"] is None


async def test_a_project_that_is_deleted_while_it_is_read_leaves_no_job_that_failed(
    bench: Bench, project: str, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await git_source(bench, project, repository)
    facts = bench.settings.storage.data_dir / "source-facts" / project

    async def delete() -> None:
        assert await asyncio.to_thread(facts.exists)
        await bench.call("DELETE", f"/projects/{project}", headers={"If-Match": "*"})

    while_looking(monkeypatch, delete)
    await bench.call("POST", f"/projects/{project}/endpoints/scan", {"git_sources": [source]}, status=202)
    await bench.drain()
    assert {job["status"] for job in await bench.call("GET", "/jobs?limit=200")} == {"done"}
    assert not await asyncio.to_thread(facts.exists)


async def test_uploads_are_kept_until_they_were_read(bench: Bench, project: str) -> None:
    bad = await upload(bench, project, "bad.json", b'{"openapi": "3.1.0", "paths": [')
    traffic = await upload(bench, project, "traffic.har", HAR)
    failed = await bench.discover(project, {"uploads": [bad]})
    assert failed["status"] == "failed"
    other = await bench.discover(project, {"uploads": [traffic], "strategies": ["openapi"]})
    assert other["status"] == "failed"
    assert await kept(bench, project) == [traffic, bad]
    both = await bench.discover(project, {"uploads": [bad, traffic]})
    assert both["status"] == "completed"
    assert await kept(bench, project) == [bad]
    events = await bench.call("GET", f"/projects/{project}/events?name=upload.deleted")
    assert [event["payload"]["reason"] for event in events] == ["read"]
    await bench.call("DELETE", f"/projects/{project}/endpoints/uploads/{bad}")
    events = await bench.call("GET", f"/projects/{project}/events?name=upload.deleted")
    assert {event["payload"]["reason"] for event in events} == {"asked", "read"}


async def test_the_trees_of_a_discovery_have_a_limit_together(
    bench: Bench, project: str, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_SOURCE", len(CODE))
    first = await git_source(bench, project, repository)
    path = f"/projects/{project}/git-sources"
    body = {"name": "Again", "url": repository.url, "branch": "main"}
    second = (await bench.call("POST", path, body, status=201, params={"validate": False}))["id"]
    discovery = await bench.discover(project, {"git_sources": [first, second]})
    assert {part["location"]: (part["error"] or {}).get("code") for part in discovery["parts"]} == {
        "Shop": None,
        "Again": "discovery.too_much_source",
    }
