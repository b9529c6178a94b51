"""Git sources over HTTP, and where providers deliver to."""

from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from backend.app.core.etag import entity_tag, if_match
from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import PROBLEM_RESPONSES, DefaultResponse, Envelope, envelope, listed
from backend.app.core.views import PUBLIC, access_control, view
from backend.app.modules.projects.git.dependencies import delivery_service, git_service, git_setup
from backend.app.modules.projects.git.providers.base import Delivery
from backend.app.modules.projects.git.schemas import (
    GitSourceCreate,
    GitSourceRead,
    GitSourceUpdate,
    GitSourceWithSecret,
)
from backend.app.modules.projects.git.service import DeliveryService, GitService, GitSetup, Taken

router = APIRouter()
delivery_router = APIRouter()

Sources: TypeAlias = Annotated[GitService, Depends(git_service)]
"""Of single methods: on the class it would open a transaction for those, too, that ask somebody."""
Setup: TypeAlias = Annotated[GitSetup, Depends(git_setup)]
IfMatch: TypeAlias = Annotated[str | None, Depends(if_match)]
Ask: TypeAlias = Annotated[
    bool, Query(alias="validate", description="Whether the repository has to answer now, and to have the branch.")
]
_NOT_STORED: Final = {"Cache-Control": "no-store"}
_FAULTY: Final[dict[int | str, dict[str, Any]]] = {
    502: {**PROBLEM_RESPONSES["503"], "description": "The provider does not answer as it should"}
}
_STATUS: Final = {Taken.PUSHED: 202, Taken.REPEATED: 200, Taken.PINGED: 200, Taken.PASSED_OVER: 204}
_TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A ping, or a delivery that came before"},
    202: {"description": "A push to the branch of the source"},
    204: {"description": "Nothing that matters here"},
}


@view(router)
class GitSourceViews:
    @router.post("/projects/{project_id}/git-sources", status_code=201)
    @access_control(Permission.PROJECTS_WRITE, replayable=False)
    async def create_git_source(
        self, project_id: Ulid, body: GitSourceCreate, setup: Setup, ask: Ask = True
    ) -> Envelope[GitSourceWithSecret]:
        """Adds a repository to a project; its credential is kept encrypted. Answers the secret that deliveries of
        webhooks are signed with, once."""
        source = await setup.create(project_id, body, ask=ask)
        return envelope(source, etag=entity_tag(source.version), headers=_NOT_STORED)

    @router.get("/projects/{project_id}/git-sources")
    @access_control(Permission.PROJECTS_READ)
    async def list_git_sources(
        self, project_id: Ulid, sources: Sources, page: Annotated[PageRequest, Depends(page_request)]
    ) -> Envelope[list[GitSourceRead]]:
        """The repositories of a project, newest first."""
        return listed(await sources.page(project_id, page))

    @router.get("/projects/{project_id}/git-sources/{git_source_id}")
    @access_control(Permission.PROJECTS_READ)
    async def read_git_source(self, project_id: Ulid, git_source_id: Ulid, sources: Sources) -> Envelope[GitSourceRead]:
        """One repository of a project."""
        return _answer(await sources.get(project_id, git_source_id))

    @router.patch("/projects/{project_id}/git-sources/{git_source_id}")
    @access_control(Permission.PROJECTS_WRITE)
    async def update_git_source(
        self, project_id: Ulid, git_source_id: Ulid, body: GitSourceUpdate, setup: Setup, tag: IfMatch, ask: Ask = True
    ) -> Envelope[GitSourceRead]:
        """Changes the fields that are sent."""
        return _answer(await setup.update(project_id, git_source_id, body, tag, ask=ask))

    @router.delete("/projects/{project_id}/git-sources/{git_source_id}")
    @access_control(Permission.PROJECTS_WRITE)
    async def delete_git_source(
        self, project_id: Ulid, git_source_id: Ulid, sources: Sources, tag: IfMatch
    ) -> Envelope[DefaultResponse]:
        """Takes a repository off a project. A webhook that was registered at the provider is removed there by a job."""
        await sources.delete(project_id, git_source_id, tag)
        return envelope(DefaultResponse())

    @router.post("/projects/{project_id}/git-sources/{git_source_id}/webhook-secret")
    @access_control(Permission.PROJECTS_WRITE, replayable=False)
    async def rotate_webhook_secret(
        self, project_id: Ulid, git_source_id: Ulid, sources: Sources
    ) -> Envelope[GitSourceWithSecret]:
        """Makes another secret for deliveries, and answers it, once. The one before is good for 24 hours."""
        source = await sources.rotate_secret(project_id, git_source_id)
        return envelope(source, etag=entity_tag(source.version), headers=_NOT_STORED)

    @router.post("/projects/{project_id}/git-sources/{git_source_id}/webhook", responses=_FAULTY)
    @access_control(Permission.PROJECTS_WRITE, replayable=False)
    async def register_git_webhook(
        self, project_id: Ulid, git_source_id: Ulid, setup: Setup
    ) -> Envelope[GitSourceRead]:
        """Registers the webhook at the provider, or brings it up to date, with the credential of the source."""
        return _answer(await setup.register_webhook(project_id, git_source_id))

    @router.delete("/projects/{project_id}/git-sources/{git_source_id}/webhook", responses=_FAULTY)
    @access_control(Permission.PROJECTS_WRITE)
    async def remove_git_webhook(self, project_id: Ulid, git_source_id: Ulid, setup: Setup) -> Envelope[GitSourceRead]:
        """Removes the webhook at the provider."""
        return _answer(await setup.remove_webhook(project_id, git_source_id))


@view(delivery_router)
class DeliveryViews:
    deliveries: Annotated[DeliveryService, Depends(delivery_service)]

    @delivery_router.post("/git/webhooks/{git_source_id}", status_code=202, response_class=Response, responses=_TAKEN)
    @access_control(PUBLIC)
    async def receive_git_webhook(self, request: Request, git_source_id: Ulid) -> Response:
        """Where GitHub, GitLab and Bitbucket deliver to: signed with the secret of the source, about a push to its
        branch."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        taken = await self.deliveries.receive(git_source_id, Delivery(headers, await request.body()))
        return Response(status_code=_STATUS[taken])


def _answer(source: GitSourceRead) -> Envelope[GitSourceRead]:
    return envelope(source, etag=entity_tag(source.version))
