"""The whole application on one database, every answer of it held to what our OpenAPI document promises. The document is
read, and the answers are judged, by our own engine."""

import asyncio
import functools
import re
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import httpx2
import orjson
from fastapi import FastAPI

from backend.app.core.clock import utc_now
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import MessageHub
from backend.app.core.message_hub import hub as module_hub
from backend.app.core.performer import Performer
from backend.app.core.runner import QUEUES, Runner
from backend.app.core.runtime import Runtime
from backend.app.core.settings import LoggingSettings, RateSettings, Settings, WebSettings
from backend.app.db.session import Database
from backend.app.engine.checks import NOT_JSON, CheckContext, checks
from backend.app.engine.generate.case import Case, Expectation
from backend.app.engine.generate.requests import Inputs, is_json
from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import ApiDescription, Operation
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document
from backend.app.extensions.logging import configure_logging
from backend.app.main import create_app
from backend.app.modules.auth.dependencies import authenticate
from backend.app.modules.auth.models import IdentityRecord
from backend.app.modules.labs.recipes import Lab
from tests.support.accounts import API, PASSWORD, person
from tests.support.databases import behind_the_wall

CHECKS = ("content_type", "required_header", "response_schema", "server_error", "undocumented_status")
LAB_REQUESTS = 150
_BYTES = "application/octet-stream"
QUIET = LoggingSettings(level="error")
WEB = WebSettings(public_url="http://test")


@functools.cache
def _application(engine: str) -> FastAPI:
    """One for each engine, because its first request builds a lot; each `OurApi` puts a runtime of its own into it."""
    return create_app(Settings(logging=QUIET, rates=RateSettings(enabled=False), web=WEB))


def our_document() -> dict[str, Any]:
    """OpenAPI, to be read and left as it is: the same whatever the settings."""
    return _application("sqlite").openapi()


@functools.cache
def _our_description() -> ApiDescription:
    description = describe(parse_document(orjson.dumps(our_document())))
    assert not description.faults
    return description


