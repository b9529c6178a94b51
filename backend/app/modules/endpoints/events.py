"""What discovery makes known."""

from enum import StrEnum
from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class DiscoveryRequested(Event):
    name: ClassVar = "discovery.requested"
    discovery_id: Ulid


class DiscoveryCompleted(Event):
    name: ClassVar = "discovery.completed"
    discovery_id: Ulid
    sources: tuple[str, ...]
    """What was read: `openapi-3.1`, `fastapi`, `probe`."""
    added: int
    changed: int
    gone: int
    unchanged: int
    breaking: int
    risky: int
    safe: int
    faults: int


class DiscoveryFailed(Event):
    name: ClassVar = "discovery.failed"
    discovery_id: Ulid
    code: str
    message: str
    where: str


class DiscoveryCancelled(Event):
    name: ClassVar = "discovery.cancelled"
    discovery_id: Ulid


class RescanPostponed(Event):
    """There was a push to a git source while a discovery was active: the source is read when that one has ended."""

    name: ClassVar = "git_source.rescan_postponed"
    git_source_id: Ulid


class SourceRemoved(Event):
    """All that a source said was taken away."""

    name: ClassVar = "inventory_source.removed"
    entity: ClassVar = "project"
    slot: str
    """Which source: `capture:traffic.har`."""


class EndpointDiscovered(Event):
    name: ClassVar = "endpoint.discovered"
    endpoint_id: Ulid
    discovery_id: Ulid | None
    """None: a source was taken away."""
    method: str
    path: str
    state: str
    """What the sources together say of it: `active`, `shadow`, ..."""


class EndpointChanged(Event):
    name: ClassVar = "endpoint.changed"
    endpoint_id: Ulid
    discovery_id: Ulid | None
    """None: a source was taken away."""
    method: str
    path: str
    changes: tuple[str, ...]
    """What differs, in words."""


class EndpointEdited(Event):
    """By a person."""

    name: ClassVar = "endpoint.edited"
    endpoint_id: Ulid
    fields: tuple[str, ...]


class EndpointVanished(Event):
    name: ClassVar = "endpoint.vanished"
    endpoint_id: Ulid
    discovery_id: Ulid | None
    """None: a source was taken away."""
    method: str
    path: str


class Change(StrEnum):
    DISCOVERED = "discovered"
    CHANGED = "changed"
    VANISHED = "vanished"


class DiscoverySummarised(Event):
    """Stands for the single events when a discovery brings too many of one kind."""

    name: ClassVar = "discovery.summarised"
    discovery_id: Ulid | None
    """None: a source was taken away."""
    change: Change
    count: int
    first: tuple[str, ...]
    """The first of them: `GET /books`."""
