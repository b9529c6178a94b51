"""Operators of values, as far as the values are known."""

import contextlib
from typing import Any

from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import LARGEST_NUMBER
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    ClassValue,
    Closure,
    Namespace,
    Native,
    NativeFunction,
    Obj,
    Undefined,
    Unknown,
    Value,
    expression_label,
    is_known,
    joined,
    native_of,
    text_of,
    value_label,
)


def truth(value: Value) -> bool | None:
    """Whether a condition holds; None: not known."""
    if isinstance(value, Unknown):
        return None
    if isinstance(value, (bool, int, float, str)):
        return bool(value)
    return value is not None and value is not UNDEFINED


def negated(value: Value) -> Value:
    known = truth(value)
    return Unknown() if known is None else not known


def type_of(value: Value) -> Value:
    if isinstance(value, Unknown):
        return Unknown()
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, Undefined):
        return "undefined"
    return "function" if isinstance(value, (Closure, ClassValue, NativeFunction)) else "object"


def is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equal(left: Value, right: Value) -> bool | None:
    """As `===`; None: not known."""
    if right == "test" and isinstance(left, Unknown) and left.label.endswith("env.NODE_ENV"):
        return False  # what is only there for the tests of the application is none of its own
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return None
    if isinstance(left, str) and isinstance(right, str):
        return left == right if is_known(left + right) else None
    if isinstance(left, (bool, int, float, Undefined, type(None))) or isinstance(right, (bool, int, float)):
        return left is right or (is_number(left) and is_number(right) and left == right)
    return left is right


def add(left: Value, right: Value, node: list[Any]) -> Value:
    """`node` is the expression, whose operands lend their names to what is not known."""
    if isinstance(left, str) or isinstance(right, str):
        parts = []
        for value, index in ((left, 2), (right, 3)):
            if isinstance(value, (Unknown, Undefined)) and not value_label(value) and len(node) > index:
                value = Unknown(expression_label(node[index]))
            parts.append(text_of(value))
        return joined(parts)
    if is_number(left) and is_number(right):
        return compute("+", left, right)
    return Unknown(value_label(left) or value_label(right))


def compute(operator: str, left: Any, right: Any) -> Value:
    """Of two numbers."""
    with contextlib.suppress(ZeroDivisionError, OverflowError):
        match operator:
            case "+":
                return _number(left + right)
            case "-":
                return _number(left - right)
            case "*":
                return _number(left * right)
            case "/":
                return _number(left / right)
            case "%":
                return _number(left % right)
            case "<":
                return left < right
            case ">":
                return left > right
            case "<=":
                return left <= right
            case ">=":
                return left >= right
    return Unknown()


def _number(value: float) -> Value:
    return value if abs(value) < LARGEST_NUMBER else Unknown()


def best(values: list[Value]) -> Value:
    """Of values of which any may be the one: that which tells most."""
    return max(values, key=lambda value: (_weight(value), _size(value)), default=UNDEFINED)


def _weight(value: Value) -> int:
    if native_of(value) is not None:
        return 5
    if isinstance(value, (Closure, ClassValue, Native)):
        return 4
    if isinstance(value, (list, Obj)):
        return 3 if value != [] else 1
    if isinstance(value, str):
        return 3
    if isinstance(value, Unknown):
        return 1
    return 0 if isinstance(value, Undefined) or value is None else 2


def _size(value: Value) -> int:
    if isinstance(value, Obj) and not isinstance(value, Namespace):
        return sum(1 + _size(each) for each in value.props.values() if isinstance(each, list))
    return len(value) if isinstance(value, list) else 0
