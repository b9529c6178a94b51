"""What anomalies do when they hear of something."""

import asyncio

from backend.app.core.context import ServiceContext
from backend.app.core.message_hub import hub
from backend.app.core.runner import JobContext
from backend.app.modules.anomalies.service import AnomalyService, judge
from backend.app.modules.projects.events import ProjectDeleted
from backend.app.modules.scans.events import ScanCompleted


@hub.on(ScanCompleted, queue="long")
async def judge_scan(event: ScanCompleted, job: JobContext) -> None:
    """Detectors may be slow: they run beside the loop, and between two transactions."""
    project_id = str(event.project_id)
    async with job.transaction(write=False) as context:
        anomalies = AnomalyService(context)
        series = await anomalies.series(project_id, event.scan_id, event.scan_type)
    judgements = await asyncio.to_thread(judge, series, anomalies.sensitivity)
    async with job.transaction() as context:
        await AnomalyService(context).record(project_id, event.scan_id, judgements)


@hub.on(ProjectDeleted)
async def drop_anomalies(event: ProjectDeleted, context: ServiceContext) -> None:
    await AnomalyService(context).forget_project(event.project_id)
