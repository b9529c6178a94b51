"""The life of jobs under every order of claims, ends, deaths, sweeps and cancellations that Hypothesis thinks of.

Each planted fault is one that a queue like this has had somewhere; the machine must find it.
"""

import asyncio
import itertools
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import bindparam, text

from backend.app.core import message_hub
from backend.app.core import runner as runner_module
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event, Handler, MessageHub
from backend.app.core.runner import JobContext, Runner
from backend.app.core.settings import DatabaseSettings, JobSettings, Settings
from backend.app.db import jobs
from backend.app.db.driver import PreparedUpdate
from backend.app.db.engine import create_engine
from backend.app.db.jobs import ClaimedJob, transition
from backend.app.db.outbox import JobStatus
from backend.app.db.session import Database
from tests.support import databases
from tests.support.jobs import WORKSPACE, context

WORKERS = 3
MAX_ATTEMPTS = 4
MAX_LOST = 2
_LOOK = """
SELECT jobs.id, status, attempts, max_attempts, lost, worker, lease_until, events.name,
    (SELECT count(*) FROM effects WHERE effects.name = entity_id) AS effects
FROM jobs JOIN events ON events.id = event_id ORDER BY jobs.id
"""


class ShortAsked(Event):
    name: ClassVar = "short.asked"

    short_id: str


class LongAsked(Event):
    name: ClassVar = "long.asked"

    long_id: str


class Paused:
    """A long handler between its look and its write."""

    def __init__(self, task: "asyncio.Task[Any]", go_on: asyncio.Event) -> None:
        self.task = task
        self.go_on = go_on


