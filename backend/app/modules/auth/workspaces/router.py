"""Workspaces over HTTP. The workspace in the path is the active one: `authenticate` has judged the caller there before
a method runs, so what the methods take of the path is for the document."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends

from backend.app.core.context import ServiceContext
from backend.app.core.etag import entity_tag, if_match
from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import DefaultResponse, Envelope, envelope, listed
from backend.app.core.runtime import service_context
from backend.app.core.views import access_control, view
from backend.app.modules.auth.workspaces.dependencies import invitation_service, member_service, workspace_service
from backend.app.modules.auth.workspaces.schemas import (
    InvitationAccept,
    InvitationCreate,
    InvitationRead,
    MemberRead,
    MemberUpdate,
    Transfer,
    WorkspaceRead,
    WorkspaceWrite,
)
from backend.app.modules.auth.workspaces.service import (
    InvitationService,
    MemberService,
    WorkspaceService,
    accept_invitation,
)

router = APIRouter()

IfMatch: TypeAlias = Annotated[str | None, Depends(if_match)]
Paging: TypeAlias = Annotated[PageRequest, Depends(page_request)]


@view(router)
class WorkspaceViews:
    workspaces: Annotated[WorkspaceService, Depends(workspace_service)]
    members: Annotated[MemberService, Depends(member_service)]
    invitations: Annotated[InvitationService, Depends(invitation_service)]
    context: Annotated[ServiceContext, Depends(service_context)]

    @router.get("/workspaces")
    @access_control(Permission.WORKSPACES_READ)
    async def list_workspaces(self, page: Paging) -> Envelope[list[WorkspaceRead]]:
        """The workspaces that the caller is in, newest first; an API key sees its own only."""
        return listed(await self.workspaces.page(page))

    @router.post("/workspaces", status_code=201)
    @access_control(Permission.WORKSPACES_CREATE)
    async def create_workspace(self, body: WorkspaceWrite) -> Envelope[WorkspaceRead]:
        """Makes a workspace with the caller as its owner."""
        return _answer(await self.workspaces.create(body))

    @router.get("/workspaces/{workspace_id}")
    @access_control(Permission.WORKSPACES_READ)
    async def read_workspace(self, workspace_id: Ulid) -> Envelope[WorkspaceRead]:
        """One workspace, with the caller's role in it."""
        return _answer(await self.workspaces.get())

    @router.patch("/workspaces/{workspace_id}")
    @access_control(Permission.WORKSPACES_WRITE)
    async def rename_workspace(self, workspace_id: Ulid, body: WorkspaceWrite, tag: IfMatch) -> Envelope[WorkspaceRead]:
        """Renames a workspace."""
        return _answer(await self.workspaces.rename(body, tag))

    @router.delete("/workspaces/{workspace_id}")
    @access_control(Permission.WORKSPACES_DELETE)
    async def delete_workspace(self, workspace_id: Ulid, tag: IfMatch) -> Envelope[DefaultResponse]:
        """Deletes a workspace with everything in it; not a personal one."""
        await self.workspaces.delete(tag)
        return envelope(DefaultResponse())

    @router.post("/workspaces/{workspace_id}/transfer")
    @access_control(Permission.WORKSPACES_TRANSFER)
    async def transfer_workspace(self, workspace_id: Ulid, body: Transfer) -> Envelope[MemberRead]:
        """Hands ownership over to another member; the caller becomes an administrator of the workspace."""
        return envelope(await self.members.transfer(body.user_id))

    @router.post("/workspaces/{workspace_id}/leave")
    @access_control(Permission.PROFILE_WRITE)
    async def leave_workspace(self, workspace_id: Ulid) -> Envelope[DefaultResponse]:
        """Ends the caller's membership; the last owner stays."""
        await self.members.leave()
        return envelope(DefaultResponse())

    @router.get("/workspaces/{workspace_id}/members")
    @access_control(Permission.MEMBERS_READ)
    async def list_members(self, workspace_id: Ulid, page: Paging) -> Envelope[list[MemberRead]]:
        """Who is in the workspace, in the order of their sign-up."""
        return listed(await self.members.page(page))

    @router.patch("/workspaces/{workspace_id}/members/{user_id}")
    @access_control(Permission.MEMBERS_WRITE)
    async def change_role(self, workspace_id: Ulid, user_id: Ulid, body: MemberUpdate) -> Envelope[MemberRead]:
        """Gives a member another role, up to the caller's own."""
        return envelope(await self.members.change_role(user_id, body.role))

    @router.delete("/workspaces/{workspace_id}/members/{user_id}")
    @access_control(Permission.MEMBERS_WRITE)
    async def remove_member(self, workspace_id: Ulid, user_id: Ulid) -> Envelope[DefaultResponse]:
        """Ends a membership, and with it the member's API keys of the workspace."""
        await self.members.remove(user_id)
        return envelope(DefaultResponse())

    @router.get("/workspaces/{workspace_id}/invitations")
    @access_control(Permission.MEMBERS_READ)
    async def list_invitations(self, workspace_id: Ulid, page: Paging) -> Envelope[list[InvitationRead]]:
        """The open invitations, newest first."""
        return listed(await self.invitations.page(page))

    @router.post("/workspaces/{workspace_id}/invitations", status_code=202)
    @access_control(Permission.MEMBERS_WRITE)
    async def invite(self, workspace_id: Ulid, body: InvitationCreate) -> Envelope[InvitationRead]:
        """Mails an invitation, valid for seven days; an earlier one to the same address stops working."""
        return envelope(await self.invitations.invite(body))

    @router.delete("/workspaces/{workspace_id}/invitations/{invitation_id}")
    @access_control(Permission.MEMBERS_WRITE)
    async def withdraw_invitation(self, workspace_id: Ulid, invitation_id: Ulid) -> Envelope[DefaultResponse]:
        """Withdraws an open invitation."""
        await self.invitations.withdraw(invitation_id)
        return envelope(DefaultResponse())

    @router.post("/invitations/accept")
    @access_control(Permission.PROFILE_WRITE)
    async def accept_invitation(self, body: InvitationAccept) -> Envelope[WorkspaceRead]:
        """Accepts an invitation with the token of its mail, signed in with the address that was invited."""
        return _answer(await accept_invitation(self.context, body.token))


def _answer(workspace: WorkspaceRead) -> Envelope[WorkspaceRead]:
    return envelope(workspace, etag=entity_tag(workspace.updated_at))
