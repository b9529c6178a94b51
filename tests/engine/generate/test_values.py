from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.generate.values import NoValueError, ValueGenerator
from backend.app.engine.schema import SchemaValidator
from tests.engine.generate.schemas import DEFINITIONS, SCHEMAS


def generator(definitions: dict[str, Any] | None = None) -> ValueGenerator:
    definitions = definitions or {}
    return ValueGenerator(definitions, SchemaValidator(definitions))


@given(SCHEMAS, st.booleans(), st.booleans(), st.integers(0, 1000))
def test_every_value_is_valid(schema: Any, full: bool, examples: bool, seed: int) -> None:
    validator = SchemaValidator(DEFINITIONS)
    value = ValueGenerator(DEFINITIONS, validator).generate(schema, Random(seed), full=full, examples=examples)
    assert validator.errors(schema, value, direction="request") == []


@given(SCHEMAS, st.integers(0, 1000))
def test_a_seed_decides_the_value(schema: Any, seed: int) -> None:
    first, second = (generator(DEFINITIONS).generate(schema, Random(seed), full=True) for _ in range(2))
    assert first == second


PERSON = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "friend": {"$ref": "#/$defs/Person"},
    },
}


def test_minimal_has_the_required_parts_and_full_has_all_but_read_only_ones() -> None:
    make = generator({"Person": PERSON})
    assert make.generate({"$ref": "#/$defs/Person"}, Random(1)).keys() == {"name"}
    full = make.generate({"$ref": "#/$defs/Person"}, Random(1), full=True)
    assert full.keys() == {"name", "age", "friend"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 5}, 5),
        ({"type": "string", "example": "Ada"}, "Ada"),
        ({"type": "string", "examples": ["Ada", "Bob"]}, "Ada"),
        ({"type": "integer", "default": 20}, 20),
        ({"enum": ["red", "green"]}, "red"),
        ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "example": "x"}}}, {"a": "x"}),
    ],
)
def test_what_the_schema_suggests_is_preferred(schema: Any, expected: Any) -> None:
    assert generator().generate(schema, Random(1)) == expected


def test_an_example_that_breaks_its_schema_is_not_used() -> None:
    value = generator().generate({"type": "integer", "minimum": 5, "example": "five"}, Random(1))
    assert isinstance(value, int)
    assert value >= 5


VALID = [
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}, "minProperties": 3},
    {"type": "object", "dependentRequired": {"a": ["b"]}, "required": ["a"], "properties": {"a": {"type": "string"}}},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False},
    {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 3},
    {"type": "array", "contains": {"const": 7}},
    {"type": "string", "minLength": 5, "not": {"const": "aaaaa"}},
    {"oneOf": [{"type": "integer", "minimum": 5}, {"type": "string", "maxLength": 2}]},
    {"type": "string", "pattern": "^(?=.*[A-Z])(?=.*[0-9]).{8,}$"},
    {"type": "string", "format": "email", "minLength": 30},
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1},
    {"properties": {"kind": {"const": "a"}}, "required": ["kind"]},
    {"type": "string", "format": "no-such-format", "maxLength": 3},
    {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 4}, {"multipleOf": 2}]},
    {"allOf": [{"oneOf": [{"const": 1}, {"const": 2}]}, {"oneOf": [{"const": 2}, {"const": 3}]}]},
    {"type": "integer", "format": "int32", "minimum": 2147483640},
    {"type": ["null", "integer"]},
    {"type": "null"},
    True,
]


@pytest.mark.parametrize("schema", VALID)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("full", [False, True])
def test_awkward_schemas_have_valid_values(schema: Any, seed: int, full: bool) -> None:
    value = generator().generate(schema, Random(seed), full=full)
    assert SchemaValidator({}).errors(schema, value) == []


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"not": {}},
        {"$ref": "#/$defs/Endless"},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "string", "minLength": 10**9},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "pattern": "^a$", "minLength": 2},
    ],
)
def test_without_a_value_the_reason_is_given(schema: Any) -> None:
    endless = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/Endless"}}}
    with pytest.raises(NoValueError, match=r"\w"):
        generator({"Endless": endless}).generate(schema, Random(1))


def test_the_discriminator_names_the_branch() -> None:
    definitions = {
        name: {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}}
        for name in ("Cat", "Dog")
    }
    schema = {
        # Both branches accept any kind, so nothing but the discriminator tells them apart.
        "anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
        "discriminator": {"propertyName": "kind", "mapping": {"dog": "#/components/schemas/Dog"}},
    }
    kinds = {generator(definitions).generate(schema, Random(seed), examples=False)["kind"] for seed in range(20)}
    assert kinds == {"Cat", "dog"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "minimum": -90, "maximum": 90}, 1),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "multipleOf": 4}, 4),
        ({"type": "number"}, 1),
        ({"type": "number", "maximum": 0.5}, 0.5),
    ],
)
def test_the_smallest_request_has_modest_numbers(schema: Any, expected: Any) -> None:
    assert generator().generate(schema, Random(3)) == expected


def test_a_target_is_not_asked_to_wait_long() -> None:
    values = [generator().generate({"type": "number"}, Random(n), full=True, name="pollInterval") for n in range(50)]
    assert all(isinstance(value, int | float) and 0 < value <= 3 for value in values)
    assert len(set(values)) > 10


def test_what_a_definition_inherits_is_merged_once_for_all_that_refer_to_it() -> None:
    parents = {"Base": {"properties": {"id": {"type": "integer"}}}}
    make = generator(parents | {"Item": {"allOf": [{"$ref": "#/$defs/Base"}, {"required": ["id"]}]}})
    first, second = make.flat({"$ref": "#/$defs/Item"}), make.flat({"$ref": "#/$defs/Item"})
    assert first is second
    assert first == {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
