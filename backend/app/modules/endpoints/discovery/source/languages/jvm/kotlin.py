"""Kotlin's syntax tree to the facts that `facts` describes."""

import re
from typing import Any

import tree_sitter_kotlin
from tree_sitter import Language, Node

from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import (
    DEEPEST,
    UNKNOWN,
    Expression,
    Reader,
    Statement,
    TypeName,
    unescape,
)

LANGUAGE = Language(tree_sitter_kotlin.language())

_TYPES = frozenset({"class_declaration", "object_declaration", "companion_object"})
_TYPE_NODES = frozenset({"user_type", "nullable_type", "function_type", "parenthesized_type"})
_OBJECT = re.compile(rb"^(?![ \t]*@)([^\n]*\n\s*)(?=object\s+[A-Z])", re.M)
_DELEGATION = re.compile(rb"(:[^\n={}]*?)\bby[ \t]+(?!lazy\b)[\w.]+(?:\([^()\n]*\))?(?=\s*\{[ \t]*$)", re.M)
_ARGUMENT_ANNOTATION = re.compile(rb"([<,]\s*)((?:@[\w.]+(?:\([^()]*\))?\s+)+)(?=[A-Z])")
_BARE_CLASS = re.compile(rb"^([ \t]*(?:(?:@[\w.]+|\w+)[ \t]+)*class[ \t]+[A-Za-z]\w*)(?=[ \t]*\{)", re.M)
_TRAILING_COMMA = re.compile(rb",(\s*>)")
_SOFT_KEYWORD = re.compile(rb"(\b(?:fun|val|var)[ \t]+)(suspend|dynamic)\b(?=[ \t]*[(<:=])")
_DOLLARS = re.compile(rb'\$\$"((?:[^"\\\n]|\\.)*)"')
_TOKEN = re.compile(
    rb'"""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)+\'|`[^`\n]*`|//[^\n]*|/\*[\s\S]*?\*/'
    rb"|[{}()\n]|[=!<>+*/-]?=+|\b(?:fun|val|var|class)\b"
)
_TYPE_HEADER = re.compile(rb"(?<!::)\b(?:class|interface|object)\b")
_INTERFACE = re.compile(rb"\s+interface\b")
_NEXT_MEMBER = re.compile(
    rb"(?:\s|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+(?:$|@|\}|(?:fun|val|var|class|interface|object|companion|data|enum|sealed|abstract|open|override|private"
    rb"|protected|internal|public|suspend|inline|operator|infix|lateinit|const|init|constructor|typealias|annotation)\b)"
)
_INTERPOLATED = re.compile(r"(?<!\\)\$([A-Za-z_]\w*)")


def mend(source: bytes) -> bytes:
    """Without what the grammar stumbles over: a class with neither parameters nor supertypes (it is taken for a call),
    an object straight after a class without a body, a delegate straight before a class body, type arguments with
    annotations or a trailing comma, strings with several dollars, and declarations that are called as a keyword that
    Kotlin reserves at some places only. Lines stay where they are."""
    if b"object" in source:
        source = _OBJECT.sub(rb"\1;", source)
    if b" by " in source:
        source = _DELEGATION.sub(rb"\1", source)
    source = _BARE_CLASS.sub(rb"\1()", source)
    source = _ARGUMENT_ANNOTATION.sub(lambda match: match[1] + b"\n" * match[2].count(b"\n"), source)
    source = _TRAILING_COMMA.sub(rb"\1", source)
    source = _SOFT_KEYWORD.sub(rb"\1`\2`", source)
    if b'$$"' in source:
        source = _DOLLARS.sub(lambda match: b'"' + match[1].replace(b"$", rb"\$") + b'"', source)
    return source


