"""Credentials of targets: they go in, jobs get them, and nobody else ever sees them."""

import logging
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import inspect, text

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.permissions import system_principal
from backend.app.core.secrets import SealBroken
from backend.app.core.settings import AuthSettings, Settings
from backend.app.db.session import Database
from backend.app.modules.projects.errors import ArchivedProject, ProjectNotFound
from backend.app.modules.projects.models import AuthType
from backend.app.modules.projects.schemas import LastScan
from backend.app.modules.projects.service import ProjectService
from tests.support.accounts import PASSWORD, sign_up
from tests.support.engines import whatever_the_engine

SECRET = "s3cret-Value-42"
LOGIN = {"url": "/login", "body": {"user": "ada", "password": SECRET}, "token_pointer": "/data/token"}
VALID: dict[str, dict[str, Any]] = {
    "bearer": {"token": SECRET},
    "basic": {"username": "ada", "password": SECRET},
    "api_key_header": {"name": "X-Key", "value": SECRET},
    "api_key_query": {"name": "key", "value": SECRET},
    "login": LOGIN,
}


async def create(client: httpx2.AsyncClient, **fields: Any) -> httpx2.Response:
    return await client.post("/projects", json={"name": "Shop", "base_url": "http://shop.example/v1", **fields})


def service(app: FastAPI, session: Any, workspace_id: str, settings: Settings | None = None) -> ProjectService:
    runtime = app.state.runtime
    principal = system_principal(workspace_id)
    return ProjectService(
        ServiceContext(settings or runtime.settings, session, runtime.hub, principal, utc_now, "request")
    )


async def workspace(client: httpx2.AsyncClient) -> str:
    return str((await client.get("/auth/me")).json()["data"]["workspace_id"])


@pytest.mark.parametrize("kind", sorted(VALID))
async def test_credentials_are_kept_for_jobs_and_shown_to_nobody(app: FastAPI, database: Database, kind: str) -> None:
    async with await sign_up(app) as client:
        created = await create(client, auth_type=kind, auth_config=VALID[kind])
        project = created.json()["data"]
        answers = [created, await client.get(f"/projects/{project['id']}"), await client.get("/projects")]
        async with database.transaction(write=False) as session:
            opened = await service(app, session, await workspace(client)).credentials(project["id"])
    assert created.status_code == 201, created.text
    assert opened.kind == kind
    assert {name: opened.values[name] for name in VALID[kind]} == VALID[kind]
    assert set(project["auth_config"]) == set(opened.values)
    assert set(project["auth_config"].values()) == {"***"}
    assert not any(SECRET in answer.text for answer in answers)
    assert SECRET not in repr(opened)


async def test_a_login_step_has_the_usual_defaults(app: FastAPI, database: Database) -> None:
    async with await sign_up(app) as client:
        project = (await create(client, auth_type="login", auth_config={"url": "/login"})).json()["data"]
        async with database.transaction(write=False) as session:
            opened = await service(app, session, await workspace(client)).credentials(project["id"])
    assert opened.values == {
        "url": "/login",
        "method": "POST",
        "body": {},
        "token_pointer": "/access_token",
        "header": "Authorization",
        "prefix": "Bearer ",
    }


async def test_new_credentials_replace_the_old_ones_as_a_whole(app: FastAPI, database: Database) -> None:
    async with await sign_up(app) as client:
        project = (await create(client, auth_type="basic", auth_config=VALID["basic"])).json()["data"]
        path = f"/projects/{project['id']}"
        renamed = await client.patch(path, json={"name": "Other"})
        alone = await client.patch(path, json={"auth_config": {"token": "t"}})
        masked = await client.patch(path, json={"auth_type": "bearer", "auth_config": {"token": "***"}})
        replaced = await client.patch(path, json={"auth_type": "bearer", "auth_config": {"token": "t"}})
        removed = await client.patch(path, json={"auth_type": "none"})
        async with database.transaction(write=False) as session:
            opened = await service(app, session, await workspace(client)).credentials(project["id"])
    assert set(renamed.json()["data"]["auth_config"]) == {"username", "password"}
    assert (alone.status_code, masked.status_code) == (422, 422)
    assert replaced.json()["data"]["auth_config"] == {"token": "***"}
    assert removed.json()["data"]["auth_config"] == {}
    assert (opened.kind, opened.values) == (AuthType.NONE, {})


BASED = {"base_url": "http://shop.example/v1", "spec_url": "http://docs.example/openapi.json"}
FOUND = {"base_url": None, "spec_url": "http://shop.example/openapi.json"}


