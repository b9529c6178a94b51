"""How failures slow down the next try."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.modules.auth.credentials.throttle import FORGOTTEN, FREE, LONGEST, keys_of, open_from, pause_s

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_the_wait_doubles_up_to_its_limit() -> None:
    waits = [(open_from(failures, NOW) - NOW).total_seconds() for failures in range(FREE + 12)]
    assert waits == [0] * FREE + [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


@given(st.floats(0, 7.2))
@settings(max_examples=30)
def test_of_10_000_guesses_within_20_hours_at_most_100_are_heard(step_s: float) -> None:
    """However fast they come: the first five, ten while the wait grows to its limit, then one in a quarter of an
    hour."""
    failures, last_at, heard = 0, NOW, 0
    for number in range(10_000):
        now = NOW + timedelta(seconds=number * step_s)
        if now >= open_from(failures, last_at):
            failures, last_at, heard = failures + 1, now, heard + 1
    assert heard <= 100


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_failures_never_wait_less(one: int, other: int) -> None:
    few, many = sorted((one, other))
    assert open_from(few, NOW) <= open_from(many, NOW) <= NOW + LONGEST < NOW + FORGOTTEN
    assert 0 <= pause_s(few) <= pause_s(many) <= 2


def test_an_account_from_an_address_is_counted_for_itself() -> None:
    key = b"k" * 32
    pair, account = keys_of("ada@example.com", "203.0.113.7", key)
    assert keys_of("ada@example.com", "203.0.113.8", key)[0] != pair
    assert keys_of("ada@example.com", "203.0.113.8", key)[1] == account
    assert keys_of("eve@example.com", "203.0.113.7", key)[1] != account
    assert keys_of("ada@example.com", "203.0.113.7", b"other")[0] != pair
    assert keys_of("ada@example.com", "2001:db8::1", key) == keys_of("ada@example.com", "2001:db8::2", key)
