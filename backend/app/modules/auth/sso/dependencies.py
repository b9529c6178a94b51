"""How a request gets its services."""

from typing import Annotated

from fastapi import Depends, Request

from backend.app.core.context import ServiceContext
from backend.app.core.runtime import runtime_of, service_context
from backend.app.modules.auth.dependencies import visitor
from backend.app.modules.auth.sso.providers import configured_providers
from backend.app.modules.auth.sso.service import LinkedIdentityService, SsoService


async def sso_service(request: Request) -> SsoService:
    runtime = runtime_of(request)
    providers = configured_providers(runtime.settings)
    return SsoService(runtime, request.state.request_id, await visitor(request), providers)


async def linked_identity_service(
    context: Annotated[ServiceContext, Depends(service_context)],
) -> LinkedIdentityService:
    return LinkedIdentityService(context, configured_providers(context.settings))
