import random
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.anomalies.detectors import MetricType, Sensitivity, Series, Verdict, detectors
from backend.app.modules.anomalies.detectors.robust_z import robust_z

LATENCY, ERROR_RATE, SIZE = MetricType.LATENCY, MetricType.ERROR_RATE, MetricType.RESPONSE_SIZE


def judge(series: Series, sensitivity: Sensitivity = Sensitivity.MEDIUM) -> Verdict:
    return robust_z(series, sensitivity)


def latency(history: list[float], current: float, samples: int = 5) -> Series:
    return Series(LATENCY, "ms", tuple(history), current, samples, "GET /books")


def error_rate(history: list[float], current: float, samples: int) -> Series:
    return Series(ERROR_RATE, "", tuple(history), current, samples, "GET /books")


def size(history: list[float], current: float) -> Series:
    return Series(SIZE, "B", tuple(history), current, 5, "GET /books")


def test_it_is_found_by_name() -> None:
    assert detectors.get("robust_z") is robust_z


def test_grown_latency_is_found_after_four_normal_scans_and_explained() -> None:
    verdict = judge(latency([21, 24, 27, 35], 412))
    assert verdict.is_anomalous
    assert verdict.score > 3.5
    assert verdict.expected_low is not None
    assert verdict.expected_high is not None
    assert verdict.expected_low <= 21 <= 35 <= verdict.expected_high < 412
    assert verdict.details == (
        "GET /books took 412 ms (5 requests), usually 22 to 33 ms over the last 4 scans, 16 times as much; "
        f"at medium sensitivity up to {verdict.expected_high:.0f} ms passes as usual."
    )


def test_a_steady_series_is_described_by_one_value() -> None:
    assert "usually 20 ms over the last 4 scans; within what is usual (up to " in judge(latency([20] * 4, 21)).details


def test_one_earlier_outlier_hides_nothing() -> None:
    assert judge(latency([20, 21, 900, 22, 23, 21, 20], 412)).is_anomalous


@pytest.mark.parametrize("current", [1.0, 3.0, 9.0])
def test_jitter_of_milliseconds_is_no_anomaly(current: float) -> None:
    assert not judge(latency([2, 2, 2, 2], current)).is_anomalous


@pytest.mark.parametrize("metric", list(MetricType))
def test_too_little_history_is_said(metric: MetricType) -> None:
    verdict = judge(Series(metric, "", (1.0, float("nan"), 1.0), 1e6))
    assert not verdict.is_anomalous
    assert (verdict.score, verdict.expected_low, verdict.expected_high) == (0, None, None)
    assert "3 earlier values are needed, there are 2" in verdict.details


def test_faster_and_fewer_errors_are_no_anomaly() -> None:
    assert not judge(latency([400] * 10, 2)).is_anomalous
    assert not judge(error_rate([0.5] * 10, 0.0, 200)).is_anomalous


def test_a_body_may_be_too_large_or_too_small() -> None:
    history = [4000.0, 4010.0, 3990.0, 4000.0, 4020.0]
    assert judge(size(history, 90_000)).score > 3.5
    shrunk = judge(size(history, 12))
    assert shrunk.is_anomalous
    assert shrunk.score < -3.5
    assert "at medium sensitivity 2" in shrunk.details
    assert not judge(size(history, 4300)).is_anomalous


def test_a_list_that_grows_a_little_every_scan_is_usual() -> None:
    assert not judge(size([1000, 1200, 1400, 1600], 1800)).is_anomalous


@pytest.mark.parametrize(
    ("current", "samples", "anomalous"),
    [(1.0, 1, False), (0.5, 2, False), (1.0, 5, True), (0.4, 50, True), (0.02, 50, False)],
)
def test_an_error_rate_needs_enough_requests(current: float, samples: int, anomalous: bool) -> None:
    verdict = judge(error_rate([0.0] * 4, current, samples))
    assert verdict.is_anomalous is anomalous
    assert "% of its requests" in verdict.details


def test_few_requests_prove_nothing_and_that_is_said() -> None:
    verdict = judge(error_rate([0.0] * 4, 1.0, 1))
    assert "failed 100 % of its requests" in verdict.details
    assert verdict.details.endswith("so few requests prove nothing.")


