"""What a principal may do, and who a principal is."""

from dataclasses import dataclass
from datetime import datetime
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
    MEMBERS_READ = "members.read"
    MEMBERS_WRITE = "members.write"
    PROFILE_READ = "profile.read"
    PROFILE_WRITE = "profile.write"
    PROJECTS_READ = "projects.read"
    PROJECTS_WRITE = "projects.write"
    SCANS_READ = "scans.read"
    SCANS_WRITE = "scans.write"
    USERS_READ = "users.read"
    USERS_WRITE = "users.write"
    WORKSPACES_CREATE = "workspaces.create"
    WORKSPACES_DELETE = "workspaces.delete"
    WORKSPACES_READ = "workspaces.read"
    WORKSPACES_TRANSFER = "workspaces.transfer"
    WORKSPACES_WRITE = "workspaces.write"


ADMINISTRATION = frozenset({Permission.USERS_READ, Permission.USERS_WRITE})
"""Of an administrator of the installation, whatever the workspace; no role in a workspace grants them, and an API key
has them only when they are named."""
ALL_PERMISSIONS = frozenset(Permission) - ADMINISTRATION


class Role(StrEnum):
    """A user's part in one workspace, in alphabetical order."""

    ADMIN = "admin"
    MEMBER = "member"
    OWNER = "owner"
    VIEWER = "viewer"

    @property
    def permissions(self) -> frozenset[Permission]:
        return _GRANTED[self]

    def covers(self, other: "Role") -> bool:
        """Whether it may all that `other` may."""
        return other.permissions <= self.permissions


_OWN = frozenset({Permission.API_KEYS_WRITE, Permission.PROFILE_WRITE, Permission.WORKSPACES_CREATE})
"""About oneself. An API key never does more than its owner may, so everybody may have some."""
_VIEWER = frozenset(p for p in ALL_PERMISSIONS if p.value.endswith(".read")) | _OWN
_MEMBER = _VIEWER | {
    Permission.ENDPOINTS_WRITE,
    Permission.JOBS_WRITE,
    Permission.PROJECTS_WRITE,
    Permission.SCANS_WRITE,
}
_GRANTED = {
    Role.ADMIN: ALL_PERMISSIONS - {Permission.WORKSPACES_DELETE, Permission.WORKSPACES_TRANSFER},
    Role.MEMBER: _MEMBER,
    Role.OWNER: ALL_PERMISSIONS,
    Role.VIEWER: _VIEWER,
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts, in which workspace, and what that allows."""

    user_id: str | None
    workspace_id: str
    permissions: frozenset[Permission]
    label: str = ""
    """Shown in logs and timelines: never a secret."""
    confined: bool = False
    """To its workspace: an API key says nothing about the others of its owner."""
    expires_at: datetime | None = None
    """Of an API key: what is made with it lasts no longer."""

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions


def system_principal(workspace_id: str, actor_id: str | None = None) -> Principal:
    """The one that performs a job: it acts for `actor_id` with every right inside one workspace."""
    return Principal(actor_id, workspace_id, ALL_PERMISSIONS, label="system")
