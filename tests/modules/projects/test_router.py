"""Projects, as a client sees them."""

from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from pydantic import ValidationError
from sqlalchemy import func, select

from backend.app.core.ids import new_ulid
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from backend.app.modules.projects.models import ProjectStatisticsRecord
from backend.app.modules.projects.schemas import ProjectCreate, ProjectUpdate
from tests.support.accounts import client_of, sign_up
from tests.support.engines import whatever_the_engine

SHOP: dict[str, Any] = {"name": "Shop", "base_url": "http://127.0.0.1:9000/v1"}


async def events_of(database: Database, project_id: str) -> list[str]:
    async with database.transaction(write=False) as session:
        mine = EventRecord.project_id == project_id
        return list(await session.scalars(select(EventRecord.name).where(mine).order_by(EventRecord.position)))


async def test_a_project_is_created_read_and_listed(app: FastAPI, database: Database) -> None:
    async with await sign_up(app) as client:
        created = await client.post("/projects", json={**SHOP, "spec_url": "https://example.com/openapi.json?v=1"})
        project = created.json()["data"]
        read = await client.get(f"/projects/{project['id'].lower()}")
        listed = await client.get("/projects")
    assert created.status_code == 201
    assert {name: project[name] for name in (*SHOP, "environment", "status", "auth_type", "auth_config")} == {
        **SHOP,
        "environment": "development",
        "status": "active",
        "auth_type": "none",
        "auth_config": {},
    }
    assert project["statistics"] == {"endpoints": 0, "open_findings": 0, "last_scan": None}
    assert created.headers["etag"] == read.headers["etag"] == '"1"'
    assert read.json()["data"] == project
    assert listed.json()["data"] == [project]
    assert await events_of(database, project["id"]) == ["project.created"]


async def test_names_are_unique_in_a_workspace_whatever_their_case(app: FastAPI) -> None:
    async with await sign_up(app) as client, await sign_up(app) as other:
        first = (await client.post("/projects", json={**SHOP, "name": "Straße"})).json()["data"]
        second = (await client.post("/projects", json=SHOP)).json()["data"]
        again = await client.post("/projects", json={**SHOP, "name": "STRASSE"})
        renamed = await client.patch(f"/projects/{second['id']}", json={"name": "strasse", "environment": "test"})
        kept = (await client.get(f"/projects/{second['id']}")).json()["data"]
        own = await client.patch(f"/projects/{first['id']}", json={"name": "straße"})
        elsewhere = await other.post("/projects", json={**SHOP, "name": "Straße"})
    assert (again.status_code, again.json()["code"]) == (409, "project.name_taken")
    assert renamed.status_code == 409
    assert kept == second
    assert own.status_code == 200
    assert elsewhere.status_code == 201


