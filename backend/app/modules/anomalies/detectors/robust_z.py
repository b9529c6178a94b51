"""Robust z-score: how many robust standard deviations the present value lies from the median of the earlier ones.

Why this one comes first, how it was fitted, and its limits: `docs/decisions/0005-robust-z-score-first.md`.
"""

import math
from dataclasses import dataclass

from backend.app.engine.statistics import median, quantile, robust_scale, wilson_interval
from backend.app.modules.anomalies.detectors import MetricType, Sensitivity, Series, Verdict, detectors

MINIMUM_HISTORY = 3

THRESHOLDS = {Sensitivity.LOW: 5.0, Sensitivity.MEDIUM: 3.5, Sensitivity.HIGH: 2.5}
"""Iglewicz & Hoaglin (1993) recommend 3.5."""

EXPECTED_WEIGHT = 4
"""The spread that is expected before anything was measured counts as much as so many deviations that were."""


@dataclass(frozen=True, slots=True)
class _Metric:
    verb: str
    expected_spread: float
    """The standard deviation from scan to scan that is expected of an endpoint nobody knows: of the logarithm (0.25 is
    25 %) where there is an offset, else in the unit of the series."""
    offset: float | None = None
    """Values are compared by the logarithm of themselves plus this, so that what is small beside it is all the same."""
    two_sided: bool = False

    def scaled(self, value: float) -> float:
        return value if self.offset is None else math.log(max(value, 0.0) + self.offset)

    def unscaled(self, value: float) -> float:
        return max(0.0, value if self.offset is None else math.exp(min(value, 700.0)) - self.offset)


METRICS = {
    MetricType.LATENCY: _Metric("took", expected_spread=0.25, offset=10.0),
    MetricType.ERROR_RATE: _Metric("failed", expected_spread=0.03),
    MetricType.RESPONSE_SIZE: _Metric("answered", expected_spread=0.2, offset=100.0, two_sided=True),
}


@detectors.register("robust_z")
def robust_z(series: Series, sensitivity: Sensitivity) -> Verdict:
    """Anomalous when the score passes the threshold of the sensitivity, upwards, or both ways for a size. A rate must
    besides have a Wilson interval (95 %) that lies wholly above the one of the earlier scans, so that one failure of
    one request is no anomaly. Values that are not finite are left out of the history."""
    known = [(value, count) for value, count in zip(series.history, _counts(series), strict=True) if _is_usable(value)]
    history = [value for value, _ in known]
    if len(history) < MINIMUM_HISTORY:
        details = f"Too little history to judge: {MINIMUM_HISTORY} earlier values are needed, there are {len(history)}."
        return Verdict(0.0, False, None, None, details)
    if not _is_usable(series.current):
        return Verdict(0.0, False, None, None, "There is no present value to judge.")

    metric = METRICS[series.metric_type]
    scaled = [metric.scaled(value) for value in history]
    center, scale = median(scaled), _scale(scaled, metric.expected_spread)
    score = (metric.scaled(series.current) - center) / scale
    margin = THRESHOLDS[sensitivity] * scale
    low, high = metric.unscaled(center - margin), metric.unscaled(center + margin)
    proven = True
    if series.metric_type is MetricType.ERROR_RATE:
        usual_high, now_low = _wilson_bounds(series, known)
        high = min(1.0, max(high, usual_high))
        proven = now_low > usual_high

    beyond = series.current > high or (metric.two_sided and series.current < low)
    return Verdict(
        score,
        beyond and proven,
        low if metric.two_sided else 0.0,
        high,
        _explain(series, sensitivity, history, (low, high), beyond, proven),
    )


def _scale(values: list[float], expected: float) -> float:
    """The standard deviation of a difference from the median of `values`. A few values say little about their spread:
    the mean square of it and of the expected one, weighted by how many deviations each stands for, says more. The
    second factor is for the error of the median itself; pi / 2n of many values, a little more of few."""
    weight = len(values) - 1
    square = (EXPECTED_WEIGHT * expected**2 + weight * robust_scale(values) ** 2) / (EXPECTED_WEIGHT + weight)
    return math.sqrt(square * (1 + 3 / len(values)))


def _wilson_bounds(series: Series, known: list[tuple[float, int]]) -> tuple[float, float]:
    """The upper bound of the usual rate and the lower bound of the present one."""
    requests = sum(count for _, count in known)
    failures = min(math.fsum(_share(rate) * count for rate, count in known), requests)
    samples = max(series.current_samples, 1)
    return wilson_interval(failures, requests)[1], wilson_interval(_share(series.current) * samples, samples)[0]


def _counts(series: Series) -> tuple[int, ...]:
    """How many requests each earlier value sums up; where that is not known, as many as the present one."""
    return series.history_samples or (max(series.current_samples, 1),) * len(series.history)


def _is_usable(value: float) -> bool:
    return math.isfinite(value) and abs(value) < 1e150


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _explain(
    series: Series,
    sensitivity: Sensitivity,
    history: list[float],
    band: tuple[float, float],
    beyond: bool,
    proven: bool,
) -> str:
    metric = METRICS[series.metric_type]
    now = _amount(series, series.current)
    of_requests = " of its requests" if series.metric_type is MetricType.ERROR_RATE else ""
    requests = f" ({series.current_samples} requests)" if series.current_samples > 1 else ""
    # The middle 80 %, so that one old outlier does not make the usual look wide.
    usual = _range(series, quantile(history, 0.1), quantile(history, 0.9))
    low, high = band
    passes = _range(series, low, high) if metric.two_sided else f"up to {_amount(series, high)}"
    said = f"{series.subject} {metric.verb} {now}{of_requests}{requests}, usually {usual} over the last "
    said += f"{len(history)} scans"
    if not beyond:
        return f"{said}; within what is usual ({passes})."
    if not proven:
        return f"{said}; so few requests prove nothing."
    return f"{said}{_times(series.current, median(history))}; at {sensitivity} sensitivity {passes} passes as usual."


def _times(value: float, usual: float) -> str:
    return f", {value / usual:.2g} times as much" if usual > 0 and 1.05 < value / usual < 100 else ""


def _range(series: Series, least: float, most: float) -> str:
    texts = _amount(series, least), _amount(series, most)
    if texts[0] == texts[1]:
        return texts[0]
    shared = f" {series.unit}" if series.unit else " %"
    return f"{texts[0].removesuffix(shared)} to {texts[1]}"


def _amount(series: Series, value: float) -> str:
    if series.metric_type is MetricType.ERROR_RATE:
        return f"{value * 100:.3g} %"
    number = f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"
    return f"{number} {series.unit}".rstrip()
