"""What every request gets: an id, a log line, metrics by template, limits, security headers."""

import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog
from fastapi import APIRouter, Request
from structlog.testing import CapturingLogger

from backend.app.core.errors import PermissionDenied, TooManyRequests
from backend.app.core.ids import new_ulid
from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, envelope
from backend.app.core.settings import LoggingSettings, Settings, WebSettings
from backend.app.core.views import access_control, view
from backend.app.extensions import error_handlers, middleware
from backend.app.extensions.metrics import exposition
from backend.app.main import create_app
from tests.support.apps import client_of, small_app

LIMIT = 2_000
SETTINGS = Settings(web=WebSettings(max_body_bytes=LIMIT), logging=LoggingSettings(slow_request_s=0.5))


def things() -> APIRouter:
    router = APIRouter()

    @view(router)
    class ThingViews:
        @router.get("/samples/{sample_id}")
        @access_control(Permission.EVENTS_READ)
        async def read_sample(self, sample_id: str) -> Envelope[str]:
            return envelope(sample_id)

        @router.put("/samples")
        @access_control(Permission.EVENTS_READ)
        async def put_sample(self, body: dict[str, str]) -> Envelope[int]:
            return envelope(len(body))

        @router.delete("/samples")
        @access_control(Permission.EVENTS_READ)
        async def count_body(self, request: Request) -> Envelope[int]:
            return envelope(len(await request.body()))

        @router.get("/broken")
        @access_control(Permission.EVENTS_READ)
        async def read_broken(self) -> Envelope[str]:
            raise RuntimeError("password=hunter2")

        @router.get("/refusing")
        @access_control(Permission.EVENTS_READ)
        async def read_refusing(self) -> Envelope[str]:
            raise PermissionDenied

        @router.get("/limited")
        @access_control(Permission.EVENTS_READ)
        async def read_limited(self) -> Envelope[str]:
            raise TooManyRequests

    return router


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    logger = CapturingLogger()
    monkeypatch.setattr(middleware, "get_logger", lambda _: logger)
    return logger


@pytest.fixture
def app(log: CapturingLogger) -> Any:
    return small_app(things(), SETTINGS)


@pytest.fixture
def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Iterator[float] = iter(range(1_000))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))


