"""Descriptions that are split over several documents."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import ApiDescription, ParameterLocation
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document
from backend.app.engine.spec.references import NotLoaded

ROOT = "https://api.example/docs/openapi.yaml"


class Library:
    """Hands out documents by their paths below `https://api.example/docs/`."""

    def __init__(self, **documents: str) -> None:
        self._documents = {name.replace("__", "/") + ".yaml": text for name, text in documents.items()}
        self.asked: list[str] = []

    def __call__(self, uri: str) -> bytes:
        name = uri.removeprefix("https://api.example/docs/")
        self.asked.append(name)
        if name not in self._documents:
            raise NotLoaded("there is no such file")
        return self._documents[name].encode()


def read(root: str, library: Library | None = None, where: str = ROOT) -> ApiDescription:
    return describe(parse_document(root.encode()), where=where, load=library)


def spec(paths: str, rest: str = "", version: str = "3.1.0") -> str:
    return f"openapi: {version}\ninfo: {{title: t, version: '1'}}\npaths:\n{paths}\n{rest}"


def told(description: ApiDescription) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.message) for fault in description.faults]


def answer(schema: str) -> str:
    return f"{{responses: {{'200': {{description: d, content: {{application/json: {{schema: {schema}}}}}}}}}}}"


USERS = """
parameters:
  - $ref: 'common.yaml#/parameters/id'
get:
  operationId: readUser
  responses:
    '200': {$ref: '../answers/user.yaml'}
    default: {$ref: 'common.yaml#/responses/problem'}
"""


def test_everything_that_may_be_referred_to_is_read_relative_to_the_document_it_stands_in() -> None:
    library = Library(
        paths__users=USERS,
        paths__common="""
