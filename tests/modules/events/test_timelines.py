"""Timelines over HTTP, on both engines."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event, MessageHub
from backend.app.core.permissions import system_principal
from backend.app.core.settings import Settings
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from tests.support.bench import ALICE, BOB, Bench

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
PROJECT, SCAN, OTHER = new_ulid(), new_ulid(), new_ulid()
NAMES = ("scan.requested", "scan.completed", "scan_x.made", "scanyx.made", "finding.opened")
JSON = {"text": 'é "\u2028\\', "number": 2**53 + 1, "none": None, "list": [1.5, {}]}


@pytest.fixture
async def bench(settings: Settings, database: Database) -> Bench:
    """Alice has ten events, a minute apart, the first five of them in a project; Bob has one."""
    rows: list[dict[str, Any]] = [
        {
            "id": new_ulid(),
            "name": NAMES[number % 5],
            "version": 1,
            "payload": JSON,
            "entity_type": NAMES[number % 5].partition(".")[0],
            "entity_id": SCAN if number < 5 else OTHER,
            "project_id": PROJECT if number < 5 else None,
            "workspace_id": ALICE,
            "actor_id": ALICE,
            "request_id": "r",
            "occurred_at": NOW + timedelta(minutes=number),
        }
        for number in range(10)
    ]
    async with database.transaction() as session:
        await session.execute(insert(EventRecord), [*rows, {**rows[0], "id": new_ulid(), "workspace_id": BOB}])
    return Bench.open(settings, database)


async def names(bench: Bench, path: str) -> list[str]:
    return [event["name"] for event in await bench.call("GET", path)]


async def test_an_event_is_answered_as_it_was_recorded(bench: Bench) -> None:
    event = (await bench.call("GET", "/events?limit=1"))[0]
    assert event.pop("position") > 0
    assert len(event.pop("id")) == 26
    assert event == {
        "name": "finding.opened",
        "version": 1,
        "payload": JSON,
        "entity_type": "finding",
        "entity_id": OTHER,
        "project_id": None,
        "actor_id": ALICE,
        "request_id": "r",
        "occurred_at": "2026-01-02T03:13:05.678901Z",
    }


async def test_newest_first_or_oldest_first_in_pages(bench: Bench) -> None:
    oldest = await names(bench, "/events?order=oldest")
    assert oldest == [*NAMES, *NAMES]
    assert await names(bench, "/events") == oldest[::-1]
    for order, expected in (("newest", oldest[::-1]), ("oldest", oldest)):
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = await bench.client.get(f"/events?limit=3&order={order}{cursor and '&cursor=' + cursor}")
            seen += [event["name"] for event in answer.json()["data"]]
            cursor = answer.json()["meta"]["next_cursor"]
        assert seen == expected


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("name=scan.completed", 2),
        ("name=scan.*", 4),
        ("name=scan_x.*", 2),
        ("name=scan", 422),
        ("name=%25.*", 422),
        ("name=gone.*", 0),
        (f"since={quote((NOW + timedelta(minutes=8)).isoformat())}", 2),
        (f"until={quote((NOW + timedelta(minutes=8)).isoformat())}", 8),
        ("since=2026-01-02T03:12:05.678901", 2),
        ("since=yesterday", 422),
        (f"name=scan.*&until={quote((NOW + timedelta(minutes=1)).isoformat())}&order=oldest", 1),
        ("order=random", 422),
    ],
)
async def test_filters(bench: Bench, query: str, count: int) -> None:
    answer = await bench.client.get(f"/events?{query}")
    assert (len(answer.json()["data"]) if answer.status_code == 200 else answer.status_code) == count


async def test_a_thing_has_a_timeline_when_something_happened_to_it(bench: Bench) -> None:
    assert await names(bench, f"/scans/{SCAN}/events?order=oldest") == ["scan.requested", "scan.completed"]
    assert await names(bench, f"/projects/{PROJECT}/events?order=oldest") == list(NAMES)
    assert await names(bench, f"/scans/{SCAN}/events?name=finding.*") == []
    for path in (f"/scans/{new_ulid()}", f"/findings/{PROJECT}", f"/projects/{SCAN}", f"/planets/{SCAN}"):
        assert (await bench.client.get(f"{path}/events")).status_code in (404, 422), path


async def test_a_job_shows_what_caused_it(bench: Bench) -> None:
    project = await bench.project(base_url="http://127.0.0.1:9")
    await bench.call("DELETE", f"/projects/{project}", status=200)
    jobs = await bench.call("GET", "/jobs?limit=1")
    assert await names(bench, f"/jobs/{jobs[0]['id']}/events") == ["project.deleted"]


async def test_a_workspace_sees_its_own(bench: Bench) -> None:
    async with bench.client_of(BOB) as bob, bench.client_of(None) as nobody:
        assert len((await bob.get("/events")).json()["data"]) == 1
        assert (await bob.get(f"/findings/{SCAN}/events")).status_code == 404
        assert (await nobody.get("/events")).status_code == 401


class StepTaken(Event):
    name = "step.taken"
    step_id: str


async def test_who_follows_a_timeline_with_a_look_back_misses_nothing(settings: Settings, database: Database) -> None:
    """On PostgreSQL a slower transaction commits below positions that were read; on SQLite writers take turns."""
    bench = Bench.open(settings, database)
    hub = MessageHub()
    since = quote((utc_now() - timedelta(minutes=1)).isoformat())
    seen: list[str] = []

    async def take_step(session: AsyncSession, name: str) -> None:
        context = ServiceContext(settings, session, hub, system_principal(ALICE), utc_now, "r")
        await hub.publish(StepTaken(step_id=name), context)

    async def look() -> None:
        events = await bench.call("GET", f"/events?order=oldest&since={since}")
        seen.extend(name for event in events if (name := event["entity_id"]) not in seen)

    async with database.transaction() as slow:
        await take_step(slow, "slow")
        if database.engine.dialect.name != "sqlite":
            async with database.transaction() as session:
                await take_step(session, "quick")
            await look()
            assert seen == ["quick"]
    await look()
    assert seen == (["slow"] if database.engine.dialect.name == "sqlite" else ["quick", "slow"])
