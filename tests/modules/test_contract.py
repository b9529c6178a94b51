"""Our own API keeps what its OpenAPI document promises, for everything that a client may send."""

import itertools
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from random import Random
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx2
import pytest

from backend.app.api import PLUGINS
from backend.app.core.ids import new_ulid
from backend.app.core.permissions import Permission
from backend.app.core.settings import (
    AuthSettings,
    DatabaseSettings,
    JobSettings,
    OidcProvider,
    RateSettings,
    Settings,
    SsoSettings,
)
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from backend.app.engine.generate.requests import Credentials, body_media_type
from backend.app.engine.generate.values import NoValueError, ValueGenerator
from backend.app.engine.scan import ScanLimits, ScanPlan, Stopped, run_scan
from backend.app.engine.spec.model import Operation, ParameterLocation, Schema
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from backend.app.extensions.server import background_server
from backend.app.main import create_app
from backend.app.modules.labs.recipes import Lab, recipes
from tests.support import oidc_provider
from tests.support.accounts import PASSWORD, person
from tests.support.contract import QUIET, WEB, OurApi, ask, our_document
from tests.support.engines import whatever_the_engine
from tests.support.fake_git_hosts import FakeApis, sign
from tests.support.git_host import GitHost
from tests.support.mail import dropped, token_in
from tests.support.paging import next_page
from tests.support.payloads import bad_values, load, with_value
from tests.support.scanning import Recorder

JSON = {"Content-Type": "application/json"}
WRONG_CONTENT = [
    (b"", JSON),
    (b"{", JSON),
    (b"null", JSON),
    (b"[]", JSON),
    (b'"text"', JSON),
    (b'{"unknown": 1}', JSON),
    (b"\xef\xbb\xbf{}", JSON),
    (b"[" * 100_000, JSON),
    (b'{"a":' * 100 + b"1" + b"}" * 100, JSON),
    (b"{}", {"Content-Type": "text/plain"}),
    (b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}),
    (b"--x\r\n\r\n1\r\n" * 10_000 + b"--x--", {"Content-Type": "multipart/form-data; boundary=x"}),
]
LONGEST = 600
"""Characters of a bad value in a URL or a header: more than any field takes."""
Lent: TypeAlias = tuple[Lab, str]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lent]:
    shop = recipes.get("bookshop").create(1, True)
    with background_server(shop) as url:
        yield shop, url


@pytest.fixture
def sso() -> Iterator[dict[str, Any]]:
    """Settings with which a provider `corp` signs people in."""
    provider = oidc_provider.OidcProvider()
    with oidc_provider.serving(provider):
        corp = OidcProvider(
            issuer=provider.url, client_id=oidc_provider.CLIENT_ID, client_secret=oidc_provider.CLIENT_SECRET
        )
        yield {"sso": SsoSettings(oidc={"corp": corp}), "web": WEB}


@pytest.fixture
async def api(settings: Settings, database: Database, sso: dict[str, Any]) -> OurApi:
    return OurApi(settings.model_copy(update=sso), database)


@pytest.fixture
async def both(both_urls: tuple[str, str], sso: dict[str, Any]) -> AsyncIterator[list[OurApi]]:
    opened = [Database(create_engine(DatabaseSettings(url=url))) for url in both_urls]
    settings = Settings(
        auth=AuthSettings(secret_key="a secret key for the tests, 32 or more"), rates=RateSettings(enabled=False)
    )
    yield [OurApi(settings.model_copy(update=sso), database) for database in opened]
    for database in opened:
        await database.close()


def random_ids(operation: Operation) -> dict[str, str]:
    """Values for its path that fit the document, of nothing that exists."""
    names = [each.name for each in operation.parameters if each.location is ParameterLocation.PATH]
    return {**dict.fromkeys(names, new_ulid()), "collection": "projects"}


def is_public(operation: Operation) -> bool:
    return not operation.security


async def send(
    client: httpx2.AsyncClient, operation: Operation, ids: dict[str, str], **options: Any
) -> httpx2.Response:
    path = operation.path.removeprefix("/api/v1").format(**ids)
    headers = {"If-Match": "*", **options.pop("headers", {})}
    return await client.request(operation.method, path, headers=headers, **options)


