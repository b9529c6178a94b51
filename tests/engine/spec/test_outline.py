from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec.model import ApiDescription, SpecError
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.outline import outline, outline_of_yaml
from backend.app.engine.spec.parse import parse_document

SPEC = """\
openapi: 3.1.0
info:
  title: Shop
  version: "1"
  description: |
    paths:
      /not/a/path:
        get: {}
security:
- key: []
paths:
  # what customers see
  '/items/{id}':
    summary: One item
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    get:
      tags:
      - items
      - public
      summary: Get one
      responses:
        "200":
          description: |
            get:
              summary: not an operation
      operationId: getItem
    delete:
      responses: {"204": {description: gone}}
      x-internal: true
      security: []
      deprecated: true
  /empty:
    parameters:
    - {name: a, in: query, schema: {}}
  /flow: {get: {summary: Flow, responses: {}}, post: {}}
  /bare:
    get:
      responses:
        default: {description: any}
components:
  schemas:
    Item:
      type: object
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
tags:
  - name: items
definitions:
  Old: {}
"""


def listed(description: ApiDescription) -> list[Any]:
    return [
        (
            each.method,
            each.path,
            each.operation_id,
            each.summary,
            each.tags,
            each.deprecated,
            each.security,
            each.pointer,
        )
        for each in description.operations
    ]


def read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return parse_document(text.encode()), parse_document(text.encode(), outlined=True)


@pytest.mark.parametrize(
    "text",
    [
        SPEC,
        SPEC.replace("\n", "\r\n"),
        SPEC.replace("  ", "    "),
        SPEC.replace("  ", " "),
        SPEC.partition("components:")[0],
        SPEC.replace("get:", '"get":').replace("paths:", "'paths':"),
        SPEC.replace("responses:", "responses : # all of them", 1),
    ],
    ids=["as it is", "CRLF", "four spaces", "one space", "no components", "quoted", "a comment"],
)
def test_what_is_not_listed_is_not_parsed_and_the_outline_is_the_same(text: str) -> None:
    whole, outlined = read(text)
    assert outlined == outline(whole)
    shorter = outline_of_yaml(text)
    assert shorter is not None
    assert "in: path" not in shorter
    assert "not an operation" not in shorter


@pytest.mark.parametrize(
    "text",
    [
        # An anchor in what is left out.
        SPEC.replace("type: object", "type: &object object") + "x-kind: *object\n",
        SPEC.replace('"200":', '"200": &ok').replace("post: {}", "post: {responses: {x: *ok}}"),
        # What a merge key brings.
        SPEC.replace("      deprecated: true", "      <<: {deprecated: true}"),
        # Lines that are indented less than what they continue, which libyaml reads.
        SPEC.replace('{"204": {description: gone}}', '{"204": {\n  description: gone\n }}'),
        SPEC.replace("Get one", '"Get\n one"'),
        # Not in steps of one size.
        SPEC.replace("      tags:\n      - items\n      - public\n", "        tags:\n        - items\n")
        .replace("      summary: Get one\n      responses:", "        summary: Get one\n        responses:")
        .replace("      operationId", "        operationId"),
        SPEC.replace("    delete:", "     delete:"),
        # Lists where objects are expected.
        SPEC.replace("  /bare:\n    get:\n      responses:", "  /bare:\n    get:\n    - x: 1\n      responses:"),
        SPEC.replace("  /bare:\n    get:\n      responses:", "  /bare:\n  - get:\n      responses:"),
        SPEC.replace("\npaths:\n", "\npaths: # none\n  "),
        "{openapi: 3.0.0, paths: {/a: {get: {responses: {}}}}}",
    ],
)
def test_a_text_that_is_laid_out_otherwise_is_read_as_a_whole(text: str) -> None:
    try:
        whole = parse_document(text.encode())
    except SpecError as error:
        with pytest.raises(SpecError, match=str(error.where)):
            parse_document(text.encode(), outlined=True)
    else:
        assert parse_document(text.encode(), outlined=True) == outline(whole)


def test_the_same_operations_are_listed_from_an_outline_without_faults_about_what_is_not_in_it() -> None:
    whole, outlined = read(SPEC)
    description = describe(outlined, outlined=True)
    assert listed(description) == listed(describe(whole))
    assert len(description.operations) == 5
    assert [parameter.name for parameter in description.operations[0].parameters] == ["id"]
    assert description.security_schemes.keys() == {"key"}
    assert not description.definitions
    assert [fault.message.partition(",")[0] for fault in description.faults] == [
        "only the list of operations is read of a description this large"
    ]


def test_json_has_an_outline_too() -> None:
    text = '{"openapi": "3.1.0", "paths": {"/a/{b}": {"get": {"summary": "A", "responses": {"200": 1}}}, "/c": 1}}'
    document = parse_document(text.encode(), outlined=True)
    assert document["paths"] == {"/a/{b}": {"get": {"summary": "A"}}, "/c": 1}
    assert [fault.pointer for fault in describe(document, outlined=True).faults] == ["", "/paths/~1c"]


def test_what_is_wrong_with_what_is_left_out_shows_when_all_is_read() -> None:
    text = SPEC.replace("type: object", "type: [object")
    assert listed(describe(parse_document(text.encode(), outlined=True), outlined=True))
    with pytest.raises(SpecError) as refusal:
        parse_document(text.encode())
    assert refusal.value.where.startswith("line ")


WORDS = st.sampled_from(
    ["get", "post", "parameters", "responses", "summary", "a b", "x: y", "- z", "#", "'", "|", "\n", "1"]
)
TEXTS = st.lists(WORDS, max_size=5).map(" ".join)


def maps(values: st.SearchStrategy[Any], names: st.SearchStrategy[str] = TEXTS) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(names, values, max_size=4)


VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | maps(inner),
    max_leaves=8,
)


MEMBERS = st.sampled_from(
    ["summary", "description", "tags", "responses", "parameters", "requestBody", "x-a", "security"]
)
OPERATIONS = maps(VALUES, MEMBERS)
ITEMS = maps(
    OPERATIONS | VALUES, st.sampled_from(["get", "put", "query", "parameters", "summary", "servers", "x-b", "$ref"])
)
DOCUMENTS = st.fixed_dictionaries(
    {"paths": maps(ITEMS | VALUES, TEXTS.map("/{}".format))},
    optional={"components": maps(VALUES, st.sampled_from(["schemas", "securitySchemes", "pathItems"])), "info": VALUES},
)


@given(DOCUMENTS, st.integers(2, 6), st.sampled_from([None, False]), st.integers(20, 80))
def test_however_it_is_written_the_outline_is_that_of_the_whole(
    document: dict[str, Any], indent: int, flow: bool | None, width: int
) -> None:
    text = yaml.safe_dump(document, indent=indent, default_flow_style=flow, width=width, allow_unicode=True)
    whole, outlined = read(text)
    assert outlined == outline(whole)
