"""What a scan means for the findings of its project: which are opened, seen again, reopened, and fixed."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from backend.app.core.ids import new_ulid
from backend.app.core.pagination import Row
from backend.app.engine.findings import Finding
from backend.app.engine.scan import ScanResult, ScanType, Stopped
from backend.app.modules.scans.models import STANDING, FindingStatus, Sighting
from backend.app.modules.scans.sweep.order import ScanOrder
from backend.app.modules.scans.sweep.tally import Tally


@dataclass(slots=True)
class Judgement:
    """Rows to be stored, and what the scan meant for each finding, with how often it saw it."""

    added: list[Row] = field(default_factory=list)
    seen: list[Row] = field(default_factory=list)
    fixed: list[Row] = field(default_factory=list)
    by_sighting: dict[Sighting, list[tuple[Row, int]]] = field(
        default_factory=lambda: {sighting: [] for sighting in Sighting}
    )

    def count(self, sighting: Sighting) -> int:
        return len(self.by_sighting[sighting])

    def sightings(self, scan_id: str) -> list[Row]:
        return [
            {"scan_id": scan_id, "finding_id": row["id"], "sighting": sighting, "count": count}
            for sighting, found in self.by_sighting.items()
            for row, count in found
        ]


def tried(order: ScanOrder, result: ScanResult, tally: Tally) -> set[tuple[str, str]]:
    """Endpoint and kind of the cases that can show a fault to be gone: only a full scan that left nothing out has any,
    and none of an operation that was given up."""
    if order.scan_type is not ScanType.FULL or result.stopped is not Stopped.COMPLETED:
        return set()
    given_up = {f"{operation.method} {operation.path}" for operation in result.operations if operation.skipped}
    return {(order.inventory.ids[key], kind) for key, kind in tally.tried() if key not in given_up}


def judge(
    order: ScanOrder,
    known: Iterable[Row],
    findings: Iterable[Finding],
    tried: AbstractSet[tuple[str, str]],
    now: datetime,
) -> Judgement:
    """`known` are the findings of the project before the scan, `findings` those that it met. What was accepted stays
    accepted, whether it is met or not."""
    judgement = Judgement()
    unseen = {row["fingerprint"]: row for row in known}
    for finding in findings:
        row = unseen.pop(finding.fingerprint, None)
        values = _columns(order, finding, now)
        if row is None:
            sighting = Sighting.OPENED
            values |= {"id": new_ulid(), "status": FindingStatus.OPEN}
            first = {"first_scan_id": order.scan_id, "first_seen_at": now, "project_id": order.project_id}
            judgement.added.append({**values, **first, "fingerprint": finding.fingerprint})
        else:
            returned = row["status"] == FindingStatus.FIXED
            sighting = Sighting.REOPENED if returned else Sighting.SEEN
            values |= {"id": row["id"], "status": FindingStatus.REOPENED if returned else row["status"]}
            judgement.seen.append(values)
        judgement.by_sighting[sighting].append((values, finding.count))
    for row in unseen.values():
        if row["status"] in STANDING and (row["endpoint_id"], row["case_kind"]) in tried:
            judgement.fixed.append({"id": row["id"], "status": FindingStatus.FIXED, "updated_at": now})
            judgement.by_sighting[Sighting.FIXED].append((row, 0))
    return judgement


def _columns(order: ScanOrder, finding: Finding, now: datetime) -> dict[str, object]:
    return {
        "endpoint_id": order.inventory.ids[f"{finding.method} {finding.path}"],
        "check": finding.check,
        "severity": finding.severity,
        "method": finding.method,
        "path": finding.path,
        "title": finding.title,
        "detail": finding.detail,
        "curl": finding.curl,
        "evidence": {**finding.evidence, "setup": list(finding.setup)} if finding.setup else finding.evidence,
        "case_kind": finding.case_kind,
        "count": finding.count,
        "last_scan_id": order.scan_id,
        "last_seen_at": now,
        "updated_at": now,
    }
