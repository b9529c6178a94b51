"""What anomalies answer."""

from datetime import datetime

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema
from backend.app.modules.anomalies.detectors import MetricType


class AnomalyRead(BaseSchema):
    """What a detector said about one metric of an endpoint in a scan."""

    id: Ulid
    """The verdict's ULID."""
    project_id: Ulid
    """The project that it belongs to."""
    endpoint_id: Ulid
    """The endpoint that was measured."""
    scan_id: Ulid
    """The scan that measured."""
    method: str
    """Of the operation."""
    path: str
    """The path template of the operation."""
    metric_type: MetricType
    """What was measured."""
    detector: str
    """What judged it, by its registered name."""
    score: float
    """How far from usual, in the detector's own measure."""
    is_anomalous: bool
    """Whether it looks unlike itself."""
    value: float
    """In milliseconds, bytes, or a share from 0 to 1."""
    samples: int
    """The requests that the value sums up."""
    expected_low: float | None
    """From here on it would pass as usual."""
    expected_high: float | None
    """Up to here it would pass as usual."""
    details: str
    """Why, in words."""
    created_at: datetime
    """When it was judged."""
