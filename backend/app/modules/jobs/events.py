"""What a person does to a job. `job.cancelled` and `job.dead` come from `core.runner`."""

from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class JobStopAsked(Event):
    """A running job was asked to stop; `job.cancelled` follows when it does."""

    name: ClassVar = "job.stop_asked"
    job_id: Ulid
    handler: str


class JobRetried(Event):
    name: ClassVar = "job.retried"
    job_id: Ulid
    handler: str
