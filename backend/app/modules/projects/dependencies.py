"""How a request gets its service and its filter."""

from typing import Annotated

from fastapi import Depends, Query

from backend.app.core.context import ServiceContext
from backend.app.core.runtime import service_context
from backend.app.core.schema import Line
from backend.app.modules.projects.models import MAX_NAME, ProjectStatus
from backend.app.modules.projects.repository import ProjectFilter
from backend.app.modules.projects.service import ProjectService


async def project_service(context: Annotated[ServiceContext, Depends(service_context)]) -> ProjectService:
    return ProjectService(context)


async def project_filter(
    status: ProjectStatus | None = None,
    environment: Annotated[Line | None, Query(max_length=50)] = None,
    name: Annotated[Line | None, Query(max_length=MAX_NAME, description="Part of the name, in any case.")] = None,
) -> ProjectFilter:
    return ProjectFilter(status, environment, name)