parameters: {id: {name: id, in: path, required: true, schema: {$ref: '../models/user.yaml#/properties/id'}}}
responses: {problem: {description: d, content: {application/problem+json: {schema: {type: object}}}}}
""",
        answers__user="description: d\ncontent: {application/json: {schema: {$ref: '../models/user.yaml'}}}",
        models__user="type: object\n"
        "properties: {id: {type: integer}, boss: {$ref: '#'}, pet: {$ref: pet.yaml#/$defs/Pet}}",
        models__pet="$defs: {Pet: {type: object, properties: {owner: {$ref: user.yaml}}}}",
    )
    description = read(spec("  /users/{id}: {$ref: 'paths/users.yaml'}"), library)
    assert told(description) == []
    (operation,) = description.operations
    assert (operation.key, operation.operation_id) == ("GET /users/{id}", "readUser")
    assert operation.pointer == "paths/users.yaml#/get"
    (parameter,) = operation.parameters
    assert (parameter.name, parameter.location) == ("id", ParameterLocation.PATH)
    assert [response.status for response in operation.responses] == ["200", "default"]
    assert operation.responses[0].content[0].schema == {"$ref": "#/$defs/user"}
    assert description.definitions == {
        "user_properties_id": {"type": "integer"},
        "user": {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "boss": {"$ref": "#/$defs/user"}, "pet": {"$ref": "#/$defs/Pet"}},
        },
        "Pet": {"type": "object", "properties": {"owner": {"$ref": "#/$defs/user"}}},
    }
    assert sorted(library.asked) == [
        "answers/user.yaml", "models/pet.yaml", "models/user.yaml", "paths/common.yaml", "paths/users.yaml",
    ]  # fmt: skip


def test_other_documents_lead_back_to_the_root() -> None:
    library = Library(a="get: {responses: {'200': {$ref: 'openapi.yaml#/components/responses/ok'}}}")
    rest = "components: {responses: {ok: {description: d, content: {text/plain: {}}}}}"
    description = read(spec("  /a: {$ref: a.yaml}", rest), library)
    assert [media.content_type for media in description.operations[0].responses[0].content] == ["text/plain"]
    assert library.asked == ["a.yaml"]


def test_whole_sections_may_stand_elsewhere() -> None:
    library = Library(
        paths=f"/a: {{get: {answer('{$ref: schemas.yaml#/Pet}')}}}\n/b: {{get: {{responses: {{}}}}}}",
        schemas="Pet: {type: object, properties: {$ref: '#/more'}}\nmore: {id: {type: integer}}",
    )
    rest = "components: {schemas: {$ref: schemas.yaml}}"
    description = read(spec("  $ref: paths.yaml\n  /c: {get: {responses: {}}}", rest), library)
    assert [operation.key for operation in description.operations] == ["GET /c", "GET /a", "GET /b"]
    assert description.definitions["Pet"] == {"type": "object", "properties": {"id": {"type": "integer"}}}
    assert told(description) == []


def test_what_stands_beside_a_reference_to_a_path_item_keeps_its_own_place() -> None:
    library = Library(
        paths__a="get: {responses: {'200': {$ref: '#/x-ok'}}}\nx-ok: {description: d, content: {text/csv: {}}}",
    )
    beside = "  /a:\n    $ref: paths/a.yaml\n    parameters: [{$ref: '#/components/parameters/p'}]"
    rest = "components: {parameters: {p: {name: p, in: query, schema: {type: integer}}}}"
    description = read(spec(beside, rest), library)
    assert told(description) == []
    (operation,) = description.operations
    assert [parameter.name for parameter in operation.parameters] == ["p"]
    assert operation.responses[0].content[0].content_type == "text/csv"


def test_a_reference_that_cannot_be_followed_costs_what_it_names_and_no_operation() -> None:
    library = Library(broken="a: [1", wide="- 1", loop="x: {$ref: 'loop.yaml#/x'}")
    paths = "\n".join(
        f"  /{name}: {{get: {answer('{$ref: ' + repr(target) + '}')}}}"
        for name, target in [
            ("gone", "gone.yaml"), ("broken", "broken.yaml"), ("wide", "wide.yaml"), ("loop", "loop.yaml#/x"),
            ("nowhere", "loop.yaml#/y"), ("odd", "http://[x/"),
        ]
    )  # fmt: skip
    description = read(spec(paths), library)
    assert [operation.path for operation in description.operations] == [
        "/gone", "/broken", "/wide", "/loop", "/nowhere", "/odd",
    ]  # fmt: skip
    reasons = [message for _, message in told(description)]
    expected = [
        "'gone.yaml' is not read: there is no such file",
        "'broken.yaml' is not read: ",
        "'wide.yaml' is not read: the document is not a mapping",
        "circular reference 'loop.yaml#/x'",
        "'loop.yaml#/y' names nothing",
        "'http://[x/' is not read: it is no URI",
    ]
    assert len(reasons) == len(expected)
    for reason, words in zip(reasons, expected, strict=True):
        assert words in reason
    assert "(line 2, column 1)" in reasons[1]
    assert all(operation.responses[0].content[0].schema is True for operation in description.operations)


def test_a_path_item_that_cannot_be_read_leaves_what_stands_beside_it() -> None:
    description = read(spec("  /a: {$ref: gone.yaml, post: {responses: {}}}"), Library())
    assert [operation.key for operation in description.operations] == ["POST /a"]
    assert len(description.faults) == 1


def test_what_is_overridden_in_another_document_is_told_with_its_name() -> None:
    library = Library(users='{"get": {"summary": "lost"},\n"get": {"responses": {}}}')
    description = read(spec("  /users: {$ref: users.yaml}\n  /people: {$ref: users.yaml}"), library)
    assert [operation.key for operation in description.operations] == ["GET /users", "GET /people"]
    ((pointer, message),) = told(description)
    assert pointer == "users.yaml#/get"
    assert "line 2, column 1 overrides line 1, column 2" in message


def test_a_document_is_asked_for_once() -> None:
    library = Library(a="x: {type: integer}")
    schemas = "{oneOf: [{$ref: a.yaml#/x}, {$ref: './a.yaml#/x'}, {$ref: 'b%20c.yaml'}, {$ref: 'b c.yaml'}]}"
    read(spec(f"  /a: {{get: {answer(schemas)}}}"), library)
    assert library.asked == ["a.yaml", "b%20c.yaml"]


def test_a_reference_through_a_reference_is_followed() -> None:
    library = Library(a="components: {schemas: {$ref: 'b.yaml'}}", b="Pet: {type: string}")
    description = read(spec(f"  /a: {{get: {answer('{$ref: a.yaml#/components/schemas/Pet}')}}}"), library)
    assert description.definitions == {"Pet": {"type": "string"}}


@pytest.mark.parametrize(
    ("schemas", "ref", "expected"),
    [
        ("{A: {$id: 'https://ids.example/a', type: string}}", "https://ids.example/a", {"type": "string"}),
        ("{A: {$id: a, $defs: {x: {type: null}}}}", "a#/$defs/x", {"type": "null"}),
        ("{A: {$anchor: here, type: string}}", "#here", {"type": "string"}),
        ("{A: {$id: a, $defs: {x: {$anchor: in, type: number}}}}", "a#in", {"type": "number"}),
        ("{A: {$id: a/b, $ref: c}, C: {$id: a/c, type: boolean}}", "a/b", {"$ref": "#/$defs/C"}),
        ("{A: {$id: a, $ref: '#/$defs/x', $defs: {x: true}}}", "a", {"$ref": "#/$defs/A_defs_x"}),
        # A name and no base, which is how some generators use $id.
        ("{A: {$id: A, $ref: '#/components/schemas/B'}, B: {type: string}}", "A", {"$ref": "#/$defs/B"}),
        (
            "{A: {$id: 'urn:a', properties: {$id: {type: string}}}}",
            "urn:a",
            {"properties": {"$id": {"type": "string"}}},
        ),
    ],
)
def test_schemas_have_uris_and_anchors_of_their_own_since_31(schemas: str, ref: str, expected: Any) -> None:
    root = spec(f"  /a: {{get: {answer(f'{{$ref: {ref!r}}}')}}}", f"components: {{schemas: {schemas}}}")
    description = read(root.replace("type: null", "type: 'null'"))
    assert told(description) == []
    schema = description.operations[0].responses[0].content[0].schema
    assert isinstance(schema, dict)
    assert description.definitions[schema["$ref"].removeprefix("#/$defs/")] == expected


def test_an_identified_document_is_looked_for_where_it_was_read_too() -> None:
    library = Library(
        models__pet="$id: https://schemas.example/pet\nproperties: {owner: {$ref: owner.yaml}}",
        models__owner="type: string",
    )
    description = read(spec(f"  /a: {{get: {answer('{$ref: models/pet.yaml}')}}}"), library)
    assert told(description) == []
    assert description.definitions["pet"] == {"properties": {"owner": {"$ref": "#/$defs/owner"}}}


def test_a_dynamic_reference_is_read_as_a_plain_one_and_said() -> None:
    generic = "{List: {$id: list, type: array, items: {$dynamicRef: '#item'}, $defs: {any: {$dynamicAnchor: item}}}}"
    description = read(spec(f"  /a: {{get: {answer('{$ref: list}')}}}", f"components: {{schemas: {generic}}}"))
    assert [pointer for pointer, _ in told(description)] == ["/components/schemas/List/items/$dynamicRef"]
    assert SchemaValidator(description.definitions).is_valid({"$ref": "#/$defs/List"}, [1, "a"])


def test_self_is_what_references_are_relative_to() -> None:
    """The example of OpenAPI 3.2.0, Appendix F: what documents call themselves, wherever they were read from."""
    library = Library(shared__foo="openapi: 3.2.0\n$self: /api/shared/foo\ncomponents: {schemas: {F: {type: string}}}")
    paths = f"  /a: {{get: {answer('{$ref: shared/foo.yaml#/components/schemas/F}')}}}\n"
    paths += f"  /b: {{get: {answer('{$ref: shared/foo#/components/schemas/F}')}}}"
    root = "$self: https://api.example/api/openapi\n" + spec(paths, version="3.2.0")
    description = read(root, library)
    assert told(description) == []
    schemas = [operation.responses[0].content[0].schema for operation in description.operations]
    assert schemas == [{"$ref": "#/$defs/F"}] * 2


def test_a_link_to_an_operation_elsewhere_names_its_path() -> None:
    library = Library(
        users="get: {operationId: one, responses: {'200': {description: d, links: {l: {operationRef: '#/put'}}}}}\n"
        "put: {responses: {}}"
    )
    description = read(spec("  /users/x: {$ref: users.yaml}"), library)
    assert description.operations[0].responses[0].links == {"l": {"operationRef": "#/paths/~1users~1x/put"}}


def test_nothing_is_asked_for_without_need() -> None:
    library = Library(a="type: string")
    example = "{application/json: {example: {$ref: a.yaml}, schema: {example: {$ref: a.yaml}, x-y: {$ref: a.yaml}}}}"
    read(spec(f"  /a: {{get: {{responses: {{'200': {{description: d, content: {example}}}}}}}}}"), library)
    assert library.asked == []


NAMES = "ABCD"
GRAPHS = st.fixed_dictionaries({name: st.lists(st.sampled_from(NAMES), max_size=3) for name in NAMES})
HOMES = st.fixed_dictionaries({name: st.sampled_from(["", "one.yaml", "deep/two.yaml"]) for name in NAMES})


@given(GRAPHS, HOMES)
def test_it_makes_no_difference_where_a_schema_stands(graph: dict[str, list[str]], homes: dict[str, str]) -> None:
    def described(homes: dict[str, str]) -> ApiDescription:
        def ref(name: str, home: str) -> Any:
            if homes[name] == home:
                return {"$ref": f"#/{name}" if home else f"#/components/schemas/{name}"}
            up = "../" if "/" in home else ""
            return {
                "$ref": f"{up}{homes[name]}#/{name}" if homes[name] else f"{up}root.yaml#/components/schemas/{name}"
            }

        documents: dict[str, dict[str, Any]] = {"": {}, "one.yaml": {}, "deep/two.yaml": {}}
        for name, others in graph.items():
            home = homes[name]
            documents[home][name] = {"title": name, "properties": {other: ref(other, home) for other in others}}
        content = {"application/json": {"schema": {"anyOf": [ref(name, "") for name in NAMES]}}}
        root = {
            "openapi": "3.1.0",
            "paths": {"/a": {"put": {"requestBody": {"content": content}, "responses": {}}}},
            "components": {"schemas": documents[""]},
        }
        return describe(
            root,
            where="https://x.example/root.yaml",
            load=lambda uri: orjson.dumps(documents[uri.removeprefix("https://x.example/")]),
        )

    whole, split = described(dict.fromkeys(NAMES, "")), described(homes)
    assert split.faults == ()
    assert split.operations == whole.operations
    assert split.definitions == whole.definitions
