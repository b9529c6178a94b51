"""How a request gets its services."""

from typing import Annotated

from fastapi import Depends

from backend.app.core.context import ServiceContext
from backend.app.core.runtime import service_context
from backend.app.modules.auth.workspaces.service import InvitationService, MemberService, WorkspaceService


async def workspace_service(context: Annotated[ServiceContext, Depends(service_context)]) -> WorkspaceService:
    return WorkspaceService(context)


async def member_service(context: Annotated[ServiceContext, Depends(service_context)]) -> MemberService:
    return MemberService(context)


async def invitation_service(context: Annotated[ServiceContext, Depends(service_context)]) -> InvitationService:
    return InvitationService(context)
