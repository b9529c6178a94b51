"""JavaScript and TypeScript to the syntax tree of `syntax`, which `evaluate` runs."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.languages.javascript.definitions import (
    accessor,
    class_definition,
    function,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import LARGEST_NUMBER
from backend.app.modules.endpoints.discovery.source.languages.javascript.syntax import Expression, Pattern, Statement

_DEEPEST = 240
"""Levels of nesting; each takes two or three frames of the interpreter's stack."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


def extract(text: bytes, suffix: str) -> Facts:
    """`body`: the statements of the module. `faults`: where it could not be parsed."""
    tree = _parser(suffix).parse(text)
    facts: Facts = {"body": Converter(text).statements(tree.root_node)}
    if tree.root_node.has_error:
        facts["faults"] = [[_first_error(tree.root_node), "a part of the file could not be parsed"]]
    return facts


@cache
def _parser(suffix: str) -> Parser:
    if suffix in (".ts", ".mts", ".cts"):
        grammar = tree_sitter_typescript.language_typescript()
    elif suffix == ".tsx":
        grammar = tree_sitter_typescript.language_tsx()
    else:
        grammar = tree_sitter_javascript.language()
    return Parser(Language(grammar))


def _first_error(node: Node) -> int:
    while True:
        for child in node.children:
            if child.has_error or child.is_missing or child.type == "ERROR":
                node = child
                break
        else:
            return node.start_point.row + 1
        if node.type == "ERROR" or node.is_missing:
            return node.start_point.row + 1


