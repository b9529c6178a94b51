"""Nobody sees or changes what is another's: every route of our OpenAPI document, for six kinds of callers, with ids of
their own workspace, of another one, and of nothing (OWASP API Security Top 10 2023, 1 and 5; ASVS 5, 8.2 and 8.4.1)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
import pytest

from backend.app.core.ids import new_ulid
from backend.app.core.permissions import Role
from backend.app.core.settings import RateSettings, Settings
from backend.app.db.session import Database
from backend.app.engine.generate.requests import body_media_type
from backend.app.engine.generate.values import ValueGenerator
from backend.app.engine.spec.model import Operation, ParameterLocation
from backend.app.extensions.server import background_server
from backend.app.modules.labs.recipes import Lab, recipes
from tests.support.contract import OurApi, ask, our_document
from tests.support.mail import dropped, text_of, token_in

PREFIX: Final = "/api/v1"
JSON: Final = {"Content-Type": "application/json", "If-Match": '"stale"'}
OVER: Final = 401
"""What an owner is answered whose session has just been ended."""


@dataclass(frozen=True, slots=True)
class Row:
    """`own` is the status for who may, with ids of their own workspace. By default it shows that the door is open while
    nothing happens: a GET answers, a body is found wrong, a stale edit is refused."""

    permission: str
    own: int | None = None
    of_user: bool = False
    """It belongs to one user: others of the workspace do not see it either."""
    of_owner: int | None = None
    """`own` for an owner, where that is another."""


TABLE: Final[Mapping[str, Row]] = {
    "DELETE /auth/identities/{identity_id}": Row("profile.write", 200, of_user=True),
    "DELETE /auth/sessions/{session_id}": Row("profile.write", 200, of_user=True),
    "DELETE /projects/{project_id}": Row("projects.write", 412),
    "DELETE /projects/{project_id}/endpoints/uploads/{upload_id}": Row("endpoints.write", 200),
    "DELETE /projects/{project_id}/entities/{entity_id}": Row("endpoints.write", 412),
    "DELETE /projects/{project_id}/git-sources/{git_source_id}": Row("projects.write", 412),
    "DELETE /projects/{project_id}/git-sources/{git_source_id}/webhook": Row("projects.write", 404),
    "DELETE /projects/{project_id}/relationships/{relationship_id}": Row("endpoints.write", 412),
    "DELETE /user/api-keys/{key_id}": Row("api_keys.write", 200, of_user=True),
    "DELETE /workspaces/{workspace_id}": Row("workspaces.delete", 412),
    "DELETE /workspaces/{workspace_id}/invitations/{invitation_id}": Row("members.write", 200),
    "DELETE /workspaces/{workspace_id}/members/{user_id}": Row("members.write", 409),
    "GET /admin/users": Row("users.read"),
    "GET /admin/users/{user_id}": Row("users.read"),
    "GET /anomalies/{anomaly_id}": Row("anomalies.read"),
    "GET /auth/identities": Row("profile.read"),
    "GET /auth/me": Row("profile.read"),
    "GET /auth/sessions": Row("profile.read"),
    "GET /auth/sso/providers": Row("public"),
    "GET /auth/sso/{provider}/callback": Row("public"),
    "GET /auth/sso/{provider}/login": Row("public"),
    "GET /auth/verify": Row("profile.read"),
    "GET /discoveries/{discovery_id}": Row("endpoints.read"),
    "GET /discoveries/{discovery_id}/changes": Row("endpoints.read"),
    "GET /events": Row("events.read"),
    "GET /findings/{finding_id}": Row("scans.read"),
    "GET /jobs": Row("jobs.read"),
    "GET /jobs/{job_id}": Row("jobs.read"),
    "GET /plugins": Row("profile.read"),
    "GET /projects": Row("projects.read"),
    "GET /projects/{project_id}": Row("projects.read"),
    "GET /projects/{project_id}/anomalies": Row("anomalies.read"),
    "GET /projects/{project_id}/discoveries": Row("endpoints.read"),
    "GET /projects/{project_id}/endpoints": Row("endpoints.read"),
    "GET /projects/{project_id}/endpoints/uploads": Row("endpoints.read"),
    "GET /projects/{project_id}/endpoints/uploads/{upload_id}": Row("endpoints.read"),
    "DELETE /projects/{project_id}/endpoints/sources": Row("endpoints.write", 404),
    "GET /projects/{project_id}/endpoints/export": Row("endpoints.read"),
    "GET /projects/{project_id}/endpoints/sources": Row("endpoints.read"),
    "GET /projects/{project_id}/endpoints/{endpoint_id}": Row("endpoints.read"),
    "GET /projects/{project_id}/endpoints/{endpoint_id}/test-runs": Row("scans.read"),
    "GET /projects/{project_id}/entities": Row("endpoints.read"),
    "GET /projects/{project_id}/entities/{entity_id}": Row("endpoints.read"),
    "GET /projects/{project_id}/entities/{entity_id}/neighbours": Row("endpoints.read"),
    "GET /projects/{project_id}/git-sources": Row("projects.read"),
    "GET /projects/{project_id}/git-sources/{git_source_id}": Row("projects.read"),
    "GET /projects/{project_id}/findings": Row("scans.read"),
    "GET /projects/{project_id}/graph/paths": Row("endpoints.read"),
    "GET /projects/{project_id}/relationships": Row("endpoints.read"),
    "GET /projects/{project_id}/relationships/{relationship_id}": Row("endpoints.read"),
    "GET /projects/{project_id}/scans": Row("scans.read"),
    "GET /scans/{scan_id}": Row("scans.read"),
    "GET /scans/{scan_id}/anomalies": Row("anomalies.read"),
    "GET /scans/{scan_id}/findings": Row("scans.read"),
    "GET /scans/{scan_id}/operations": Row("scans.read"),
    "GET /scans/{scan_id}/test-runs": Row("scans.read"),
    "GET /user/api-keys": Row("api_keys.read"),
    "GET /workspaces": Row("workspaces.read"),
    "GET /workspaces/{workspace_id}": Row("workspaces.read"),
    "GET /workspaces/{workspace_id}/invitations": Row("members.read"),
    "GET /workspaces/{workspace_id}/members": Row("members.read"),
    "GET /{collection}/{entity_id}/events": Row("events.read"),
    "PATCH /admin/users/{user_id}": Row("users.write"),
    "PATCH /auth/me": Row("profile.write"),
    "PATCH /findings/{finding_id}": Row("scans.write"),
    "PATCH /projects/{project_id}/endpoints/{endpoint_id}": Row("endpoints.write", 412),
    "PATCH /projects/{project_id}": Row("projects.write"),
    "PATCH /projects/{project_id}/git-sources/{git_source_id}": Row("projects.write"),
    "PATCH /projects/{project_id}/entities/{entity_id}": Row("endpoints.write"),
    "PATCH /projects/{project_id}/relationships/{relationship_id}": Row("endpoints.write"),
    "PATCH /workspaces/{workspace_id}": Row("workspaces.write"),
    "PATCH /workspaces/{workspace_id}/members/{user_id}": Row("members.write"),
    "POST /auth/change-password": Row("profile.write"),
    "POST /auth/confirm-reset": Row("public"),
    "POST /auth/login": Row("public"),
    "POST /auth/logout": Row("profile.write", 200, of_owner=OVER),
    "POST /auth/refresh": Row("public"),
    "POST /auth/register": Row("public"),
    "POST /auth/reset-password": Row("public"),
    "POST /auth/sso/{provider}/link": Row("profile.write"),
    "POST /auth/token": Row("public"),
    "POST /auth/verify-email": Row("public"),
    "POST /auth/verify-email/resend": Row("public"),
    "POST /invitations/accept": Row("profile.write"),
    "POST /git/webhooks/{git_source_id}": Row("public"),
    "POST /jobs/{job_id}/cancel": Row("jobs.write", 409),
    "POST /jobs/{job_id}/retry": Row("jobs.write", 409),
    "POST /projects": Row("projects.write"),
    "POST /projects/{project_id}/git-sources": Row("projects.write"),
    "POST /projects/{project_id}/git-sources/{git_source_id}/webhook": Row("projects.write", 409),
    "POST /projects/{project_id}/git-sources/{git_source_id}/webhook-secret": Row("projects.write", 200),
    "POST /projects/{project_id}/endpoints/scan": Row("endpoints.write"),
    "POST /projects/{project_id}/entities": Row("endpoints.write"),
    "POST /projects/{project_id}/relationships": Row("endpoints.write"),
    "POST /projects/{project_id}/endpoints/uploads": Row("endpoints.write", 415),
    "POST /projects/{project_id}/scans": Row("scans.write"),
    "POST /scans/{scan_id}/cancel": Row("scans.write", 409),
    "POST /user/api-keys": Row("api_keys.write"),
    "POST /workspaces": Row("workspaces.create"),
    "POST /workspaces/{workspace_id}/invitations": Row("members.write"),
    "POST /workspaces/{workspace_id}/leave": Row("profile.write", 200, of_owner=409),
    "POST /workspaces/{workspace_id}/transfer": Row("workspaces.transfer"),
}

ENDING: Final = (
    "DELETE /auth/identities/{identity_id}",
    "DELETE /projects/{project_id}/endpoints/uploads/{upload_id}",
    "DELETE /user/api-keys/{key_id}",
    "DELETE /workspaces/{workspace_id}/invitations/{invitation_id}",
    "POST /workspaces/{workspace_id}/leave",
    "DELETE /auth/sessions/{session_id}",
    "POST /auth/logout",
)
"""What ends something that others of the table need: with ids of one's own in this order, after all others."""


