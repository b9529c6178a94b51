"""Expressions. What is not known is `Unknown`, with a name for what it would be."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from backend.app.modules.endpoints.discovery.source.languages.javascript.calls import (
    call_expression,
    make_closure,
    new_expression,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.classes import make_class
from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import MOST_ITEMS
from backend.app.modules.endpoints.discovery.source.languages.javascript.members import super_member
from backend.app.modules.endpoints.discovery.source.languages.javascript.operators import (
    add,
    best,
    compute,
    equal,
    is_number,
    negated,
    truth,
    type_of,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    ClassValue,
    Closure,
    Lazy,
    NativeFunction,
    Obj,
    Regex,
    Scope,
    Undefined,
    Unknown,
    Value,
    expression_label,
    joined,
    text_of,
    value_label,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator

_SUPER = ["i", "super"]


def _constant(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    return node[1]


def _undefined(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    return UNDEFINED


def _unknown(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    return Unknown(node[1])


def _regex(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    return Regex(node[1], node[2])


def _name(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    return evaluator.lookup(node[1], scope)


def _member(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    if node[1] == _SUPER:
        return super_member(evaluator, node[2], scope)
    return evaluator.raw_member(evaluator.raw(node[1], scope), node[2])


def _index(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    owner = evaluator.value(node[1], scope)
    index = evaluator.value(node[2], scope)
    if isinstance(owner, list) and isinstance(index, (int, float)) and not isinstance(index, bool):
        return owner[int(index)] if 0 <= index < len(owner) else UNDEFINED
    if isinstance(index, (str, int, float)):
        return evaluator.raw_member(owner, text_of(index))
    if isinstance(owner, Obj) and owner.props and isinstance(index, Unknown):
        values = [evaluator.force(value) for value in owner.props.values()]
        if len(values) > 1 and all(isinstance(value, Closure) for value in values):
            return NativeFunction(lambda call: best([evaluator.force(evaluator.call(each, call)) for each in values]))
        return best(values)
    return Unknown(f"{expression_label(node[1])}[{expression_label(node[2])}]")


def _array(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    result: list[Value] = []
    for item in node[1]:
        if item[0] == "...":
            result += (evaluator.iterate(evaluator.value(item[1], scope)) or [])[: MOST_ITEMS - len(result)]
        else:
            result.append(evaluator.raw(item, scope))
    return result


def _object(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    result = Obj()
    for key, value in node[1]:
        if key is None:
            spread = evaluator.value(value, scope)
            if isinstance(spread, Obj):
                result.props.update(evaluator.entries(spread))
            continue
        if isinstance(key, list):
            found = evaluator.value(key, scope)
            key = f"[{found.label}]" if isinstance(found, Unknown) else text_of(found)
        if value[0] == "get":
            getter = Closure(value[1], scope)
            result.props[key] = Lazy(partial(evaluator.call_function, getter, [], result), key)
            continue
        made = evaluator.raw(value, scope)
        if isinstance(made, Closure) and not made.is_arrow and value[0] == "f":
            made.this = result
        result.props[key] = made
    return result


def _template(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    parts = []
    for part in node[1]:
        if isinstance(part, str):
            parts.append(part)
        else:
            value = evaluator.value(part, scope)
            if isinstance(value, (Unknown, Undefined)) and not value_label(value):
                value = Unknown(expression_label(part))
            parts.append(text_of(value))
    return joined(parts)


def _binary(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    operator = node[1]
    left = evaluator.value(node[2], scope)
    if operator in ("||", "??", "&&"):
        return _logical(evaluator, operator, left, node[3], scope)
    right = evaluator.value(node[3], scope)
    if operator == "+":
        return add(left, right, node)
    if operator in ("===", "==", "!==", "!="):
        same = equal(left, right)
        return Unknown() if same is None else same == (operator[0] == "=")
    if is_number(left) and is_number(right):
        return compute(operator, left, right)
    if operator == "in" and isinstance(right, Obj) and isinstance(left, str):
        return left in right.props or Unknown()
    return Unknown()


def _logical(evaluator: "Evaluator", operator: str, left: Value, right: list[Any], scope: Scope) -> Value:
    known = truth(left)
    if operator == "??":
        known = None if isinstance(left, Unknown) else left is not None and left is not UNDEFINED
    if operator == "&&":
        if known is False:
            return left
        return evaluator.raw(right, scope)
    if known:
        return left
    other = evaluator.raw(right, scope)
    if known is None:
        forced = evaluator.force(other)
        return left if isinstance(forced, (Unknown, Undefined)) or forced is None else forced
    return other


def _unary(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    value = evaluator.value(node[2], scope)
    if node[1] == "!":
        return negated(value)
    if node[1] == "typeof":
        return type_of(value)
    if node[1] == "-" and is_number(value):
        return -value
    if node[1] == "+" and is_number(value):
        return value
    return UNDEFINED if node[1] == "void" else Unknown()


def _ternary(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    known = truth(evaluator.value(node[1], scope))
    if known is not None:
        return evaluator.raw(node[2] if known else node[3], scope)
    return best([evaluator.value(node[2], scope), evaluator.value(node[3], scope)])


def _assignment(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    _, operator, target, right = node
    if operator == "=":
        value = evaluator.raw(right, scope)
        if isinstance(target, str) and isinstance(value, ClassValue) and not value.variable:
            value.variable = target
        evaluator.assign(target, value, scope)
        return value
    read = ["i", target] if isinstance(target, str) else target
    current = evaluator.value(read, scope)
    if operator in ("||=", "??=", "&&="):
        value = _logical(evaluator, operator[:-1], current, right, scope)
    elif operator == "+=":
        value = add(current, evaluator.value(right, scope), ["b", "+", read, right])
    elif is_number(current) and is_number(amount := evaluator.value(right, scope)):
        value = compute(operator[:-1], current, amount)
    else:
        value = Unknown()
    evaluator.assign(target, value, scope)
    return value


def _sequence(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    value: Value = UNDEFINED
    for item in node[1]:
        value = evaluator.value(item, scope)
    return value


def _spread(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    return evaluator.value(node[1], scope)


def _dynamic_import(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    name = evaluator.value(node[1], scope)
    if not isinstance(name, str):
        return Unknown("import")
    return evaluator.modules.imported_dynamically(scope.module.path, name)


EXPRESSIONS: dict[str, Callable[["Evaluator", list[Any], Scope], Value]] = {
    "s": _constant,
    "v": _constant,
    "u": _undefined,
    "?": _unknown,
    "re": _regex,
    "i": _name,
    "m": _member,
    "x": _index,
    "c": call_expression,
    "n": new_expression,
    "a": _array,
    "o": _object,
    "t": _template,
    "b": _binary,
    "!": _unary,
    "?:": _ternary,
    "=": _assignment,
    "seq": _sequence,
    "...": _spread,
    "f": make_closure,
    "k": make_class,
    "import": _dynamic_import,
}