class Converter:
    def __init__(self, text: bytes) -> None:
        self.source = text
        self.depth = 0

    def statements(self, node: Node) -> list[Statement]:
        result = []
        for child in node.named_children:
            statement = self.statement(child)
            if statement is not None:
                result.append(statement)
        return result

    def statement(self, node: Node) -> Statement | None:
        convert = _STATEMENTS.get(node.type)
        if convert is None or self.depth > _DEEPEST:
            return None
        self.depth += 1
        try:
            return convert(self, node)
        finally:
            self.depth -= 1

    def expression(self, node: Node | None) -> Expression:
        if node is None:
            return ["u"]
        convert = _EXPRESSIONS.get(node.type)
        if convert is None or self.depth > _DEEPEST:
            return ["?", node.type]
        self.depth += 1
        try:
            return convert(self, node)
        finally:
            self.depth -= 1

    def word(self, node: Node | None) -> str:
        return "" if node is None else self.source[node.start_byte : node.end_byte].decode(errors="replace")

    def block(self, node: Node | None) -> list[Statement]:
        """The statements of a block, or the one statement that stands in its place."""
        if node is None:
            return []
        if node.type == "else_clause":
            node = node.named_children[-1] if node.named_child_count else node
        if node.type == "statement_block":
            return self.statements(node)
        statement = self.statement(node)
        return [] if statement is None else [statement]

    # expressions

    def string(self, node: Node) -> Expression:
        return ["s", self.string_text(node)]

    def string_text(self, node: Node) -> str:
        parts = []
        for child in node.named_children:
            text = self.word(child)
            parts.append(_unescape(text) if child.type == "escape_sequence" else text)
        return "".join(parts)

    def template(self, node: Node) -> Expression:
        parts: list[Any] = []
        for child in node.named_children:
            if child.type == "template_substitution":
                parts.append(self.expression(child.named_children[0] if child.named_child_count else None))
                continue
            text = self.word(child)
            if child.type == "escape_sequence":
                text = _unescape(text)
            if parts and isinstance(parts[-1], str):
                parts[-1] += text
            else:
                parts.append(text)
        if all(isinstance(part, str) for part in parts):
            return ["s", "".join(parts)]
        return ["t", parts]

    def number(self, node: Node) -> Expression:
        text = self.word(node).replace("_", "").rstrip("n")
        for read in (partial(int, base=0), float):
            try:
                value = read(text)
            except ValueError:
                continue
            if abs(value) < LARGEST_NUMBER:
                return ["v", value]
        return ["?", "number"]

    def regex(self, node: Node) -> Expression:
        return ["re", self.word(node.child_by_field_name("pattern")), self.word(node.child_by_field_name("flags"))]

    def name(self, node: Node) -> Expression:
        name = self.word(node)
        return ["u"] if name == "undefined" else ["i", name]

    def inner(self, node: Node) -> Expression:
        """Parentheses, `await`, `as`, `!`: what they are about."""
        return self.expression(next((child for child in node.named_children if child.type != "comment"), None))

    def inner_last(self, node: Node) -> Expression:
        return self.expression(node.named_children[-1] if node.named_child_count else None)

    def member(self, node: Node) -> Expression:
        return [
            "m",
            self.expression(node.child_by_field_name("object")),
            self.word(node.child_by_field_name("property")),
        ]

    def subscript(self, node: Node) -> Expression:
        index = self.expression(node.child_by_field_name("index"))
        return ["x", self.expression(node.child_by_field_name("object")), index]

    def call(self, node: Node) -> Expression:
        callee = node.child_by_field_name("function")
        arguments = node.child_by_field_name("arguments")
        if arguments is None or arguments.type != "arguments":
            return ["?", self.word(callee)[:40]]
        values, line = self.arguments(arguments)
        if callee is not None and callee.type == "import":
            return ["import", values[0] if values else ["u"]]
        return ["c", self.expression(callee), values, line]

    def new(self, node: Node) -> Expression:
        arguments = node.child_by_field_name("arguments")
        values, line = self.arguments(arguments) if arguments else ([], node.start_point.row + 1)
        return ["n", self.expression(node.child_by_field_name("constructor")), values, line]

    def arguments(self, node: Node) -> tuple[list[Expression], int]:
        children = [child for child in node.named_children if child.type != "comment"]
        return [self.expression(child) for child in children], (children[0] if children else node).start_point.row + 1

    def array(self, node: Node) -> Expression:
        return ["a", [self.expression(child) for child in node.named_children if child.type != "comment"]]

    def spread(self, node: Node) -> Expression:
        return ["...", self.inner(node)]

    def object(self, node: Node) -> Expression:
        entries: list[list[Any]] = []
        for child in node.named_children:
            if child.type == "pair":
                entries.append(
                    [self.key(child.child_by_field_name("key")), self.expression(child.child_by_field_name("value"))]
                )
            elif child.type == "shorthand_property_identifier":
                entries.append([self.word(child), self.name(child)])
            elif child.type == "spread_element":
                entries.append([None, self.inner(child)])
            elif child.type == "method_definition" and (kind := accessor(child)) != "set":
                method = function(self, child)
                key = self.key(child.child_by_field_name("name"))
                entries.append([key, ["get", method] if kind == "get" else method])
        return ["o", entries]

    def key(self, node: Node | None) -> Any:
        """A text, or the expression of a computed key."""
        if node is None:
            return ""
        if node.type == "string":
            return self.string_text(node)
        if node.type == "computed_property_name":
            return self.inner(node)
        return self.word(node)

    def binary(self, node: Node) -> Expression:
        operator = self.word(node.child_by_field_name("operator"))
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        return ["b", operator, self.expression(left), self.expression(right)]

    def unary(self, node: Node) -> Expression:
        return [
            "!",
            self.word(node.child_by_field_name("operator")),
            self.expression(node.child_by_field_name("argument")),
        ]

    def update(self, node: Node) -> Expression:
        target = self.pattern(node.child_by_field_name("argument"))
        return ["=", "+=" if "++" in self.word(node) else "-=", target, ["v", 1]]

    def ternary(self, node: Node) -> Expression:
        return [
            "?:",
            *(self.expression(node.child_by_field_name(name)) for name in ("condition", "consequence", "alternative")),
        ]

    def assignment(self, node: Node) -> Expression:
        operator = self.word(node.child_by_field_name("operator")) or "="
        return [
            "=",
            operator,
            self.pattern(node.child_by_field_name("left")),
            self.expression(node.child_by_field_name("right")),
        ]

    def sequence(self, node: Node) -> Expression:
        return ["seq", [self.expression(child) for child in node.named_children if child.type != "comment"]]

    # patterns

    def pattern(self, node: Node | None) -> Pattern:
        if node is None:
            return ""
        kind = node.type
        if kind in ("identifier", "shorthand_property_identifier_pattern"):
            return self.word(node)
        if kind in ("assignment_pattern", "object_assignment_pattern"):
            return [
                "d",
                self.pattern(node.child_by_field_name("left")),
                self.expression(node.child_by_field_name("right")),
            ]
        if kind == "rest_pattern":
            return ["...", self.pattern(node.named_children[0])]
        if kind == "object_pattern":
            entries: list[list[Any]] = []
            for child in node.named_children:
                if child.type == "pair_pattern":
                    key = self.key(child.child_by_field_name("key"))
                    entries.append([key, self.pattern(child.child_by_field_name("value"))])
                elif child.type == "rest_pattern":
                    entries.append([None, self.pattern(child.named_children[0])])
                elif child.type == "shorthand_property_identifier_pattern":
                    entries.append([self.word(child), self.word(child)])
                elif child.type == "object_assignment_pattern":
                    pattern = self.pattern(child)
                    entries.append([self.word(child.child_by_field_name("left")), pattern])
            return ["po", entries]
        if kind == "array_pattern":
            items: list[Any] = []
            expected = False
            for child in node.children:
                if child.type == "," and not expected:
                    items.append(None)
                elif child.is_named and child.type != "comment":
                    items.append(self.pattern(child))
                expected = child.is_named
            return ["pa", items]
        return self.expression(node)

    # statements

    def declaration(self, node: Node) -> Statement:
        return [
            "var" if node.type == "variable_declaration" else "let",
            [
                [self.pattern(child.child_by_field_name("name")), self._initial(child)]
                for child in node.named_children
                if child.type == "variable_declarator"
            ],
        ]

    def _initial(self, node: Node) -> Expression | None:
        value = node.child_by_field_name("value")
        return None if value is None else self.expression(value)

    def expression_statement(self, node: Node) -> Statement | None:
        child = next((child for child in node.named_children if child.type != "comment"), None)
        if child is None or child.type == "string":
            return None
        if child.type == "internal_module":
            return self.namespace(child)
        return ["e", self.expression(child)]

    def returning(self, node: Node) -> Statement:
        child = next((child for child in node.named_children if child.type != "comment"), None)
        return ["r", None if child is None else self.expression(child)]

    def condition(self, node: Node) -> Statement:
        return [
            "if",
            self.expression(node.child_by_field_name("condition")),
            self.block(node.child_by_field_name("consequence")),
            self.block(node.child_by_field_name("alternative")),
        ]

    def for_in(self, node: Node) -> Statement:
        kind = "of" if any(child.type == "of" for child in node.children) else "in"
        pattern = self.pattern(node.child_by_field_name("left"))
        return [
            kind,
            pattern,
            self.expression(node.child_by_field_name("right")),
            self.block(node.child_by_field_name("body")),
        ]

    def loop(self, node: Node) -> Statement:
        before = node.child_by_field_name("initializer")
        condition = node.child_by_field_name("condition")
        if condition is not None and condition.type == "expression_statement":
            condition = condition.named_children[0] if condition.named_child_count else None
        after = node.child_by_field_name("increment")
        return [
            "loop",
            [] if before is None else self.block(before),
            None if condition is None else self.expression(condition),
            None if after is None else self.expression(after),
            self.block(node.child_by_field_name("body")),
        ]

    def braces(self, node: Node) -> Statement:
        return ["{", self.statements(node)]

    def function_statement(self, node: Node) -> Statement:
        return ["fn", function(self, node)]

    def class_statement(self, node: Node) -> Statement:
        return ["class", class_definition(self, node)]

    def switch(self, node: Node) -> Statement:
        cases = []
        body = node.child_by_field_name("body")
        for child in body.named_children if body is not None else ():
            value = child.child_by_field_name("value") if child.type == "switch_case" else None
            statements = [self.statement(each) for each in child.children_by_field_name("body")]
            cases.append(
                [None if value is None else self.expression(value), [each for each in statements if each is not None]]
            )
        return ["switch", self.expression(node.child_by_field_name("value")), cases]

    def trying(self, node: Node) -> Statement:
        handler = node.child_by_field_name("handler")
        finalizer = node.child_by_field_name("finalizer")
        return [
            "try",
            self.block(node.child_by_field_name("body")),
            self.block(handler.child_by_field_name("body")) if handler is not None else [],
            self.block(finalizer.child_by_field_name("body")) if finalizer is not None else [],
        ]

    def word_statement(self, node: Node) -> Statement:
        return [node.type.removesuffix("_statement")]

    def labelled(self, node: Node) -> Statement | None:
        body = node.child_by_field_name("body")
        return None if body is None else self.statement(body)

    def enumeration(self, node: Node) -> Statement:
        entries: list[list[Any]] = []
        body = node.child_by_field_name("body")
        number = 0
        for child in body.named_children if body is not None else ():
            if child.type == "enum_assignment":
                value = self.expression(child.child_by_field_name("value"))
                entries.append([self.key(child.child_by_field_name("name")), value])
                number = value[1] if value[0] == "v" and isinstance(value[1], int) else number - 1
            elif child.type != "comment":
                entries.append([self.key(child), ["v", number]])
            else:
                continue
            number += 1
        return ["let", [[self.word(node.child_by_field_name("name")), ["o", entries]]]]

    def namespace(self, node: Node) -> Statement | None:
        """As an object of what it exports."""
        body = node.child_by_field_name("body")
        entries = []
        for child in body.named_children if body is not None else ():
            inner = child.child_by_field_name("declaration") if child.type == "export_statement" else None
            statement = self.statement(inner) if inner is not None else None
            if statement is None:
                continue
            if statement[0] in ("let", "var"):
                entries += [[name, value or ["u"]] for name, value in statement[1] if isinstance(name, str)]
            elif statement[0] in ("fn", "class"):
                entries.append([statement[1][1], statement[1]])
        return ["let", [[self.word(node.child_by_field_name("name")), ["o", entries]]]]

    def importing(self, node: Node) -> Statement | None:
        if any(child.type == "type" for child in node.children):
            return None
        source = node.child_by_field_name("source")
        names: list[list[str]] = []
        for clause in node.named_children:
            if clause.type == "import_require_clause":
                source = clause.child_by_field_name("source")
                names.append(["=", self.word(clause.named_children[0])])
            elif clause.type == "import_clause":
                for child in clause.named_children:
                    if child.type == "identifier":
                        names.append(["default", self.word(child)])
                    elif child.type == "namespace_import":
                        names.append(["*", self.word(child.named_children[0])])
                    else:
                        names += self.specifiers(child)
        return None if source is None else ["im", self.string_text(source), names]

    def specifiers(self, node: Node) -> list[list[str]]:
        result = []
        for child in node.named_children:
            if child.type in ("import_specifier", "export_specifier") and not any(
                each.type == "type" for each in child.children
            ):
                name = child.child_by_field_name("name")
                alias = child.child_by_field_name("alias")
                first = self.key(name)
                result.append([first, self.key(alias) if alias is not None else first])
        return result

    def exporting(self, node: Node) -> Statement | None:
        kinds = {child.type for child in node.children}
        if "type" in kinds:
            return None
        source = node.child_by_field_name("source")
        module = None if source is None else self.string_text(source)
        for child in node.named_children:
            if child.type == "export_clause":
                return ["ex", module, self.specifiers(child)]
            if child.type == "namespace_export":
                return ["ex", module, [["*", self.key(child.named_children[0])]]]
        if "*" in kinds:
            return ["ex*", module]
        declaration = node.child_by_field_name("declaration")
        if "default" in kinds or "=" in kinds:
            value = node.child_by_field_name("value") or declaration
            if value is None:
                value = next((each for each in node.named_children if each.type not in ("comment", "decorator")), None)
            if value is None:
                return None
            if value.type in _DECLARED and (statement := self.statement(value)):
                if statement[1][1]:
                    return ["{", [statement, ["ex", None, [[statement[1][1], "default"]]]], "open"]
                return ["export", statement[1], False]
            return ["export", self.expression(value), "=" in kinds]
        if declaration is not None and (statement := self.statement(declaration)):
            return ["exd", statement]
        return None


