"""Columns that many tables share."""

from datetime import datetime

from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from backend.app.core.clock import utc_now
from backend.app.core.ids import new_ulid
from backend.app.db.types import UlidColumn, UtcDateTime


class Identified:
    id: Mapped[str] = mapped_column(UlidColumn, primary_key=True, default=new_ulid, sort_order=-10)


class Timestamped:
    """Set by the application: `updated_at` also serves as the version behind an ETag."""

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, sort_order=10)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now, sort_order=10)


class WorkspaceOwned:
    """A row that belongs to one tenant; every query on it names the workspace."""

    @declared_attr
    def workspace_id(cls) -> Mapped[str]:  # noqa: N805 - a declared attribute receives the class
        return mapped_column(UlidColumn, index=True, sort_order=-9)
