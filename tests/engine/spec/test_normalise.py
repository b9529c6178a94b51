import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec.codec import description_from_bytes, description_to_bytes
from backend.app.engine.spec.limits import DocumentLimits
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    SecurityKind,
    SecurityScheme,
    SpecError,
)
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document

PATH, QUERY, HEADER = ParameterLocation.PATH, ParameterLocation.QUERY, ParameterLocation.HEADER

OPENAPI_30 = """
openapi: 3.0.3
info: {title: Shop, version: 1.0}
servers:
  - url: https://{region}.example.com/{base}
    variables: {region: {default: eu, enum: [eu, us]}, base: {default: v1}}
  - url: /relative
  - url: ftp://files.example.com
security: [{key: []}, {}]
tags: [{name: items}]
paths:
  /items/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, format: int64}, example: 7}
      - {name: verbose, in: query, schema: {type: boolean}}
    get:
      operationId: getItem
      tags: [items]
      description: |
        One item.
        More words.
      parameters:
        - $ref: '#/components/parameters/fields'
        - {name: verbose, in: query, required: true, schema: {type: boolean}}
        - {name: Authorization, in: header, schema: {type: string}}
        - {name: filter, in: query, content: {application/json: {schema: {type: object}, example: {a: 1}}}}
      responses:
        200:
          description: the item
          headers: {ETag: {required: true, schema: {type: string}}, X-Note: {schema: {type: string}}}
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Item'}
              examples: {one: {$ref: '#/components/examples/one'}, two: {value: {id: 2}}, far: {externalValue: 'http://x'}}
          links:
            rename: {operationId: renameItem, parameters: {id: '$response.body#/id'}, description: words}
        4xx: {$ref: '#/components/responses/Problem'}
        default: {$ref: '#/components/responses/Problem'}
    put:
      operationId: renameItem
      deprecated: true
      security: []
      servers: [{url: https://write.example.com}]
      requestBody: {$ref: '#/components/requestBodies/Item'}
      x-problem: {type: object}
      responses: {'204': {description: done}}
  /same/{id}:
    $ref: '#/paths/~1items~1{id}'
components:
  parameters:
    fields: {name: fields, in: query, style: pipeDelimited, schema: {type: array, items: {type: string}}}
  requestBodies:
    Item: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Item'}}}}
  responses:
    Problem:
      description: wrong
      content: {application/problem+json: {schema: {$ref: '#/paths/~1items~1{id}/put/x-problem'}}}
  examples:
    one: {value: {id: 1}}
  schemas:
    Item:
      type: object
      required: [id]
      properties:
        id: {type: integer, readOnly: true, minimum: 0, exclusiveMinimum: true}
        name: {type: string, nullable: true, example: pen}
        parent: {nullable: true, allOf: [{$ref: '#/components/schemas/Item'}]}
        colour: {type: string, nullable: true, enum: [red]}
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    basic: {type: http, scheme: Basic}
    token: {type: http, scheme: bearer}
    login: {type: oauth2, flows: {}}
    oidc: {type: openIdConnect, openIdConnectUrl: 'https://x'}
    cert: {type: mutualTLS}
"""

