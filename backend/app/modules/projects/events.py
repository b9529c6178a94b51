"""What projects make known."""

from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class ProjectCreated(Event):
    name: ClassVar = "project.created"
    project_id: Ulid
    label: str


class ProjectUpdated(Event):
    name: ClassVar = "project.updated"
    project_id: Ulid
    fields: tuple[str, ...]
    """What was changed; never the values, which may be secret."""


class ProjectArchived(Event):
    name: ClassVar = "project.archived"
    project_id: Ulid


class ProjectActivated(Event):
    name: ClassVar = "project.activated"
    project_id: Ulid


class ProjectDeleted(Event):
    """The project is gone: whoever keeps rows of it removes them."""

    name: ClassVar = "project.deleted"
    project_id: Ulid
    label: str
