"""ULIDs: their order, their shape, and what is accepted as one."""

import time

import pytest
from pydantic import TypeAdapter, ValidationError
from ulid import ULID

from backend.app.core.ids import Ulid, new_ulid

ULIDS: TypeAdapter[str] = TypeAdapter(Ulid)


def test_a_ulid_says_when_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    made = new_ulid()
    assert before <= ULID.from_str(made).milliseconds <= time.time_ns() // 1_000_000
    assert ULIDS.validate_python(made) == made


def test_ulids_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [1, 1_000, 10**12, 1_800_000_000_000, 2**48 - 1]
    made = []
    for moment in moments:
        monkeypatch.setattr(time, "time_ns", lambda moment=moment: moment * 1_000_000)
        made.append(new_ulid())
    assert made == sorted(made)
    assert [ULID.from_str(value).milliseconds for value in made] == moments


def test_ulids_differ() -> None:
    assert len({new_ulid() for _ in range(10_000)}) == 10_000


def test_lower_case_is_the_same_ulid() -> None:
    made = new_ulid()
    assert ULIDS.validate_python(made.lower()) == made


@pytest.mark.parametrize(
    "text", ["", "x", "8" + "0" * 25, "0" * 25, "0" * 27, "0" * 25 + "I", "0" * 25 + "\n", "0" * 26 + "\n", "é" * 26]
)
def test_refuses_what_is_no_ulid(text: str) -> None:
    with pytest.raises(ValidationError):
        ULIDS.validate_python(text)
