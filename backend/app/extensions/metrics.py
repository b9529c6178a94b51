"""Prometheus metrics of this process; what the database knows (jobs, scan requests) is asked when they are read."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

registry = CollectorRegistry()

REQUESTS = Counter(
    "touchstone_http_requests_total", "Requests answered.", ["method", "route", "status"], registry=registry
)
LATENCY = Histogram(
    "touchstone_http_request_seconds",
    "Time from the first byte of the request to the last of the answer.",
    ["method", "route"],
    registry=registry,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


@dataclass(frozen=True, slots=True)
class JobCount:
    queue: str
    status: str
    count: int
    oldest_seconds: float


def exposition(jobs: Iterable[JobCount], scan_requests: int) -> bytes:
    """The text format of Prometheus, version 0.0.4."""
    counts = GaugeMetricFamily("touchstone_jobs", "Jobs by queue and status.", labels=["queue", "status"])
    ages = GaugeMetricFamily(
        "touchstone_job_oldest_seconds", "Age of the oldest job that is not finished.", labels=["queue", "status"]
    )
    for job in jobs:
        counts.add_metric([job.queue, job.status], job.count)
        if job.status in ("pending", "running"):
            ages.add_metric([job.queue, job.status], job.oldest_seconds)
    scans = GaugeMetricFamily("touchstone_scan_requests", "Requests sent to targets by all scans.", value=scan_requests)
    snapshot = CollectorRegistry()
    snapshot.register(_Fixed([counts, ages, scans]))
    return generate_latest(registry) + generate_latest(snapshot)


class _Fixed:
    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> list[GaugeMetricFamily]:
        return self._families
