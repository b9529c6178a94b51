"""How a request gets its service."""

from typing import Annotated

from fastapi import Depends

from backend.app.core.context import ServiceContext
from backend.app.core.runtime import service_context
from backend.app.modules.jobs.service import JobService


async def job_service(context: Annotated[ServiceContext, Depends(service_context)]) -> JobService:
    return JobService(context)
