"""The rules of handling jobs by hand."""

from collections.abc import Sequence

from backend.app.core.context import ServiceContext
from backend.app.core.pagination import InvalidCursor, Page, PageRequest
from backend.app.core.runner import JobStopped
from backend.app.db import jobs
from backend.app.db.outbox import JobStatus
from backend.app.modules.jobs.events import JobRetried, JobStopAsked
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
            raise jobs.JobNotFound
        return JobRead.model_validate(row)

    async def of_event(self, event_id: str) -> Sequence[JobRead]:
        """The duties that follow from one event."""
        return [JobRead.model_validate(row) for row in await self._jobs.page(JobFilter(event_id=event_id), None, 100)]

    async def cancel(self, job_id: str) -> JobRead:
        """A pending job is cancelled at once, a running one at its next step.

        Raises `JobNotFound`, `JobNotCancellable`.
        """
        status = await jobs.cancel_job(self._context.session, self._context.workspace_id, job_id)
        job = await self.get(job_id)
        subject_type, subject_id = await self._jobs.subject(job_id)
        event = (
            JobStopAsked(job_id=job_id, project_id=job.project_id, handler=job.handler)
            if status is JobStatus.RUNNING
            else JobStopped(
                job_id=job_id,
                project_id=job.project_id,
                handler=job.handler,
                event_name=job.event_name,
                subject_type=subject_type,
                subject_id=subject_id,
            )
        )
        await self._context.hub.publish(event, self._context)
        return job

    async def retry(self, job_id: str) -> JobRead:
        """Makes a dead or cancelled job due again. Raises `JobNotFound`, `JobNotRetryable`."""
        row = await jobs.retry_job(self._context.session, self._context.workspace_id, job_id)
        job = await self.get(job_id)
        await self._context.hub.publish(
            JobRetried(job_id=job_id, project_id=job.project_id, handler=job.handler), self._context
        )
        self._context.hub.wake(self._context.session, [row])
        return job
