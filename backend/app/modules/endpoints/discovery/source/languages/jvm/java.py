"""Java's syntax tree to the facts that `facts` describes."""

import re
from collections.abc import Iterator

import tree_sitter_java
from tree_sitter import Language, Node

from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import (
    DEEPEST,
    UNKNOWN,
    Expression,
    Reader,
    Statement,
    TypeName,
    dedent,
    unescape,
)

LANGUAGE = Language(tree_sitter_java.language())

_KINDS = {
    "class_declaration": "class",
    "interface_declaration": "interface",
    "enum_declaration": "enum",
    "record_declaration": "class",
    "annotation_type_declaration": "annotation",
}
_NAMED = frozenset({"identifier", "scoped_identifier", "type_identifier", "scoped_type_identifier", "this"})


class JavaReader(Reader):
    def read(self, root: Node) -> None:
        for node in root.named_children:
            if node.type == "package_declaration":
                self.package = self.text(node.named_children[-1]).replace(" ", "")
            elif node.type == "import_declaration":
                self._import(node)
            elif node.type in _KINDS or node.type == "ERROR":
                self.types += self._types([node])

    def _import(self, node: Node) -> None:
        words = re.sub(rb"/\*.*?\*/", b"", self.source[node.start_byte : node.end_byte], flags=re.S).decode().split()
        name = "".join(word for word in words if word not in {"import", "static"}).rstrip(";")
        package, _, last = name.rpartition(".")
        self.imports.append([package, "*", "*"] if last == "*" else [package, last, last])

    def _types(self, nodes: list[Node]) -> list[Facts]:
        found = []
        for node in nodes:
            if node.type in _KINDS:
                found.append(self._type(node))
            elif node.type == "ERROR":
                found += self._types(node.named_children)
        return found

    def _type(self, node: Node) -> Facts:
        modifiers, annotations = self._modifiers(node)
        body = node.child_by_field_name("body")
        members = self._members(body)
        kind = _KINDS[node.type]
        superclass = node.child_by_field_name("superclass")
        listed = node.child_by_field_name("interfaces") or next(
            (child for child in node.named_children if child.type == "extends_interfaces"), None
        )
        parameters = node.child_by_field_name("type_parameters")
        fields: list[list[object]] = []
        facts: Facts = {
            "name": self.name(node),
            "kind": kind,
            "line": node.start_point.row + 1,
            "annotations": annotations,
            "abstract": kind in {"interface", "annotation"} or "abstract" in modifiers,
            "extends": [self._type_name(superclass.named_children[-1])] if superclass else [],
            "implements": [self._type_name(each) for each in listed.named_children[0].named_children] if listed else [],
            "parameters": [
                self.text(child.named_children[-1 if len(child.named_children) == 1 else 0])
                for child in (parameters.named_children if parameters else [])
                if child.type == "type_parameter" and child.named_children
            ],
            "fields": fields,
            "methods": [],
            "types": self._types(members),
        }
        if node.type == "record_declaration" and (components := node.child_by_field_name("parameters")):
            fields += [[name, kind, marks, "component", None] for name, kind, marks, _ in self._parameters(components)]
        for member in members:
            if member.type in {"field_declaration", "constant_declaration"}:
                fields += self._fields(member)
            elif member.type == "enum_constant":
                fields.append([self.name(member), ["String", []], [], "constant", None])
        if self.with_methods or kind == "annotation":
            facts["methods"] = [self._method(method) for member in members for method in self._with_anonymous(member)]
        return facts

    def _with_anonymous(self, member: Node) -> list[Node]:
        """A method, and those of the anonymous class in it that configures prefixes: they see the same names."""
        if member.type not in {"method_declaration", "annotation_type_element_declaration"}:
            return []
        found = [member]
        pending = [member] if self.holds(member, b"setPathPrefixes") else []
        while pending:
            for child in pending.pop().named_children:
                if child.type == "method_declaration":
                    found.append(child)
                elif self.holds(child, b"setPathPrefixes"):
                    pending.append(child)
        return found

    def _members(self, body: Node | None) -> list[Node]:
        found: list[Node] = []
        for child in body.named_children if body else []:
            if child.type in {"enum_body_declarations", "ERROR"}:
                found += child.named_children
            else:
                found.append(child)
        return found

    def _fields(self, node: Node) -> Iterator[list[object]]:
        modifiers, annotations = self._modifiers(node)
        kind = self._type_name(node.child_by_field_name("type"))
        static = "static" in modifiers or node.type == "constant_declaration"
        for declarator in node.children_by_field_name("declarator"):
            value = declarator.child_by_field_name("value")
            initial = self.expression(value) if value else None
            yield [
                self.name(declarator),
                kind,
                annotations,
                "static" if static else "field",
                None if initial == UNKNOWN else initial,
            ]

    def _method(self, node: Node) -> Facts:
        modifiers, annotations = self._modifiers(node)
        parameters = node.child_by_field_name("parameters")
        body = node.child_by_field_name("body")
        value = node.child_by_field_name("value")
        returned = node.child_by_field_name("type")
        return {
            "name": self.name(node),
            "line": node.start_point.row + 1,
            "annotations": annotations,
            "parameters": self._parameters(parameters) if parameters else [],
            "returns": self._type_name(returned) if returned else ["", []],
            "body": self.statements(body) if body and self.keeps(self.name(node), body) else None,
            "default": self.expression(value) if value else None,
            "static": "static" in modifiers,
        }

    def _parameters(self, node: Node) -> list[list[object]]:
        found: list[list[object]] = []
        for parameter in node.named_children:
            if parameter.type == "formal_parameter":
                kind = self._type_name(parameter.child_by_field_name("type"))
                name = self.name(parameter)
            elif parameter.type == "spread_parameter":
                types = [child for child in parameter.named_children if child.type != "modifiers"]
                kind = ["[]", [self._type_name(types[0])]] if types else ["", []]
                name = self.name(types[-1]) if types else ""
            else:
                continue
            found.append([name, kind, self._modifiers(parameter)[1], False])
        return found

    def _modifiers(self, node: Node) -> tuple[set[str], list[object]]:
        words: set[str] = set()
        annotations: list[object] = []
        for child in node.children:
            if child.type == "modifiers":
                for part in child.children:
                    if part.type in {"annotation", "marker_annotation"}:
                        annotations.append(self._annotation(part))
                    else:
                        words.add(part.type)
        return words, annotations

    def _annotation(self, node: Node, depth: int = 0) -> list[object]:
        arguments: dict[str, Expression] = {}
        listed = node.child_by_field_name("arguments")
        for child in listed.named_children if listed else []:
            if child.type == "element_value_pair":
                key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
                if key and value:
                    arguments[self.text(key)] = self.expression(value, depth + 1)
            elif "comment" not in child.type:
                arguments["value"] = self.expression(child, depth + 1)
        return [self.name(node), arguments, node.start_point.row + 1]

    def _type_name(self, node: Node | None, depth: int = 0) -> TypeName:
        if node is None or depth > DEEPEST:
            return ["", []]
        match node.type:
            case "generic_type":
                arguments = [
                    self._type_name(each, depth + 1)
                    for child in node.named_children
                    if child.type == "type_arguments"
                    for each in child.named_children
                ]
                return [self._type_name(node.named_children[0], depth + 1)[0], arguments]
            case "array_type":
                return ["[]", [self._type_name(node.child_by_field_name("element"), depth + 1)]]
            case "annotated_type" | "wildcard":
                return self._type_name(node.named_children[-1] if node.named_children else None, depth + 1)
            case _:
                return [re.sub(r"@\w+|<.*>|\s", "", self.text(node)), []]

    def expression(self, node: Node | None, depth: int = 0) -> Expression:
        if node is None or depth > DEEPEST:
            return UNKNOWN
        match node.type:
            case "string_literal":
                return ["s", self._string(node)]
            case "character_literal":
                return ["s", unescape(self.text(node)[1:-1])]
            case "decimal_integer_literal":
                digits = self.text(node).rstrip("lL").replace("_", "")
                return ["k", int(digits)] if digits.isdigit() and len(digits) < 20 else UNKNOWN
            case "true" | "false":
                return ["k", node.type == "true"]
            case "identifier" | "scoped_identifier" | "this":
                return ["n", self.text(node)]
            case "field_access":
                owner = self.expression(node.child_by_field_name("object"), depth + 1)
                field = self.text(node.child_by_field_name("field"))
                return ["n", f"{owner[1]}.{field}"] if owner[0] == "n" else ["a", owner, field]
            case "class_literal":
                return ["t", self._type_name(node.named_children[0])[0]] if node.named_children else UNKNOWN
            case "annotation" | "marker_annotation":
                return ["@", self._annotation(node, depth)]
            case "element_value_array_initializer" | "array_initializer":
                return ["l", [self.expression(each, depth + 1) for each in node.named_children[:1000] if _code(each)]]
            case "array_creation_expression":
                return self.expression(node.child_by_field_name("value"), depth + 1)
            case "parenthesized_expression":
                return self.expression(next(filter(_code, node.named_children), None), depth + 1)
            case "cast_expression":
                return self.expression(node.child_by_field_name("value"), depth + 1)
            case "unary_expression":
                operand = self.expression(node.child_by_field_name("operand"), depth + 1)
                return ["!", operand] if self.source[node.start_byte : node.start_byte + 1] == b"!" else UNKNOWN
            case "binary_expression":
                return self._binary(node, depth)
            case "method_invocation":
                owner_node = node.child_by_field_name("object")
                return [
                    "c",
                    self.expression(owner_node, depth + 1) if owner_node else None,
                    self.name(node),
                    self._arguments(node, depth),
                    node.child_by_field_name("name").start_point.row + 1,  # type: ignore[union-attr]
                ]
            case "object_creation_expression":
                return ["new", self._type_name(node.child_by_field_name("type")), self._arguments(node, depth)]
            case "method_reference":
                owner_text, _, name = self.text(node).partition("::")
                return ["ref", owner_text[:200], name.strip()]
            case "lambda_expression":
                return self._lambda(node, depth)
        return UNKNOWN

    def _binary(self, node: Node, depth: int) -> Expression:
        """`a + b + c` leans to the left as deep as it is long."""
        operands: list[Expression] = []
        operator = self.text(node.child_by_field_name("operator"))
        if operator not in {"+", "&&", "||"}:
            return UNKNOWN
        current: Node | None = node
        while current is not None and current.type == "binary_expression":
            if self.text(current.child_by_field_name("operator")) != operator or len(operands) > 1000:
                break
            operands.append(self.expression(current.child_by_field_name("right"), depth + 1))
            current = current.child_by_field_name("left")
        operands.append(self.expression(current, depth + 1))
        return [operator, operands[::-1]]

    def _arguments(self, node: Node, depth: int) -> list[Expression]:
        listed = node.child_by_field_name("arguments")
        return [self.expression(each, depth + 1) for each in listed.named_children if _code(each)] if listed else []

    def _lambda(self, node: Node, depth: int) -> Expression:
        listed = node.child_by_field_name("parameters")
        if listed is None:
            names = []
        elif listed.type == "identifier":
            names = [self.text(listed)]
        else:
            names = [
                self.text(each) if each.type == "identifier" else self.name(each) for each in listed.named_children
            ]
        body = node.child_by_field_name("body")
        if body is not None and body.type == "block":
            return ["fn", names, self.statements(body, depth + 1)]
        return ["fn", names, [["return", self.expression(body, depth + 1)]]]

    def statements(self, block: Node, depth: int = 0) -> list[Statement]:
        """Flat: what stands in a branch or a loop counts as if it were executed once."""
        found: list[Statement] = []
        if depth > DEEPEST:
            return found
        for node in block.named_children:
            if node.type == "expression_statement":
                child = node.named_children[0] if node.named_children else None
                if child is not None and child.type == "assignment_expression":
                    target = self.text(child.child_by_field_name("left"))
                    found.append(["let", target, self.expression(child.child_by_field_name("right"), depth)])
                else:
                    found.append(["do", self.expression(child, depth)])
            elif node.type == "local_variable_declaration":
                for declarator in node.children_by_field_name("declarator"):
                    value = self.expression(declarator.child_by_field_name("value"), depth)
                    found.append(["let", self.name(declarator), value])
            elif node.type == "return_statement":
                found.append(["return", self.expression(next(filter(_code, node.named_children), None), depth)])
            elif node.type.endswith("statement") or node.type in {"block", "catch_clause", "finally_clause"}:
                found += self.statements(node, depth + 1)
        return found

    def _string(self, node: Node) -> str:
        text = self.text(node)
        if text.startswith('"""'):
            return unescape(dedent(text[3:-3]))
        return unescape(text[1:-1])


def _code(node: Node) -> bool:
    return "comment" not in node.type
