"""What discovery does when it hears of something."""

from urllib.parse import urlsplit

from backend.app.core.context import ServiceContext
from backend.app.core.message_hub import hub
from backend.app.core.runner import JobContext, JobDead, JobStopped
from backend.app.engine.credentials import static_credentials
from backend.app.engine.generate.requests import Credentials
from backend.app.engine.http import Exchange, Request
from backend.app.engine.spec.limits import DEFAULT_LIMITS
from backend.app.engine.spec.model import SpecError
from backend.app.extensions.http_client import HttpClient, HttpLimits
from backend.app.extensions.http_client.configure import outgoing_policy
from backend.app.extensions.sandbox import read_description
from backend.app.modules.endpoints.discovery import Fetch, NothingDiscovered, strategies
from backend.app.modules.endpoints.events import DiscoveryRequested
from backend.app.modules.endpoints.service import DiscoveryOrder, DiscoveryService
from backend.app.modules.projects.events import ProjectDeleted

LIMITS = HttpLimits(deadline_s=30.0, max_body_bytes=DEFAULT_LIMITS.bytes)
"""A description may be larger and slower than what it describes."""


@hub.on(DiscoveryRequested, queue="long", attempts=3)
async def discover(event: DiscoveryRequested, job: JobContext) -> None:
    """Looks at the target between two short transactions."""
    await job.raise_if_cancelled()
    async with job.transaction() as context:
        order = await DiscoveryService(context).begin(event.discovery_id)
    if order is None:
        return
    try:
        credentials = static_credentials(order.auth.kind, order.auth.values)
        names = [name for name, _ in credentials.headers]
        async with HttpClient(outgoing_policy(job.settings), limits=LIMITS, credential_headers=names) as client:
            look = strategies.get(order.strategy)
            found = await look(order.subject, _fetch(client, order, credentials), read_description)
    except (SpecError, NothingDiscovered) as error:
        async with job.transaction() as context:
            await DiscoveryService(context).fail(event.discovery_id, error.code, error.message, error.where)
        return
    await job.raise_if_cancelled()
    async with job.transaction() as context:
        await DiscoveryService(context).complete(event.discovery_id, found)


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


def _fetch(client: HttpClient, order: DiscoveryOrder, credentials: Credentials) -> Fetch:
    """The project's credentials go to the origin of its target and nowhere else. Those of a query stay at home: the URL
    is kept as the place of the description."""

    async def fetch(url: str) -> Exchange:
        headers = credentials.headers if _origin(url) == _origin(order.target) else ()
        return await client.send(Request("GET", url, headers), follow_redirects=True)

    return fetch


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
