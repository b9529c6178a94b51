"""A Python file to its facts: statements and expressions as small lists, without what no route can depend on.

Statements; the first element says which:
`["import", module, alias]`, `["from", level, module, [[name, alias], ...]]`,
`["set", target, value, annotation, line]`, `["add", target, value, line]` (`+=`), `["do", expression]`,
`["def", name, parameters, body, decorators, line, returns, builds]`,
`["class", name, arguments, body, decorators, line]`, `["if", condition, body, orelse]`,
`["for", target, iterable, body]`, `["with", [[value, target], ...], body]`, `["try", body, handlers, after]`,
`["either", bodies]` (`match`, `while`), `["return", value]`, `["continue"]`.
A body of None was left out; `builds`: it may add routes to something. Decorators are `[expression, line]`, parameters
`[name, kind, annotation, default]` with the kind `*`, `**`, `/` (positional only), `k` (keyword only) or empty.

Expressions: `["s", text]`, `["k", number, boolean or None]`, `["f", parts]` (f-string), `["n", name]`,
`["a", object, name]`, `["c", function, arguments, line]` with arguments `[keyword, value]` (keyword None: by position,
`*`, `**`), `["l", items]` (list, set), `["t", items]` (tuple), `["*", value]` among items,
`["d", [[key, value], ...]]` (key None: `**`), `["i", value, index]`, `["b", operator, left, right]`,
`["or", operator, left, right]`, `["?", condition, then, otherwise]`, `["not", value]`,
`["cmp", operator, left, right]`, `["for", element, target, iterable, conditions]` (comprehension; of a dictionary its
name is `"dfor"`, and its element `["t", [key, value]]`), `["lambda", parameters, value]`, `["u", text]` for the rest.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, TypeAlias

import tree_sitter_python
from tree_sitter import Language, Node, Parser

from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.languages.python.bodies import (
    LONGEST_DECORATOR,
    LONGEST_PLAIN_BODY,
    builds_routes,
    has_inner_function,
    without_bodies,
)

Statement: TypeAlias = list[Any]
Expression: TypeAlias = list[Any]

DEEPEST = 150
"""Expressions and blocks inside each other."""
MOST_ITEMS = 5_000
"""Of a literal; longer ones are data."""
LONGEST_STRING = 2_000


def _extent(body: Node | None) -> tuple[int, int]:
    """Where the statements of a function begin and end, past its docstring."""
    if body is None:
        return 0, 0
    first = next(iter(body.named_children), None)
    is_documented = first is not None and first.type == "expression_statement" and first.named_child_count == 1
    if first is not None and is_documented and first.named_children[0].type == "string":
        return first.end_byte, body.end_byte
    return body.start_byte, body.end_byte


def _is_inner(node: Node) -> bool:
    block = node.parent if node.parent is None or node.parent.type == "block" else node.parent.parent
    return block is not None and block.parent is not None and block.parent.type == "function_definition"


def extract(text: bytes, suffix: str) -> Facts:
    """See the module. Never raises; `faults` holds the line of the first syntax error."""
    if b"\0" in text[:1000]:
        return {"body": [], "faults": [[0, "it is no text"]]}
    shown, left_out = without_bodies(text)
    root = _parser().parse(shown).root_node
    if root.has_error and left_out:
        left_out = frozenset()
        root = _parser().parse(text).root_node
    facts: Facts = {"body": _Reader(text, left_out).block(root, 0)}
    if root.has_error:
        facts["faults"] = [[_first_error(root), "syntax error; what could not be read of it was passed over"]]
    return facts


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_python.language()))


def _first_error(node: Node) -> int:
    while not (node.is_error or node.is_missing):
        broken = next((child for child in node.children if child.has_error or child.is_missing), None)
        if broken is None:
            break
        node = broken
    return node.start_point.row + 1


class _Reader:
    def __init__(self, text: bytes, left_out: frozenset[int]) -> None:
        self.source = text
        self.left_out = left_out

    def text(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode(errors="replace")

    def block(self, node: Node | None, depth: int) -> list[Statement]:
        if node is None or depth > DEEPEST:
            return []
        statements: list[Statement] = []
        for child in node.named_children:
            if read := _STATEMENTS.get(child.type):
                statements += read(self, child, depth + 1)
        return statements

    def expression(self, node: Node | None, depth: int) -> Expression:
        if node is None or depth > DEEPEST:
            return ["u", ""]
        kind = node.type
        if kind == "identifier":  # a third of all
            return ["n", self.text(node)]
        read = _EXPRESSIONS.get(kind)
        return read(self, node, depth + 1) if read else ["u", self.text(node)[:60]]

    # Statements

    def import_(self, node: Node, depth: int) -> Iterator[Statement]:
        for name in node.children_by_field_name("name"):
            yield ["import", *self._imported(name)]

    def import_from(self, node: Node, depth: int) -> Iterator[Statement]:
        module = node.child_by_field_name("module_name")
        if module is None:
            return
        dotted = self.text(module).replace(" ", "")
        name = dotted.lstrip(".")
        names = [self._imported(child) for child in node.children_by_field_name("name")]
        if any(child.type == "wildcard_import" for child in node.named_children):
            names = [["*", ""]]
        yield ["from", len(dotted) - len(name), name, names]

    def _imported(self, node: Node) -> list[str]:
        if node.type == "aliased_import":
            name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
            return [self.text(name) if name else "", self.text(alias) if alias else ""]
        return [self.text(node), ""]

    def simple(self, node: Node, depth: int) -> Iterator[Statement]:
        for child in node.named_children:
            line = child.start_point.row + 1
            match child.type:
                case "assignment":
                    yield from self._assignment(child, depth, line)
                case "augmented_assignment":
                    left, right = child.child_by_field_name("left"), child.child_by_field_name("right")
                    yield ["add", self.expression(left, depth), self.expression(right, depth), line]
                case "call" | "await" | "named_expression" | "tuple" | "list_comprehension" | "conditional_expression":
                    yield ["do", self.expression(child, depth)]

    def _assignment(self, node: Node, depth: int, line: int) -> Iterator[Statement]:
        targets = []
        value: Node | None = node
        annotation = node.child_by_field_name("type")
        while value is not None and value.type == "assignment":
            targets.append(self.expression(value.child_by_field_name("left"), depth))
            value = value.child_by_field_name("right")
        result = self.expression(value, depth) if value is not None else None
        for number, target in enumerate(reversed(targets)):
            # `a = b = call()` makes one object.
            yield [
                "set",
                target,
                result if number == 0 else targets[-number],
                self.expression(annotation, depth) if annotation is not None else None,
                line,
            ]

    def return_(self, node: Node, depth: int) -> Iterator[Statement]:
        value = next(iter(node.named_children), None)
        yield ["return", self.expression(value, depth) if value is not None else ["k", None]]

    def function(self, node: Node, depth: int, decorators: list[Any] | None = None) -> Iterator[Statement]:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is None:
            return
        returns = node.child_by_field_name("return_type")
        kept, builds = (False, False) if name.start_byte in self.left_out else self._is_kept(node, name, body)
        yield [
            "def",
            self.text(name),
            self.parameters(node.child_by_field_name("parameters"), depth),
            self.block(body, depth) if kept else None,
            decorators or [],
            node.start_point.row + 1,
            self.expression(returns, depth) if returns is not None else None,
            builds,
        ]

    def _is_kept(self, node: Node, name: Node, body: Node | None) -> tuple[bool, bool]:
        start, end = _extent(body)
        builds = builds_routes(self.source, start, end)
        if builds or end - start <= LONGEST_PLAIN_BODY or self.text(name) == "__init__":
            return True, builds
        nested = end - start <= LONGEST_DECORATOR and (_is_inner(node) or has_inner_function(self.source, start, end))
        return nested, False

    def parameters(self, node: Node | None, depth: int) -> list[list[Any]]:
        found: list[list[Any]] = []
        keyword_only = ""
        for child in node.named_children if node is not None else ():
            annotation, default = child.child_by_field_name("type"), child.child_by_field_name("value")
            inner = child if child.type == "identifier" else child.child_by_field_name("name")
            if inner is None and child.named_children:
                inner = child.named_children[0]
            kind = inner.type if inner is not None and child.type == "typed_parameter" else child.type
            if kind == "keyword_separator":
                keyword_only = "k"
            elif kind == "positional_separator":
                for parameter in found:
                    parameter[1] = "/"
            elif inner is not None:
                stars = {"list_splat_pattern": "*", "dictionary_splat_pattern": "**"}.get(kind, "")
                found.append(
                    [
                        self.text(inner).lstrip("* "),
                        stars or keyword_only,
                        self.expression(annotation, depth) if annotation is not None else None,
                        self.expression(default, depth) if default is not None else None,
                    ]
                )
                keyword_only = "k" if stars == "*" else keyword_only
        return found

    def class_(self, node: Node, depth: int, decorators: list[Any] | None = None) -> Iterator[Statement]:
        name = node.child_by_field_name("name")
        if name is None:
            return
        superclasses = node.child_by_field_name("superclasses")
        arguments = self._arguments(superclasses, depth) if superclasses is not None else []
        body = self.block(node.child_by_field_name("body"), depth)
        yield ["class", self.text(name), arguments, body, decorators or [], node.start_point.row + 1]

    def decorated(self, node: Node, depth: int) -> Iterator[Statement]:
        decorators = [
            [self.expression(child.named_children[0], depth), child.start_point.row + 1]
            for child in node.named_children
            if child.type == "decorator" and child.named_children
        ]
        definition = node.child_by_field_name("definition")
        if definition is not None:
            read = self.class_ if definition.type == "class_definition" else self.function
            yield from read(definition, depth, decorators)

    def if_(self, node: Node, depth: int) -> Iterator[Statement]:
        orelse: list[Statement] = []
        for clause in reversed(node.children_by_field_name("alternative")):
            if clause.type == "elif_clause":
                condition = self.expression(clause.child_by_field_name("condition"), depth)
                orelse = [["if", condition, self.block(clause.child_by_field_name("consequence"), depth), orelse]]
            else:
                orelse = self.block(clause.child_by_field_name("body"), depth)
        condition = self.expression(node.child_by_field_name("condition"), depth)
        yield ["if", condition, self.block(node.child_by_field_name("consequence"), depth), orelse]

    def for_(self, node: Node, depth: int) -> Iterator[Statement]:
        target, iterable = node.child_by_field_name("left"), node.child_by_field_name("right")
        body = self.block(node.child_by_field_name("body"), depth)
        if body:
            yield ["for", self.expression(target, depth), self.expression(iterable, depth), body]

    def continue_(self, node: Node, depth: int) -> Iterator[Statement]:
        yield ["continue"]

    def while_(self, node: Node, depth: int) -> Iterator[Statement]:
        yield ["either", [self.block(node.child_by_field_name("body"), depth)]]

    def with_(self, node: Node, depth: int) -> Iterator[Statement]:
        items = []
        for clause in node.named_children:
            for item in clause.named_children if clause.type == "with_clause" else ():
                value = item.child_by_field_name("value")
                if value is not None and value.type == "as_pattern":
                    inner = value.named_children
                    alias = inner[-1].named_children if len(inner) > 1 else []
                    target = self.expression(alias[0], depth) if alias else None
                    items.append([self.expression(inner[0] if inner else None, depth), target])
                else:
                    items.append([self.expression(value, depth), None])
        yield ["with", items, self.block(node.child_by_field_name("body"), depth)]

    def try_(self, node: Node, depth: int) -> Iterator[Statement]:
        handlers: list[list[Statement]] = []
        after: list[Statement] = []
        for clause in node.named_children:
            block = next((child for child in clause.named_children if child.type == "block"), None)
            if clause.type in ("except_clause", "except_group_clause"):
                handlers.append(self.block(block, depth))
            elif clause.type in ("else_clause", "finally_clause"):
                after += self.block(block, depth)
        yield ["try", self.block(node.child_by_field_name("body"), depth), handlers, after]

    def match(self, node: Node, depth: int) -> Iterator[Statement]:
        cases = node.child_by_field_name("body")
        bodies = [
            self.block(case.child_by_field_name("consequence"), depth)
            for case in (cases.named_children if cases is not None else ())
            if case.type == "case_clause"
        ]
        yield ["either", bodies]

    # Expressions

    def attribute(self, node: Node, depth: int) -> Expression:
        name = node.child_by_field_name("attribute")
        return ["a", self.expression(node.child_by_field_name("object"), depth), self.text(name) if name else ""]

    def call(self, node: Node, depth: int) -> Expression:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        given = self._arguments(arguments, depth) if arguments is not None else []
        return ["c", self.expression(function, depth), given, node.start_point.row + 1]

    def _arguments(self, node: Node, depth: int) -> list[list[Any]]:
        if node.type == "generator_expression":
            return [[None, self.expression(node, depth)]]
        given: list[list[Any]] = []
        for child in node.named_children:
            match child.type:
                case "keyword_argument":
                    name = child.child_by_field_name("name")
                    value = self.expression(child.child_by_field_name("value"), depth)
                    given.append([self.text(name) if name else "", value])
                case "list_splat" | "dictionary_splat" if child.named_children:
                    stars = "*" if child.type == "list_splat" else "**"
                    given.append([stars, self.expression(child.named_children[0], depth)])
                case "comment":
                    pass
                case _:
                    given.append([None, self.expression(child, depth)])
        return given

    def string(self, node: Node, depth: int) -> Expression:
        parts: list[Expression] = []
        raw = formatted = False
        for child in node.children:
            match child.type:
                case "string_start":
                    start = self.text(child).lower()
                    raw, formatted = "r" in start, "f" in start
                    if "b" in start:
                        return ["u", "bytes"]
                case "string_content":
                    text = self.text(child)
                    if formatted:
                        text = text.replace("{{", "{").replace("}}", "}")
                    parts.append(["s", text if raw or "\\" not in text else _unescape(text)])
                case "interpolation":
                    parts.append(self.expression(child.child_by_field_name("expression"), depth))
        return _joined(parts)

    def strings(self, node: Node, depth: int) -> Expression:
        parts: list[Expression] = []
        for child in node.named_children:
            part = self.expression(child, depth) if child.type == "string" else None
            if part is not None:
                parts += part[1] if part[0] == "f" else [part]
        return _joined(parts)

    def items(self, node: Node, depth: int) -> Expression:
        children = node.named_children
        if len(children) > MOST_ITEMS:
            return ["u", "a long list"]
        kind = "t" if node.type in ("tuple", "expression_list", "pattern_list", "tuple_pattern") else "l"
        return [kind, [self.expression(child, depth) for child in children if child.type != "comment"]]

    def splat(self, node: Node, depth: int) -> Expression:
        return ["*", self.expression(next(iter(node.named_children), None), depth)]

    def dictionary(self, node: Node, depth: int) -> Expression:
        pairs: list[list[Expression | None]] = []
        children = node.named_children
        if len(children) > MOST_ITEMS:
            return ["u", "a long dictionary"]
        for child in children:
            if child.type == "pair":
                key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
                pairs.append([self.expression(key, depth), self.expression(value, depth)])
            elif child.type == "dictionary_splat":
                pairs.append([None, self.expression(next(iter(child.named_children), None), depth)])
        return ["d", pairs]

    def subscript(self, node: Node, depth: int) -> Expression:
        value = self.expression(node.child_by_field_name("value"), depth)
        indices = [self.expression(child, depth) for child in node.children_by_field_name("subscript")]
        return ["i", value, indices[0] if len(indices) == 1 else ["t", indices]]

    def generic_type(self, node: Node, depth: int) -> Expression:
        """The grammar's own form of `Name[...]` in annotations."""
        children = node.named_children
        arguments = [self.expression(child, depth) for child in (children[1].named_children if children[1:] else ())]
        return [
            "i",
            self.expression(next(iter(children), None), depth),
            arguments[0] if len(arguments) == 1 else ["t", arguments],
        ]

    def binary(self, node: Node, depth: int) -> Expression:
        operator = node.child_by_field_name("operator")
        kind = "b" if node.type == "binary_operator" else "or"
        left = self.expression(node.child_by_field_name("left"), depth)
        right = self.expression(node.child_by_field_name("right"), depth)
        return [kind, self.text(operator) if operator else "", left, right]

    def union(self, node: Node, depth: int) -> Expression:
        children = node.named_children
        return ["or", "|", self.expression(children[0], depth), self.expression(children[-1], depth)]

    def comparison(self, node: Node, depth: int) -> Expression:
        operators = node.children_by_field_name("operators")
        operands = node.named_children
        if len(operands) != 2 or not operators:
            return ["u", self.text(node)[:60]]
        operator = " ".join(map(self.text, operators))
        return ["cmp", operator, self.expression(operands[0], depth), self.expression(operands[1], depth)]

    def not_(self, node: Node, depth: int) -> Expression:
        return ["not", self.expression(node.child_by_field_name("argument"), depth)]

    def conditional(self, node: Node, depth: int) -> Expression:
        parts = [child for child in node.named_children if child.type != "comment"]
        if len(parts) != 3:
            return ["u", self.text(node)[:60]]
        then, condition, otherwise = (self.expression(part, depth) for part in parts)
        return ["?", condition, then, otherwise]

    def inner(self, node: Node, depth: int) -> Expression:
        for child in node.named_children:
            if child.type != "comment":
                return self.expression(child, depth)
        return ["u", ""]

    def walrus(self, node: Node, depth: int) -> Expression:
        return self.expression(node.child_by_field_name("value"), depth)

    def number(self, node: Node, depth: int) -> Expression:
        try:
            value = int(self.text(node), 0)
        except ValueError:
            return ["u", self.text(node)[:60]]
        # JSON of our encoder has 64 bits.
        return ["k", value] if abs(value) < 1 << 53 else ["u", self.text(node)[:60]]

    def constant(self, node: Node, depth: int) -> Expression:
        return ["k", {"true": True, "false": False}.get(node.type)]

    def comprehension(self, node: Node, depth: int) -> Expression:
        body = node.child_by_field_name("body")
        clauses = [child for child in node.named_children if child.type == "for_in_clause"]
        if body is None or not clauses:
            return ["u", self.text(node)[:60]]
        conditions = [self.inner(child, depth) for child in node.named_children if child.type == "if_clause"]
        if body.type == "pair":
            key, value = body.child_by_field_name("key"), body.child_by_field_name("value")
            element: Expression = ["t", [self.expression(key, depth), self.expression(value, depth)]]
        else:
            element = self.expression(body, depth)
        kind = "dfor" if body.type == "pair" else "for"
        for number, clause in enumerate(reversed(clauses)):
            target = self.expression(clause.child_by_field_name("left"), depth)
            iterable = self.expression(clause.child_by_field_name("right"), depth)
            if number:  # an outer loop over lists of an inner one
                element = ["*", element]
            element = [kind, element, target, iterable, [] if number else conditions]
        return element

    def lambda_(self, node: Node, depth: int) -> Expression:
        parameters = self.parameters(node.child_by_field_name("parameters"), depth)
        return ["lambda", parameters, self.expression(node.child_by_field_name("body"), depth)]


