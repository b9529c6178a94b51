"""Introspections of GraphQL as operations. Queries were tried against Strawberry and Ariadne."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.codec import description_from_bytes, description_to_bytes, reachable_definitions
from backend.app.engine.spec.graphql import MAX_FIELDS, recognises
from backend.app.engine.spec.limits import DocumentLimits
from backend.app.engine.spec.model import ApiDescription, Json, SpecError
from backend.app.engine.spec.normalise import describe
from tests.support.graphql import introspection

USER = {"id": "ID!", "name": "String", "boss": "User", "teams(first: Int!)": "[Team]", "secret@old": "String"}
LIBRARY: dict[str, dict[str, str] | list[str]] = {
    "type Query": {"user(id: ID!)": "User", "users(filter: Filter, first: Int! = 5)": "[User!]!", "old@old": "Int"},
    "type Mutation": {"addUser(user: NewUser!, at: DateTime)": "User!"},
    "type Subscription": {"userAdded": "User!"},
    "type User": USER,
    "type Team": {"users": "[User]"},
    "enum Role": ["ADMIN", "USER"],
    "input Filter": {"role": "Role", "any": "[Filter!]"},
    "input NewUser": {"name": "String!", "role": "Role!=ADMIN", "weights": "[[Float!]!]", "odd": "Odd"},
}


def read(types: dict[str, dict[str, str] | list[str]], where: str = "https://api.example/v1/graphql") -> ApiDescription:
    return describe(introspection(types), where=where)


def query_of(description: ApiDescription, name: str) -> tuple[str, Json]:
    operation = next(each for each in description.operations if each.operation_id == name)
    assert operation.body is not None
    schema = operation.body.content[0].schema
    assert isinstance(schema, dict)
    return schema["properties"]["query"]["const"], schema["properties"].get("variables")


def test_queries_and_mutations_are_operations() -> None:
    description = read(LIBRARY)
    assert (description.dialect, description.servers) == ("graphql", ("https://api.example/v1",))
    assert [(each.key, each.operation_id, each.tags, each.deprecated) for each in description.operations] == [
        ("POST /graphql#query.user", "query.user", ("query",), False),
        ("POST /graphql#query.users", "query.users", ("query",), False),
        ("POST /graphql#query.old", "query.old", ("query",), True),
        ("POST /graphql#mutation.addUser", "mutation.addUser", ("mutation",), False),
    ]
    assert description.operations[0].summary == "About user"
    assert [fault.message for fault in description.faults] == ["1 subscriptions are left out: userAdded"]


def test_a_query_selects_scalars_two_levels_deep() -> None:
    description = read(LIBRARY)
    selected = "{ id name boss { id name } }"
    assert query_of(description, "query.user")[0] == f"query ($id: ID!) {{ user(id: $id) {selected} }}"
    assert query_of(description, "query.old") == ("query { old }", None)
    # An argument with a default may be left out, so its variable is nullable.
    assert query_of(description, "query.users")[0] == (
        f"query ($filter: Filter, $first: Int) {{ users(filter: $filter, first: $first) {selected} }}"
    )
    assert query_of(description, "mutation.addUser")[0] == (
        f"mutation ($user: NewUser!, $at: DateTime) {{ addUser(user: $user, at: $at) {selected} }}"
    )


def test_variables_have_the_schemas_of_their_types() -> None:
    description = read(LIBRARY)
    validator = SchemaValidator(description.definitions)
    _, variables = query_of(description, "query.users")
    value: Json
    for value in ({}, {"filter": None}, {"filter": {"role": "USER", "any": [{"any": None}]}, "first": 3}):
        assert validator.is_valid(variables, value), value
    for value in (
        {"filter": {"role": "other"}},
        {"filter": {"any": [None]}},
        {"first": None},
        {"first": 2**31},
    ):
        assert not validator.is_valid(variables, value), value
    _, variables = query_of(description, "mutation.addUser")
    assert validator.is_valid(variables, {"user": {"name": "a", "weights": [[1.5]], "odd": {"any": "thing"}}})
    for value in ({}, {"user": {}}, {"user": {"name": "a", "weights": [None]}}, {"user": {"name": "a", "role": None}}):
        assert not validator.is_valid(variables, value), value
    assert description.definitions["graphql.DateTime"] == {"examples": ["2024-02-29T12:00:00Z"]}
    assert set(reachable_definitions(description.operations[1], description.definitions)) == {
        "graphql.Filter",
        "graphql.Role",
    }


def test_answers_have_the_shape_of_what_was_selected() -> None:
    description = read(LIBRARY)
    user, users, *_ = description.operations
    validator = SchemaValidator(description.definitions)
    one = {"id": "1", "name": None, "boss": {"id": 2, "name": "b"}}
    good = user.responses[0].content[0].schema
    answer: Json
    assert [response.status for response in user.responses] == ["200", "4XX"]
    for answer in ({"data": {"user": one}}, {"data": {"user": None}}, {"data": None, "errors": [{"message": "no"}]}):
        assert validator.is_valid(good, answer), answer
    for answer in ({"data": {}}, {"data": {"user": {"id": "1"}}}, {"data": {"user": []}}, {"errors": []}):
        assert not validator.is_valid(good, answer), answer
    assert not validator.is_valid(users.responses[0].content[0].schema, {"data": {"users": None}})


def test_members_of_a_union_are_asked_for_what_does_not_conflict() -> None:
    description = read(
        {
            "type Query": {"things": "[Thing!]!", "nothing": "Empty"},
            "union Thing": ["Book", "Disc"],
            "type Book": {"id": "ID!", "title": "String!", "pages": "Int"},
            "type Disc": {"id": "Int!", "title": "String!"},
            "type Empty": {"of(x: Int!)": "Int"},
        }
    )
    assert query_of(description, "query.things")[0] == (
        "query { things { __typename ... on Book { title pages } ... on Disc { title } } }"
    )
    assert query_of(description, "query.nothing")[0] == "query { nothing { __typename } }"


def test_a_query_stays_small() -> None:
    wide = {f"f{number}": "Int" for number in range(500)}
    text, _ = query_of(read({"type Query": {"wide": "Wide"}, "type Wide": {**wide, "more": "Wide"}}), "query.wide")
    assert len(text.split()) == MAX_FIELDS + 6


@pytest.mark.parametrize(
    ("where", "server", "path"),
    [
        ("https://x.example/graphql?query=%7B", ("https://x.example",), "/graphql#query.a"),
        ("https://x.example/api/graphql/", ("https://x.example/api",), "/graphql/#query.a"),
        ("https://x.example/", ("https://x.example",), "/#query.a"),
        ("https://x.example", ("https://x.example",), "/#query.a"),
        ("", (), "/graphql#query.a"),
        ("file:///tmp/schema.json", (), "/graphql#query.a"),
    ],
)
def test_paths_lead_to_the_server(where: str, server: tuple[str, ...], path: str) -> None:
    description = read({"type Query": {"a": "Int"}}, where)
    assert (description.servers, description.operations[0].path) == (server, path)


def test_what_is_broken_is_left_out_and_said() -> None:
    document = introspection({"type Query": {"a": "Int", "b(x: Gone)": "Gone", "c": "[Int]"}})
    schema = document["data"]["__schema"]
    query = schema["types"][-1]
    query["fields"] += [{"name": "bad name"}, {"name": "d", "args": [{"name": "x"}], "type": 1}, 7]
    schema["types"] += [{"name": None}, "x"]
    description = describe({"__schema": schema})
    assert [each.operation_id for each in description.operations] == ["query.a", "query.b", "query.c", "query.d"]
    assert [fault.message for fault in description.faults] == [
        "a type without a name",
        "a type without a name",
        "the type 'Gone' is not declared",
        "a field without a name",
        "an argument without a name or a type",
        "a field without a name",
    ]
    assert description.faults[0].pointer == f"/__schema/types/{len(schema['types']) - 2}"


def test_limits_hold() -> None:
    document = introspection({"type Query": {f"f{number}": "Int" for number in range(9)}})
    with pytest.raises(SpecError, match="more than 8 operations"):
        describe(document, DocumentLimits(operations=8))
    with pytest.raises(SpecError, match="values"):
        describe(document, DocumentLimits(expanded_nodes=10))


def test_introspections_are_recognised() -> None:
    document = introspection({"type Query": {"a": "Int"}})
    assert recognises(orjson.dumps(document))
    assert recognises(b"\n " + orjson.dumps(document["data"]))
    assert not recognises(b'{"openapi": "3.1.0"}')
    assert not recognises(b'<html>"__schema" "queryType"')


ODD: st.SearchStrategy[Any] = (
    st.none() | st.integers(0, 1) | st.text(max_size=2) | st.builds(list) | st.builds(lambda: {"kind": "LIST"})
)


@given(st.data())
def test_whatever_stands_in_an_introspection_it_is_described(data: st.DataObject) -> None:
    document = introspection(LIBRARY)
    for _ in range(data.draw(st.integers(1, 4))):
        node: Any = document["data"]["__schema"]
        while True:
            key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else list(range(len(node)))))
            inner = node[key]
            if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 5)) == 0:
                break
            node = inner
        node[key] = data.draw(ODD)
    description = describe(document)
    assert description_from_bytes(description_to_bytes(description)) == description
    for operation in description.operations:
        reachable_definitions(operation, description.definitions)
