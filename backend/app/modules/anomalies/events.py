"""What anomalies make known."""

from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class AnomalyDetected(Event):
    name: ClassVar = "anomaly.detected"
    anomaly_id: Ulid
    scan_id: Ulid
    endpoint_id: Ulid
    method: str
    path: str
    metric_type: str
    detector: str
    score: float
    details: str


class AnomalyCheckCompleted(Event):
    """A scan was held against the ones before it. It stands on the project's timeline: a scan's own ends with what
    ended the scan. When it brought more than a timeline can bear, the strongest anomalies alone have an event of their
    own."""

    name: ClassVar = "anomaly_check.completed"
    entity: ClassVar = "project"
    scan_id: Ulid
    judged: int
    """Verdicts: endpoints by metrics by detectors."""
    anomalous: int
