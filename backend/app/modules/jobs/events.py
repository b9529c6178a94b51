"""What a person does to a job."""

from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class JobCancelled(Event):
    name: ClassVar = "job.cancelled"
    job_id: Ulid
    handler: str


class JobRetried(Event):
    name: ClassVar = "job.retried"
    job_id: Ulid
    handler: str
