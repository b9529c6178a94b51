"""The rules of workspaces.

Who changes who is in a workspace holds its lock, so that each rule is judged by what is true at that moment: a
workspace always has an owner, and nobody gives or takes a role that may do more than they do (ASVS 5, 2.3.4 and 8.2.1).
"""

from datetime import timedelta
from typing import Final

from backend.app.core.context import ServiceContext
from backend.app.core.errors import PermissionDenied
from backend.app.core.etag import entity_tag, require_match
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event
from backend.app.core.pagination import Page, PageRequest, Row
from backend.app.core.permissions import Permission, Role
from backend.app.db.session import after_commit
from backend.app.modules.auth.credentials.mailed_tokens import hash_mailed_token, new_mailed_token
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.errors import WorkspaceNotFound
from backend.app.modules.auth.events import MailRequested, WorkspaceDeleted
from backend.app.modules.auth.service import acting
from backend.app.modules.auth.workspaces.errors import (
    AlreadyMember,
    InvalidInvitation,
    InvitationNotFound,
    LastOwner,
    MemberNotFound,
    PersonalWorkspace,
    RoleNotHeld,
    TooManyInvitations,
)
from backend.app.modules.auth.workspaces.events import (
    InvitationCreated,
    InvitationWithdrawn,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberRoleChanged,
    WorkspaceCreated,
    WorkspaceUpdated,
)
from backend.app.modules.auth.workspaces.repository import (
    InvitationRepository,
    MemberRepository,
    OwnWorkspaces,
    open_invitation,
)
from backend.app.modules.auth.workspaces.schemas import (
    InvitationCreate,
    InvitationRead,
    MemberRead,
    WorkspaceRead,
    WorkspaceWrite,
)

INVITED_FOR: Final = timedelta(days=7)
MAX_OPEN: Final = 200
"""Invitations of one workspace: each is a mail to somebody who may not want it."""


class _Service:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._user_id = context.principal.user_id or ""
        self._members = MemberRepository(context.session, context.workspace_id)

    async def _enter(self, permission: Permission) -> tuple[Row, Role]:
        """Holds the workspace; it, and the caller's role in it as that is under the lock. Raises `WorkspaceNotFound`,
        `PermissionDenied`."""
        workspace = await self._members.lock()
        me = await self._members.get(self._user_id)
        if workspace is None or me is None:
            raise WorkspaceNotFound
        role = Role(me["role"])
        if permission not in role.permissions:
            raise PermissionDenied(f"this needs the permission {permission.value}")
        return workspace, role

    def _require_at_hand(self, role: Role, wanted: Role) -> None:
        """An API key gives no more than it holds, whoever it belongs to. Raises `RoleNotHeld`."""
        if missing := wanted.permissions - (role.permissions & self._context.principal.permissions):
            raise RoleNotHeld(f"{wanted.value} also holds {', '.join(sorted(missing))}")

    async def _publish(self, event: Event) -> None:
        await self._context.hub.publish(event, self._context)