async def test_who_is_nobody_gets_401(api: OurApi) -> None:
    async with api.client() as nobody:
        for operation in api.operations:
            if not is_public(operation):
                answer = await send(nobody, operation, random_ids(operation), content=b"{", headers=JSON)
                assert (answer.status_code, answer.json()["code"]) == (401, "auth.required"), operation.key
    assert api.broken == []


async def test_wrong_content_is_a_problem(api: OurApi) -> None:
    async with await api.sign_up() as client:
        for operation in api.operations:
            if operation.body is None:
                continue
            for content, headers in WRONG_CONTENT:
                if content in (b"", b"null") and not operation.body.required:
                    continue
                answer = await send(client, operation, random_ids(operation), content=content, headers=headers)
                assert 400 <= answer.status_code < 500, (operation.key, content[:20], answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["code"]
    assert api.broken == []


ODD_REQUESTS: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", "/projects?limit=1&limit=2", {}, 200),
    ("GET", "/projects?limit[]=1", {}, 200),
    ("GET", "/projects?unknown=1", {}, 200),
    ("GET", "/projects?name=%22", {}, 200),
    ("GET", "/projects?=&&%", {}, 200),
    ("GET", "/projects/%00", {}, 422),
    ("GET", "/projects/..%2f..%2fetc", {}, 404),
    ("GET", "/projects", {"Range": "bytes=" + "0-0," * 10_000}, 200),
    ("GET", "/projects", {"Host": "evil.example"}, 200),
    ("GET", "/projects", {"Accept": "text/html"}, 200),
    ("GET", "/projects", {"X-HTTP-Method-Override": "DELETE"}, 200),
    ("OPTIONS", "/projects", {}, 405),
    ("TRACE", "/projects", {}, 405),
    ("FOO", "/projects", {}, 405),
    ("PUT", "/projects", {}, 405),
    ("GET", f"/projects/{new_ulid()}/endpoints/scan", {}, 405),
    ("GET", "/events?until=0.5", {}, 422),
    ("GET", "/events?since=2026-01-01", {}, 422),
    ("GET", "/events?since=0001-01-01T00:00:00%2B14:00", {}, 422),
    ("GET", "/events?until=9999-12-31T23:59:59-14:00", {}, 422),
    ("GET", "/events?since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", {}, 200),
    ("GET", "/nothing", {}, 404),
]


async def test_odd_requests_get_the_answer_that_fits(api: OurApi) -> None:
    async with await api.sign_up() as client:
        for method, path, headers, expected in ODD_REQUESTS:
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == expected, (method, path, answer.text)
            if expected == 405:
                assert answer.headers["allow"]
            if expected >= 400:
                assert answer.headers["content-type"] == "application/problem+json"
                assert api.validator.errors({"$ref": "#/$defs/Problem"}, answer.json()) == []
    assert api.broken == []


NOT_IN_A_SCHEMA = {
    "auth.expected_password": "the commonest passwords, and those that say one's name",
    "auth.wrong_password": "one's own",
    "api_key.invalid_expiry": "from now on",
    "invitation.invalid": "a token that only a mail holds",
    "mailed_token.invalid": "a token that only a mail holds",
    "request.invalid_cursor": "one that the list answered",
}
"""Codes of a request that fits our document and is refused as invalid nevertheless, and what would be taken."""


def some_value(generator: ValueGenerator, schema: Schema, random: Random, *, full: bool) -> Any:
    """Where parts have to fit each other, it takes the generator some luck."""
    for _ in range(10):
        with suppress(NoValueError):
            return generator.generate(schema, random, full=full, examples=False)
    raise AssertionError(f"no value found for {schema}")


def fitting(operation: Operation, generator: ValueGenerator, seed: int) -> dict[str, Any]:
    """A query and a body that our document describes: all parts with odd seeds, half of the query with each."""
    random = Random(seed)
    query = {
        parameter.name: generator.generate(parameter.schema, random, examples=False, name=parameter.name)
        for parameter in operation.parameters
        if parameter.location is ParameterLocation.QUERY and (parameter.required or random.random() < 0.5)
    }
    media = body_media_type(operation)
    body = media and some_value(generator, media.schema, random, full=seed % 2 == 1)
    sent = {name: value if isinstance(value, str) else json.dumps(value) for name, value in query.items()}
    params = {name: value for name, value in sent.items() if value != "null"}
    return {"params": params, "json": body} if media else {"params": params}


