"""What clients see of uploads."""

from datetime import datetime

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema


class UploadRead(BaseSchema):
    id: Ulid
    """For `uploads` of a discovery."""
    project_id: Ulid
    """The project that it was handed in for."""
    name: str
    """What the file was called, to be shown: without folders and control characters."""
    kind: str
    """What the content is: `openapi`, `graphql`, `source-archive`, or `capture-` and a format: `capture-har`."""
    size: int
    """In bytes."""
    sha256: str
    """Of the content, in hexadecimal digits."""
    created_at: datetime
    """When it was handed in; it is deleted after the discovery that reads it, and at the latest a day later."""
