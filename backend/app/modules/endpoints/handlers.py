"""What discovery does when it hears of something."""

from backend.app.core.context import ServiceContext
from backend.app.core.errors import NotFound
from backend.app.core.message_hub import hub
from backend.app.core.runner import JobContext, JobDead, JobStopped
from backend.app.engine.credentials import LoginFailed, obtain_credentials
from backend.app.engine.generate.requests import Credentials
from backend.app.extensions.http_client import HttpClient
from backend.app.extensions.http_client.configure import DESCRIPTION_LIMITS, outgoing_policy
from backend.app.modules.endpoints.events import DiscoveryRequested
from backend.app.modules.endpoints.graph import handlers as graph
from backend.app.modules.endpoints.looking import failure, look
from backend.app.modules.endpoints.service import DiscoveryOrder, DiscoveryService
from backend.app.modules.endpoints.tools import Authorise, discovery_tools
from backend.app.modules.projects.events import ProjectDeleted

__all__ = ["graph"]


@hub.on(DiscoveryRequested, queue="long", attempts=3)
async def discover(event: DiscoveryRequested, job: JobContext) -> None:
    """Looks at the target between two short transactions."""
    await job.raise_if_cancelled()
    try:
        async with job.transaction() as context:
            order = await DiscoveryService(context).begin(event.discovery_id)
    except NotFound:
        return  # the project was deleted: its discoveries go when `drop_endpoints` hears of it
    if order is None:
        return
    async with HttpClient(outgoing_policy(job.settings), limits=DESCRIPTION_LIMITS) as client:
        tools = discovery_tools(client, _authorise(order, client), job.progress)
        try:
            parts = await look(order.subject, tools, order.strategies, order.endpoints, order.handed)
        except LoginFailed as error:
            async with job.transaction() as context:
                await DiscoveryService(context).fail(event.discovery_id, "discovery.login_failed", str(error))
            return
    await job.raise_if_cancelled()
    async with job.transaction() as context:
        service = DiscoveryService(context)
        if any(part.found for part in parts):
            await service.complete(event.discovery_id, parts)
        else:
            await service.fail(event.discovery_id, *failure(parts), parts=parts)


@hub.on(JobDead)
async def fail_discovery(event: JobDead, context: ServiceContext) -> None:
    if event.event_name == DiscoveryRequested.name:
        await DiscoveryService(context).fail(event.subject_id, "discovery.job_dead", event.error, retryable=True)


@hub.on(JobStopped)
async def cancel_discovery(event: JobStopped, context: ServiceContext) -> None:
    if event.event_name == DiscoveryRequested.name:
        await DiscoveryService(context).cancel(event.subject_id)


@hub.on(ProjectDeleted)
async def drop_endpoints(event: ProjectDeleted, context: ServiceContext) -> None:
    await DiscoveryService(context).forget_project(event.project_id)


def _authorise(order: DiscoveryOrder, client: HttpClient) -> Authorise:
    """The project's credentials go to the origin of its target and nowhere else; a login step is performed when they
    are first needed."""
    auth = order.auth
    obtained: Credentials | None = None

    async def authorise(url: str) -> Credentials:
        nonlocal obtained
        if not auth.may_go_to(url):
            return Credentials()
        if obtained is None:
            obtained = await obtain_credentials(auth.kind, auth.values, order.base_url, client.send)
        return obtained

    return authorise