@dataclass(frozen=True, slots=True)
class Caller:
    name: str
    client: httpx2.AsyncClient
    permissions: frozenset[str] | None
    """None for nobody."""
    own: Mapping[str, str] | None
    """The ids of the workspace that the caller is in, by the names of path parameters."""
    owner: bool = False


@dataclass(frozen=True, slots=True)
class World:
    api: OurApi
    callers: tuple[Caller, ...]
    owner: Caller
    rival: Caller


@pytest.fixture(scope="module")
def lab() -> Iterator[tuple[Lab, str]]:
    shop = recipes.get("bookshop").create(1, True)
    with background_server(shop) as url:
        yield shop, url


@pytest.fixture
async def world(settings: Settings, database: Database, lab: tuple[Lab, str]) -> World:
    """Two tenants, each with one of everything; the first user, who administers the installation, takes no part."""
    api = OurApi(settings.model_copy(update={"rates": RateSettings(enabled=False)}), database)
    await api.sign_up()
    owners = [await _tenant(api, name, lab) for name in ("Team", "Rival")]
    owner, rival = owners
    members = [await _enrolled(api, owner, role) for role in (Role.VIEWER, Role.MEMBER)]
    narrow = {"name": "narrow", "scopes": ["profile.read"]}
    key = (await ask(owner.client, "POST", "/user/api-keys", narrow, status=201))["key"]
    machine = Caller("narrow key", api.client({"X-API-Key": key}), frozenset(narrow["scopes"]), owner.own)
    await ask(machine.client, "GET", "/auth/me")  # its use is noted, once a minute
    nobody = Caller("nobody", api.client(), None, None)
    outsider = Caller("outsider", await api.sign_up(), _granted(Role.OWNER), None)
    return World(api, (nobody, outsider, rival, *members, machine), owner, rival)


