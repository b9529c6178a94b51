"""What holds for the application as a whole, whichever module answers; `docs/reference/security.md` says for which rule
each of these stands."""

import base64
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import func, select

from backend.app.core.settings import Settings, WebSettings
from backend.app.db.models import metadata
from backend.app.db.session import Database
from backend.app.main import create_app
from backend.app.modules.auth.credentials.api_keys import new_api_key
from backend.app.modules.auth.credentials.mailed_tokens import new_mailed_token
from backend.app.modules.auth.credentials.refresh_tokens import new_refresh_token
from tests.support.accounts import SetClock, application, client_of, person, sign_in, sign_up
from tests.support.contract import QUIET, our_document
from tests.support.engines import whatever_the_engine

ROOT = "http://test"
SECRET_NAMES = re.compile(r"pass|secret|token|hash|sealed|nonce|credential|^key$|_key$")
HANDED_OUT = {
    "ApiKeyWithSecret.key",
    "GitSourceWithSecret.webhook_secret",
    "TokenPair.access_token",
    "TokenPair.refresh_token",
    "TokenPair.token_type",
}
"""The answers that exist to hand a secret out, once, to whom it belongs."""
NOT_LISTS_OF_ROWS = {"/api/v1/plugins", "/api/v1/auth/sso/providers"}
"""What the installation consists of: as long as its settings and files make it."""


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings.model_copy(update={"logging": QUIET}))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return our_document()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def reached_from(document: dict[str, Any], *parts: Any) -> set[str]:
    """Names of the schemas that these parts of the document lead to."""
    found: set[str] = set()
    waiting = [*parts]
    while waiting:
        names = set(re.findall(r"'#/components/schemas/([^']+)'", repr(waiting.pop()))) - found
        found |= names
        waiting += [document["components"]["schemas"][name] for name in names]
    return found


@whatever_the_engine
@pytest.mark.parametrize(
    "path", ["/api/v1/projects/", "/api/v1/auth/login/", "/api/v1/docs/", "/health/", "//evil.example/x"]
)
async def test_no_answer_sends_anybody_where_the_host_header_says(app: FastAPI, path: str) -> None:
    async with client_of(app) as client:
        answer = await client.post(f"{ROOT}{path}", headers={"Host": "evil.example"}, content=b"{}")
        front = await client.get(f"{ROOT}/", headers={"Host": "evil.example"})
    assert answer.status_code in (404, 405)
    assert "location" not in answer.headers
    assert front.headers["location"] == "/api/v1/docs"


async def test_every_answer_names_its_content_and_text_its_character_set(app: FastAPI) -> None:
    answers = []
    async with await sign_up(app) as client:
        for path in ("/health", "/health/ready", "/version", "/metrics", "/nothing", "/api/v1/docs", "/api/v1/auth/me"):
            answers.append(await client.get(ROOT + path))
        answers.append(await client.post("/projects", content=b"{", headers={"Content-Type": "application/json"}))
    for answer in answers:
        kind, _, parameters = answer.headers["content-type"].partition(";")
        assert kind in ("application/json", "application/problem+json", "text/html", "text/plain"), answer.url
        assert ("charset=utf-8" in parameters) == kind.startswith("text/"), answer.url


async def test_no_folder_is_listed_and_no_file_of_the_installation_is_served(app: FastAPI) -> None:
    paths = ["/.git/config", "/.env", "/touchstone.toml", "/backend/app/main.py", "/api/v1/docs/assets/", "/static/"]
    paths += [f"/api/v1/docs/assets/{up}etc/passwd" for up in ("..%2f" * 12, "%2e%2e/" * 12, "..%5c" * 12, "//")]
    async with client_of(app) as client:
        statuses = {path: (await client.get(ROOT + path)).status_code for path in paths}
        shown = await client.get(f"{ROOT}/api/v1/docs/assets/swagger-ui.css")
    assert statuses == dict.fromkeys(paths, 404)
    assert shown.status_code == 200


async def test_metrics_are_closed_by_a_setting(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"logging": QUIET, "web": WebSettings(metrics=False)}))
    async with app.router.lifespan_context(app), client_of(app) as client:
        assert (await client.get(f"{ROOT}/metrics")).status_code == 404


async def test_a_cookie_is_no_credential(app: FastAPI) -> None:
    """A page of another origin cannot make a browser send what we believe (OWASP ASVS 5, 3.5.1)."""
    async with await sign_up(app) as client, client_of(app) as browser:
        token = client.headers["Authorization"].removeprefix("Bearer ")
        for name in ("access_token", "Authorization", "token", "session", "__Host-session", "X-API-Key"):
            for value in (token, f"Bearer {token}"):
                answer = await browser.get("/auth/me", headers={"Cookie": f"{name}={value}"})
                assert answer.status_code == 401, name
        answer = await client.get("/auth/me")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


