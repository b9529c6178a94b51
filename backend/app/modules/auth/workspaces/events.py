"""What workspaces make known, beside `workspace.deleted`, which other modules hear. What happens to a member is on the
timelines of the user and of the workspace."""

from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class WorkspaceCreated(Event):
    name: ClassVar = "workspace.created"
    workspace_id: Ulid
    label: str


class WorkspaceUpdated(Event):
    name: ClassVar = "workspace.updated"
    workspace_id: Ulid
    label: str


class MemberJoined(Event):
    name: ClassVar = "member.joined"
    entity: ClassVar = "user"
    user_id: Ulid
    role: str
    invitation_id: Ulid


class MemberRoleChanged(Event):
    name: ClassVar = "member.role_changed"
    entity: ClassVar = "user"
    user_id: Ulid
    before: str
    role: str


class MemberRemoved(Event):
    name: ClassVar = "member.removed"
    entity: ClassVar = "user"
    user_id: Ulid
    role: str


class MemberLeft(Event):
    name: ClassVar = "member.left"
    entity: ClassVar = "user"
    user_id: Ulid
    role: str


class InvitationCreated(Event):
    name: ClassVar = "invitation.created"
    invitation_id: Ulid
    email: str
    role: str


class InvitationWithdrawn(Event):
    name: ClassVar = "invitation.withdrawn"
    invitation_id: Ulid
    email: str