OPENAPI_32 = """
openapi: 3.2.0
$self: /api/openapi
info: {title: Hooks, version: '1'}
tags: [{name: a, kind: nav}, {name: b, parent: a}]
servers: [{url: 'https://{host}.example', name: main, variables: {host: {default: a, enum: [a, b]}}}]
security: [{login: [read]}, {'#/x-scheme': []}]
paths:
  $ref: '#/x-paths'
  /c:
    parameters: {$ref: '#/x-parameters'}
    additionalOperations: {COPY: {responses: {}}}
    query:
      callbacks: {done: {'{$request.body#/url}': {post: {responses: {}}}}}
      responses: {'200': {content: {application/jsonl: {itemSchema: {$ref: item}}}, links: {l: {operationRef: '#/x'}}}}
webhooks: {made: {$ref: '#/components/pathItems/made'}}
components:
  pathItems: {made: {post: {requestBody: {content: {application/json: {schema: {$dynamicRef: '#node'}}}}}}}
  schemas:
    Item: {$id: item, $dynamicAnchor: node, oneOf: [{$ref: '#'}], discriminator: {propertyName: k, mapping: {a: Item}}}
  securitySchemes: {login: {type: oauth2, flows: {deviceAuthorization: {tokenUrl: /t, scopes: {read: r}}}}}
x-paths: {/d: {get: {responses: {default: {description: d, $ref: '#/x-answer'}}}}}
x-answer: {description: d}
x-scheme: {type: mutualTLS}
x-parameters: [{name: q, in: querystring, content: {application/json: {schema: {}}}}]
"""

SWAGGER_20 = """
swagger: '2.0'
info: {title: Old, version: '2'}
host: api.example.com:8080
basePath: /v2/
schemes: [https, http]
consumes: [application/json]
produces: [application/json, text/xml]
securityDefinitions:
  key: {type: apiKey, in: query, name: token}
  plain: {type: basic}
  login: {type: oauth2, flow: implicit, authorizationUrl: 'https://x', scopes: {}}
parameters:
  limit: {name: limit, in: query, type: integer, maximum: 10, exclusiveMaximum: true, default: 5}
  payload: {name: payload, in: body, required: true, schema: {$ref: '#/definitions/Pet'}}
responses:
  NotFound: {description: no}
paths:
  /pets:
    parameters: [{$ref: '#/parameters/limit'}]
    get:
      security: [{key: []}, {plain: []}]
      parameters:
        - {name: tags, in: query, type: array, items: {type: string}, collectionFormat: multi}
        - {name: ids, in: query, type: array, items: {type: integer}}
        - {name: pipes, in: query, type: array, items: {type: integer}, collectionFormat: pipes}
        - {name: X-Ids, in: header, type: array, items: {type: integer}, x-example: [1]}
      responses:
        200:
          description: ok
          schema: {type: array, items: {$ref: '#/definitions/Pet'}}
          examples: {application/json: [{id: 1}]}
        404: {$ref: '#/responses/NotFound'}
    post:
      parameters: [{$ref: '#/parameters/payload'}]
      responses: {201: {description: made}}
  /pets/{id}/photo:
    post:
      consumes: [multipart/form-data]
      produces: [image/png]
      parameters:
        - {name: id, in: path, required: true, type: string}
        - {name: photo, in: formData, type: file, required: true}
        - {name: note, in: formData, type: string}
      responses: {200: {description: ok, schema: {type: file}}}
  /form:
    post:
      consumes: [application/x-www-form-urlencoded]
      parameters: [{name: a, in: formData, type: integer}]
      responses: {200: {description: ok}}
definitions:
  Pet:
    type: object
    properties: {id: {type: integer}, name: {type: string, x-nullable: true}}
"""


def read(text: str) -> ApiDescription:
    return describe(parse_document(text.encode()))


def minimal(**members: Any) -> dict[str, Any]:
    return {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}} | members


def schema_of(schema: Any, version: str = "3.0.3") -> tuple[Any, list[str]]:
    """The translated schema, and the faults below it."""
    description = describe(minimal(openapi=version, components={"schemas": {"A": schema, "B": {"type": "null"}}}))
    prefix = "/components/schemas/A"
    return description.definitions["A"], [fault.pointer.removeprefix(prefix) for fault in description.faults]


def faults(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.message) for fault in describe(document).faults]


