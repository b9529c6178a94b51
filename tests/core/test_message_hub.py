"""Events and their handlers."""

from typing import ClassVar

import pytest
from sqlalchemy import select

from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event, MessageHub
from backend.app.core.runner import JobContext
from backend.app.core.settings import Settings
from backend.app.db.outbox import EventRecord, JobRecord, JobRow
from backend.app.db.session import Database
from tests.support.jobs import WORKSPACE, context


class DoorOpened(Event):
    name: ClassVar = "door.opened"

    door_id: str


class DoorRequested(Event):
    name: ClassVar = "door.requested"

    door_id: str


async def greet(event: DoorOpened, context: ServiceContext) -> None: ...


async def walk(event: DoorOpened, job: "JobContext") -> None: ...


async def build(event: DoorRequested, job: JobContext) -> None: ...


async def paint(event: DoorRequested, context: ServiceContext) -> None: ...


async def test_an_event_is_stored_with_one_job_for_each_handler(database: Database, settings: Settings) -> None:
    hub = MessageHub()
    hub.on(DoorOpened)(greet)
    hub.on(DoorOpened, queue="long", attempts=2)(walk)
    project_id = new_ulid()
    async with context(database, settings, hub) as ctx:
        row = await hub.publish(DoorOpened(door_id="blue", project_id=project_id), ctx)
    async with database.transaction(write=False) as session:
        event = (await session.scalars(select(EventRecord))).one()
        jobs = (await session.scalars(select(JobRecord).order_by(JobRecord.handler))).all()
    assert (event.id, event.position, event.name, event.version) == (row.id, row.position, "door.opened", 1)
    assert (event.entity_type, event.entity_id, event.project_id) == ("door", "blue", project_id)
    assert (event.workspace_id, event.request_id, event.occurred_at) == (WORKSPACE, "request", row.occurred_at)
    assert event.payload == {"door_id": "blue", "project_id": project_id}
    assert [(job.handler, job.queue, job.max_attempts, job.status) for job in jobs] == [
        ("test_message_hub.greet", "default", 5, "pending"),
        ("test_message_hub.walk", "long", 2, "pending"),
    ]
    assert {job.event_id for job in jobs} == {event.id}


async def test_the_queue_hears_of_jobs_when_they_are_committed(database: Database, settings: Settings) -> None:
    woken: list[JobRow] = []

    class Bell:
        async def wake(self, jobs: list[JobRow]) -> None:
            woken.extend(jobs)

    hub = MessageHub()
    hub.on(DoorOpened)(greet)
    hub.queue = Bell()  # type: ignore[assignment]

    async def publish_and_fail() -> None:
        async with context(database, settings, hub) as ctx:
            await hub.publish(DoorOpened(door_id="red"), ctx)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await publish_and_fail()
    assert woken == []
    async with context(database, settings, hub) as ctx:
        await hub.publish(DoorOpened(door_id="red"), ctx)
        await hub.publish(DoorOpened(door_id="blue"), ctx)
        assert woken == []
    assert [job.handler for job in woken] == ["test_message_hub.greet"] * 2


async def test_positions_grow(database: Database, settings: Settings) -> None:
    hub = MessageHub()
    async with context(database, settings, hub) as ctx:
        positions = [(await hub.publish(DoorOpened(door_id=str(n)), ctx)).position for n in range(5)]
    assert positions == sorted(set(positions))


def test_a_command_has_one_handler() -> None:
    hub = MessageHub()
    hub.on(DoorRequested)(build)
    with pytest.raises(ValueError, match=r"door\.requested is handled by test_message_hub\.build"):
        hub.on(DoorRequested)(paint)


def test_a_handler_has_a_name_of_its_own() -> None:
    hub = MessageHub()
    hub.on(DoorOpened)(greet)
    with pytest.raises(ValueError, match="taken"):
        hub.on(DoorOpened)(greet)


def test_a_handler_says_which_context_it_wants() -> None:
    hub = MessageHub()

    async def vague(event: DoorOpened, context: object) -> None: ...

    with pytest.raises(TypeError, match="vague must take"):
        hub.on(DoorOpened)(vague)
    hub.on(DoorOpened)(greet)
    hub.on(DoorOpened)(walk)
    assert [(handler.name, handler.long) for handler in hub.handlers()] == [
        ("test_message_hub.greet", False),
        ("test_message_hub.walk", True),
    ]


def test_an_event_names_its_entity() -> None:
    with pytest.raises(TypeError, match="needs the field window_id"):

        class WindowOpened(Event):
            name: ClassVar = "window.opened"


async def test_no_event_keeps_a_secret(database: Database, settings: Settings) -> None:
    said = "opened with Bearer abcdefgh12345678 at https://user:hush@door.example"
    async with context(database, settings, MessageHub()) as ctx:
        await ctx.hub.publish(DoorOpened(door_id=said), ctx)
    async with database.transaction(write=False) as session:
        event = (await session.scalars(select(EventRecord))).one()
    assert event.payload["door_id"] == "opened with Bearer *** at https://***@door.example"
