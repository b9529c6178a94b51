"""Uploads over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import DefaultResponse, Envelope, Problem, envelope, listed
from backend.app.core.views import access_control, view
from backend.app.modules.endpoints.uploads.dependencies import reception, upload_service
from backend.app.modules.endpoints.uploads.receiving import Reception
from backend.app.modules.endpoints.uploads.schemas import UploadRead
from backend.app.modules.endpoints.uploads.service import UploadService

router = APIRouter()
_receiving = APIRouter()

_FILE: dict[str, Any] = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/octet-stream": {"schema": _FILE},
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]},
        },
    },
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
    }
    for status, description in ((408, "The file came too slowly"), (507, "There is no space left for the file"))
}


@view(router)
class UploadViews:
    uploads: Annotated[UploadService, Depends(upload_service)]

    @router.get("/projects/{project_id}/endpoints/uploads")
    @access_control(Permission.ENDPOINTS_READ)
    async def list_uploads(
        self, project_id: Ulid, page: Annotated[PageRequest, Depends(page_request)]
    ) -> Envelope[list[UploadRead]]:
        """The files that were handed in for discovery and are there still, newest first."""
        return listed(await self.uploads.page(project_id, page))

    @router.get("/projects/{project_id}/endpoints/uploads/{upload_id}")
    @access_control(Permission.ENDPOINTS_READ)
    async def read_upload(self, project_id: Ulid, upload_id: Ulid) -> Envelope[UploadRead]:
        """What is known of a file that was handed in; its bytes are given to nobody but the discovery."""
        return envelope(await self.uploads.get(project_id, upload_id))

    @router.delete("/projects/{project_id}/endpoints/uploads/{upload_id}")
    @access_control(Permission.ENDPOINTS_WRITE)
    async def delete_upload(self, project_id: Ulid, upload_id: Ulid) -> Envelope[DefaultResponse]:
        """Deletes a file that was handed in."""
        await self.uploads.delete(project_id, upload_id)
        return envelope(DefaultResponse())


@view(_receiving)
class ReceivingViews:
    reception: Annotated[Reception, Depends(reception)]

    @_receiving.post(
        "/projects/{project_id}/endpoints/uploads",
        status_code=201,
        responses=_REFUSALS,
        openapi_extra={"requestBody": _BODY},
    )
    @access_control(Permission.ENDPOINTS_WRITE, replayable=False)
    async def upload_file(
        self,
        project_id: Ulid,
        request: Request,
        name: Annotated[str, Query(max_length=1000, description="What the file is called, to be shown.")] = "",
    ) -> Envelope[UploadRead]:
        """Hands in a file for discovery: a spec, a capture of traffic, or an archive of source code (ZIP, tar). What it
        is, its content tells. It is kept until a discovery has read it, for 24 hours at most."""
        return envelope(await self.reception.receive(project_id, name, request))


routers = (router, _receiving)
