"""What a timeline answers."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema


class EventRead(BaseSchema):
    """A fact that was recorded; never changed afterwards. `position` is its place in the order of all events.

    On PostgreSQL the place is taken before the transaction commits, so what a slower one did appears below positions
    that were read already. Who follows a timeline asks again from a `since` one minute back, and passes over known ids.
    """

    position: int
    """Its place in the order of all events."""
    id: Ulid
    """The event's ULID."""
    name: str
    """What happened: `<noun>.<past participle>`."""
    version: int
    """Of the shape of `payload`."""
    payload: dict[str, Any]
    """What there is to know of it; docs/reference/events.md lists the fields."""
    entity_type: str
    """The kind of thing that it happened to."""
    entity_id: str
    """The thing that it happened to."""
    project_id: Ulid | None
    """The project that it belongs to, if it does to one."""
    actor_id: Ulid | None
    """The user who caused it; null: the system itself."""
    request_id: str
    """The request that caused it; the log and the answer's `X-Request-Id` have the same."""
    occurred_at: datetime
    """When it happened."""


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"


class Collection(StrEnum):
    """What has a timeline of its own, as its path names it."""

    ANOMALIES = "anomalies"
    API_KEYS = "api-keys"
    DISCOVERIES = "discoveries"
    ENDPOINTS = "endpoints"
    ENTITIES = "entities"
    FINDINGS = "findings"
    GIT_SOURCES = "git-sources"
    JOBS = "jobs"
    PROJECTS = "projects"
    RELATIONSHIPS = "relationships"
    SCANS = "scans"
    UPLOADS = "uploads"
    USERS = "users"
    WORKSPACES = "workspaces"

    @property
    def entity_type(self) -> str:
        return _ENTITY_TYPES.get(self, self.value.removesuffix("s").replace("-", "_"))


_ENTITY_TYPES = {
    Collection.ANOMALIES: "anomaly",
    Collection.DISCOVERIES: "discovery",
    Collection.ENTITIES: "graph_entity",
}