@pytest.mark.parametrize("given", ["abc-1.2_3", "x" * 64, "0"])
async def test_a_harmless_request_id_is_taken_over(app: Any, log: CapturingLogger, given: str) -> None:
    answer = await client_of(app).get("/samples/1", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == answer.json()["meta"]["request_id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "<script>", 'a"b', "é"])
async def test_any_other_is_replaced(app: Any, given: str | None) -> None:
    headers = [] if given is None else [(b"X-Request-Id", given.encode())]
    answers = [await client_of(app).get("/samples/1", headers=headers) for _ in range(2)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert {len(value) for value in ids} == {len(new_ulid())}
    assert ids[0] != ids[1]


async def test_every_answer_has_security_headers_and_an_id(app: Any) -> None:
    client = client_of(app)
    for method, path in (("GET", "/samples/1"), ("GET", "/nothing"), ("PATCH", "/samples/1"), ("GET", "/broken")):
        answer = await client.request(method, path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-request-id"]


async def test_answers_load_nothing_and_are_framed_by_nobody(app: Any) -> None:
    for path in ("/samples/1", "/nothing", "/broken"):
        headers = (await client_of(app).get(path)).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy == dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'")
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers


@pytest.mark.parametrize(("url", "told"), [("https://t.example", True), ("http://t.example", False)])
async def test_browsers_are_told_to_stay_on_https(url: str, told: bool) -> None:
    app = small_app(things(), Settings(web=WebSettings(public_url=url)))
    for path in ("/samples/1", "/nothing", "/broken"):
        said = (await client_of(app).get(path)).headers.get("strict-transport-security")
        assert said == ("max-age=31536000; includeSubDomains" if told else None)


async def test_the_page_of_the_docs_runs_its_own_scripts_only() -> None:
    app = create_app(Settings(web=WebSettings(docs=True)))
    async with client_of(app) as client:
        answer = await client.get("/docs")
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert policy["script-src"] == f"'self' 'sha256-{digest}'"
        assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
        assert "no-store" not in (await client.get("/docs/assets/swagger-ui.css")).headers.get("cache-control", "")
        assert (await client.get("/openapi.json")).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/assets/swagger-ui.css"])
async def test_production_shows_no_docs_unless_it_is_told_to(path: str) -> None:
    assert (await client_of(create_app(Settings(mode="production"))).get(path)).status_code == 404
    assert (await client_of(create_app(Settings(mode="production", web=WebSettings(docs=True)))).get(path)).is_success


async def test_what_is_for_one_caller_is_not_stored_by_others(app: Any) -> None:
    assert (await client_of(app).get("/samples/1")).headers["cache-control"] == "no-store"


async def parts(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 100):
        yield b" " * 100


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_body_over_the_limit_is_a_413(app: Any, method: str) -> None:
    client = client_of(app)
    for content in (b"{" + b" " * LIMIT, parts(LIMIT + 100)):
        answer = await client.request(method, "/samples", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["code"] == "request.too_large"
    assert (await client.request("DELETE", "/samples", content=b" " * LIMIT)).json()["data"] == LIMIT


async def test_the_log_has_one_line_a_request_and_says_who_and_which_route(app: Any, log: CapturingLogger) -> None:
    await client_of(app).get("/samples/secret-name?token=hush")
    (call,) = log.calls
    assert (call.method_name, call.args) == ("info", ("request",))
    said = call.kwargs
    assert said["route"] == "/api/v1/samples/{sample_id}"
    assert (said["method"], said["status"], said["user_id"]) == ("GET", 200, "alice")
    assert said["duration_ms"] >= 0
    assert "hush" not in repr(said)


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [(None, "/samples/1", 401), ("reader", "/refusing", 403), ("reader", "/limited", 429)],
)
async def test_the_log_of_a_refusal_says_who_and_from_where(
    app: Any, log: CapturingLogger, who: str | None, path: str, status: int
) -> None:
    assert (await client_of(app, who).get(path)).status_code == status
    (call,) = log.calls
    assert (call.kwargs["status"], call.kwargs["user_id"], call.kwargs["client"]) == (status, who, "127.0.0.1")
    assert call.kwargs["route"].endswith(path.removesuffix("/1") + ("/{sample_id}" if path.endswith("/1") else ""))


async def test_the_log_says_of_nobody_else_from_where_they_come(app: Any, log: CapturingLogger) -> None:
    await client_of(app).get("/samples/1")
    assert "client" not in log.calls[0].kwargs


async def test_the_trace_of_a_failure_is_in_the_log_under_the_id_of_the_answer(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = CapturingLogger()
    monkeypatch.setattr(error_handlers, "get_logger", lambda _: logger)
    answer = await client_of(app).get("/broken")
    (call,) = logger.calls
    assert (call.method_name, call.args) == ("error", ("request.failed",))
    assert isinstance(call.kwargs["exc_info"], RuntimeError)
    assert structlog.contextvars.get_contextvars()["request_id"] == answer.headers["x-request-id"]


async def test_a_slow_request_is_a_warning(app: Any, log: CapturingLogger, slow_clock: None) -> None:
    await client_of(app).get("/samples/1")
    assert [(call.method_name, call.args) for call in log.calls] == [("warning", ("request.slow",))]


def counted(route: str) -> list[str]:
    lines = exposition([], 0).decode().splitlines()
    return [line for line in lines if line.startswith("touchstone_http_requests_total") and f'route="{route}"' in line]


async def test_metrics_go_by_template(app: Any) -> None:
    client = client_of(app)
    for number in range(5):
        await client.get(f"/samples/{number}")
    lines = counted("/api/v1/samples/{sample_id}")  # of the whole process, so other answers may stand there too
    assert [line for line in lines if 'method="GET"' in line and 'status="200"' in line]


async def test_unknown_paths_and_methods_make_no_series_of_their_own(app: Any) -> None:
    client = client_of(app)
    before = len(counted("(none)"))
    for number in range(3):
        await client.get(f"/unknown-{number}")
        await client.request(f"M{number}", "/samples/1")
    assert all('method="*"' in line for line in counted("(none)"))
    assert "unknown-" not in "".join(counted("(none)"))
    assert len(counted("(none)")) - before <= 2


@pytest.mark.parametrize("place", ["/samples/{}", "/samples/1?name=a{}b", "/samples/1?{}=b", "/unknown/{}"])
@pytest.mark.parametrize("encoded", ["%00", "%ED%A0%80", "%ed%bf%bf", "%ff", "%C0%80", "%f4%90%80%80", "%E4%BD"])
async def test_a_url_that_is_no_text_is_a_422(app: Any, place: str, encoded: str) -> None:
    """NUL, lone surrogates, what is no UTF-8 (RFC 3629, 3): nothing is read as a character that nobody sent."""
    answer = await client_of(app).get(place.format(encoded))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("encoded", ["%F0%9F%98%80", "%E4%BD%A0", "%25ff", "100%", "%zz"])
async def test_a_url_that_is_text_is_read(app: Any, encoded: str) -> None:
    assert (await client_of(app).get(f"/samples/1?name={encoded}")).status_code == 200
