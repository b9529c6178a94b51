"""What an operation is beyond paths and schemas: servers, security, what the API sends, and what OpenAPI 3.2 adds."""

from typing import Any

import pytest

from backend.app.engine.spec.codec import reachable_definitions
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Parameter,
    ParameterLocation,
    SecurityKind,
    SecurityScheme,
    Tag,
)
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document


def read(text: str, version: str = "3.2.0") -> ApiDescription:
    return describe(parse_document(f"openapi: {version}\ninfo: {{title: t, version: '1'}}\n{text}".encode()))


def told(description: ApiDescription) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.message) for fault in description.faults]


EMPTY = "{responses: {}}"


def test_methods_of_32() -> None:
    text = f"""
paths:
  /a:
    query: {{requestBody: {{content: {{application/json: {{}}}}}}, responses: {{}}}}
    additionalOperations:
      COPY: {EMPTY}
      Lock: {EMPTY}
      POST: {EMPTY}
      not a method: {EMPTY}
"""
    description = read(text)
    assert [operation.key for operation in description.operations] == ["QUERY /a", "COPY /a", "Lock /a", "POST /a"]
    query, copy, *_ = description.operations
    assert query.body is not None
    assert copy.pointer == "/paths/~1a/additionalOperations/COPY"
    assert [pointer.rpartition("/")[2] for pointer, _ in told(description)] == ["POST", "not a method"]
    assert read(text, "3.1.0").operations == ()


@pytest.mark.parametrize("version", ["3.3.0", "3.10.0", "3.20.1"])
def test_a_later_minor_version_is_read_as_the_newest_known(version: str) -> None:
    description = read(f"paths: {{/a: {{query: {EMPTY}}}}}", version)
    assert (description.dialect, len(description.operations)) == ("openapi-3.2", 1)
    assert told(description) == [("/openapi", f"OpenAPI {version} is read as 3.2")]


def test_the_query_as_a_whole() -> None:
    form = "{application/x-www-form-urlencoded: {schema: {type: object}, example: {a: 1}}}"
    one = f"{{name: q, in: querystring, content: {form}}}"
    text = "paths: {/a: {get: {parameters: [%s], responses: {}}}}"
    description = read(text % one)
    assert told(description) == []
    assert description.operations[0].parameters == (
        Parameter(
            "q",
            ParameterLocation.QUERYSTRING,
            schema={"type": "object"},
            content_type="application/x-www-form-urlencoded",
            examples=({"a": 1},),
        ),
    )
    both = read(text % f"{one}, {{name: b, in: query, schema: {{type: string}}}}")
    assert [message for _, message in told(both)] == ["a querystring excludes other parameters of the query"]
    assert [message for _, message in told(read(text % "{name: q, in: querystring, schema: {}}"))] == [
        "a querystring without content"
    ]
    assert "no place of a parameter" in told(read(text % one, "3.1.0"))[0][1]


def test_sequences_of_items_are_arrays_of_them() -> None:
    content = """{
      application/jsonl: {itemSchema: {type: integer}},
      text/event-stream; charset=utf-8: {schema: {maxItems: 9}, itemSchema: {type: object}},
      application/geo+json-seq: {$ref: '#/components/mediaTypes/places'},
      application/json: {itemSchema: {type: integer}}}"""
    description = read(
        f"paths: {{/a: {{get: {{responses: {{'200': {{description: d, content: {content}}}}}}}}}}}\n"
        "components: {mediaTypes: {places: {itemSchema: true}}}"
    )
    assert description.operations[0].responses[0].content == (
        MediaType("application/jsonl", {"type": "array", "items": {"type": "integer"}}),
        MediaType(
            "text/event-stream; charset=utf-8",
            {"allOf": [{"maxItems": 9}, {"type": "array", "items": {"type": "object"}}]},
        ),
        MediaType("application/geo+json-seq", {"type": "array", "items": True}),
        MediaType("application/json"),
    )
    assert [message for _, message in told(description)] == ["'application/json' is no sequence of items"]