def beyond_schemas(problem: dict[str, Any]) -> bool:
    """Of a host in a URL the document says which characters it has, and not that `http://7` is no IPv4 address."""
    if problem["code"] in NOT_IN_A_SCHEMA:
        return True
    return re.search(r"url: .*(host|port|IPv[46] address)", problem["detail"]) is not None


def test_our_document_explains_every_field_and_route() -> None:
    document = our_document()
    unexplained = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, of in schema.get("properties", {}).items()
        if not name.startswith("Envelope_") and not of.get("description") and "$ref" not in of
    ]
    assert unexplained == []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert (operation["x-permission"] == "public") == ("security" not in operation), (method, path)


async def test_what_fits_our_document_is_not_called_invalid(api: OurApi) -> None:
    refused = []
    async with await api.sign_up() as client:
        generator = ValueGenerator(api.description.definitions, api.validator)
        for operation in api.operations:
            for seed in range(8 if operation.body or operation.parameters else 0):
                if operation.path.endswith(("/auth/token", "/logout")):
                    continue
                request = fitting(operation, generator, seed)
                answer = await send(client, operation, random_ids(operation), **request)
                if answer.status_code in (400, 415, 422) and not beyond_schemas(answer.json()):
                    refused.append((operation.key, request, answer.json()["detail"]))
    assert refused == []
    assert api.broken == []


IGNORED = ("headers-031", "headers-033", "headers-038", "headers-044", "headers-045", "headers-051")
"""Headers that our API receives and may not believe: the answer is what it is without them."""
BELOW = ("headers-041", "headers-042", "headers-043")
"""See `test_one_credential_is_believed_and_never_a_mix`."""
IDEMPOTENCY = ("headers-047", "headers-048", "headers-049", "headers-050")
"""See `tests.core.test_idempotency`."""


def test_every_given_header_that_we_receive_is_tried() -> None:
    received = {case["id"] for case in load("headers.json") if case["side"] == "received by our API"}
    assert received == {*IGNORED, *BELOW, *IDEMPOTENCY}


SENT = ("headers-023", "headers-024")
"""`Cookie` and `Authorization`: both carry credentials."""


@whatever_the_engine
@pytest.mark.parametrize(
    "case",
    [case for case in load("headers.json") if case["side"] == "sent by a test step"],
    ids=lambda case: str(case["id"]),
)
async def test_no_header_is_sent_to_a_target_that_is_none_or_not_for_credentials(
    api: OurApi, case: dict[str, Any]
) -> None:
    """The only header of a request to a target that a user writes is the one with the credential."""
    value = "a" * 70_000 if case["id"] == "headers-010" else case["value"]
    config = {"auth_type": "api_key_header", "auth_config": {"name": case["name"], "value": value}}
    async with await api.sign_up() as client:
        answer = await client.post("/projects", json={"name": "P", "base_url": "http://a.example", **config})
    assert answer.status_code == (201 if case["id"] in SENT else 422), answer.text


HERE = {
    *("bad-input-057", "bad-input-063", "bad-input-065", "bad-input-066", "bad-input-067", "bad-input-074"),
    *("bad-input-078", "bad-input-079", "bad-input-080", "bad-input-086", "bad-input-087", "bad-input-088"),
    *("bad-input-092", "bad-input-095", "bad-input-096", "bad-input-097"),
}
"""`WRONG_CONTENT` and `ODD_REQUESTS`."""
BY_THE_SERVER = {"bad-input-072", "bad-input-073", "bad-input-094"}
"""Refused before the application sees them: `tests.extensions.test_server`."""
FOREIGN_CURSOR = "bad-input-082"


def test_every_given_bad_body_and_request_is_tried() -> None:
    given = {case["id"] for case in load("bad-input.json") if case["cat"] in ("body", "request")}
    assert given == {*HERE, *BY_THE_SERVER, FOREIGN_CURSOR}


async def test_the_cursor_of_another_workspace_shows_nothing_of_it(api: OurApi) -> None:
    async with await api.sign_up() as alice, await api.sign_up() as mallory:
        for name in ("One", "Two"):
            await ask(alice, "POST", "/projects", {"name": name, "base_url": "http://a.example"}, status=201)
        cursor = (await alice.get("/projects?limit=1")).json()["meta"]["next_cursor"]
        answer = await mallory.get("/projects", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["data"]) == (200, [])


