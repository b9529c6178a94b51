from typing import Any

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.endpoints.discovery.captures.inference import Shape


def shape_of(*values: Any) -> Shape:
    shape = Shape()
    for value in values:
        shape.add(value)
    return shape


def schema_of(*values: Any) -> Any:
    return shape_of(*values).schema(lambda text: True)


def test_members_in_all_objects_are_required_and_null_makes_nullable() -> None:
    assert schema_of({"id": 1, "name": "Ann", "age": None}, {"id": 2, "name": None}) == {
        "type": "object",
        "properties": {
            "age": {"type": "null"},
            "id": {"type": "integer"},
            "name": {"type": ["string", "null"]},
        },
        "required": ["id", "name"],
    }


def test_arrays_are_merged_over_all_their_items() -> None:
    assert schema_of([{"a": 1}, {"a": 1.5, "b": True}], []) == {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "boolean"}},
            "required": ["a"],
        },
    }


def test_a_format_is_one_of_all_texts() -> None:
    assert schema_of("2024-01-31T10:00:00Z", "2024-02-01T10:00:00.5+02:00")["format"] == "date-time"
    assert schema_of("123e4567-e89b-12d3-a456-426614174000")["format"] == "uuid"
    assert schema_of("ann@example.com")["format"] == "email"
    assert schema_of("https://example.com/a")["format"] == "uri"
    assert schema_of("2024-01-31", "soon") == {"type": "string"}
    assert schema_of("2024-13-31") == {"type": "string"}


def test_few_distinct_of_many_are_an_enum_and_few_of_few_are_not() -> None:
    assert schema_of(*["open", "closed"] * 20)["enum"] == ["closed", "open"]
    assert "enum" not in schema_of("open", "closed", "open")
    assert "enum" not in schema_of(*map(str, range(100)))
    assert "enum" not in schema_of(*["always"] * 100)
    assert "enum" not in schema_of(*["open"] * 40, "a typo once")


def test_objects_whose_names_are_data_are_maps() -> None:
    schema = schema_of({"17": {"n": 1}, "18": {"n": 2}})
    assert schema == {
        "type": "object",
        "additionalProperties": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    }
    assert schema_of({f"w{number}x": 1 for number in range(500)}) == {
        "type": "object",
        "additionalProperties": {"type": "integer"},
    }


def test_texts_without_types_are_read_as_what_all_of_them_are() -> None:
    shape = Shape()
    shape.add_text("1")
    shape.add_text("22")
    assert shape.schema(lambda text: True, texts=True) == {"type": "integer"}
    assert shape.examples(lambda text: True, "page") == (1, 22)
    shape.add_text("many")
    assert shape.schema(lambda text: True, texts=True) == {"type": "string"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(JSON, min_size=1, max_size=8))
def test_every_value_fits_the_schema_inferred_from_it(values: list[Any]) -> None:
    validator = jsonschema_rs.Draft202012Validator(schema_of(*values))
    assert all(validator.is_valid(value) for value in values)


@given(st.lists(JSON, min_size=2, max_size=8), st.integers(1, 7))
def test_shapes_are_merged_to_the_shape_of_all(values: list[Any], cut: int) -> None:
    merged = shape_of(*values[cut:])
    merged.merge(shape_of(*values[:cut]))
    assert merged.schema(lambda text: True) == schema_of(*values)
