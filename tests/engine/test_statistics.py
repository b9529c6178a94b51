import math
import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.statistics import (
    median,
    median_absolute_deviation,
    quantile,
    robust_scale,
    wilson_interval,
)

# Whole numbers keep the arithmetic of the invariants exact; rounding is not what is tested.
NUMBERS = st.integers(-10_000, 10_000).map(float)
SAMPLES = st.lists(NUMBERS, min_size=1, max_size=40)
FACTORS = st.sampled_from([0.25, 0.5, 2.0, 8.0])


def close(left: float, right: float) -> bool:
    return left == right or math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)


@given(SAMPLES)
def test_median_agrees_with_the_standard_library(values: list[float]) -> None:
    assert close(median(values), statistics.median(values))


def test_quantiles_are_of_type_7() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 10.0]
    assert [quantile(values, p) for p in (0, 0.1, 0.25, 0.5, 0.9, 1)] == pytest.approx([1, 1.4, 2, 3, 7.6, 10])
    assert quantile([7.0], 0.99) == 7.0


@given(st.lists(NUMBERS, min_size=2, max_size=40))
def test_quartiles_agree_with_the_inclusive_method(values: list[float]) -> None:
    expected = statistics.quantiles(values, n=4, method="inclusive")
    assert all(close(quantile(values, p), q) for p, q in zip((0.25, 0.5, 0.75), expected, strict=True))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.lists(st.floats(0, 1), min_size=2))
def test_quantiles_rise_with_the_probability_and_stay_within_the_values(values: list[float], ps: list[float]) -> None:
    quantiles = [quantile(values, p) for p in sorted(ps)]
    assert all(low <= high or close(low, high) for low, high in pairwise(quantiles))
    assert all(min(values) <= value <= max(values) for value in quantiles)


@given(SAMPLES, NUMBERS, FACTORS)
def test_mad_ignores_translation_and_follows_scale(values: list[float], shift: float, factor: float) -> None:
    spread = median_absolute_deviation(values)
    assert close(median_absolute_deviation([value + shift for value in values]), spread)
    assert close(median_absolute_deviation([value * factor for value in values]), spread * factor)
    assert close(median_absolute_deviation([-value for value in values]), spread)


@given(SAMPLES, NUMBERS, FACTORS)
def test_the_robust_scale_ignores_translation_and_follows_scale(
    values: list[float], shift: float, factor: float
) -> None:
    scale = robust_scale(values)
    assert close(robust_scale([-value * factor + shift for value in values]), scale * factor)


@given(st.lists(st.integers(0, 100).map(float), min_size=5, max_size=21), NUMBERS)
def test_one_wild_value_moves_median_and_mad_of_the_rest_little(values: list[float], wild: float) -> None:
    assert 0 <= median([*values, wild]) <= 100
    assert median_absolute_deviation([*values, wild]) <= 100


def test_the_robust_scale_of_known_samples() -> None:
    assert robust_scale([1, 2, 3, 4, 5]) == pytest.approx(1 / 0.6745)
    assert robust_scale([5, 5, 5]) == 0


def test_without_mad_the_mean_deviation_measures_the_spread() -> None:
    assert robust_scale([5, 5, 5, 5, 9]) == pytest.approx(1.253314 * 0.8)


def test_wilson_interval_of_a_published_example() -> None:
    # 81 of 263: Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.1, 5))
def test_wilson_interval_holds_the_rate_and_mirrors(counts: tuple[int, int], z: float) -> None:
    successes, trials = counts
    low, high = wilson_interval(successes, trials, z)
    assert 0 <= low <= successes / trials <= high <= 1
    other_low, other_high = wilson_interval(trials - successes, trials, z)
    assert math.isclose(low, 1 - other_high, abs_tol=1e-9)
    assert math.isclose(high, 1 - other_low, abs_tol=1e-9)


@given(st.integers(0, 30), st.integers(30, 60))
def test_more_trials_narrow_the_wilson_interval(successes: int, trials: int) -> None:
    few = wilson_interval(successes, trials)
    many = wilson_interval(successes * 10, trials * 10)
    assert many[1] - many[0] < few[1] - few[0]


def test_nothing_is_known_without_trials() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("call", [lambda: quantile([], 0.5), lambda: quantile([1], 1.1), lambda: wilson_interval(3, 2)])
def test_impossible_questions_are_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=r"at least|between|no rate"):
        call()