async def _tenant(api: OurApi, name: str, lab: tuple[Lab, str]) -> Caller:
    client = await api.sign_up()
    client.headers["X-Workspace-Id"] = (await ask(client, "POST", "/workspaces", {"name": name}, status=201))["id"]
    return Caller(name, client, _granted(Role.OWNER), await api.furnish(client, *lab), owner=True)


async def _enrolled(api: OurApi, owner: Caller, role: Role) -> Caller:
    assert owner.own is not None
    workspace_id, client = owner.own["workspace_id"], await api.sign_up()
    email = (await ask(client, "GET", "/auth/me"))["email"]
    invitation = {"email": email, "role": role}
    await ask(owner.client, "POST", f"/workspaces/{workspace_id}/invitations", invitation, status=202)
    await api.drain()
    (mail,) = [mail for mail in dropped(api.settings.storage.data_dir) if email in text_of(mail)]
    await ask(client, "POST", "/invitations/accept", {"token": token_in(mail)})
    client.headers["X-Workspace-Id"] = workspace_id
    return Caller(role, client, _granted(role), owner.own)


def _granted(role: Role) -> frozenset[str]:
    return frozenset(permission.value for permission in role.permissions)


def key_of(operation: Operation) -> str:
    return f"{operation.method} {operation.path.removeprefix(PREFIX)}"


