import gzip

import httpx2
import pytest

from backend.app.core.settings import HttpSettings, Settings, WebSettings
from backend.app.engine.http import Outcome
from backend.app.extensions.http_client import FetchFailed, HttpClient, HttpLimits, fetch
from backend.app.extensions.http_client.configure import http_limits, outgoing_policy
from backend.app.extensions.http_client.service import service_client
from tests.extensions.http_client.targets import EMBEDDED, PRODUCTION, Visit, answering, ok, raw_target, redirect


async def test_fetch_follows_redirects_to_a_document() -> None:
    async with raw_target(answering(redirect("/spec.json"), ok(b"{}", "Content-Type: application/json"))) as target:
        answer = await fetch(target.url, policy=EMBEDDED, headers=(("Accept", "application/json"),))
    assert (answer.status, answer.body, answer.header("content-type")) == (200, b"{}", "application/json")


async def test_fetch_says_why_there_is_no_answer() -> None:
    with pytest.raises(FetchFailed) as refused:
        await fetch("http://127.0.0.1:8000/", policy=PRODUCTION)
    assert refused.value.outcome is Outcome.REFUSED
    async with raw_target(answering(ok(bytes(5000)))) as target:
        with pytest.raises(FetchFailed) as large:
            await fetch(target.url, policy=EMBEDDED, limits=HttpLimits(max_body_bytes=4000))
    assert large.value.outcome is Outcome.TOO_LARGE


async def test_a_service_client_speaks_httpx2() -> None:
    script = answering(ok(gzip.compress(b'{"a": 1}'), "Content-Encoding: gzip", "X-A: b"))
    async with raw_target(script) as target, service_client(HttpClient(EMBEDDED)) as client:
        response = await client.post(f"{target.url}/hook?x=1", json={"b": 2})
    assert response.json() == {"a": 1}
    assert response.headers["x-a"] == "b"
    [seen] = target.requests
    assert seen.startswith(b"POST /hook?x=1 HTTP/1.1\r\n")
    assert seen.endswith(b'{"b":2}')
    assert seen.lower().count(b"content-length") == seen.lower().count(b"host:") == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://example.com:+80/",
        "http://example.com:８０/",
        "http://169.254.169.254/",
        "file:///etc",
    ],
)
async def test_a_service_client_is_guarded(url: str) -> None:
    async with service_client(HttpClient(PRODUCTION)) as client:
        with pytest.raises(httpx2.UnsupportedProtocol):
            await client.get(url)


async def test_a_service_client_follows_no_redirect_by_itself() -> None:
    script = answering(redirect("http://169.254.169.254/"))
    async with raw_target(script) as target, service_client(HttpClient(EMBEDDED)) as client:
        assert (await client.get(target.url)).status_code == 302


async def test_faults_of_a_service_are_errors_of_httpx2() -> None:
    async def hang(visit: Visit) -> None:
        await visit.until_gone()

    impatient = HttpClient(EMBEDDED, limits=HttpLimits(deadline_s=0.2))
    async with raw_target(hang) as target, service_client(impatient) as client:
        with pytest.raises(httpx2.TimeoutException, match="deadline"):
            await client.get(target.url)
    async with service_client(HttpClient(EMBEDDED)) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(target.url)


def test_settings_become_policy_and_limits() -> None:
    settings = Settings(
        mode="production",
        http=HttpSettings(allow=("10.1.0.0/16:8080",), deadline_s=3),
        web=WebSettings(host="10.1.0.5", port=8080),
    )
    policy = outgoing_policy(settings)
    assert not policy.allow_private
    assert [str(rule.network) for rule in policy.allow] == ["10.1.0.0/16"]
    assert policy.own_addresses == (("10.1.0.5", 8080),)
    assert http_limits(settings).deadline_s == 3
    assert outgoing_policy(Settings()).allow_private
