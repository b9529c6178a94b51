"""What may happen to a job: every change of its status is a conditional UPDATE made by `transition`.

Functions take the session of an open transaction. Those that finish a job name the attempt that they finish and answer
whether it was still theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    String,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    exists,
    func,
    literal,
    null,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.errors import InvalidTransition, NotFound
from backend.app.db.driver import PreparedUpdate
from backend.app.db.outbox import EventRecord, JobRecord, JobRow, JobStatus
from backend.app.db.types import db_now, storable

LOST_LEASES = ""
"""Answered by `due_queues` in place of a queue's name when a lease has run out."""

_SOURCES: dict[JobStatus, tuple[JobStatus, ...]] = {
    JobStatus.RUNNING: (JobStatus.PENDING,),
    JobStatus.PENDING: (JobStatus.RUNNING, JobStatus.DEAD, JobStatus.CANCELLED),
    JobStatus.DONE: (JobStatus.RUNNING,),
    JobStatus.DEAD: (JobStatus.RUNNING,),
    JobStatus.CANCELLED: (JobStatus.PENDING, JobStatus.RUNNING),
}

jobs: Table = JobRecord.__table__  # type: ignore[assignment]
events: Table = EventRecord.__table__  # type: ignore[assignment]


class JobNotFound(NotFound):
    code = "job.not_found"
    title = "There is no such job"


class JobNotCancellable(InvalidTransition):
    code = "job.not_cancellable"
    title = "The job has ended"


