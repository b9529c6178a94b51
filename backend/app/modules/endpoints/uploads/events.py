"""What uploads make known."""

from enum import StrEnum
from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class UploadCreated(Event):
    name: ClassVar = "upload.created"
    upload_id: Ulid
    label: str
    """What the file is called."""
    kind: str
    size: int
    sha256: str


class Why(StrEnum):
    """Why an upload is gone."""

    ASKED = "asked"
    """Somebody deleted it."""
    EXPIRED = "expired"
    """No discovery read it in its time."""
    INCOMPLETE = "incomplete"
    """It could not be stored as a whole: nobody ever saw it."""
    PROJECT_DELETED = "project_deleted"
    READ = "read"
    """A discovery has read it."""


class UploadDeleted(Event):
    name: ClassVar = "upload.deleted"
    upload_id: Ulid
    label: str
    reason: Why