@whatever_the_engine
@pytest.mark.parametrize(
    "case", [case for case in load("headers.json") if case["id"] in IGNORED], ids=lambda it: it["id"]
)
async def test_headers_that_mean_nothing_to_us_change_nothing(api: OurApi, case: dict[str, Any]) -> None:
    value = {"headers-044": "*/*;q=0.0000001, " * 1000, "headers-045": "a" * 10_000}.get(case["id"], case["value"])
    async with await api.sign_up() as client:
        plain = await client.get("/projects")
        answer = await client.get("/projects", headers=[(case["name"].encode(), value.encode())])
    assert (answer.status_code, answer.json()["data"]) == (plain.status_code, plain.json()["data"])
    assert answer.headers.get("link") == plain.headers.get("link")
    assert "evil" not in answer.text + str(answer.headers)
    assert answer.headers["x-request-id"] != value
    assert "location" not in answer.headers


@whatever_the_engine
@pytest.mark.parametrize("origin", [case["value"] for case in load("origins.json") if case["kind"] == "Origin"])
async def test_no_origin_may_read_our_answers(api: OurApi, origin: str) -> None:
    async with await api.sign_up() as client:
        for method in ("GET", "OPTIONS"):
            answer = await client.request(method, "/projects", headers={"Origin": origin})
            assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_one_credential_is_believed_and_never_a_mix(api: OurApi) -> None:
    async with await api.sign_up() as alice, await api.sign_up() as mallory, api.client() as nobody:
        await ask(alice, "POST", "/projects", {"name": "Hers", "base_url": "http://a.example"}, status=201)
        key = (await ask(mallory, "POST", "/user/api-keys", {"name": "k"}, status=201))["key"]
        token = alice.headers["Authorization"]
        both = {"Authorization": token, "X-API-Key": key}
        me, projects = [(await nobody.get(path, headers=both)).json()["data"] for path in ("/auth/me", "/projects")]
        (believed,) = [each for each in (alice, mallory) if (await ask(each, "GET", "/auth/me"))["id"] == me["id"]]
        assert projects == await ask(believed, "GET", "/projects")
        for value in (f"{token}, {token}", token.replace(" ", "\t"), "Bearer", token.replace("Bearer", "Basic")):
            assert (await nobody.get("/auth/me", headers={"Authorization": value})).status_code == 401, value


