"""`touchstone demo`: the whole story in one process, driven through the REST API as any client would."""

import asyncio
import contextlib
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import typer
from pydantic import SecretStr

from backend.app.commands.terminal import INTERNAL, INTERRUPTED, UNREACHABLE, fail, require_url
from backend.app.core.settings import (
    AuthSettings,
    DatabaseSettings,
    LoggingSettings,
    RedisSettings,
    Settings,
    StorageSettings,
    WebSettings,
)
from backend.app.engine.http import Outcome, Request
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from backend.app.extensions.server import ServerFailed, background_server
from backend.app.main import create_app
from backend.app.modules.labs.recipes import Lab, Recipe, recipes

SCANS = 5
USUAL_PORT = 8000
MOST_SHOWN = 20
EMAIL = "demo@example.com"


class DemoFailed(Exception):
    """A step did not end as it should; the message says which and why."""


def run_demo(target: str | None, base_url: str | None, port: int | None, stay: bool | None) -> int:
    port = _free_port() if port is None else port
    if target is not None:
        require_url("--target", target)
    if base_url is not None:
        require_url("--base-url", base_url)
    try:
        with contextlib.ExitStack() as stack:
            # One of its own, so that two demos do not meet and nothing is left behind.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="touchstone-demo-")))
            settings = _settings(port, folder)
            recipe, lab, spec_url = None, None, target
            if spec_url is None:
                recipe = recipes.get("bookshop")
                lab = recipe.create(1, True)
                spec_url = stack.enter_context(background_server(lab)) + "/openapi.json"
            address = stack.enter_context(background_server(create_app(settings), port=port))
            password = secrets.token_urlsafe(12)
            asyncio.run(_Story(address, spec_url, base_url, password, recipe, lab).tell())
            typer.echo(f"\nEXPLORE\n  {address}/api/v1/docs\n  sign in as {EMAIL} with password {password}")
            if stay or (stay is None and sys.stdout.isatty()):
                typer.echo("  Ctrl-C ends it.")
                with contextlib.suppress(KeyboardInterrupt):
                    while True:
                        time.sleep(3600)
            else:
                typer.echo("  It ends here, and its data with it; `.venv/bin/touchstone demo --stay` keeps it running.")
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)
    except ServerFailed as error:
        fail(str(error), INTERNAL)
    except DemoFailed as error:
        fail(str(error), UNREACHABLE)
    return 0