_ReadStatement: TypeAlias = Callable[[_Reader, Node, int], Iterable[Statement]]
_ReadExpression: TypeAlias = Callable[[_Reader, Node, int], Expression]

_STATEMENTS: dict[str, _ReadStatement] = {
    "continue_statement": _Reader.continue_,
    "import_statement": _Reader.import_,
    "import_from_statement": _Reader.import_from,
    "expression_statement": _Reader.simple,
    "return_statement": _Reader.return_,
    "function_definition": _Reader.function,
    "class_definition": _Reader.class_,
    "decorated_definition": _Reader.decorated,
    "if_statement": _Reader.if_,
    "for_statement": _Reader.for_,
    "while_statement": _Reader.while_,
    "with_statement": _Reader.with_,
    "try_statement": _Reader.try_,
    "match_statement": _Reader.match,
    "ERROR": _Reader.block,
    "block": _Reader.block,
}
_EXPRESSIONS: dict[str, _ReadExpression] = {
    "attribute": _Reader.attribute,
    "call": _Reader.call,
    "string": _Reader.string,
    "concatenated_string": _Reader.strings,
    **dict.fromkeys(
        ("list", "tuple", "set", "expression_list", "pattern_list", "tuple_pattern", "list_pattern"), _Reader.items
    ),
    **dict.fromkeys(("list_splat", "dictionary_splat", "list_splat_pattern"), _Reader.splat),
    "dictionary": _Reader.dictionary,
    "subscript": _Reader.subscript,
    "generic_type": _Reader.generic_type,
    "binary_operator": _Reader.binary,
    "boolean_operator": _Reader.binary,
    "union_type": _Reader.union,
    "comparison_operator": _Reader.comparison,
    "not_operator": _Reader.not_,
    "conditional_expression": _Reader.conditional,
    **dict.fromkeys(("parenthesized_expression", "await", "type"), _Reader.inner),
    "named_expression": _Reader.walrus,
    "integer": _Reader.number,
    **dict.fromkeys(("true", "false", "none"), _Reader.constant),
    **dict.fromkeys(
        ("list_comprehension", "generator_expression", "set_comprehension", "dictionary_comprehension"),
        _Reader.comprehension,
    ),
    "lambda": _Reader.lambda_,
}


def _joined(parts: list[Expression]) -> Expression:
    if all(part[0] == "s" for part in parts):
        text = "".join(part[1] for part in parts)
        return ["s", text] if len(text) <= LONGEST_STRING else ["u", "a long string"]
    return ["f", parts]


_ESCAPE = re.compile(r"\\(?:\n|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{1,3})|(.))", re.DOTALL)
_SINGLE = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _unescape(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        if digits := match[1] or match[2]:
            character = chr(int(digits, 16))
        elif match[3]:
            character = chr(int(match[3], 8))
        elif match[4]:
            character = _SINGLE.get(match[4], match[0])
        else:
            character = ""
        return character if not "\ud800" <= character <= "\udfff" else "\ufffd"

    return _ESCAPE.sub(replace, text)