def test_tags_stand_under_one_another() -> None:
    tags = "[{name: a, summary: A, kind: nav}, {name: b, parent: a}, {name: c, parent: gone}, {name: a}, x,"
    description = read(f"paths: {{}}\ntags: {tags} {{name: d, parent: e}}, {{name: e, parent: d}}]")
    assert description.tags == (
        Tag("a", "A", kind="nav"), Tag("b", parent="a"), Tag("c", parent="gone"), Tag("d", parent="e"),
        Tag("e", parent="d"),
    )  # fmt: skip
    assert told(description) == [
        ("/tags/3", "the tag 'a' is declared twice"),
        ("/tags", "the tag 'c' stands under 'gone', which is not declared"),
        ("/tags", "the tag 'd' stands under itself"),
        ("/tags", "the tag 'e' stands under itself"),
    ]


def test_servers_with_variables_and_names() -> None:
    description = read("""
servers:
  - url: https://{region}.example.com/{base}
    name: production
    variables: {region: {default: eu, enum: [eu, us, asia]}, base: {default: v1}}
  - url: 'https://{port}.test.example'
    variables: {port: {default: '3', enum: ['1', '2']}}
  - url: 'https://{none}.example'
    variables: {none: {enum: [x]}}
  - {url: 'https://us.example.com/special'}
paths:
  /a:
    servers: [{url: /path}]
    get: {responses: {}}
    put: {servers: [{url: '/{v}', variables: {v: {default: operation, enum: [operation, other]}}}], responses: {}}
  /b: {get: {responses: {}}}
""")
    assert description.servers == (
        "https://eu.example.com/v1", "https://3.test.example", "https://x.example", "https://us.example.com/special",
        "https://us.example.com/v1", "https://asia.example.com/v1",
        "https://1.test.example", "https://2.test.example",
    )  # fmt: skip
    assert description.server_names == {"production": "https://eu.example.com/v1"}
    assert [operation.server for operation in description.operations] == ["/path", "/operation", None]
    assert told(description) == [
        ("/servers/1/variables/port/default", "'3' is not one of the values that are listed"),
        ("/servers/2/variables/none", "a server variable without a default"),
    ]


def test_many_values_of_variables_do_not_make_many_servers() -> None:
    values = ", ".join(f"v{number}" for number in range(1_000))
    variables = ", ".join(f"{name}: {{default: v0, enum: [{values}]}}" for name in "abcdef")
    url = "https://" + ".".join(f"{{{name}}}" for name in "abcdef")
    assert len(read(f"paths: {{}}\nservers: [{{url: '{url}', variables: {{{variables}}}}}]").servers) == 20


def test_security_schemes_of_all_kinds() -> None:
    description = read("""
paths:
  /a:
    get: {security: [{oauth: [read, write], token: []}, {oauth: [admin]}, {'#/x-schemes/far': [role]}], responses: {}}
    put: {security: [{'#/x-schemes/none': []}], responses: {}}
    post: {responses: {}}
security: [{oauth: [all]}]
x-schemes: {far: {type: http, scheme: Digest}}
components:
  securitySchemes:
    oauth:
      type: oauth2
      oauth2MetadataUrl: https://id.example/.well-known/oauth-authorization-server
      flows:
        clientCredentials: {tokenUrl: https://id.example/token, scopes: {read: r, write: w}}
        deviceAuthorization:
          {deviceAuthorizationUrl: https://id.example/device, tokenUrl: https://id.example/token, scopes: {}}
        unknown: {scopes: {}}
    token: {type: http, scheme: bearer}
    cookie: {type: apiKey, in: cookie, name: sid}
    cert: {type: mutualTLS}
""")
    token = {"tokenUrl": "https://id.example/token"}
    flows: dict[str, dict[str, Any]] = {
        "clientCredentials": token | {"scopes": ["read", "write"]},
        "deviceAuthorization": token | {"deviceAuthorizationUrl": "https://id.example/device", "scopes": []},
    }
    metadata = "https://id.example/.well-known/oauth-authorization-server"
    assert description.security_schemes == {
        "oauth": SecurityScheme("oauth", SecurityKind.OAUTH2, flows=flows, url=metadata),
        "token": SecurityScheme("token", SecurityKind.BEARER, scheme="bearer"),
        "cookie": SecurityScheme("cookie", SecurityKind.API_KEY, ParameterLocation.COOKIE, "sid"),
        "cert": SecurityScheme("cert", SecurityKind.MUTUAL_TLS),
        "#/x-schemes/far": SecurityScheme("#/x-schemes/far", SecurityKind.OTHER, scheme="digest"),
    }
    by_method = {operation.method: operation for operation in description.operations}
    assert by_method["GET"].security == (("oauth", "token"), ("oauth",), ("#/x-schemes/far",))
    assert by_method["GET"].scopes == {"oauth": ("read", "write", "admin"), "#/x-schemes/far": ("role",)}
    assert (by_method["POST"].security, by_method["POST"].scopes) == ((("oauth",),), {"oauth": ("all",)})
    assert [message for _, message in told(description)] == [
        "'unknown' is no flow of OAuth 2",
        "the security scheme '#/x-schemes/none' is not declared",
    ]


