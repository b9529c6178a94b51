"""JavaScript and TypeScript to a small syntax tree of lists, which `evaluate` runs.

A node is a list that begins with its kind; `Expression` and `Statement` below name them. Types, JSX, and bodies of
functions in which no route can be declared are left out, so that the facts of a file are a fraction of it.
"""

import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeAlias

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.patterns import bytes_pattern

Expression: TypeAlias = list[Any]
"""`["s", text]`, `["v", number | bool | None]`, `["u"]` undefined, `["?", label]` what is not kept,
`["re", source, flags]`, `["i", name]`, `["m", object, name]`, `["x", object, index]`, `["c", callee, arguments, line]`,
`["n", class, arguments, line]`, `["a", items]`, `["o", [[key | expression | None, value], ...]]` (None: a spread),
`["t", parts]` a template of texts and expressions, `["b", operator, left, right]`, `["!", operator, operand]`,
`["?:", condition, then, else]`, `["=", operator, pattern, value]`, `["seq", items]`, `["...", expression]`,
`["f", name, parameters, body | None, line, arrow, makes, types]`, `["k", name, base, members, decorators, line]`,
`["import", expression]`, `["get", function]` of an object's getter. `arguments[n]` of a call lies at its line or below;
the line is that of the first argument."""
Statement: TypeAlias = list[Any]
"""`["let" | "var", [[pattern, expression | None], ...]]`, `["e", expression]`, `["r", expression | None]`, `["throw"]`,
`["if", condition, then, else]`, `["of" | "in", pattern, expression, body]`, `["loop", before, condition, after, body]`,
`["{", statements]`, `["fn", function]`, `["class", class]`, `["switch", expression, [[expression | None, body], ...]]`,
`["try", body, handler, finalizer]`, `["break"]`, `["continue"]`, `["im", module, [[imported, local], ...]]`
(imported `*`: the namespace), `["ex", module | None, [[local, exported], ...]]`, `["ex*", module]`,
`["exd", statement]` an exported declaration, `["export", expression, whole]` (whole: `export =`)."""
Pattern: TypeAlias = Any
"""A name, `["d", pattern, default]`, `["po", [[key | expression, pattern], ...]]`, `["pa", [pattern | None, ...]]`,
`["...", pattern]`, or an expression that is assigned to."""

