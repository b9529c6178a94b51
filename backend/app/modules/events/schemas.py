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
    id: Ulid
    name: str
    version: int
    payload: dict[str, Any]
    entity_type: str
    entity_id: str
    project_id: Ulid | None
    actor_id: Ulid | None
    request_id: str
    occurred_at: datetime


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"


class Collection(StrEnum):
    """What has a timeline of its own, as its path names it."""

    ANOMALIES = "anomalies"
    API_KEYS = "api-keys"
    DISCOVERIES = "discoveries"
    ENDPOINTS = "endpoints"
    FINDINGS = "findings"
    JOBS = "jobs"
    PROJECTS = "projects"
    SCANS = "scans"
    USERS = "users"
    WORKSPACES = "workspaces"

    @property
    def entity_type(self) -> str:
        return _ENTITY_TYPES.get(self, self.value.removesuffix("s").replace("-", "_"))


_ENTITY_TYPES = {Collection.ANOMALIES: "anomaly", Collection.DISCOVERIES: "discovery"}
