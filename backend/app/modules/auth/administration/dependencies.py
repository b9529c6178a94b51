"""How a request gets its service and its filter."""

from typing import Annotated

from fastapi import Depends, Query

from backend.app.core.context import ServiceContext
from backend.app.core.runtime import service_context
from backend.app.core.schema import Line
from backend.app.modules.auth.administration.repository import UserFilter
from backend.app.modules.auth.administration.service import AdministrationService
from backend.app.modules.auth.models import MAX_EMAIL, UserRole


async def administration_service(
    context: Annotated[ServiceContext, Depends(service_context)],
) -> AdministrationService:
    return AdministrationService(context)


async def user_filter(
    email: Annotated[Line | None, Query(max_length=MAX_EMAIL, description="Part of the address, in any case.")] = None,
    role: UserRole | None = None,
    disabled: bool | None = None,
) -> UserFilter:
    return UserFilter(email, role, disabled)
