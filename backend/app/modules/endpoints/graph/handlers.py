"""What the graph does when it hears of something."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any, Final

from backend.app.core.errors import NotFound
from backend.app.core.message_hub import hub
from backend.app.core.runner import JobContext
from backend.app.modules.endpoints.events import DiscoveryCompleted, SourceRemoved
from backend.app.modules.endpoints.graph.derive import Graph, derive
from backend.app.modules.endpoints.graph.service import Changes, GraphService
from backend.app.modules.endpoints.looking.tools import watched
from backend.app.modules.projects.events import ProjectDeleted

_ROUNDS = 3
"""Until nothing differs: what an earlier discovery's job was about to store when it stopped may have come between."""
_MOST_SETTLED: Final = 1_000
_settled: dict[str, tuple[Any, ...]] = {}
"""The state of projects whose graph this process has brought up to date: deriving it again would change nothing."""


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
        before_all = await GraphService(context).state(project_id)
        if _settled.get(project_id) == before_all:
            return
        known = await GraphService(context).known(project_id)
    if known is None:
        graph = Graph()
    else:
        description, observed = known
        deriving = asyncio.to_thread(derive, description, observed.flows, observed.evidence)
        graph = await watched(deriving, partial(job.progress, 0, 1, "deriving the graph"))
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
            async with job.transaction(write=False) as context:
                _remember(project_id, before_all[0], await GraphService(context).state(project_id))
            break
    if done:
        async with job.transaction() as context:
            await GraphService(context).tell(project_id, graph, done)


def _remember(project_id: str, derived_from: str, state: tuple[Any, ...]) -> None:
    """`state` when nothing differed any more. An inventory that changed meanwhile is for the next job."""
    if state[0] == derived_from:
        _settled.pop(project_id, None)
        _settled[project_id] = state
        while len(_settled) > _MOST_SETTLED:
            del _settled[next(iter(_settled))]


@hub.on(ProjectDeleted, queue="long")
async def drop_graph(event: ProjectDeleted, job: JobContext) -> None:
    """In steps: a graph has many rows."""
    more = True
    while more:
        async with job.transaction() as context:
            more = await GraphService(context).forget_some(event.project_id)
