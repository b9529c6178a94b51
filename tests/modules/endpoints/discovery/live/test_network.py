"""Strategies that ask a server, over real connections to one on loopback."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from backend.app.engine.http import Answer, Request
from backend.app.engine.spec.guess import PLACES
from backend.app.engine.spec.model import Operation
from backend.app.extensions.http_client import HttpClient, HttpLimits, OutgoingPolicy
from backend.app.modules.endpoints.discovery import Discovered, NothingDiscovered, Subject, strategies
from backend.app.modules.endpoints.looking.tools import discovery_tools
from tests.support.catch_alls import CATCH_ALLS
from tests.support.routers import router
from tests.support.target import Answer as TargetAnswer
from tests.support.target import Asked, Says, Target, target

ROUTES = {
    "GET /": '200 <a href="/users">users</a><a href="/orders">orders</a>',
    "GET /users": '200 {"users": [{"id": 1, "url": "/users/1"}]}',
    "GET /users/{id}": '200 {"id": 1}',
    "POST /users": "201 {}",
    "GET /orders": '200 {"orders": []}',
}
KEYS = [key.split(" ") for key in (*ROUTES, "GET /ghosts", "DELETE /orders")]
KNOWN = [Operation(method, path) for method, path in KEYS]


def served(answer: Callable[[Request], Answer]) -> Callable[[Asked], Awaitable[Says]]:
    async def say(asked: Asked) -> Says:
        query = f"?{asked.query}" if asked.query else ""
        said = answer(Request(asked.method, f"http://api.test{asked.path}{query}"))
        headers = dict(said.headers)
        kind = headers.pop("Content-Type", "text/plain")
        return Says(said.status, None if asked.method == "HEAD" else said.body, kind, headers)

    return say


def everything(say: Callable[[Asked], Awaitable[Says | bytes]]) -> dict[str, TargetAnswer]:
    return {f"{method} *": say for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")}


async def look(name: str, api: Target, *, deadline_s: float = 5.0, known: list[Operation] = KNOWN) -> Discovered:
    limits = HttpLimits(deadline_s=deadline_s)
    async with HttpClient(OutgoingPolicy(allow_private=True), limits=limits) as client:
        (found,) = await strategies.get(name).look(Subject(api.url, known=known), discovery_tools(client))
    assert {asked.method for asked in api.asked} <= {"GET", "HEAD", "OPTIONS"}
    return found


def alive(found: Discovered) -> set[str]:
    return {key for key, evidence in found.evidence.items() if evidence.alive}


def dead(found: Discovered) -> set[str]:
    return {key for key, evidence in found.evidence.items() if evidence.alive is False}


async def test_what_a_server_has_is_found_and_what_it_has_not_is_told() -> None:
    async with target(everything(served(router("flask", ROUTES)))) as api:
        probed = await look("probe", api)
        crawled = await look("crawl", api)
    assert (alive(probed), dead(probed)) == (set(ROUTES), {"GET /ghosts", "DELETE /orders"})
    # What answers alike to any word cannot be told from a page for all of them.
    assert alive(crawled) == {"GET /", "GET /users", "GET /orders"}


@pytest.mark.parametrize(
    ("strategy", "name"), [("probe", "random body"), ("crawl", "html"), ("crawl", "echo"), ("crawl", "login")]
)
async def test_nothing_is_invented(strategy: str, name: str) -> None:
    async with target(everything(served(CATCH_ALLS[name]()))) as api:
        found = await look(strategy, api)
    assert found.evidence == {}


async def test_a_description_is_found_on_a_server_that_answers_a_page_to_everything() -> None:
    document = b'{"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": {"/x": {"get": {}}}}'
    async with target(everything(served(CATCH_ALLS["html"]()))) as api:
        api.answers[f"GET /{PLACES[40]}"] = Says(200, document)
        found = await look("openapi", api, deadline_s=30.0)
    assert found.where == f"{api.url}/{PLACES[40]}"
    assert len(api.asked) <= 80


@pytest.mark.parametrize("strategy", ["probe", "crawl"])
async def test_a_server_that_does_not_answer_is_left_soon(strategy: str) -> None:
    async def never(asked: Asked) -> Says:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async with target(everything(never)) as api:
        with pytest.raises(NothingDiscovered) as caught:
            await look(strategy, api, deadline_s=0.05)
        assert len(api.asked) < 10
    assert caught.value.code == "discovery.timeout"


@pytest.mark.parametrize("strategy", ["probe", "crawl"])
async def test_a_server_that_dies_midway_is_not_called_dead(strategy: str) -> None:
    answer = served(router("flask", ROUTES))

    async def dying(asked: Asked) -> Says | bytes:
        return b"" if len(api.asked) > 8 else await answer(asked)

    async with target(everything(dying)) as api:
        found = await look(strategy, api)
    assert dead(found) == set()
    assert alive(found) <= ROUTES.keys()
    assert any("the server is gone" in fault.message for fault in found.description.faults)