class JobNotRetryable(InvalidTransition):
    code = "job.not_retryable"
    title = "Only a job that is dead or cancelled can be run again"


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this process holds, with the event that it is about. `attempt` is its fencing token."""

    id: str
    handler: str
    queue: str
    attempt: int
    max_attempts: int
    lost: int
    workspace_id: str
    event_id: str
    event_name: str
    payload: str
    entity_type: str
    entity_id: str
    project_id: str | None
    actor_id: str | None
    request_id: str


def transition(to: JobStatus, *where: ColumnElement[bool], **values: Any) -> Update:
    """The UPDATE that takes jobs to a status from one that may precede it. Only a running job has a lease."""
    if to is not JobStatus.RUNNING:
        values |= {"lease_until": null(), "worker": null()}
    if to in (JobStatus.DONE, JobStatus.DEAD, JobStatus.CANCELLED):
        values["finished_at"] = db_now()
    elif to is JobStatus.PENDING:
        values["finished_at"] = null()
    sources = [status.value for status in _SOURCES[to]]
    before = jobs.c.status == sources[0] if len(sources) == 1 else jobs.c.status.in_(sources)
    return update(jobs).where(before, *where).values(status=to.value, **values)


def _seconds(name: str) -> Any:
    return db_now(bindparam(name, type_=Float))


_MINE = (jobs.c.id == bindparam("job"), jobs.c.attempts == bindparam("attempt"))

_JOB_AND_EVENT = (
    jobs.c.id,
    jobs.c.handler,
    jobs.c.queue,
    jobs.c.attempts,
    jobs.c.max_attempts,
    jobs.c.lost,
    jobs.c.workspace_id,
    jobs.c.event_id,
    events.c.name,
    cast(events.c.payload, Text),
    events.c.entity_type,
    events.c.entity_id,
    events.c.project_id,
    events.c.actor_id,
    events.c.request_id,
)
_CANDIDATES = (
    select(*_JOB_AND_EVENT)
    .join_from(jobs, events, events.c.id == jobs.c.event_id)
    .where(jobs.c.status == JobStatus.PENDING.value, jobs.c.available_at <= db_now())
    .order_by(jobs.c.available_at, jobs.c.id)
    .with_for_update(of=jobs, skip_locked=True)
)
_DUE = _CANDIDATES.where(jobs.c.queue == bindparam("queue")).limit(bindparam("room", type_=Integer))
_RUNG = _CANDIDATES.where(jobs.c.id.in_(bindparam("ids", expanding=True)))
_UNSUSPECTED = jobs.c.lost == 0
_DUE_UNSUSPECTED, _RUNG_UNSUSPECTED = _DUE.where(_UNSUSPECTED), _RUNG.where(_UNSUSPECTED)
_CLAIM = transition(
    JobStatus.RUNNING,
    jobs.c.id.in_(bindparam("ids", expanding=True)),
    attempts=jobs.c.attempts + 1,
    lease_until=_seconds("lease"),
    worker=bindparam("worker_name"),
    started_at=db_now(),
)
_COMPLETE = PreparedUpdate(transition(JobStatus.DONE, *_MINE, error=null()))
_CANCEL_RUNNING = transition(JobStatus.CANCELLED, *_MINE, error=null())
_RETRY_LATER = transition(
    JobStatus.PENDING, *_MINE, available_at=_seconds("delay"), error=bindparam("reason"), lost=bindparam("lost_leases")
)
_BURY = transition(JobStatus.DEAD, *_MINE, error=bindparam("reason"), lost=bindparam("lost_leases"))
_HAND_BACK = transition(
    JobStatus.PENDING,
    jobs.c.id.in_(bindparam("ids", expanding=True)),
    jobs.c.worker == bindparam("worker_name"),
    available_at=_seconds("delay"),
    max_attempts=jobs.c.max_attempts + 1,
)
_EXTEND = (
    update(jobs)
    .where(jobs.c.status == JobStatus.RUNNING.value, *_MINE)
    .values(lease_until=_seconds("lease"))
    .returning(jobs.c.cancel_requested)
)
_PROGRESS = _EXTEND.values(progress=bindparam("done_and_total", type_=jobs.c.progress.type), note=bindparam("remark"))
_EXTEND_ALL = (
    update(jobs)
    .where(
        jobs.c.status == JobStatus.RUNNING.value,
        jobs.c.id.in_(bindparam("ids", expanding=True)),
        jobs.c.worker == bindparam("worker_name"),
    )
    .values(lease_until=_seconds("lease"))
    .returning(jobs.c.id, jobs.c.attempts, jobs.c.cancel_requested)
)
_LEASE_LOST = (jobs.c.status == JobStatus.RUNNING.value, jobs.c.lease_until < db_now())
_LOST = (
    select(*_JOB_AND_EVENT, jobs.c.cancel_requested)
    .join_from(jobs, events, events.c.id == jobs.c.event_id)
    .where(*_LEASE_LOST)
    .order_by(jobs.c.lease_until)
    .limit(100)
    .with_for_update(of=jobs, skip_locked=True)
)


async def claim(
    session: AsyncSession,
    queue: str,
    room: int,
    *,
    worker: str,
    lease_s: float,
    busy: bool,
    suspects: bool = True,
    ids: Sequence[str] = (),
) -> list[ClaimedJob]:
    """Take up to `room` jobs of `queue` that are due, oldest first, or those of `ids` that are.

    A job whose worker died is a suspect. It is taken alone, when this lane is not `busy` and no other lane performs a
    suspect (`suspects`): if it is what kills the workers, it takes nobody down twice.
    """
    due, rung = (_DUE, _RUNG) if suspects else (_DUE_UNSUSPECTED, _RUNG_UNSUSPECTED)
    statement, values = (rung, {"ids": list(ids)}) if ids else (due, {"queue": queue, "room": room})
    chosen = _choose((await session.execute(statement, values)).all(), busy)
    if not chosen:
        return []
    await session.execute(_CLAIM, {"ids": [row.id for row in chosen], "lease": lease_s, "worker_name": worker})
    return [replace(ClaimedJob(*row), attempt=row.attempts + 1) for row in chosen]


def _choose(found: Sequence[Any], busy: bool) -> Sequence[Any]:
    if found and found[0].lost:
        return [] if busy else found[:1]
    return [row for row in found if not row.lost]


async def due_queues(session: AsyncSession, queues: Sequence[str]) -> list[str]:
    """Those of `queues` that have a job due, and `LOST_LEASES` when a lease has run out."""
    return list((await session.execute(_due_statement(tuple(queues)))).scalars())


_DUE_STATEMENTS: dict[tuple[str, ...], Any] = {}


def _due_statement(queues: tuple[str, ...]) -> Any:
    if queues not in _DUE_STATEMENTS:
        due = [
            select(literal(queue, String)).where(
                exists().where(
                    jobs.c.status == JobStatus.PENDING.value, jobs.c.queue == queue, jobs.c.available_at <= db_now()
                )
            )
            for queue in queues
        ]
        lost = select(literal(LOST_LEASES, String)).where(exists().where(*_LEASE_LOST))
        _DUE_STATEMENTS[queues] = union_all(*due, lost)
    return _DUE_STATEMENTS[queues]


async def complete(session: AsyncSession, job: ClaimedJob) -> bool:
    return await _COMPLETE.execute(session, job=job.id, attempt=job.attempt) == 1


async def finish_cancelled(session: AsyncSession, job: ClaimedJob) -> bool:
    return await _changed(session, _CANCEL_RUNNING, {"job": job.id, "attempt": job.attempt})


async def retry_later(session: AsyncSession, job: ClaimedJob, *, delay_s: float, error: str, lost: int) -> bool:
    values = {"job": job.id, "attempt": job.attempt, "delay": delay_s, "reason": error, "lost_leases": lost}
    return await _changed(session, _RETRY_LATER, values)


async def bury(session: AsyncSession, job: ClaimedJob, *, error: str, lost: int) -> bool:
    """The job is dead: nobody tries it again but by hand."""
    values = {"job": job.id, "attempt": job.attempt, "reason": error, "lost_leases": lost}
    return await _changed(session, _BURY, values)


async def hand_back(session: AsyncSession, ids: Sequence[str], *, worker: str, delay_s: float = 0.0) -> int:
    """Give up jobs that `worker` holds, without counting the attempt."""
    result = await session.execute(_HAND_BACK, {"ids": list(ids), "worker_name": worker, "delay": delay_s})
    return int(result.rowcount)  # type: ignore[attr-defined]


async def extend(session: AsyncSession, job: ClaimedJob, lease_s: float) -> bool | None:
    """Prolong the lease. Answers whether the job shall be cancelled, or `None` when it is no longer ours."""
    values = {"job": job.id, "attempt": job.attempt, "lease": lease_s}
    answer: bool | None = (await session.execute(_EXTEND, values)).scalar_one_or_none()
    return answer


async def report_progress(
    session: AsyncSession, job: ClaimedJob, lease_s: float, *, done: int, total: int, note: str
) -> bool | None:
    """As `extend`, and says how far the job is."""
    values = {"job": job.id, "attempt": job.attempt, "lease": lease_s}
    values |= {"done_and_total": {"done": done, "total": total}, "remark": storable(note)}
    answer: bool | None = (await session.execute(_PROGRESS, values)).scalar_one_or_none()
    return answer


async def extend_all(
    session: AsyncSession, ids: Sequence[str], *, worker: str, lease_s: float
) -> dict[str, tuple[int, bool]]:
    """Prolong the leases of jobs that `worker` holds: (attempt, whether to cancel) by id. Those missing are lost."""
    rows = await session.execute(_EXTEND_ALL, {"ids": list(ids), "worker_name": worker, "lease": lease_s})
    return {row.id: (row.attempts, row.cancel_requested) for row in rows}


async def lost_jobs(session: AsyncSession) -> list[tuple[ClaimedJob, bool]]:
    """Running jobs whose lease has run out, locked, and whether each shall be cancelled."""
    return [(ClaimedJob(*row[:-1]), row.cancel_requested) for row in await session.execute(_LOST)]


async def cancel_job(session: AsyncSession, workspace_id: str, job_id: str) -> JobStatus:
    """A pending job is cancelled at once; a running one is asked to stop, and stays `running` until it does.

    Raises `JobNotFound` and `JobNotCancellable`.
    """
    here = (jobs.c.id == job_id, jobs.c.workspace_id == workspace_id)
    unfinished = jobs.c.status.in_([JobStatus.PENDING.value, JobStatus.RUNNING.value])
    ask = update(jobs).where(*here, unfinished).values(cancel_requested=true()).returning(jobs.c.status)
    status = (await session.execute(ask)).scalar_one_or_none()  # the row is locked: it keeps this status
    if status is None:
        raise await _not_there_or(session, workspace_id, job_id, JobNotCancellable)
    if status == JobStatus.PENDING:
        await session.execute(transition(JobStatus.CANCELLED, *here))
        return JobStatus.CANCELLED
    return JobStatus.RUNNING


async def retry_job(session: AsyncSession, workspace_id: str, job_id: str, *, attempts: int = 3) -> JobRow:
    """A dead or cancelled job gets `attempts` more. Hand the answer to `MessageHub.wake`.

    Raises `JobNotFound` and `JobNotRetryable`.
    """
    revive = transition(
        JobStatus.PENDING,
        jobs.c.id == job_id,
        jobs.c.workspace_id == workspace_id,
        jobs.c.status != JobStatus.RUNNING.value,
        available_at=db_now(),
        max_attempts=jobs.c.attempts + attempts,
        lost=0,
        cancel_requested=False,
    ).returning(jobs.c.id, jobs.c.handler, jobs.c.queue, jobs.c.max_attempts)
    row = (await session.execute(revive)).one_or_none()
    if row is None:
        raise await _not_there_or(session, workspace_id, job_id, JobNotRetryable)
    return JobRow(*row)


async def _not_there_or(
    session: AsyncSession, workspace_id: str, job_id: str, error: type[InvalidTransition]
) -> NotFound | InvalidTransition:
    there = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.workspace_id == workspace_id)
    return error() if await session.scalar(there) else JobNotFound()


async def _changed(session: AsyncSession, statement: Update, values: dict[str, Any]) -> bool:
    result = await session.execute(statement, values)
    return bool(result.rowcount)  # type: ignore[attr-defined]


async def counts(session: AsyncSession) -> list[tuple[str, str, int, float]]:
    """(queue, status, how many, age of the oldest in seconds), over all workspaces: for the metrics of an operator."""
    oldest = func.min(jobs.c.created_at)
    now = (await session.execute(select(db_now()))).scalar_one()
    query = select(jobs.c.queue, jobs.c.status, func.count(), oldest).group_by(jobs.c.queue, jobs.c.status)
    return [
        (queue, status, count, (now - created).total_seconds())
        for queue, status, count, created in await session.execute(query)
    ]
