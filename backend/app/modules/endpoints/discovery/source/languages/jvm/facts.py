"""What is kept of a Java or Kotlin file, and how it is read.

A file: `{"package": "a.b", "imports": [[package or type, name, alias], ...], "types": [type, ...], "fields": [...],
"methods": [...]}`; a wildcard import has the name `*`; fields and methods are Kotlin's top-level ones.

A type: `name`, `kind` (`class`, `interface`, `enum`, `annotation`, `object`), `line`, `annotations`, `abstract`,
`extends` and `implements` (type names), `parameters` (names of type parameters), `fields` as
`[name, type, annotations, "static" | "field" | "component" | "constant", initial value or None]` (component: of a
record or a primary constructor; constant: of an enum), `methods`, `types` (nested), and of Kotlin `companion`: true on
the type that is one.

A method: `name`, `line`, `annotations`, `parameters` as `[name, type, annotations, has a default]`, `returns`, `body`
(statements, or None where no route can depend on it), `default` (of an annotation's element), `static`.

An annotation: `[name, {element: expression}, line]`. A type name: `[name, [arguments]]`; an array is
`["[]", [element]]`, Kotlin's `T?` is `["?", [T]]`.

Expressions: `["s", text]`, `["k", number or boolean]`, `["n", "a.b.c"]`, `["a", object, name]`,
`["+" | "&&" | "||", operands]`, `["!", operand]`, `["l", items]`, `["t", type]` (class literal), `["@", annotation]`,
`["c", object or None, name, arguments, line]`, `["new", type name, arguments]`, `["ref", object, name]` (method
reference), `["fn", parameters, statements]`, `["u"]` for anything else.

Statements, flattened: `["let", name, value]`, `["do", expression]`, `["return", expression]`.
"""

import re
from abc import ABC, abstractmethod
from typing import Any, TypeAlias

from tree_sitter import Node

from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.patterns import bytes_pattern

Expression: TypeAlias = list[Any]
Statement: TypeAlias = list[Any]
TypeName: TypeAlias = list[Any]

UNKNOWN: Expression = ["u"]
DEEPEST = 100
"""Expressions, blocks and types inside each other."""

_HAS_ROUTES = bytes_pattern(
    r"Mapping\b|Controller|Exchange\b|RouterFunction|[rR]outer\b|WebMvcConfigur|WebFluxConfigur|PathMatchConfigurer"
    r"|SecurityFilterChain|SecurityWebFilterChain|HttpSecurity|PathPrefix|getServletMappings"
)
_KEPT_BODY = bytes_pattern(
    r"RouterFunction|\broute\(|\b(?:co)?[rR]outer\b|\bnest\b|[pP]athPrefix|PathMatchConfigurer|"
    r"authorize(?:Http)?Requests|authorizeExchange|\.(?:GET|POST|PUT|DELETE|PATCH)\(|getServletMappings"
)
_KEPT_METHODS = frozenset({"getServletMappings", "getServletConfigClasses"})


class Reader(ABC):
    """Collects the facts of one file. A subclass reads the tree of its grammar."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.with_methods = _HAS_ROUTES.search(source) is not None
        self.package = ""
        self.imports: list[list[str]] = []
        self.types: list[Facts] = []
        self.fields: list[list[object]] = []
        self.methods: list[Facts] = []

    @abstractmethod
    def read(self, root: Node) -> None: ...

    def text(self, node: Node | None) -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "replace") if node else ""

    def name(self, node: Node) -> str:
        return self.text(node.child_by_field_name("name"))

    def holds(self, node: Node, word: bytes) -> bool:
        return self.source.find(word, node.start_byte, node.end_byte) >= 0

    def keeps(self, name: str, body: Node) -> bool:
        return name in _KEPT_METHODS or _KEPT_BODY.search(self.source, body.start_byte, body.end_byte) is not None


def keeps_bodies(source: bytes) -> bool:
    return _KEPT_BODY.search(source) is not None


_ESCAPE = re.compile(r"\\(u+[0-9a-fA-F]{4}|[0-7]{1,3}|\r?\n|.)", re.S)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "s": " "}


def unescape(text: str) -> str:
    """Of a literal's content: `\\\\d` to `\\d`."""

    def replace(match: re.Match[str]) -> str:
        escape = match[1]
        if escape[0] == "u" and len(escape) > 1:
            return chr(int(escape.lstrip("u"), 16)).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if escape[0].isdigit():
            return chr(int(escape, 8))
        return _ESCAPED.get(escape, "" if escape.endswith("\n") else escape)

    return _ESCAPE.sub(replace, text) if "\\" in text else text


def dedent(text: str) -> str:
    """Of a text block, with its opening line break."""
    lines = text.split("\n")[1:]
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip() or line is lines[-1]), default=0)
    return "\n".join(line[indent:].rstrip() for line in lines)
