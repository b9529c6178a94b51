"""What scans do when they hear of something."""

import time

import structlog

from backend.app.core.context import ServiceContext
from backend.app.core.errors import NotFound, Unavailable
from backend.app.core.message_hub import hub
from backend.app.core.runner import JobCancelled, JobContext, JobDead, JobStopped
from backend.app.engine import scan as engine
from backend.app.engine.credentials import LoginFailed, obtain_credentials
from backend.app.engine.findings import Finding
from backend.app.engine.scan import ScanPlan, TestRun
from backend.app.extensions.http_client import HttpClient
from backend.app.extensions.http_client.configure import http_limits, outgoing_policy
from backend.app.modules.projects.events import ProjectDeleted
from backend.app.modules.scans.events import ScanRequested
from backend.app.modules.scans.service import ScanService
from backend.app.modules.scans.sweep.order import ScanOrder
from backend.app.modules.scans.sweep.tally import Tally

log = structlog.get_logger(module_id="scans")

BATCH = 100
"""Test runs stored at once: converting more would hold the event loop up for longer than latencies may be off."""
FLUSH_S = 1.0


@hub.on(ScanRequested, queue="long", attempts=3)
async def run_scan(event: ScanRequested, job: JobContext) -> None:
    """Begins from nothing at each attempt; the effects of one scan are recorded once, by the attempt that ends it."""
    await job.raise_if_cancelled()
    try:
        async with job.transaction() as context:
            order = await ScanService(context).begin(event.scan_id)
    except NotFound:
        return  # the project was deleted: its scans go when `drop_scans` hears of it
    if order is None:
        return
    recorder = _Recorder(job, order)
    client = HttpClient(
        outgoing_policy(job.settings),
        limits=http_limits(job.settings),
        max_connections=max(order.limits.concurrency, 1),
        resend_stale=True,
    )
    async with client:
        auth = order.auth
        try:
            credentials = await obtain_credentials(auth.kind, auth.values, order.base_url, client.send)
        except LoginFailed as error:
            async with job.transaction() as context:
                await ScanService(context).fail(order.scan_id, "scan.login_failed", str(error))
            return
        plan = ScanPlan(
            order.inventory.description,
            order.base_url,
            order.scan_type,
            credentials=credentials,
            seed=order.seed,
            limits=order.limits,
        )
        result = await engine.run_scan(plan, client.send, observer=recorder)
    await recorder.flush()
    if result.internal_errors:
        log.warning("scan.internal_errors", scan_id=order.scan_id, errors=result.internal_errors)
    async with job.transaction() as context:
        await ScanService(context).settle(order, result, recorder.tally)
    await job.raise_if_cancelled()


@hub.on(JobDead)
async def fail_scan(event: JobDead, context: ServiceContext) -> None:
    if event.event_name == ScanRequested.name:
        await ScanService(context).fail(event.subject_id, "scan.job_dead", event.error)


@hub.on(JobStopped)
async def cancel_scan(event: JobStopped, context: ServiceContext) -> None:
    if event.event_name == ScanRequested.name:
        await ScanService(context).stop(event.subject_id)


@hub.on(ProjectDeleted)
async def drop_scans(event: ProjectDeleted, context: ServiceContext) -> None:
    await ScanService(context).forget_project(event.project_id)


class _Recorder:
    """The engine's observer: stores test runs in batches, says how far the scan is, hears when it shall stop."""

    def __init__(self, job: JobContext, order: ScanOrder) -> None:
        self.tally = Tally()
        self.cancelled = False
        self._stopped = False
        self._job = job
        self._order = order
        self._waiting: list[TestRun] = []
        self._flushed_at = time.monotonic()
        self._done = self._total = 0

    async def test_run(self, run: TestRun) -> None:
        self.tally.add(run)
        self._waiting.append(run)
        if len(self._waiting) >= BATCH:
            await self._try_to_flush()

    async def finding(self, finding: Finding) -> None:
        """Findings are recorded when the scan ends: only then it is known how often each was seen."""

    async def progress(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        try:
            await self._job.progress(done, total, f"{done} of {total} requests")
        except JobCancelled:
            self.cancelled = True
        except Unavailable as error:
            log.warning("scan.progress_not_stored", scan_id=self._order.scan_id, error=str(error))
        if time.monotonic() - self._flushed_at >= FLUSH_S:
            await self._try_to_flush()

    async def should_stop(self) -> bool:
        return self.cancelled or self._stopped

    async def flush(self) -> None:
        runs, self._waiting = self._waiting, []
        self._flushed_at = time.monotonic()
        try:
            async with self._job.transaction() as context:
                if not await ScanService(context).record(self._order, runs, self._done, self._total):
                    self._stopped = True
        except Unavailable:
            self._waiting = runs + self._waiting
            raise

    async def _try_to_flush(self) -> None:
        """A database that is busy for a moment does not end a scan: the runs wait for the next flush."""
        try:
            await self.flush()
        except Unavailable as error:
            log.warning("scan.test_runs_not_stored", scan_id=self._order.scan_id, error=str(error))