def test_openapi_30() -> None:
    description = read(OPENAPI_30)
    assert (description.title, description.version, description.dialect) == ("Shop", "1.0", "openapi-3.0")
    assert description.servers == ("https://eu.example.com/v1", "/relative", "https://us.example.com/v1")
    assert [fault.pointer for fault in description.faults] == ["/servers/2"]
    assert description.security_schemes == {
        "key": SecurityScheme("key", SecurityKind.API_KEY, HEADER, "X-Key"),
        "basic": SecurityScheme("basic", SecurityKind.BASIC, scheme="basic"),
        "token": SecurityScheme("token", SecurityKind.BEARER, scheme="bearer"),
        "login": SecurityScheme("login", SecurityKind.OAUTH2),
        "oidc": SecurityScheme("oidc", SecurityKind.OPENID_CONNECT, url="https://x"),
        "cert": SecurityScheme("cert", SecurityKind.MUTUAL_TLS),
    }
    get, put, alias_get, alias_put = description.operations
    item = {"$ref": "#/$defs/Item"}
    problem = ResponseSpec(
        "4XX", (MediaType("application/problem+json", {"$ref": "#/$defs/paths_items_id_put_x-problem"}),)
    )
    assert [alias_get.key, alias_put.key] == ["GET /same/{id}", "PUT /same/{id}"]
    assert get == Operation(
        method="GET",
        path="/items/{id}",
        operation_id="getItem",
        summary="One item.",
        tags=("items",),
        parameters=(
            Parameter("id", PATH, True, {"type": "integer", "format": "int64"}, "simple", False, examples=(7,)),
            Parameter("verbose", QUERY, True, {"type": "boolean"}, "form", True),
            Parameter("fields", QUERY, False, {"type": "array", "items": {"type": "string"}}, "pipeDelimited", False),
            Parameter("filter", QUERY, False, {"type": "object"}, "form", True, "application/json", ({"a": 1},)),
        ),
        responses=(
            ResponseSpec(
                "200",
                (MediaType("application/json", item, ({"id": 1}, {"id": 2})),),
                ("ETag",),
                {"rename": {"operationId": "renameItem", "parameters": {"id": "$response.body#/id"}}},
            ),
            problem,
            ResponseSpec("default", problem.content),
        ),
        security=(("key",), ()),
        pointer="/paths/~1items~1{id}/get",
    )
    assert not get.requires_auth
    assert put.deprecated
    assert put.security == ()
    assert put.server == "https://write.example.com"
    assert put.body == RequestBody(True, (MediaType("application/json", item),))
    assert description.definitions["Item"] == {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer", "readOnly": True, "exclusiveMinimum": 0},
            "name": {"type": ["string", "null"], "examples": ["pen"]},
            "parent": {"anyOf": [{"allOf": [item]}, {"type": "null"}]},
            "colour": {"type": ["string", "null"], "enum": ["red", None]},
        },
    }


def test_swagger_20() -> None:
    description = read(SWAGGER_20)
    assert description.dialect == "swagger-2.0"
    assert description.servers == ("https://api.example.com:8080/v2", "http://api.example.com:8080/v2")
    assert description.faults == ()
    assert description.security_schemes == {
        "key": SecurityScheme("key", SecurityKind.API_KEY, QUERY, "token"),
        "plain": SecurityScheme("plain", SecurityKind.BASIC, scheme="basic"),
        "login": SecurityScheme(
            "login", SecurityKind.OAUTH2, flows={"implicit": {"authorizationUrl": "https://x", "scopes": []}}
        ),
    }
    pet = {"$ref": "#/$defs/Pet"}
    get, post, photo, form = description.operations
    assert get.security == (("key",), ("plain",))
    assert get.requires_auth
    strings, integers = ({"type": "array", "items": {"type": name}} for name in ("string", "integer"))
    assert get.parameters == (
        Parameter("limit", QUERY, False, {"type": "integer", "exclusiveMaximum": 10, "default": 5}, "form", True),
        Parameter("tags", QUERY, False, strings, "form", True),
        Parameter("ids", QUERY, False, integers, "form", False),
        Parameter("pipes", QUERY, False, integers, "pipeDelimited", False),
        Parameter("X-Ids", HEADER, False, integers, "simple", False, examples=([1],)),
    )
    listing = {"type": "array", "items": pet}
    assert get.responses == (
        ResponseSpec("200", (MediaType("application/json", listing, ([{"id": 1}],)), MediaType("text/xml", listing))),
        ResponseSpec("404"),
    )
    assert post.body == RequestBody(True, (MediaType("application/json", pet),))
    binary = {"type": "string", "format": "binary"}
    upload = {"type": "object", "properties": {"photo": binary, "note": {"type": "string"}}, "required": ["photo"]}
    assert photo.body == RequestBody(True, (MediaType("multipart/form-data", upload),))
    assert photo.responses == (ResponseSpec("200", (MediaType("image/png", binary),)),)
    assert form.body is not None
    assert [media.content_type for media in form.body.content] == ["application/x-www-form-urlencoded"]
    assert description.definitions["Pet"] == {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "name": {"type": ["string", "null"]}},
    }


