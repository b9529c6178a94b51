from datetime import UTC, datetime, timedelta
from typing import Any

from backend.app.modules.scans.sweep.series import series_of

START = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = {name: START + timedelta(days=day) for day, name in enumerate(("first", "second", "third"))}


def row(scan: str, endpoint: str, **changes: Any) -> dict[str, Any]:
    values = {"requests": 4, "errors": 1, "samples": 3, "median_latency_ms": 7.0, "median_size_bytes": 10.0}
    return {"scan_id": scan, "endpoint_id": endpoint, "method": "GET", "path": f"/{endpoint}", **values, **changes}


def test_a_series_follows_the_order_of_the_scans_whatever_the_order_of_the_rows() -> None:
    rows = [row("third", "b"), row("second", "a"), row("third", "a", errors=4), row("first", "a", errors=0)]
    one, other = series_of(ENDS, rows)
    assert (one.endpoint_id, one.method, one.path) == ("a", "GET", "/a")
    assert [point.scan_id for point in one.points] == ["first", "second", "third"]
    assert [point.error_rate for point in one.points] == [0.0, 0.25, 1.0]
    assert [point.finished_at for point in other.points] == [ENDS["third"]]
