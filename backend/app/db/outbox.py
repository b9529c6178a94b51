"""The outbox: events, and the duties that follow from them (jobs), in the database's own tables.

    pending ──claim──> running ──> done
       ^                  │
       ├── failed, lease lost, handed back
       │                  ├──> dead        attempts used up, or its worker died too often
       │                  └──> cancelled
       └── retried by hand: dead, cancelled

`attempts` only grows: it is the fencing token. Who finishes a job names the attempt it claimed; a worker that lost its
lease names an old one and changes nothing. Handing a job back therefore raises `max_attempts` instead of lowering
`attempts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from sqlite3 import Connection as SqliteConnection
from typing import Any, cast

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db import driver, tenancy
from backend.app.db.base import Base
from backend.app.db.types import SQLITE_NOW, JsonValue, UlidColumn, UtcDateTime, ulid_key


class JobStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


class EventRecord(Base):
    """A fact, never updated. `position` orders a timeline."""

    __tablename__ = "events"

    position: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    id: Mapped[str] = mapped_column(UlidColumn, unique=True)
    name: Mapped[str] = mapped_column(String(100))
    version: Mapped[int] = mapped_column(Integer)
    payload: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    entity_type: Mapped[str] = mapped_column(String(50))
    entity_id: Mapped[str] = mapped_column(String(100))
    project_id: Mapped[str | None] = mapped_column(UlidColumn)
    workspace_id: Mapped[str] = mapped_column(UlidColumn)
    actor_id: Mapped[str | None] = mapped_column(UlidColumn)
    request_id: Mapped[str] = mapped_column(String(100))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_events_workspace", "workspace_id", "position"),
        Index(
            "ix_events_project",
            "project_id",
            "position",
            postgresql_where=text("project_id IS NOT NULL"),
            sqlite_where=text("project_id IS NOT NULL"),
        ),
        Index("ix_events_entity", "entity_type", "entity_id", "position"),
    )


class JobRecord(Base):
    """One handler's duty towards one event."""

    __tablename__ = "jobs"

    id: Mapped[str] = ulid_key()
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    workspace_id: Mapped[str] = mapped_column(UlidColumn)
    handler: Mapped[str] = mapped_column(String(100))
    queue: Mapped[str] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(10), default=JobStatus.PENDING)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    max_attempts: Mapped[int] = mapped_column(Integer)
    lost: Mapped[int] = mapped_column(Integer, default=0)
    available_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker: Mapped[str | None] = mapped_column(String(100))
    progress: Mapped[dict[str, int] | None] = mapped_column(JsonValue)
    note: Mapped[str | None] = mapped_column(Text)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("event_id", "handler", name="uq_jobs_event_id_handler"),
        CheckConstraint("status IN ('pending', 'running', 'done', 'dead', 'cancelled')", name="status"),
        CheckConstraint("(status = 'running') = (lease_until IS NOT NULL)", name="lease"),
        Index("ix_jobs_workspace", "workspace_id", "id"),
        Index(
            "ix_jobs_pending",
            "queue",
            "available_at",
            postgresql_where=text("status = 'pending'"),
            sqlite_where=text("status = 'pending'"),
        ),
        Index(
            "ix_jobs_running",
            "lease_until",
            postgresql_where=text("status = 'running'"),
            sqlite_where=text("status = 'running'"),
        ),
        {"sqlite_with_rowid": False},
    )


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as it was stored."""

    position: int
    id: str
    name: str
    version: int
    payload: str
    entity_type: str
    entity_id: str
    project_id: str | None
    workspace_id: str
    actor_id: str | None
    request_id: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it is first stored."""

    id: str
    handler: str
    queue: str
    max_attempts: int


_EVENT_COLUMNS = (
    "id, name, version, payload, entity_type, entity_id, project_id, workspace_id, actor_id, request_id, occurred_at"
)
_JOB_COLUMNS = (
    "id, handler, queue, max_attempts, event_id, workspace_id, status, attempts, lost, cancel_requested, "
    "available_at, created_at"
)

_SQLITE_EVENT = f"INSERT INTO events ({_EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_SQLITE_JOB = (
    f"INSERT INTO jobs ({_JOB_COLUMNS}) "  # noqa: S608
    f"VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, 0, 0, {SQLITE_NOW}, {SQLITE_NOW})"
)
_POSTGRESQL_EVENT = (
    f"INSERT INTO events ({_EVENT_COLUMNS}) "  # noqa: S608
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING position"
)
_POSTGRESQL_EVENT_AND_JOBS = (
    f"WITH event AS ({_POSTGRESQL_EVENT}), job AS ("  # noqa: S608
    f"INSERT INTO jobs ({_JOB_COLUMNS}) SELECT job.*, $1, $8, 'pending', 0, 0, false, "
    "statement_timestamp(), statement_timestamp() "
    "FROM unnest($12::text[], $13::text[], $14::text[], $15::int[]) AS job) SELECT position FROM event"
)


async def insert_event(session: AsyncSession, event: tuple[Any, ...], jobs: Sequence[JobRow]) -> int:
    """Store one event and its jobs in the transaction of `session`, in one round trip. Answers the position.

    `event` holds the values of `_EVENT_COLUMNS` in that order, `payload` as JSON text. Its workspace may be another
    than that of the transaction: whoever signs in leaves a trace in their own.
    """
    workspace_id = event[7]
    is_covered = tenancy.covers(session, workspace_id)
    if is_covered and driver.open_on_postgresql(session):
        return int(await driver.fetch_value(session, *_on_postgresql(event, jobs)))

    def on_sqlite(connection: SqliteConnection) -> int:
        occurred_at = event[-1].astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        position = connection.execute(_SQLITE_EVENT, (*event[:-1], occurred_at)).lastrowid
        for job in jobs:
            values = (job.id, job.handler, job.queue, job.max_attempts, event[0], workspace_id)
            connection.execute(_SQLITE_JOB, values)
        return cast("int", position)

    def on_postgresql(cursor: DBAPICursor) -> int:
        if is_covered:
            return insert(cursor)
        tenancy.move(cursor, workspace_id)
        position = insert(cursor)
        tenancy.move(cursor, session.info[tenancy.WORKSPACE])
        return position

    def insert(cursor: DBAPICursor) -> int:
        cursor.execute(*_on_postgresql(event, jobs))
        row: Any = cursor.fetchone()
        return int(row[0])

    return await driver.run(session, on_sqlite, on_postgresql)


def _on_postgresql(event: tuple[Any, ...], jobs: Sequence[JobRow]) -> tuple[str, tuple[Any, ...]]:
    if not jobs:
        return _POSTGRESQL_EVENT, event
    columns = zip(*((job.id, job.handler, job.queue, job.max_attempts) for job in jobs), strict=True)
    return _POSTGRESQL_EVENT_AND_JOBS, (*event, *columns)
