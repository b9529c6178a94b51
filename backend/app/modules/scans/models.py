"""Tables of scans. No foreign keys: rows arrive in bulk, and `drop_scans` removes those of a deleted project."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Float, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db.base import Base
from backend.app.db.mixins import Identified, WorkspaceOwned
from backend.app.db.types import AnyText, JsonText, UlidColumn, UtcDateTime

BigKey = BigInteger().with_variant(Integer, "sqlite")


class ScanStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FindingStatus(StrEnum):
    OPEN = "open"
    FIXED = "fixed"
    """A later scan tried the same and did not see it."""
    REOPENED = "reopened"
    """Seen again after it was fixed."""
    ACCEPTED = "accepted"
    """A person decided to live with it."""


ACTIVE = (ScanStatus.QUEUED, ScanStatus.RUNNING)
STANDING = (FindingStatus.OPEN, FindingStatus.REOPENED)


class Sighting(StrEnum):
    """What one scan meant for a finding."""

    OPENED = "opened"
    SEEN = "seen"
    REOPENED = "reopened"
    FIXED = "fixed"


class ScanRecord(Identified, WorkspaceOwned, Base):
    __tablename__ = "scans"

    project_id: Mapped[str] = mapped_column(UlidColumn)
    event_id: Mapped[str] = mapped_column(UlidColumn, unique=True)
    scan_type: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(10), default=ScanStatus.QUEUED)
    seed: Mapped[int] = mapped_column(BigInteger)
    requests_per_second: Mapped[float | None] = mapped_column(Float)
    concurrency: Mapped[int] = mapped_column(Integer)
    max_requests: Mapped[int] = mapped_column(Integer)
    max_seconds: Mapped[float] = mapped_column(Float)
    done: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int] = mapped_column(Integer, default=0)
    summary: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    error: Mapped[dict[str, str] | None] = mapped_column(JsonText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_scans_project_id_id", "project_id", "id"),
        Index(
            "uq_scans_active_project",
            "project_id",
            unique=True,
            postgresql_where=text("status IN ('queued', 'running')"),
            sqlite_where=text("status IN ('queued', 'running')"),
        ),
    )


class TestRunRecord(Base):
    """One request of a scan and the verdict about it."""

    __tablename__ = "test_runs"
    __test__ = False

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(UlidColumn)
    project_id: Mapped[str] = mapped_column(UlidColumn)
    scan_id: Mapped[str] = mapped_column(UlidColumn)
    endpoint_id: Mapped[str] = mapped_column(UlidColumn)
    case_kind: Mapped[str] = mapped_column(String(50))
    case_title: Mapped[str] = mapped_column(AnyText)
    method: Mapped[str] = mapped_column(String(20))
    path: Mapped[str] = mapped_column(AnyText)
    status_code: Mapped[int | None] = mapped_column(Integer)
    outcome: Mapped[str] = mapped_column(String(30))
    success: Mapped[bool]
    latency_ms: Mapped[float] = mapped_column(Float)
    first_byte_ms: Mapped[float | None] = mapped_column(Float)
    response_size_bytes: Mapped[int] = mapped_column(BigInteger)
    reliable: Mapped[bool]
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime)
    validation_errors: Mapped[list[str] | None] = mapped_column(JsonText)
    request_excerpt: Mapped[str | None] = mapped_column(AnyText)
    response_excerpt: Mapped[str | None] = mapped_column(AnyText)

    __table_args__ = (
        Index("ix_test_runs_scan_id_id", "scan_id", "id"),
        Index("ix_test_runs_endpoint_id_timestamp", "endpoint_id", "timestamp"),
    )


class EndpointResultRecord(Base):
    """What a scan's requests to one endpoint come to: the history of an endpoint without reading its test runs."""

    __tablename__ = "endpoint_results"

    scan_id: Mapped[str] = mapped_column(UlidColumn, primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(UlidColumn, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(UlidColumn)
    project_id: Mapped[str] = mapped_column(UlidColumn)
    method: Mapped[str] = mapped_column(String(20))
    path: Mapped[str] = mapped_column(AnyText)
    requests: Mapped[int] = mapped_column(Integer)
    errors: Mapped[int] = mapped_column(Integer)
    statuses: Mapped[dict[str, int]] = mapped_column(JsonText)
    reached_2xx: Mapped[bool]
    skipped: Mapped[str] = mapped_column(AnyText)
    note: Mapped[str] = mapped_column(AnyText)
    samples: Mapped[int] = mapped_column(Integer)
    median_latency_ms: Mapped[float | None] = mapped_column(Float)
    median_size_bytes: Mapped[float | None] = mapped_column(Float)


class FindingRecord(Identified, WorkspaceOwned, Base):
    __tablename__ = "findings"

    project_id: Mapped[str] = mapped_column(UlidColumn)
    endpoint_id: Mapped[str] = mapped_column(UlidColumn)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(10))
    check: Mapped[str] = mapped_column(String(50))
    severity: Mapped[str] = mapped_column(String(10))
    method: Mapped[str] = mapped_column(String(20))
    path: Mapped[str] = mapped_column(AnyText)
    title: Mapped[str] = mapped_column(AnyText)
    detail: Mapped[str] = mapped_column(AnyText)
    curl: Mapped[str] = mapped_column(AnyText)
    evidence: Mapped[dict[str, Any]] = mapped_column(JsonText)
    case_kind: Mapped[str] = mapped_column(String(50))
    count: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str | None] = mapped_column(Text)
    first_scan_id: Mapped[str] = mapped_column(UlidColumn)
    last_scan_id: Mapped[str] = mapped_column(UlidColumn)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("project_id", "fingerprint"),
        Index("ix_findings_project_id_id", "project_id", "id"),
    )


class SightingRecord(Base):
    """Which findings a scan met, and what that meant for them."""

    __tablename__ = "finding_sightings"

    scan_id: Mapped[str] = mapped_column(UlidColumn, primary_key=True)
    finding_id: Mapped[str] = mapped_column(UlidColumn, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(UlidColumn)
    sighting: Mapped[str] = mapped_column(String(10))
    count: Mapped[int] = mapped_column(Integer)
