"""What a scan is given, what it tells while it runs, and what it comes to."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from backend.app.engine.findings import Finding
from backend.app.engine.generate.requests import Credentials
from backend.app.engine.http import Headers, Outcome
from backend.app.engine.spec.model import ApiDescription

CLEAN_UP_SECONDS = 5.0
MOST_REQUESTS = 20_000


class ScanType(StrEnum):
    QUICK = "quick"
    """One safe request (GET, HEAD, OPTIONS) for each readable operation."""
    FULL = "full"


class Stopped(StrEnum):
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    MAX_REQUESTS = "max_requests"
    MAX_SECONDS = "max_seconds"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class ScanLimits:
    requests_per_second: float | None = None
    concurrency: int = 10
    max_requests: int = MOST_REQUESTS
    """Clean-up included."""
    max_seconds: float | None = None
    """Clean-up may take `CLEAN_UP_SECONDS` more."""


@dataclass(frozen=True, slots=True)
class ScanPlan:
    description: ApiDescription
    base_url: str
    """Where the target is, with the path that all operations share; absolute."""
    scan_type: ScanType | Literal["quick", "full"] = ScanType.FULL
    credentials: Credentials | None = None
    headers: Headers = ()
    """Sent with every request."""
    seed: int = 0
    limits: ScanLimits = ScanLimits()

    @property
    def has_credentials(self) -> bool:
        given = self.credentials
        return given is not None and bool(given.headers or given.query or given.cookies)


@dataclass(frozen=True, slots=True)
class TestRun:
    """One request of the scan and the verdict about it."""

    __test__ = False

    method: str
    path: str
    case_kind: str
    case_title: str
    status_code: int | None
    outcome: Outcome
    success: bool
    """The answer was the one that the case expects, and no check failed."""
    latency_ms: float
    first_byte_ms: float | None
    response_size_bytes: int
    validation_errors: tuple[str, ...]
    """What was wrong, in words; empty when `success`."""
    timestamp: float
    """Seconds since the epoch, of the intended start."""
    reliable: bool
    """False when our own event loop lagged, so that the times are not the target's."""
    conclusive: bool = True
    """The answer can tell whether a fault that such a case has shown before is still there."""
    fingerprints: tuple[str, ...] = ()
    """Of the findings that this request showed."""
    request_excerpt: str = ""
    """A `curl` line, secrets masked; only when not `success`, as the next one."""
    response_excerpt: str = ""


class ScanObserver(Protocol):
    """Is told what happens as it happens. Its methods are awaited between requests, so they should be quick; a scan
    that is stopped lets them finish."""

    async def test_run(self, run: TestRun) -> None: ...

    async def finding(self, finding: Finding) -> None:
        """The first occurrence of a fault; `ScanResult.findings` has the final counts."""

    async def progress(self, done: int, total: int) -> None: ...

    async def should_stop(self) -> bool:
        """Asked at least every half second and every 50 requests."""


@dataclass(slots=True)
class OperationSummary:
    method: str
    path: str
    requests: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    """How often each status came back; requests without an answer count under their outcome (`timeout`)."""
    reached_2xx: bool = False
    skipped: str = ""
    """Why no request, or no further request, was sent."""
    note: str = ""
    """What makes the result of this operation doubtful, in words."""


@dataclass(frozen=True, slots=True)
class Coverage:
    operations_total: int
    operations_requested: int
    operations_2xx: int
    documented_statuses: int
    documented_statuses_seen: int

    @property
    def percent(self) -> float:
        """Operations that answered with 2xx."""
        return round(100 * self.operations_2xx / self.operations_total, 1) if self.operations_total else 0.0


@dataclass(frozen=True, slots=True)
class ScanResult:
    seed: int
    operations: tuple[OperationSummary, ...]
    findings: tuple[Finding, ...]
    """The most severe first, then by path."""
    requests: int
    failed: int
    """Requests whose `TestRun.success` is false."""
    duration_s: float
    stopped: Stopped
    unauthorised: bool
    """Every valid request was refused for its credentials."""
    coverage: Coverage
    left_behind: int = 0
    """Things that the scan created and could not delete."""
    internal_errors: tuple[str, ...] = ()
    """Checks that failed themselves; their verdicts are missing."""
    planned: int = 0
    """Requests of the plan: without clean-up, and without those that are sent again."""
