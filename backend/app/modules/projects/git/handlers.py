"""What git sources do when they hear of something."""

from typing import Final

from backend.app.core.message_hub import hub
from backend.app.core.runner import JobContext
from backend.app.modules.projects.events import ProjectDeleted
from backend.app.modules.projects.git.events import GitSourceDeleted
from backend.app.modules.projects.git.service import remove_left_webhooks

ATTEMPTS: Final = 8
"""Some four minutes, for a provider that is away."""


@hub.on(GitSourceDeleted, queue="outgoing", attempts=ATTEMPTS)
async def remove_webhook(event: GitSourceDeleted, job: JobContext) -> None:
    await remove_left_webhooks(job, event.project_id, event.git_source_id, patient=job.attempt < ATTEMPTS)


@hub.on(ProjectDeleted, queue="outgoing", attempts=ATTEMPTS)
async def remove_webhooks(event: ProjectDeleted, job: JobContext) -> None:
    await remove_left_webhooks(job, event.project_id, patient=job.attempt < ATTEMPTS)
