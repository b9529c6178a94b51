from contextlib import suppress
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.generate.case import Case, Expectation
from backend.app.engine.generate.negative import NegativeCases, readings
from backend.app.engine.generate.positive import PositiveCases
from backend.app.engine.generate.requests import NO_BODY, RequestBuilder
from backend.app.engine.generate.values import NoValueError, ValueGenerator
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
)
from tests.engine.generate.schemas import DEFINITIONS, SCHEMAS

PATH, QUERY = ParameterLocation.PATH, ParameterLocation.QUERY


def cases_of(operation: Operation, seed: int = 1) -> tuple[Case, list[Case]]:
    description = ApiDescription("t", "1", "openapi-3.1", (), (operation,), DEFINITIONS)
    validator = SchemaValidator(DEFINITIONS)
    generator = ValueGenerator(DEFINITIONS, validator)
    builder = RequestBuilder(description, "http://localhost")
    positive = PositiveCases(builder, generator, validator)
    random = Random(seed)
    baseline = positive.minimal(operation, random)
    return baseline, NegativeCases(builder, generator, validator, positive).cases(operation, baseline, random)


def query(schema: Any, required: bool = True, style: str = "form") -> Operation:
    return Operation("GET", "/x", parameters=(Parameter("p", QUERY, required, schema, style, True),))


def body(schema: Any, content_type: str = "application/json") -> Operation:
    return Operation("POST", "/x", body=RequestBody(True, (MediaType(content_type, schema),)))


@given(SCHEMAS, st.integers(0, 100))
def test_every_wrong_body_is_invalid_and_differs_in_one_place(schema: Any, seed: int) -> None:
    baseline, cases = cases_of(body(schema), seed)
    validator = SchemaValidator(DEFINITIONS)
    for case in cases:
        if case.expectation is not Expectation.REJECTED:
            continue
        if case.kind == "malformed_json":
            with pytest.raises(orjson.JSONDecodeError):
                orjson.loads(case.inputs.raw_body or b"")
        elif case.inputs.body is not NO_BODY:
            assert not validator.is_valid(schema, case.inputs.body, direction="request")
            assert differences(baseline.inputs.body, case.inputs.body) == 1


@given(SCHEMAS, st.booleans(), st.integers(0, 100))
def test_every_wrong_query_is_invalid_however_it_is_read(schema: Any, required: bool, seed: int) -> None:
    operation = query(schema, required)
    try:
        cases = cases_of(operation, seed)[1]
    except NoValueError:
        return
    validator = SchemaValidator(DEFINITIONS)
    builder = RequestBuilder(ApiDescription("t", "1", ""), "http://localhost")
    for case in cases:
        assert case.part == "query p"
        if case.expectation is not Expectation.REJECTED:
            continue
        texts = parse_qs(urlsplit(builder.build(operation, case.inputs).url).query, keep_blank_values=True).get("p", [])
        if case.kind == "missing_required":
            assert texts == []
            assert required
            continue
        for text in texts if len(texts) == 1 else []:
            forms = [text, [text]]
            with suppress(orjson.JSONDecodeError):
                forms += [orjson.loads(text), [orjson.loads(text)]]
            assert not any(validator.is_valid(schema, form) for form in forms)


def differences(one: Any, other: Any) -> int:
    if isinstance(one, dict) and isinstance(other, dict):
        missing = object()
        return sum(differences(one.get(name, missing), other.get(name, missing)) for name in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return sum(map(differences, one, other))
    return int(type(one) is not type(other) or one != other)


def kinds(cases: list[Case]) -> set[str]:
    return {case.kind for case in cases}


def test_a_string_in_a_query_has_no_wrong_type() -> None:
    assert kinds(cases_of(query({"type": "string"}))[1]) == {"missing_required"}
    assert cases_of(query({"type": "string"}, required=False))[1] == []


def test_a_number_in_a_query_is_wrong_as_a_word_and_beyond_its_limits() -> None:
    operation = query({"type": "integer", "minimum": 1, "maximum": 9}, required=False)
    sent = {case.inputs.parameters[QUERY, "p"] for case in cases_of(operation)[1] if case.expectation == "rejected"}
    assert sent == {"touchstone", 0, 10}


def test_a_default_makes_a_missing_parameter_right() -> None:
    assert "missing_required" not in kinds(cases_of(query({"type": "integer", "default": 3}))[1])


def test_an_optional_value_keeps_its_limits() -> None:
    operation = body(
        {
            "type": "object",
            "properties": {"size": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}},
        }
    )
    wrong = [case.inputs.body for case in cases_of(operation)[1] if case.part == "body /size"]
    assert {"size": 0} in wrong
    assert {"size": "touchstone"} in wrong
    assert {"size": None} not in wrong


def test_a_lenient_schema_has_no_wrong_body() -> None:
    assert kinds(cases_of(body(True))[1]) <= {"missing_required", "malformed_json"}


def test_read_only_properties_are_left_alone() -> None:
    operation = body(
        {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "readOnly": True}}}
    )
    assert all(case.part != "body /id" for case in cases_of(operation)[1])


def test_form_fields_are_text_too() -> None:
    operation = body(
        {
            "type": "object",
            "required": ["name", "age"],
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        },
        "application/x-www-form-urlencoded",
    )
    found = {(case.kind, case.part) for case in cases_of(operation)[1] if case.expectation == "rejected"}
    assert found == {
        ("missing_required", "body"),
        ("missing_required", "body /name"),
        ("missing_required", "body /age"),
        ("wrong_type", "body /age"),
    }


def test_an_unknown_id_is_no_fault_of_the_server() -> None:
    operation = Operation("GET", "/x/{id}", parameters=(Parameter("id", PATH, True, {"type": "integer"}, "simple"),))
    unknown = [case for case in cases_of(operation)[1] if case.kind == "unknown_id"]
    assert [case.expectation for case in unknown] == [Expectation.NO_CRASH]


def test_delete_never_uses_a_documented_id() -> None:
    parameter = Parameter("id", PATH, True, {"type": "integer", "example": 5}, "simple", examples=(7,))
    baseline, cases = cases_of(Operation("DELETE", "/x/{id}", parameters=(parameter,)))
    ids = {case.inputs.parameters[PATH, "id"] for case in [baseline, *cases]}
    assert ids.isdisjoint({5, 7})


def test_readings_of_a_text() -> None:
    assert {"5", 5} <= {reading for reading in readings("5") if not isinstance(reading, list)}
    assert True in list(readings("on"))
    assert ["1", "2"] in list(readings("1,2"))


def test_a_target_is_not_asked_to_wait_for_ever() -> None:
    parameter = Parameter("delay", PATH, True, {"type": "integer"}, "simple")
    for method in ("GET", "DELETE"):
        baseline, cases = cases_of(Operation(method, "/delay/{delay}", parameters=(parameter,)))
        sent = [case.inputs.parameters[PATH, "delay"] for case in (baseline, *cases)]
        assert all(isinstance(value, str) or value <= 3 for value in sent)
