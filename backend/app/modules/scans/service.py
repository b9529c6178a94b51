"""The rules of scans and findings: one active scan for a project; a finding survives from scan to scan."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from backend.app.core.context import ServiceContext
from backend.app.core.errors import InvalidTransition
from backend.app.core.etag import entity_tag, require_match
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event
from backend.app.core.pagination import Page, PageRequest, Row
from backend.app.engine.findings import Finding
from backend.app.engine.http import Outcome
from backend.app.engine.scan import ScanLimits, ScanResult, ScanType, Stopped, TestRun
from backend.app.engine.spec.servers import resolve_base_url
from backend.app.engine.statistics import median
from backend.app.modules.endpoints.service import EndpointResult, EndpointService, Inventory
from backend.app.modules.jobs.service import JobService
from backend.app.modules.projects.schemas import LastScan, TargetAuth
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
from backend.app.modules.scans.models import FindingStatus, ScanStatus, Sighting
from backend.app.modules.scans.repository import (
    ACTIVE,
    STANDING,
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

__all__ = ["EndpointPoint", "EndpointSeries", "FindingService", "ScanOrder", "ScanService", "Tally", "count_requests"]

MAX_EVENTS = 200
"""Of one kind in one scan; beyond it one event summarises."""
BASELINE = "valid"
"""The kind of case whose latency and size are compared from scan to scan."""
_REFUSED = frozenset({401, 403, 429})
"""Answers about who asks and how often: they say nothing about a fault behind them."""
_WITHOUT_CREDENTIALS = "no_credentials"


@dataclass(frozen=True, slots=True)
class ScanOrder:
    """What the job of a scan has to do."""

    scan_id: str
    project_id: str
    scan_type: ScanType
    seed: int
    limits: ScanLimits
    base_url: str
    inventory: Inventory
    auth: TargetAuth


@dataclass(slots=True)
class _Samples:
    latencies: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    errors: int = 0
    latest: TestRun | None = None


class Tally:
    """Adds up the test runs of a scan by operation as they come."""

    def __init__(self) -> None:
        self.last: TestRun | None = None
        self._samples: dict[str, _Samples] = {}
        self._tried: set[tuple[str, str]] = set()
        self._hindered: set[tuple[str, str]] = set()

    def add(self, run: TestRun) -> None:
        key = f"{run.method} {run.path}"
        samples = self._samples.setdefault(key, _Samples())
        self.last = run
        answered = run.outcome is Outcome.ANSWERED
        samples.errors += not answered or (run.status_code or 0) >= 500
        telling = answered and (run.status_code not in _REFUSED or run.case_kind == _WITHOUT_CREDENTIALS)
        (self._tried if telling else self._hindered).add((key, run.case_kind))
        if run.case_kind != BASELINE:
            return
        samples.latest = run
        if run.reliable and 200 <= (run.status_code or 0) < 300:
            samples.latencies.append(run.latency_ms)
            samples.sizes.append(run.response_size_bytes)

    def of(self, key: str) -> _Samples:
        return self._samples.get(key) or _Samples()

    def tried(self, ids: Mapping[str, str]) -> set[tuple[str, str]]:
        """Endpoint and kind of the cases that all met an answer which can tell whether a fault is still there."""
        return {(ids[key], kind) for key, kind in self._tried - self._hindered}

    def latest(self, ids: Mapping[str, str]) -> list[EndpointResult]:
        return [
            EndpointResult(ids[key], run.status_code, run.latency_ms, _moment(run.timestamp))
            for key, samples in self._samples.items()
            if (run := samples.latest) is not None
        ]


@dataclass(frozen=True, slots=True)
class EndpointPoint:
    """One endpoint in one scan. The medians are of `latency_samples` requests of the kind `valid` that were answered
    with 2xx and reliably timed; `error_rate` is the share of `requests` that met 5xx or no answer."""

    scan_id: str
    finished_at: datetime
    requests: int
    error_rate: float
    latency_samples: int
    median_latency_ms: float | None
    median_size_bytes: float | None


@dataclass(frozen=True, slots=True)
class EndpointSeries:
    """`points` are those of the scans that sent it a request, oldest first."""

    endpoint_id: str
    method: str
    path: str
    points: tuple[EndpointPoint, ...]


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
            if outline is None or target_url(None, outline) is None:
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

    async def endpoint_series(self, project_id: str, *, scans: int = 20) -> list[EndpointSeries]:
        """How the endpoints of a project did in its latest completed scans."""
        latest = await self._scans.latest_completed(project_id, scans)
        ends = {row["id"]: row["finished_at"] for row in latest}
        points: dict[str, dict[str, EndpointPoint]] = {}
        names: dict[str, tuple[str, str]] = {}
        for row in await self._scans.results_of(list(ends)):
            names[row["endpoint_id"]] = row["method"], row["path"]
            points.setdefault(row["endpoint_id"], {})[row["scan_id"]] = EndpointPoint(
                scan_id=row["scan_id"],
                finished_at=ends[row["scan_id"]],
                requests=row["requests"],
                error_rate=row["errors"] / row["requests"],
                latency_samples=row["samples"],
                median_latency_ms=row["median_latency_ms"],
                median_size_bytes=row["median_size_bytes"],
            )
        return [
            EndpointSeries(endpoint_id, *names[endpoint_id], tuple(found[id_] for id_ in ends if id_ in found))
            for endpoint_id, found in sorted(points.items())
        ]

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
        base_url = target_url(project.base_url, inventory)
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
        """Stores test runs and how far the scan is; False, storing nothing, when it is not running any more."""
        if not await self._scans.advance(order.scan_id, done, total):
            return False
        if runs:
            await self._scans.add_test_runs([_test_run_row(order, run) for run in runs])
        return True

    async def settle(self, order: ScanOrder, result: ScanResult, tally: Tally) -> None:
        """Ends a scan that ran: what it found, how each endpoint did, and what became of earlier findings.

        A scan that was cancelled or lost its target keeps what it found so far, but cannot show that anything is fixed.
        """
        scan_id, project_id = order.scan_id, order.project_id
        now = self._context.clock()
        full = order.scan_type is ScanType.FULL and result.stopped is Stopped.COMPLETED
        # A plan is cut to the number of requests before it begins.
        whole = full and result.requests < order.limits.max_requests
        tried = tally.tried(order.inventory.ids) if whole else set()
        status = _STATUSES.get(result.stopped, ScanStatus.COMPLETED)
        # The status that the scan has when somebody cancelled it meanwhile is kept.
        among = (*ACTIVE, ScanStatus.CANCELLED)
        if await self._scans.finish(scan_id, {"done": result.requests}, among=among) is None:
            return
        answered = any(label.isdigit() for one in result.operations for label in one.statuses)
        changes = await self._judge(order, result.findings if answered else (), tried, now)
        await self._scans.add_results(_result_rows(order, result, tally))
        await self._endpoints.record_results(tally.latest(order.inventory.ids))
        standing = await self._findings.count_standing(project_id)
        summary = _summary(result, changes, standing)
        await self._scans.finish(scan_id, {"summary": summary}, among=among)
        await self._projects.record_statistics(project_id, open_findings=standing)
        await self._tell(order, changes)
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

    async def _judge(
        self, order: ScanOrder, findings: Iterable[Finding], tried: set[tuple[str, str]], now: datetime
    ) -> "_Changes":
        """What a scan means for the findings of the project."""
        known = {row["fingerprint"]: row for row in await self._findings.known(order.project_id)}
        changes = _Changes()
        added, seen = [], []
        for finding in findings:
            row = known.pop(finding.fingerprint, None)
            values = {
                "endpoint_id": order.inventory.ids[f"{finding.method} {finding.path}"],
                "check": finding.check,
                "severity": finding.severity,
                "method": finding.method,
                "path": finding.path,
                "title": finding.title,
                "detail": finding.detail,
                "curl": finding.curl,
                "evidence": finding.evidence,
                "case_kind": finding.case_kind,
                "count": finding.count,
                "last_scan_id": order.scan_id,
                "last_seen_at": now,
                "updated_at": now,
            }
            if row is None:
                values |= {"id": new_ulid(), "status": FindingStatus.OPEN}
                first = {"first_scan_id": order.scan_id, "first_seen_at": now, "project_id": order.project_id}
                added.append({**values, **first, "fingerprint": finding.fingerprint})
                changes.add(Sighting.OPENED, values, finding.count)
            elif row["status"] == FindingStatus.FIXED:
                seen.append({**values, "id": row["id"], "status": FindingStatus.REOPENED})
                changes.add(Sighting.REOPENED, seen[-1], finding.count)
            else:
                seen.append({**values, "id": row["id"], "status": row["status"]})
                changes.add(Sighting.SEEN, seen[-1], finding.count)
        fixed = []
        for row in known.values():
            if row["status"] in STANDING and (row["endpoint_id"], row["case_kind"]) in tried:
                fixed.append({"id": row["id"], "status": FindingStatus.FIXED, "updated_at": now})
                changes.add(Sighting.FIXED, row, 0)
        await self._findings.add(added)
        await self._findings.change(seen)
        await self._findings.change(fixed)
        await self._findings.add_sightings(
            [
                {"scan_id": order.scan_id, "finding_id": row["id"], "sighting": sighting, "count": count}
                for sighting, found in changes.by_sighting.items()
                for row, count in found
            ]
        )
        return changes

    async def _tell(self, order: ScanOrder, changes: "_Changes") -> None:
        about = {"scan_id": order.scan_id, "project_id": order.project_id}
        for sighting, event in _FINDING_EVENTS.items():
            found = [row for row, _ in changes.by_sighting[sighting]]
            if len(found) > MAX_EVENTS:
                await self._publish(
                    ScanSummarised(**about, change=sighting, count=len(found), severities=_by_severity(found))
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


@dataclass(slots=True)
class _Changes:
    """Findings with how often the scan saw them."""

    by_sighting: dict[Sighting, list[tuple[Row, int]]] = field(
        default_factory=lambda: {sighting: [] for sighting in Sighting}
    )

    def add(self, sighting: Sighting, row: Row, count: int) -> None:
        self.by_sighting[sighting].append((row, count))

    def count(self, sighting: Sighting) -> int:
        return len(self.by_sighting[sighting])


def target_url(base_url: str | None, inventory: Inventory) -> str | None:
    """Where the paths of the description begin.

    A `base_url` with a path is taken as it is. One without gets the path of the description's server, if that is
    relative or on the same origin. Without a `base_url` the description, and where it was found, decide.
    """
    servers = inventory.description.servers
    if base_url is None:
        return resolve_base_url(servers, spec_url=inventory.location)
    if urlsplit(base_url).path not in ("", "/"):
        return base_url
    resolved = resolve_base_url(servers, spec_url=base_url)
    same = resolved is not None and urlsplit(resolved)[:2] == urlsplit(base_url)[:2]
    return resolved if same else base_url


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _test_run_row(order: ScanOrder, run: TestRun) -> Row:
    return {
        "project_id": order.project_id,
        "scan_id": order.scan_id,
        "endpoint_id": order.inventory.ids[f"{run.method} {run.path}"],
        "case_kind": run.case_kind,
        "case_title": run.case_title,
        "method": run.method,
        "path": run.path,
        "status_code": run.status_code,
        "outcome": run.outcome,
        "success": run.success,
        "latency_ms": run.latency_ms,
        "first_byte_ms": run.first_byte_ms,
        "response_size_bytes": run.response_size_bytes,
        "reliable": run.reliable,
        "timestamp": _moment(run.timestamp),
        "validation_errors": run.validation_errors or None,
        "request_excerpt": run.request_excerpt or None,
        "response_excerpt": run.response_excerpt or None,
    }


def _result_rows(order: ScanOrder, result: ScanResult, tally: Tally) -> list[Row]:
    rows: list[Row] = []
    for operation in result.operations:
        key = f"{operation.method} {operation.path}"
        samples = tally.of(key)
        rows.append(
            {
                "scan_id": order.scan_id,
                "endpoint_id": order.inventory.ids[key],
                "project_id": order.project_id,
                "method": operation.method,
                "path": operation.path,
                "requests": operation.requests,
                "errors": samples.errors,
                "statuses": operation.statuses,
                "reached_2xx": operation.reached_2xx,
                "skipped": operation.skipped,
                "note": operation.note,
                "samples": len(samples.latencies),
                "median_latency_ms": median(samples.latencies) if samples.latencies else None,
                "median_size_bytes": median(samples.sizes) if samples.sizes else None,
            }
        )
    return rows


def _summary(result: ScanResult, changes: _Changes, standing: int) -> dict[str, Any]:
    seen = (Sighting.OPENED, Sighting.REOPENED, Sighting.SEEN)
    rows = [row for sighting in seen for row, _ in changes.by_sighting[sighting]]
    coverage = result.coverage
    return {
        "requests": result.requests,
        "failed": result.failed,
        "duration_s": round(result.duration_s, 3),
        "stopped": result.stopped,
        "unauthorised": result.unauthorised,
        "operations_total": coverage.operations_total,
        "operations_requested": coverage.operations_requested,
        "operations_2xx": coverage.operations_2xx,
        "coverage_percent": coverage.percent,
        "documented_statuses": coverage.documented_statuses,
        "documented_statuses_seen": coverage.documented_statuses_seen,
        "findings": len(rows),
        "findings_opened": changes.count(Sighting.OPENED),
        "findings_reopened": changes.count(Sighting.REOPENED),
        "findings_fixed": changes.count(Sighting.FIXED),
        "findings_open": standing,
        "severities": _by_severity(rows),
        "left_behind": result.left_behind,
        "internal_errors": list(result.internal_errors),
    }


def _by_severity(rows: Iterable[Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row["severity"])] = counts.get(str(row["severity"]), 0) + 1
    return counts