async def test_a_credential_in_the_url_is_none(app: FastAPI) -> None:
    async with await sign_up(app) as client, client_of(app) as nobody:
        token = client.headers["Authorization"].removeprefix("Bearer ")
        key = (await client.post("/user/api-keys", json={"name": "k"})).json()["data"]["key"]
        for name, value in (("access_token", token), ("token", token), ("api_key", key), ("X-API-Key", key)):
            assert (await nobody.get("/auth/me", params={name: value})).status_code == 401, name


async def test_a_new_installation_has_no_account(app: FastAPI) -> None:
    async with app.state.runtime.database.transaction(write=False) as session:
        for table in ("users", "workspaces", "memberships", "api_keys"):
            assert await session.scalar(select(func.count()).select_from(metadata().tables[table])) == 0, table


async def test_a_password_holds_until_it_is_changed(settings: Settings, database: Database) -> None:
    clock, body = SetClock(), person()
    app = application(settings, database, clock=clock)
    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
        clock.move(days=3650)
        await sign_in(app, body["email"])


def test_no_part_of_a_url_is_made_for_a_secret(document: dict[str, Any]) -> None:
    """`code` and `state` of the callback are OAuth's: both work once, in the browser that began (RFC 6749, 4.1.2). The
    `state` of endpoints is a word to filter by."""
    found = {
        (path, parameter["name"])
        for _, path, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if parameter["in"] in ("path", "query")
        and (SECRET_NAMES.search(parameter["name"]) or parameter["name"] in ("code", "state"))
    }
    callback = "/api/v1/auth/sso/{provider}/callback"
    assert found == {(callback, "code"), (callback, "state"), ("/api/v1/projects/{project_id}/endpoints", "state")}


def test_no_answer_has_a_field_for_a_secret_but_those_that_hand_one_out(document: dict[str, Any]) -> None:
    answered = reached_from(document, *[operation["responses"] for _, _, operation in operations(document)])
    fields = {
        f"{name}.{field}"
        for name in answered
        for field in document["components"]["schemas"][name].get("properties", {})
    }
    assert len(fields) > 100
    assert {field for field in fields if SECRET_NAMES.search(field.partition(".")[2])} == HANDED_OUT


def test_every_body_refuses_what_it_does_not_know(document: dict[str, Any]) -> None:
    bodies = [operation["requestBody"] for _, _, operation in operations(document) if "requestBody" in operation]
    schemas = {name: document["components"]["schemas"][name] for name in reached_from(document, *bodies)}
    objects = {name: schema for name, schema in schemas.items() if schema.get("type") == "object"}
    assert len(objects) > 20
    assert {name for name, schema in objects.items() if schema.get("additionalProperties") is not False} == set()


def test_every_list_has_a_largest_page(document: dict[str, Any]) -> None:
    unlimited = set()
    for method, path, operation in operations(document):
        answer = repr(operation["responses"].get("200", {}))
        if method == "GET" and "Envelope_list_" in answer and path not in NOT_LISTS_OF_ROWS:
            limits = [each["schema"].get("maximum") for each in operation["parameters"] if each["name"] == "limit"]
            if limits != [200]:
                unlimited.add(path)
    assert unlimited == set()


def test_every_route_is_in_the_document_but_the_page_that_shows_it() -> None:
    app = create_app(Settings(logging=QUIET))
    routes = {
        (method, route.path_format)
        for route in iter_route_contexts(app.router.routes)
        for method in route.methods or ()
    }
    described = {(method, path) for method, path, _ in operations(app.openapi())}
    hidden = {"/", "/api/v1/docs", "/api/v1/openapi.json"}
    assert {path for _, path in routes - described} == hidden
    assert described <= routes


@pytest.mark.parametrize(
    ("make", "bits"), [(new_refresh_token, 256), (new_mailed_token, 256), (new_api_key, 178)], ids=["rt", "mt", "ak"]
)
def test_what_must_not_be_guessed_has_128_random_bits_and_more(make: Any, bits: int) -> None:
    made = {make() for _ in range(200)}
    assert len(made) == 200
    for text in made:
        body = text[3:]
        if text.startswith("ak_"):
            assert 62 ** (len(body) - 6) > 2**bits  # six are a checksum
        else:
            assert 8 * len(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) == bits
    for place in range(3, 30):
        assert len({text[place] for text in made}) > 20
