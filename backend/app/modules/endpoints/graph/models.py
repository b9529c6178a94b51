"""Tables of the graph. No foreign keys to projects: `drop_graph` removes the rows of a deleted project."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db.base import Base
from backend.app.db.mixins import Identified, Timestamped, WorkspaceOwned
from backend.app.db.types import JsonText, UlidColumn

MAX_NAME = 600
"""Characters: with four bytes each a name still fits a B-tree entry of PostgreSQL."""


class Origin(StrEnum):
    DERIVED = "derived"
    """From the inventory; follows it."""
    PERSON = "person"
    """Somebody's own, which no discovery touches."""


class EntityRecord(Identified, WorkspaceOwned, Timestamped, Base):
    __tablename__ = "entities"

    project_id: Mapped[str] = mapped_column(UlidColumn)
    type: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    properties: Mapped[dict[str, Any]] = mapped_column(JsonText)
    origin: Mapped[str] = mapped_column(String(10))
    confidence: Mapped[float] = mapped_column(Float)
    evidence: Mapped[list[dict[str, str]]] = mapped_column(JsonText)
    digest: Mapped[str] = mapped_column(String(32), default="")
    """Of all that was derived."""
    version: Mapped[int] = mapped_column(Integer, default=1)
    """Counts a person's edits."""

    __table_args__ = (
        UniqueConstraint("project_id", "type", "name"),
        Index("ix_entities_project_id_id", "project_id", "id"),
    )


class RelationshipRecord(Identified, WorkspaceOwned, Timestamped, Base):
    __tablename__ = "relationships"

    project_id: Mapped[str] = mapped_column(UlidColumn)
    type: Mapped[str] = mapped_column(String(20))
    source_id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"))
    target_id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    properties: Mapped[dict[str, Any]] = mapped_column(JsonText)
    origin: Mapped[str] = mapped_column(String(10))
    confidence: Mapped[float] = mapped_column(Float)
    evidence: Mapped[list[dict[str, str]]] = mapped_column(JsonText)
    digest: Mapped[str] = mapped_column(String(32), default="")
    """Of all that was derived."""
    version: Mapped[int] = mapped_column(Integer, default=1)
    """Counts a person's edits."""

    __table_args__ = (
        UniqueConstraint("project_id", "type", "source_id", "target_id"),
        Index("ix_relationships_project_id_id", "project_id", "id"),
        Index("ix_relationships_source_id_id", "source_id", "id"),
        Index("ix_relationships_target_id_id", "target_id", "id"),
    )