def test_openapi_31_keeps_json_schema_as_it_is() -> None:
    schema = {
        "type": ["string", "null"],
        "examples": ["a"],
        "exclusiveMinimum": 1,
        "const": "a",
        "prefixItems": [True],
        "if": {"minLength": 1},
        "then": False,
        "dependentRequired": {"a": ["b"]},
        "unevaluatedProperties": False,
    }
    assert schema_of(schema, "3.1.0") == (schema, [])
    beside = {"$ref": "#/components/schemas/B", "minLength": 1}
    assert schema_of(beside, "3.1.0") == ({"$ref": "#/$defs/B", "minLength": 1}, [])
    assert schema_of(beside, "3.0.0") == ({"$ref": "#/$defs/B"}, [])


def test_documents_without_paths_are_complete_in_31_only() -> None:
    document = {"openapi": "3.1.0", "info": {"title": "hooks", "version": "1"}, "webhooks": {}}
    assert faults(document) == []
    assert faults(document | {"openapi": "3.0.0"}) == [("", "there are no paths")]
    assert faults(document | {"openapi": "3.2.0"}) == []


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "number of things"}, "/type"),
        ({"type": []}, "/type"),
        ({"multipleOf": 0}, "/multipleOf"),
        ({"multipleOf": -1}, "/multipleOf"),
        ({"multipleOf": 1e-308}, "/multipleOf"),
        ({"maximum": float("inf")}, "/maximum"),
        ({"maximum": "1"}, "/maximum"),
        ({"minimum": True}, "/minimum"),
        ({"minLength": -1}, "/minLength"),
        ({"minLength": 1.5}, "/minLength"),
        ({"pattern": "("}, "/pattern"),
        ({"pattern": "(?=a)"}, "/pattern"),
        ({"pattern": "(?:a{1,65535}){1,65535}"}, "/pattern"),
        ({"required": True}, "/required"),
        ({"enum": []}, "/enum"),
        ({"enum": [1, float("inf")]}, "/enum"),
        ({"default": float("-inf")}, "/default"),
        ({"allOf": []}, "/allOf"),
        ({"properties": []}, "/properties"),
        ({"patternProperties": {"(": {}}}, "/patternProperties/("),
        ({"format": 1}, "/format"),
        ({"items": "x"}, "/items"),
        ({"$ref": 1}, "/$ref"),
        ({"$ref": "#/nowhere"}, ""),
        ({"$ref": "other.yaml#/A"}, ""),
        ({"$ref": "http://127.0.0.1:9/a.json"}, ""),
        ({"$ref": "#anchor"}, ""),
        ({"$ref": "#/components/schemas/A"}, ""),
    ],
)
def test_a_broken_keyword_is_a_fault_and_says_nothing(schema: dict[str, Any], pointer: str) -> None:
    translated, found = schema_of(schema)
    assert found == [pointer]
    assert translated in (True, {}, {"patternProperties": {}}, {"items": True})


