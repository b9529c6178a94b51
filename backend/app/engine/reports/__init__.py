"""Reports: one finished scan as a file for people or machines. One file, one format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from backend.app.core.redaction import redact_text
from backend.app.core.registry import Registry
from backend.app.engine.scan import ScanResult


@dataclass(frozen=True, slots=True)
class OperationReport:
    method: str
    path: str
    requests: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    """How often each status code came back (`{"200": 3}`); requests without an answer count under how they ended
    (`{"timeout": 1}`)."""
    reached_2xx: bool = False


@dataclass(frozen=True, slots=True)
class FindingReport:
    fingerprint: str
    check: str
    severity: str
    """`critical`, `high`, `medium`, `low` or `info`."""
    method: str
    path: str
    title: str
    detail: str
    curl: str
    """A command that reproduces it, secrets masked; empty when there is none."""
    setup: tuple[str, ...] = ()
    """Commands that make what `curl` refers to, to be sent before it."""

    @property
    def commands(self) -> str:
        """All of them as lines for a shell."""
        if not self.setup:
            return self.curl
        first = "# first, what it refers to; an id that the server chooses has to be replaced below"
        return "\n".join((first, *self.setup, "# then", self.curl))


@dataclass(frozen=True, slots=True)
class Coverage:
    operations_total: int = 0
    operations_requested: int = 0
    operations_2xx: int = 0
    documented_statuses: int = 0
    documented_statuses_seen: int = 0
    percent: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """The fields are the JSON report, by name and in this order."""

    target: str
    spec: str
    seed: int
    requests: int
    duration_s: float
    operations: tuple[OperationReport, ...] = ()
    findings: tuple[FindingReport, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)


def report_of(result: ScanResult, *, target: str, spec: str) -> Report:
    """`target` is the base URL that was scanned, `spec` where its description came from. Findings come masked."""
    coverage = result.coverage
    return Report(
        target=redact_text(target),
        spec=redact_text(spec),
        seed=result.seed,
        requests=result.requests,
        duration_s=round(result.duration_s, 3),
        operations=tuple(
            OperationReport(one.method, one.path, one.requests, one.statuses, one.reached_2xx)
            for one in result.operations
        ),
        findings=tuple(
            FindingReport(
                one.fingerprint,
                one.check,
                one.severity.value,
                one.method,
                one.path,
                one.title,
                one.detail,
                one.curl,
                one.setup,
            )
            for one in result.findings
        ),
        coverage=Coverage(
            coverage.operations_total,
            coverage.operations_requested,
            coverage.operations_2xx,
            coverage.documented_statuses,
            coverage.documented_statuses_seen,
            coverage.percent,
        ),
    )


Reporter: TypeAlias = Callable[[Report], bytes]

reports: Registry[Reporter] = Registry("report", "backend.app.engine.reports")
