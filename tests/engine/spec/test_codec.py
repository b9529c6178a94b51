from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec.codec import (
    ReadOnce,
    WrittenOnce,
    description_from_bytes,
    description_to_bytes,
    operation_from_json,
    operation_to_json,
    reachable_definitions,
)
from backend.app.engine.spec.model import (
    ApiDescription,
    Fault,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    Schema,
    SecurityKind,
    SecurityScheme,
    SpecError,
    Tag,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
SCHEMA: st.SearchStrategy[Any] = st.booleans() | st.dictionaries(TEXT, JSON, max_size=3)
EXAMPLES = st.lists(JSON, max_size=2).map(tuple)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
CONTENT = st.lists(st.builds(MediaType, TEXT, SCHEMA, EXAMPLES), max_size=2).map(tuple)
LINKS = st.dictionaries(TEXT, st.dictionaries(TEXT, JSON, max_size=2), max_size=2)
OPERATIONS = st.builds(
    Operation,
    method=st.sampled_from(["GET", "POST"]),
    path=TEXT,
    operation_id=st.none() | TEXT.filter(bool),
    summary=TEXT,
    tags=NAMES,
    deprecated=st.booleans(),
    parameters=st.lists(
        st.builds(
            Parameter,
            name=TEXT,
            location=st.sampled_from(ParameterLocation),
            required=st.booleans(),
            schema=SCHEMA,
            style=TEXT,
            explode=st.booleans(),
            content_type=st.none() | TEXT.filter(bool),
            examples=EXAMPLES,
        ),
        max_size=3,
    ).map(tuple),
    body=st.none() | st.builds(RequestBody, st.booleans(), CONTENT),
    responses=st.lists(
        st.builds(ResponseSpec, TEXT, CONTENT, NAMES, LINKS),
        max_size=3,
    ).map(tuple),
    security=st.lists(NAMES, max_size=3).map(tuple),
    pointer=TEXT,
    server=st.none() | TEXT.filter(bool),
    scopes=st.dictionaries(TEXT, NAMES, max_size=2),
)
SENT = st.builds(Operation, st.just("POST"), TEXT, pointer=TEXT)
DESCRIPTIONS = st.builds(
    ApiDescription,
    title=TEXT,
    version=TEXT,
    dialect=TEXT,
    servers=NAMES,
    operations=st.lists(OPERATIONS, max_size=3).map(tuple),
    definitions=st.dictionaries(TEXT, SCHEMA, max_size=3),
    security_schemes=st.dictionaries(
        TEXT,
        st.builds(
            SecurityScheme,
            TEXT,
            st.sampled_from(SecurityKind),
            st.none() | st.sampled_from(ParameterLocation),
            st.none() | TEXT.filter(bool),
            TEXT,
            LINKS,
            TEXT,
        ),
        max_size=2,
    ),
    faults=st.lists(st.builds(Fault, TEXT, TEXT), max_size=2).map(tuple),
    server_names=st.dictionaries(TEXT, TEXT, max_size=2),
    tags=st.lists(st.builds(Tag, TEXT, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    webhooks=st.lists(SENT, max_size=1).map(tuple),
    callbacks=st.lists(SENT, max_size=1).map(tuple),
)


@given(OPERATIONS)
def test_an_operation_comes_back_as_it_was(operation: Operation) -> None:
    assert operation_from_json(operation_to_json(operation)) == operation


@given(DESCRIPTIONS)
def test_a_description_comes_back_as_it_was(description: ApiDescription) -> None:
    assert description_from_bytes(description_to_bytes(description)) == description


def test_defaults_are_left_out() -> None:
    assert operation_to_json(Operation("GET", "/a")) == {"method": "GET", "path": "/a"}


def test_what_json_cannot_nest_is_refused() -> None:
    value: Any = 1
    for _ in range(300):
        value = [value]
    description = ApiDescription("", "", "", definitions={"A": {"const": value}})
    with pytest.raises(SpecError):
        description_to_bytes(description)


def test_reachable_definitions_follow_references_and_cycles() -> None:
    definitions: dict[str, Schema] = {
        "A": {"properties": {"b": {"$ref": "#/$defs/B"}, "$ref": {"type": "string"}}},
        "B": {"anyOf": [{"$ref": "#/$defs/A"}, {"items": {"$ref": "#/$defs/C"}}]},
        "C": True,
        "D": {"$ref": "#/$defs/A"},
    }
    operation = Operation(
        "GET", "/", responses=(ResponseSpec("200", (MediaType("application/json", {"$ref": "#/$defs/A"}),)),)
    )
    assert reachable_definitions(operation, definitions).keys() == {"A", "B", "C"}
    assert reachable_definitions(Operation("GET", "/"), definitions) == {}


def test_what_operations_have_in_common_is_written_and_kept_once() -> None:
    limit = Parameter("limit", ParameterLocation.QUERY, schema={"enum": [f"value {n}" for n in range(100)]})
    alike = Parameter("limit", ParameterLocation.QUERY, schema={"enum": [f"value {n}" for n in range(100)]})
    operations = tuple(Operation("GET", f"/{n}", parameters=(alike if n % 2 else limit,)) for n in range(1000))
    content = description_to_bytes(ApiDescription("A", "1", "openapi-3.1", operations=operations))
    assert content.count(b"value 99") == 1
    read = description_from_bytes(content)
    assert read.operations == operations
    assert len({id(operation.parameters[0]) for operation in read.operations}) == 1


@given(st.lists(OPERATIONS, max_size=3))
def test_parts_that_are_written_or_read_once_say_the_same(operations: list[Operation]) -> None:
    once, read = WrittenOnce(), ReadOnce()
    for operation in operations * 2:
        text = orjson.dumps(operation_to_json(operation, once))
        assert text == orjson.dumps(operation_to_json(operation))
        assert operation_from_json(orjson.loads(text), read) == operation
