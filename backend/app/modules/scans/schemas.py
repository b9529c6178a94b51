"""What scans accept and answer."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema, InputSchema, Verbatim
from backend.app.engine.checks import Severity
from backend.app.engine.http import Outcome
from backend.app.engine.scan import MOST_REQUESTS, ScanType
from backend.app.modules.scans.models import FindingStatus, ScanStatus, Sighting


class ScanCreate(InputSchema):
    """`quick` sends one safe request for each readable operation, `full` exercises everything. With equal seeds two
    scans of an unchanged description plan the same requests."""

    scan_type: ScanType = ScanType.FULL
    requests_per_second: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=100)] = 10
    max_requests: Annotated[int, Field(ge=1, le=MOST_REQUESTS)] = MOST_REQUESTS
    max_seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 900.0
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0


class Progress(BaseSchema):
    """Requests sent and planned."""

    done: int
    total: int


class ScanError(BaseSchema):
    code: str
    message: str


class ScanSummary(BaseSchema):
    """What a scan comes to. `stopped` is `completed`, or the limit that ended it; `findings_open` counts those of the
    project after it."""

    requests: int
    failed: int
    duration_s: float
    stopped: str
    unauthorised: bool
    operations_total: int
    operations_requested: int
    operations_2xx: int
    coverage_percent: float
    documented_statuses: int
    documented_statuses_seen: int
    findings: int
    findings_opened: int
    findings_reopened: int
    findings_fixed: int
    findings_open: int
    severities: dict[str, int]
    left_behind: int
    internal_errors: list[str]


class ScanRead(BaseSchema):
    """One sweep over the target. Its job is found by `GET /jobs?event_id=...`."""

    id: Ulid
    project_id: Ulid
    event_id: Ulid
    scan_type: ScanType
    status: ScanStatus
    seed: int
    requests_per_second: float | None
    concurrency: int
    max_requests: int
    max_seconds: float
    progress: Progress
    summary: ScanSummary | None
    error: ScanError | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class TestRunRead(BaseSchema):
    """One request and the verdict about it. `latency_ms` counts from the intended start; it is not the target's alone
    when `reliable` is false. The excerpts are kept of failures."""

    __test__ = False

    id: int
    scan_id: Ulid
    endpoint_id: Ulid
    case_kind: str
    case_title: str
    method: str
    path: str
    status_code: int | None
    outcome: Outcome
    success: bool
    latency_ms: float
    first_byte_ms: float | None
    response_size_bytes: int
    validation_errors: list[str]
    reliable: bool
    timestamp: datetime
    request_excerpt: str | None
    response_excerpt: str | None


class OperationResultRead(BaseSchema):
    """What a scan's requests to one operation come to. The medians are of `samples` requests of the kind
    `valid` that were answered with 2xx and reliably timed; `errors` are 5xx and requests without an answer."""

    endpoint_id: Ulid
    method: str
    path: str
    requests: int
    errors: int
    statuses: dict[str, int]
    reached_2xx: bool
    skipped: str
    note: str
    samples: int
    median_latency_ms: float | None
    median_size_bytes: float | None


class FindingRead(BaseSchema):
    """A fault of one operation, recognised from scan to scan by its `fingerprint`. `curl` reproduces it, secrets
    masked; `evidence.setup` has the `curl` lines that make what it refers to, to be sent before. `count` is how often
    the latest scan that saw it did."""

    id: Ulid
    project_id: Ulid
    endpoint_id: Ulid
    fingerprint: str
    status: FindingStatus
    check: str
    severity: Severity
    method: str
    path: str
    title: str
    detail: str
    curl: str
    evidence: dict[str, Any]
    case_kind: str
    count: int
    reason: str | None
    first_scan_id: Ulid
    last_scan_id: Ulid
    first_seen_at: datetime
    last_seen_at: datetime
    updated_at: datetime


class ScanFindingRead(FindingRead):
    """A finding, and what one scan meant for it."""

    sighting: Sighting


class Decision(StrEnum):
    ACCEPTED = "accepted"
    OPEN = "open"


class FindingUpdate(InputSchema):
    """`accepted`: live with it, whatever later scans see; `open`: no longer."""

    status: Decision
    reason: Annotated[Verbatim, Field(max_length=2_000)] = ""
