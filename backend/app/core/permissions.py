"""What a principal may do, and who a principal is."""

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """`<module>.<action>`, in alphabetical order."""

    ANOMALIES_READ = "anomalies.read"
    API_KEYS_READ = "api_keys.read"
    API_KEYS_WRITE = "api_keys.write"
    ENDPOINTS_READ = "endpoints.read"
    ENDPOINTS_WRITE = "endpoints.write"
    EVENTS_READ = "events.read"
    JOBS_READ = "jobs.read"
    JOBS_WRITE = "jobs.write"
    PROFILE_READ = "profile.read"
    PROJECTS_READ = "projects.read"
    PROJECTS_WRITE = "projects.write"
    SCANS_READ = "scans.read"
    SCANS_WRITE = "scans.write"


ALL_PERMISSIONS = frozenset(Permission)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts, in which workspace, and what that allows."""

    user_id: str | None
    workspace_id: str
    permissions: frozenset[Permission]
    label: str = ""
    """Shown in logs and timelines: never a secret."""

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions


def system_principal(workspace_id: str, actor_id: str | None = None) -> Principal:
    """The one that performs a job: it acts for `actor_id` with every right inside one workspace."""
    return Principal(actor_id, workspace_id, ALL_PERMISSIONS, label="system")
