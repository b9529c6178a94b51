"""What anomalies answer."""

from datetime import datetime

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema
from backend.app.modules.anomalies.detectors import MetricType


class AnomalyRead(BaseSchema):
    """What a detector said about one metric of an endpoint in a scan.

    `value` is in milliseconds, bytes, or a share from 0 to 1, and sums up `samples` requests; between `expected_low`
    and `expected_high` it would pass as usual. `details` says why in words.
    """

    id: Ulid
    project_id: Ulid
    endpoint_id: Ulid
    scan_id: Ulid
    method: str
    path: str
    metric_type: MetricType
    detector: str
    score: float
    is_anomalous: bool
    value: float
    samples: int
    expected_low: float | None
    expected_high: float | None
    details: str
    created_at: datetime
