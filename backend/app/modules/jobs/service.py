"""The rules of handling jobs by hand."""

from backend.app.core.context import ServiceContext
from backend.app.core.pagination import InvalidCursor, Page, PageRequest
from backend.app.db import outbox
from backend.app.modules.jobs.errors import JobNotCancellable, JobNotFound, JobNotRetryable
from backend.app.modules.jobs.events import JobCancelled, JobRetried
from backend.app.modules.jobs.repository import JobFilter, JobRepository
from backend.app.modules.jobs.schemas import JobRead


class JobService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._jobs = JobRepository(context.session, context.workspace_id)

    async def page(self, wanted: JobFilter, request: PageRequest) -> Page[JobRead]:
        """Raises `InvalidCursor`."""
        before = request.after()
        if isinstance(before, int):
            raise InvalidCursor
        return request.page(await self._jobs.page(wanted, before, request.limit + 1), "id")

    async def get(self, job_id: str) -> JobRead:
        """Raises `JobNotFound`."""
        row = await self._jobs.get(job_id)
        if row is None:
            raise JobNotFound
        return JobRead.model_validate(row)

    async def cancel(self, job_id: str) -> JobRead:
        """Raises `JobNotFound`, `JobNotCancellable`."""
        job = await self.get(job_id)
        if not await outbox.cancel_job(self._context.session, job_id):
            raise JobNotCancellable
        await self._context.hub.publish(
            JobCancelled(job_id=job_id, project_id=job.project_id, handler=job.handler), self._context
        )
        return await self.get(job_id)

    async def retry(self, job_id: str) -> JobRead:
        """Raises `JobNotFound`, `JobNotRetryable`."""
        job = await self.get(job_id)
        if not await outbox.retry_job(self._context.session, job_id):
            raise JobNotRetryable
        await self._context.hub.publish(
            JobRetried(job_id=job_id, project_id=job.project_id, handler=job.handler), self._context
        )
        return await self.get(job_id)