def test_a_schema_that_nothing_fits_is_reported() -> None:
    assert schema_of({"minimum": 2, "maximum": 1})[1] == [""]


@pytest.mark.parametrize(
    "ref",
    [
        "#/components/schemas/A/properties/x",
        "#/components/schemas/A%2Fproperties%2Fx/../x",
        "#/paths/~1a/get/responses/200/content/application~1json/schema",
        "#/components/schemas/odd%20name",
        "#/components/schemas/odd~1name",
    ],
)
def test_deep_references_are_definitions_of_their_own(ref: str) -> None:
    schemas = {
        "A": {"properties": {"x": {"type": "integer"}}},
        "odd name": {"type": "integer"},
        "odd/name": {"type": "integer"},
    }
    content = {"application/json": {"schema": {"type": "integer"}}}
    path = {"get": {"responses": {"200": {"content": content}}}}
    description = describe(
        minimal(paths={"/a": path}, components={"schemas": schemas | {"R": {"items": {"$ref": ref}}}})
    )
    items = description.definitions["R"]["items"]  # type: ignore[index]
    if ".." in ref:
        assert items is True
        return
    name = items["$ref"].removeprefix("#/$defs/")
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert description.definitions[name] == {"type": "integer"}
    assert description.faults == ()


def test_names_that_clean_up_alike_stay_apart() -> None:
    schemas = {"a b": {"type": "string"}, "a/b": {"type": "integer"}, "a_b": {"type": "null"}}
    kinds = [schema["type"] for schema in describe(minimal(components={"schemas": schemas})).definitions.values()]  # type: ignore[index]
    assert sorted(kinds) == ["integer", "null", "string"]


def test_schemas_nested_too_deeply_are_left_out() -> None:
    schema: Any = {"type": "string"}
    for _ in range(90):
        schema = {"nullable": True, "not": schema}
    description = describe(minimal(components={"schemas": {"A": schema}}))
    assert len(description.faults) == 1
    assert description_from_bytes(description_to_bytes(description)) == description


@pytest.mark.parametrize(
    ("paths", "pointer", "message"),
    [
        ({"/a": []}, "/paths/~1a", "an object is expected"),
        ({"/a": {"get": 1}}, "/paths/~1a/get", "an object is expected"),
        ({"a": {"get": {}}}, "/paths/a", "a path begins with /"),
        ({"/a": {"get": {"parameters": {}}}}, "/paths/~1a/get/parameters", "an array is expected"),
        ({"/a": {"get": {"parameters": [{"in": "query"}]}}}, "/paths/~1a/get/parameters/0", "without a name"),
        ({"/a": {"get": {"parameters": [{"name": "x", "in": "body"}]}}}, "/paths/~1a/get/parameters/0/in", "no place"),
        ({"/a": {"get": {"parameters": [{"$ref": "#/x"}]}}}, "/paths/~1a/get/parameters/0", "names nothing"),
        ({"/a": {"get": {"responses": {"OK": {}}}}}, "/paths/~1a/get/responses/OK", "no status code"),
        ({"/a": {"get": {"responses": {"200": 1}}}}, "/paths/~1a/get/responses/200", "an object is expected"),
        ({"/a": {"get": {"security": [{"x": []}]}}}, "/paths/~1a/get/security/0", "not declared"),
        ({"/a": {"get": {"requestBody": {}}}}, "/paths/~1a/get/requestBody", "without content"),
        ({"/a/{id}": {"get": {}}}, "/paths/~1a~1{id}/get", "which no parameter declares"),
        ({"/a": {"get": {"$ref": "a.yaml#/get"}}}, "/paths/~1a/get", "external reference"),
        ({"/a": {"$ref": "a.yaml"}}, "/paths/~1a", "external reference"),
        ({"/a": {"get": {"operationId": "x"}, "put": {"operationId": "x"}}}, "/paths/~1a/put/operationId", "twice"),
    ],
)  # fmt: skip
def test_a_broken_operation_is_a_fault_and_the_rest_goes_on(paths: dict[str, Any], pointer: str, message: str) -> None:
    description = describe(minimal(paths=paths | {"/good": {"get": {}}}))
    assert [fault.pointer for fault in description.faults] == [pointer]
    assert message in description.faults[0].message
    assert description.operations[-1].key == "GET /good"


