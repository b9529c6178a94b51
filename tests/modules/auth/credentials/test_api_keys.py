"""The form of API keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.auth.credentials.api_keys import hash_api_key, is_well_formed, new_api_key

KEY = new_api_key()


def test_every_key_is_well_formed_and_its_own() -> None:
    keys = {new_api_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(is_well_formed(key) for key in keys)


@given(st.integers(3, 38), st.sampled_from("0aZ"))
def test_a_typing_error_is_seen_without_the_database(position: int, character: str) -> None:
    mistyped = KEY[:position] + character + KEY[position + 1 :]
    assert is_well_formed(mistyped) == (mistyped == KEY)


@given(st.text())
def test_no_other_text_is_a_key(text: str) -> None:
    assert not is_well_formed(text)


@pytest.mark.parametrize(
    "text",
    ["", "ak_", KEY[:-1], KEY + "0", KEY + "\n", " " + KEY, KEY.replace("ak_", "AK_")],
    ids=["empty", "prefix", "short", "long", "newline", "space", "capitals"],
)
def test_what_is_nearly_a_key_is_none(text: str) -> None:
    assert not is_well_formed(text)


def test_the_hash_needs_our_key() -> None:
    assert hash_api_key(KEY, b"one") == hash_api_key(KEY, b"one") != hash_api_key(KEY, b"two")
    assert KEY[3:] not in hash_api_key(KEY, b"one")
