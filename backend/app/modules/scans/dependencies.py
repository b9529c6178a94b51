"""How a request gets its services and its filters."""

from typing import Annotated

from fastapi import Depends, Query

from backend.app.core.context import ServiceContext
from backend.app.core.ids import Ulid
from backend.app.core.runtime import service_context
from backend.app.engine.checks import Severity
from backend.app.modules.scans.models import FindingStatus
from backend.app.modules.scans.repository import FindingFilter, TestRunFilter
from backend.app.modules.scans.service import FindingService, ScanService


async def scan_service(context: Annotated[ServiceContext, Depends(service_context)]) -> ScanService:
    return ScanService(context)


async def finding_service(context: Annotated[ServiceContext, Depends(service_context)]) -> FindingService:
    return FindingService(context)


async def run_filter(
    success: bool | None = None,
    endpoint_id: Ulid | None = None,
    case_kind: Annotated[str | None, Query(max_length=50, pattern=r"^[a-z0-9_]+$")] = None,
) -> TestRunFilter:
    return TestRunFilter(success, endpoint_id, case_kind)


async def finding_filter(status: FindingStatus | None = None, severity: Severity | None = None) -> FindingFilter:
    return FindingFilter(status, severity)
