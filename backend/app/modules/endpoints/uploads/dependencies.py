"""How a request gets its services."""

from typing import Annotated

from fastapi import Depends, Request

from backend.app.core.context import ServiceContext
from backend.app.core.permissions import Principal
from backend.app.core.runtime import current_principal, runtime_of, service_context
from backend.app.modules.endpoints.uploads.receiving import Reception
from backend.app.modules.endpoints.uploads.service import UploadService


async def upload_service(context: Annotated[ServiceContext, Depends(service_context)]) -> UploadService:
    return UploadService(context)


async def reception(request: Request, principal: Annotated[Principal, Depends(current_principal)]) -> Reception:
    """Without a transaction: a file comes for as long as its sender likes."""
    return Reception(runtime_of(request), principal, request.state.request_id)