def without_bodies(source: bytes) -> bytes:
    """With nothing in the bodies of functions, for the grammar stumbles over some of them, at times in silence."""
    parts: list[bytes] = []
    kept = 0
    header = 0
    parentheses = [0]
    inside = 0
    is_function = is_expression = False
    for token in _TOKEN.finditer(source):
        match token[0]:
            case b"\n":
                if not is_function or inside or parentheses[-1] or not _NEXT_MEMBER.match(source, token.end()):
                    continue
                is_function = False
                if is_expression:
                    is_expression = False
                    parts.append(b" 0" + b"\n" * source.count(b"\n", kept, token.start()))
                    kept = token.start()
            case b"{" | b"(" if inside or is_expression:
                inside += 1
            case b"}" | b")" if inside:
                inside -= 1
                if not inside and not is_expression:
                    parts.append(b"\n" * source.count(b"\n", kept, token.start()))
                    kept = token.start()
                    header = token.end()
            case b"{":
                text = source[header : token.start()]
                if parentheses[-1] or is_function or not _TYPE_HEADER.search(text):
                    inside = 1
                    is_function = is_function and parentheses[-1] > 0
                    parts.append(source[kept : token.end()])
                    kept = token.end()
                else:
                    parentheses.append(0)
                header = token.end()
            case b"}":
                if is_expression:
                    parts.append(b" 0;" + b"\n" * source.count(b"\n", kept, token.start()))
                    kept = token.start()
                    is_expression = False
                elif is_function:
                    parts.append(source[kept : token.start()] + b";")
                    kept = token.start()
                is_function = False
                if len(parentheses) > 1:
                    parentheses.pop()
                header = token.end()
            case b"(":
                parentheses[-1] += 1
            case b")":
                parentheses[-1] = max(0, parentheses[-1] - 1)
            case b"fun" if not inside and not parentheses[-1] and not is_expression:
                is_function = not _INTERFACE.match(source, token.end())
            case b"=" if is_function and not inside and not parentheses[-1] and not is_expression:
                is_expression = True
                parts.append(source[kept : token.end()])
                kept = token.end()
            case b"val" | b"var" | b"class" if not inside and not parentheses[-1] and not is_expression:
                is_function = False
    return b"".join(parts) + (b" 0\n" if is_expression else source[kept:])


