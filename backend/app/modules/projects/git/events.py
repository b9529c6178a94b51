"""What git sources make known. No event holds a URL: what is read is what the source says by then."""

from typing import ClassVar, Literal

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class GitSourceCreated(Event):
    name: ClassVar = "git_source.created"
    git_source_id: Ulid
    project_id: Ulid
    label: str


class GitSourceUpdated(Event):
    name: ClassVar = "git_source.updated"
    git_source_id: Ulid
    project_id: Ulid
    fields: tuple[str, ...]
    """What was changed; never the values."""


class GitSourceDeleted(Event):
    name: ClassVar = "git_source.deleted"
    git_source_id: Ulid
    project_id: Ulid
    label: str


class GitWebhookRegistered(Event):
    """The provider tells of pushes from here on, or knows the present secret."""

    name: ClassVar = "git_source.webhook_registered"
    git_source_id: Ulid
    project_id: Ulid
    provider: str


class GitWebhookRemoved(Event):
    name: ClassVar = "git_source.webhook_removed"
    git_source_id: Ulid
    project_id: Ulid
    provider: str


class GitWebhookLeft(Event):
    """The source is gone, and its webhook could not be removed at the provider: somebody has to do it there."""

    name: ClassVar = "git_source.webhook_left"
    git_source_id: Ulid
    project_id: Ulid
    provider: str
    reason: str
    """The code of the error: `git_host.refused`."""


class GitWebhookSecretRotated(Event):
    name: ClassVar = "git_source.webhook_secret_rotated"
    git_source_id: Ulid
    project_id: Ulid


class GitPushed(Event):
    """Somebody pushed to the branch of a source; published once for a delivery."""

    name: ClassVar = "git.pushed"
    entity: ClassVar = "git_source"
    git_source_id: Ulid
    project_id: Ulid
    branch: str
    commit: str
    """What the branch is at, as the provider says: a scan reads what it finds by then."""
    provider: str
    delivery_id: str
    """The provider's own."""
    key: Literal["current", "previous"]
    """Which secret signed the delivery: the previous one still does for a day."""
