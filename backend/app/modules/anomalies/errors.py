"""What can go wrong with anomalies."""

from backend.app.core.errors import NotFound


class AnomalyNotFound(NotFound):
    code = "anomaly.not_found"
    title = "There is no such anomaly"
