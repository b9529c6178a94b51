"""Claims jobs, performs them, and sees to it that each ends in exactly one way.

A short handler's effects and its `done` are one transaction. A long handler has transactions of its own, and each
checks at its end that the job is still ours.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, ClassVar, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bound_contextvars

from backend.app.core.clock import Clock, utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.errors import TooManyRequests
from backend.app.core.ids import Ulid, new_ulid
from backend.app.core.message_hub import Event, Handler, MessageHub
from backend.app.core.permissions import system_principal
from backend.app.core.redaction import redact_text
from backend.app.core.settings import Settings
from backend.app.db import jobs
from backend.app.db.idempotency import forget_keys
from backend.app.db.jobs import ClaimedJob
from backend.app.db.session import Database
from backend.app.db.tenancy import EVERY_WORKSPACE
from backend.app.db.types import storable

log = structlog.get_logger(module_id="jobs")

QUEUES = ("default", "long", "outgoing")
MAX_DELAY_S = 15 * 60.0
_MAX_ERROR_LENGTH = 2000
_NEVER_AGAIN = frozenset({400, 401, 403, 404, 413, 422})
_GLANCE_S = 0.2
_KEYS_AT_ONCE = 500


class JobEnded(Event):
    """A job ended without being done. `subject_*` is what its event was about: who owns it puts it in order."""

    job_id: Ulid
    handler: str
    event_name: str
    subject_type: str
    subject_id: str


class JobDead(JobEnded):
    """The attempts are used up, or the workers kept dying."""

    name: ClassVar = "job.dead"

    attempts: int
    error: str


class JobStopped(JobEnded):
    """Somebody cancelled it."""

    name: ClassVar = "job.cancelled"


class LeaseLost(Exception):
    """Somebody else may hold the job: whatever this transaction did is rolled back."""


class JobCancelled(Exception):
    """Somebody asked the job to stop. A long handler may catch it to tidy up, and raises it again."""


@dataclass(slots=True)
class _Held:
    job: ClaimedJob
    cancel_requested: bool = False
    lost: bool = False
    task: asyncio.Task[Any] | None = None

    def give_up(self) -> None:
        """The lease is lost: stop the work, which can no longer have an effect."""
        self.lost = True
        if self.task:
            self.task.cancel()


class JobContext:
    """What a long handler gets. `job_id` serves as idempotency key for effects outside the database."""

    def __init__(self, runner: "Runner", held: _Held) -> None:
        self._runner = runner
        self._held = held
        self._glanced_at = 0.0
        self.job_id = held.job.id
        self.attempt = held.job.attempt
        self.workspace_id = held.job.workspace_id
        self.request_id = held.job.request_id
        self.settings = runner.settings
        self.clock = runner.clock

    @asynccontextmanager
    async def transaction(self, *, write: bool = True) -> AsyncIterator[ServiceContext]:
        """A transaction that also prolongs the lease; it rolls back with `LeaseLost` when the job is no longer ours."""
        async with self._runner.database.transaction(self.workspace_id, write=write) as session:
            yield self._runner.context(session, self._held.job)
            if write:
                self._note(await jobs.extend(session, self._held.job, self._runner.settings.jobs.lease_s))

    async def progress(self, done: int, total: int, note: str = "") -> None:
        """Say how far the job is; also prolongs the lease. Calls in quick succession are passed over, those with
        nothing done or with all of it never. Raises `LeaseLost` and `JobCancelled`."""
        if not 0 < done < total or self._time_to_glance():
            lease = self._runner.settings.jobs.lease_s
            async with self._runner.database.transaction(self.workspace_id) as session:
                self._note(
                    await jobs.report_progress(session, self._held.job, lease, done=done, total=total, note=note)
                )
        if self._held.cancel_requested:
            raise JobCancelled

    async def raise_if_cancelled(self) -> None:
        """Raises `JobCancelled` when somebody asked for it, `LeaseLost` when the job is no longer ours."""
        if not self._held.cancel_requested and self._time_to_glance():
            async with self._runner.database.transaction(self.workspace_id) as session:
                self._note(await jobs.extend(session, self._held.job, self._runner.settings.jobs.lease_s))
        if self._held.cancel_requested:
            raise JobCancelled

    def _note(self, cancel_requested: bool | None) -> None:
        if cancel_requested is None:
            raise LeaseLost
        self._held.cancel_requested |= cancel_requested

    def _time_to_glance(self) -> bool:
        now = time.monotonic()
        if now - self._glanced_at < _GLANCE_S and self._glanced_at:
            return False
        self._glanced_at = now
        return True


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a function gets that puts things in order now and then."""

    database: Database
    hub: MessageHub
    settings: Settings
    clock: Clock

    @asynccontextmanager
    async def transaction(self, workspace_id: str = EVERY_WORKSPACE) -> AsyncIterator[ServiceContext]:
        """With every right in one workspace; that of all is to find out in which."""
        async with self.database.transaction(workspace_id) as session:
            principal = system_principal(workspace_id)
            yield ServiceContext(self.settings, session, self.hub, principal, self.clock, new_ulid())