def _unescape(text: str) -> str:
    body = text[1:]
    if body[:1] in ("u", "x"):
        try:
            point = int(body[1:].strip("{}"), 16)
            return chr(point) if not 0xD800 <= point < 0xE000 and point < 0x110000 else "\ufffd"
        except ValueError:
            return body
    return "" if body[:1] in ("\n", "\r") else _ESCAPES.get(body, body)


_DECLARED = frozenset(
    {
        "function_declaration",
        "generator_function_declaration",
        "class_declaration",
        "abstract_class_declaration",
        "class",
    }
)
_EXPRESSIONS: dict[str, Callable[[Converter, Node], Expression]] = {
    "string": Converter.string,
    "template_string": Converter.template,
    "number": Converter.number,
    "regex": Converter.regex,
    "identifier": Converter.name,
    "undefined": lambda converter, node: ["u"],
    "this": lambda converter, node: ["i", "this"],
    "super": lambda converter, node: ["i", "super"],
    "true": lambda converter, node: ["v", True],
    "false": lambda converter, node: ["v", False],
    "null": lambda converter, node: ["v", None],
    "member_expression": Converter.member,
    "subscript_expression": Converter.subscript,
    "call_expression": Converter.call,
    "new_expression": Converter.new,
    "array": Converter.array,
    "object": Converter.object,
    "spread_element": Converter.spread,
    "binary_expression": Converter.binary,
    "unary_expression": Converter.unary,
    "update_expression": Converter.update,
    "ternary_expression": Converter.ternary,
    "assignment_expression": Converter.assignment,
    "augmented_assignment_expression": Converter.assignment,
    "sequence_expression": Converter.sequence,
    "function_expression": function,
    "arrow_function": function,
    "generator_function": function,
    "class": class_definition,
    "parenthesized_expression": Converter.inner,
    "await_expression": Converter.inner,
    "yield_expression": Converter.inner,
    "as_expression": Converter.inner,
    "satisfies_expression": Converter.inner,
    "non_null_expression": Converter.inner,
    "instantiation_expression": Converter.inner,
    "type_assertion": Converter.inner_last,
    "meta_property": lambda converter, node: ["i", "import.meta"],
}
_STATEMENTS: dict[str, Callable[[Converter, Node], Statement | None]] = {
    "lexical_declaration": Converter.declaration,
    "variable_declaration": Converter.declaration,
    "expression_statement": Converter.expression_statement,
    "return_statement": Converter.returning,
    "throw_statement": Converter.word_statement,
    "break_statement": Converter.word_statement,
    "continue_statement": Converter.word_statement,
    "if_statement": Converter.condition,
    "for_in_statement": Converter.for_in,
    "for_statement": Converter.loop,
    "while_statement": Converter.loop,
    "do_statement": Converter.loop,
    "statement_block": Converter.braces,
    "function_declaration": Converter.function_statement,
    "generator_function_declaration": Converter.function_statement,
    "class_declaration": Converter.class_statement,
    "abstract_class_declaration": Converter.class_statement,
    "class": Converter.class_statement,
    "switch_statement": Converter.switch,
    "try_statement": Converter.trying,
    "labeled_statement": Converter.labelled,
    "enum_declaration": Converter.enumeration,
    "internal_module": Converter.namespace,
    "import_statement": Converter.importing,
    "export_statement": Converter.exporting,
}
