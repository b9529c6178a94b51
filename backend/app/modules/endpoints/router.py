"""Discovery and the inventory over HTTP."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from backend.app.core.etag import entity_tag, if_match
from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import DefaultResponse, Envelope, envelope, listed
from backend.app.core.schema import Line
from backend.app.core.views import access_control, view
from backend.app.modules.endpoints.dependencies import discovery_service, endpoint_filter, endpoint_service
from backend.app.modules.endpoints.graph.router import router as graph_router
from backend.app.modules.endpoints.inventory.exporting import ExportFormat
from backend.app.modules.endpoints.inventory.reconcile import MAX_SLOT
from backend.app.modules.endpoints.repository import EndpointFilter
from backend.app.modules.endpoints.schemas import (
    DiscoveryCreate,
    DiscoveryRead,
    DriftChange,
    EndpointRead,
    EndpointSummary,
    EndpointUpdate,
    SourceRead,
)
from backend.app.modules.endpoints.service import DiscoveryService, EndpointService
from backend.app.modules.endpoints.uploads.router import routers as upload_routers

router = APIRouter()
IfMatch: TypeAlias = Annotated[str | None, Depends(if_match)]


@view(router)
class EndpointViews:
    discoveries: Annotated[DiscoveryService, Depends(discovery_service)]
    endpoints: Annotated[EndpointService, Depends(endpoint_service)]

    @router.post("/projects/{project_id}/endpoints/scan", status_code=202)
    @access_control(Permission.ENDPOINTS_WRITE)
    async def start_discovery(self, project_id: Ulid, body: DiscoveryCreate | None = None) -> Envelope[DiscoveryRead]:
        """Starts to find out what the project's API offers; one discovery runs at a time."""
        return envelope(await self.discoveries.start(project_id, body or DiscoveryCreate()))

    @router.get("/projects/{project_id}/discoveries")
    @access_control(Permission.ENDPOINTS_READ)
    async def list_discoveries(
        self, project_id: Ulid, page: Annotated[PageRequest, Depends(page_request)]
    ) -> Envelope[list[DiscoveryRead]]:
        """The discoveries of a project, newest first."""
        return listed(await self.discoveries.page(project_id, page))

    @router.get("/discoveries/{discovery_id}")
    @access_control(Permission.ENDPOINTS_READ)
    async def read_discovery(self, discovery_id: Ulid) -> Envelope[DiscoveryRead]:
        """One discovery: what it found, or why it failed."""
        return envelope(await self.discoveries.get(discovery_id))

    @router.get("/discoveries/{discovery_id}/changes")
    @access_control(Permission.ENDPOINTS_READ)
    async def list_changes(
        self, discovery_id: Ulid, page: Annotated[PageRequest, Depends(page_request)]
    ) -> Envelope[list[DriftChange]]:
        """What a discovery found to differ from before, of what a client can notice, breaking changes first."""
        return listed(await self.discoveries.changes(discovery_id, page))

    @router.get("/projects/{project_id}/endpoints")
    @access_control(Permission.ENDPOINTS_READ)
    async def list_endpoints(
        self,
        project_id: Ulid,
        wanted: Annotated[EndpointFilter, Depends(endpoint_filter)],
        page: Annotated[PageRequest, Depends(page_request)],
    ) -> Envelope[list[EndpointSummary]]:
        """The inventory of a project, in the order of discovery."""
        return listed(await self.endpoints.page(project_id, wanted, page))

    @router.get(
        "/projects/{project_id}/endpoints/export",
        response_class=Response,
        responses={200: {"content": {each.media_type.partition(";")[0]: {} for each in ExportFormat}}},
    )
    @access_control(Permission.ENDPOINTS_READ)
    async def export_inventory(
        self, project_id: Ulid, wanted: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.OPENAPI
    ) -> Response:
        """The inventory as a file: an OpenAPI 3.1 document made of all sources, CSV, or JSON."""
        content = await self.endpoints.export(project_id, wanted)
        disposition = {"Content-Disposition": f'attachment; filename="{wanted.file_name}"'}
        return Response(content, media_type=wanted.media_type, headers=disposition)

    @router.get("/projects/{project_id}/endpoints/sources")
    @access_control(Permission.ENDPOINTS_READ)
    async def list_sources(
        self, project_id: Ulid, page: Annotated[PageRequest, Depends(page_request)]
    ) -> Envelope[list[SourceRead]]:
        """The sources of a project's inventory, by name."""
        return listed(await self.discoveries.sources(project_id, page))

    @router.delete("/projects/{project_id}/endpoints/sources")
    @access_control(Permission.ENDPOINTS_WRITE)
    async def forget_source(
        self, project_id: Ulid, slot: Annotated[Line, Query(min_length=1, max_length=MAX_SLOT)]
    ) -> Envelope[DefaultResponse]:
        """Takes a source away with all that it said; endpoints that nobody else vouches for are gone."""
        await self.discoveries.forget_source(project_id, slot)
        return envelope(DefaultResponse())

    @router.get("/projects/{project_id}/endpoints/{endpoint_id}")
    @access_control(Permission.ENDPOINTS_READ)
    async def read_endpoint(self, project_id: Ulid, endpoint_id: Ulid) -> Envelope[EndpointRead]:
        """One endpoint with its sources, parameters, body and answers."""
        return _tagged(await self.endpoints.get(project_id, endpoint_id))

    @router.patch("/projects/{project_id}/endpoints/{endpoint_id}")
    @access_control(Permission.ENDPOINTS_WRITE)
    async def update_endpoint(
        self, project_id: Ulid, endpoint_id: Ulid, body: EndpointUpdate, if_match: IfMatch
    ) -> Envelope[EndpointRead]:
        """Notes what people know of an endpoint; discoveries keep it."""
        return _tagged(await self.endpoints.update(project_id, endpoint_id, body, if_match))


def _tagged(endpoint: EndpointRead) -> Envelope[EndpointRead]:
    return envelope(endpoint, etag=entity_tag(endpoint.version))


routers = (router, graph_router, *upload_routers)
