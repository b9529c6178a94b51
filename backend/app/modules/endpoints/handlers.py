"""What discovery does when it hears of something."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from backend.app.core.context import ServiceContext
from backend.app.core.errors import Conflict, NotFound
from backend.app.core.message_hub import hub
from backend.app.core.runner import JobContext, JobDead, JobStopped, Sweep, sweeps
from backend.app.core.settings import Settings
from backend.app.engine.credentials import LoginFailed, obtain_credentials
from backend.app.engine.generate.requests import Credentials
from backend.app.extensions.http_client import HttpClient
from backend.app.extensions.http_client.configure import DESCRIPTION_LIMITS, outgoing_policy
from backend.app.extensions.scratch import remove_abandoned
from backend.app.modules.endpoints.errors import DiscoveryAlreadyRunning
from backend.app.modules.endpoints.events import DiscoveryRequested
from backend.app.modules.endpoints.graph import handlers as graph
from backend.app.modules.endpoints.inventory.reconcile import Endpoint
from backend.app.modules.endpoints.looking.gathering import gathered
from backend.app.modules.endpoints.looking.look import Part, failure, look
from backend.app.modules.endpoints.looking.tools import Authorise, discovery_tools, watched
from backend.app.modules.endpoints.service import SOURCE, DiscoveryOrder, DiscoveryService, Prepared
from backend.app.modules.endpoints.uploads import handlers as uploads
from backend.app.modules.projects.events import ProjectDeleted
from backend.app.modules.projects.git.events import GitPushed, GitSourceDeleted

__all__ = ["graph", "uploads"]

log = structlog.get_logger(module_id="endpoints")


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
    subject, project_id = order.subject, order.project_id
    async with (
        HttpClient(outgoing_policy(job.settings), limits=DESCRIPTION_LIMITS) as client,
        gathered(subject, project_id, order.uploads, order.git_sources, job) as got,
    ):
        tools = discovery_tools(
            client,
            _authorise(order, client),
            job.progress,
            cache=_facts_of(project_id, job.settings),
            rate=job.settings.http.discovery_rate,
        )
        handed = replace(got.subject, base_url="", spec_url=order.spec_url) if order.handed else None
        try:
            found = await look(
                got.subject, tools, order.strategies, handed=handed, endpoints=partial(_known, project_id, job)
            )
        except LoginFailed as error:
            async with job.transaction() as context:
                await DiscoveryService(context).fail(event.discovery_id, "discovery.login_failed", str(error))
            return
        parts = got.told(found)
    with suppress(NotFound):  # the project was deleted meanwhile
        if not any(part.found for part in parts):
            async with job.transaction() as context:
                await DiscoveryService(context).fail(event.discovery_id, *failure(parts), parts=parts)
            return
        tell = partial(job.progress, 0, 1, "comparing with what is known")
        prepared = await watched(_prepared(project_id, parts, job), tell)
        await job.progress(1, 1, "storing what was found")
        async with job.transaction() as context:
            service = DiscoveryService(context)
            await service.complete(event.discovery_id, prepared, order)
            await service.note_read(order, got.commits, got.read_uploads(found))


async def _known(project_id: str, job: JobContext) -> list[Endpoint]:
    async with job.transaction(write=False) as context:
        return await DiscoveryService(context).known(project_id)


async def _prepared(project_id: str, parts: Sequence[Part], job: JobContext) -> Prepared:
    async with job.transaction(write=False) as context:
        return await DiscoveryService(context).prepare(project_id, parts)


@hub.on(GitPushed)
async def rescan_source(event: GitPushed, context: ServiceContext) -> None:
    try:
        await DiscoveryService(context).rescan(event.project_id, event.git_source_id)
    except DiscoveryAlreadyRunning:
        raise  # it began in this moment: the job is tried again
    except (NotFound, Conflict):
        return  # the project or the source is gone, or the project archived


@hub.on(GitSourceDeleted)
async def forget_git_source(event: GitSourceDeleted, context: ServiceContext) -> None:
    with suppress(NotFound):
        await DiscoveryService(context).forget_source(event.project_id, f"{SOURCE}:{event.git_source_id}")


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
    _facts_of(event.project_id, context.settings).unlink(missing_ok=True)


@sweeps
async def remove_scratch(sweep: Sweep) -> None:
    """What discoveries and uploads of processes that were killed left on the disk."""
    if removed := await asyncio.to_thread(remove_abandoned):
        log.warning("scratch.removed", folders=removed)


def _facts_of(project_id: str, settings: Settings) -> Path:
    """Facts of its source code, which the next discovery on this machine need not read again."""
    return settings.storage.data_dir / "source-facts" / project_id


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