def test_path_parameters_and_templates_are_brought_together() -> None:
    string = {"schema": {"type": "string"}}
    declared = [
        {"name": "id", "in": "path", **string},
        {"name": "gone", "in": "path", "required": True, **string},
        {"name": "q", "in": "query", **string},
        {"name": "q", "in": "query", **string},
    ]
    description = describe(minimal(paths={"/a/{id}/{other}": {"get": {"parameters": declared}}}))
    parameters = description.operations[0].parameters
    assert [(each.name, each.required) for each in parameters] == [("id", True), ("q", False), ("other", True)]
    assert parameters[2].schema == {"type": "string"}
    words = " ".join(fault.message for fault in description.faults)
    for expected in ("always required", "'gone' is not in the template", "declared twice", "'other', which no"):
        assert expected in words


def test_templates_that_match_the_same_paths_are_reported() -> None:
    document = minimal(paths={"/{a}/{a}": {"get": {}}, "/{a}": {"get": {}}, "/{b}": {"get": {}}})
    found = [message for _, message in faults(document)]
    assert "a name stands twice in the template '/{a}/{a}'" in found
    assert "the template matches the same paths as '/{a}'" in found


def test_members_beside_the_reference_of_a_path_win() -> None:
    paths = {
        "/a": {"parameters": [{"name": "x", "in": "query", "schema": {"type": "string"}}], "get": {}},
        "/b": {"$ref": "#/paths/~1a", "parameters": [{"name": "y", "in": "query", "schema": {"type": "string"}}]},
    }
    first, second = describe(minimal(paths=paths)).operations
    assert [first.parameters[0].name, second.parameters[0].name] == ["x", "y"]


def test_a_small_document_cannot_grow_without_bound() -> None:
    large = {"get": {"parameters": [{"name": f"q{i}", "in": "query", "schema": {}} for i in range(100)]}}
    paths = {"/large": large} | {f"/{i}": {"$ref": "#/paths/~1large"} for i in range(100)}
    assert len(describe(minimal(paths=paths)).operations) == 101
    with pytest.raises(SpecError) as refusal:
        describe(minimal(paths=paths), DocumentLimits(expanded_nodes=5_000))
    assert refusal.value.code == "spec.too_many_nodes"


def test_server_variables_do_not_expand_into_each_other() -> None:
    variables = {chr(97 + i): {"default": f"{{{chr(98 + i)}}}" * 50} for i in range(10)}
    assert describe(minimal(servers=[{"url": "http://{a}", "variables": variables}])).servers == ("/",)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({}, "spec.not_a_spec"),
        ({"asyncapi": "3.0.0"}, "spec.not_a_spec"),
        ({"swagger": "1.2"}, "spec.unknown_version"),
        ({"openapi": "4.0.0"}, "spec.unknown_version"),
        ({"openapi": []}, "spec.unknown_version"),
    ],
)
def test_only_what_is_no_description_at_all_is_refused(document: dict[str, Any], code: str) -> None:
    with pytest.raises(SpecError) as refusal:
        describe(document)
    assert refusal.value.code == code


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.just(float("inf"))
    | st.sampled_from(["", "#", "#/paths", "x", "get", "path", "#/components/schemas/Item"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["$ref", "name", "in", "schema", "get", "200", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from([OPENAPI_30, SWAGGER_20, OPENAPI_30.replace("3.0.3", "3.1.0"), OPENAPI_32]), st.data())
def test_whatever_stands_in_a_document_it_is_described(text: str, data: st.DataObject) -> None:
    document = copy.deepcopy(DOCUMENTS[text])
    for _ in range(data.draw(st.integers(1, 4))):
        node: Any = document
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = data.draw(st.sampled_from(keys))
            inner = node[key]
            if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 5)) == 0:
                break
            node = inner
        if node is not document or key not in ("openapi", "swagger"):
            node[key] = data.draw(VALUES)
    description = describe(document)
    assert description_from_bytes(description_to_bytes(description)) == description
    json.dumps([dict(description.definitions)], allow_nan=False)