SENDING = """
paths:
  /subscribe:
    post:
      responses: {}
      callbacks:
        event: {'{$request.body#/url}': {post: {operationId: told, requestBody: {content: {application/json: {}}}}}}
        shared: {$ref: '#/components/callbacks/shared'}
        x-note: {}
  /other: {post: {responses: {}, callbacks: {again: {$ref: '#/components/callbacks/shared'}}}}
components:
  callbacks: {shared: {'https://x/?id={$request.path.id}': {$ref: '#/components/pathItems/ping'}}}
  pathItems: {ping: {get: {responses: {}}}}
"""


@pytest.mark.parametrize(("key", "version"), [("webhooks", "3.2.0"), ("webhooks", "3.1.0"), ("x-webhooks", "3.0.3")])
def test_what_the_api_sends_is_listed_apart(key: str, version: str) -> None:
    description = read(f"{SENDING}\n{key}: {{newThing: {{post: {{summary: A thing came, responses: {{}}}}}}}}", version)
    assert told(description) == []
    assert [operation.key for operation in description.operations] == ["POST /subscribe", "POST /other"]
    assert [(operation.key, operation.summary) for operation in description.webhooks] == [
        ("POST newThing", "A thing came")
    ]
    assert [(operation.key, operation.pointer.count("callbacks")) for operation in description.callbacks] == [
        ("POST {$request.body#/url}", 1),
        ("GET https://x/?id={$request.path.id}", 0),
    ]
    assert description.callbacks[0].body is not None
    assert all(operation.parameters == () for operation in description.callbacks)


def test_a_discriminator_names_definitions() -> None:
    text = """
paths: {/a: {post: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}}}}
components:
  schemas:
    Pet:
      oneOf: [{$ref: '#/components/schemas/Dog'}, {$ref: '#/components/schemas/Cat'}]
      discriminator:
        propertyName: kind
        mapping: {dog: Dog, cat: '#/components/schemas/Cat', cow: Cow}
        defaultMapping: Cat
    Dog: {type: object}
    Cat: {type: object}
    Odd: {discriminator: {mapping: {}}}
"""
    description = read(text)
    pet = description.definitions["Pet"]
    assert isinstance(pet, dict)
    assert pet["discriminator"] == {
        "propertyName": "kind",
        "mapping": {"dog": "#/$defs/Dog", "cat": "#/$defs/Cat"},
        "defaultMapping": "#/$defs/Cat",
    }
    assert reachable_definitions(description.operations[0], description.definitions).keys() == {"Pet", "Dog", "Cat"}
    base = "/components/schemas"
    assert told(description) == [
        (f"{base}/Pet/discriminator/mapping/cow", "external reference to 'Cow' is not read"),
        (f"{base}/Odd/discriminator", "a discriminator without the name of a property"),
    ]


def test_examples_stand_in_many_places() -> None:
    description = read("""
paths:
  /a:
    post:
      parameters:
        - {name: a, in: query, schema: {type: integer, example: 5}, x-example: 1}
        - {name: b, in: query, schema: {type: integer}, examples: {one: {value: 1}, two: {dataValue: 2, value: x}}}
        - {name: c, in: query, content: {application/json: {example: {c: 1}, examples: {far: {$ref: '#/x-far'}}}}}
      requestBody: {content: {application/json: {examples: {x: {dataValue: [1]}}, schema: {examples: [[2]]}}}}
      responses: {}
x-far: {value: {c: 2}}
""")
    (operation,) = description.operations
    assert [parameter.examples for parameter in operation.parameters] == [(1,), (1, 2), ({"c": 1}, {"c": 2})]
    assert operation.parameters[0].schema == {"type": "integer", "examples": [5]}
    assert operation.body is not None
    assert operation.body.content == (MediaType("application/json", {"examples": [[2]]}, ([1],)),)
