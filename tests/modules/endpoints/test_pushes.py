"""Pushes to git sources, from the delivery to the inventory."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from backend.app.modules.endpoints import handlers
from backend.app.modules.endpoints.looking.look import look
from tests.support.bench import Bench, document, operation
from tests.support.fake_git_hosts import sign
from tests.support.git_host import GitHost, Repository

CODE = "from flask import Flask\napp = Flask(__name__)\n@app.get('/{}')\ndef view(): ...\n"


class Source:
    """A git source of a project, and its repository."""

    def __init__(self, bench: Bench, repository: Repository, made: dict[str, Any]) -> None:
        self.id, self.project = made["id"], made["project_id"]
        self._bench, self._repository, self._secret = bench, repository, made["webhook_secret"]
        self._pushed = 0

    async def push(self, path: str) -> None:
        """Its only route is GET /path from here on, and the provider says so."""
        commit = self._repository.files({"app.py": CODE.format(path).encode()})
        self._pushed += 1
        body = json.dumps({"ref": "refs/heads/main", "after": commit}).encode()
        headers = {
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": f"d-{self._pushed}",
            "X-Hub-Signature-256": sign(self._secret, body),
        }
        async with self._bench.client_of(None) as provider:
            answer = await provider.post(f"/git/webhooks/{self.id}", content=body, headers=headers)
        assert answer.status_code == 202, answer.text

    async def active(self) -> list[str]:
        rows = await self._bench.call("GET", f"/projects/{self.project}/endpoints")
        return [row["path"] for row in rows if row["state"] != "gone"]

    async def discoveries(self) -> list[str]:
        return [row["status"] for row in await self._bench.call("GET", f"/projects/{self.project}/discoveries")]


@pytest.fixture
async def source(bench: Bench, host: GitHost) -> Source:
    project, repository = await bench.project(base_url="http://127.0.0.1:9"), host.repository()
    body = {"name": "Shop", "url": repository.url, "branch": "main"}
    path = f"/projects/{project}/git-sources"
    made = await bench.call("POST", path, body, status=201, params={"validate": False})
    return Source(bench, repository, made)


def while_looking(monkeypatch: pytest.MonkeyPatch, *acts: Callable[[], Awaitable[Any]]) -> None:
    """What happens while the first discoveries, one after the other, have read everything and stored nothing."""
    waiting = list(acts)

    async def look_and_act(*given: Any, **named: Any) -> Any:
        found = await look(*given, **named)
        if waiting:
            await waiting.pop(0)()
        return found

    monkeypatch.setattr(handlers, "look", look_and_act)


async def statuses(bench: Bench) -> set[tuple[str, int]]:
    return {(job["status"], job["attempts"]) for job in await bench.call("GET", "/jobs?limit=200")}


async def test_a_push_reads_the_source_again(bench: Bench, source: Source) -> None:
    await source.push("a")
    await bench.drain()
    assert await source.active() == ["/a"]
    await source.push("b")
    await bench.drain()
    assert await source.active() == ["/b"]
    assert await source.discoveries() == ["completed"] * 2


async def test_pushes_before_a_discovery_begins_are_read_by_it(bench: Bench, source: Source) -> None:
    for path in ("a", "b", "c"):
        await source.push(path)
    await bench.drain("default")
    await bench.drain()
    assert await source.active() == ["/c"]
    assert await source.discoveries() == ["completed"]
    assert await statuses(bench) == {("done", 1)}


@pytest.mark.parametrize("ends", ["completed", "failed", "cancelled"])
async def test_pushes_while_a_discovery_is_running_are_read_once_it_has_ended(
    bench: Bench, source: Source, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    async def pushes() -> None:
        for path in ("b", "c"):
            await source.push(path)
        await bench.drain("default")
        if ends == "cancelled":
            (job,) = await bench.call("GET", "/jobs?queue=long&status=running")
            await bench.call("POST", f"/jobs/{job['id']}/cancel", status=202)

    while_looking(monkeypatch, pushes)
    # It reads no code: that it ends is all that matters.
    described: Any = "no description" if ends == "failed" else document({"/d": operation()})
    await bench.discover(source.project, {"document": described, "strategies": ["openapi"]})
    await bench.drain()
    assert "/c" in await source.active()
    assert await source.discoveries() == ["completed", ends]
    names = [name for name in await bench.events(source.project) if name.startswith("git")]
    assert names.count("git_source.rescan_postponed") == 2
    assert {attempts for _, attempts in await statuses(bench)} == {1}


async def test_a_push_for_a_source_that_went_meanwhile_starts_nothing(
    bench: Bench, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def push() -> None:
        await source.push("a")
        await bench.drain("default")
        path = f"/projects/{source.project}/git-sources/{source.id}"
        await bench.call("DELETE", path, headers={"If-Match": "*"})

    while_looking(monkeypatch, push)
    await bench.discover(source.project, {"document": document({"/d": operation()})})
    assert await source.discoveries() == ["completed"]
