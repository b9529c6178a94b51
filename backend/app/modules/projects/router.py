"""Projects over HTTP."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends

from backend.app.core.etag import entity_tag, if_match
from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import DefaultResponse, Envelope, envelope, listed
from backend.app.core.views import access_control, view
from backend.app.modules.projects.dependencies import project_filter, project_service
from backend.app.modules.projects.git.router import delivery_router as git_delivery_router
from backend.app.modules.projects.git.router import router as git_router
from backend.app.modules.projects.repository import ProjectFilter
from backend.app.modules.projects.schemas import ProjectCreate, ProjectRead, ProjectUpdate
from backend.app.modules.projects.service import ProjectService

router = APIRouter()

IfMatch: TypeAlias = Annotated[str | None, Depends(if_match)]


@view(router)
class ProjectViews:
    projects: Annotated[ProjectService, Depends(project_service)]

    @router.post("/projects", status_code=201)
    @access_control(Permission.PROJECTS_WRITE)
    async def create_project(self, body: ProjectCreate) -> Envelope[ProjectRead]:
        """Creates a project; the credentials of its target are kept encrypted."""
        return _answer(await self.projects.create(body))

    @router.get("/projects")
    @access_control(Permission.PROJECTS_READ)
    async def list_projects(
        self,
        page: Annotated[PageRequest, Depends(page_request)],
        wanted: Annotated[ProjectFilter, Depends(project_filter)],
    ) -> Envelope[list[ProjectRead]]:
        """The projects of the workspace, newest first."""
        return listed(await self.projects.page(wanted, page))

    @router.get("/projects/{project_id}")
    @access_control(Permission.PROJECTS_READ)
    async def read_project(self, project_id: Ulid) -> Envelope[ProjectRead]:
        """One project with its statistics."""
        return _answer(await self.projects.get(project_id))

    @router.patch("/projects/{project_id}")
    @access_control(Permission.PROJECTS_WRITE)
    async def update_project(self, project_id: Ulid, body: ProjectUpdate, tag: IfMatch) -> Envelope[ProjectRead]:
        """Changes the fields that are sent; `status` archives or activates."""
        return _answer(await self.projects.update(project_id, body, tag))

    @router.delete("/projects/{project_id}")
    @access_control(Permission.PROJECTS_WRITE)
    async def delete_project(self, project_id: Ulid, tag: IfMatch) -> Envelope[DefaultResponse]:
        """Deletes a project with everything in it."""
        await self.projects.delete(project_id, tag)
        return envelope(DefaultResponse())


def _answer(project: ProjectRead) -> Envelope[ProjectRead]:
    return envelope(project, etag=entity_tag(project.version))


routers = (router, git_router, git_delivery_router)
"""Of this module and of its parts."""
