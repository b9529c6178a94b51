"""A hub with handlers whose effects can be counted, and processes that perform its jobs."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sqlalchemy import select

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.errors import InvalidInput
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event, MessageHub
from backend.app.core.performer import Performer
from backend.app.core.permissions import system_principal
from backend.app.core.runner import QUEUES, JobContext, Runner
from backend.app.core.settings import JobSettings, RedisSettings, Settings
from backend.app.db.outbox import EventRecord, EventRow, JobRecord
from backend.app.db.session import Database
from backend.app.extensions.queue.in_process import InProcessQueue
from backend.app.extensions.queue.rq import RqQueue
from backend.app.worker import JobLoop, TouchstoneWorker
from tests.support.databases import behind_the_wall

WORKSPACE = new_ulid()
PATIENCE_S = 60.0

SHORT, LONG, FLAKY, HOPELESS, WRONG, SLOW = "short", "long", "flaky", "hopeless", "wrong", "slow"


class Asked(Event):
    """Something happened that one handler, named by `kind`, has work with."""

    name: ClassVar = "asked.made"

    asked_id: str
    kind: str


class EffectMade(Event):
    """What handlers leave behind: one row in the timeline for each time that they took effect."""

    name: ClassVar = "effect.made"

    effect_id: str
    kind: str


@dataclass
class Script:
    """How the handlers behave, and what they did. Shared by the threads of one test."""

    calls: Counter[str] = field(default_factory=Counter)
    slow_started: threading.Event = field(default_factory=threading.Event)
    slow_may_end: threading.Event = field(default_factory=threading.Event)

    def hub(self) -> MessageHub:
        hub = MessageHub()

        @hub.on(Asked)
        async def do_short(event: Asked, context: ServiceContext) -> None:
            if event.kind == SHORT:
                await self._take_effect(event, context)

        @hub.on(Asked, queue="long")
        async def do_long(event: Asked, job: JobContext) -> None:
            if event.kind == LONG:
                await job.progress(1, 2, "half way")
                async with job.transaction() as context:
                    if not await effects(context, event.asked_id):
                        await self._take_effect(event, context)

        @hub.on(Asked, attempts=10)
        async def do_flaky(event: Asked, context: ServiceContext) -> None:
            if event.kind == FLAKY:
                await self._take_effect(event, context)
                if self.calls[event.asked_id] < 3:
                    raise RuntimeError("not yet")

        @hub.on(Asked, attempts=2)
        async def do_hopeless(event: Asked, context: ServiceContext) -> None:
            if event.kind == HOPELESS:
                await self._take_effect(event, context)
                if not self.slow_may_end.is_set():
                    raise RuntimeError("never")

        @hub.on(Asked)
        async def do_wrong(event: Asked, context: ServiceContext) -> None:
            if event.kind == WRONG:
                self.calls[event.asked_id] += 1
                raise InvalidInput("this will not get better")

        @hub.on(Asked, queue="outgoing")
        async def do_slow(event: Asked, job: JobContext) -> None:
            if event.kind == SLOW:
                await self._be_slow(event, job)

        return hub

    async def _be_slow(self, event: Asked, job: JobContext) -> None:
        self.calls[event.asked_id] += 1
        self.slow_started.set()
        first = self.calls[event.asked_id] == 1
        while first and not self.slow_may_end.is_set():
            await asyncio.sleep(0.01)
            await job.raise_if_cancelled()
        async with job.transaction() as context:
            await context.hub.publish(EffectMade(effect_id=event.asked_id, kind=event.kind), context)

    async def _take_effect(self, event: Asked, context: ServiceContext) -> None:
        self.calls[event.asked_id] += 1
        await context.hub.publish(EffectMade(effect_id=event.asked_id, kind=event.kind), context)


async def effects(context: ServiceContext, asked_id: str) -> int:
    query = select(EventRecord.id).where(EventRecord.entity_type == "effect", EventRecord.entity_id == asked_id)
    return len((await context.session.scalars(query)).all())


def fast(settings: Settings, redis_url: str | None = None, **changes: Any) -> Settings:
    """`settings` with short waits."""
    jobs = JobSettings(**({"sweep_s": 0.5, "poll_s": 0.2, "heartbeat_s": 0.2, "shutdown_s": 0.2} | changes))
    return settings.model_copy(update={"jobs": jobs, "redis": RedisSettings(url=redis_url)})


@asynccontextmanager
async def context(database: Database, settings: Settings, hub: MessageHub) -> AsyncIterator[ServiceContext]:
    async with database.transaction(WORKSPACE) as session:
        yield ServiceContext(settings, session, hub, system_principal(WORKSPACE), utc_now, "request")


class Shop:
    """A publisher, a way to perform its jobs, and the means to look at the outcome."""

    def __init__(self, database: Database, settings: Settings, *, rq: bool) -> None:
        self.database = database
        self.settings = settings
        self.rq = rq
        self.script = Script()
        self.hub = self.script.hub()
        if rq:
            self.hub.queue = RqQueue(settings)

    @asynccontextmanager
    async def performing(self) -> AsyncIterator[None]:
        """A worker, or the process itself, performs jobs while the block runs."""
        if not self.rq:
            self.hub.queue = InProcessQueue(Performer(Runner(behind_the_wall(self.database), self.hub, self.settings)))
            await self.hub.queue.start()
            yield
            await self.hub.queue.stop()
            return
        await asyncio.to_thread(self._start_worker)
        yield
        await asyncio.to_thread(self._stop_worker)

    def _start_worker(self) -> None:
        self._jobs = JobLoop(self.settings, QUEUES, self.script.hub())
        self._jobs.__enter__()
        self._worker = TouchstoneWorker(self._jobs, QUEUES)
        self._listener = threading.Thread(target=self._worker.work, daemon=True)
        self._listener.start()

    def _stop_worker(self) -> None:
        self._worker._stop_requested = True
        self._jobs.__exit__()
        self._worker.connection.lpush("rq:queue:default", "wake up")
        self._listener.join()
        self._worker.connection.close()

    async def close(self) -> None:
        await self.hub.queue.stop()

    async def publish(self, kind: str, asked_id: str | None = None) -> EventRow:
        async with context(self.database, self.settings, self.hub) as ctx:
            return await self.hub.publish(Asked(asked_id=asked_id or new_ulid(), kind=kind), ctx)

    async def jobs(self, **where: Any) -> list[JobRecord]:
        async with self.database.transaction(write=False) as session:
            return list((await session.scalars(select(JobRecord).filter_by(**where).order_by(JobRecord.id))).all())

    async def job(self, event: EventRow, handler: str) -> JobRecord:
        (job,) = await self.jobs(event_id=event.id, handler=f"jobs.{handler}")
        return job

    async def effects(self) -> Counter[str]:
        async with self.database.transaction(write=False) as session:
            made = await session.scalars(select(EventRecord.entity_id).where(EventRecord.entity_type == "effect"))
            return Counter(made)

    async def settle(self) -> None:
        """Returns when no job is pending or running."""

        async def settled() -> bool:
            return all(job.status not in ("pending", "running") for job in await self.jobs())

        await until(settled)


async def until(condition: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - the condition is a row that another process changes
            await asyncio.sleep(0.01)