class KotlinReader(Reader):
    def read(self, root: Node) -> None:
        for node in root.named_children:
            if node.type == "package_header":
                self.package = self.text(node.named_children[-1]).replace("`", "") if node.named_children else ""
            elif node.type == "import":
                self._import(node)
        self.types = self._types(root.named_children)
        self.fields = [self._property(node, "static") for node in _all(root, "property_declaration")]
        if self.with_methods:
            self.methods = [self._method(node) for node in _all(root, "function_declaration")]

    def _import(self, node: Node) -> None:
        if not node.named_children:
            return
        name = self.text(node.named_children[0]).replace("`", "").replace(" ", "")
        package, _, last = name.rpartition(".")
        if any(child.type == "*" for child in node.children):
            self.imports.append([name, "*", "*"])
        else:
            alias = self.text(node.named_children[1]) if len(node.named_children) > 1 else last
            self.imports.append([package, last, alias])

    def _types(self, nodes: list[Node]) -> list[Facts]:
        found: list[Facts] = []
        before: list[object] = []
        for node in nodes:
            if node.type in _TYPES:
                found.append(self._type(node))
                found[-1]["annotations"] = before + found[-1]["annotations"]
            elif node.type == "ERROR":
                found += self._types(node.named_children)
            before = self._loose_annotations(node) if node.type == "annotated_expression" else []
        return found

    def _loose_annotations(self, node: Node) -> list[object]:
        """Annotations of a type that the grammar took for those of an expression: the arguments of the last one."""
        annotations: list[list[Any]] = []
        while node.type == "annotated_expression" and node.named_children:
            annotations += self._annotations(node)
            node = node.named_children[-1]
        if annotations and node.type == "parenthesized_expression":
            annotations[-1][1]["value"] = self.expression(node)
        return list(annotations)

    def _type(self, node: Node) -> Facts:
        words, annotations = self._modifiers(node)
        keywords = {child.type for child in node.children if not child.is_named}
        kind = "class"
        if node.type != "class_declaration":
            kind = "object"
        elif "interface" in keywords:
            kind = "interface"
        elif "enum" in words:
            kind = "enum"
        elif "annotation" in words:
            kind = "annotation"
        body = next((child for child in node.named_children if child.type.endswith("class_body")), None)
        members = body.named_children if body else []
        extends, implements = self._supertypes(node)
        fields = self._components(node)
        facts: Facts = {
            "name": self.name(node) or ("Companion" if node.type == "companion_object" else ""),
            "kind": kind,
            "line": (node.child_by_field_name("name") or node).start_point.row + 1,
            "annotations": annotations,
            "abstract": kind in {"interface", "annotation"} or bool(words & {"abstract", "sealed"}),
            "extends": extends,
            "implements": implements,
            "parameters": [
                self.text(parameter.named_children[0] if parameter.named_children else parameter)
                for listed in _all(node, "type_parameters")
                for parameter in _all(listed, "type_parameter")
            ],
            "fields": fields,
            "methods": [],
            "types": self._types(members),
            "companion": node.type == "companion_object",
        }
        for member in members:
            if member.type == "property_declaration":
                fields.append(self._property(member, "static" if kind == "object" else "field"))
            elif member.type == "enum_entry" and member.named_children:
                name = next((each for each in member.named_children if each.type == "identifier"), None)
                fields.append([self.text(name), ["String", []], [], "constant", None])
        if self.with_methods:
            facts["methods"] = [self._method(member) for member in members if member.type == "function_declaration"]
        return facts

    def _supertypes(self, node: Node) -> tuple[list[TypeName], list[TypeName]]:
        extends: list[TypeName] = []
        implements: list[TypeName] = []
        for listed in _all(node, "delegation_specifiers"):
            for each in _all(listed, "delegation_specifier"):
                child = next((child for child in each.named_children if child.type != "annotation"), None)
                if child is None:
                    continue
                if child.type == "constructor_invocation":
                    extends.append(self._type_name(child.named_children[0]))
                elif child.type == "explicit_delegation":
                    implements.append(self._type_name(child.named_children[0]))
                else:
                    implements.append(self._type_name(child))
        return extends, implements

    def _components(self, node: Node) -> list[list[object]]:
        found: list[list[object]] = []
        for constructor in _all(node, "primary_constructor"):
            for listed in _all(constructor, "class_parameters"):
                for parameter in _all(listed, "class_parameter"):
                    names = [child for child in parameter.named_children if child.type == "identifier"]
                    if not names:
                        continue
                    kind = self._typed(parameter)
                    tail = parameter.named_children[-1]
                    has_default = any(child.type == "=" for child in parameter.children)
                    initial = self.expression(tail) if has_default else None
                    found.append([self.text(names[0]), kind, self._modifiers(parameter)[1], "component", initial])
        return found

    def _property(self, node: Node, storage: str) -> list[object]:
        declared = next(iter(_all(node, "variable_declaration")), None)
        name = kind = None
        if declared is not None:
            name = next(iter(_all(declared, "identifier")), None)
            kind = self._typed(declared)
        value = None
        children = node.children
        for index, child in enumerate(children):
            if child.type == "=" and index + 1 < len(children):
                value = self.expression(children[index + 1])
            elif child.type == "getter" and value is None:
                value = self._returned(child)
        return [
            self.text(name).strip("`"),
            kind or ["", []],
            self._modifiers(node)[1],
            storage,
            None if value == UNKNOWN else value,
        ]

    def _returned(self, getter: Node) -> Expression:
        for body in _all(getter, "function_body"):
            statements = self._body(body, 0)
            if len(statements) == 1 and statements[0][0] == "return":
                return list(statements[0][1])
        return UNKNOWN

    def _method(self, node: Node) -> Facts:
        body = next(iter(_all(node, "function_body")), None)
        parameters: list[list[object]] = []
        pending: list[list[Any]] = []
        for listed in _all(node, "function_value_parameters"):
            for child in listed.children:
                if child.type == "parameter_modifiers":
                    pending = self._annotations(child)
                elif child.type == "parameter":
                    names = _all(child, "identifier")
                    parameters.append([self.text(names[0]) if names else "", self._typed(child), pending, False])
                    pending = []
                elif child.type == "=" and parameters:
                    parameters[-1][3] = True
        listed_at = next((index for index, child in enumerate(node.children) if child.type.endswith("parameters")), 0)
        returned = next((child for child in node.children[listed_at:] if child.type in _TYPE_NODES), None)
        return {
            "name": self.name(node).strip("`"),
            "line": (node.child_by_field_name("name") or node).start_point.row + 1,
            "annotations": self._modifiers(node)[1],
            "parameters": parameters,
            "returns": self._type_name(returned),
            "body": self._body(body, 0) if body and self.keeps(self.name(node), body) else None,
            "default": None,
            "static": False,
        }

    def _body(self, body: Node, depth: int) -> list[Statement]:
        if body.children and body.children[0].type == "=":
            return [["return", self.expression(body.named_children[-1] if body.named_children else None, depth + 1)]]
        return self.statements(body, depth + 1)

    def _modifiers(self, node: Node) -> tuple[set[str], list[object]]:
        words: set[str] = set()
        annotations: list[object] = []
        for modifiers in _all(node, "modifiers"):
            annotations += self._annotations(modifiers)
            words |= {self.text(child) for child in modifiers.named_children if not child.type.endswith("annotation")}
        return words, annotations

    def _annotations(self, modifiers: Node) -> list[list[Any]]:
        return [self._annotation(child) for child in _all(modifiers, "annotation")]

    def _annotation(self, node: Node, depth: int = 0) -> list[Any]:
        line = node.start_point.row + 1
        for child in node.named_children:
            if child.type == "user_type":
                return [self._type_name(child)[0], {}, line]
            if child.type == "constructor_invocation":
                return self._invoked(child, line, depth)
        return ["", {}, line]

    def _invoked(self, node: Node, line: int, depth: int) -> list[Any]:
        arguments: dict[str, Expression] = {}
        by_position: list[Expression] = []
        for listed in _all(node, "value_arguments"):
            for argument in _all(listed, "value_argument"):
                children = argument.named_children
                if any(child.type == "=" for child in argument.children) and len(children) > 1:
                    arguments[self.text(children[0])] = self.expression(children[-1], depth + 1)
                elif children:
                    by_position.append(self.expression(children[-1], depth + 1))
        if by_position:
            arguments["value"] = by_position[0] if len(by_position) == 1 else ["l", by_position]
        name = node.named_children[0] if node.named_children else None
        return [self._type_name(name)[0], arguments, line]

    def _typed(self, node: Node) -> TypeName:
        kind = self._type_name(next((child for child in node.named_children if child.type in _TYPE_NODES), None))
        return ["[]", [kind]] if any(child.type == "vararg" for child in node.children) else kind

    def _type_name(self, node: Node | None, depth: int = 0) -> TypeName:
        if node is None or depth > DEEPEST:
            return ["", []]
        if node.type == "nullable_type":
            return ["?", [self._type_name(node.named_children[0] if node.named_children else None, depth + 1)]]
        if node.type == "user_type":
            names = [self.text(child) for child in node.named_children if child.type == "identifier"]
            arguments = [
                self._type_name(next((each for each in projection.named_children if each.type in _TYPE_NODES), None))
                for listed in _all(node, "type_arguments")
                for projection in listed.named_children
            ]
            if names == ["Array"] and arguments:
                return ["[]", arguments]
            return [".".join(names), arguments]
        return ["", []]

    def expression(self, node: Node | None, depth: int = 0) -> Expression:
        if node is None or depth > DEEPEST:
            return UNKNOWN
        children = node.named_children
        match node.type:
            case "string_literal" | "multiline_string_literal":
                return self._string(node, depth)
            case "number_literal":
                digits = self.text(node).rstrip("L").replace("_", "")
                return ["k", int(digits)] if digits.isdigit() and len(digits) < 20 else UNKNOWN
            case "identifier" | "this_expression":
                text = self.text(node)
                return ["k", text == "true"] if text in {"true", "false"} else ["n", text]
            case "true" | "false" | "boolean_literal":
                return ["k", self.text(node) == "true"]
            case "parenthesized_expression":
                return self.expression(children[0] if children else None, depth + 1)
            case "collection_literal":
                return ["l", [self.expression(each, depth + 1) for each in children[:1000]]]
            case "annotation":
                return ["@", self._annotation(node, depth)]
            case "navigation_expression" | "callable_reference":
                return self._navigation(node, depth)
            case "call_expression":
                return self._call(node, depth)
            case "infix_expression":
                if len(children) == 3:
                    left, right = (self.expression(each, depth + 1) for each in (children[0], children[2]))
                    return ["c", left, self.text(children[1]), [right], children[1].start_point.row + 1]
            case "binary_expression":
                return self._binary(node, depth)
            case "unary_expression" | "prefix_expression":
                if self.text(node).startswith("!"):
                    return ["!", self.expression(children[-1], depth + 1)]
            case "as_expression":
                return self.expression(children[0], depth + 1)
            case "annotated_lambda":
                return self.expression(children[-1] if children else None, depth + 1)
            case "lambda_literal":
                names = [
                    self.text(name)
                    for listed in _all(node, "lambda_parameters")
                    for each in listed.named_children
                    for name in _all(each, "identifier")
                ]
                return ["fn", names, self.statements(node, depth + 1)]
        return UNKNOWN

    def _navigation(self, node: Node, depth: int) -> Expression:
        children = node.named_children
        if len(children) < 2:
            return UNKNOWN
        name = self.text(children[-1])
        if any(child.type == "::" for child in node.children):
            owner_text = self.text(children[0])
            return ["t", owner_text] if name == "class" else ["ref", owner_text[:200], name]
        owner = self.expression(children[0], depth + 1)
        if owner[0] == "t" and name in {"java", "javaObjectType"}:
            return owner
        return ["n", f"{owner[1]}.{name}"] if owner[0] == "n" else ["a", owner, name]

    def _call(self, node: Node, depth: int) -> Expression:
        """A lambda behind the parentheses is the last argument."""
        arguments: list[Expression] = []
        callee: Node | None = node
        while callee is not None and callee.type == "call_expression":
            listed = [
                self.expression(argument.named_children[-1], depth + 1)
                for child in callee.named_children[1:]
                if child.type == "value_arguments"
                for argument in _all(child, "value_argument")
                if argument.named_children
            ]
            trailing = [self.expression(child, depth + 1) for child in _all(callee, "annotated_lambda")]
            arguments = listed + trailing + arguments
            inner = callee.named_children[0] if callee.named_children else None
            if not trailing or listed or inner is None or inner.type != "call_expression":
                callee = inner
                break
            callee = inner
        if callee is None:
            return UNKNOWN
        line = callee.start_point.row + 1
        if callee.type == "navigation_expression" and len(callee.named_children) > 1:
            last = callee.named_children[-1]
            owner = self.expression(callee.named_children[0], depth + 1)
            return ["c", owner, self.text(last), arguments, last.start_point.row + 1]
        if callee.type == "identifier":
            name = self.text(callee)
            if name in {"arrayOf", "listOf", "setOf"}:
                return ["l", arguments]
            return (
                ["new", [name, []], arguments]
                if name[:1].isupper() and not name.isupper()
                else [
                    "c",
                    None,
                    name,
                    arguments,
                    line,
                ]
            )
        return ["c", self.expression(callee, depth + 1), "invoke", arguments, line]

    def _binary(self, node: Node, depth: int) -> Expression:
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

    def statements(self, block: Node, depth: int = 0) -> list[Statement]:
        """Flat: what stands in a branch or a loop counts as if it were executed once."""
        found: list[Statement] = []
        if depth > DEEPEST:
            return found
        for node in block.named_children:
            if node.type == "property_declaration":
                name, _, _, _, value = self._property(node, "local")
                found.append(["let", name, value or UNKNOWN])
            elif node.type == "return_expression":
                found.append(
                    ["return", self.expression(node.named_children[-1] if node.named_children else None, depth)]
                )
            elif node.type == "assignment":
                left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
                found.append(["let", self.text(left), self.expression(right, depth)])
            elif node.type in {"block", "if_expression", "for_statement", "try_expression", "control_structure_body"}:
                found += self.statements(node, depth + 1)
            elif node.type != "lambda_parameters":
                found.append(["do", self.expression(node, depth)])
        return found

    def _string(self, node: Node, depth: int) -> Expression:
        """The grammar takes `$name` for text."""
        raw = node.type == "multiline_string_literal"
        operands: list[Expression] = []
        text = ""
        for child in node.named_children:
            if child.type == "interpolation":
                operands += _parts(text, raw)
                text = ""
                operands.append(self.expression(child.named_children[0] if child.named_children else None, depth + 1))
            else:
                text += self.text(child)
        operands += _parts(text, raw)
        if len(operands) == 1 and operands[0][0] == "s":
            return operands[0]
        return ["+", operands] if operands else ["s", ""]


def _parts(text: str, raw: bool) -> list[Expression]:
    parts: list[Expression] = []
    for index, piece in enumerate(_INTERPOLATED.split(text)):
        if index % 2:
            parts.append(["n", piece])
        elif piece:
            parts.append(["s", piece if raw else unescape(piece)])
    return parts


def _all(node: Node, kind: str) -> list[Node]:
    return [child for child in node.named_children if child.type == kind]
