"""Scans, their test runs and findings over HTTP."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends

from backend.app.core.etag import entity_tag, if_match
from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, envelope, listed
from backend.app.core.views import access_control, view
from backend.app.modules.scans.dependencies import finding_filter, finding_service, run_filter, scan_service
from backend.app.modules.scans.models import ScanStatus
from backend.app.modules.scans.repository import FindingFilter, TestRunFilter
from backend.app.modules.scans.schemas import (
    FindingRead,
    FindingUpdate,
    OperationResultRead,
    ScanCreate,
    ScanFindingRead,
    ScanRead,
    TestRunRead,
)
from backend.app.modules.scans.service import FindingService, ScanService

router = APIRouter()

_Page: TypeAlias = Annotated[PageRequest, Depends(page_request)]
_RunFilter: TypeAlias = Annotated[TestRunFilter, Depends(run_filter)]
_FindingFilter: TypeAlias = Annotated[FindingFilter, Depends(finding_filter)]


@view(router)
class ScanViews:
    scans: Annotated[ScanService, Depends(scan_service)]
    findings: Annotated[FindingService, Depends(finding_service)]

    @router.post("/projects/{project_id}/scans", status_code=202)
    @access_control(Permission.SCANS_WRITE)
    async def start_scan(self, project_id: Ulid, body: ScanCreate) -> Envelope[ScanRead]:
        """Starts a scan of the project's API; one scan runs at a time."""
        return envelope(await self.scans.start(project_id, body))

    @router.get("/projects/{project_id}/scans")
    @access_control(Permission.SCANS_READ)
    async def list_scans(
        self, project_id: Ulid, page: _Page, status: ScanStatus | None = None
    ) -> Envelope[list[ScanRead]]:
        """The scans of a project, newest first."""
        return listed(await self.scans.page(project_id, status, page))

    @router.get("/scans/{scan_id}")
    @access_control(Permission.SCANS_READ)
    async def read_scan(self, scan_id: Ulid) -> Envelope[ScanRead]:
        """One scan: how far it is, or what it came to."""
        return envelope(await self.scans.get(scan_id))

    @router.post("/scans/{scan_id}/cancel", status_code=202)
    @access_control(Permission.SCANS_WRITE)
    async def cancel_scan(self, scan_id: Ulid) -> Envelope[ScanRead]:
        """Cancels a queued or running scan; what it found so far is kept."""
        return envelope(await self.scans.cancel(scan_id))

    @router.get("/scans/{scan_id}/test-runs")
    @access_control(Permission.SCANS_READ)
    async def list_test_runs(self, scan_id: Ulid, wanted: _RunFilter, page: _Page) -> Envelope[list[TestRunRead]]:
        """The requests of a scan, in the order of their answers."""
        return listed(await self.scans.test_runs(scan_id, wanted, page))

    @router.get("/scans/{scan_id}/operations")
    @access_control(Permission.SCANS_READ)
    async def list_operations(self, scan_id: Ulid, page: _Page) -> Envelope[list[OperationResultRead]]:
        """What a scan's requests to each operation come to."""
        return listed(await self.scans.operations(scan_id, page))

    @router.get("/scans/{scan_id}/findings")
    @access_control(Permission.SCANS_READ)
    async def list_scan_findings(
        self, scan_id: Ulid, wanted: _FindingFilter, page: _Page
    ) -> Envelope[list[ScanFindingRead]]:
        """The findings that a scan met, and those that it showed to be fixed."""
        return listed(await self.findings.page_of_scan(scan_id, wanted, page))

    @router.get("/projects/{project_id}/findings")
    @access_control(Permission.SCANS_READ)
    async def list_findings(self, project_id: Ulid, wanted: _FindingFilter, page: _Page) -> Envelope[list[FindingRead]]:
        """The findings of a project, newest first."""
        return listed(await self.findings.page(project_id, wanted, page))

    @router.get("/findings/{finding_id}")
    @access_control(Permission.SCANS_READ)
    async def read_finding(self, finding_id: Ulid) -> Envelope[FindingRead]:
        """One finding with its evidence."""
        return _answer(await self.findings.get(finding_id))

    @router.patch("/findings/{finding_id}")
    @access_control(Permission.SCANS_WRITE)
    async def decide_finding(
        self, finding_id: Ulid, body: FindingUpdate, tag: Annotated[str | None, Depends(if_match)]
    ) -> Envelope[FindingRead]:
        """Accepts a finding, or takes that back."""
        return _answer(await self.findings.decide(finding_id, body, tag))

    @router.get("/projects/{project_id}/endpoints/{endpoint_id}/test-runs")
    @access_control(Permission.SCANS_READ)
    async def list_endpoint_test_runs(
        self, project_id: Ulid, endpoint_id: Ulid, page: _Page, success: bool | None = None
    ) -> Envelope[list[TestRunRead]]:
        """The requests to one endpoint in all scans, the latest first."""
        wanted = TestRunFilter(success, endpoint_id)
        return listed(await self.scans.test_runs_of_endpoint(project_id, wanted, page))


def _answer(finding: FindingRead) -> Envelope[FindingRead]:
    return envelope(finding, etag=entity_tag(finding.updated_at))