def path_names(operation: Operation) -> list[str]:
    return [each.name for each in operation.parameters if each.location is ParameterLocation.PATH]


def asked_of(operation: Operation, ids: Mapping[str, str]) -> dict[str, str]:
    """What has to stand in the query: ids of entities of the graph."""
    required = [each.name for each in operation.parameters if each.required]
    return dict.fromkeys(set(required) - set(path_names(operation)), ids["entity_id"])


def random_ids(own: Mapping[str, str]) -> dict[str, str]:
    return {**dict.fromkeys(own, new_ulid()), "collection": own["collection"]}


def status_of(caller: Caller, operation: Operation, ids: Mapping[str, str]) -> int:
    """What the table says. `ids` are the caller's own, or they are not."""
    row, own = TABLE[key_of(operation)], caller.own is not None and ids == caller.own
    if caller.permissions is None:
        return 401
    if "workspace_id" in path_names(operation) and (caller.own or {}).get("workspace_id") != ids["workspace_id"]:
        return 404
    if row.permission not in caller.permissions:
        return 403
    if path_names(operation) and (not own or (row.of_user and not caller.owner)):
        return 404
    if row.of_owner is not None and caller.owner:
        return row.of_owner
    if row.own is not None:
        return row.own
    return 422 if operation.body else 200


