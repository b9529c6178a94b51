"""Every given bad value in every field of sign-up and of a project: refused, or kept to the byte, and answered alike on
both databases."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from backend.app.core.settings import AuthSettings, DatabaseSettings, RateSettings, Settings
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from backend.app.modules.projects.router import router
from tests.support.accounts import application, client_of, person, sign_up
from tests.support.payloads import bad_values, with_value

PROJECT: dict[str, Any] = {
    "name": "Shop",
    "description": "",
    "base_url": "http://shop.example",
    "spec_url": "http://shop.example/openapi.json",
    "environment": "test",
    "auth_type": "login",
    "auth_config": {"url": "/login", "body": {"user": "ada"}, "token_pointer": "/a", "header": "A", "prefix": ""},
}
BASIC = {**PROJECT, "auth_type": "basic", "auth_config": {"username": "ada", "password": "secret"}}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def apps(both_urls: tuple[str, str]) -> AsyncIterator[list[FastAPI]]:
    """The same application on SQLite and on PostgreSQL."""
    opened = [Database(create_engine(DatabaseSettings(url=url))) for url in both_urls]
    settings = Settings(
        auth=AuthSettings(secret_key="a secret key for the tests, 32 or more"), rates=RateSettings(enabled=False)
    )
    yield [application(settings, database, router) for database in opened]
    for database in opened:
        await database.close()


def alike(answers: list[Any], sent: str, field: str) -> None:
    first, second = answers
    assert first.status_code == second.status_code, (sent[:80], first.text, second.text)
    assert first.status_code in (201, 409, 422), (sent[:80], first.text)
    if first.status_code == 422:
        assert first.headers["content-type"] == "application/problem+json"
    if first.status_code == 201 and field in first.json()["data"] and isinstance(first.json()["data"][field], str):
        assert first.json()["data"][field] == second.json()["data"][field] == json.loads(sent)[field]


@pytest.mark.parametrize("field", ["email", "password", "first_name", "last_name"])
async def test_sign_up(apps: list[FastAPI], field: str) -> None:
    for value in bad_values().values():
        sent = with_value(person(), (field,), value)
        answers = []
        for app in apps:
            async with client_of(app) as client:
                answers.append(await client.post("/auth/register", content=sent, headers=JSON))
        alike(answers, sent, field)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        *((PROJECT, (name,)) for name in PROJECT),
        *((PROJECT, ("auth_config", name)) for name in PROJECT["auth_config"]),
        (PROJECT, ("auth_config", "body", "user")),
        *((BASIC, ("auth_config", name)) for name in BASIC["auth_config"]),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
async def test_create_project(apps: list[FastAPI], body: dict[str, Any], path: tuple[str, ...]) -> None:
    clients = [await sign_up(app) for app in apps]
    for number, value in enumerate(bad_values().values()):
        sent = with_value({**body, "name": f"Shop {number}"}, path, value)
        alike([await client.post("/projects", content=sent, headers=JSON) for client in clients], sent, path[0])
    for client in clients:
        await client.aclose()


async def test_query_of_the_list(apps: list[FastAPI]) -> None:
    clients = [await sign_up(app) for app in apps]
    for value in bad_values().values():
        for name in ("name", "environment", "status", "cursor", "limit"):
            try:
                params = {name: str(json.loads(value))[:5000]}
                params[name].encode()
            except ValueError:
                continue
            answers = [await client.get("/projects", params=params) for client in clients]
            assert answers[0].status_code == answers[1].status_code, (name, value[:80])
            assert answers[0].status_code in (200, 422), (name, value[:80], answers[0].text)
    for client in clients:
        await client.aclose()
