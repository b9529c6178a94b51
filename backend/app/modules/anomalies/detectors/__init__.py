"""Detectors: how the present value of a series is judged against the ones before it. One file, one detector."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from backend.app.core.registry import Registry


class MetricType(StrEnum):
    LATENCY = "latency"
    """Milliseconds, typically; only more is worse."""
    ERROR_RATE = "error_rate"
    """A share from 0 to 1; only more is worse."""
    RESPONSE_SIZE = "response_size"
    """Bytes; a body that shrinks is as telling as one that grows."""


class Sensitivity(StrEnum):
    """How readily a detector speaks up: the setting `anomalies.sensitivity`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Series:
    metric_type: MetricType
    unit: str
    """As written behind a number: `ms`, `B`; empty for a rate."""
    history: tuple[float, ...]
    """One value for each earlier scan, oldest first, without `current`."""
    current: float
    current_samples: int = 1
    """How many requests `current` sums up."""
    subject: str = "This endpoint"
    """Whose series it is, as the explanation calls it: `GET /books`."""
    history_samples: tuple[int, ...] = ()
    """How many requests each value of `history` sums up; empty when that is not known."""


@dataclass(frozen=True, slots=True)
class Verdict:
    score: float
    """Signed distance from the usual, in the detector's own unit; 0 when there is too little history to say."""
    is_anomalous: bool
    expected_low: float | None
    """The band in which a value passes as usual; `None` on both sides when there is too little history."""
    expected_high: float | None
    details: str
    """Why, in words for a person."""


Detector: TypeAlias = Callable[[Series, Sensitivity], Verdict]

detectors: Registry[Detector] = Registry("detector", "backend.app.modules.anomalies.detectors")