class WorkspaceService(_Service):
    """The workspaces of the caller, and the active one."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self._own = OwnWorkspaces(context.session, self._user_id)

    async def page(self, request: PageRequest) -> Page[WorkspaceRead]:
        """An API key sees its own workspace only. Raises `InvalidCursor`."""
        only = self._context.workspace_id if self._context.principal.confined else None
        return request.page(await self._own.page(request.after(), request.limit + 1, only), "id")

    async def create(self, wanted: WorkspaceWrite) -> WorkspaceRead:
        workspace_id, now = new_ulid(), self._context.clock()
        await self._own.add({"id": workspace_id, "name": wanted.name, "created_at": now, "updated_at": now})
        inside = acting(self._context, self._user_id, workspace_id)
        await inside.hub.publish(WorkspaceCreated(workspace_id=workspace_id, label=wanted.name), inside)
        return await self._read(workspace_id)

    async def get(self) -> WorkspaceRead:
        """Raises `WorkspaceNotFound`."""
        return await self._read(self._context.workspace_id)

    async def rename(self, wanted: WorkspaceWrite, if_match: str | None) -> WorkspaceRead:
        """Raises `WorkspaceNotFound`, `PreconditionFailed`."""
        await self._enter(Permission.WORKSPACES_WRITE)
        workspace = await self._unchanged(if_match)
        if workspace.name == wanted.name:
            return workspace
        await self._members.change({"name": wanted.name, "updated_at": self._context.clock()})
        await self._publish(WorkspaceUpdated(workspace_id=workspace.id, label=wanted.name))
        return await self.get()

    async def delete(self, if_match: str | None) -> None:
        """With all that other modules keep in it, which hear the event. Raises `WorkspaceNotFound`,
        `PersonalWorkspace`, `PreconditionFailed`."""
        held, _ = await self._enter(Permission.WORKSPACES_DELETE)
        workspace = await self._unchanged(if_match)
        if held["personal_to"] is not None:
            raise PersonalWorkspace
        await self._members.drop()
        await self._publish(WorkspaceDeleted(workspace_id=workspace.id, label=workspace.name))
        after_commit(self._context.session, proven.forget)

    async def _read(self, workspace_id: str) -> WorkspaceRead:
        row = await self._own.get(workspace_id)
        if row is None:
            raise WorkspaceNotFound
        return WorkspaceRead.model_validate(row)

    async def _unchanged(self, if_match: str | None) -> WorkspaceRead:
        workspace = await self.get()
        if if_match is not None:
            require_match(if_match, entity_tag(workspace.updated_at))
        return workspace


class MemberService(_Service):
    """Who is in the active workspace."""

    async def page(self, request: PageRequest) -> Page[MemberRead]:
        """Raises `InvalidCursor`."""
        return request.page(await self._members.page(request.after(), request.limit + 1), "user_id")

    async def change_role(self, user_id: str, wanted: Role) -> MemberRead:
        """Raises `MemberNotFound`, `RoleNotHeld`, `LastOwner`, `PersonalWorkspace`."""
        workspace, role = await self._enter(Permission.MEMBERS_WRITE)
        member = await self._member(user_id)
        if not role.covers(member.role):
            raise RoleNotHeld
        self._require_at_hand(role, wanted)
        if wanted is not Role.OWNER:
            await self._keep_an_owner(workspace, member)
        return await self._set_role(member, wanted)

    async def remove(self, user_id: str) -> None:
        """Raises `MemberNotFound`, `RoleNotHeld`, `LastOwner`, `PersonalWorkspace`."""
        workspace, role = await self._enter(Permission.MEMBERS_WRITE)
        member = await self._member(user_id)
        if not role.covers(member.role):
            raise RoleNotHeld
        await self._drop(workspace, member)

    async def leave(self) -> None:
        """Raises `LastOwner`, `PersonalWorkspace`."""
        workspace, _ = await self._enter(Permission.PROFILE_WRITE)
        await self._drop(workspace, await self._member(self._user_id))

    async def transfer(self, user_id: str) -> MemberRead:
        """Another member becomes an owner in place of the caller, who becomes an administrator. Raises
        `MemberNotFound`, `PersonalWorkspace`."""
        workspace, role = await self._enter(Permission.WORKSPACES_TRANSFER)
        self._require_at_hand(role, Role.OWNER)
        if workspace["personal_to"] is not None:
            raise PersonalWorkspace
        member = await self._member(user_id)
        if user_id != self._user_id:
            await self._set_role(await self._member(self._user_id), Role.ADMIN)
        return await self._set_role(member, Role.OWNER)

    async def _member(self, user_id: str) -> MemberRead:
        row = await self._members.get(user_id)
        if row is None:
            raise MemberNotFound
        return MemberRead.model_validate(row)

    async def _keep_an_owner(self, workspace: Row, member: MemberRead) -> None:
        if workspace["personal_to"] == member.user_id:
            raise PersonalWorkspace
        if await self._members.owners() == {member.user_id}:
            raise LastOwner

    async def _set_role(self, member: MemberRead, role: Role) -> MemberRead:
        if member.role is role:
            return member
        await self._members.set_role(member.user_id, role)
        await self._publish(MemberRoleChanged(user_id=member.user_id, before=member.role, role=role))
        after_commit(self._context.session, proven.forget)
        return member.model_copy(update={"role": role})

    async def _drop(self, workspace: Row, member: MemberRead) -> None:
        await self._keep_an_owner(workspace, member)
        await self._members.remove(member.user_id, self._context.clock())
        kind = MemberLeft if member.user_id == self._user_id else MemberRemoved
        await self._publish(kind(user_id=member.user_id, role=member.role))
        after_commit(self._context.session, proven.forget)


class InvitationService(_Service):
    """Places in the active workspace that are offered by mail."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self._invitations = InvitationRepository(context.session, context.workspace_id, context.clock())

    async def page(self, request: PageRequest) -> Page[InvitationRead]:
        """Raises `InvalidCursor`."""
        return request.page(await self._invitations.page(request.after(), request.limit + 1), "id")

    async def invite(self, wanted: InvitationCreate) -> InvitationRead:
        """In place of an earlier invitation of the same address. Nothing tells whether there is an account with it.
        Raises `RoleNotHeld`, `AlreadyMember`, `TooManyInvitations`."""
        workspace, role = await self._enter(Permission.MEMBERS_WRITE)
        self._require_at_hand(role, wanted.role)
        if await self._members.has_address(wanted.email):
            raise AlreadyMember
        if await self._invitations.count_others(wanted.email) >= MAX_OPEN:
            raise TooManyInvitations
        now = self._context.clock()
        read = InvitationRead(
            id=new_ulid(),
            email=wanted.email,
            role=wanted.role,
            invited_by=self._user_id,
            created_at=now,
            expires_at=now + INVITED_FOR,
        )
        # Nobody knows this token: the one that opens is made when the mail is sent.
        await self._invitations.put({**read.model_dump(), "token_hash": hash_mailed_token(new_mailed_token())})
        await self._publish(InvitationCreated(invitation_id=read.id, email=read.email, role=read.role))
        inviter = await self._members.get(self._user_id) or {}
        details = {"workspace": workspace["name"], "inviter": inviter["email"], "role": read.role.value}
        mail = MailRequested(to=read.email, template="invitation", invitation_id=read.id, details=details)
        await self._publish(mail)
        return read

    async def withdraw(self, invitation_id: str) -> None:
        """Raises `InvitationNotFound`."""
        await self._enter(Permission.MEMBERS_WRITE)
        invitation = await self._invitations.get(invitation_id)
        if invitation is None or not await self._invitations.withdraw(invitation_id):
            raise InvitationNotFound
        await self._publish(InvitationWithdrawn(invitation_id=invitation_id, email=invitation["email"]))


async def accept_invitation(context: ServiceContext, token: str) -> WorkspaceRead:
    """Makes the caller a member of the workspace that a token from a mail leads to, if it was sent to the caller's own
    address, and whoever invited may still give that role. A member stays what they are. Raises `InvalidInvitation`."""
    user_id, now, token_hash = context.principal.user_id or "", context.clock(), hash_mailed_token(token)
    found = await open_invitation(context.session, token_hash, user_id, now)
    if found is None:
        raise InvalidInvitation
    inside, role = acting(context, user_id, found["workspace_id"]), Role(found["role"])
    members = MemberRepository(context.session, inside.workspace_id)
    await members.lock()
    inviter = await members.get(found["invited_by"])
    may_give = Role(inviter["role"]).permissions if inviter else frozenset()
    if not {Permission.MEMBERS_WRITE, *role.permissions} <= may_give:
        raise InvalidInvitation
    if not await InvitationRepository(context.session, inside.workspace_id, now).accept(token_hash, now):
        raise InvalidInvitation
    if await members.add(user_id, role, now):
        joined = MemberJoined(user_id=user_id, role=role, invitation_id=found["id"])
        await inside.hub.publish(joined, inside)
        after_commit(context.session, proven.forget)
    return await WorkspaceService(inside).get()
