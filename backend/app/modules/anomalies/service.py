"""The rules of anomalies: what is judged against what, and what becomes of a verdict."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.pagination import Page, PageRequest
from backend.app.db.types import storable
from backend.app.modules.anomalies.detectors import MetricType, Sensitivity, Series, Verdict, detectors
from backend.app.modules.anomalies.errors import AnomalyNotFound
from backend.app.modules.anomalies.events import AnomalyCheckCompleted, AnomalyDetected
from backend.app.modules.anomalies.repository import AnomalyFilter, AnomalyRepository
from backend.app.modules.anomalies.schemas import AnomalyRead
from backend.app.modules.projects.service import ProjectService
from backend.app.modules.scans.service import EndpointSeries, ScanService

log = structlog.get_logger(module_id="anomalies")

HISTORY: Final = 20
"""Scans, at most, that a scan is held against."""
MAX_EVENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Judgement:
    endpoint: EndpointSeries
    series: Series
    detector: str
    verdict: Verdict


class AnomalyService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._projects = ProjectService(context)
        self._scans = ScanService(context)
        self._anomalies = AnomalyRepository(context.session, context.workspace_id)

    async def page(self, project_id: str, wanted: AnomalyFilter, request: PageRequest) -> Page[AnomalyRead]:
        """Raises `ProjectNotFound`, `InvalidCursor`."""
        await self._projects.get(project_id)
        rows = await self._anomalies.page(wanted, request.after(), request.limit + 1, project_id=project_id)
        return request.page(rows, "id")

    async def page_of_scan(self, scan_id: str, wanted: AnomalyFilter, request: PageRequest) -> Page[AnomalyRead]:
        """Raises `ScanNotFound`, `InvalidCursor`."""
        await self._scans.get(scan_id)
        rows = await self._anomalies.page(wanted, request.after(), request.limit + 1, scan_id=scan_id)
        return request.page(rows, "id")

    async def get(self, anomaly_id: str) -> AnomalyRead:
        """Raises `AnomalyNotFound`."""
        row = await self._anomalies.get(anomaly_id)
        if row is None:
            raise AnomalyNotFound
        return AnomalyRead.model_validate(row)

    @property
    def sensitivity(self) -> Sensitivity:
        return Sensitivity(self._context.settings.anomalies.sensitivity)

    async def series(self, project_id: str, scan_id: str, scan_type: str) -> list[EndpointSeries]:
        """The series that end with this scan, of scans of its type: a full one meets more errors by design. Empty when
        so many scans followed that it is history itself."""
        every = await self._scans.endpoint_series(project_id, scan_type=scan_type, scans=HISTORY + 1)
        return [ending for one in every if (ending := _ending_with(one, scan_id)) is not None]

    async def record(self, project_id: str, scan_id: str, judgements: Sequence[Judgement]) -> None:
        """Keeps the verdicts and tells of the anomalies among them. What is kept already is passed over, and so is what
        was usual in a scan that is not the latest any more."""
        about = {"project_id": project_id, "scan_id": scan_id}
        now = self._context.clock()
        latest = await self._anomalies.latest_scan(project_id)
        is_latest = latest is None or latest <= scan_id
        rows = [_row(one) | about | {"created_at": now} for one in judgements if is_latest or one.verdict.is_anomalous]
        added = await self._anomalies.add(rows)
        if not added:
            return
        await self._anomalies.forget_usual(project_id, scan_id)
        found = [row for row in rows if row["is_anomalous"] and row["id"] in added]
        for row in sorted(found, key=lambda row: -abs(row["score"]))[:MAX_EVENTS]:
            values = {name: row[name] for name in AnomalyDetected.model_fields if name in row}
            await self._context.hub.publish(AnomalyDetected(anomaly_id=row["id"], **values), self._context)
        await self._context.hub.publish(
            AnomalyCheckCompleted(**about, judged=len(judgements), anomalous=len(found)), self._context
        )

    async def forget_project(self, project_id: str) -> None:
        await self._anomalies.delete_of_project(project_id)


def judge(endpoints: Sequence[EndpointSeries], sensitivity: Sensitivity) -> list[Judgement]:
    """What every registered detector says about the last point of each series. One that fails is left out whole."""
    judgements = []
    failed: set[str] = set()
    for endpoint in endpoints:
        for series in _metrics(endpoint):
            for name, detector in detectors.items():
                if name in failed:
                    continue
                try:
                    verdict = detector(series, sensitivity)
                    if not math.isfinite(verdict.score):
                        raise ValueError(f"the score is {verdict.score}")
                except Exception:
                    log.exception("detector.failed", detector=name, metric_type=series.metric_type)
                    failed.add(name)
                else:
                    judgements.append(Judgement(endpoint, series, name, verdict))
    return [judgement for judgement in judgements if judgement.detector not in failed]


def _ending_with(series: EndpointSeries, scan_id: str) -> EndpointSeries | None:
    ids = [point.scan_id for point in series.points]
    if scan_id not in ids:
        return None
    return EndpointSeries(series.endpoint_id, series.method, series.path, series.points[: ids.index(scan_id) + 1])


def _metrics(endpoint: EndpointSeries) -> Iterator[Series]:
    *earlier, present = endpoint.points

    def series(metric: MetricType, unit: str, name: str, counted: str) -> Iterator[Series]:
        current: float | None = getattr(present, name)
        if current is not None:
            known = [point for point in earlier if getattr(point, name) is not None]
            yield Series(
                metric,
                unit,
                tuple(getattr(point, name) for point in known),
                current,
                getattr(present, counted),
                f"{endpoint.method} {endpoint.path}",
                tuple(getattr(point, counted) for point in known),
            )

    yield from series(MetricType.LATENCY, "ms", "median_latency_ms", "latency_samples")
    yield from series(MetricType.ERROR_RATE, "", "error_rate", "requests")
    yield from series(MetricType.RESPONSE_SIZE, "B", "median_size_bytes", "latency_samples")


def _row(judgement: Judgement) -> dict[str, Any]:
    endpoint, series, verdict = judgement.endpoint, judgement.series, judgement.verdict
    return {
        "id": new_ulid(),
        "endpoint_id": endpoint.endpoint_id,
        "method": endpoint.method,
        "path": endpoint.path,
        "metric_type": series.metric_type,
        "detector": judgement.detector,
        "score": verdict.score,
        "is_anomalous": verdict.is_anomalous,
        "value": series.current,
        "samples": series.current_samples,
        "expected_low": verdict.expected_low,
        "expected_high": verdict.expected_high,
        "details": storable(verdict.details),
    }
