"""A sign-in through a provider of OpenID Connect, and all the ways in which it must not succeed."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from sqlalchemy import func, select
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from backend.app.core.secrets import sealer
from backend.app.core.settings import AuthSettings, Settings, WebSettings
from backend.app.db.sealed import rotate
from backend.app.db.session import Database
from backend.app.modules.auth.models import SsoAttemptRecord, UserRecord
from tests.modules.auth.sso.browsers import Browser, events, me, refused
from tests.support.accounts import SetClock, application, client_of
from tests.support.engines import whatever_the_engine
from tests.support.oidc_provider import GitHubProvider, Key, OidcProvider

INVALID_STATE = (401, "sso.invalid_state")
INVALID_ANSWER = (401, "sso.invalid_answer")
FAULTY = (502, "sso_provider.faulty")
UNAVAILABLE = (503, "sso_provider.unavailable")


async def count(database: Database, model: Any) -> int:
    async with database.transaction(write=False) as session:
        return (await session.execute(select(func.count()).select_from(model))).scalar_one()


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    return Browser(app)


async def test_the_providers_are_listed_in_order(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.get("/auth/sso/providers")
    assert answer.json()["data"] == [{"name": "github", "label": "GitHub"}, {"name": "corp", "label": "Corp"}]


async def test_somebody_signs_in(app: FastAPI, browser: Browser, database: Database) -> None:
    answer = await browser.sign_in()
    tokens = answer.json()["data"]
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert answer.headers["cache-control"] == "no-store"
    user = await me(app, answer)
    assert (user["email"], user["first_name"], user["last_name"]) == ("ada@corp.example", "Ada", "Lovelace")
    assert [name for name, _ in await events(database)] == ["user.registered", "identity.linked", "user.signed_in"]
    assert await count(database, SsoAttemptRecord) == 0


async def test_the_browser_is_sent_with_pkce_state_nonce_and_the_exact_redirect_uri(
    browser: Browser, corp: OidcProvider
) -> None:
    first, second = [parse_qs(urlsplit(await browser.start()).query) for _ in range(2)]
    assert first["redirect_uri"] == ["http://test/api/v1/auth/sso/corp/callback"]
    assert first["scope"] == ["openid email profile"]
    assert first["response_type"] == ["code"]
    assert first["code_challenge_method"] == ["S256"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) == 43
        assert first[name] != second[name]


async def test_the_start_can_answer_json(browser: Browser) -> None:
    answer = await browser.app.get("/auth/sso/corp/login?redirect=false")
    url = answer.json()["data"]["authorization_url"]
    assert (await browser.come_back(await browser.visit(url))).status_code == 200


@pytest.mark.parametrize(
    ("public_url", "cookie"),
    [
        ("http://test", "touchstone-sso={}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
        ("https://t.example/", "__Host-touchstone-sso={}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"),
    ],
)
async def test_the_cookie_is_closed_to_scripts_and_other_hosts(
    settings: Settings, database: Database, corp: OidcProvider, public_url: str, cookie: str
) -> None:
    app = application(settings.model_copy(update={"web": WebSettings(public_url=public_url)}), database)
    async with client_of(app) as client:
        answer = await client.get("/auth/sso/corp/login")
    value = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
    assert len(value) == 43
    assert answer.headers["set-cookie"] == cookie.format(value)
    assert answer.headers["cache-control"] == "no-store"
    redirect_uri = parse_qs(urlsplit(answer.headers["location"]).query)["redirect_uri"]
    assert redirect_uri == [public_url.rstrip("/") + "/api/v1/auth/sso/corp/callback"]


@pytest.mark.parametrize("path", ["login", "callback?state=x"])
async def test_an_unknown_provider_is_not_found(app: FastAPI, path: str) -> None:
    async with client_of(app) as client:
        assert refused(await client.get(f"/auth/sso/nobody/{path}")) == (404, "sso_provider.not_found")


async def test_a_wrong_state_is_refused(browser: Browser, corp: OidcProvider) -> None:
    back = await browser.visit(await browser.start())
    assert refused(await browser.come_back(back, state="x" * 43)) == INVALID_STATE
    assert refused(await browser.come_back(back, state=None)) == (422, "request.invalid")
    assert "/token" not in corp.requests


async def test_a_state_works_once(browser: Browser, corp: OidcProvider) -> None:
    back = await browser.visit(await browser.start())
    cookies = dict(browser.app.cookies)
    assert (await browser.come_back(back)).status_code == 200
    browser.app.cookies.update(cookies)
    assert refused(await browser.come_back(back)) == INVALID_STATE
    assert corp.requests.count("/token") == 1


async def test_a_state_works_for_ten_minutes_and_is_then_cleaned_up(
    browser: Browser, clock: SetClock, database: Database
) -> None:
    late, in_time = [await browser.visit(await browser.start()) for _ in range(2)]
    clock.move(minutes=9, seconds=59)
    assert (await browser.come_back(in_time)).status_code == 200
    back = await browser.visit(await browser.start())
    clock.move(minutes=10)
    assert refused(await browser.come_back(back)) == INVALID_STATE
    assert await count(database, SsoAttemptRecord) == 1  # `late`, which nobody brought back
    await browser.start()
    assert await count(database, SsoAttemptRecord) == 1
    assert refused(await browser.come_back(late)) == INVALID_STATE


async def test_another_browser_cannot_complete_a_sign_in(app: FastAPI, browser: Browser, corp: OidcProvider) -> None:
    victim, other = Browser(app), Browser(app)
    assert refused(await victim.come_back(await browser.visit(await browser.start()))) == INVALID_STATE
    await other.start()  # has a cookie, of another start
    assert refused(await other.come_back(await browser.visit(await browser.start()))) == INVALID_STATE
    assert "/token" not in corp.requests


async def test_an_attempt_is_for_the_provider_that_it_was_started_with(browser: Browser) -> None:
    back = await browser.visit(await browser.start("github"))
    assert refused(await browser.come_back(back.replace("/github/", "/corp/"))) == INVALID_STATE


async def test_the_database_holds_no_secret_of_an_attempt(browser: Browser, database: Database) -> None:
    query = parse_qs(urlsplit(await browser.start()).query)
    (cookie,) = browser.app.cookies.values()
    async with database.transaction(write=False) as session:
        (row,) = (await session.execute(select(SsoAttemptRecord.__table__))).mappings()
    assert row["state_hash"] == hashlib.sha256(query["state"][0].encode()).hexdigest()
    assert not {query["state"][0], query["nonce"][0], cookie} & set(row.values())
    assert query["nonce"][0] not in row["sealed"]


async def test_a_sign_in_that_is_under_way_outlives_a_rotation_of_the_keys(
    browser: Browser, settings: Settings, database: Database, clock: SetClock
) -> None:
    back = await browser.visit(await browser.start())
    former = settings.auth.secret_key
    assert former is not None
    newer = "another key that is 32 characters long"
    both = settings.model_copy(update={"auth": AuthSettings(secret_key=newer, previous_keys=(former,))})
    (attempts,) = [each for each in await rotate(database, sealer(both)) if each.column.table == "sso_attempts"]
    assert (attempts.resealed, attempts.broken) == (1, ())
    only = Browser(
        application(settings.model_copy(update={"auth": AuthSettings(secret_key=newer)}), database, clock=clock)
    )
    only.app.cookies.update(browser.app.cookies)
    assert (await only.come_back(back)).status_code == 200


async def test_a_replayed_code_is_refused(browser: Browser) -> None:
    first = await browser.visit(await browser.start())
    code = parse_qs(urlsplit(first).query)["code"][0]
    assert (await browser.come_back(first)).status_code == 200
    second = await browser.visit(await browser.start())
    assert refused(await browser.come_back(second, code=code)) == INVALID_ANSWER


async def test_a_code_of_another_sign_in_is_refused_by_pkce(app: FastAPI, browser: Browser) -> None:
    stolen = parse_qs(urlsplit(await browser.visit(await browser.start())).query)["code"][0]
    thief = Browser(app)
    back = await thief.visit(await thief.start())
    assert refused(await thief.come_back(back, code=stolen)) == INVALID_ANSWER


async def test_what_the_provider_denies_is_denied(browser: Browser, corp: OidcProvider) -> None:
    back = await browser.visit(await browser.start())
    answer = await browser.come_back(back, code=None, error="access_denied", error_description="<b>no</b>")
    assert refused(answer) == (401, "sso.denied")
    assert "<b>" not in answer.text
    back = await browser.visit(await browser.start())
    assert refused(await browser.come_back(back, code=None)) == INVALID_ANSWER


async def test_an_answer_of_another_issuer_is_refused(browser: Browser, corp: OidcProvider) -> None:
    back = await browser.visit(await browser.start())
    assert refused(await browser.come_back(back, iss="https://evil.example")) == INVALID_ANSWER
    assert "/token" not in corp.requests  # the code was not shown to anybody
    corp.answer = {"iss": corp.url}
    assert (await browser.sign_in()).status_code == 200


async def test_an_announced_issuer_has_to_come(browser: Browser, corp: OidcProvider) -> None:
    corp.discovery = {"authorization_response_iss_parameter_supported": True}
    assert refused(await browser.sign_in()) == INVALID_ANSWER
    corp.answer = {"iss": corp.url}
    assert (await browser.sign_in()).status_code == 200


@whatever_the_engine
@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 1},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
        {"aud": ["touchstone", "another"]},
        {"aud": ["touchstone", "another"], "azp": "another"},
        {"azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"exp": True},
        {"iat": None},
        {"iat": 99_999_999_999},
        {"nbf": 99_999_999_999},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\x00b"},
    ],
    ids=repr,
)
async def test_an_id_token_with_a_wrong_or_missing_claim_is_refused(
    browser: Browser, corp: OidcProvider, database: Database, claims: dict[str, Any]
) -> None:
    corp.claims = claims
    assert refused(await browser.sign_in()) == INVALID_ANSWER
    assert await count(database, UserRecord) == 0


async def test_further_audiences_are_fine_when_the_token_is_for_us(browser: Browser, corp: OidcProvider) -> None:
    corp.claims = {"aud": ["another", "touchstone"], "azp": "touchstone"}
    assert (await browser.sign_in()).status_code == 200


async def test_clocks_may_differ_by_a_minute(browser: Browser, corp: OidcProvider, clock: SetClock) -> None:
    now = int(clock().timestamp())
    for claims, accepted in [
        ({"exp": now - 59}, True),
        ({"exp": now - 60}, False),
        ({"iat": now + 60}, True),
        ({"iat": now + 61}, False),
    ]:
        corp.claims = claims
        assert ((await browser.sign_in()).status_code == 200) is accepted, claims


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _unsigned(claims: dict[str, Any]) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def _unsigned_with_signature(claims: dict[str, Any]) -> str:
    return f"{_part({'alg': 'none', 'kid': 'first'})}.{_part(claims)}.AAAA"


def _hs256_with_the_public_key(claims: dict[str, Any]) -> str:
    pem = Key("first").private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{_part({'alg': 'HS256', 'kid': 'first'})}.{_part(claims)}"
    mac = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _by_another_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, Key("second").private, "RS256", headers={"kid": "first"})


def _with_own_key_in_the_header(claims: dict[str, Any]) -> str:
    other = Key("second")
    return jwt.encode(claims, other.private, "RS256", headers={"kid": "first", "jwk": other.public})


def _by_unknown_kid(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, Key("first").private, "RS256", headers={"kid": "../../etc"})


def _as_access_token(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, Key("first").private, "RS256", headers={"kid": "first", "typ": "at+jwt"})


def _critical(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, Key("first").private, "RS256", headers={"kid": "first", "crit": ["exp"]})


def _by_rs512(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, Key("first").private, "RS512", headers={"kid": "first"})


@whatever_the_engine
@pytest.mark.parametrize(
    "encode",
    [
        _unsigned,
        _unsigned_with_signature,
        _hs256_with_the_public_key,
        _by_another_key,
        _with_own_key_in_the_header,
        _by_unknown_kid,
        _as_access_token,
        _critical,
        _by_rs512,
        lambda claims: "not a token",
        lambda claims: "",
        lambda claims: "a.b.c",
        lambda claims: _part("[" * 9000) + ".e30.AAAA",
    ],
)
async def test_an_id_token_that_the_provider_did_not_sign_is_refused(
    browser: Browser, corp: OidcProvider, database: Database, encode: Callable[[dict[str, Any]], str]
) -> None:
    corp.encode = encode
    assert refused(await browser.sign_in()) == INVALID_ANSWER
    assert await count(database, UserRecord) == 0


@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
async def test_the_algorithms_of_the_list_are_accepted(browser: Browser, corp: OidcProvider, kind: str) -> None:
    corp.key = Key("only", kind)
    assert (await browser.sign_in()).status_code == 200


async def test_an_unknown_key_is_looked_for_once_a_minute(
    browser: Browser, corp: OidcProvider, clock: SetClock
) -> None:
    assert (await browser.sign_in()).status_code == 200
    corp.key = Key("second")
    assert refused(await browser.sign_in()) == INVALID_ANSWER
    assert corp.requests.count("/keys") == 1
    clock.move(seconds=60)
    assert (await browser.sign_in()).status_code == 200
    assert corp.requests.count("/keys") == 2
    corp.published = []
    corp.key = Key("third")
    for _ in range(3):
        assert refused(await browser.sign_in()) == INVALID_ANSWER
    clock.move(seconds=61)
    for _ in range(3):
        assert refused(await browser.sign_in()) == INVALID_ANSWER
    assert corp.requests.count("/keys") == 3


async def test_discovery_and_keys_are_kept_for_an_hour(browser: Browser, corp: OidcProvider, clock: SetClock) -> None:
    for _ in range(3):
        assert (await browser.sign_in()).status_code == 200
    assert (corp.requests.count("/.well-known/openid-configuration"), corp.requests.count("/keys")) == (1, 1)
    clock.move(hours=1)
    assert (await browser.sign_in()).status_code == 200
    assert (corp.requests.count("/.well-known/openid-configuration"), corp.requests.count("/keys")) == (2, 2)


async def test_a_provider_may_want_its_secret_in_the_form(browser: Browser, corp: OidcProvider) -> None:
    corp.discovery = {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}
    assert (await browser.sign_in()).status_code == 200


async def test_a_provider_that_says_nothing_gets_the_secret_in_the_header(browser: Browser, corp: OidcProvider) -> None:
    corp.discovery = {"token_endpoint_auth_methods_supported": None}
    corp._is_our_client = lambda request, form: request.headers["authorization"].startswith("Basic ")  # type: ignore[method-assign]
    assert (await browser.sign_in()).status_code == 200


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://a.example/\r\nSet-Cookie: a=b"},
        {"authorization_endpoint": 1},
        {"issuer": ["x"]},
    ],
    ids=repr,
)
async def test_a_faulty_discovery_stops_the_start(app: FastAPI, corp: OidcProvider, discovery: dict[str, Any]) -> None:
    corp.discovery = discovery
    async with client_of(app) as client:
        answer = await client.get("/auth/sso/corp/login")
    assert refused(answer) == FAULTY
    assert "set-cookie" not in answer.headers


@whatever_the_engine
@pytest.mark.parametrize(
    "discovery",
    [
        {"token_endpoint": None},
        {"token_endpoint": "http://169.254.169.254/latest"},
        {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
        {"token_endpoint_auth_methods_supported": "client_secret_basic"},
        {"jwks_uri": None},
    ],
    ids=repr,
)
async def test_a_faulty_discovery_stops_the_completion(
    browser: Browser, corp: OidcProvider, discovery: dict[str, Any]
) -> None:
    corp.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_basic"], **discovery}
    assert refused(await browser.sign_in()) == FAULTY


ANSWERS: list[tuple[Response | str, tuple[int, str]]] = [
    (HTMLResponse("<html>Sign in</html>"), FAULTY),
    (PlainTextResponse(b"\xff\x00garbage"), FAULTY),
    (PlainTextResponse(""), FAULTY),
    (JSONResponse([]), FAULTY),
    (JSONResponse("text"), FAULTY),
    (PlainTextResponse("[" * 100_000), FAULTY),
    (PlainTextResponse("{" + " " * 600_000 + "}"), FAULTY),
    (RedirectResponse("http://127.0.0.1:9/"), FAULTY),
    (JSONResponse({"error": "no such thing"}, 404), FAULTY),
    (JSONResponse({}, 500), UNAVAILABLE),
    (JSONResponse({}, 429), UNAVAILABLE),
    ("hang", UNAVAILABLE),
    ("drip", UNAVAILABLE),
]


@whatever_the_engine
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys", "/userinfo"])
@pytest.mark.parametrize(("fault", "expected"), ANSWERS)
async def test_a_provider_that_misbehaves_is_said_to(
    browser: Browser, corp: OidcProvider, path: str, fault: Response | str, expected: tuple[int, str]
) -> None:
    corp.broken = {path: fault}
    corp.in_userinfo = ("email",)
    if path == "/.well-known/openid-configuration":
        answer = await browser.app.get("/auth/sso/corp/login")
    else:
        answer = await browser.sign_in()
    assert refused(answer) == expected
    if expected == UNAVAILABLE:
        assert answer.headers["retry-after"]


@whatever_the_engine
@pytest.mark.parametrize(
    "tokens",
    [
        {"error": "invalid_client"},
        {"access_token": "a", "id_token": "b"},
        {"token_type": "Bearer", "id_token": "b"},
        {"access_token": "a\r\nX: y", "token_type": "Bearer", "id_token": "b"},
        {"access_token": 1, "token_type": "Bearer", "id_token": "b"},
        {"access_token": "a", "token_type": "mac", "id_token": "b"},
    ],
    ids=repr,
)
async def test_a_token_endpoint_that_does_not_keep_to_oauth_is_faulty(
    browser: Browser, corp: OidcProvider, tokens: dict[str, Any]
) -> None:
    corp.broken = {"/token": JSONResponse(tokens)}
    assert refused(await browser.sign_in()) == FAULTY


async def test_a_provider_without_an_id_token_proves_nothing(browser: Browser, corp: OidcProvider) -> None:
    corp.broken = {"/token": JSONResponse({"access_token": "a", "token_type": "Bearer"})}
    assert refused(await browser.sign_in()) == INVALID_ANSWER


async def test_userinfo_tells_the_address_that_the_id_token_does_not(
    app: FastAPI, browser: Browser, corp: OidcProvider
) -> None:
    corp.in_userinfo = ("email", "email_verified", "given_name", "family_name")
    assert (await me(app, await browser.sign_in()))["email"] == "ada@corp.example"


async def test_userinfo_about_somebody_else_is_refused(browser: Browser, corp: OidcProvider) -> None:
    corp.in_userinfo = ("email", "email_verified")
    corp.broken = {"/userinfo": JSONResponse({"sub": "eve", "email": "eve@corp.example", "email_verified": True})}
    assert refused(await browser.sign_in()) == INVALID_ANSWER


async def test_a_provider_that_is_away_is_unavailable(
    settings: Settings, database: Database, github: GitHubProvider
) -> None:
    gone = settings.sso.oidc["corp"].model_copy(update={"issuer": "http://127.0.0.1:9"})
    sso = settings.sso.model_copy(update={"oidc": {"corp": gone}})
    app = application(settings.model_copy(update={"sso": sso}), database)
    async with client_of(app) as client:
        answer = await client.get("/auth/sso/corp/login")
        assert refused(answer) == UNAVAILABLE
        assert "127.0.0.1" not in answer.text
        assert (await client.get("/auth/sso/github/login")).status_code == 302


async def test_production_asks_no_provider_without_tls(
    settings: Settings, database: Database, corp: OidcProvider
) -> None:
    app = application(settings.model_copy(update={"mode": "production"}), database)
    async with client_of(app) as client:
        assert refused(await client.get("/auth/sso/corp/login")) == FAULTY
    assert corp.requests == []
