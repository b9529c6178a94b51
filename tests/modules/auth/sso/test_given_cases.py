"""The given redirect URIs, targets after the sign-in, and replayed ID tokens."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from backend.app.core.settings import Settings
from backend.app.main import create_app
from tests.modules.auth.sso.browsers import Browser, refused
from tests.support.accounts import client_of
from tests.support.engines import whatever_the_engine
from tests.support.oidc_provider import OidcProvider
from tests.support.payloads import load

CASES = load("origins.json")
REDIRECT_URI = "http://test/api/v1/auth/sso/corp/callback"
NAMES = {"redirect_uri": ("redirect_uri",), "next": ("next", "return_to", "url", "RelayState")}
ELSEWHERE = {"Origin": "tests/extensions/test_cors.py, tests/modules/test_contract.py"}
NOT_OURS = {"websocket": "no route of ours is a WebSocket"}


def test_every_given_case_is_tried_here_or_elsewhere_or_has_no_place_of_ours(settings: Settings) -> None:
    assert {case["kind"] for case in CASES} == {*NAMES, *ELSEWHERE, *NOT_OURS}
    routes = [type(each.original_route) for each in iter_route_contexts(create_app(settings).routes)]
    assert routes
    assert not [kind for kind in routes if "WebSocket" in kind.__name__]


@whatever_the_engine
@pytest.mark.parametrize("case", [case for case in CASES if case["kind"] in NAMES], ids=lambda case: str(case["id"]))
async def test_nothing_in_a_request_decides_where_a_browser_is_sent(
    app: FastAPI, corp: OidcProvider, case: dict[str, Any]
) -> None:
    """The redirect URI is that of the settings, to the letter; what follows a sign-in is an answer, no redirect."""
    browser = Browser(app)
    asked = urlencode(dict.fromkeys(NAMES[case["kind"]], case["value"]))
    started = await browser.app.get(f"/auth/sso/corp/login?{asked}")
    target = urlsplit(started.headers["location"])
    assert started.headers["location"].startswith(f"{corp.url}/authorize?")
    assert parse_qs(target.query)["redirect_uri"] == [REDIRECT_URI]
    back = await browser.visit(started.headers["location"])
    assert back.startswith(f"{REDIRECT_URI}?")
    done = await browser.app.get(f"{back}&{asked}")
    assert done.status_code == 200
    assert "location" not in done.headers
    said = [str(answer.headers) + answer.text for answer in (started, done)]
    assert not [text for text in said if "evil" in text or "a=b" in text]


async def test_a_target_after_the_sign_in_is_no_answer_to_how_to_start_it(app: FastAPI) -> None:
    """`redirect` says whether, and never where to."""
    async with client_of(app) as client:
        for case in CASES:
            if case["kind"] == "next":
                answer = await client.get("/auth/sso/corp/login", params={"redirect": case["value"]})
                assert refused(answer) == (422, "request.invalid")


async def test_an_id_token_without_the_nonce_or_with_another_is_refused(app: FastAPI, corp: OidcProvider) -> None:
    """jwt-072."""
    for nonce in (None, "of-another-sign-in"):
        corp.claims = {"nonce": nonce}
        assert refused(await Browser(app).sign_in()) == (401, "sso.invalid_answer")


async def test_an_id_token_is_no_access_token(app: FastAPI, corp: OidcProvider) -> None:
    """Nor is it one when it says that it is (RFC 8725, 3.11)."""
    given: list[str] = []

    def keep(claims: dict[str, Any]) -> str:
        given.append(corp.sign(claims))
        return given[-1]

    corp.encode = keep
    assert (await Browser(app).sign_in()).status_code == 200
    corp.claims = {"aud": ["touchstone", "touchstone-api"], "azp": "touchstone", "sid": "x", "jti": "y"}
    assert (await Browser(app).sign_in()).status_code == 200
    for token in given:
        async with client_of(app, {"Authorization": f"Bearer {token}"}) as client:
            assert refused(await client.get("/auth/me")) == (401, "auth.invalid_token")
