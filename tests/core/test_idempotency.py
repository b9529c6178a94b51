"""`Idempotency-Key` on both engines: one key, one effect, one answer."""

import asyncio
from datetime import timedelta
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import func, insert, select

from backend.app.core import idempotency
from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.errors import Conflict
from backend.app.core.message_hub import Event, MessageHub
from backend.app.core.performer import Performer
from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, envelope
from backend.app.core.runner import Runner
from backend.app.core.runtime import service_context
from backend.app.core.schema import InputSchema
from backend.app.core.settings import Settings
from backend.app.core.views import access_control, view
from backend.app.db.idempotency import IdempotencyRecord
from backend.app.db.insert import insert_or_ignore
from backend.app.db.outbox import EventRecord
from tests.support.apps import client_of, small_app
from tests.support.databases import behind_the_wall
from tests.support.jobs import until


class Wish(InputSchema):
    name: str
    fails: bool = False


class WishMade(Event):
    name = "wish.made"
    wish_id: str


def wishes(failures: list[str]) -> APIRouter:
    """Each wish is one event row; it fails after it has written as often as its name is in `failures`."""
    router = APIRouter()

    @view(router)
    class WishViews:
        context: Annotated[ServiceContext, Depends(service_context)]

        @router.post("/wishes", status_code=202)
        @access_control(Permission.PROJECTS_WRITE)
        async def make_wish(self, body: Wish) -> Envelope[dict[str, Any]]:
            row = await self.context.hub.publish(WishMade(wish_id=body.name), self.context)
            await asyncio.sleep(0.01)
            if body.name in failures:
                failures.remove(body.name)
                raise Conflict("not yet")
            return envelope({"id": row.id}, etag='"1"')

        @router.post("/secrets")
        @access_control(Permission.PROJECTS_WRITE, replayable=False)
        async def make_secret(self, body: Wish) -> Envelope[dict[str, Any]]:
            row = await self.context.hub.publish(WishMade(wish_id=body.name), self.context)
            return envelope({"id": row.id})

    return router


@pytest.fixture
def failures() -> list[str]:
    return []


@pytest.fixture
def app(database: Any, settings: Settings, failures: list[str]) -> FastAPI:
    return small_app(wishes(failures), settings, database)


async def effects(database: Any) -> int:
    async with database.transaction(write=False) as session:
        return int((await session.execute(select(func.count()).select_from(EventRecord))).scalar_one())


async def wish(
    client: httpx2.AsyncClient, key: str | None, name: str = "rain", path: str = "/wishes"
) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post(path, json={"name": name}, headers=headers)


async def test_five_at_once_have_one_effect_and_one_answer(app: FastAPI, database: Any) -> None:
    client = client_of(app)
    answers = await asyncio.gather(*(wish(client, "k") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert {(answer.headers["content-type"], answer.headers["etag"]) for answer in answers} == {
        ("application/json", '"1"')
    }
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 4
    assert len({answer.headers["x-request-id"] for answer in answers}) == 5
    assert await effects(database) == 1


async def test_without_a_key_each_request_has_its_effect(app: FastAPI, database: Any) -> None:
    answers = [await wish(client_of(app), None) for _ in range(2)]
    assert answers[0].json()["data"] != answers[1].json()["data"]
    assert await effects(database) == 2


async def test_a_key_belongs_to_one_request(app: FastAPI, database: Any) -> None:
    client = client_of(app)
    await wish(client, "k")
    for name, path in (("sun", "/wishes"), ("rain", "/wishes?x=1")):
        answer = await wish(client, "k", name, path)
        assert answer.status_code == 422
        assert answer.json()["code"] == "request.idempotency_key_reused"
    assert await effects(database) == 1


async def test_a_key_belongs_to_one_caller(app: FastAPI, database: Any) -> None:
    first = await wish(client_of(app, "alice"), "k")
    second = await wish(client_of(app, "bob"), "k", "sun")
    assert second.status_code == 202
    assert first.json()["data"] != second.json()["data"]
    assert await effects(database) == 2


async def test_a_failed_request_leaves_the_key_free(app: FastAPI, database: Any, failures: list[str]) -> None:
    client = client_of(app)
    failures += ["rain", "rain"]
    assert [(await wish(client, "k")).status_code for _ in range(2)] == [409, 409]
    assert await effects(database) == 0
    answer = await wish(client, "k")
    assert answer.status_code == 202
    assert "idempotency-replayed" not in answer.headers
    assert await effects(database) == 1


async def test_among_requests_at_once_a_failure_leaves_the_key_to_the_next(
    app: FastAPI, database: Any, failures: list[str]
) -> None:
    failures.append("rain")
    client = client_of(app)
    answers = await asyncio.gather(*(wish(client, "k") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 202, 202, 409]
    assert await effects(database) == 1


async def test_an_answer_with_a_secret_is_not_kept(app: FastAPI, database: Any) -> None:
    client = client_of(app)
    answers = [await wish(client, "k", path="/secrets") for _ in range(2)]
    assert answers[0].json()["data"] != answers[1].json()["data"]
    assert await effects(database) == 2


@pytest.mark.parametrize(("key", "status"), [("x" * 256, 422), ("", 422), ("x" * 255, 202)])
async def test_a_key_has_a_length(app: FastAPI, key: str, status: int) -> None:
    assert (await wish(client_of(app), key)).status_code == status


async def test_a_key_may_hold_any_byte_of_a_header(app: FastAPI, database: Any) -> None:
    client = client_of(app)
    for _ in range(2):
        answer = await client.post("/wishes", json={"name": "rain"}, headers=[(b"Idempotency-Key", b"\xe9\xff")])
        assert answer.status_code == 202
    assert await effects(database) == 1


async def keys(database: Any) -> int:
    async with database.transaction(write=False) as session:
        return int(await session.scalar(select(func.count()).select_from(IdempotencyRecord)))


async def test_keys_are_kept_for_a_day(app: FastAPI, database: Any, settings: Settings) -> None:
    client = client_of(app)
    await wish(client, "k")

    def runner(hours: float) -> Runner:
        return Runner(behind_the_wall(database), MessageHub(), settings, lambda: utc_now() + timedelta(hours=hours))

    assert await runner(23.9).forget_keys() == 0
    assert "idempotency-replayed" in (await wish(client, "k")).headers
    assert await runner(24.1).forget_keys() == 1
    assert "idempotency-replayed" not in (await wish(client, "k", "sun")).headers
    assert await effects(database) == 2


async def test_any_number_of_keys_is_forgotten_by_whoever_performs_jobs(database: Any, settings: Settings) -> None:
    async with database.transaction() as session:
        common = {"workspace_id": "w", "user_id": "", "request_hash": ""}
        old = [{**common, "key": str(n), "created_at": utc_now() - timedelta(days=2)} for n in range(1200)]
        await session.execute(insert(IdempotencyRecord), [*old, {**common, "key": "young", "created_at": utc_now()}])
    performer = Performer(Runner(behind_the_wall(database), MessageHub(), settings))
    await performer.start()

    async def forgotten() -> bool:
        return await keys(database) == 1

    await until(forgotten)
    await performer.stop()


async def test_a_key_that_expires_while_it_is_looked_up_is_free(
    app: FastAPI, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The insert meets the key, and the sweep removes it before it is read."""
    meets = [True]

    async def insert_but_meet(*arguments: Any) -> bool:
        return False if meets and meets.pop() else await insert_or_ignore(*arguments)

    monkeypatch.setattr(idempotency, "insert_or_ignore", insert_but_meet)
    assert (await wish(client_of(app), "k")).status_code == 202
    assert await effects(database) == 1