@whatever_the_engine
@pytest.mark.parametrize(
    ("start", "change", "allowed"),
    [
        (BASED, {"base_url": "http://evil.example/v1"}, False),
        (BASED, {"base_url": "https://shop.example/v1"}, False),
        (BASED, {"base_url": "http://shop.example:8080/v1"}, False),
        (BASED, {"base_url": "http://shop.example.evil.example/v1"}, False),
        (BASED, {"base_url": None}, False),
        (BASED, {"base_url": "http://SHOP.example.:80/v2"}, True),
        (BASED, {"spec_url": "http://evil.example/openapi.json"}, True),
        (BASED, {"base_url": "http://evil.example", "auth_type": "none"}, True),
        (BASED, {"base_url": "http://new.example", "auth_type": "bearer", "auth_config": {"token": "new"}}, True),
        (FOUND, {"spec_url": "http://evil.example/openapi.json"}, False),
        (FOUND, {"base_url": "http://evil.example"}, False),
        (FOUND, {"base_url": "http://shop.example/v1"}, True),
        (FOUND, {"base_url": "http://shop.example/v1", "spec_url": "http://evil.example/openapi.json"}, True),
    ],
)
@pytest.mark.parametrize("kind", ["bearer", "login"])
async def test_credentials_never_follow_the_target_to_another_origin(
    app: FastAPI, database: Database, kind: str, start: dict[str, Any], change: dict[str, Any], allowed: bool
) -> None:
    async with await sign_up(app) as client:
        project = (await create(client, **start, auth_type=kind, auth_config=VALID[kind])).json()["data"]
        answer = await client.patch(f"/projects/{project['id']}", json=change)
        kept = (await client.get(f"/projects/{project['id']}")).json()["data"]
        async with database.transaction(write=False) as session:
            opened = await service(app, session, await workspace(client)).credentials(project["id"])
        open_project = (await create(client, name="Open", **start)).json()["data"]
        unprotected = await client.patch(f"/projects/{open_project['id']}", json=change)
    assert unprotected.status_code == 200
    assert not opened.values or not any(map(opened.may_go_to, ("http://evil.example/", "http://a b/", "")))
    if allowed:
        assert answer.status_code == 200, answer.text
    else:
        assert (answer.status_code, answer.json()["code"]) == (422, "project.credentials_needed")
        assert kept == project
        assert opened.may_go_to("http://shop.example/other")


@whatever_the_engine
@pytest.mark.parametrize(
    ("kind", "config", "place"),
    [
        ("bearer", {}, "/auth_config/token"),
        ("bearer", {"token": ""}, "/auth_config/token"),
        ("bearer", {"token": "a b"}, "/auth_config/token"),
        ("bearer", {"token": "a\r\nX: y"}, "/auth_config/token"),
        ("bearer", {"token": SECRET, "extra": 1}, "/auth_config/extra"),
        ("bearer", VALID["basic"], "/auth_config/token"),
        ("basic", {"username": "a:b", "password": SECRET}, "/auth_config/username"),
        ("api_key_header", {"name": "X Key", "value": SECRET}, "/auth_config/name"),
        *(
            ("api_key_header", {"name": name, "value": SECRET}, "/auth_config/name")
            for name in (
                "Content-Length",
                "host",
                "Upgrade",
                "TE",
                "Trailer",
                "Keep-Alive",
                "Transfer-Encoding",
                "X-A:",
            )
        ),
        ("api_key_header", {"name": "X-Aws-Ec2-Metadata-Token", "value": SECRET}, "/auth_config/name"),
        ("login", {**LOGIN, "header": "Metadata-Flavor"}, "/auth_config/header"),
        ("api_key_header", {"name": "X-Key", "value": "a\nb"}, "/auth_config/value"),
        ("api_key_header", {"name": "X-Key", "value": " a"}, "/auth_config/value"),
        ("api_key_query", {"name": "", "value": SECRET}, "/auth_config/name"),
        ("login", {**LOGIN, "url": "login"}, "/auth_config/url"),
        ("login", {**LOGIN, "url": "//other.example/"}, "/auth_config/url"),
        ("login", {**LOGIN, "url": "http://u:p@example.com/"}, "/auth_config/url"),
        ("login", {**LOGIN, "method": "DELETE"}, "/auth_config/method"),
        ("login", {**LOGIN, "body": {"a": "x" * 20_000}}, "/auth_config/body"),
        ("login", {**LOGIN, "token_pointer": "data.token"}, "/auth_config/token_pointer"),
        ("login", {**LOGIN, "token_pointer": "/a~2"}, "/auth_config/token_pointer"),
        ("login", {**LOGIN, "prefix": "\r\n"}, "/auth_config/prefix"),
        ("bearer", "text", "/auth_config"),
        ("bearer", [], "/auth_config"),
        ("none", {"token": SECRET}, "/auth_config"),
    ],
)
async def test_a_fault_is_named_by_its_field_and_repeats_no_secret(
    app: FastAPI, kind: str, config: Any, place: str
) -> None:
    async with await sign_up(app) as client:
        answer = await create(client, auth_type=kind, auth_config=config)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]][:1] == [f"#{place}"]
    assert SECRET not in answer.text


