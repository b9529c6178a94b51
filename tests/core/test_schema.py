"""What the edge accepts as text, and how deep."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from backend.app.core.schema import MAX_DEPTH, InputSchema, Label, Line, Time, Verbatim
from backend.app.engine.schema import SchemaValidator

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


class Note(InputSchema):
    line: Line = ""
    label: Label = "a"
    text: Annotated[Verbatim, Field(max_length=5)] | None = None
    secret: Annotated[str, Field(json_schema_extra={"format": "password"})] = ""
    at: Time = datetime(2026, 1, 1, tzinfo=UTC)


NOTE = Note.model_json_schema()
ANY_TEXT = st.text(
    st.characters(codec="utf-8") | st.sampled_from("\x00\n\x1f\x7f\x85\xa0\u2028 a"), min_size=1, max_size=8
)


@pytest.mark.parametrize("name", ["line", "label", "text", "secret"])
@given(text=ANY_TEXT)
def test_text_is_taken_when_it_fits_the_document(name: str, text: str) -> None:
    fits = SchemaValidator({}).is_valid(NOTE, {name: text})
    try:
        Note.model_validate({name: text})
    except ValidationError:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize("value", ["2026-01-31T12:00:00Z", "2026-01-31t12:00:00.25+02:00", "2026-01-31T12:00:00"])
def test_a_time_is_read_as_rfc_3339_writes_it(value: str) -> None:
    assert Note.model_validate({"at": value}).at.replace(tzinfo=None).date() == date(2026, 1, 31)


def test_a_time_is_in_utc() -> None:
    assert Note.model_validate({"at": "2026-01-31T01:00:00+02:00"}).at == datetime(2026, 1, 30, 23, tzinfo=UTC)
    assert Note.model_validate({"at": "2026-01-31T01:00:00"}).at == datetime(2026, 1, 31, 1, tzinfo=UTC)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_before_the_first_year_or_after_the_last_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="years 1 to 9999"):
        Note.model_validate({"at": value})


@pytest.mark.parametrize("value", [0, 0.5, "0.5", "1769860800", "2026-01-31", "2026-01-31 12:00:00Z", "12:00:00", True])
def test_a_number_or_a_date_is_no_time(value: Any) -> None:
    with pytest.raises(ValidationError, match="RFC 3339"):
        Note.model_validate({"at": value})


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Thing.model_validate({"valeu": 1})