class JobMachine(RuleBasedStateMachine):
    """Three workers and a clock. `effects` has a row for each time that a job took effect."""

    database: ClassVar[Database]
    file: ClassVar[sqlite3.Connection]
    """The same database, for the eyes and the clock of the test."""
    loop: ClassVar[asyncio.Runner]
    ids: ClassVar[Iterator[int]]

    def __init__(self) -> None:
        super().__init__()
        JobMachine.ids = itertools.count()
        self.settings = Settings(jobs=JobSettings(max_lost_leases=MAX_LOST))
        self.hub = MessageHub()
        self.hub.on(ShortAsked, attempts=MAX_ATTEMPTS)(self.do_short)
        self.hub.on(LongAsked, attempts=MAX_ATTEMPTS)(self.do_long)
        self.fails = False
        self.go_on = asyncio.Event()
        self.reached = asyncio.Event()
        self.paused: list[Paused] = []
        self.claimed: list[tuple[Runner, ClaimedJob]] = []
        self.workers = [self.new_worker() for _ in range(WORKERS)]
        self.sql("DELETE FROM effects", "DELETE FROM jobs", "DELETE FROM events")
        self.rows: dict[str, dict[str, Any]] = {}

    def new_worker(self) -> Runner:
        return Runner(self.database, self.hub, self.settings, random=Random(0))

    async def do_short(self, event: ShortAsked, context: ServiceContext) -> None:
        await self.take_effect(context, event.short_id)
        if self.fails:
            raise RuntimeError("failed")

    async def do_long(self, event: LongAsked, job: JobContext) -> None:
        fails, go_on = self.fails, self.go_on
        async with job.transaction() as ctx:
            query = text("SELECT count(*) FROM effects WHERE name = :name")
            there = await ctx.session.scalar(query, {"name": event.long_id})
        self.reached.set()
        await go_on.wait()
        if not there:
            async with job.transaction() as ctx:
                await self.take_effect(ctx, event.long_id)
        if fails:
            raise RuntimeError("failed")

    async def take_effect(self, context: ServiceContext, name: str) -> None:
        await context.session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": name})

    @precondition(lambda self: len(self.rows) < 2)
    @rule(long=st.booleans())
    def publish(self, long: bool) -> None:
        async def publish() -> None:
            async with context(self.database, self.settings, self.hub) as ctx:
                event = LongAsked(long_id=new_ulid()) if long else ShortAsked(short_id=new_ulid())
                await self.hub.publish(event, ctx)

        self.loop.run(publish())

    @precondition(lambda self: any(row["status"] == JobStatus.PENDING for row in self.rows.values()))
    @rule(worker=st.integers(0, WORKERS - 1), room=st.integers(1, 3))
    def claim(self, worker: int, room: int) -> None:
        runner = self.workers[worker]
        self.claimed += [(runner, job) for job in self.loop.run(runner.claim("default", room))]

    @precondition(lambda self: self.claimed)
    @rule(which=st.integers(0, 9), fails=st.booleans())
    def perform(self, which: int, fails: bool) -> None:
        """Run a claimed job, however long ago it was claimed, to its end or to the pause of a long one."""
        runner, job = self.claimed.pop(which % len(self.claimed))
        self.fails, self.go_on, self.reached = fails, asyncio.Event(), asyncio.Event()
        self.look()
        before = self.rows[job.id]
        mine = (JobStatus.RUNNING, job.attempt, runner.worker)
        stale = (before["status"], before["attempts"], before["worker"]) != mine

        async def start() -> None:
            task = asyncio.create_task(runner.perform(job))
            reached = asyncio.create_task(self.reached.wait())
            await asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            if not task.done():
                self.paused.append(Paused(task, self.go_on))

        self.loop.run(start())
        if stale:
            self.look()
            assert self.rows[job.id] == before, "a worker that lost its lease changed the job"

    @precondition(lambda self: self.paused)
    @rule(which=st.integers(0, 9))
    def go_on_with(self, which: int) -> None:
        paused = self.paused.pop(which % len(self.paused))
        paused.go_on.set()
        self.loop.run(_end(paused.task))

    @precondition(lambda self: self.rows)
    @rule(worker=st.integers(0, WORKERS - 1))
    def let_time_pass(self, worker: int) -> None:
        """Leases run out and are swept, and what waits for its next attempt is due."""
        self.sql(
            "UPDATE jobs SET lease_until = '2020-01-01 00:00:00.000000' WHERE status = 'running'",
            "UPDATE jobs SET available_at = '2020-01-01 00:00:00.000000' WHERE status = 'pending'",
        )
        self.loop.run(self.workers[worker].sweep())

    @precondition(lambda self: self.claimed)
    @rule(which=st.integers(0, 9))
    def overtake(self, which: int) -> None:
        """A worker falls silent for longer than its lease, and the next one takes its job."""
        runner, _ = self.claimed[which % len(self.claimed)]
        successor = (self.workers.index(runner) + 1) % WORKERS
        self.let_time_pass(successor)
        self.claim(successor, 3)

    @precondition(lambda self: self.rows)
    @rule(how=st.sampled_from(["beat", "hand back", "cancel", "retry"]), which=st.integers(0, 9))
    def meddle(self, how: str, which: int) -> None:
        """What happens less often: one rule, so that Hypothesis does not spend half its steps on it."""
        runner = self.workers[which % WORKERS]
        if how == "beat":
            self.loop.run(runner.heartbeat())
        elif how == "hand back":
            mine = [job for owner, job in self.claimed if owner is runner]
            self.claimed = [(owner, job) for owner, job in self.claimed if owner is not runner]
            self.loop.run(runner.hand_back(mine))
        else:
            self.change(jobs.cancel_job if how == "cancel" else jobs.retry_job, which)

    @invariant()
    def every_job_is_in_order(self) -> None:
        self.look()
        for row in self.rows.values():
            assert row["effects"] <= 1, "an effect happened twice"
            if row["name"] == ShortAsked.name or row["status"] == JobStatus.DONE:
                assert row["effects"] == (row["status"] == JobStatus.DONE), (
                    "done without effect, or effect without done"
                )
            assert row["attempts"] <= row["max_attempts"], "a job was tried too often"
            assert row["lost"] <= MAX_LOST, "a job killed too many workers"

    def teardown(self) -> None:
        """Whatever happened: when the trouble ends, every job comes to an end."""
        for paused in self.paused:
            paused.task.cancel()
            self.loop.run(_end(paused.task))
        self.workers = [self.new_worker()]
        self.claimed = []
        for _ in range(40):
            self.let_time_pass(0)
            self.claim(0, 20)
            while self.claimed:
                self.perform(0, False)
            while self.paused:
                self.go_on_with(0)
            self.every_job_is_in_order()
            if {row["status"] for row in self.rows.values()} <= {"done", "dead", "cancelled"}:
                return
        raise AssertionError("a job has no end")

    def change(self, operation: Any, which: int) -> None:
        async def change() -> None:
            async with self.database.transaction() as session:
                await operation(session, WORKSPACE, list(self.rows)[which % len(self.rows)])

        with suppress(jobs.JobNotCancellable, jobs.JobNotRetryable):
            self.loop.run(change())

    def look(self) -> None:
        self.rows = {row["id"]: dict(row) for row in self.file.execute(_LOOK)}

    def sql(self, *statements: str) -> None:
        for statement in statements:
            self.file.execute(statement)


