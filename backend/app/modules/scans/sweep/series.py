"""How each endpoint did from scan to scan."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from backend.app.core.pagination import Row


@dataclass(frozen=True, slots=True)
class EndpointPoint:
    """One endpoint in one scan. The medians are of `latency_samples` requests of the kind `valid` that were answered
    with 2xx and reliably timed; `error_rate` is the share of `requests` that met 5xx or no answer."""

    scan_id: str
    finished_at: datetime
    requests: int
    error_rate: float
    latency_samples: int
    median_latency_ms: float | None
    median_size_bytes: float | None


@dataclass(frozen=True, slots=True)
class EndpointSeries:
    """`points` are those of the scans that sent it a request, oldest first."""

    endpoint_id: str
    method: str
    path: str
    points: tuple[EndpointPoint, ...]


def series_of(ends: Mapping[str, datetime], results: Iterable[Row]) -> list[EndpointSeries]:
    """By endpoint. `ends` has the scans that count, oldest first, with their ends."""
    points: dict[str, dict[str, EndpointPoint]] = {}
    names: dict[str, tuple[str, str]] = {}
    for row in results:
        names[row["endpoint_id"]] = row["method"], row["path"]
        points.setdefault(row["endpoint_id"], {})[row["scan_id"]] = EndpointPoint(
            scan_id=row["scan_id"],
            finished_at=ends[row["scan_id"]],
            requests=row["requests"],
            error_rate=row["errors"] / row["requests"],
            latency_samples=row["samples"],
            median_latency_ms=row["median_latency_ms"],
            median_size_bytes=row["median_size_bytes"],
        )
    return [
        EndpointSeries(endpoint_id, *names[endpoint_id], tuple(found[id_] for id_ in ends if id_ in found))
        for endpoint_id, found in sorted(points.items())
    ]
