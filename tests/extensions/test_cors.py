"""Only pages of the origins that were named read our answers."""

from typing import Any

import pytest

from backend.app.core.settings import Settings, SettingsError, WebSettings
from backend.app.extensions.cors import Cors
from tests.extensions.test_middleware import things
from tests.support.apps import client_of, small_app
from tests.support.payloads import load

APP = "https://app.example"
FOREIGN = [case["value"] for case in load("origins.json") if case["kind"] == "Origin"]


async def ask(origins: tuple[str, ...], method: str, **headers: str) -> Any:
    app = small_app(things(), Settings(web=WebSettings(cors_origins=origins)))
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client_of(app).request(method, "/samples/1", headers=sent)


def cors_headers(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("origin", FOREIGN)
async def test_no_other_origin_is_let_in(origin: str) -> None:
    assert cors_headers(await ask((APP,), "GET", Origin=origin)) == {}
    answer = await ask((APP,), "OPTIONS", Origin=origin, Access_Control_Request_Method="GET")
    assert (answer.status_code, cors_headers(answer)) == (405, {})
    assert "Origin" in answer.headers["vary"]


async def test_a_named_origin_may_read_answers_and_send_credentials() -> None:
    answer = await ask((APP, "http://localhost:3000"), "GET", Origin=APP)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert {"ETag", "Retry-After"} <= set(answer.headers["access-control-expose-headers"].split(", "))
    assert answer.headers["vary"] == "Origin"


async def test_a_preflight_is_answered_without_credentials() -> None:
    app = small_app(things(), Settings(web=WebSettings(cors_origins=(APP,))))
    headers = {"Origin": APP, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-api-key"}
    answer = await client_of(app, who=None).options("/samples/1", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == APP
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert {"Authorization", "X-API-Key"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert int(answer.headers["access-control-max-age"]) > 0


async def test_a_failure_can_be_read_by_the_page_too() -> None:
    app = small_app(things(), Settings(web=WebSettings(cors_origins=(APP,))))
    for path in ("/broken", "/nothing", "/samples/%00"):
        answer = await client_of(app).get(path, headers={"Origin": APP})
        assert answer.status_code >= 400
        assert answer.headers["access-control-allow-origin"] == APP


@pytest.mark.parametrize("origin", [APP, "https://evil.example"])
async def test_everybody_is_let_in_without_credentials_only(origin: str) -> None:
    headers = cors_headers(await ask(("*",), "GET", Origin=origin))
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers
    assert cors_headers(await ask(("*",), "GET", Origin="null")) == {}


@pytest.mark.parametrize(("given", "sent"), [("HTTPS://App.Example:443", APP), ("http://[::1]:80", "http://[::1]")])
def test_an_origin_is_compared_as_browsers_write_it(given: str, sent: str) -> None:
    assert Cors((given,)).allows(sent.encode())


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "app.example",
        "https://app.example/",
        "https://app.example/path",
        "https://*.example",
        "ftp://a.b",
        "https://user@app.example",
        "https://app.example:x",
        "file://",
        "https://app.example?x",
    ],
)
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(SettingsError, match=r"^web\.cors_origins"):
        Cors((origin,))
