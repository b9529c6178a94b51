"""What is stored of a scan: rows of its tables, and its summary."""

from collections.abc import Iterable
from typing import Any

from backend.app.core.pagination import Row
from backend.app.engine.scan import ScanResult, TestRun
from backend.app.engine.statistics import median
from backend.app.modules.scans.models import Sighting
from backend.app.modules.scans.sweep.judgement import Judgement
from backend.app.modules.scans.sweep.order import ScanOrder
from backend.app.modules.scans.sweep.tally import Tally, moment


def run_row(order: ScanOrder, run: TestRun) -> Row:
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
        "timestamp": moment(run.timestamp),
        "validation_errors": run.validation_errors or None,
        "request_excerpt": run.request_excerpt or None,
        "response_excerpt": run.response_excerpt or None,
    }


def result_rows(order: ScanOrder, result: ScanResult, tally: Tally) -> list[Row]:
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


def summary_of(result: ScanResult, judgement: Judgement, standing: int) -> dict[str, Any]:
    seen = (Sighting.OPENED, Sighting.REOPENED, Sighting.SEEN)
    rows = [row for sighting in seen for row, _ in judgement.by_sighting[sighting]]
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
        "findings_opened": judgement.count(Sighting.OPENED),
        "findings_reopened": judgement.count(Sighting.REOPENED),
        "findings_fixed": judgement.count(Sighting.FIXED),
        "findings_open": standing,
        "severities": by_severity(rows),
        "left_behind": result.left_behind,
        "internal_errors": list(result.internal_errors),
    }


def by_severity(rows: Iterable[Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row["severity"])] = counts.get(str(row["severity"]), 0) + 1
    return counts
