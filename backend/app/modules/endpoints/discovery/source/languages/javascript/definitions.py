"""Functions and classes to the syntax tree, and which bodies of functions are kept."""

import re
from typing import TYPE_CHECKING, Any

from tree_sitter import Node

from backend.app.modules.endpoints.discovery.source.languages.javascript.syntax import Expression, Pattern, Statement
from backend.app.modules.endpoints.discovery.source.patterns import bytes_pattern

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.extract import Converter

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
_MODIFIERS = frozenset({"accessibility_modifier", "readonly", "override_modifier"})


def function(converter: "Converter", node: Node) -> Expression:
    body = node.child_by_field_name("body")
    parameters, types, fields = _parameters(converter, node)
    statements: list[Statement] | None = None
    makes = False
    if body is not None:
        makes = _MAKES.search(converter.source, node.start_byte, body.end_byte) is not None
        if makes or _is_kept(converter.source, body, parameters):
            is_block = body.type == "statement_block"
            statements = fields + (converter.statements(body) if is_block else [["r", converter.expression(body)]])
    name = converter.word(node.child_by_field_name("name"))
    return ["f", name, parameters, statements, _line(node), node.type == "arrow_function", makes, types]


def _is_kept(source: bytes, body: Node, parameters: list[Pattern]) -> bool:
    short = _SHORT_HANDLER if _is_handler(parameters) else _SHORT
    size = body.end_byte - body.start_byte
    return size < short or _OF_INTEREST.search(source, body.start_byte, body.end_byte) is not None


def _is_handler(parameters: list[Pattern]) -> bool:
    return bool(parameters and isinstance(parameters[0], str) and _HANDLER.match(parameters[0]))


def _parameters(converter: "Converter", node: Node) -> tuple[list[Pattern], dict[str, str], list[Statement]]:
    """Patterns, the types of those that are names, and what a constructor does of itself with parameters that declare
    fields: `constructor(private users: Users)`."""
    single = node.child_by_field_name("parameter")
    if single is not None:
        return [converter.word(single)], {}, []
    parameters: list[Pattern] = []
    types: dict[str, str] = {}
    fields: list[Statement] = []
    written = node.child_by_field_name("parameters")
    for child in written.named_children if written is not None else ():
        if child.type not in ("required_parameter", "optional_parameter"):
            if child.type not in ("comment", "decorator"):
                parameters.append(converter.pattern(child))
            continue
        pattern = child.child_by_field_name("pattern")
        if pattern is None or pattern.type == "this":
            continue
        parameter = converter.pattern(pattern)
        if isinstance(parameter, str):
            if kind := child.child_by_field_name("type"):
                types[parameter] = converter.word(kind).lstrip(": ")[:80]
            if any(each.type in _MODIFIERS for each in child.children):
                fields.append(["e", ["=", "=", ["m", ["i", "this"], parameter], ["i", parameter]]])
        value = child.child_by_field_name("value")
        parameters.append(["d", parameter, converter.expression(value)] if value else parameter)
    return parameters, types, fields


def class_definition(converter: "Converter", node: Node) -> Expression:
    name = converter.word(node.child_by_field_name("name"))
    decorators = _decorators(converter, node)
    if node.parent is not None and node.parent.type == "export_statement":
        decorators = _decorators(converter, node.parent) + decorators
    return ["k", name, _base(converter, node), _members(converter, node), decorators, _line(node)]


def _decorators(converter: "Converter", node: Node) -> list[Expression]:
    return [converter.inner(child) for child in node.named_children if child.type == "decorator"]


def _base(converter: "Converter", node: Node) -> Expression | None:
    """What a class extends."""
    for child in node.named_children:
        if child.type == "class_heritage":
            clause = next((each for each in child.named_children if each.type == "extends_clause"), None)
            if clause is not None:
                return converter.expression(clause.child_by_field_name("value"))
            if child.named_child_count and child.named_children[0].type != "implements_clause":
                return converter.expression(child.named_children[0])
    return None


def _members(converter: "Converter", node: Node) -> list[list[Any]]:
    """`[kind, key, static, value, decorators, line, parameters]`; kinds are `method`, `get`, `field` and `static`."""
    members: list[list[Any]] = []
    waiting: list[Expression] = []
    body = node.child_by_field_name("body")
    for child in body.named_children if body is not None else ():
        if child.type == "decorator":
            waiting.append(converter.inner(child))
            continue
        if child.type == "comment":
            continue
        decorators = waiting + _decorators(converter, child)
        waiting = []
        key = converter.key(child.child_by_field_name("name") or child.child_by_field_name("property"))
        static = any(each.type == "static" for each in child.children)
        if child.type == "method_definition" and (kind := accessor(child)) != "set":
            parameters = _parameter_decorators(converter, child) if decorators else []
            value = function(converter, child)
            members.append([kind or "method", key, static, value, decorators, _line(child), parameters])
        elif child.type in ("public_field_definition", "field_definition"):
            value = converter.expression(child.child_by_field_name("value"))
            members.append(["field", key, static, value, decorators, _line(child), []])
        elif child.type == "class_static_block":
            inner = child.child_by_field_name("body")
            members.append(["static", "", True, converter.statements(inner) if inner else [], [], 0, []])
    return members


def _parameter_decorators(converter: "Converter", method: Node) -> list[list[Any]]:
    """`[[expression, name, type, optional], ...]` of the parameters of a method."""
    result = []
    for child in (method.child_by_field_name("parameters") or method).named_children:
        if child.type in ("required_parameter", "optional_parameter"):
            kind = converter.word(child.child_by_field_name("type")).lstrip(": ")[:80]
            name = converter.word(child.child_by_field_name("pattern"))[:80]
            optional = child.type == "optional_parameter" or child.child_by_field_name("value") is not None
            result += [
                [converter.inner(each), name, kind, optional]
                for each in child.named_children
                if each.type == "decorator"
            ]
    return result


def accessor(method: Node) -> str:
    """`get`, `set`, or empty."""
    return next((child.type for child in method.children if child.type in ("get", "set")), "")


def _line(node: Node) -> int:
    return node.start_point.row + 1
