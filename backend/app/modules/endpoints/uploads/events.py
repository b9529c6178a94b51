"""What uploads make known."""

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


class UploadDeleted(Event):
    name: ClassVar = "upload.deleted"
    upload_id: Ulid
    label: str
    expired: bool
    """Nobody asked for it: its time was over, or what it was handed in for has ended."""