def _free_port() -> int:
    """The usual one, or 0 for any when something listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            return 0
    return USUAL_PORT


def _settings(port: int, folder: Path) -> Settings:
    """The embedded mode, whatever the environment says, with a database of its own."""
    return Settings(
        mode="embedded",
        database=DatabaseSettings(url=f"sqlite+aiosqlite:///{folder}/touchstone.db", auto_migrate=True),
        redis=RedisSettings(url=None),
        auth=AuthSettings(secret_key=SecretStr(secrets.token_urlsafe(32))),
        storage=StorageSettings(data_dir=folder),
        logging=LoggingSettings(level="error"),
        web=WebSettings(port=port or USUAL_PORT, docs=True),
    )


class _Story:
    def __init__(
        self, address: str, spec_url: str, base_url: str | None, password: str, recipe: Recipe | None, lab: Lab | None
    ) -> None:
        self._api = f"{address}/api/v1"
        self._spec_url = spec_url
        self._base_url = base_url
        self._password = password
        self._recipe = recipe
        self._lab = lab
        self._headers: dict[str, str] = {}
        self._began = time.monotonic()

    async def tell(self) -> None:
        async with HttpClient(OutgoingPolicy(allow_private=True)) as self._client:
            await self._sign_up()
            project = await self._create_project()
            await self._discover(project)
            for number in range(1, SCANS + 1):
                if number == SCANS:
                    await self._provoke()
                await self._scan(project, number)
            await self._show_findings(project)
            await self._show_anomalies(project)
            await self._show_timeline(project)

    async def _sign_up(self) -> None:
        person = {"email": EMAIL, "password": self._password, "first_name": "Demo", "last_name": "Person"}
        await self._ask("POST", "/auth/register", person)
        token = await self._ask("POST", "/auth/login", {"email": EMAIL, "password": self._password})
        self._headers["Authorization"] = f"Bearer {token['access_token']}"
        self._say(f"Signed up as {EMAIL}")

    async def _create_project(self) -> dict[str, Any]:
        body: dict[str, Any] = {"name": self._recipe.title if self._recipe else "Demo", "spec_url": self._spec_url}
        if self._base_url is not None:
            body["base_url"] = self._base_url
        if self._lab is not None:
            name, value = next(iter(self._lab.credentials.items()))
            body |= {"auth_type": "api_key_header", "auth_config": {"name": name, "value": value}}
        project: dict[str, Any] = await self._ask("POST", "/projects", body)
        self._say(f"Created the project {project['name']!r} for {self._spec_url}")
        return project

    async def _discover(self, project: Mapping[str, Any]) -> None:
        discovery = await self._ask("POST", f"/projects/{project['id']}/endpoints/scan", {})
        discovery = await self._finished(f"/discoveries/{discovery['id']}")
        if discovery["status"] != "completed":
            raise DemoFailed(f"discovery failed: {discovery['error']['message']}")
        self._say(f"Discovered {discovery['added']} operations ({', '.join(_sources(discovery))})")

    async def _scan(self, project: Mapping[str, Any], number: int) -> None:
        started = await self._ask("POST", f"/projects/{project['id']}/scans", {"scan_type": "full", "seed": 1})
        scan = await self._finished(f"/scans/{started['id']}")
        summary = scan["summary"] or {}
        if scan["status"] != "completed":
            raise DemoFailed(f"scan {number} {scan['status']}: {scan.get('error') or summary}")
        self._say(
            f"Scan {number} of {SCANS}: {summary['requests']} requests in {summary['duration_s']:.1f} s, "
            f"{summary['operations_2xx']} of {summary['operations_total']} operations answered 2xx, "
            f"{summary['findings_open']} open findings"
        )

    async def _provoke(self) -> None:
        """Use the lab as its clients would until one of its endpoints has grown slow."""
        slowdown = self._recipe.slowdown if self._recipe else None
        if slowdown is None:
            return
        base = self._spec_url.removesuffix("/openapi.json")
        request = Request(slowdown.method, base + slowdown.path)
        for _ in range(0, slowdown.times, 20):
            await asyncio.gather(*(self._client.send(request) for _ in range(20)))
        self._say(f"Meanwhile {slowdown.times} clients called {slowdown.method} {slowdown.path}")

    async def _show_findings(self, project: Mapping[str, Any]) -> None:
        findings = await self._list(f"/projects/{project['id']}/findings?status=open&limit=200")
        typer.echo(f"\nFINDINGS ({len(findings)} open)")
        findings.sort(key=lambda one: _SEVERITIES.index(one["severity"]))
        for finding in findings[:MOST_SHOWN]:
            typer.echo(f"  {finding['severity']:<8} {finding['method']} {finding['path']}: {finding['title']}")
            typer.echo(f"           {finding['curl']}")
        if len(findings) > MOST_SHOWN:
            typer.echo(f"  and {len(findings) - MOST_SHOWN} more: GET /api/v1/projects/{project['id']}/findings")

    async def _show_anomalies(self, project: Mapping[str, Any]) -> None:
        await self._settled()
        anomalies = await self._ask("GET", f"/projects/{project['id']}/anomalies")
        typer.echo(f"\nANOMALIES ({len(anomalies)})")
        for anomaly in anomalies:
            typer.echo(f"  {anomaly['metric_type']:<8} {anomaly['details']}")
        if not anomalies:
            typer.echo(f"  none: every endpoint of the last scan did as in the {SCANS - 1} before")

    async def _show_timeline(self, project: Mapping[str, Any]) -> None:
        events = await self._ask("GET", f"/projects/{project['id']}/events?order=newest&limit=12")
        typer.echo("\nTIMELINE (the latest)")
        for event in reversed(events):
            typer.echo(f"  {event['occurred_at'][11:23]}  {event['name']:<24} {_gist(event['payload'])}")

    async def _finished(self, path: str) -> dict[str, Any]:
        while True:
            thing: dict[str, Any] = await self._ask("GET", path)
            if thing["status"] not in ("queued", "running"):
                return thing
            await asyncio.sleep(0.1)

    async def _settled(self) -> None:
        """Until no job is left: what follows from the last scan is judged too."""
        for status in ("pending", "running"):
            while await self._ask("GET", f"/jobs?status={status}&limit=1"):  # noqa: ASYNC110 - asked over HTTP
                await asyncio.sleep(0.1)

    async def _list(self, path: str) -> list[dict[str, Any]]:
        """All pages."""
        rows: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = await self._answer("GET", f"{path}&cursor={cursor}" if cursor else path)
            rows += answer["data"]
            cursor = answer["meta"]["next_cursor"]
        return rows

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return (await self._answer(method, path, body))["data"]

    async def _answer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {**self._headers, "Accept": "application/json"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = orjson.dumps(body)
        exchange = await self._client.send(Request(method, self._api + path, tuple(headers.items()), content))
        if exchange.outcome is not Outcome.ANSWERED or exchange.answer is None:
            raise DemoFailed(f"{method} {path}: {exchange.error}")
        answer: dict[str, Any] = orjson.loads(exchange.answer.body)
        if exchange.answer.status >= 400:
            hint = " (give --base-url)" if "base_url" in answer.get("detail", "") else ""
            raise DemoFailed(f"{method} {path}: {exchange.answer.status} {answer.get('detail')}{hint}")
        return answer

    def _say(self, line: str) -> None:
        typer.echo(f"{time.monotonic() - self._began:6.1f} s  {line}")


def _gist(payload: Mapping[str, Any]) -> str:
    """What an event tells besides which things it is about."""
    telling = {name: value for name, value in payload.items() if name in _TELLING}
    endpoint = f"{payload['method']} {payload['path']}  " if "path" in payload else ""
    return endpoint + "  ".join(f"{name} {value}" for name, value in telling.items())


_TELLING = ("scan_type", "operations", "requests", "duration_s", "findings_open", "judged", "anomalous", "metric_type")
_SEVERITIES = ("critical", "high", "medium", "low", "info")


def _sources(discovery: dict[str, Any]) -> list[str]:
    return [part["source"] for part in discovery["parts"] if part["source"]]
