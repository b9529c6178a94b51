"""Adds up the test runs of a scan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from backend.app.engine.http import Outcome
from backend.app.engine.scan import TestRun
from backend.app.modules.endpoints.service import EndpointResult

BASELINE = "valid"
"""The kind of case whose latency and size are compared from scan to scan."""


def moment(seconds: float) -> datetime:
    """Of seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(slots=True)
class Samples:
    """Of one operation. Latencies (ms) and sizes (bytes) are those of valid requests that were answered with 2xx and
    reliably timed; `errors` are 5xx and requests without an answer."""

    latencies: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    errors: int = 0
    latest: TestRun | None = None


class Tally:
    """Adds up the test runs of a scan by operation as they come."""

    def __init__(self) -> None:
        self.last: TestRun | None = None
        self._samples: dict[str, Samples] = {}
        self._tried: set[tuple[str, str]] = set()
        self._hindered: set[tuple[str, str]] = set()

    def add(self, run: TestRun) -> None:
        key = f"{run.method} {run.path}"
        samples = self._samples.setdefault(key, Samples())
        self.last = run
        answered = run.outcome is Outcome.ANSWERED
        samples.errors += not answered or (run.status_code or 0) >= 500
        (self._tried if run.conclusive else self._hindered).add((key, run.case_kind))
        if run.case_kind != BASELINE:
            return
        samples.latest = run
        if run.reliable and 200 <= (run.status_code or 0) < 300:
            samples.latencies.append(run.latency_ms)
            samples.sizes.append(run.response_size_bytes)

    def of(self, key: str) -> Samples:
        return self._samples.get(key) or Samples()

    def tried(self) -> set[tuple[str, str]]:
        """Operation and kind of the cases that all met an answer which can tell whether a fault is still there."""
        return self._tried - self._hindered

    def latest(self, ids: Mapping[str, str]) -> list[EndpointResult]:
        return [
            EndpointResult(ids[key], run.status_code, run.latency_ms, moment(run.timestamp))
            for key, samples in self._samples.items()
            if (run := samples.latest) is not None
        ]
