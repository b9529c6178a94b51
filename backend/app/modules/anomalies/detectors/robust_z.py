"""Robust z-score: how many robust standard deviations the present value lies from the median of the earlier ones.

Why this one comes first, and its limits: `docs/decisions/0005-robust-z-score-first.md`.
"""

import math
from dataclasses import dataclass

from backend.app.engine.statistics import median, quantile, robust_scale, wilson_interval
from backend.app.modules.anomalies.detectors import MetricType, Sensitivity, Series, Verdict, detectors

MINIMUM_HISTORY = 3

THRESHOLDS = {Sensitivity.LOW: 5.0, Sensitivity.MEDIUM: 3.5, Sensitivity.HIGH: 2.5}
"""Iglewicz & Hoaglin (1993) recommend 3.5."""


@dataclass(frozen=True, slots=True)
class _Metric:
    verb: str
    absolute_floor: float
    """A standard deviation below this is taken for this, in the unit of the series."""
    relative_floor: float
    """The same as a share of the median."""
    two_sided: bool = False


METRICS = {
    MetricType.LATENCY: _Metric("took", absolute_floor=5.0, relative_floor=0.15),
    MetricType.ERROR_RATE: _Metric("failed", absolute_floor=0.02, relative_floor=0.0),
    MetricType.RESPONSE_SIZE: _Metric("answered", absolute_floor=16.0, relative_floor=0.1, two_sided=True),
}


@detectors.register("robust_z")
def robust_z(series: Series, sensitivity: Sensitivity) -> Verdict:
    """Anomalous when the score passes the threshold of the sensitivity, upwards, or both ways for a size. A rate must
    besides have a Wilson interval (95 %) that lies wholly above the one of the earlier scans, so that one failure of
    one request is no anomaly. Values that are not finite are left out of the history."""
    history = [value for value in series.history if math.isfinite(value)]
    if len(history) < MINIMUM_HISTORY:
        details = f"Too little history to judge: {MINIMUM_HISTORY} earlier values are needed, there are {len(history)}."
        return Verdict(0.0, False, None, None, details)
    if not math.isfinite(series.current):
        return Verdict(0.0, False, None, None, "There is no present value to judge.")

    metric = METRICS[series.metric_type]
    center = median(history)
    floor = max(metric.absolute_floor, metric.relative_floor * abs(center))
    scale = max(robust_scale(history) * _widening(len(history)), floor)
    threshold = THRESHOLDS[sensitivity]
    low, high = max(0.0, center - threshold * scale), center + threshold * scale
    surprising = True
    if series.metric_type is MetricType.ERROR_RATE:
        usual_high, now_low = _wilson_bounds(series, history)
        high = min(1.0, max(high, usual_high))
        surprising = now_low > usual_high

    score = (series.current - center) / scale
    beyond = series.current > high or (metric.two_sided and series.current < low)
    is_anomalous = beyond and surprising
    return Verdict(score, is_anomalous, low, high, _explain(series, history, score, is_anomalous))


def _widening(count: int) -> float:
    """By how much the scale of so few values must be widened for a threshold of 3.5 to raise one false alarm in 200 on
    skewed noise (log-normal, sigma 0.25; a fit to a simulation, see the decision page)."""
    return 1.2 + 75 / count**2


def _wilson_bounds(series: Series, history: list[float]) -> tuple[float, float]:
    """The upper bound of the usual rate and the lower bound of the present one; earlier scans are taken to have sent
    as many requests as this one."""
    samples = max(series.current_samples, 1)
    failures, present = math.fsum(map(_share, history)) * samples, _share(series.current) * samples
    return wilson_interval(failures, samples * len(history))[1], wilson_interval(present, samples)[0]


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _explain(series: Series, history: list[float], score: float, is_anomalous: bool) -> str:
    now = _amount(series, series.current)
    # The middle 80 %, so that one old outlier does not make the usual look wide.
    least, most = (_amount(series, quantile(history, probability)) for probability in (0.1, 0.9))
    if least == most:
        usual = least
    else:
        shared = f" {series.unit}" if series.unit else " %"
        usual = f"{least.removesuffix(shared)} to {most}"
    distance = abs(score)
    number = f"{distance:.1f}" if distance < 10 else f"{distance:.0f}"
    requests = f" ({series.current_samples} requests)" if series.current_samples > 1 else ""
    of_requests = " of its requests" if series.metric_type is MetricType.ERROR_RATE else ""
    side = "above" if score >= 0 else "below"
    verb = METRICS[series.metric_type].verb
    distance_words = f"{number} robust deviations {side}" if is_anomalous else "within what is usual"
    return (
        f"{series.subject} {verb} {now}{of_requests}{requests}, usually {usual} over the last {len(history)} scans; "
        f"{distance_words}."
    )


def _amount(series: Series, value: float) -> str:
    if series.metric_type is MetricType.ERROR_RATE:
        return f"{value * 100:.3g} %"
    number = f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"
    return f"{number} {series.unit}".rstrip()
