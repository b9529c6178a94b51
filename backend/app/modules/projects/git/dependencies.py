"""How a request gets its services."""

from typing import Annotated

from fastapi import Depends, Request

from backend.app.core.context import ServiceContext
from backend.app.core.permissions import Principal
from backend.app.core.runtime import current_principal, runtime_of, service_context
from backend.app.modules.projects.git.service import DeliveryService, GitService, GitSetup


async def git_service(context: Annotated[ServiceContext, Depends(service_context)]) -> GitService:
    return GitService(context)


async def git_setup(request: Request, principal: Annotated[Principal, Depends(current_principal)]) -> GitSetup:
    return GitSetup(runtime_of(request), principal, request.state.request_id)


async def delivery_service(request: Request) -> DeliveryService:
    return DeliveryService(runtime_of(request), request.state.request_id)
