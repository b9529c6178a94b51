"""Keyset pages: a walk sees every row once, whatever arrives meanwhile, and garbage is no cursor."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.core.pagination import InvalidCursor, PageRequest, decode_cursor, encode_cursor

KEYS = st.integers(0, 2**63 - 1) | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


@given(KEYS)
def test_a_cursor_is_safe_in_a_url_and_comes_back(key: str | int) -> None:
    cursor = encode_cursor(key)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert decode_cursor(cursor) == key


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_garbage_is_refused_or_a_key(cursor: str) -> None:
    try:
        key = decode_cursor(cursor)
    except InvalidCursor:
        return
    assert isinstance(key, str) or 0 <= key < 2**63


@pytest.mark.parametrize("value", [None, True, 1.5, -1, 2**63, [1], {"a": 1}, "a\x00"])
def test_a_cursor_holds_a_string_or_a_position(value: Any) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(base64.urlsafe_b64encode(orjson.dumps(value)).decode())


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(InvalidCursor):
        PageRequest(cursor=encode_cursor(7)).after()
    with pytest.raises(InvalidCursor):
        PageRequest(cursor=encode_cursor("7")).after(int)
    assert PageRequest(cursor=encode_cursor(7)).after(int) == 7
    assert PageRequest().after() is None


@given(st.sets(st.integers(0, 10_000), max_size=60), st.sets(st.integers(0, 10_000), max_size=20), st.integers(1, 7))
def test_a_walk_sees_each_row_once_while_others_arrive(rows: set[int], arriving: set[int], limit: int) -> None:
    table, newcomers, seen = set(rows), sorted(arriving - rows), []
    request = PageRequest(limit)
    while True:
        after = request.after(int)
        found = sorted(key for key in table if after is None or key > after)[: limit + 1]
        page = request.page([{"id": key} for key in found], "id")
        seen += [row["id"] for row in page.rows]
        if page.next_cursor is None:
            break
        assert len(page.rows) == limit
        request = PageRequest(limit, page.next_cursor)
        table.update(newcomers[:2])
        del newcomers[:2]
    assert seen == sorted(set(seen))
    assert rows <= set(seen)