class OurApi:
    """One on each engine at a time. `broken` collects the promises that answers broke, `reached` the operations that
    answered 2xx."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        configure_logging(QUIET)
        self.app = _application(database.engine.dialect.name)
        hub = MessageHub()
        for handler in module_hub.handlers():
            hub.on(handler.event, queue=handler.queue, attempts=handler.attempts)(handler.function)
        self.app.state.runtime = Runtime(settings, behind_the_wall(database), hub, utc_now, authenticate)
        self.drain = Performer(Runner(behind_the_wall(database), hub, settings), QUEUES).drain
        self.description = _our_description()
        self.validator = SchemaValidator(self.description.definitions)
        self.broken: list[str] = []
        self.reached: set[str] = set()
        # A literal segment wins over a parameter, as in the router.
        self._templates = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", operation.path)), operation)
            for operation in sorted(self.description.operations, key=lambda operation: operation.path.count("{"))
        ]

    @property
    def operations(self) -> list[Operation]:
        """Those below `/api/v1`."""
        return [operation for operation in self.description.operations if operation.path.startswith("/api/")]

    def client(self, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx2.AsyncClient(
            transport=transport, base_url=API, headers=headers, event_hooks={"response": [self._read]}
        )

    async def send(self, method: str, target: str, headers: Mapping[str, str | bytes], body: bytes = b"") -> Answer:
        """To make a request and an answer of `httpx2` costs as much as the application does: this is for thousands. The
        `target` stands below `/api/v1` and is percent-encoded."""
        path, _, query = f"/api/v1{target}".partition("?")
        lines = {"host": "test", "content-length": str(len(body)), **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (name.lower().encode(), it.encode() if isinstance(it, str) else it) for name, it in lines.items()
            ],
            "server": ("test", 80),
            "client": ("127.0.0.1", 123),
        }
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[MutableMapping[str, Any]] = []
        complete = asyncio.Event()

        async def receive() -> MutableMapping[str, Any]:
            if waiting:
                return waiting.pop()
            await complete.wait()
            return {"type": "http.disconnect"}

        async def take(message: MutableMapping[str, Any]) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                complete.set()

        with suppress(Exception):  # answered with 500 before it comes here
            await self.app(scope, receive, take)
        assert complete.is_set(), f"{method} {target}: not answered"
        start, *rest = sent
        answer_headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
        answer = Answer(start["status"], answer_headers, b"".join(message.get("body", b"") for message in rest))
        self._judge(Request(method, f"http://test{path}"), unquote(path), answer)
        return answer

    async def sign_up(self) -> httpx2.AsyncClient:
        body = person()
        async with self.client() as nobody:
            await ask(nobody, "POST", "/auth/register", body, status=201)
            login = {"email": body["email"], "password": PASSWORD}
            tokens = await ask(nobody, "POST", "/auth/login", login)
        return self.client({"Authorization": f"Bearer {tokens['access_token']}"})

    async def furnish(self, client: httpx2.AsyncClient, lab: Lab, url: str) -> dict[str, str]:
        """A project that was discovered and scanned; the ids of what there is by the names of path parameters."""
        ((header, secret),) = lab.credentials.items()
        auth = {"auth_type": "api_key_header", "auth_config": {"name": header, "value": secret}}
        body = {"name": "Shop", "base_url": url, "spec_url": f"{url}/openapi.json", **auth}
        project = (await ask(client, "POST", "/projects", body, status=201))["id"]
        found = await ask(client, "POST", f"/projects/{project}/endpoints/scan", status=202)
        await self.drain()
        path = f"/projects/{project}/endpoints/uploads?name=spec.json"
        upload = await client.post(path, content=b'{"openapi": "3.1.0"}', headers={"Content-Type": _BYTES})
        assert upload.status_code == 201, upload.text
        scan = await ask(client, "POST", f"/projects/{project}/scans", {"max_requests": LAB_REQUESTS}, status=202)
        await self.drain()
        key = await ask(client, "POST", "/user/api-keys", {"name": "key"}, status=201)
        ids = {"project_id": project, "discovery_id": found["id"], "scan_id": scan["id"], "key_id": key["id"]}
        ids["upload_id"] = upload.json()["data"]["id"]
        git = {"name": "Code", "url": "https://git.example/shop.git", "branch": "main"}
        path = f"/projects/{project}/git-sources?validate=false"
        ids["git_source_id"] = (await ask(client, "POST", path, git, status=201))["id"]
        for name, path in {
            "endpoint_id": f"/projects/{project}/endpoints",
            "finding_id": f"/projects/{project}/findings",
            "anomaly_id": f"/projects/{project}/anomalies?is_anomalous=false",
            "job_id": "/jobs",
            "session_id": "/auth/sessions",
        }.items():
            first, *_ = await ask(client, "GET", path)
            ids[name] = first["id"]
        path = f"/projects/{project}/entities"
        ends = [(await ask(client, "POST", path, {"type": "resource", "name": it}, status=201))["id"] for it in "ab"]
        pair = {"type": "part_of", "source_id": ends[0], "target_id": ends[1]}
        relationship = await ask(client, "POST", f"/projects/{project}/relationships", pair, status=201)
        me = await ask(client, "GET", "/auth/me")
        ids |= {"provider": "corp", "identity_id": await self._link(me["id"])}
        workspace = {"workspace_id": me["workspace_id"], "user_id": me["id"]}
        guest = {"email": f"guest.of.{me['email']}"}
        path = f"/workspaces/{me['workspace_id']}/invitations"
        invitation = await ask(client, "POST", path, guest, status=202)
        await self.drain()
        return {
            **ids,
            **workspace,
            "invitation_id": invitation["id"],
            "collection": "entities",
            "entity_id": ends[0],
            "relationship_id": relationship["id"],
        }

    async def _link(self, user_id: str) -> str:
        """An identity at a provider, as a sign-in there leaves it."""
        now = utc_now()
        identity = IdentityRecord(
            id=new_ulid(),
            user_id=user_id,
            provider="corp",
            issuer="https://id.example",
            subject=user_id,
            email="ada@id.example",
            created_at=now,
            last_used_at=now,
        )
        async with self.app.state.runtime.database.transaction() as session:
            session.add(identity)
        return identity.id

    async def _read(self, response: httpx2.Response) -> None:
        await response.aread()
        request = Request(response.request.method, str(response.request.url))
        answer = Answer(response.status_code, tuple(response.headers.multi_items()), response.content)
        self._judge(request, response.request.url.path, answer)

    def _judge(self, request: Request, path: str, answer: Answer) -> None:
        operation = next(
            (it for template, it in self._templates if it.method == request.method and template.fullmatch(path)), None
        )
        if operation is None:
            return
        if answer.status < 300:
            self.reached.add(operation.key)
        exchange = Exchange(request, Outcome.ANSWERED, Timing(0.0), answer)
        case = Case("contract", "", operation, Inputs(), Expectation.NO_CRASH)
        readable = is_json(answer.header("Content-Type") or "")
        document = orjson.loads(answer.body) if readable and answer.body else NOT_JSON
        context = CheckContext(case, exchange, self.validator, document)
        failures = [checks.get(name)(context) for name in CHECKS]
        self.broken += [f"{operation.key}: {failure.title}: {failure.detail}" for failure in failures if failure]


async def ask(client: httpx2.AsyncClient, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    """The data of an answer that has the status."""
    answer = await client.request(method, path, **({} if body is None else {"json": body}))
    assert answer.status_code == status, f"{method} {path}: {answer.text}"
    return answer.json().get("data", answer.json())
