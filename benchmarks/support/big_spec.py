"""A description of the size and shape of Microsoft Graph's, which cannot be shipped: 11,422 operations, 40 MB.

As there, most operations have OData parameters whose schemas list properties, bodies and answers are references to a
few thousand schemas that inherit from each other, and everything is block-style YAML.
"""

from collections.abc import Iterator

OPERATIONS = 11_422
SCHEMAS = 2_400
_PROPERTIES = 20


def big_spec() -> bytes:
    return "".join(_lines()).encode()


def _lines() -> Iterator[str]:
    yield (
        "openapi: 3.0.1\ninfo:\n  description: A description as large as they come.\n  title: Directory\n"
        "  version: v1.0\nservers:\n  - description: Core\n    url: https://graph.example/v1.0\n"
        "security:\n  - azureaadv2: []\npaths:\n"
    )
    count = path = 0
    while count < OPERATIONS:
        left = OPERATIONS - count
        count += min(left, 5)
        yield from _path(path, min(left, 5))
        path += 1
    yield from _components()


def _path(number: int, operations: int) -> Iterator[str]:
    schema, group = f"graph.entity{number % SCHEMAS}", f"group{number % 60}"
    properties = _properties(number % SCHEMAS)
    item = f"/{group}/{{{group}-id}}/entities{number}"
    of_group = _parameter("path", f"{group}-id", "The unique identifier of the group", "required: true")
    of_entity = _parameter("path", "entity-id", "The unique identifier of the entity", "required: true")
    lists = _odata(properties)
    of_one = (("get", "Get"), ("patch", "Update"), ("delete", "Delete"))[:operations]
    of_all = (("get", "List"), ("post", "Create"))[: max(operations - 3, 0)]
    for template, ids, found in (
        (f"{item}/{{entity-id}}", of_group + of_entity, of_one),
        (item, of_group, of_all),
    ):
        if found:
            yield f"  '{template}':\n    description: Provides operations to manage the entities of {group}.\n"
        for method, summary in found:
            yield (
                f"    {method}:\n      description: |-\n        {summary} the entities found under the group {group}."
                f"\n\n        Needs: nothing.\n      operationId: {group}.{summary}Entities{number}\n"
                f"      parameters:\n{ids}"
            )
            if method == "get":
                yield lists
            elif method != "delete":
                yield (
                    "      requestBody:\n        content:\n          application/json:\n            schema:\n"
                    f"              $ref: '#/components/schemas/{schema}'\n        description: New values\n"
                    "        required: true\n"
                )
            yield (
                "      responses:\n        '200':\n          content:\n            application/json:\n"
                f"              schema:\n                $ref: '#/components/schemas/{schema}'\n"
                "          description: Success\n        4XX:\n          $ref: '#/components/responses/error'\n"
                "        5XX:\n          $ref: '#/components/responses/error'\n"
                f"      summary: {summary} entities{number}\n      tags:\n        - {group}.entity\n"
                "      x-ms-docs-operation-type: operation\n"
            )


def _properties(number: int) -> list[str]:
    """Names that what the schema inherits from does not have."""
    return [f"property{number}x{n}Name" for n in range(_PROPERTIES)]


def _parameter(place: str, name: str, description: str, more: str) -> str:
    return (
        f"        - description: {description}\n          in: {place}\n          name: {name}\n          {more}\n"
        "          schema:\n            type: string\n          x-ms-docs-key-type: group\n"
    )


def _odata(properties: list[str]) -> str:
    simple = "".join(f"        - $ref: '#/components/parameters/{name}'\n" for name in ("top", "skip", "search"))
    return simple + "".join(
        f"        - description: {name} of the items\n          explode: false\n          in: query\n"
        f"          name: ${name}\n          schema:\n            items:\n              enum:\n"
        + "".join(f"                - {each}{suffix}\n" for each in properties for suffix in suffixes)
        + "              type: string\n            type: array\n            uniqueItems: true\n          style: form\n"
        for name, suffixes in (("orderby", ("", " desc")), ("select", ("",)), ("expand", ("",)))
    )


def _components() -> Iterator[str]:
    yield "components:\n  parameters:\n"
    for name in ("top", "skip", "search"):
        yield f"    {name}:\n      in: query\n      name: ${name}\n      schema:\n        type: string\n"
    yield (
        "  responses:\n    error:\n      content:\n        application/json:\n          schema:\n"
        "            $ref: '#/components/schemas/graph.entity0'\n      description: error\n  schemas:\n"
    )
    for number in range(SCHEMAS):
        parent = f"        - $ref: '#/components/schemas/graph.entity{number // 3}'\n" if number else ""
        yield f"    graph.entity{number}:\n      allOf:\n{parent}        - properties:\n"
        for n, name in enumerate(_properties(number)):
            kind = f"$ref: '#/components/schemas/graph.entity{(number * 31 + n) % SCHEMAS}'" if n % 5 == 0 else ""
            yield (
                f"            {name}:\n"
                + (f"              anyOf:\n                - {kind}\n                - type: object\n" if kind else "")
                + f"              description: What the property {n} of the entity says to those who read it.\n"
                + ("" if kind else "              type: string\n              nullable: true\n")
            )
        yield f"          title: entity{number}\n          type: object\n"
    yield (
        "  securitySchemes:\n    azureaadv2:\n      flows:\n        clientCredentials:\n          scopes: {}\n"
        "          tokenUrl: https://login.example/token\n      type: oauth2\n"
    )
