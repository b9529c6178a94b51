"""Tables of discovery. No foreign keys to projects: `drop_endpoints` removes the rows of a deleted project."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db.base import Base
from backend.app.db.mixins import Identified, WorkspaceOwned
from backend.app.db.types import AnyText, JsonText, JsonValue, UlidColumn, UtcDateTime
from backend.app.modules.endpoints.inventory.reconcile import MAX_SLOT

MAX_PATH = 500
"""Characters of a path that is kept: with four bytes each it still fits a B-tree entry of PostgreSQL."""

MAX_SPEC_NAME = 200
"""Characters: with the strategy before it, it still fits a slot."""


class DiscoveryStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DiscoveryRecord(Identified, WorkspaceOwned, Base):
    __tablename__ = "discoveries"

    project_id: Mapped[str] = mapped_column(UlidColumn)
    event_id: Mapped[str] = mapped_column(UlidColumn, unique=True)
    status: Mapped[str] = mapped_column(String(10), default=DiscoveryStatus.QUEUED)
    strategies: Mapped[list[str]] = mapped_column(JsonText, server_default="[]")
    """As asked for; empty: all that apply."""
    uploads: Mapped[list[str]] = mapped_column(JsonText, default=list, server_default="[]")
    git_sources: Mapped[list[str] | None] = mapped_column(JsonText)
    """Null: all of the project."""
    spec_url: Mapped[str | None] = mapped_column(Text)
    spec_name: Mapped[str | None] = mapped_column(String(MAX_SPEC_NAME))
    """Which of several descriptions is at `spec_url`; null: the one without a name."""
    document: Mapped[str | None] = mapped_column(Text)
    """As handed in, until it is read."""
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JsonText, default=list, server_default="[]")
    """What each source said, in the form of `DiscoveryPart`."""
    added: Mapped[int] = mapped_column(Integer, default=0)
    changed: Mapped[int] = mapped_column(Integer, default=0)
    gone: Mapped[int] = mapped_column(Integer, default=0)
    unchanged: Mapped[int] = mapped_column(Integer, default=0)
    drift: Mapped[list[dict[str, Any]]] = mapped_column(JsonText, default=list, server_default="[]")
    """What clients can notice, in the form of `DriftChange`."""
    breaking: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    risky: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    safe: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
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
    """What the operations that one source describes share, kept once."""

    __tablename__ = "api_descriptions"

    project_id: Mapped[str] = mapped_column(UlidColumn, primary_key=True)
    slot: Mapped[str] = mapped_column(String(MAX_SLOT), primary_key=True, server_default="openapi")
    """Which source: the strategy, with a name where it has several."""
    title: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    dialect: Mapped[str] = mapped_column(String(50))
    location: Mapped[str] = mapped_column(Text)
    """Where it was found."""
    spec_url: Mapped[str | None] = mapped_column(Text)
    """Where it is read again, as a person named it; null: it was handed in, or is the one without a name."""
    shared: Mapped[dict[str, Any]] = mapped_column(JsonText)
    """The description in the form of `engine.spec.codec`, without its operations; `flows` that traffic showed in that
    of `captures.codec`."""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EndpointRecord(Identified, WorkspaceOwned, Base):
    __tablename__ = "endpoints"

    project_id: Mapped[str] = mapped_column(UlidColumn)
    method: Mapped[str] = mapped_column(String(20))
    path: Mapped[str] = mapped_column(String(MAX_PATH))
    from_root: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the path begins at the root of the host, and not at the project's `base_url`."""
    operation_id: Mapped[str | None] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[list[str]] = mapped_column(JsonValue)
    requires_auth: Mapped[bool]
    deprecated: Mapped[bool]
    source: Mapped[str] = mapped_column(Text)
    """What the most trusted of its sources was read from."""
    kinds: Mapped[list[str]] = mapped_column(JsonValue, server_default='["document"]')
    """Of the sources that vouch for it."""
    state: Mapped[str] = mapped_column(String(20))
    unresolved: Mapped[str] = mapped_column(AnyText, default="", server_default=text("''"))
    own_tags: Mapped[list[str] | None] = mapped_column(JsonValue)
    """A person's, in place of `tags`."""
    owner: Mapped[str] = mapped_column(AnyText, default="", server_default=text("''"))
    notes: Mapped[str] = mapped_column(AnyText, default="", server_default=text("''"))
    ignored: Mapped[bool] = mapped_column(default=False, server_default=false())
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    """Counts a person's edits."""
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
        UniqueConstraint("project_id", "method", "path", "from_root"),
        Index("ix_endpoints_project_id_id", "project_id", "id"),
    )


class EndpointSourceRecord(WorkspaceOwned, Base):
    """What one source says about an endpoint."""

    __tablename__ = "endpoint_sources"

    endpoint_id: Mapped[str] = mapped_column(
        UlidColumn, ForeignKey("endpoints.id", ondelete="CASCADE"), primary_key=True
    )
    slot: Mapped[str] = mapped_column(String(MAX_SLOT), primary_key=True)
    project_id: Mapped[str] = mapped_column(UlidColumn)
    kind: Mapped[str] = mapped_column(String(10))
    source: Mapped[str] = mapped_column(AnyText)
    location: Mapped[str] = mapped_column(AnyText)
    evidence: Mapped[dict[str, Any]] = mapped_column(JsonText)
    """In the form of `reconcile.evidence_to_json`."""
    operation: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    """As this source describes it, in the form of `engine.spec.codec`; null: as the endpoint's."""
    digest: Mapped[str] = mapped_column(String(64))
    """Of all that the source says."""
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_endpoint_sources_project_id_slot", "project_id", "slot"),)