DOCUMENTS = {
    text: parse_document(text.encode())
    for text in (OPENAPI_30, SWAGGER_20, OPENAPI_30.replace("3.0.3", "3.1.0"), OPENAPI_32)
}


def test_a_type_of_a_programming_language_is_taken_for_what_it_means() -> None:
    parameter = {"name": "n", "in": "path", "required": True, "type": "int"}
    document = {
        "swagger": "2.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/bytes/{n}": {"get": {"parameters": [parameter], "responses": {"200": {"description": "ok"}}}}},
    }
    described = describe(document)
    assert described.operations[0].parameters[0].schema == {"type": "integer"}
    assert "int" in described.faults[0].message


def test_a_list_of_faults_that_was_cut_says_so() -> None:
    schemas = {f"S{number}": {"type": "nothing"} for number in range(12)}
    document = minimal(components={"schemas": schemas})
    whole = describe(document, DocumentLimits(faults=12)).faults
    cut = describe(document, DocumentLimits(faults=11)).faults
    assert len(whole) == len(cut) == 12
    assert cut[:11] == whole[:11]
    assert (cut[11].pointer, cut[11].message) == ("", "more than 11 faults; the others are left out")


def test_patterns_beyond_the_limit_are_left_out_and_reported() -> None:
    properties = {f"p{number}": {"pattern": f"^{number % 4}"} for number in range(8)}
    document = minimal(components={"schemas": {"A": {"properties": properties}}})
    description = describe(document, DocumentLimits(patterns=3))
    kept = description.definitions["A"]["properties"]  # type: ignore[index]
    assert [name for name, schema in kept.items() if "pattern" in schema] == ["p0", "p1", "p2", "p4", "p5", "p6"]
    assert [fault.pointer[-10:] for fault in description.faults] == ["p3/pattern", "p7/pattern"]


def test_flags_of_30_among_the_limits_of_31_are_read_as_meant() -> None:
    schema, pointers = schema_of({"minimum": 0, "exclusiveMinimum": True}, "3.1.0")
    assert schema == {"exclusiveMinimum": 0}
    assert pointers == ["/exclusiveMinimum"]


def test_what_cannot_be_followed_is_the_only_fault_of_its_operation() -> None:
    path = "/paths/~1a~1{id}/get"
    elsewhere = {"$ref": "other.yaml#/a"}
    message = "external reference to 'other.yaml' is not read"
    assert faults(minimal(paths={"/a/{id}": {"get": elsewhere}})) == [(path, message)]
    operation = {"parameters": [elsewhere], "responses": {}}
    assert faults(minimal(paths={"/a/{id}": {"get": operation}})) == [(f"{path}/parameters/0", message)]
    (operation_read,) = describe(minimal(paths={"/a/{id}": {"get": elsewhere}})).operations
    assert [parameter.name for parameter in operation_read.parameters] == ["id"]


def test_many_names_that_clean_up_alike_cost_no_search() -> None:
    schemas = dict.fromkeys((chr(0x4E00 + number // 100) + "é" * (number % 100 + 1) for number in range(50_000)), True)
    definitions = describe(minimal(components={"schemas": schemas})).definitions
    assert len(definitions) == 50_000
    assert list(definitions)[-1] == "schema_50000"
