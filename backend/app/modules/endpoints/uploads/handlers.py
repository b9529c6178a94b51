"""What uploads do when they hear of something, and when their time is over."""

from backend.app.core.context import ServiceContext
from backend.app.core.message_hub import hub
from backend.app.core.runner import JobContext, Sweep, sweeps
from backend.app.modules.endpoints.uploads.events import UploadDeleted
from backend.app.modules.endpoints.uploads.service import UploadService, expired_uploads
from backend.app.modules.projects.events import ProjectDeleted


@hub.on(UploadDeleted, queue="long")
async def drop_chunks(event: UploadDeleted, job: JobContext) -> None:
    """In short transactions: one for all would hold up every other writer on SQLite."""
    more = True
    while more:
        async with job.transaction() as context:
            more = await UploadService(context).remove_chunks(event.upload_id)


@hub.on(ProjectDeleted)
async def drop_uploads(event: ProjectDeleted, context: ServiceContext) -> None:
    await UploadService(context).forget_project(event.project_id)


@sweeps
async def expire_uploads(sweep: Sweep) -> None:
    async with sweep.transaction() as context:
        expired = await expired_uploads(context)
    for upload in expired:
        async with sweep.transaction(upload["workspace_id"]) as context:
            await UploadService(context).expire(upload)
