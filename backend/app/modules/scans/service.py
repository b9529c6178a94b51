"""The rules of scans and findings: one active scan for a project; a finding survives from scan to scan."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from backend.app.core.context import ServiceContext
from backend.app.core.errors import InvalidTransition
from backend.app.core.etag import entity_tag, require_match
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event
from backend.app.core.pagination import Page, PageRequest
from backend.app.engine.scan import ScanLimits, ScanResult, ScanType, Stopped, TestRun
from backend.app.modules.endpoints.service import EndpointService
from backend.app.modules.jobs.service import JobService
from backend.app.modules.projects.schemas import LastScan
from backend.app.modules.projects.service import ProjectService
from backend.app.modules.scans.errors import (
    CredentialsElsewhere,
    FindingNotFound,
    InvalidFindingTransition,
    NoBaseUrl,
    NoEndpoints,
    ScanAlreadyRunning,
    ScanEnded,
    ScanNotFound,
)
from backend.app.modules.scans.events import (
    FindingAccepted,
    FindingFixed,
    FindingOpened,
    FindingReopened,
    FindingReturned,
    ScanCancelled,
    ScanCompleted,
    ScanFailed,
    ScanRequested,
    ScanStarted,
    ScanSummarised,
)
from backend.app.modules.scans.models import ACTIVE, FindingStatus, ScanStatus, Sighting
from backend.app.modules.scans.repository import (
    FindingFilter,
    FindingRepository,
    ScanRepository,
    TestRunFilter,
    count_requests,
)
from backend.app.modules.scans.schemas import (
    Decision,
    FindingRead,
    FindingUpdate,
    OperationResultRead,
    ScanCreate,
    ScanFindingRead,
    ScanRead,
    TestRunRead,
)
from backend.app.modules.scans.sweep.judgement import Judgement, judge, tried
from backend.app.modules.scans.sweep.order import ScanOrder, target_of
from backend.app.modules.scans.sweep.rows import by_severity, result_rows, run_row, summary_of
from backend.app.modules.scans.sweep.series import EndpointPoint, EndpointSeries, series_of
from backend.app.modules.scans.sweep.tally import Tally

__all__ = ["EndpointPoint", "EndpointSeries", "FindingService", "ScanService", "count_requests"]

MAX_EVENTS = 200
"""Of one kind in one scan; beyond it one event summarises."""


class ScanService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._projects = ProjectService(context)
        self._endpoints = EndpointService(context)
        self._scans = ScanRepository(context.session, context.workspace_id)
        self._findings = FindingRepository(context.session, context.workspace_id)

    async def start(self, project_id: str, wanted: ScanCreate) -> ScanRead:
        """Raises `ProjectNotFound`, `ArchivedProject`, `NoEndpoints`, `NoBaseUrl`, `ScanAlreadyRunning`."""
        project = await self._projects.get_active(project_id)
        if not await self._endpoints.has_endpoints(project_id):
            raise NoEndpoints
        if project.base_url is None:
            outline = await self._endpoints.outline(project_id)
            if outline is None or target_of(None, outline) is None:
                raise NoBaseUrl
        scan_id = new_ulid()
        event = await self._context.hub.publish(
            ScanRequested(scan_id=scan_id, project_id=project_id, scan_type=wanted.scan_type), self._context
        )
        values = {
            **wanted.model_dump(),
            "id": scan_id,
            "project_id": project_id,
            "event_id": event.id,
            "created_at": self._context.clock(),
        }
        if not await self._scans.add(values):
            raise ScanAlreadyRunning
        return await self.get(scan_id)

    async def page(self, project_id: str, status: ScanStatus | None, request: PageRequest) -> Page[ScanRead]:
        """Raises `ProjectNotFound`, `InvalidCursor`."""
        rows = await self._scans.page(project_id, status, request.after(), request.limit + 1)
        if not rows:
            await self._projects.get(project_id)
        return request.page(rows, "id")

    async def get(self, scan_id: str) -> ScanRead:
        """Raises `ScanNotFound`."""
        row = await self._scans.get(scan_id)
        if row is None:
            raise ScanNotFound
        return ScanRead.model_validate(row)

    async def cancel(self, scan_id: str) -> ScanRead:
        """At once for everybody who looks; the requests in flight are the last ones.

        Raises `ScanNotFound`, `ScanEnded`.
        """
        scan = await self.get(scan_id)
        jobs = JobService(self._context)
        for job in await jobs.of_event(scan.event_id):
            with suppress(InvalidTransition):
                await jobs.cancel(job.id)
        if not await self.stop(scan_id):
            raise ScanEnded
        return await self.get(scan_id)

    async def stop(self, scan_id: str) -> bool:
        """Marks an active scan cancelled; False when it has ended."""
        return await self._end(scan_id, ScanStatus.CANCELLED, ScanCancelled(scan_id=scan_id))

    async def fail(self, scan_id: str, code: str, message: str) -> None:
        event = ScanFailed(scan_id=scan_id, code=code, message=message)
        await self._end(scan_id, ScanStatus.FAILED, event, error={"code": code, "message": message})

    async def test_runs(self, scan_id: str, wanted: TestRunFilter, request: PageRequest) -> Page[TestRunRead]:
        """Raises `ScanNotFound`, `InvalidCursor`."""
        rows = await self._scans.test_runs(wanted, scan_id, request.after(int), request.limit + 1)
        if not rows:
            await self.get(scan_id)
        return request.page(rows, "id")

    async def test_runs_of_endpoint(
        self, project_id: str, wanted: TestRunFilter, request: PageRequest
    ) -> Page[TestRunRead]:
        """Of `wanted.endpoint_id`, from all scans. Raises `EndpointNotFound`, `InvalidCursor`."""
        await self._endpoints.require(project_id, wanted.endpoint_id or "")
        rows = await self._scans.test_runs(wanted, None, request.after(int), request.limit + 1)
        return request.page(rows, "id")

    async def operations(self, scan_id: str, request: PageRequest) -> Page[OperationResultRead]:
        """Raises `ScanNotFound`, `InvalidCursor`."""
        rows = await self._scans.results(scan_id, request.after(), request.limit + 1)
        if not rows:
            await self.get(scan_id)
        return request.page(rows, "endpoint_id")

    async def endpoint_series(
        self, project_id: str, *, scan_type: str | None = None, scans: int = 20
    ) -> list[EndpointSeries]:
        """How the endpoints of a project did in its latest completed scans, of one type or of any."""
        latest = await self._scans.latest_completed(project_id, scan_type, scans)
        ends = {row["id"]: row["finished_at"] for row in latest}
        return series_of(ends, await self._scans.results_of(list(ends)))

    async def begin(self, scan_id: str) -> ScanOrder | None:
        """Starts a scan from nothing, whatever an attempt before this one left; None when there is nothing to do.

        Raises `ProjectNotFound`, `SealBroken`.
        """
        row = await self._scans.begin(scan_id, {"started_at": self._context.clock()})
        if row is None:
            return None
        project = await self._projects.get(row["project_id"])
        inventory = await self._endpoints.inventory(project.id)
        if inventory is None:
            await self.fail(scan_id, NoEndpoints.code, NoEndpoints.title)
            return None
        base_url = target_of(project.base_url, inventory)
        if base_url is None:
            await self.fail(scan_id, NoBaseUrl.code, NoBaseUrl.title)
            return None
        auth = await self._projects.credentials(project.id)
        if not auth.may_go_to(base_url):
            await self.fail(scan_id, CredentialsElsewhere.code, CredentialsElsewhere.title)
            return None
        await self._publish(
            ScanStarted(scan_id=scan_id, project_id=project.id, operations=len(inventory.description.operations))
        )
        limits = ScanLimits(row["requests_per_second"], row["concurrency"], row["max_requests"], row["max_seconds"])
        return ScanOrder(
            scan_id=scan_id,
            project_id=project.id,
            scan_type=ScanType(row["scan_type"]),
            seed=row["seed"],
            limits=limits,
            base_url=base_url,
            inventory=inventory,
            auth=auth,
        )

    async def record(self, order: ScanOrder, runs: Sequence[TestRun], done: int, total: int) -> bool:
        """Stores test runs and how far the scan is; False when it is to stop. A scan that was cancelled keeps what was
        answered meanwhile."""
        status = await self._scans.advance(order.scan_id, done, total)
        if runs and status is not None:
            await self._scans.add_test_runs([run_row(order, run) for run in runs])
        return status is ScanStatus.RUNNING

    async def settle(self, order: ScanOrder, result: ScanResult, tally: Tally) -> None:
        """Ends a scan that ran: what it found, how each endpoint did, and what became of earlier findings.

        A scan that was cancelled or lost its target keeps what it found so far, but cannot show that anything is fixed.
        """
        scan_id, project_id = order.scan_id, order.project_id
        status = _STATUSES.get(result.stopped, ScanStatus.COMPLETED)
        whole = result.stopped is Stopped.COMPLETED
        progress = {
            "done": result.requests,
            "total": result.requests if whole else max(result.requests, result.planned),
        }
        # The status that the scan has when somebody cancelled it meanwhile is kept.
        among = (*ACTIVE, ScanStatus.CANCELLED)
        if await self._scans.finish(scan_id, progress, among=among) is None:
            return
        answered = any(label.isdigit() for one in result.operations for label in one.statuses)
        judgement = judge(
            order,
            await self._findings.known(project_id),
            result.findings if answered else (),
            tried(order, result, tally),
            self._context.clock(),
        )
        await self._store(scan_id, judgement)
        await self._scans.add_results(result_rows(order, result, tally))
        await self._endpoints.record_results(tally.latest(order.inventory.ids))
        standing = await self._findings.count_standing(project_id)
        summary = summary_of(result, judgement, standing)
        await self._scans.finish(scan_id, {"summary": summary}, among=among)
        await self._projects.record_statistics(project_id, open_findings=standing)
        await self._tell(order, judgement)
        if status is ScanStatus.CANCELLED:
            await self.stop(scan_id)
        elif status is ScanStatus.FAILED:
            reason = tally.last.validation_errors[0] if tally.last and tally.last.validation_errors else "no answer"
            message = f"{order.base_url} cannot be reached: {reason}"
            await self.fail(scan_id, "scan.target_unreachable", message)
        else:
            counts = {name: summary[name] for name in ScanCompleted.model_fields if name in summary}
            event = ScanCompleted(scan_id=scan_id, project_id=project_id, scan_type=order.scan_type, **counts)
            await self._end(scan_id, ScanStatus.COMPLETED, event)

    async def forget_project(self, project_id: str) -> None:
        await self._scans.delete_of_project(project_id)
        await self._findings.delete_of_project(project_id)

    async def _end(self, scan_id: str, status: ScanStatus, event: Event, **values: Any) -> bool:
        now = self._context.clock()
        project_id = await self._scans.finish(scan_id, {"status": status, "finished_at": now, **values})
        if project_id is None:
            return False
        last_scan = LastScan(id=scan_id, status=status, finished_at=now)
        await self._projects.record_statistics(project_id, last_scan=last_scan)
        await self._publish(event.model_copy(update={"project_id": project_id}))
        return True

    async def _store(self, scan_id: str, judgement: Judgement) -> None:
        await self._findings.add(judgement.added)
        await self._findings.change(judgement.seen)
        await self._findings.change(judgement.fixed)
        await self._findings.add_sightings(judgement.sightings(scan_id))

    async def _tell(self, order: ScanOrder, judgement: Judgement) -> None:
        about = {"scan_id": order.scan_id, "project_id": order.project_id}
        for sighting, event in _FINDING_EVENTS.items():
            found = [row for row, _ in judgement.by_sighting[sighting]]
            if len(found) > MAX_EVENTS:
                await self._publish(
                    ScanSummarised(**about, change=sighting, count=len(found), severities=by_severity(found))
                )
                continue
            for row in found:
                values = {name: row[name] for name in ("severity", "check", "method", "path", "title")}
                await self._publish(event(**about, finding_id=row["id"], **values))

    async def _publish(self, event: Event) -> None:
        await self._context.hub.publish(event, self._context)


class FindingService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._projects = ProjectService(context)
        self._scans = ScanService(context)
        self._findings = FindingRepository(context.session, context.workspace_id)

    async def page(self, project_id: str, wanted: FindingFilter, request: PageRequest) -> Page[FindingRead]:
        """Raises `ProjectNotFound`, `InvalidCursor`."""
        rows = await self._findings.page(project_id, wanted, request.after(), request.limit + 1)
        if not rows:
            await self._projects.get(project_id)
        return request.page(rows, "id")

    async def page_of_scan(self, scan_id: str, wanted: FindingFilter, request: PageRequest) -> Page[ScanFindingRead]:
        """Raises `ScanNotFound`, `InvalidCursor`."""
        rows = await self._findings.page_of_scan(scan_id, wanted, request.after(), request.limit + 1)
        if not rows:
            await self._scans.get(scan_id)
        return request.page(rows, "id")

    async def get(self, finding_id: str) -> FindingRead:
        """Raises `FindingNotFound`."""
        return await self._get(finding_id)

    async def decide(self, finding_id: str, wanted: FindingUpdate, if_match: str | None) -> FindingRead:
        """Raises `FindingNotFound`, `PreconditionFailed`, `InvalidFindingTransition`."""
        finding = await self._get(finding_id, lock=True)
        if if_match is not None:
            require_match(if_match, entity_tag(finding.updated_at))
        about: dict[str, Any] = {"finding_id": finding_id, "project_id": finding.project_id, "reason": wanted.reason}
        event: Event
        if wanted.status is Decision.ACCEPTED and finding.status is not FindingStatus.FIXED:
            status, event = FindingStatus.ACCEPTED, FindingAccepted(**about)
        elif wanted.status is Decision.OPEN and finding.status is FindingStatus.ACCEPTED:
            status, event = FindingStatus.OPEN, FindingReturned(**about)
        else:
            raise InvalidFindingTransition(f"the finding is {finding.status}: it cannot become {wanted.status}")
        now = self._context.clock()
        await self._findings.change(
            [{"id": finding_id, "status": status, "reason": wanted.reason or None, "updated_at": now}]
        )
        standing = await self._findings.count_standing(finding.project_id)
        await self._projects.record_statistics(finding.project_id, open_findings=standing)
        await self._context.hub.publish(event, self._context)
        return await self.get(finding_id)

    async def _get(self, finding_id: str, *, lock: bool = False) -> FindingRead:
        row = await self._findings.get(finding_id, lock=lock)
        if row is None:
            raise FindingNotFound
        return FindingRead.model_validate(row)


_STATUSES = {Stopped.CANCELLED: ScanStatus.CANCELLED, Stopped.UNREACHABLE: ScanStatus.FAILED}
_FINDING_EVENTS: dict[Sighting, type[FindingOpened | FindingFixed | FindingReopened]] = {
    Sighting.OPENED: FindingOpened,
    Sighting.REOPENED: FindingReopened,
    Sighting.FIXED: FindingFixed,
}