LARGEST_NUMBER = 2**63 - 1
"""What facts can hold, which are JSON; programs name their routes with no larger ones."""
_DEEPEST = 240
"""Levels of nesting; each takes two or three frames of the interpreter's stack."""
_SHORT_HANDLER = 160
_SHORT = 2_000
"""Bytes of a function's body that is kept whatever it is about, if it is no handler of requests."""
_HANDLER = re.compile(r"^_*(req|request|ctx|context|c|err|error|socket|event)$")
_OF_INTEREST = bytes_pattern(
    r"\.\s*(?:get|post|put|patch|delete|del|head|options|all|use|route|routes|register|prefix|redirect)\s*[(<]"
    r"|[Rr]outer|\brequire\s*\(|\bimport\s*\(|\bexpress|\b[Kk]oa|[Ff]astify|readdir|\bglob|\bclass\b|\[\s*\w*[mM]ethod"
    r"|Controller|NestFactory|setGlobalPrefix|applyDecorators|readdirSync|\bfp\("
    r"|\bmethod\s*:[^;]{0,200}\b(?:path|url)\s*:|\b(?:path|url)\s*:[^;]{0,200}\bmethod\s*:"
)
_MAKES = bytes_pattern(
    r"\bexpress\s*\(|\bRouter\s*[(<]|\b[Ff]astify\s*[(<]|\bnew\s+Koa|NestFactory\.create|:\s*FastifyInstance"
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


def extract(text: bytes, suffix: str) -> Facts:
    """`body`: the statements of the module. `faults`: where it could not be parsed."""
    tree = _parser(suffix).parse(text)
    facts: Facts = {"body": _Converter(text).statements(tree.root_node)}
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


class _Converter:
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
            elif child.type == "method_definition" and (kind := _accessor(child)) != "set":
                function = self.function(child)
                key = self.key(child.child_by_field_name("name"))
                entries.append([key, ["get", function] if kind == "get" else function])
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

    def function(self, node: Node) -> Expression:
        body = node.child_by_field_name("body")
        parameters: list[Pattern] = []
        types: dict[str, str] = {}
        fields: list[Expression] = []
        single = node.child_by_field_name("parameter")
        if single is not None:
            parameters.append(self.word(single))
        for child in (node.child_by_field_name("parameters") or node).named_children if single is None else ():
            if child.type in ("required_parameter", "optional_parameter"):
                pattern = child.child_by_field_name("pattern")
                if pattern is None or pattern.type == "this":
                    continue
                converted = self.pattern(pattern)
                if (kind := child.child_by_field_name("type")) and isinstance(converted, str):
                    types[converted] = self.word(kind).lstrip(": ")[:80]
                if value := child.child_by_field_name("value"):
                    converted = ["d", converted, self.expression(value)]
                parameters.append(converted)
                name = converted[1] if isinstance(converted, list) and converted[0] == "d" else converted
                if isinstance(name, str) and any(each.type in _MODIFIERS for each in child.children):
                    fields.append(["e", ["=", "=", ["m", ["i", "this"], name], ["i", name]]])
            elif child.type not in ("comment", "decorator") and (
                single is None and node.child_by_field_name("parameters")
            ):
                parameters.append(self.pattern(child))
        statements: list[Statement] | None = None
        makes = False
        if body is not None:
            makes = _MAKES.search(self.source, node.start_byte, body.end_byte) is not None
            if (
                makes
                or body.end_byte - body.start_byte < (_SHORT_HANDLER if _is_handler(parameters) else _SHORT)
                or _OF_INTEREST.search(self.source, body.start_byte, body.end_byte)
            ):
                statements = self.statements(body) if body.type == "statement_block" else [["r", self.expression(body)]]
                statements = fields + statements
        arrow = node.type == "arrow_function"
        name = self.word(node.child_by_field_name("name"))
        line = node.start_point.row + 1
        return ["f", name, parameters, statements, line, arrow, makes, types]

    def klass(self, node: Node) -> Expression:
        members: list[list[Any]] = []
        decorators = [self.decorator(child) for child in node.named_children if child.type == "decorator"]
        parent = node.parent
        if parent is not None and parent.type == "export_statement":
            decorators = [
                self.decorator(child) for child in parent.named_children if child.type == "decorator"
            ] + decorators
        waiting: list[Expression] = []
        body = node.child_by_field_name("body")
        for child in body.named_children if body is not None else ():
            if child.type == "decorator":
                waiting.append(self.decorator(child))
                continue
            if child.type == "comment":
                continue
            own = waiting + [self.decorator(each) for each in child.named_children if each.type == "decorator"]
            waiting = []
            name = child.child_by_field_name("name") or child.child_by_field_name("property")
            static = any(each.type == "static" for each in child.children)
            if child.type == "method_definition":
                kind = _accessor(child) or "method"
                if kind == "set":
                    continue
                parameters = self.parameter_decorators(child) if own else []
                members.append(
                    [kind, self.key(name), static, self.function(child), own, child.start_point.row + 1, parameters]
                )
            elif child.type in ("public_field_definition", "field_definition"):
                value = child.child_by_field_name("value")
                members.append(
                    ["field", self.key(name), static, self.expression(value), own, child.start_point.row + 1, []]
                )
            elif child.type == "class_static_block":
                inner = child.child_by_field_name("body")
                members.append(["static", "", True, self.statements(inner) if inner else [], [], 0, []])
        base: Expression | None = None
        for child in node.named_children:
            if child.type == "class_heritage":
                clause = next((each for each in child.named_children if each.type == "extends_clause"), None)
                if clause is not None:
                    base = self.expression(clause.child_by_field_name("value"))
                elif child.named_child_count and child.named_children[0].type != "implements_clause":
                    base = self.expression(child.named_children[0])
        return ["k", self.word(node.child_by_field_name("name")), base, members, decorators, node.start_point.row + 1]

    def parameter_decorators(self, method: Node) -> list[list[Any]]:
        """`[[expression, name, type, optional], ...]` of the parameters of a method."""
        result = []
        for child in (method.child_by_field_name("parameters") or method).named_children:
            if child.type in ("required_parameter", "optional_parameter"):
                kind = self.word(child.child_by_field_name("type")).lstrip(": ")[:80]
                name = self.word(child.child_by_field_name("pattern"))[:80]
                optional = child.type == "optional_parameter" or child.child_by_field_name("value") is not None
                result += [
                    [self.decorator(each), name, kind, optional]
                    for each in child.named_children
                    if each.type == "decorator"
                ]
        return result

    def decorator(self, node: Node) -> Expression:
        return self.inner(node)

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
        return ["fn", self.function(node)]

    def class_statement(self, node: Node) -> Statement:
        return ["class", self.klass(node)]

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


def _accessor(method: Node) -> str:
    """`get`, `set`, or empty."""
    return next((child.type for child in method.children if child.type in ("get", "set")), "")


def _is_handler(parameters: list[Pattern]) -> bool:
    return bool(parameters and isinstance(parameters[0], str) and _HANDLER.match(parameters[0]))


def _unescape(text: str) -> str:
    body = text[1:]
    if body[:1] in ("u", "x"):
        try:
            point = int(body[1:].strip("{}"), 16)
            return chr(point) if not 0xD800 <= point < 0xE000 and point < 0x110000 else "\ufffd"
        except ValueError:
            return body
    return "" if body[:1] in ("\n", "\r") else _ESCAPES.get(body, body)


_MODIFIERS = frozenset({"accessibility_modifier", "readonly", "override_modifier"})
_DECLARED = frozenset(
    {
        "function_declaration",
        "generator_function_declaration",
        "class_declaration",
        "abstract_class_declaration",
        "class",
    }
)
_EXPRESSIONS: dict[str, Callable[[_Converter, Node], Expression]] = {
    "string": _Converter.string,
    "template_string": _Converter.template,
    "number": _Converter.number,
    "regex": _Converter.regex,
    "identifier": _Converter.name,
    "undefined": lambda converter, node: ["u"],
    "this": lambda converter, node: ["i", "this"],
    "super": lambda converter, node: ["i", "super"],
    "true": lambda converter, node: ["v", True],
    "false": lambda converter, node: ["v", False],
    "null": lambda converter, node: ["v", None],
    "member_expression": _Converter.member,
    "subscript_expression": _Converter.subscript,
    "call_expression": _Converter.call,
    "new_expression": _Converter.new,
    "array": _Converter.array,
    "object": _Converter.object,
    "spread_element": _Converter.spread,
    "binary_expression": _Converter.binary,
    "unary_expression": _Converter.unary,
    "update_expression": _Converter.update,
    "ternary_expression": _Converter.ternary,
    "assignment_expression": _Converter.assignment,
    "augmented_assignment_expression": _Converter.assignment,
    "sequence_expression": _Converter.sequence,
    "function_expression": _Converter.function,
    "arrow_function": _Converter.function,
    "generator_function": _Converter.function,
    "class": _Converter.klass,
    "parenthesized_expression": _Converter.inner,
    "await_expression": _Converter.inner,
    "yield_expression": _Converter.inner,
    "as_expression": _Converter.inner,
    "satisfies_expression": _Converter.inner,
    "non_null_expression": _Converter.inner,
    "instantiation_expression": _Converter.inner,
    "type_assertion": _Converter.inner_last,
    "meta_property": lambda converter, node: ["i", "import.meta"],
}
_STATEMENTS: dict[str, Callable[[_Converter, Node], Statement | None]] = {
    "lexical_declaration": _Converter.declaration,
    "variable_declaration": _Converter.declaration,
    "expression_statement": _Converter.expression_statement,
    "return_statement": _Converter.returning,
    "throw_statement": _Converter.word_statement,
    "break_statement": _Converter.word_statement,
    "continue_statement": _Converter.word_statement,
    "if_statement": _Converter.condition,
    "for_in_statement": _Converter.for_in,
    "for_statement": _Converter.loop,
    "while_statement": _Converter.loop,
    "do_statement": _Converter.loop,
    "statement_block": _Converter.braces,
    "function_declaration": _Converter.function_statement,
    "generator_function_declaration": _Converter.function_statement,
    "class_declaration": _Converter.class_statement,
    "abstract_class_declaration": _Converter.class_statement,
    "class": _Converter.class_statement,
    "switch_statement": _Converter.switch,
    "try_statement": _Converter.trying,
    "labeled_statement": _Converter.labelled,
    "enum_declaration": _Converter.enumeration,
    "internal_module": _Converter.namespace,
    "import_statement": _Converter.importing,
    "export_statement": _Converter.exporting,
}
