"""What the list of jobs answers."""

from datetime import datetime
from typing import Any

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema
from backend.app.db.outbox import JobStatus


class JobRead(BaseSchema):
    """One handler's duty towards one event."""

    id: Ulid
    """The job's ULID."""
    event_id: Ulid
    """The event that it answers to."""
    event_name: str
    """Of that event: `scan.requested`."""
    project_id: Ulid | None
    """The project that it is about, if it is about one."""
    handler: str
    """What performs it: `scans.run_scan`."""
    queue: str
    """`default`, `long` or `outgoing`."""
    status: JobStatus
    """Where it stands."""
    attempts: int
    """How often it was begun, those included whose worker died."""
    max_attempts: int
    """After so many it is dead."""
    lost: int
    """How often its worker died."""
    progress: dict[str, Any] | None
    """How far it is: `done` of `total`."""
    note: str | None
    """What it is at."""
    cancel_requested: bool
    """Whether it ends at its next step."""
    error: str | None
    """Why the latest attempt failed."""
    available_at: datetime
    """From when on it may be begun."""
    created_at: datetime
    """When the event happened."""
    started_at: datetime | None
    """When the latest attempt began."""
    finished_at: datetime | None
    """When it ended, however it did."""
