"""Tables of uploads. Their bytes stand in the database, because a worker may be on another machine."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db.base import Base
from backend.app.db.mixins import Identified, WorkspaceOwned
from backend.app.db.types import AnyText, UlidColumn, UtcDateTime


class UploadRecord(Identified, WorkspaceOwned, Base):
    __tablename__ = "discovery_uploads"

    project_id: Mapped[str] = mapped_column(UlidColumn)
    name: Mapped[str] = mapped_column(AnyText)
    kind: Mapped[str] = mapped_column(String(50))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    complete: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether all chunks are there. Until then nobody sees the row."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    __table_args__ = (Index("ix_discovery_uploads_project_id_id", "project_id", "id"),)


class ChunkRecord(WorkspaceOwned, Base):
    """Written and removed in steps: no foreign key, because that of a large file would go in one."""

    __tablename__ = "discovery_upload_chunks"

    upload_id: Mapped[str] = mapped_column(UlidColumn, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