async def test_a_journey_through_every_operation(api: OurApi, lab: Lent, host: GitHost) -> None:
    client = await api.sign_up()
    ids = await api.furnish(client, *lab)
    project, finding = f"/projects/{ids['project_id']}", f"/findings/{ids['finding_id']}"
    async with api.client() as nobody:
        login = person()
        await ask(nobody, "POST", "/auth/register", login, status=201)
        tokens = await ask(nobody, "POST", "/auth/login", {"email": login["email"], "password": PASSWORD})
        await ask(nobody, "POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        await ask(nobody, "POST", "/auth/refresh", {"refresh_token": "rt_unknown"}, status=401)
        for path in ("/auth/verify-email/resend", "/auth/reset-password"):
            await ask(nobody, "POST", path, {"email": login["email"]}, status=202)
            await api.drain()
        mails = [mail for mail in dropped(api.settings.storage.data_dir) if mail["To"] == login["email"]]
        verify, reset = [{"token": token_in(mail)} for mail in mails]
        await ask(nobody, "POST", "/auth/verify-email", verify)
        await ask(nobody, "POST", "/auth/confirm-reset", {**reset, "password": f"{PASSWORD} again"})
        await manage_account(api, nobody)
        await ask(nobody, "GET", "/auth/sso/providers")
        assert (await nobody.get("/auth/sso/corp/login")).status_code == 302
        start = await ask(nobody, "GET", "/auth/sso/corp/login?redirect=false")
        async with httpx2.AsyncClient() as outside:
            back = (await outside.get(start["authorization_url"])).headers["location"]
        await ask(nobody, "GET", back)
        await ask(nobody, "GET", back, status=401)
        for path in ("/health", "/health/ready", "/version", "/metrics"):
            assert (await nobody.get(f"http://test{path}")).status_code == 200

    for operation in api.operations:
        if operation.method == "GET" and not is_public(operation):
            query = [each for each in operation.parameters if each.location is ParameterLocation.QUERY]
            params = {each.name: ids["entity_id"] for each in query if each.required}
            assert (await send(client, operation, ids, params=params)).status_code == 200, operation.key
    for collection, name in {
        "api-keys": "key_id",
        "discoveries": "discovery_id",
        "endpoints": "endpoint_id",
        "entities": "entity_id",
        "findings": "finding_id",
        "git-sources": "git_source_id",
        "jobs": "job_id",
        "relationships": "relationship_id",
        "scans": "scan_id",
        "uploads": "upload_id",
    }.items():
        await ask(client, "GET", f"/{collection}/{ids[name]}/events")
    families = {family["family"]: family["plugins"] for family in await ask(client, "GET", "/plugins")}
    assert set(families) == {registry.family for registry in PLUGINS}
    assert all(plugin["name"] and plugin["description"] for plugins in families.values() for plugin in plugins)

    await keep_code(client, project, host)
    await share_workspace(api, client)
    page = await client.get("/events?limit=1")
    assert (await client.get(next_page(page))).status_code == 200
    client.headers["If-Match"] = '"stale"'
    await ask(client, "PATCH", project, {"description": "sells books"}, status=412)
    client.headers["If-Match"] = "*"
    await ask(client, "PATCH", project, {"description": "sells books"})
    await ask(client, "PATCH", finding, {"status": "accepted", "reason": "known"})
    await ask(client, "PATCH", f"{project}/endpoints/{ids['endpoint_id']}", {"owner": "Ann"})
    upload = f"{project}/endpoints/uploads"
    assert [each["id"] for each in await ask(client, "GET", upload)] == [ids["upload_id"]]
    await ask(client, "GET", f"{upload}/{ids['upload_id']}")
    await ask(client, "DELETE", f"{upload}/{ids['upload_id']}")
    for drawn in (f"relationships/{ids['relationship_id']}", f"entities/{ids['entity_id']}"):
        await ask(client, "PATCH", f"{project}/{drawn}", {"name": "drawn by hand"})
        await ask(client, "DELETE", f"{project}/{drawn}")
    del client.headers["If-Match"]

    scan = await ask(client, "POST", f"{project}/scans", {"scan_type": "quick"}, status=202)
    await ask(client, "POST", f"{project}/scans", {}, status=409)
    await ask(client, "POST", f"/scans/{scan['id']}/cancel", status=202)
    (job,) = await ask(client, "GET", f"/jobs?event_id={scan['event_id']}")
    await api.drain()
    await ask(client, "POST", f"/jobs/{job['id']}/cancel", status=409)
    discovery = await ask(client, "POST", f"{project}/endpoints/scan", status=202)
    (job,) = await ask(client, "GET", f"/jobs?event_id={discovery['event_id']}")
    await ask(client, "POST", f"/jobs/{job['id']}/cancel", status=202)
    await ask(client, "POST", f"/jobs/{job['id']}/retry", status=202)
    await api.drain()
    await ask(client, "GET", f"/discoveries/{discovery['id']}")
    await ask(client, "DELETE", f"{project}/endpoints/sources?slot=openapi")

    reader = await ask(client, "POST", "/user/api-keys", {"name": "r", "scopes": ["projects.read"]}, status=201)
    async with api.client({"X-API-Key": reader["key"]}) as restricted:
        await ask(restricted, "GET", "/projects")
        await ask(restricted, "POST", "/projects", {"name": "Other"}, status=403)
        await ask(client, "DELETE", f"/user/api-keys/{reader['id']}")
        await ask(restricted, "GET", "/projects", status=401)
    await ask(client, "DELETE", f"/auth/identities/{ids['identity_id']}")
    await ask(client, "GET", "/projects?limit=0", status=422)
    await ask(client, "DELETE", project)
    await api.drain()
    await ask(client, "GET", project, status=404)
    await client.aclose()

    assert api.broken == []
    assert {operation.key for operation in api.description.operations} - api.reached == set()


async def manage_account(api: OurApi, nobody: httpx2.AsyncClient) -> None:
    body = person()
    await ask(nobody, "POST", "/auth/register", body, status=201)
    form = {"grant_type": "password", "username": body["email"], "password": PASSWORD}
    tokens = [(await nobody.post("/auth/token", data=form)).json() for _ in range(2)]
    async with api.client({"Authorization": f"Bearer {tokens[0]['access_token']}", "If-Match": "*"}) as client:
        await ask(client, "PATCH", "/auth/me", {"first_name": "Grace"})
        await ask(client, "POST", "/auth/sso/corp/link")
        other = next(each for each in await ask(client, "GET", "/auth/sessions") if not each["current"])
        await ask(client, "DELETE", f"/auth/sessions/{other['id']}")
        change = {"current_password": PASSWORD, "new_password": f"{PASSWORD} again"}
        await ask(client, "POST", "/auth/change-password", change)
        await ask(client, "POST", "/auth/logout")
        await ask(client, "GET", "/auth/me", status=401)


async def keep_code(client: httpx2.AsyncClient, project: str, host: GitHost) -> None:
    repository = host.repository("ada/shop.git")
    commit = repository.files({"app.py": b""})
    apis = FakeApis(("Authorization", "Bearer token"), "ada/shop")
    host.answer = apis.answer
    wanted = {"name": "Shop", "url": repository.url, "provider": "github", "credential": {"secret": "token"}}
    source = await ask(client, "POST", f"{project}/git-sources", wanted, status=201)
    await ask(client, "POST", f"{project}/git-sources", wanted, status=409)
    await ask(client, "POST", f"{project}/git-sources", {**wanted, "branch": "none"}, status=422)
    path = f"{project}/git-sources/{source['id']}"
    await ask(client, "PATCH", path, {"subfolder": "api"})
    await ask(client, "POST", f"{path}/webhook")
    body = json.dumps({"ref": "refs/heads/main", "after": commit}).encode()
    for event, status in (("push", 202), ("ping", 200), ("star", 204)):
        headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": "1", **JSON}
        headers["X-Hub-Signature-256"] = sign(source["webhook_secret"], body)
        answer = await client.post(f"/git/webhooks/{source['id']}", content=body, headers=headers)
        assert answer.status_code == status
        answer = await client.post(f"/git/webhooks/{source['id']}", content=body + b" ", headers=headers)
        assert answer.status_code == 401
    await ask(client, "POST", f"{path}/webhook-secret")
    await ask(client, "DELETE", f"{path}/webhook")
    await ask(client, "DELETE", path)


async def share_workspace(api: OurApi, owner: httpx2.AsyncClient) -> None:
    team = f"/workspaces/{(await ask(owner, 'POST', '/workspaces', {'name': 'Team'}, status=201))['id']}"
    async with await api.sign_up() as guest:
        me = await ask(guest, "GET", "/auth/me")
        invited = {"email": me["email"]}
        invitation = await ask(owner, "POST", f"{team}/invitations", invited, status=202)
        await ask(owner, "DELETE", f"{team}/invitations/{invitation['id']}")
        await ask(owner, "POST", f"{team}/invitations", invited, status=202)
        await api.drain()
        *_, mail = [mail for mail in dropped(api.settings.storage.data_dir) if mail["To"] == me["email"]]
        await ask(guest, "POST", "/invitations/accept", {"token": token_in(mail)})
        await ask(owner, "PATCH", f"{team}/members/{me['id']}", {"role": "admin"})
        await ask(owner, "PATCH", team, {"name": "Crew"})
        await ask(owner, "POST", f"{team}/transfer", {"user_id": me["id"]})
        await ask(owner, "POST", f"{team}/leave")
        await ask(owner, "GET", team, status=404)
        await ask(guest, "DELETE", team)
        path = f"/workspaces/{(await ask(owner, 'GET', '/auth/me'))['workspace_id']}"
        await ask(owner, "POST", f"{path}/invitations", invited, status=202)
        await api.drain()
        *_, mail = [mail for mail in dropped(api.settings.storage.data_dir) if mail["To"] == me["email"]]
        await ask(guest, "POST", "/invitations/accept", {"token": token_in(mail)})
        await ask(owner, "DELETE", f"{path}/members/{me['id']}")
        await ask(owner, "PATCH", f"/admin/users/{me['id']}", {"disabled": True})
        await ask(guest, "GET", "/auth/me", status=401)


def body_of(operation: Operation, generator: ValueGenerator, seed: int = 0) -> bytes | None:
    """A valid body with the required parts."""
    media = body_media_type(operation)
    return json.dumps(generator.generate(media.schema, Random(seed))).encode() if media else None


def bad_requests(
    operations: list[Operation], ids: dict[str, str], generator: ValueGenerator
) -> Iterator[tuple[str, Operation, dict[str, Any]]]:
    """Each bad value in each slot, everything else valid: what to call it, and what to send. A parameter that was tried
    with another operation already, such as `limit`, gets every sixth value, each time others."""
    values = bad_values()
    tried: Counter[str] = Counter()
    for operation in sorted(operations, key=lambda operation: operation.path.endswith("/logout")):
        path = operation.path.removeprefix("/api/v1").format(**ids)
        content = body_of(operation, generator)
        for parameter in operation.parameters:
            again = tried[repr(parameter)]
            tried[repr(parameter)] += 1
            for name, value in list(values.items())[again % 6 :: 6] if again else values.items():
                text = (json.loads(value) if value.startswith('"') else value)[:LONGEST]
                raw = text.encode(errors="surrogatepass")
                request: dict[str, Any] = {"url": path, "content": content, "headers": JSON}
                if parameter.location is ParameterLocation.PATH:
                    changed = {**ids, parameter.name: quote(raw, safe="")}
                    request["url"] = operation.path.removeprefix("/api/v1").format(**changed)
                elif parameter.location is ParameterLocation.QUERY:
                    request["url"] += f"?{parameter.name}={quote(raw, safe='')}"
                elif text.isprintable():
                    request["headers"] = {**JSON, parameter.name: raw}
                else:
                    continue  # no server lets it in
                yield f"{operation.key} {parameter.name} {name}", operation, request
        media = body_media_type(operation)
        fields = generator.plain(media.schema).get("properties", {}) if media else {}
        for seed, (field, (name, value)) in enumerate(itertools.product(fields, values.items())):
            body = json.loads(body_of(operation, generator, seed) or b"{}")
            request = {"url": path, "content": with_value(body, (field,), value).encode(), "headers": JSON}
            yield f"{operation.key} #/{field} {name}", operation, request


async def test_bad_values_everywhere_answer_alike_on_both_databases(both: list[OurApi], lab: Lent) -> None:
    outcomes: list[dict[str, tuple[int, str]]] = []
    for api in both:
        seen = {}
        async with await api.sign_up() as client:
            ids = await api.furnish(client, *lab)
            generator = ValueGenerator(api.description.definitions, api.validator)
            for name, operation, request in bad_requests(api.operations, ids, generator):
                headers = {"Authorization": client.headers["Authorization"], **request["headers"]}
                answer = await api.send(operation.method, request["url"], headers, request["content"] or b"")
                code = json.loads(answer.body)["code"] if answer.status >= 400 else ""
                seen[name] = (answer.status, code)
        outcomes.append(seen)
        assert {name: outcome for name, outcome in seen.items() if outcome[0] >= 500} == {}
        assert api.broken == []
    first, second = outcomes
    assert {name: (outcome, second[name]) for name, outcome in first.items() if outcome != second[name]} == {}
    assert len(first) > 2000


async def test_our_own_scan_finds_nothing_in_our_own_api(api: OurApi, lab: Lent) -> None:
    async with await api.sign_up() as client:
        await api.furnish(client, *lab)
        everything = {"name": "scanner", "scopes": list(Permission)}
        key = (await ask(client, "POST", "/user/api-keys", everything, status=201))["key"]
    # Nobody performs the jobs: what a scan makes up is no address to call.
    idle = api.settings.model_copy(update={"jobs": JobSettings(in_process=False), "logging": QUIET})
    credentials = Credentials(headers=(("X-API-Key", key),))
    limits = ScanLimits(concurrency=4, max_requests=2000, max_seconds=60)
    with background_server(create_app(idle)) as url:
        plan = ScanPlan(api.description, url, credentials=credentials, limits=limits)
        async with HttpClient(OutgoingPolicy(allow_private=True), resend_stale=True) as http:
            result = await run_scan(plan, http.send, observer=Recorder())
    assert [f"{finding.method} {finding.path}: {finding.title}: {finding.detail}" for finding in result.findings] == []
    assert (result.stopped, result.unauthorised, result.internal_errors) == (Stopped.COMPLETED, False, ())
    assert result.coverage.operations_requested == len(api.description.operations)
    # The others need what nobody can make up: a password, or a token from a mail.
    assert result.coverage.percent > 40
