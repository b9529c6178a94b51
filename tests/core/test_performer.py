"""What a process that performs jobs does when something goes wrong around them."""

import asyncio
from typing import Any, ClassVar

from backend.app.core.errors import Unavailable
from backend.app.core.message_hub import Event, MessageHub
from backend.app.core.performer import Performer
from backend.app.core.runner import JobContext, Runner
from backend.app.core.settings import JobSettings, Settings
from backend.app.db.jobs import ClaimedJob
from backend.app.db.session import Database
from tests.support.databases import behind_the_wall
from tests.support.jobs import context, until


class TaskSet(Event):
    name: ClassVar = "task.set"

    task_id: str


class Work:
    """Jobs that start, and end when they may."""

    def __init__(self, queue: str) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self.may_end = asyncio.Event()
        self.hub = MessageHub()

        @self.hub.on(TaskSet, queue=queue)
        async def work(event: TaskSet, job: JobContext) -> None:
            self.started.append(event.task_id)
            await self.may_end.wait()
            self.ended.append(event.task_id)

    async def publish(self, database: Database, settings: Settings, *names: str) -> None:
        async with context(database, settings, self.hub) as ctx:
            for name in names:
                await self.hub.publish(TaskSet(task_id=name), ctx)

    async def until_started(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.started) >= count

        await until(enough)

    async def until_ended(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.ended) >= count

        await until(enough)


def one_at_a_time(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update={"jobs": JobSettings(concurrency=1, **changes)})


async def test_a_full_lane_of_long_jobs_keeps_nobody_waiting(database: Database, settings: Settings) -> None:
    settings = one_at_a_time(settings, poll_s=60)
    work = Work("long")
    await work.publish(database, settings, "first")
    performer = Performer(Runner(behind_the_wall(database), work.hub, settings))
    await performer.start()
    await work.until_started(1)
    assert not performer.has_room("long")
    await work.publish(database, settings, "second")
    async with asyncio.timeout(5):
        await performer.perform("long", ["a bell that finds no room"])
    work.may_end.set()
    await work.until_ended(2)
    await performer.stop()


async def test_jobs_in_hand_are_performed_when_the_one_before_them_took_its_slot_along(
    database: Database, settings: Settings
) -> None:
    class Unlucky(Runner):
        async def perform(self, job: ClaimedJob) -> float | None:
            if not work.started:
                work.started.append("")
                raise asyncio.CancelledError
            return await super().perform(job)

    settings = one_at_a_time(settings)
    work = Work("default")
    work.may_end.set()
    await work.publish(database, settings, "a", "b", "c")
    performer = Performer(Unlucky(database, work.hub, settings))
    await performer.start()
    await work.until_ended(2)
    await performer.stop()


async def test_it_stops_even_when_the_database_is_away(database: Database, settings: Settings) -> None:
    class Cut(Runner):
        async def hand_back(self, *arguments: Any, **options: Any) -> None:
            raise Unavailable

    settings = one_at_a_time(settings)
    work = Work("default")
    await work.publish(database, settings, "a", "b", "c")
    performer = Performer(Cut(database, work.hub, settings))
    await performer.start()
    await work.until_started(1)
    await performer.stop(grace_s=0.01)
    work.may_end.set()
    await asyncio.sleep(0)
    assert (len(work.started), work.ended) == (1, [])
