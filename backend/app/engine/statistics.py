"""Statistics that a few wild values cannot spoil. Every function takes plain finite numbers in any order."""

import math
from collections.abc import Sequence

MAD_TO_SIGMA = 0.6745
"""The third quartile of the standard normal distribution: MAD of a normal sample is 0.6745 sigma."""

MEAN_DEVIATION_TO_SIGMA = 1.253314
"""sqrt(pi / 2): sigma of a normal sample is 1.2533 times its mean absolute deviation."""


def quantile(values: Sequence[float], probability: float) -> float:
    """The quantile by linear interpolation between order statistics: type 7 of Hyndman & Fan, "Sample Quantiles in
    Statistical Packages", The American Statistician 50 (1996).

    Raises `ValueError` without values or for a probability outside 0 to 1.
    """
    if not values:
        raise ValueError("a quantile needs at least one value")
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability lies between 0 and 1, not {probability}")
    ordered = sorted(values)
    position = (len(ordered) - 1) * probability
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    low, high, weight = ordered[below], ordered[above], position - below
    # One product each, clamped, so that rounding leaves the result between its neighbours.
    return min(max(low * (1 - weight) + high * weight, low), high)


def median(values: Sequence[float]) -> float:
    """Raises `ValueError` without values."""
    return quantile(values, 0.5)


def median_absolute_deviation(values: Sequence[float]) -> float:
    """The median distance from the median, unscaled. Raises `ValueError` without values."""
    center = median(values)
    return median([abs(value - center) for value in values])


def robust_scale(values: Sequence[float]) -> float:
    """The spread of the values as a standard deviation, estimated by MAD / 0.6745.

    When more than half of the values are equal, MAD is 0 and says nothing about the rest: then 1.2533 times the mean
    absolute deviation from the median serves. 0 when all of them are equal. Raises `ValueError` without values.
    """
    scale = median_absolute_deviation(values) / MAD_TO_SIGMA
    if scale == 0:
        center = median(values)
        scale = MEAN_DEVIATION_TO_SIGMA * math.fsum(abs(value - center) / len(values) for value in values)
    return scale


def wilson_interval(successes: float, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Where the true rate lies when `successes` of `trials` were seen, at `z` standard errors (1.96: 95 %): the score
    interval of E. B. Wilson, Journal of the American Statistical Association 22 (1927). It stays within 0 to 1 and is
    honest for few trials; without trials it is (0, 1). Raises `ValueError` for impossible counts.
    """
    if trials < 0 or not 0 <= successes <= max(trials, 0):
        raise ValueError(f"{successes} of {trials} is no rate")
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    share = z * z / trials
    center = (rate + share / 2) / (1 + share)
    half = z * math.sqrt(rate * (1 - rate) / trials + share / (4 * trials)) / (1 + share)
    return max(0.0, min(center - half, rate)), min(1.0, max(center + half, rate))
