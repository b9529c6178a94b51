"""Tables of projects. Modules above keep a project's id without a foreign key and hear `project.deleted`."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db.base import Base
from backend.app.db.mixins import Identified, Timestamped, WorkspaceOwned
from backend.app.db.types import JsonValue, UlidColumn, UtcDateTime

MAX_NAME = 200


class ProjectStatus(StrEnum):
    ACTIVE = "active"
    ARCHIVED = "archived"
    """Everything can be read, nothing is run."""


class AuthType(StrEnum):
    """How the target wants to be told who calls."""

    NONE = "none"
    BEARER = "bearer"
    BASIC = "basic"
    API_KEY_HEADER = "api_key_header"
    API_KEY_QUERY = "api_key_query"
    LOGIN = "login"


class ProjectRecord(Identified, WorkspaceOwned, Timestamped, Base):
    __tablename__ = "projects"

    name: Mapped[str] = mapped_column(String(MAX_NAME))
    name_key: Mapped[str] = mapped_column(String(3 * MAX_NAME))
    """The name case-folded, which can make it three times as long: names are unique and found without regard to case,
    by the same rule on both databases."""
    description: Mapped[str] = mapped_column(Text)
    base_url: Mapped[str | None] = mapped_column(Text)
    spec_url: Mapped[str | None] = mapped_column(Text)
    environment: Mapped[str] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(10), default=ProjectStatus.ACTIVE)
    auth_type: Mapped[str] = mapped_column(String(20))
    auth_fields: Mapped[list[str]] = mapped_column(JsonValue)
    """Which fields of the sealed configuration are set."""
    auth_sealed: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, default=1)

    __table_args__ = (
        UniqueConstraint("workspace_id", "name_key"),
        Index("ix_projects_workspace_id_id", "workspace_id", "id"),
    )


class ProjectStatisticsRecord(WorkspaceOwned, Base):
    """What the modules above report, apart from the project, so that a report is no edit of it."""

    __tablename__ = "project_statistics"

    project_id: Mapped[str] = mapped_column(UlidColumn, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    endpoints: Mapped[int] = mapped_column(Integer, default=0)
    open_findings: Mapped[int] = mapped_column(Integer, default=0)
    last_scan_id: Mapped[str | None] = mapped_column(UlidColumn)
    last_scan_status: Mapped[str | None] = mapped_column(String(20))
    last_scan_finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class GitSourceRecord(Identified, WorkspaceOwned, Timestamped, Base):
    """A repository that holds code of a project."""

    __tablename__ = "git_sources"

    project_id: Mapped[str] = mapped_column(UlidColumn, ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    name_key: Mapped[str] = mapped_column(String(3 * MAX_NAME))
    """As that of a project."""
    url: Mapped[str] = mapped_column(Text)
    branch: Mapped[str] = mapped_column(Text)
    subfolder: Mapped[str] = mapped_column(Text)
    credential_kind: Mapped[str] = mapped_column(String(10))
    credential_sealed: Mapped[str | None] = mapped_column(Text)
    provider: Mapped[str | None] = mapped_column(String(20))
    api_url: Mapped[str | None] = mapped_column(Text)
    webhook_sealed: Mapped[str] = mapped_column(Text)
    """What deliveries are signed with, and what they were signed with before."""
    hook_id: Mapped[str | None] = mapped_column(Text)
    """Of the webhook, as the provider knows it."""
    webhook_registered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_commit: Mapped[str | None] = mapped_column(String(64))
    last_scanned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1)

    __table_args__ = (
        UniqueConstraint("project_id", "name_key"),
        Index("ix_git_sources_project_id_id", "project_id", "id"),
    )


class LeftWebhookRecord(Identified, WorkspaceOwned, Base):
    """What is needed to remove a webhook at the provider after its git source is gone, whose id it has."""

    __tablename__ = "git_left_webhooks"

    project_id: Mapped[str] = mapped_column(UlidColumn, index=True)
    url: Mapped[str] = mapped_column(Text)
    credential_kind: Mapped[str] = mapped_column(String(10))
    credential_sealed: Mapped[str | None] = mapped_column(Text)
    provider: Mapped[str | None] = mapped_column(String(20))
    api_url: Mapped[str | None] = mapped_column(Text)
    hook_id: Mapped[str] = mapped_column(Text)


class GitDeliveryRecord(WorkspaceOwned, Base):
    """A delivery that was taken: known again until it expires."""

    __tablename__ = "git_deliveries"

    source_id: Mapped[str] = mapped_column(
        UlidColumn, ForeignKey("git_sources.id", ondelete="CASCADE"), primary_key=True
    )
    delivery_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
