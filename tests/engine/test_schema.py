import json
import time
from pathlib import Path
from typing import Any

import pytest

from backend.app.engine.schema import SchemaError, SchemaValidator

REGEXES = json.loads(Path("tests/data/regex.json").read_text())["payloads"]
ATTACKS = {
    "'a'*30+'!'": "a" * 30 + "!",
    "'a'*30": "a" * 30,
    "'1'*40+'x'": "1" * 40 + "x",
    "' '*100000+'x'": " " * 100_000 + "x",
    "'x'*40": "x" * 40,
    "'a'*29": "a" * 29,
    "'1'*40+'!'": "1" * 40 + "!",
    "'a'*40+'\\n,,'": "a" * 40 + "\n,,",
    "'a'*5000+'!'": "a" * 5_000 + "!",
    "'a'*10": "a" * 10,
}
BRANCHING = {
    "A": {
        "anyOf": [
            {"type": "array", "items": {"$ref": "#/$defs/A"}},
            {"type": "array", "items": {"$ref": "#/$defs/A"}, "minItems": 0},
            {"const": 1},
        ]
    }
}
TO_A = {"$ref": "#/$defs/A"}


def nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def cpu(validator: SchemaValidator, schema: Any, value: Any) -> float:
    start = time.process_time()
    validator.errors(schema, value)
    validator.is_valid(schema, value)
    return time.process_time() - start


def test_errors_point_at_what_does_not_fit() -> None:
    schema = {
        "type": "object",
        "properties": {"a/b": {"type": "array", "items": {"type": "integer"}}, "d": {"format": "date"}},
        "required": ["x"],
    }
    errors = SchemaValidator({}).errors(schema, {"a/b": [1, "2"], "d": "2020-02-30"})
    assert {error.pointer for error in errors} == {"", "/a~1b/1", "/d"}
    assert any('"x" is a required property' in error.message for error in errors)
    assert len(SchemaValidator({}).errors(schema, {"a/b": ["x"] * 50}, limit=3)) == 3


def test_definitions_are_followed() -> None:
    definitions = {"Node": {"properties": {"next": {"$ref": "#/$defs/Node"}, "value": {"type": "integer"}}}}
    validator = SchemaValidator(definitions)
    schema = {"$ref": "#/$defs/Node"}
    assert validator.is_valid(schema, {"next": {"next": {"value": 1}}})
    assert [error.pointer for error in validator.errors(schema, {"next": {"next": {"value": "1"}}})] == [
        "/next/next/value"
    ]


@pytest.mark.parametrize(
    ("definitions", "schema"),
    [
        (
            {},
            {
                "properties": {"id": {"readOnly": True}, "password": {"writeOnly": True}, "name": {}},
                "required": ["id", "password", "name"],
            },
        ),
        (
            {"Id": {"readOnly": True}, "User": {"properties": {"id": {"$ref": "#/$defs/Id"}}}},
            {
                "allOf": [
                    {"$ref": "#/$defs/User"},
                    {"properties": {"password": {"writeOnly": True}}},
                    {"required": ["id", "password", "name"]},
                ]
            },
        ),
    ],
)
def test_each_direction_demands_its_own_properties(definitions: dict[str, Any], schema: Any) -> None:
    validator = SchemaValidator(definitions)
    assert validator.is_valid(schema, {"id": 1, "name": "a"})
    assert validator.is_valid(schema, {"password": "p", "name": "a"}, direction="request")
    assert not validator.is_valid(schema, {"password": "p", "name": "a"})
    assert not validator.is_valid(schema, {"id": 1, "name": "a"}, direction="request")
    assert not validator.is_valid(schema, {"id": 1, "password": "p"})


@pytest.mark.parametrize("payload", REGEXES, ids=lambda payload: payload["id"])
def test_no_pattern_takes_long(payload: dict[str, str]) -> None:
    validator = SchemaValidator({})
    assert cpu(validator, {"pattern": payload["pattern"]}, ATTACKS[payload["attack"]]) < 0.1
    assert cpu(validator, {"patternProperties": {payload["pattern"]: False}}, {ATTACKS[payload["attack"]]: 1}) < 0.1


def test_patterns_are_those_of_ecma() -> None:
    validator = SchemaValidator({})
    assert validator.is_valid({"pattern": r"^\p{L}\/\d$"}, "é/1")
    assert not validator.is_valid({"pattern": r"^\d$"}, "٣")


def test_a_pattern_that_is_not_checked_leaves_the_rest_checked() -> None:
    schema = {"properties": {"a": {"type": "string", "pattern": "(?<=x)y"}, "b": {"type": "integer"}}}
    assert [error.pointer for error in SchemaValidator({}).errors(schema, {"a": "z", "b": "c"})] == ["/b"]


@pytest.mark.parametrize("levels", [5, 15, 30, 900])
def test_branching_schemas_take_no_exponential_time(levels: int) -> None:
    validator = SchemaValidator(BRANCHING)
    assert cpu(validator, TO_A, nested(2, levels)) < 0.5
    assert validator.is_valid(TO_A, nested(1, levels))


def test_branching_schemas_are_checked_as_far_as_is_cheap() -> None:
    validator = SchemaValidator(BRANCHING)
    assert not validator.is_valid(TO_A, nested(2, 5))
    assert not validator.is_valid(TO_A, nested(2, 10))
    assert validator.errors(TO_A, nested(2, 10))[0].message


def test_nested_conjunctions_take_no_exponential_time() -> None:
    definitions: dict[str, Any] = {f"A{i}": {"allOf": [{"$ref": f"#/$defs/A{i + 1}"}] * 9} for i in range(9)}
    validator = SchemaValidator(definitions | {"A9": {"type": "string"}})
    assert cpu(validator, {"$ref": "#/$defs/A0"}, "a") < 0.5


def test_long_chains_of_references_are_followed() -> None:
    definitions: dict[str, Any] = {f"A{i}": {"$ref": f"#/$defs/A{i + 1}"} for i in range(10_000)}
    validator = SchemaValidator(definitions | {"A10000": {"type": "string"}})
    assert validator.is_valid({"$ref": "#/$defs/A0"}, "a")
    assert not validator.is_valid({"$ref": "#/$defs/A0"}, 1)


def test_odd_values_are_judged_and_not_raised() -> None:
    validator = SchemaValidator({})
    assert validator.errors({"type": "string"}, "\ud800") == [
        SchemaError("", "holds half of a surrogate pair, which is no Unicode text")
    ]
    assert not validator.is_valid({"type": "integer"}, nested(1, 900))
    assert validator.errors({"type": "integer"}, nested(1, 900))
    assert validator.is_valid({"type": "integer", "minimum": 10}, 10**30)
    assert validator.is_valid(True, {"anything": 1})
    assert not validator.is_valid(False, 1)
