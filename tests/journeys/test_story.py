"""The whole story with real processes: migrate, serve, two workers, PostgreSQL and Redis, a real API as the target."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from backend.app.db import migrate
from backend.app.extensions.server import background_server
from backend.app.modules.labs.recipes import recipes
from tests.support import databases
from tests.support.network import unused_port

PATIENCE_S = 60.0
COMMAND = [sys.executable, "-c", "from backend.app.cli import main; main()"]


@contextmanager
def process(*words: str, folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{words[-1]}.log").open("wb") as log:
        child = subprocess.Popen(
            [*COMMAND, *words], env={**os.environ, **environment}, cwd=folder, stdout=log, stderr=log
        )
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(30)


def until(done: Callable[[], Any], what: str) -> Any:
    """What `done` answers when that is true; other processes work on it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if answer := done():
            return answer
        time.sleep(0.05)
    pytest.fail(f"waited {PATIENCE_S:.0f} s for {what}")


def is_ready(client: httpx2.Client, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "the server ended"
    try:
        return bool(client.get("/health/ready").json()["status"] == "ok")
    except httpx2.TransportError:
        return False


def test_an_api_is_discovered_scanned_and_judged_by_separate_processes(redis_url: str, tmp_path: Path) -> None:
    port = unused_port()
    lab = recipes.get("bookshop").create(1, True)
    with databases.unmigrated("postgresql", tmp_path) as database_url, background_server(lab) as target:
        environment = {
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TOUCHSTONE_MODE": "production",
            "TOUCHSTONE_AUTH__SECRET_KEY": "6uQ2m9Zc-the journey-signs-with-this-1xWv",
            "TOUCHSTONE_DATABASE__URL": database_url,
            "TOUCHSTONE_REDIS__URL": redis_url,
            "TOUCHSTONE_HTTP__ALLOW": f'["127.0.0.1/32:{target.rpartition(":")[2]}"]',
        }
        refused = subprocess.run(
            [*COMMAND, "serve", "--port", str(port)],
            env={**os.environ, **environment},
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert refused.returncode == 2
        assert b"touchstone migrate" in refused.stderr
        migrate.upgrade(database_url)
        with (
            httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client,
            process("serve", "--port", str(port), folder=tmp_path, environment=environment) as server,
            process("worker", "--name", "one", folder=tmp_path, environment=environment),
            process("worker", "--name", "two", folder=tmp_path, environment=environment),
        ):
            until(lambda: is_ready(client, server), "the API")
            story(client, target, next(iter(lab.credentials.items())))
            metrics = client.get("/metrics").text
    assert 'touchstone_jobs{queue="long",status="done"}' in metrics
    assert "touchstone_scan_requests 0" not in metrics


def story(client: httpx2.Client, target: str, credential: tuple[str, str]) -> None:
    person = {"email": "a@example.com", "password": "correct horse battery", "first_name": "A", "last_name": "B"}

    def ask(method: str, path: str, **options: Any) -> Any:
        answer = client.request(method, f"/api/v1{path}", **options)
        assert answer.status_code < 300, answer.text
        return answer.json()["data"]

    ask("POST", "/auth/register", json=person)
    token = ask("POST", "/auth/login", json={key: person[key] for key in ("email", "password")})
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    client.headers["X-API-Key"] = ask("POST", "/user/api-keys", json={"name": "ci"}, headers=bearer)["key"]
    project = ask(
        "POST",
        "/projects",
        json={
            "name": "Shop",
            "spec_url": f"{target}/openapi.json",
            "auth_type": "api_key_header",
            "auth_config": dict(zip(("name", "value"), credential, strict=True)),
        },
    )["id"]
    discovery = ask("POST", f"/projects/{project}/endpoints/scan", json={})["id"]
    finished = until(lambda: ended(ask("GET", f"/discoveries/{discovery}")), "the discovery")
    assert finished["status"] == "completed"
    assert {part["strategy"]: part["operations"] for part in finished["parts"]}["openapi"] == 14
    sees_a_shadow(ask, project, target)
    key = {"Idempotency-Key": "once"}
    scans = {ask("POST", f"/projects/{project}/scans", json={"scan_type": "full"}, headers=key)["id"] for _ in range(3)}
    assert len(scans) == 1
    scan = until(lambda: ended(ask("GET", f"/scans/{scans.copy().pop()}")), "the scan")
    assert scan["status"] == "completed"
    found = {finding["check"] for finding in ask("GET", f"/projects/{project}/findings?limit=200")}
    assert {"server_error", "missing_auth", "response_schema", "content_type", "negative_accepted"} <= found
    names = [event["name"] for event in ask("GET", f"/scans/{scan['id']}/events?order=oldest")]
    assert names[0] == "scan.requested"
    assert names[-1] == "scan.completed"
    until(lambda: all(job["status"] == "done" for job in ask("GET", "/jobs?queue=long")), "the jobs")


def sees_a_shadow(ask: Callable[..., Any], project: str, target: str) -> None:
    """Traffic that was handed in shows an endpoint that the description leaves out; whoever has the job reads it."""
    request = {"method": "GET", "url": f"{target}/unheard-of", "headers": []}
    content = {"mimeType": "application/json", "text": "{}"}
    entry = {"request": request, "response": {"status": 200, "headers": [], "content": content}}
    har = {"log": {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": [entry]}}
    upload = ask(
        "POST",
        f"/projects/{project}/endpoints/uploads?name=traffic.har",
        content=json.dumps(har),
        headers={"Content-Type": "application/octet-stream"},
    )
    assert upload["kind"] == "capture-har"
    discovery = ask("POST", f"/projects/{project}/endpoints/scan", json={"uploads": [upload["id"]]})["id"]
    assert until(lambda: ended(ask("GET", f"/discoveries/{discovery}")), "the discovery")["added"] == 1
    (shadow,) = [
        row for row in ask("GET", f"/projects/{project}/endpoints?state=shadow") if row["kinds"] == ["traffic"]
    ]
    assert shadow["path"] == "/unheard-of"
    ask("PATCH", f"/projects/{project}/endpoints/{shadow['id']}", json={"ignored": True})


def ended(thing: dict[str, Any]) -> dict[str, Any] | None:
    return thing if thing["status"] not in ("queued", "running") else None