async def test_no_secret_reaches_a_table_an_event_or_a_log_in_plain_text(
    app: FastAPI, database: Database, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with await sign_up(app) as client:
        await client.post("/auth/login", json={"email": "unknown@example.com", "password": SECRET})
        key = (await client.post("/user/api-keys", json={"name": "CI"})).json()["data"]["key"]
        await client.get("/auth/me", headers={"X-API-Key": key})
        await client.get("/auth/me", headers={"X-API-Key": key[:-1] + "!"})
        for kind, config in VALID.items():
            project = (await create(client, name=kind, auth_type=kind, auth_config=config)).json()["data"]
            change = {"auth_type": kind, "auth_config": config}
            assert (await client.patch(f"/projects/{project['id']}", json=change)).status_code == 200
        token = client.headers["Authorization"].removeprefix("Bearer ")
    async with database.transaction(write=False) as session:
        connection = await session.connection()
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        rows = [row for table in tables for row in await session.execute(text(f'SELECT * FROM "{table}"'))]  # noqa: S608
    written = "\n".join(map(repr, rows)) + caplog.text + "".join(capfd.readouterr())
    assert "project.updated" in written
    for secret in (SECRET, PASSWORD, key, key[3:33], token):
        assert secret not in written


async def test_credentials_open_only_with_their_key_and_in_their_row(
    app: FastAPI, database: Database, settings: Settings
) -> None:
    async with await sign_up(app) as client:
        ids = [
            (await create(client, name=name, auth_type="bearer", auth_config={"token": SECRET})).json()["data"]["id"]
            for name in "ab"
        ]
        mine = await workspace(client)
    other_key = settings.model_copy(update={"auth": AuthSettings(secret_key="z" * 32)})
    async with database.transaction() as session:
        with pytest.raises(SealBroken):
            await service(app, session, mine, other_key).credentials(ids[0])
        move = "UPDATE projects SET auth_sealed = (SELECT auth_sealed FROM projects WHERE id = :a) WHERE id = :b"
        await session.execute(text(move), {"a": ids[0], "b": ids[1]})
        with pytest.raises(SealBroken):
            await service(app, session, mine).credentials(ids[1])
        with pytest.raises(ProjectNotFound):
            await service(app, session, "01ARZ3NDEKTSV4RRFFQ69G5FAV").credentials(ids[0])


async def test_modules_above_report_statistics_without_editing_the_project(app: FastAPI, database: Database) -> None:
    async with await sign_up(app) as client:
        project = (await create(client)).json()["data"]
        scan = LastScan(id="01ARZ3NDEKTSV4RRFFQ69G5FAV", status="completed", finished_at=utc_now())
        async with database.transaction() as session:
            projects = service(app, session, await workspace(client))
            await projects.record_statistics(project["id"], endpoints=12)
            await projects.record_statistics(project["id"], open_findings=3, last_scan=scan)
            await projects.record_statistics("01ARZ3NDEKTSV4RRFFQ69G5FAV", endpoints=1)
            stranger = service(app, session, "01ARZ3NDEKTSV4RRFFQ69G5FAV")
            await stranger.record_statistics(project["id"], endpoints=99)
        read = await client.get(f"/projects/{project['id']}")
    statistics = read.json()["data"]["statistics"]
    assert (statistics["endpoints"], statistics["open_findings"]) == (12, 3)
    assert (statistics["last_scan"]["id"], statistics["last_scan"]["status"]) == (scan.id, "completed")
    assert read.headers["etag"] == '"1"'


async def test_nothing_runs_on_an_archived_project(app: FastAPI, database: Database) -> None:
    async with await sign_up(app) as client:
        project = (await create(client)).json()["data"]
        mine = await workspace(client)
        async with database.transaction() as session:
            assert (await service(app, session, mine).get_active(project["id"])).id == project["id"]
        await client.patch(f"/projects/{project['id']}", json={"status": "archived"})
    async with database.transaction() as session:
        with pytest.raises(ArchivedProject):
            await service(app, session, mine).get_active(project["id"])
