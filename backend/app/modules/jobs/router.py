"""Jobs over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, envelope, listed
from backend.app.core.views import access_control, view
from backend.app.db.outbox import JobStatus
from backend.app.modules.jobs.dependencies import job_service
from backend.app.modules.jobs.repository import JobFilter
from backend.app.modules.jobs.schemas import JobRead
from backend.app.modules.jobs.service import JobService

router = APIRouter()

_Name = Annotated[str | None, Query(max_length=100, pattern=r"^[A-Za-z0-9_.-]+$")]


@view(router)
class JobViews:
    jobs: Annotated[JobService, Depends(job_service)]

    @router.get("/jobs")
    @access_control(Permission.JOBS_READ)
    async def list_jobs(
        self,
        page: Annotated[PageRequest, Depends(page_request)],
        status: JobStatus | None = None,
        queue: _Name = None,
        handler: _Name = None,
        event_id: Ulid | None = None,
        project_id: Ulid | None = None,
    ) -> Envelope[list[JobRead]]:
        """The jobs of the workspace, newest first."""
        return listed(await self.jobs.page(JobFilter(status, queue, handler, event_id, project_id), page))

    @router.get("/jobs/{job_id}")
    @access_control(Permission.JOBS_READ)
    async def read_job(self, job_id: Ulid) -> Envelope[JobRead]:
        """One job with its progress."""
        return envelope(await self.jobs.get(job_id))

    @router.post("/jobs/{job_id}/cancel", status_code=202)
    @access_control(Permission.JOBS_WRITE)
    async def cancel_job(self, job_id: Ulid) -> Envelope[JobRead]:
        """A pending job is cancelled at once; a running one at its next step."""
        return envelope(await self.jobs.cancel(job_id))

    @router.post("/jobs/{job_id}/retry", status_code=202)
    @access_control(Permission.JOBS_WRITE)
    async def retry_job(self, job_id: Ulid) -> Envelope[JobRead]:
        """Makes a dead or cancelled job due again."""
        return envelope(await self.jobs.retry(job_id))