Sweeping: TypeAlias = Callable[[Sweep], Awaitable[None]]
_sweeping: list[Sweeping] = []


def sweeps(function: Sweeping) -> Sweeping:
    """Decorator: each process that performs jobs calls the function every ten minutes. What it does may meet another
    process that does the same."""
    _sweeping.append(function)
    return function


class Runner:
    """One per process. It knows the jobs that the process holds."""

    def __init__(
        self,
        database: Database,
        hub: MessageHub,
        settings: Settings,
        clock: Clock = utc_now,
        *,
        name: str | None = None,
        random: Random | None = None,
    ) -> None:
        self.database = database
        self.hub = hub
        self.settings = settings
        self.clock = clock
        # The suffix keeps a worker that was restarted under its old name from passing for its predecessor.
        self.worker = f"{name or f'{socket.gethostname()}-{os.getpid()}'}-{new_ulid()[-8:]}"[-100:]
        self._random = random or Random()
        self._held: dict[str, _Held] = {}

    async def claim(
        self, queue: str, room: int, *, busy: bool = False, suspects: bool = True, ids: Sequence[str] = ()
    ) -> list[ClaimedJob]:
        """Take due jobs; see `db.jobs.claim`. Every one of them must go to `perform`."""
        lease_s = self.settings.jobs.lease_s
        async with self.database.transaction(EVERY_WORKSPACE) as session:
            claimed = await jobs.claim(
                session, queue, room, worker=self.worker, lease_s=lease_s, busy=busy, suspects=suspects, ids=ids
            )
        for job in claimed:
            if predecessor := self._held.get(job.id):
                predecessor.give_up()
            self._held[job.id] = _Held(job)
        return claimed

    async def perform(self, job: ClaimedJob) -> float | None:
        """Run the job's handler and finish the job. Answers in how many seconds it will be due again, if it will.

        Raises nothing but cancellation, which hands the job back. A job that cannot be finished, because the database
        is away, is left to its lease.
        """
        held = self._held.get(job.id)
        if held is None or held.job is not job or held.lost:
            return None
        held.task = asyncio.current_task()
        try:
            with bound_contextvars(
                request_id=job.request_id,
                job_id=job.id,
                event_id=job.event_id,
                handler=job.handler,
                attempt=job.attempt,
            ):
                return await self._perform(held)
        finally:
            if self._held.get(job.id) is held:
                del self._held[job.id]

    async def hand_back(self, claimed: Sequence[ClaimedJob], *, delay_s: float = 0.0) -> None:
        """Give up jobs that were claimed and not performed; the attempt does not count."""
        mine = [job.id for job in claimed if job.id in self._held and self._held[job.id].job is job]
        for job_id in mine:
            del self._held[job_id]
        async with self.database.transaction(EVERY_WORKSPACE) as session:
            await jobs.hand_back(session, mine, worker=self.worker, delay_s=delay_s)

    async def heartbeat(self) -> None:
        """Prolong the leases of all jobs held, hear of cancellations, and stop work on jobs that were lost."""
        snapshot = dict(self._held)
        if not snapshot:
            return
        async with self.database.transaction(EVERY_WORKSPACE) as session:
            kept = await jobs.extend_all(
                session, list(snapshot), worker=self.worker, lease_s=self.settings.jobs.lease_s
            )
        for job_id, held in snapshot.items():
            attempt, cancel_requested = kept.get(job_id, (0, False))
            if self._held.get(job_id) is not held:
                continue
            if attempt == held.job.attempt:
                held.cancel_requested |= cancel_requested
            else:
                held.give_up()

    async def sweep(self) -> int:
        """Take the jobs whose worker lost its lease: to be run again, or dead. Answers how many there were."""
        limit = self.settings.jobs.max_lost_leases
        async with self.database.transaction(EVERY_WORKSPACE) as session:
            lost_jobs = await jobs.lost_jobs(session)
            for job, cancel_requested in lost_jobs:
                lost = job.lost + 1
                log.warning("job.worker_died", job_id=job.id, handler=job.handler, attempt=job.attempt, lost=lost)
                if cancel_requested:
                    await self._stop(session, job)
                elif lost >= limit or job.attempt >= job.max_attempts:
                    await self._bury(session, job, f"Its worker died or fell silent {lost} times", lost)
                else:
                    await jobs.retry_later(session, job, delay_s=0.0, error="Its worker died or fell silent", lost=lost)
        return len(lost_jobs)

    async def forget_keys(self) -> int:
        """Remove the idempotency keys that have expired, in steps. Answers how many there were."""
        before = self.clock() - timedelta(hours=self.settings.web.idempotency_hours)
        total = 0
        while True:
            async with self.database.transaction(EVERY_WORKSPACE) as session:
                removed = await forget_keys(session, before, _KEYS_AT_ONCE)
            total += removed
            if removed < _KEYS_AT_ONCE:
                return total

    async def tidy(self) -> None:
        """Call what registered by `sweeps`. One that fails does not keep the others from their work."""
        for function in _sweeping:
            try:
                await function(Sweep(self.database, self.hub, self.settings, self.clock))
            except Exception:
                log.exception("sweep.failed", sweep=function.__name__)

    def context(self, session: AsyncSession, job: ClaimedJob) -> ServiceContext:
        principal = system_principal(job.workspace_id, job.actor_id)
        return ServiceContext(self.settings, session, self.hub, principal, self.clock, job.request_id)

    async def _perform(self, held: _Held) -> float | None:
        job = held.job
        try:
            handler = self.hub.handler(job.handler)
            if handler is None:
                # Another version of the product wrote it: leave it to a worker that knows it.
                log.warning("job.unknown_handler")
                await self.hand_back([job], delay_s=self.settings.jobs.sweep_s)
            else:
                started = time.perf_counter()
                await self._call(handler, held)
                log.info("job.done", duration_ms=round((time.perf_counter() - started) * 1000, 2))
        except LeaseLost:
            log.warning("job.lease_lost")
        except asyncio.CancelledError as error:
            if held.lost:
                log.warning("job.lease_lost")
                if held.task:
                    held.task.uncancel()
            elif held.task and not held.task.cancelling():
                return await self._finish(held, error)  # nobody cancelled us: something that the handler awaited was
            else:
                await self._hand_back_at_last(job)
                raise
        except (Exception, SystemExit) as error:
            return await self._finish(held, error)
        return None

    async def _hand_back_at_last(self, job: ClaimedJob) -> None:
        try:
            await self.hand_back([job])
        except Exception:
            log.exception("job.unfinished")

    async def _call(self, handler: Handler, held: _Held) -> None:
        event = handler.event.model_validate_json(held.job.payload)
        if handler.long:
            await handler.function(event, JobContext(self, held))
        async with self.database.transaction(held.job.workspace_id) as session:
            if not handler.long:
                await handler.function(event, self.context(session, held.job))
            if not await jobs.complete(session, held.job):
                raise LeaseLost

    async def _finish(self, held: _Held, error: BaseException) -> float | None:
        try:
            return await self._fail(held.job, error)
        except LeaseLost:
            log.warning("job.lease_lost")
        except Exception:
            log.exception("job.unfinished")
        return None

    async def _fail(self, job: ClaimedJob, error: BaseException) -> float | None:
        """The handler raised `error`: cancelled, dead, or due again in the seconds answered."""
        async with self.database.transaction(job.workspace_id) as session:
            cancel_requested = await jobs.extend(session, job, self.settings.jobs.lease_s)
            if cancel_requested is None:
                raise LeaseLost
            if cancel_requested:
                await self._stop(session, job)
                log.info("job.cancelled")
                return None
            text = redact_text(_describe(error))
            if job.attempt >= job.max_attempts or getattr(error, "status", 500) in _NEVER_AGAIN:
                log.error("job.dead", exc_info=error)
                await self._bury(session, job, text, job.lost)
                return None
            delay_s = self._delay(job, error)
            log.warning("job.failed", error=text, retry_in_s=delay_s)
            await jobs.retry_later(session, job, delay_s=delay_s, error=text, lost=job.lost)
        return delay_s

    async def _bury(self, session: AsyncSession, job: ClaimedJob, error: str, lost: int) -> None:
        await jobs.bury(session, job, error=error, lost=lost)
        dead = JobDead(attempts=job.attempt, error=error, **_ended(job))
        await self.hub.publish(dead, self.context(session, job))

    async def _stop(self, session: AsyncSession, job: ClaimedJob) -> None:
        await jobs.finish_cancelled(session, job)
        await self.hub.publish(JobStopped(**_ended(job)), self.context(session, job))

    def _delay(self, job: ClaimedJob, error: BaseException) -> float:
        """Full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015), or what a 429 asks for."""
        if isinstance(error, TooManyRequests) and error.headers.get("Retry-After", "").isdigit():
            return min(float(error.headers["Retry-After"]), MAX_DELAY_S)
        # A job that is handed back again and again has any number of attempts: no float holds two to the power of it.
        return round(self._random.uniform(0, min(2.0 ** min(job.attempt, 10), MAX_DELAY_S)), 3)


def _ended(job: ClaimedJob) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "project_id": job.project_id,
        "handler": job.handler,
        "event_name": job.event_name,
        "subject_type": job.entity_type,
        "subject_id": job.entity_id,
    }


def _describe(error: BaseException) -> str:
    return storable(f"{type(error).__name__}: {error}"[:_MAX_ERROR_LENGTH])
