"""What the edge accepts as text, and how deep."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backend.app.core.schema import MAX_DEPTH, InputSchema

TEXT = st.text(st.characters(exclude_characters="\x00", codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)


class Inner(InputSchema):
    text: str = ""


class Thing(InputSchema):
    value: Any = None
    inner: Inner | None = None


def plant(value: Any, seed: str, path: list[int]) -> Any:
    """`seed` wrapped into lists and objects as `path` says, beside `value`."""
    for kind in path:
        seed = [seed, [value], {seed: value} if isinstance(seed, str) else {"k": seed}][kind % 3]  # type: ignore[assignment]
        seed = {"a": value, "b": seed} if kind > 2 else [value, seed]  # type: ignore[assignment]
    return seed


@given(JSON)
def test_storable_values_pass_unchanged(value: Any) -> None:
    assert Thing(value=value).value == value


@given(JSON, st.sampled_from(["\x00", "a\x00b", "\ud800", "x\udfff"]), st.lists(st.sampled_from([0, 3]), max_size=5))
def test_nul_and_lone_surrogates_are_refused_at_any_depth(value: Any, bad: str, path: list[int]) -> None:
    with pytest.raises(ValidationError, match=r"NUL|surrogate"):
        Thing(value=plant(value, bad, path))
    with pytest.raises(ValidationError, match=r"NUL|surrogate"):
        Thing.model_validate({"value": {bad: 1}})


def test_nested_schemas_are_checked_too() -> None:
    with pytest.raises(ValidationError, match="NUL"):
        Thing.model_validate({"inner": {"text": "\x00"}})


@pytest.mark.parametrize("depth", [MAX_DEPTH, 10_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    with pytest.raises(ValidationError, match="nested deeper"):
        Thing.model_validate({"value": value})


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Thing.model_validate({"valeu": 1})
