"""What the graph does when it hears of something."""

import asyncio
from contextlib import suppress

from backend.app.core.errors import NotFound
from backend.app.core.message_hub import hub
from backend.app.core.runner import JobContext
from backend.app.modules.endpoints.events import DiscoveryCompleted, SourceRemoved
from backend.app.modules.endpoints.graph.derive import Graph, derive
from backend.app.modules.endpoints.graph.service import Changes, GraphService
from backend.app.modules.projects.events import ProjectDeleted

_ROUNDS = 3
"""Until nothing differs: what an earlier discovery's job was about to store when it stopped may have come between."""


@hub.on(DiscoveryCompleted, queue="long", attempts=3)
async def derive_graph(event: DiscoveryCompleted, job: JobContext) -> None:
    if event.project_id is not None:
        await _derive(event.project_id, event.discovery_id, job)


@hub.on(SourceRemoved, queue="long", attempts=3)
async def derive_graph_without(event: SourceRemoved, job: JobContext) -> None:
    """As the latest discovery would: one that completes meanwhile brings the graph up to date itself."""
    if event.project_id is None:
        return
    with suppress(NotFound):  # the project was deleted meanwhile
        async with job.transaction(write=False) as context:
            latest = await GraphService(context).latest_discovery(event.project_id)
        await _derive(event.project_id, latest or job.job_id, job)


async def _derive(project_id: str, discovery_id: str, job: JobContext) -> None:
    """Derives beside the event loop, and stores what differs in short transactions. Of several discoveries the latest
    one counts: an earlier one stops where it stands."""
    async with job.transaction(write=False) as context:
        known = await GraphService(context).known(project_id)
    if known is None:
        graph = Graph()
    else:
        description, observed = known
        graph = await asyncio.to_thread(derive, description, observed.flows, observed.evidence)
    done: list[Changes] = []
    for _ in range(_ROUNDS):
        before = len(done)
        for changes_of in (GraphService.entity_changes, GraphService.relationship_changes):
            async with job.transaction(write=False) as context:
                steps = (await changes_of(GraphService(context), project_id, graph)).batches()
            for number, step in enumerate(steps, 1):
                async with job.transaction() as context:
                    if not await GraphService(context).apply(project_id, discovery_id, step):
                        return
                done.append(step)
                await job.progress(number, len(steps), f"storing the graph, {step.model.__tablename__}")
        if len(done) == before:
            break
    if done:
        async with job.transaction() as context:
            await GraphService(context).tell(project_id, graph, done)


@hub.on(ProjectDeleted, queue="long")
async def drop_graph(event: ProjectDeleted, job: JobContext) -> None:
    """In steps: a graph has many rows."""
    more = True
    while more:
        async with job.transaction() as context:
            more = await GraphService(context).forget_some(event.project_id)
