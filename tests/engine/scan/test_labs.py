"""Every lab recipe is scanned: what was planted is found, and its correct twin is left in peace."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from backend.app.engine.generate.requests import Credentials
from backend.app.engine.http import Answer, Exchange, Outcome, Request, Send, Timing
from backend.app.engine.scan import ScanLimits, ScanPlan, ScanResult, run_scan
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document
from backend.app.modules.labs.recipes import Lab, recipes
from tests.support.scanning import Recorder

BASE_URL = "http://lab.test"


def sender(lab: Lab) -> Send:
    """The ASGI application behind `Send`, without a network."""

    async def send(request: Request) -> Exchange:
        url = urlsplit(request.url)
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": url.path,
            "raw_path": url.path.encode(),
            "root_path": "",
            "query_string": url.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers],
            "server": ("lab.test", 80),
            "client": ("127.0.0.1", 1),
        }
        sent: list[Mapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.body or b"", "more_body": False}

        async def collect(message: Any) -> None:
            sent.append(message)

        await lab(scope, receive, collect)
        headers = tuple((name.decode(), value.decode()) for name, value in sent[0]["headers"])
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Exchange(request, Outcome.ANSWERED, Timing(0.0, 1.0, 1.0), Answer(sent[0]["status"], headers, body))

    return send


async def scanned(name: str, faulty: bool, seed: int, concurrency: int = 1) -> ScanResult:
    lab = recipes.get(name).create(1, faulty)
    send = sender(lab)
    served = (await send(Request("GET", f"{BASE_URL}/openapi.json"))).answer
    assert served is not None
    plan = ScanPlan(
        describe(parse_document(served.body)),
        BASE_URL,
        credentials=Credentials(headers=tuple(lab.credentials.items())),
        seed=seed,
        limits=ScanLimits(concurrency=concurrency),
    )
    return await run_scan(plan, send, observer=Recorder())


@pytest.mark.parametrize("name", recipes.names())
@pytest.mark.parametrize(("seed", "concurrency"), [(1, 1), (2, 1), (3, 8)])
async def test_what_was_planted_is_found_and_nothing_else(name: str, seed: int, concurrency: int) -> None:
    result = await scanned(name, True, seed, concurrency)
    planted = {(fault.check, fault.operation) for fault in recipes.get(name).faults if fault.check}
    assert {(finding.check, f"{finding.method} {finding.path}") for finding in result.findings} == planted


@pytest.mark.parametrize("name", recipes.names())
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_correct_twin_has_no_findings_and_is_reached_everywhere(name: str, seed: int) -> None:
    result = await scanned(name, False, seed)
    assert [(finding.title, finding.path, finding.detail) for finding in result.findings] == []
    assert [operation for operation in result.operations if not operation.reached_2xx] == []