async def _end(task: "asyncio.Task[Any]") -> None:
    await asyncio.wait({task})


@contextmanager
def the_machine() -> Iterator[type[JobMachine]]:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as loop:
        url = databases.sqlite_database(Path(folder))
        JobMachine.database = Database(create_engine(DatabaseSettings(url=url)))
        JobMachine.loop = loop
        JobMachine.file = sqlite3.connect(Path(folder) / "touchstone.db", isolation_level=None)
        JobMachine.file.row_factory = sqlite3.Row
        JobMachine.file.execute("CREATE TABLE effects (name TEXT NOT NULL)")
        in_order = patch.object(message_hub, "new_ulid", lambda: f"{next(JobMachine.ids):026d}")
        try:
            with in_order:
                yield JobMachine
        finally:
            JobMachine.file.close()
            loop.run(JobMachine.database.close())


def explore(examples: int, *, derandomize: bool) -> None:
    with the_machine() as machine:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=50,
                deadline=None,
                derandomize=derandomize,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_jobs_come_to_exactly_one_end() -> None:
    explore(15, derandomize=False)


def no_fencing(monkeypatch: pytest.MonkeyPatch) -> None:
    done = transition(JobStatus.DONE, jobs.jobs.c.id == bindparam("job"))
    complete = PreparedUpdate(done)
    execute = complete.execute
    monkeypatch.setattr(complete, "execute", lambda session, job, attempt: execute(session, job=job))
    monkeypatch.setattr(jobs, "_COMPLETE", complete)


def effect_outside_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call(self: Runner, handler: Handler, held: Any) -> None:
        event = handler.event.model_validate_json(held.job.payload)
        if handler.long:
            await handler.function(event, JobContext(self, held))
        else:
            async with self.database.transaction() as session:
                await handler.function(event, self.context(session, held.job))
        async with self.database.transaction() as session:
            if not await jobs.complete(session, held.job):
                raise runner_module.LeaseLost

    monkeypatch.setattr(Runner, "_call", call)


def look_and_write_without_a_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def transaction(self: JobContext, *, write: bool = True) -> AsyncIterator[ServiceContext]:
        async with self._runner.database.transaction(write=write) as session:
            yield self._runner.context(session, self._held.job)

    monkeypatch.setattr(JobContext, "transaction", transaction)


def no_cap_on_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def bury(session: Any, job: ClaimedJob, *, error: str, lost: int) -> bool:
        return await jobs.retry_later(session, job, delay_s=0.0, error=error, lost=lost)

    monkeypatch.setattr(jobs, "bury", bury)


def a_handed_back_attempt_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt is the fencing token: it must not fall."""
    monkeypatch.setattr(
        jobs,
        "_RETRY_LATER",
        transition(
            JobStatus.PENDING,
            *jobs._MINE,
            attempts=jobs.jobs.c.attempts - 1,
            available_at=jobs._seconds("delay"),
            error=bindparam("reason"),
            lost=bindparam("lost_leases"),
        ),
    )


@pytest.mark.parametrize(
    "plant",
    [
        no_fencing,
        effect_outside_the_check,
        look_and_write_without_a_fence,
        no_cap_on_attempts,
        a_handed_back_attempt_is_taken_back,
    ],
)
def test_the_machine_finds_a_planted_fault(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    # What the clock decided need not come again, and is found all the same.
    with pytest.raises((AssertionError, FlakyFailure)):
        explore(1000, derandomize=True)
