"""What the list of jobs answers."""

from datetime import datetime
from typing import Any

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema
from backend.app.db.outbox import JobStatus


class JobRead(BaseSchema):
    """One handler's duty towards one event. `attempts` counts claims, also those whose worker died (`lost`)."""

    id: Ulid
    event_id: Ulid
    event_name: str
    project_id: Ulid | None
    handler: str
    queue: str
    status: JobStatus
    attempts: int
    max_attempts: int
    lost: int
    progress: dict[str, Any] | None
    note: str | None
    cancel_requested: bool
    error: str | None
    available_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
