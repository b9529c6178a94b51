"""What a GraphQL server tells of itself by introspection, as operations over HTTP.

Each field of the query and the mutation type is an operation whose path ends in `#query.<field>` or
`#mutation.<field>`: the fragment tells them apart and is never sent. The query of an operation selects scalars two
levels deep.

Sources: GraphQL, October 2021, 4 (Introspection); GraphQL over HTTP, draft, 5 (POST with `query` and `variables`).
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from backend.app.engine.spec.document import Document
from backend.app.engine.spec.model import (
    ApiDescription,
    Json,
    MediaType,
    Operation,
    RequestBody,
    ResponseSpec,
    Schema,
    SpecError,
    below,
)

DIALECT = "graphql"
PREFIX = "graphql."
"""Of the names of definitions."""
MAX_FIELDS = 100
"""Selected by one query: servers bound the cost of queries."""
_DEFAULT_PLACE = "/graphql"
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_LEAVES = frozenset({"SCALAR", "ENUM"})
_SCALARS: dict[str, dict[str, Any]] = {
    "Int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "Float": {"type": "number"},
    "String": {"type": "string"},
    "Boolean": {"type": "boolean"},
    "ID": {"type": "string"},
}
_COMMON_SCALARS: dict[str, Json] = {
    "DateTime": "2024-02-29T12:00:00Z",
    "Date": "2024-02-29",
    "Time": "12:00:00Z",
    "UUID": "8f14e45f-ceea-467f-a1d6-c0b0e6a5f3d2",
    "URL": "https://example.com/",
    "URI": "https://example.com/",
    "Email": "someone@example.com",
    "EmailAddress": "someone@example.com",
    "BigInt": 7,
    "Long": 7,
    "Decimal": "1.50",
    "JSON": {},
    "JSONObject": {},
}
"""What custom scalars of these names take in most servers. What else they take, and what they give, nobody says."""
_MOST_WRAPPED = 7
"""Lists in lists; the introspection query asks for no more."""

_TYPE = "kind name" + " ofType { kind name" * _MOST_WRAPPED + " }" * _MOST_WRAPPED
_INPUT = "name description type { ...Type } defaultValue"
INTROSPECTION = f"""query Introspection {{
  __schema {{
    queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
    types {{
      kind name description
      fields(includeDeprecated: true) {{
        name description isDeprecated type {{ ...Type }} args {{ {_INPUT} }}
      }}
      inputFields {{ {_INPUT} }}
      enumValues(includeDeprecated: true) {{ name }}
      possibleTypes {{ name }}
    }}
  }}
}}
fragment Type on __Type {{ {_TYPE} }}"""
"""Only what every server knows since 2018."""


def recognises(document: bytes) -> bool:
    """Whether it may be the answer to an introspection query, by its look."""
    return document.lstrip()[:1] == b"{" and b'"__schema"' in document and b'"queryType"' in document


def introspected(root: dict[str, Json]) -> str | None:
    """The pointer of the schema in the answer to an introspection query, which may stand without its envelope."""
    for pointer, holder in (("/data", root.get("data")), ("", root)):
        if isinstance(holder, dict) and isinstance(holder.get("__schema"), dict):
            return f"{pointer}/__schema"
    return None


class GraphQlReader:
    def __init__(self, document: Document, pointer: str, where: str) -> None:
        """`pointer` is that of the schema, `where` the URL of the server, or empty."""
        self._document = document
        self._pointer = pointer
        found = document.references.find(f"#{pointer}", "")
        self._schema: dict[str, Json] = {} if isinstance(found, str) else found[0]
        parts = urlsplit(where.partition("#")[0].partition("?")[0])
        folder, _, last = parts.path.rpartition("/")
        if parts.path.endswith("/") and folder:
            folder, _, last = folder.rpartition("/")
            last += "/"
        self._server = f"{parts.scheme}://{parts.netloc}{folder}" if parts.scheme in ("http", "https") else ""
        self._path = f"/{last}" if self._server else _DEFAULT_PLACE
        self._types: dict[str, tuple[dict[str, Json], str]] = {}
        self._definitions: dict[str, Schema] = {}

    def describe(self) -> ApiDescription:
        document = self._document
        for node, at in document.items(self._schema, "types", self._pointer):
            if isinstance(node, dict) and isinstance(name := node.get("name"), str) and _NAME.fullmatch(name):
                self._types.setdefault(name, (node, at))
            else:
                document.fault(at, "a type without a name")
        operations = [*self._operations("query"), *self._operations("mutation")]
        if left_out := [field["name"] for field, _ in self._root_fields("subscription")]:
            names = ", ".join(left_out[:20]) + (", ..." if len(left_out) > 20 else "")
            document.fault(f"{self._pointer}/subscriptionType", f"{len(left_out)} subscriptions are left out: {names}")
        return ApiDescription(
            title="GraphQL",
            version="",
            dialect=DIALECT,
            servers=(self._server,) if self._server else (),
            operations=tuple(operations),
            definitions=self._definitions,
            faults=document.faults(),
        )

    def _root_fields(self, kind: str) -> Iterator[tuple[dict[str, Json], str]]:
        root = self._schema.get(f"{kind}Type")
        if isinstance(root, dict):
            yield from self._fields(str(root.get("name")))

    def _fields(self, name: str) -> Iterator[tuple[dict[str, Json], str]]:
        """Those of an object or interface that have proper names."""
        node, at = self._types.get(name, ({}, self._pointer))
        for field, place in self._document.items(node, "fields", at):
            if not isinstance(field, dict) or not isinstance(own := field.get("name"), str) or not _NAME.fullmatch(own):
                self._document.fault(place, "a field without a name")
            elif not own.startswith("__"):
                yield field, place

    def _operations(self, kind: str) -> Iterator[Operation]:
        for count, (field, at) in enumerate(self._root_fields(kind), 1):
            if count > self._document.limits.operations:
                raise SpecError(
                    "spec.too_many_operations", f"more than {self._document.limits.operations} operations", at
                )
            yield self._operation(kind, field, at)

    def _operation(self, kind: str, field: dict[str, Json], at: str) -> Operation:
        document, name = self._document, field["name"]
        document.spend(1)
        arguments = list(self._arguments(field, at))
        variables = {argument["name"]: self._input(argument.get("type"), place) for argument, place in arguments}
        required = [argument["name"] for argument, _ in arguments if _is_required(argument)]
        declared = ", ".join(f"${argument['name']}: {_declared(argument)}" for argument, _ in arguments)
        passed = ", ".join(f"{name}: ${name}" for name in variables)
        selection, shape = self._selected(field.get("type"), 2, [MAX_FIELDS])
        query = (
            f"{kind} ({declared}) {{ {name}({passed}){selection} }}" if arguments else f"{kind} {{ {name}{selection} }}"
        )
        body: dict[str, Any] = {"type": "object", "properties": {"query": {"const": query}}, "required": ["query"]}
        if variables:
            body["properties"]["variables"] = {
                "type": "object",
                "properties": variables,
                "required": required,
            }
            body["required"] += ["variables"] * bool(required)
        return Operation(
            method="POST",
            path=f"{self._path}#{kind}.{name}",
            operation_id=f"{kind}.{name}",
            summary=document.text(field, "description", at),
            tags=(kind,),
            deprecated=field.get("isDeprecated") is True,
            body=RequestBody(True, (MediaType("application/json", body),)),
            responses=_responses(name, shape),
            pointer=at,
        )

    def _arguments(self, field: dict[str, Json], at: str) -> Iterator[tuple[dict[str, Json], str]]:
        for argument, place in self._document.items(field, "args", at):
            name = argument.get("name") if isinstance(argument, dict) else None
            if isinstance(name, str) and _NAME.fullmatch(name) and _written(argument.get("type")):
                yield argument, place
            else:
                self._document.fault(place, "an argument without a name or a type")

    # Input

    def _input(self, node: Json, at: str) -> Schema:
        """JSON Schema of what a variable or an input field of that type may be."""
        self._document.spend(1)
        kind, inner = _kind_of(node)
        if kind == "NON_NULL":
            return self._input_value(inner, at)
        return _nullable(self._input_value(node, at))

    def _input_value(self, node: Json, at: str) -> Schema:
        kind, inner = _kind_of(node)
        if kind == "LIST":
            return {"type": "array", "items": self._input(inner, at)}
        name = node.get("name") if isinstance(node, dict) else None
        if isinstance(name, str) and name in _SCALARS:
            return _SCALARS[name]
        if not isinstance(name, str) or name not in self._types:
            self._document.fault(at, f"the type {str(name)[:80]!r} is not declared")
            return True
        self._define(name)
        return {"$ref": f"#/$defs/{PREFIX}{name}"}

    def _define(self, name: str) -> None:
        if PREFIX + name in self._definitions:
            return
        self._definitions[PREFIX + name] = True  # a type may hold itself
        node, at = self._types[name]
        if node.get("kind") == "ENUM":
            self._definitions[PREFIX + name] = {"enum": self._values(node, at)}
        elif node.get("kind") == "INPUT_OBJECT":
            fields = list(self._arguments({"args": node.get("inputFields")}, below(at, "inputFields")))
            self._definitions[PREFIX + name] = {
                "type": "object",
                "properties": {field["name"]: self._input(field.get("type"), place) for field, place in fields},
                "required": [field["name"] for field, _ in fields if _is_required(field)],
                "additionalProperties": False,
            }
        else:
            known = name in _COMMON_SCALARS
            self._definitions[PREFIX + name] = {"examples": [_COMMON_SCALARS[name]]} if known else True

    def _values(self, node: dict[str, Json], at: str) -> list[str]:
        values = [value for value, _ in self._document.items(node, "enumValues", at) if isinstance(value, dict)]
        return [name for value in values if isinstance(name := value.get("name"), str)]

    # Output

    def _selected(self, node: Json, depth: int, left: list[int]) -> tuple[str, Schema]:
        """The selection set of a type, with a space before it, and JSON Schema of what it gives."""
        kind, inner = _kind_of(node)
        if kind == "NON_NULL":
            return self._selected_value(inner, depth, left)
        selection, shape = self._selected_value(node, depth, left)
        return selection, _nullable(shape)

    def _selected_value(self, node: Json, depth: int, left: list[int]) -> tuple[str, Schema]:
        kind, inner = _kind_of(node)
        if kind == "LIST":
            selection, shape = self._selected(inner, depth, left)
            return selection, {"type": "array", "items": shape}
        name = node.get("name") if isinstance(node, dict) else None
        declared, at = self._types.get(str(name), ({}, ""))
        self._document.spend(1)
        match declared.get("kind", kind):
            case "SCALAR":
                return "", _SCALARS.get(str(name), True) if name != "ID" else {"type": ["string", "integer"]}
            case "ENUM":
                return "", {"enum": self._values(declared, at)}
            case "UNION":
                return self._of_union(declared, at, left)
            case _:
                return self._of_object(str(name), depth, left)

    def _of_object(self, name: str, depth: int, left: list[int]) -> tuple[str, Schema]:
        texts: list[str] = ["__typename"]
        properties: dict[str, Schema] = {"__typename": {"type": "string"}}
        plain = [field for field, _ in self._fields(name) if self._is_plain(field)]
        leaves = [field for field in plain if self._is_leaf(field.get("type"))]
        nested = [field for field in plain if not self._is_leaf(field.get("type"))] if depth > 1 else []
        for field in [*leaves, *nested]:
            if not left[0]:
                break
            left[0] -= 1
            selection, properties[field["name"]] = self._selected(field.get("type"), depth - 1, left)
            texts.append(field["name"] + selection)
        if len(texts) > 1:
            del texts[0], properties["__typename"]
        return f" {{ {' '.join(texts)} }}", {"type": "object", "properties": properties, "required": [*properties]}

    def _of_union(self, declared: dict[str, Json], at: str, left: list[int]) -> tuple[str, Schema]:
        """A field that two members declare with different types cannot be asked of both (GraphQL, 5.3.2)."""
        members = [
            str(member.get("name"))
            for member, _ in self._document.items(declared, "possibleTypes", at)
            if isinstance(member, dict)
        ]
        fields = {member: [field for field, _ in self._fields(member) if self._is_plain(field)] for member in members}
        types: dict[str, set[str]] = {}
        for field in (field for each in fields.values() for field in each):
            types.setdefault(field["name"], set()).add(_written(field.get("type")))
        texts = ["__typename"]
        for member, each in fields.items():
            names = [
                field["name"] for field in each if self._is_leaf(field.get("type")) and len(types[field["name"]]) == 1
            ][: left[0]]
            left[0] -= len(names)
            if names and _NAME.fullmatch(member):
                texts.append(f"... on {member} {{ {' '.join(names)} }}")
        shape: Schema = {
            "type": "object",
            "properties": {"__typename": {"enum": members}},
            "required": ["__typename"],
        }
        return f" {{ {' '.join(texts)} }}", shape

    def _is_plain(self, field: dict[str, Json]) -> bool:
        arguments = field.get("args") or ()
        return (
            field.get("isDeprecated") is not True
            and isinstance(arguments, list | tuple)
            and not any(_is_required(argument) for argument in arguments)
        )

    def _is_leaf(self, node: Json) -> bool:
        kind, inner = _kind_of(node)
        while inner is not None:
            node = inner
            kind, inner = _kind_of(node)
        return kind in _LEAVES


def _kind_of(node: Json) -> tuple[str, Json]:
    """The kind of a type, and what it wraps."""
    if not isinstance(node, dict):
        return "", None
    kind = node.get("kind")
    return str(kind), node.get("ofType") if kind in ("NON_NULL", "LIST") else None


def _written(node: Json) -> str:
    """The type as a query writes it: `[ID!]!`; empty for what is none."""
    kind, inner = _kind_of(node)
    if kind == "NON_NULL":
        text = _written(inner)
        return text and f"{text}!"
    if kind == "LIST":
        text = _written(inner)
        return text and f"[{text}]"
    name = node.get("name") if isinstance(node, dict) else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def _declared(argument: dict[str, Json]) -> str:
    """The type of a variable for it; one that may be left out cannot be non-null (GraphQL, 5.8.5)."""
    text = _written(argument.get("type"))
    return text if _is_required(argument) else text.removesuffix("!")


def _is_required(argument: Json) -> bool:
    if not isinstance(argument, dict):
        return False
    return _kind_of(argument.get("type"))[0] == "NON_NULL" and argument.get("defaultValue") is None


def _nullable(schema: Schema) -> Schema:
    if isinstance(schema, bool):
        return schema
    if isinstance(kind := schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _responses(name: str, shape: Schema) -> tuple[ResponseSpec, ...]:
    """A field that fails is told in an answer with 200, and so are, by older servers, faults of the request."""
    error = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
    errors = {"type": "array", "items": error, "minItems": 1}
    data = {"type": ["object", "null"], "properties": {name: shape}, "required": [name]}
    schema = {"type": "object", "properties": {"data": data, "errors": errors}}
    types = ("application/json", "application/graphql-response+json")
    return ResponseSpec("200", tuple(MediaType(each, schema) for each in types)), ResponseSpec("4XX")
