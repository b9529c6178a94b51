"""Git sources of a project: what is taken, checked, kept and handed to a discovery."""

import itertools
import json
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.permissions import system_principal
from backend.app.core.settings import HttpSettings, Settings
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from backend.app.extensions.git import Credential, checked_out
from backend.app.extensions.http_client.configure import outgoing_policy
from backend.app.modules.projects.git.errors import GitSourceNotFound
from backend.app.modules.projects.git.service import GitService
from backend.app.modules.projects.models import GitDeliveryRecord, GitSourceRecord, ProjectRecord
from backend.app.modules.projects.router import routers
from tests.support.accounts import SetClock, application, sign_up
from tests.support.git_host import GitHost
from tests.support.payloads import load

TOKEN = "a token/for the code"
UNCHECKED = {"validate": "false"}


def source(**fields: Any) -> dict[str, Any]:
    return {"name": "Backend", "url": "https://github.com/ada/shop.git", "branch": "main", **fields}


async def add(client: httpx2.AsyncClient, project: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post(f"{project}/git-sources", json=source(**fields), params=UNCHECKED)
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def names_of_events(database: Database) -> list[str]:
    async with database.transaction(write=False) as session:
        names = await session.scalars(select(EventRecord.name).order_by(EventRecord.position))
        return [name for name in names if name.startswith("git")]


async def in_a_job(app: FastAPI, database: Database, table: Any = ProjectRecord) -> tuple[str, str]:
    """Workspace and id of the one project."""
    async with database.transaction(write=False) as session:
        row = (await session.execute(select(table.workspace_id, table.id))).one()
        return row[0], row[1]


async def test_a_source_from_its_beginning_to_its_end(
    ada: httpx2.AsyncClient, project: str, database: Database, clock: SetClock
) -> None:
    made = await ada.post(f"{project}/git-sources", json=source(subfolder="api"), params=UNCHECKED)
    assert (made.status_code, made.headers["etag"], made.headers["cache-control"]) == (201, '"1"', "no-store")
    body = made.json()["data"]
    assert body.pop("webhook_secret").startswith("whsec_")
    path = f"{project}/git-sources/{body['id']}"
    assert body["webhook_url"].endswith(f"/api/v1/git/webhooks/{body['id']}")
    assert (body["provider"], body["auth_type"], body["last_commit"]) == ("github", "none", None)
    read = await ada.get(path)
    assert (read.json()["data"], read.headers["etag"]) == (body, '"1"')
    assert (await ada.get(f"{project}/git-sources")).json()["data"] == [body]

    clock.move(minutes=1)
    stale = await ada.patch(path, json={"branch": "next"}, params=UNCHECKED, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "resource.changed")
    changed = await ada.patch(path, json={"branch": "next"}, params=UNCHECKED, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    now = changed.json()["data"]
    assert (now["branch"], now["subfolder"], now["updated_at"] > body["updated_at"]) == ("next", "api", True)
    assert (await ada.patch(path, json={"branch": "next"}, params=UNCHECKED)).headers["etag"] == '"2"'

    assert (await ada.delete(path, headers={"If-Match": '"1"'})).status_code == 412
    assert (await ada.delete(path, headers={"If-Match": '"2"'})).status_code == 200
    gone = await ada.get(path)
    assert (gone.status_code, gone.json()["code"]) == (404, "git_source.not_found")
    assert await names_of_events(database) == ["git_source.created", "git_source.updated", "git_source.deleted"]
    timeline = await ada.get(f"/git-sources/{body['id']}/events")
    assert [event["name"] for event in timeline.json()["data"]][-1] == "git_source.created"


async def test_names_are_unique_in_a_project(ada: httpx2.AsyncClient, project: str) -> None:
    first = await add(ada, project)
    again = await ada.post(f"{project}/git-sources", json=source(name="BACKEND"), params=UNCHECKED)
    assert (again.status_code, again.json()["code"]) == (409, "git_source.name_taken")
    other = await add(ada, project, name="Worker")
    path = f"{project}/git-sources/{other['id']}"
    taken = await ada.patch(path, json={"name": "backend"}, params=UNCHECKED)
    assert (taken.status_code, taken.json()["code"]) == (409, "git_source.name_taken")
    answer = await ada.post("/projects", json={"name": "Other", "base_url": "http://o.example"})
    elsewhere = f"/projects/{answer.json()['data']['id']}"
    await add(ada, elsewhere)
    page = await ada.get(f"{project}/git-sources", params={"limit": 1})
    assert [each["id"] for each in page.json()["data"]] == [other["id"]]
    cursor = page.json()["meta"]["next_cursor"]
    rest = await ada.get(f"{project}/git-sources", params={"limit": 1, "cursor": cursor})
    assert [each["id"] for each in rest.json()["data"]] == [first["id"]]


async def test_others_see_nothing_of_it(ada: httpx2.AsyncClient, app: FastAPI, project: str) -> None:
    path = f"{project}/git-sources/{(await add(ada, project))['id']}"
    async with await sign_up(app) as bob:
        answers = [
            await bob.get(f"{project}/git-sources"),
            await bob.post(f"{project}/git-sources", json=source(name="x"), params=UNCHECKED),
            await bob.get(path),
            await bob.patch(path, json={"name": "x"}),
            await bob.delete(path),
            await bob.post(f"{path}/webhook"),
            await bob.delete(f"{path}/webhook"),
            await bob.post(f"{path}/webhook-secret"),
        ]
    assert {answer.status_code for answer in answers} == {404}


async def test_an_archived_project_takes_none(ada: httpx2.AsyncClient, project: str) -> None:
    await ada.patch(project, json={"status": "archived"})
    answer = await ada.post(f"{project}/git-sources", json=source(), params=UNCHECKED)
    assert (answer.status_code, answer.json()["code"]) == (409, "project.archived")


async def test_hostile_urls_and_branches_are_refused(settings: Settings, database: Database) -> None:
    """As in production: git.json and ssrf.json."""
    closed = settings.model_copy(update={"http": HttpSettings(allow_private=False)})
    async with await sign_up(application(closed, database, *routers)) as ada:
        answer = await ada.post("/projects", json={"name": "Shop", "base_url": "http://shop.example"})
        path = f"/projects/{answer.json()['data']['id']}/git-sources"
        fields = {"url": "url", "ref": "branch"}
        cases = [(fields[case["kind"]], case["value"]) for case in load("git.json") if case["kind"] in fields]
        cases += [
            ("url", f"https://{host}/r.git") for host in ("10.0.0.1", "[::1]", "2130706433", "0x7f.1", "git.local")
        ]
        for (field, value), validate in itertools.product(cases, ("true", "false")):
            refused = await ada.post(path, json=source(**{field: value}), params={"validate": validate})
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"#/{field}"), value
            assert "user:pass" not in refused.text
        assert (await ada.get(path)).json()["data"] == []


async def test_the_repository_has_to_answer(ada: httpx2.AsyncClient, project: str, host: GitHost) -> None:
    repository = host.repository()
    repository.files({"a.py": b""})
    path = f"{project}/git-sources"
    taken = await ada.post(path, json={"name": "One", "url": repository.url})
    assert (taken.status_code, taken.json()["data"]["branch"]) == (201, "main")
    for reason, field, wanted in (
        ("git.branch_not_found", "branch", source(url=repository.url, branch="next")),
        ("git.not_found", "url", source(url=f"{host.url}/none.git")),
        ("git.unreachable", "url", source(url="https://127.0.0.1:1/r.git")),
    ):
        refused = await ada.post(path, json=wanted)
        (error,) = refused.json()["errors"]
        assert (refused.status_code, refused.json()["code"]) == (422, "git_source.unusable")
        assert (error["type"], error["pointer"]) == (reason, f"#/{field}")
    changed = await ada.patch(f"{path}/{taken.json()['data']['id']}", json={"branch": "next"})
    assert changed.json()["errors"][0]["type"] == "git.branch_not_found"
    unnamed = await ada.post(path, json={"name": "Two", "url": repository.url}, params=UNCHECKED)
    assert (unnamed.status_code, unnamed.json()["code"]) == (422, "git_source.branch_needed")

    host.accounts = {"x-access-token": TOKEN, "ada": TOKEN}
    closed = await ada.post(path, json=source(url=repository.url))
    assert closed.json()["errors"][0]["type"] == "git.access_denied"
    for name, kind, credential in (
        ("Token", "token", {"secret": TOKEN}),
        ("Password", "password", {"username": "ada", "secret": TOKEN}),
    ):
        opened = await ada.post(path, json=source(name=name, url=repository.url, credential=credential))
        assert (opened.status_code, opened.json()["data"]["auth_type"]) == (201, kind)
    wrong = await ada.post(path, json=source(url=repository.url, credential={"secret": f"{TOKEN}!"}))
    assert wrong.json()["errors"][0]["type"] == "git.access_denied"
    assert TOKEN not in wrong.text


async def test_credentials_are_sealed_and_stay_at_their_host(
    ada: httpx2.AsyncClient, project: str, database: Database
) -> None:
    made = await add(ada, project, credential={"username": "ada", "secret": TOKEN})
    path = f"{project}/git-sources/{made['id']}"
    moved = await ada.patch(path, json={"url": "https://evil.example/shop.git"}, params=UNCHECKED)
    assert (moved.status_code, moved.json()["code"]) == (422, "git_source.credential_needed")
    near = await ada.patch(path, json={"url": "https://github.com/ada/other.git"}, params=UNCHECKED)
    assert (near.status_code, near.json()["data"]["auth_type"]) == (200, "password")
    far = {"url": "https://gitlab.corp.example/shop.git", "credential": {"secret": TOKEN}}
    moved = await ada.patch(path, json=far, params=UNCHECKED)
    assert (moved.json()["data"]["auth_type"], moved.json()["data"]["provider"]) == ("token", "gitlab")
    taken = await ada.patch(path, json={"credential": None}, params=UNCHECKED)
    assert taken.json()["data"]["auth_type"] == "none"
    await ada.patch(path, json={"credential": {"secret": TOKEN}}, params=UNCHECKED)
    seen = [near.text, moved.text, (await ada.get(path)).text, (await ada.get(f"{project}/git-sources")).text]
    async with database.transaction(write=False) as session:
        for table in ("git_sources", "events"):
            seen += [str(row) for row in await session.execute(text(f"SELECT * FROM {table}"))]  # noqa: S608
    assert [each for each in seen if TOKEN in each or made["webhook_secret"] in each] == []


async def test_the_api_of_a_provider_is_at_the_host_of_the_repository(ada: httpx2.AsyncClient, project: str) -> None:
    for api in ("https://api.github.com", "https://github.com/api/v3"):
        await add(ada, project, name=api, api_url=api)
    for api in ("https://api.evil.example", "http://github.com/api/v3", "https://github.com:8443/api/v3"):
        refused = await ada.post(f"{project}/git-sources", json=source(api_url=api), params=UNCHECKED)
        assert (refused.status_code, refused.json()["code"]) == (422, "git_source.api_elsewhere"), api


async def test_a_discovery_gets_what_it_checks_out(
    ada: httpx2.AsyncClient, app: FastAPI, project: str, host: GitHost, database: Database, settings: Settings
) -> None:
    repository = host.repository()
    commit = repository.files({"api/app.py": b"app", "other.py": b""})
    host.accounts = {"ada": TOKEN}
    here = {"url": repository.url, "subfolder": "api", "credential": {"username": "ada", "secret": TOKEN}}
    first = await add(ada, project, **here)
    second = await add(ada, project, name="Public")
    workspace, project_id = await in_a_job(app, database)
    runtime = app.state.runtime

    def service(session: Any) -> GitService:
        principal = system_principal(workspace)
        return GitService(ServiceContext(settings, session, runtime.hub, principal, runtime.clock, "r"))

    async with runtime.database.transaction(workspace) as session:
        every = await service(session).checkout_orders(project_id)
        assert [each.source_id for each in every] == [first["id"], second["id"]]
        (wanted,) = await service(session).checkout_orders(project_id, [first["id"]])
        for ids in ([new_ulid()], [first["id"], new_ulid()]):
            with pytest.raises(GitSourceNotFound):
                await service(session).checkout_orders(project_id, ids)
    assert wanted.order.credential == Credential("ada", TOKEN)
    async with checked_out(wanted.order, outgoing_policy(settings)) as checkout:
        assert (checkout.name, checkout.commit) == ("Backend", commit)
        assert [path.name for path in sorted(checkout.path.iterdir())] == ["app.py"]
    async with runtime.database.transaction(workspace) as session:
        await service(session).record_scan(wanted, checkout.commit)
    read = await ada.get(f"{project}/git-sources/{first['id']}")
    assert (read.json()["data"]["last_commit"], read.headers["etag"]) == (commit, '"1"')
    assert read.json()["data"]["last_scanned_at"] is not None
    assert read.json()["data"]["updated_at"] == first["updated_at"]
    reset = await ada.patch(f"{project}/git-sources/{first['id']}", json={"subfolder": ""}, params=UNCHECKED)
    assert reset.json()["data"]["last_commit"] is None


async def test_a_project_takes_its_sources_along(ada: httpx2.AsyncClient, project: str, database: Database) -> None:
    await add(ada, project)
    assert (await ada.delete(project)).status_code == 200
    async with database.transaction(write=False) as session:
        for table in (GitSourceRecord, GitDeliveryRecord):
            assert (await session.execute(select(table))).all() == []


async def test_a_server_without_git(
    ada: httpx2.AsyncClient, project: str, host: GitHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = host.repository()
    monkeypatch.setenv("PATH", "")
    answer = await ada.post(f"{project}/git-sources", json=source(url=repository.url))
    assert (answer.status_code, answer.json()["code"]) == (503, "git.missing")
    assert json.loads(answer.text)["detail"] == "git is not installed on this machine"
