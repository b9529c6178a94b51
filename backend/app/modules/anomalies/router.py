"""Anomalies over HTTP."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends

from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, envelope, listed
from backend.app.core.views import access_control, view
from backend.app.modules.anomalies.dependencies import anomaly_filter, anomaly_service
from backend.app.modules.anomalies.repository import AnomalyFilter
from backend.app.modules.anomalies.schemas import AnomalyRead
from backend.app.modules.anomalies.service import AnomalyService

router = APIRouter()

_Page: TypeAlias = Annotated[PageRequest, Depends(page_request)]
_Filter: TypeAlias = Annotated[AnomalyFilter, Depends(anomaly_filter)]


@view(router)
class AnomalyViews:
    anomalies: Annotated[AnomalyService, Depends(anomaly_service)]

    @router.get("/projects/{project_id}/anomalies")
    @access_control(Permission.ANOMALIES_READ)
    async def list_anomalies(self, project_id: Ulid, page: _Page, wanted: _Filter) -> Envelope[list[AnomalyRead]]:
        """What looked unlike itself in the scans of a project, newest first."""
        return listed(await self.anomalies.page(project_id, wanted, page))

    @router.get("/scans/{scan_id}/anomalies")
    @access_control(Permission.ANOMALIES_READ)
    async def list_scan_anomalies(self, scan_id: Ulid, page: _Page, wanted: _Filter) -> Envelope[list[AnomalyRead]]:
        """What looked unlike itself in one scan."""
        return listed(await self.anomalies.page_of_scan(scan_id, wanted, page))

    @router.get("/anomalies/{anomaly_id}")
    @access_control(Permission.ANOMALIES_READ)
    async def read_anomaly(self, anomaly_id: Ulid) -> Envelope[AnomalyRead]:
        """One verdict, with the band that would have been usual and the reason in words."""
        return envelope(await self.anomalies.get(anomaly_id))