async def test_a_list_is_filtered_and_paged_newest_first(app: FastAPI) -> None:
    names = ["50% Off", "Käse", "KÄSE-Theke", "under_score", "x/y"]
    async with await sign_up(app) as client:

        async def found(**wanted: Any) -> list[str]:
            answer = await client.get("/projects", params=wanted)
            return [row["name"] for row in answer.json()["data"]]

        ids = [
            (await client.post("/projects", json={**SHOP, "name": name, "environment": f"env {i % 2}"})).json()["data"][
                "id"
            ]
            for i, name in enumerate(names)
        ]
        await client.patch(f"/projects/{ids[0]}", json={"status": "archived"})
        newest = [name for _, name in sorted(zip(ids, names, strict=True), reverse=True)]
        assert await found() == newest
        assert await found(status="archived") == ["50% Off"]
        assert set(await found(environment="env 1")) == {"Käse", "under_score"}
        assert set(await found(name="käse")) == {"Käse", "KÄSE-Theke"}
        assert await found(name="%") == ["50% Off"]
        assert await found(name="_") == ["under_score"]
        assert await found(name="/") == ["x/y"]
        assert await found(name="käse", environment="env 0", status="active") == ["KÄSE-Theke"]
        seen, cursor = [], None
        for _ in range(3):
            page = (await client.get("/projects", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
            seen += [row["name"] for row in page["data"]]
            cursor = page["meta"]["next_cursor"]
    assert seen == newest
    assert cursor is None


async def test_a_cursor_of_another_workspace_leads_to_nothing_of_it(app: FastAPI) -> None:
    async with await sign_up(app) as alice, await sign_up(app) as mallory:
        await mallory.post("/projects", json={**SHOP, "name": "Hers"})
        for name in "abc":
            await alice.post("/projects", json={**SHOP, "name": name})
        cursor = (await alice.get("/projects", params={"limit": 1})).json()["meta"]["next_cursor"]
        answer = await mallory.get("/projects", params={"cursor": cursor})
    assert {row["name"] for row in answer.json()["data"]} <= {"Hers"}


async def test_an_edit_changes_what_is_sent(app: FastAPI, database: Database) -> None:
    async with await sign_up(app) as client:
        project = (await client.post("/projects", json=SHOP)).json()["data"]
        path = f"/projects/{project['id']}"
        edited = await client.patch(path, json={"description": "two\nlines ", "base_url": SHOP["base_url"]})
        nothing = await client.patch(path, json={})
    changed = edited.json()["data"]
    assert changed == {
        **project,
        "description": "two\nlines ",
        "version": 2,
        "updated_at": changed["updated_at"],
    }
    assert changed["updated_at"] > project["updated_at"]
    assert edited.headers["etag"] == nothing.headers["etag"] == '"2"'
    assert await events_of(database, project["id"]) == ["project.created", "project.updated"]


async def test_an_edit_of_an_old_version_is_refused(app: FastAPI) -> None:
    async with await sign_up(app) as client:
        project = (await client.post("/projects", json=SHOP)).json()["data"]
        path = f"/projects/{project['id']}"
        tagged = await client.patch(path, json={"name": "A"}, headers={"If-Match": '"1"'})
        stale = await client.patch(path, json={"name": "B"}, headers={"If-Match": '"1"'})
        stale_delete = await client.delete(path, headers={"If-Match": '"1"'})
        any_version = await client.patch(path, json={"name": "C"}, headers={"If-Match": "*"})
        untagged = await client.patch(path, json={"name": "D"})
        deleted = await client.delete(path, headers={"If-Match": untagged.headers["etag"]})
    assert [answer.status_code for answer in (tagged, stale, stale_delete, any_version, untagged, deleted)] == [
        200,
        412,
        412,
        200,
        200,
        200,
    ]
    assert stale.json()["code"] == "resource.changed"


async def test_a_project_is_archived_and_activated(app: FastAPI, database: Database) -> None:
    async with await sign_up(app) as client:
        project = (await client.post("/projects", json=SHOP)).json()["data"]
        path = f"/projects/{project['id']}"
        statuses = []
        for status in ("active", "archived", "archived", "active"):
            answer = await client.patch(path, json={"status": status})
            statuses.append(answer.status_code)
        unknown = await client.patch(path, json={"status": "deleted"})
    assert statuses == [409, 200, 409, 200]
    assert unknown.status_code == 422
    assert await events_of(database, project["id"]) == ["project.created", "project.archived", "project.activated"]


async def test_a_refused_transition_changes_nothing_else(app: FastAPI) -> None:
    async with await sign_up(app) as client:
        project = (await client.post("/projects", json=SHOP)).json()["data"]
        answer = await client.patch(f"/projects/{project['id']}", json={"name": "Other", "status": "active"})
        kept = await client.get(f"/projects/{project['id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "project.invalid_transition")
    assert kept.json()["data"] == project


async def test_a_deleted_project_is_gone_and_its_timeline_stays(app: FastAPI, database: Database) -> None:
    async with await sign_up(app) as client:
        project = (await client.post("/projects", json=SHOP)).json()["data"]
        path = f"/projects/{project['id']}"
        deleted = await client.delete(path)
        left = [await client.get(path), await client.patch(path, json={}), await client.delete(path)]
        reused = await client.post("/projects", json=SHOP)
    assert deleted.status_code == 200
    assert {(answer.status_code, answer.json()["code"]) for answer in left} == {(404, "project.not_found")}
    assert reused.status_code == 201
    assert await events_of(database, project["id"]) == ["project.created", "project.deleted"]
    async with database.transaction(write=False) as session:
        assert await session.scalar(select(func.count()).select_from(ProjectStatisticsRecord)) == 1


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_another_tenants_project_is_not_there(app: FastAPI, method: str) -> None:
    body: dict[str, Any] | None = {} if method == "PATCH" else None
    async with await sign_up(app) as owner, await sign_up(app) as stranger, client_of(app) as nobody:
        project = (await owner.post("/projects", json=SHOP)).json()["data"]
        foreign = await stranger.request(method, f"/projects/{project['id']}", json=body)
        unknown = await stranger.request(method, f"/projects/{new_ulid()}", json=body)
        unsigned = await nobody.request(method, f"/projects/{project['id']}", json=body)
        listed = await stranger.get("/projects")
        kept = await owner.get(f"/projects/{project['id']}")
    assert foreign.status_code == unknown.status_code == 404
    assert {**foreign.json(), "request_id": 0, "instance": 0} == {**unknown.json(), "request_id": 0, "instance": 0}
    assert unsigned.status_code == 401
    assert listed.json()["data"] == []
    assert kept.json()["data"] == project


async def test_a_narrow_key_reads_and_does_not_write(app: FastAPI) -> None:
    async with await sign_up(app) as client:
        project = (await client.post("/projects", json=SHOP)).json()["data"]
        made = await client.post("/user/api-keys", json={"name": "reader", "scopes": ["projects.read"]})
    path = f"/projects/{project['id']}"
    async with client_of(app, {"X-API-Key": made.json()["data"]["key"]}) as reader:
        answers = [
            await reader.get("/projects"),
            await reader.get(path),
            await reader.post("/projects", json={"nonsense": 1}),
            await reader.patch(path, json={}),
            await reader.delete(path),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 403, 403, 403]


async def test_a_repeated_creation_with_its_key_has_one_effect(app: FastAPI) -> None:
    async with await sign_up(app) as client:
        answers = [await client.post("/projects", json=SHOP, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["data"] == answers[1].json()["data"]


@whatever_the_engine
@pytest.mark.parametrize(
    "change",
    [
        {"name": " "},
        {"name": "x" * 201},
        {"name": "two\nlines"},
        {"name": None},
        {"base_url": None},
        {"base_url": "ftp://example.com"},
        {"base_url": "example.com"},
        {"base_url": "http://user:secret@example.com"},
        {"base_url": "http://example.com/?a=1"},
        {"base_url": "http://example.com/#a"},
        {"base_url": "http://example.com:0"},
        {"base_url": "http://0x7f.1/"},
        {"base_url": "http://example.com/" + "x" * 2048},
        {"spec_url": "javascript:alert(1)"},
        {"environment": ""},
        {"status": "archived"},
        {"workspace_id": new_ulid()},
        {"auth_type": "digest"},
        {"auth_type": "bearer"},
        {"auth_config": {"token": "x"}},
        {"auth_type": None},
    ],
)
async def test_a_project_that_breaks_a_rule_is_refused(app: FastAPI, change: dict[str, Any]) -> None:
    async with await sign_up(app) as client:
        answer = await client.post("/projects", json={**SHOP, **change})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "change", [{"name": None}, {"environment": None}, {"status": None}, {"base_url": None}, {"auth_type": None}]
)
async def test_an_edit_cannot_take_away_what_is_needed(app: FastAPI, change: dict[str, Any]) -> None:
    async with await sign_up(app) as client:
        project = (await client.post("/projects", json=SHOP)).json()["data"]
        answer = await client.patch(f"/projects/{project['id']}", json=change)
    assert answer.status_code == 422


AUTH_COUPLING: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"auth_type": "none"}, True),
    ({"auth_type": "none", "auth_config": None}, True),
    ({"auth_type": "bearer", "auth_config": {"token": "t"}}, True),
    ({"auth_type": "bearer"}, False),
    ({"auth_type": "bearer", "auth_config": None}, False),
    ({"auth_type": "basic", "auth_config": {"token": "t"}}, False),
    ({"auth_type": "login", "auth_config": {"username": "u", "password": "p"}}, False),
    ({"auth_config": {"token": "t"}}, False),
    ({"auth_config": {}}, True),
    ({"auth_type": "none", "auth_config": {}}, True),
    ({"auth_type": "bearer", "auth_config": {}}, False),
    ({"auth_type": "bearer", "auth_config": {"token": "***"}}, False),
    ({"auth_type": "api_key_query", "auth_config": {"name": "a key", "value": "v"}}, True),
    ({"auth_type": "api_key_header", "auth_config": {"name": "a key", "value": "v"}}, False),
    ({"auth_type": "login", "auth_config": {"url": "/login?next=/"}}, True),
    ({"auth_type": "login", "auth_config": {"url": "//login"}}, False),
]


@pytest.mark.parametrize(("auth", "fits"), AUTH_COUPLING)
@pytest.mark.parametrize("model", [ProjectCreate, ProjectUpdate])
def test_the_document_says_which_credentials_belong_to_which_type(
    model: type[ProjectCreate | ProjectUpdate], auth: dict[str, Any], fits: bool
) -> None:
    schema = model.model_json_schema()
    body = {**(SHOP if model is ProjectCreate else {}), **auth}
    assert Draft202012Validator(schema).is_valid(body) is fits
    try:
        model.model_validate(body)
    except ValidationError:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize("field", ["base_url", "spec_url"])
@given(tail=st.text(st.sampled_from("aZ9-._~!$&'()*+,;=:@%/?#[]{}|^`\"<>\\é 4F"), max_size=12))
def test_a_url_is_a_uri_to_the_letter_as_the_document_says(field: str, tail: str) -> None:
    body = {"name": "Shop", field: f"https://shop.example/{tail}".strip()}
    fits = Draft202012Validator(ProjectCreate.model_json_schema()).is_valid(body)
    try:
        ProjectCreate.model_validate(body)
    except ValidationError:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize("model", [ProjectCreate, ProjectUpdate])
def test_the_examples_of_the_document_are_accepted(model: type[ProjectCreate | ProjectUpdate]) -> None:
    (example,) = model.model_json_schema()["examples"]
    model.model_validate(example)
