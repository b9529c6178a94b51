"""Tables of discovery. No foreign keys to projects: `drop_endpoints` removes the rows of a deleted project."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Float, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db.base import Base
from backend.app.db.mixins import Identified, WorkspaceOwned
from backend.app.db.types import JsonText, JsonValue, UlidColumn, UtcDateTime

MAX_PATH = 500
"""Characters of a path that is kept: with four bytes each it still fits a B-tree entry of PostgreSQL."""


class DiscoveryStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class EndpointStatus(StrEnum):
    ACTIVE = "active"
    GONE = "gone"
    """The latest discovery did not find it."""


class DiscoveryRecord(Identified, WorkspaceOwned, Base):
    __tablename__ = "discoveries"

    project_id: Mapped[str] = mapped_column(UlidColumn)
    event_id: Mapped[str] = mapped_column(UlidColumn, unique=True)
    status: Mapped[str] = mapped_column(String(10), default=DiscoveryStatus.QUEUED)
    strategy: Mapped[str] = mapped_column(String(50))
    spec_url: Mapped[str | None] = mapped_column(Text)
    document: Mapped[str | None] = mapped_column(Text)
    """As handed in, until it is read."""
    source: Mapped[str | None] = mapped_column(String(50))
    location: Mapped[str | None] = mapped_column(Text)
    added: Mapped[int] = mapped_column(Integer, default=0)
    changed: Mapped[int] = mapped_column(Integer, default=0)
    gone: Mapped[int] = mapped_column(Integer, default=0)
    unchanged: Mapped[int] = mapped_column(Integer, default=0)
    report: Mapped[list[dict[str, str]]] = mapped_column(JsonText, default=list)
    error: Mapped[dict[str, str] | None] = mapped_column(JsonText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_discoveries_project_id_id", "project_id", "id"),
        Index(
            "uq_discoveries_active_project",
            "project_id",
            unique=True,
            postgresql_where=text("status IN ('queued', 'running')"),
            sqlite_where=text("status IN ('queued', 'running')"),
        ),
    )


class DescriptionRecord(WorkspaceOwned, Base):
    """What the operations of a project share, kept once."""

    __tablename__ = "api_descriptions"

    project_id: Mapped[str] = mapped_column(UlidColumn, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    dialect: Mapped[str] = mapped_column(String(50))
    location: Mapped[str] = mapped_column(Text)
    """Where it was found."""
    shared: Mapped[dict[str, Any]] = mapped_column(JsonText)
    """The description in the form of `engine.spec.codec`, without its operations."""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EndpointRecord(Identified, WorkspaceOwned, Base):
    __tablename__ = "endpoints"

    project_id: Mapped[str] = mapped_column(UlidColumn)
    method: Mapped[str] = mapped_column(String(20))
    path: Mapped[str] = mapped_column(String(MAX_PATH))
    operation_id: Mapped[str | None] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[list[str]] = mapped_column(JsonValue)
    requires_auth: Mapped[bool]
    deprecated: Mapped[bool]
    source: Mapped[str] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(10), default=EndpointStatus.ACTIVE)
    operation: Mapped[dict[str, Any]] = mapped_column(JsonText)
    """In the form of `engine.spec.codec`."""
    digest: Mapped[str] = mapped_column(String(64))
    """Of the operation and every definition that it reaches."""
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_latency_ms: Mapped[float | None] = mapped_column(Float)
    last_run_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("project_id", "method", "path"),
        Index("ix_endpoints_project_id_id", "project_id", "id"),
    )
