"""What the graph does when it hears of something."""

import asyncio

from backend.app.core.message_hub import hub
from backend.app.core.runner import JobContext
from backend.app.modules.endpoints.events import DiscoveryCompleted
from backend.app.modules.endpoints.graph.derive import Graph, derive
from backend.app.modules.endpoints.graph.service import Changes, GraphService
from backend.app.modules.projects.events import ProjectDeleted

_ROUNDS = 3
"""Until nothing differs: what an earlier discovery's job was about to store when it stopped may have come between."""


@hub.on(DiscoveryCompleted, queue="long", attempts=3)
async def derive_graph(event: DiscoveryCompleted, job: JobContext) -> None:
    """Derives beside the event loop, and stores what differs in short transactions. Of several discoveries the latest
    one counts: an earlier one stops where it stands."""
    project_id = event.project_id
    if project_id is None:
        return
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
                    if not await GraphService(context).apply(project_id, event.discovery_id, step):
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
