"""What scans make known."""

from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class ScanRequested(Event):
    name: ClassVar = "scan.requested"
    scan_id: Ulid
    scan_type: str


class ScanStarted(Event):
    name: ClassVar = "scan.started"
    scan_id: Ulid
    operations: int


class ScanCompleted(Event):
    """The last word about a scan: its findings have told theirs before."""

    name: ClassVar = "scan.completed"
    scan_id: Ulid
    scan_type: str
    requests: int
    duration_s: float
    operations_total: int
    operations_2xx: int
    findings_opened: int
    findings_fixed: int
    findings_reopened: int
    findings_open: int


class ScanFailed(Event):
    name: ClassVar = "scan.failed"
    scan_id: Ulid
    code: str
    message: str


class ScanCancelled(Event):
    name: ClassVar = "scan.cancelled"
    scan_id: Ulid


class _FindingEvent(Event):
    finding_id: Ulid
    scan_id: Ulid
    severity: str
    check: str
    method: str
    path: str
    title: str


class FindingOpened(_FindingEvent):
    name: ClassVar = "finding.opened"


class FindingFixed(_FindingEvent):
    """A scan tried the same and did not see it."""

    name: ClassVar = "finding.fixed"


class FindingReopened(_FindingEvent):
    """Seen again after it was fixed."""

    name: ClassVar = "finding.reopened"


class FindingAccepted(Event):
    """A person decided to live with it."""

    name: ClassVar = "finding.accepted"
    finding_id: Ulid
    reason: str


class FindingReturned(Event):
    """A person took the acceptance back."""

    name: ClassVar = "finding.returned"
    finding_id: Ulid
    reason: str


class ScanSummarised(Event):
    """Stands for the events of single findings when a scan brings too many of one kind."""

    name: ClassVar = "scan.summarised"
    scan_id: Ulid
    change: str
    """`opened`, `fixed` or `reopened`."""
    count: int
    severities: dict[str, int]