class Asker:
    def __init__(self, api: OurApi) -> None:
        self._api = api
        self._generator = ValueGenerator(api.description.definitions, api.validator)

    async def ask(
        self, caller: Caller, operation: Operation, ids: Mapping[str, str], **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and body, without what names the request. Whoever shall be let in sends a body that is wrong."""
        media = body_media_type(operation)
        content = b""
        if media and status_of(caller, operation, ids) == 422:
            content = b'{"unknown": 1}'
        elif media:
            content = json.dumps(self._generator.generate(media.schema, Random(0))).encode()
        path = operation.path.removeprefix(PREFIX).format(**ids)
        if query := urlencode(asked_of(operation, ids)):
            path += f"?{query}"
        lines = {**caller.client.headers, **{name.lower(): value for name, value in (JSON | headers).items()}}
        answer = await self._api.send(operation.method, path, lines, content)
        hidden = ("instance", "request_id", "meta")
        body = {name: value for name, value in json.loads(answer.body).items() if name not in hidden}
        return answer.status, body


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    marks = {
        f"{method.upper()} {path.removeprefix(PREFIX)}": operation["x-permission"]
        for path, item in our_document()["paths"].items()
        if path.startswith(PREFIX)
        for method, operation in item.items()
    }
    assert marks == {key: row.permission for key, row in TABLE.items()}


async def test_nobody_sees_or_changes_what_is_anothers(world: World) -> None:
    before = await everything(world.api, world.owner)
    await check_foreign_ids(world)
    await check_foreign_headers(world)
    await check_foreign_filters(world)
    assert await everything(world.api, world.owner) == before
    await check_own_ids(world)
    await check_what_ends(world)
    assert world.api.broken == []


def closed_routes(api: OurApi) -> list[Operation]:
    return [operation for operation in api.operations if TABLE[key_of(operation)].permission != "public"]


async def check_foreign_ids(world: World) -> None:
    """Foreign ids answer what the table says, and to the letter what ids of nothing answer."""
    asker, closed = Asker(world.api), closed_routes(world.api)
    tenants = [tenant.own for tenant in (world.owner, world.rival) if tenant.own is not None]
    wrong: list[Any] = []
    leaks: list[Any] = []
    cells = 0
    for caller in world.callers:
        secrets = {
            value for ids in tenants if ids != caller.own for value in ids.values() if len(value) == len(new_ulid())
        }
        for operation in closed:
            names = path_names(operation)
            unknown = random_ids(tenants[0])
            targets = [ids for ids in tenants if ids != caller.own] if names else [unknown]
            if caller.own and len(names) > 1 and names[0] != "collection":
                # The door is one's own, what is asked for behind it is not.
                targets += [{**ids, names[0]: caller.own[names[0]]} for ids in targets]
            for foreign in targets:
                mine = caller.own if names and caller.own and foreign[names[0]] == caller.own[names[0]] else {}
                absent = {**unknown, **({names[0]: mine[names[0]]} if mine else {})}
                if not names and key_of(operation) in ENDING:
                    continue
                found = await asker.ask(caller, operation, foreign)
                cells += 1
                if found[0] != status_of(caller, operation, foreign):
                    wrong.append((caller.name, operation.key, "foreign", found))
                if names and found != (same := await asker.ask(caller, operation, absent)):
                    wrong.append((caller.name, operation.key, "random", found, same))
                if any(secret in json.dumps(found[1]) for secret in secrets):
                    leaks.append((caller.name, operation.key, found))
    assert (wrong, leaks) == ([], [])
    assert cells > 6 * len(closed)


async def check_own_ids(world: World) -> None:
    """Who is in a workspace does there what the role or the key permits, and nothing else."""
    asker, closed = Asker(world.api), closed_routes(world.api)
    wrong = []
    for caller in world.callers:
        for operation in closed:
            if caller.own is None or not path_names(operation) or key_of(operation) in ENDING:
                continue
            expected = status_of(caller, operation, caller.own)
            found = await asker.ask(caller, operation, caller.own)
            if found[0] != expected:
                wrong.append((caller.name, operation.key, "own", expected, found))
    assert wrong == []


async def check_what_ends(world: World) -> None:
    """Who may not, ends nothing; who may, does, and only what is theirs."""
    asker, operations = Asker(world.api), {key_of(operation): operation for operation in world.api.operations}
    wrong = []
    before = await everything(world.api, world.owner)
    by_owner_last = sorted(world.callers, key=lambda caller: caller.owner)
    for key in ENDING:
        for caller in by_owner_last:
            own = caller.own or random_ids(world.rival.own or {})
            expected = status_of(caller, operations[key], own)
            found = await asker.ask(caller, operations[key], own)
            if found[0] != expected:
                wrong.append((caller.name, key, "own", expected, found))
            if key.endswith("/leave") and found[0] == 200:
                del caller.client.headers["X-Workspace-Id"]  # at home again
    assert wrong == []
    after = await everything(world.api, world.owner, gone=("/uploads/{upload_id}",))
    changed = {key for key in after if before[key] != after[key]}
    assert {key.rpartition("/")[2] for key in changed} == {"members", "events", "jobs", "uploads"}
    signed_in = [caller.name for caller in world.callers if (await caller.client.get("/auth/me")).is_success]
    assert signed_in == ["narrow key"]


async def check_foreign_headers(world: World) -> None:
    """A foreign workspace in `X-Workspace-Id` is one that is not there."""
    asker = Asker(world.api)
    own = world.owner.own or {}
    for caller in world.callers:
        theirs = (world.rival.own or {})["workspace_id"] if caller.own == own else own["workspace_id"]
        if caller.permissions is None:
            continue
        for operation in closed_routes(world.api):
            if "workspace_id" in path_names(operation):
                continue
            ids = random_ids(own)
            foreign = await asker.ask(caller, operation, ids, **{"X-Workspace-Id": theirs})
            absent = await asker.ask(caller, operation, ids, **{"X-Workspace-Id": new_ulid()})
            assert foreign == absent, (caller.name, operation.key)
            assert (foreign[0], foreign[1]["code"]) == (404, "workspace.not_found"), (caller.name, operation.key)


async def check_foreign_filters(world: World) -> None:
    own = world.owner.own or {}
    tried = 0
    for operation in world.api.operations:
        for parameter in operation.parameters:
            if parameter.location is ParameterLocation.QUERY and parameter.name in own and "{" not in operation.path:
                path = operation.path.removeprefix(PREFIX)
                answer = await world.rival.client.get(path, params={parameter.name: own[parameter.name]})
                assert answer.json()["data"] == [], operation.key
                tried += 1
    assert tried


async def everything(api: OurApi, owner: Caller, gone: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a tenant's owner can see, but for paths that end with one of `gone`."""
    seen = {}
    for operation in api.operations:
        row = TABLE[key_of(operation)]
        if operation.path.endswith(gone):
            continue
        if operation.method == "GET" and owner.permissions and row.permission in owner.permissions:
            path = operation.path.removeprefix(PREFIX).format(**(owner.own or {}))
            query = urlencode(asked_of(operation, owner.own or {}))
            seen[operation.key] = await ask(owner.client, "GET", f"{path}?{query}" if query else path)
    return seen
