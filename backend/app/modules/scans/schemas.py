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
    """How to scan. With equal seeds two scans of an unchanged description plan the same requests."""

    scan_type: ScanType = ScanType.FULL
    """`quick` sends one safe request for each readable operation, `full` exercises everything."""
    requests_per_second: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] | None = None
    """At most; null: as fast as the target answers."""
    concurrency: Annotated[int, Field(ge=1, le=100)] = 10
    """Requests in flight at most."""
    max_requests: Annotated[int, Field(ge=1, le=MOST_REQUESTS)] = MOST_REQUESTS
    """The scan stops after so many."""
    max_seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 900.0
    """The scan stops after so long."""
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    """The same seed plans the same requests; up to 2^53 - 1, which every reader of JSON keeps (RFC 8259, 6)."""


class Progress(BaseSchema):
    """Requests sent and planned."""

    done: int
    """Requests sent."""
    total: int
    """Requests planned; more may be found to be needed on the way."""


class ScanError(BaseSchema):
    code: str
    """Stable, for programs."""
    message: str
    """For people."""


class ScanSummary(BaseSchema):
    """What a scan comes to."""

    requests: int
    """How many were sent."""
    failed: int
    """Requests that a check had something against."""
    duration_s: float
    """Seconds from the first request to the last answer."""
    stopped: str
    """`completed`, or the limit that ended it."""
    unauthorised: bool
    """Whether every valid request was refused with 401 or 403: the credentials are most likely wrong."""
    operations_total: int
    """Operations of the inventory."""
    operations_requested: int
    """Operations that were sent a request."""
    operations_2xx: int
    """Operations that answered 2xx at least once."""
    coverage_percent: float
    """Share of the operations that answered 2xx."""
    documented_statuses: int
    """Answers that the description lists, over all operations."""
    documented_statuses_seen: int
    """How many of those came."""
    findings: int
    """Distinct faults that the scan met."""
    findings_opened: int
    """Faults that no scan had met before."""
    findings_reopened: int
    """Faults that had been fixed."""
    findings_fixed: int
    """Faults that the scan tried again and did not meet."""
    findings_open: int
    """Faults of the project that stand after the scan."""
    severities: dict[str, int]
    """Faults that the scan met, by severity."""
    left_behind: int
    """Things that the scan created at the target and could not delete."""
    internal_errors: list[str]
    """Checks that failed themselves; their verdicts are missing."""


class ScanRead(BaseSchema):
    """One sweep over the target. Its job is found by `GET /jobs?event_id=...`."""

    id: Ulid
    """The scan's ULID."""
    project_id: Ulid
    """The project that is scanned."""
    event_id: Ulid
    """The event that asked for it; its job has the same."""
    scan_type: ScanType
    """`quick` is read only, `full` exercises everything."""
    status: ScanStatus
    """Where it stands."""
    seed: int
    """The same seed plans the same requests."""
    requests_per_second: float | None
    """At most; null: as fast as the target answers."""
    concurrency: int
    """Requests in flight at most."""
    max_requests: int
    """It stops after so many."""
    max_seconds: float
    """It stops after so long."""
    progress: Progress
    """How far it is."""
    summary: ScanSummary | None
    """What it came to; null before its end."""
    error: ScanError | None
    """Why it failed; null otherwise."""
    created_at: datetime
    """When it was asked for."""
    started_at: datetime | None
    """When its job began."""
    finished_at: datetime | None
    """When it ended, however it did."""


class TestRunRead(BaseSchema):
    """One request and the verdict about it."""

    __test__ = False

    id: int
    """Its place in the order of answers."""
    scan_id: Ulid
    """The scan that sent it."""
    endpoint_id: Ulid
    """The endpoint that it went to."""
    case_kind: str
    """What was tried, for programs: `valid` is a request as the description has it."""
    case_title: str
    """What was tried, for people."""
    method: str
    """Of the request."""
    path: str
    """The path template of the operation."""
    status_code: int | None
    """Of the answer; null without one."""
    outcome: Outcome
    """How the exchange ended."""
    success: bool
    """Whether no check had anything against it."""
    latency_ms: float
    """Milliseconds from the intended start to the end of the answer."""
    first_byte_ms: float | None
    """Milliseconds from the intended start to the first byte of the answer."""
    response_size_bytes: int
    """Of the decoded body."""
    validation_errors: list[str]
    """What the checks had against it."""
    reliable: bool
    """Whether the time is the target's alone."""
    timestamp: datetime
    """When the request was meant to start."""
    request_excerpt: str | None
    """The beginning of the request, secrets masked; kept of failures."""
    response_excerpt: str | None
    """The beginning of the answer, secrets masked; kept of failures."""


class OperationResultRead(BaseSchema):
    """What a scan's requests to one operation come to."""

    endpoint_id: Ulid
    """The endpoint."""
    method: str
    """Of the operation."""
    path: str
    """The path template of the operation."""
    requests: int
    """How many it was sent."""
    errors: int
    """Answers with 5xx and requests without an answer."""
    statuses: dict[str, int]
    """How often each status came; requests without an answer count under their outcome (`timeout`)."""
    reached_2xx: bool
    """Whether it answered 2xx at least once."""
    skipped: str
    """Why it, or the rest of its cases, was left out; empty otherwise."""
    note: str
    """What makes the result doubtful, in words; empty otherwise."""
    samples: int
    """Valid requests that were answered with 2xx and reliably timed."""
    median_latency_ms: float | None
    """Of the samples."""
    median_size_bytes: float | None
    """Of the samples."""


class FindingRead(BaseSchema):
    """A fault of one operation, recognised from scan to scan by its `fingerprint`."""

    id: Ulid
    """The finding's ULID."""
    project_id: Ulid
    """The project that it belongs to."""
    endpoint_id: Ulid
    """The endpoint at fault."""
    fingerprint: str
    """The same for the same fault in every scan."""
    status: FindingStatus
    """Where it stands."""
    check: str
    """The check that saw it, by its registered name."""
    severity: Severity
    """How bad it is."""
    method: str
    """Of the operation."""
    path: str
    """The path template of the operation."""
    title: str
    """The fault in a few words."""
    detail: str
    """The fault in the words of its latest occurrence."""
    curl: str
    """A command that reproduces it, secrets masked."""
    evidence: dict[str, Any]
    """What was expected and what came; `setup` has the `curl` lines that make what the request refers to."""
    case_kind: str
    """What was tried when it showed."""
    count: int
    """How often the latest scan that saw it did."""
    reason: str | None
    """Why a person accepted it."""
    first_scan_id: Ulid
    """The scan that saw it first."""
    last_scan_id: Ulid
    """The scan that saw it last."""
    first_seen_at: datetime
    """When it was seen first."""
    last_seen_at: datetime
    """When it was seen last."""
    updated_at: datetime
    """When it changed last; the ETag holds it."""


class ScanFindingRead(FindingRead):
    """A finding, and what one scan meant for it."""

    sighting: Sighting
    """What this scan meant for it."""


class Decision(StrEnum):
    ACCEPTED = "accepted"
    OPEN = "open"


class FindingUpdate(InputSchema):
    """What a person decides about a finding."""

    status: Decision
    """`accepted`: live with it, whatever later scans see; `open`: no longer."""
    reason: Annotated[Verbatim, Field(max_length=2_000)] = ""
    """Why, in your own words."""