def test_an_error_rate_is_held_against_as_many_requests_as_were_sent() -> None:
    """Three failures of twenty wrong requests are nothing odd after scans that sent one right request each."""
    quick = Series(ERROR_RATE, "", (0.0,) * 5, 0.15, 20, history_samples=(1,) * 5)
    full = Series(ERROR_RATE, "", (0.0,) * 5, 0.25, 20, history_samples=(20,) * 5)
    assert not judge(quick).is_anomalous
    assert judge(full).is_anomalous


Noise: TypeAlias = Callable[[random.Random], float]


def normal(rng: random.Random) -> float:
    return max(0.0, rng.gauss(200, 40))


def skewed(rng: random.Random) -> float:
    return 200 * rng.lognormvariate(0, 0.25)


def very_skewed(rng: random.Random) -> float:
    return 200 * rng.lognormvariate(0, 0.4)


def uniform(rng: random.Random) -> float:
    return rng.uniform(10, 90)


def share_found(
    noise: Noise,
    length: int,
    metric: MetricType = LATENCY,
    *,
    factor: float = 1,
    level: Sensitivity = Sensitivity.MEDIUM,
) -> float:
    """How many of 2,000 series are called anomalous when the present value is `factor` times the noise."""
    rng = random.Random(20_240)
    series = (Series(metric, "", tuple(noise(rng) for _ in range(length)), factor * noise(rng), 5) for _ in range(2000))
    return sum(judge(one, level).is_anomalous for one in series) / 2000


@pytest.mark.parametrize("noise", [normal, skewed, very_skewed, uniform])
@pytest.mark.parametrize("length", [3, 4, 5, 10, 20])
def test_stationary_latency_raises_at_most_one_false_alarm_in_a_hundred(noise: Noise, length: int) -> None:
    assert share_found(noise, length) <= 0.01


@pytest.mark.parametrize("noise", [normal, skewed])
@pytest.mark.parametrize("length", [3, 4, 5, 10, 20])
def test_stationary_sizes_raise_at_most_one_false_alarm_in_a_hundred(noise: Noise, length: int) -> None:
    assert share_found(noise, length, SIZE) <= 0.01


@pytest.mark.parametrize(("length", "least"), [(3, 0.85), (4, 0.9), (10, 0.95)])
def test_a_fivefold_slowdown_is_found_at_once(length: int, least: float) -> None:
    assert share_found(skewed, length, factor=5) >= least


def test_sensitivity_trades_false_alarms_for_slowdowns_found() -> None:
    alarms, found = ([share_found(skewed, 4, factor=f, level=level) for level in Sensitivity] for f in (1, 3))
    assert alarms[0] <= 0.001
    assert alarms[2] <= 0.02
    assert found[0] + 0.2 < found[1] < found[2] - 0.1


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.2, 0.5])
@pytest.mark.parametrize("samples", [1, 5, 30])
@pytest.mark.parametrize("length", [4, 10])
def test_a_steady_error_rate_raises_at_most_one_false_alarm_in_a_hundred(
    rate: float, samples: int, length: int
) -> None:
    rng = random.Random(7)

    def seen() -> float:
        return sum(rng.random() < rate for _ in range(samples)) / samples

    series = [error_rate([seen() for _ in range(length)], seen(), samples) for _ in range(1000)]
    assert sum(judge(one).is_anomalous for one in series) <= 10


VALUES = st.floats(0, 1e6)


@given(st.sampled_from(list(MetricType)), st.lists(VALUES, min_size=3, max_size=20), VALUES, st.integers(0, 50))
def test_higher_sensitivity_never_finds_less(
    metric: MetricType, history: list[float], current: float, samples: int
) -> None:
    series = Series(metric, "", tuple(history), current, samples)
    found = [judge(series, level).is_anomalous for level in Sensitivity]
    assert found == sorted(found)


@given(st.sampled_from(list(MetricType)), st.lists(st.floats(), max_size=20), st.floats(), st.integers(0, 50))
def test_any_series_gets_a_verdict(metric: MetricType, history: list[float], current: float, samples: int) -> None:
    verdict = judge(Series(metric, "ms", tuple(history), current, samples))
    assert verdict.details.endswith(".")
    if verdict.is_anomalous:
        assert verdict.expected_low is not None
        assert verdict.expected_high is not None
        assert not verdict.expected_low <= current <= verdict.expected_high
