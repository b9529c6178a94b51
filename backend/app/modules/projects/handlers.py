"""What projects do when they hear of something."""

from backend.app.core.message_hub import hub
from backend.app.core.pagination import PageRequest
from backend.app.core.runner import JobContext
from backend.app.modules.auth.events import WorkspaceDeleted
from backend.app.modules.projects.git import handlers as git
from backend.app.modules.projects.repository import ProjectFilter
from backend.app.modules.projects.service import ProjectService

__all__ = ["git"]


@hub.on(WorkspaceDeleted, queue="long")
async def drop_projects(event: WorkspaceDeleted, job: JobContext) -> None:
    """One project in each transaction; who keeps rows of it hears `project.deleted`."""
    left = True
    while left:
        async with job.transaction() as context:
            projects = ProjectService(context)
            page = await projects.page(ProjectFilter(), PageRequest(limit=1))
            for project in page.rows:
                await projects.delete(project["id"], None)
            left = bool(page.rows)
