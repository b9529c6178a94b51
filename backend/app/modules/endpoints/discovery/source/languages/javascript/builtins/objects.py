"""`Object` and its functions, and `Map`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    BoundMethod,
    Call,
    ClassValue,
    Closure,
    Native,
    Obj,
    Unknown,
    Value,
    is_known,
    text_of,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator


class MapValue(Native):
    """A `Map`."""

    def __init__(self, pairs: list[tuple[Value, Value]]) -> None:
        self.pairs = pairs

    def get(self, name: str, evaluator: "Evaluator") -> Value:
        return len(self.pairs) if name == "size" else BoundMethod(self, name)

    def call(self, name: str, call: Call) -> Value:
        if name == "set":
            key = call.value(0)
            self.pairs = [pair for pair in self.pairs if not _same_key(pair[0], key)] + [(key, call.raw(1))]
            return self
        if name == "get":
            key = call.value(0)
            missing = UNDEFINED if self._knows(key) else Unknown("Map.get")
            return next((each for known, each in self.pairs if _same_key(known, key)), missing)
        if name == "has":
            return (
                any(_same_key(known, call.value(0)) for known, _ in self.pairs)
                if self._knows(call.value(0))
                else Unknown()
            )
        if name == "forEach":
            for key, each in self.pairs:
                call.evaluator.call_values(call.value(0), each, key)
            return UNDEFINED
        if name in ("values", "keys", "entries"):
            return [{"values": each, "keys": key}.get(name, [key, each]) for key, each in self.pairs]
        return super().call(name, call)

    def _knows(self, key: Value) -> bool:
        """Whether it can be told that a key is not there."""
        return all(_is_known_key(each) for each in (key, *(known for known, _ in self.pairs)))


def _is_known_key(key: Value) -> bool:
    return isinstance(key, (Obj, Closure, ClassValue, Native)) or (isinstance(key, (str, int)) and is_known(str(key)))


def _same_key(left: Value, right: Value) -> bool:
    return left is right or (isinstance(left, (str, int)) and isinstance(right, (str, int)) and left == right)


def new_map(call: Call) -> Value:
    pairs = call.evaluator.iterate(call.value(0)) or []
    return MapValue(
        [(call.evaluator.force(pair[0]), pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) > 1]
    )


def assign(call: Call) -> Value:
    target = call.value(0)
    for value in call.values()[1:]:
        if isinstance(target, (Obj, Closure, ClassValue)) and isinstance(value, (Obj, Closure)):
            target.props.update(call.evaluator.entries(value))
        elif isinstance(target, Native) and isinstance(value, Obj):
            for key, each in call.evaluator.entries(value):
                target.set(key, each)
    return target


def merge(call: Call) -> Value:
    """As `assign`, within what both have too."""
    target = call.value(0)
    for value in call.values()[1:]:
        _merge_into(target, value, call.evaluator, 0)
    return target


def _merge_into(target: Value, value: Value, evaluator: "Evaluator", depth: int) -> None:
    if not isinstance(target, (Obj, Closure, ClassValue)) or not isinstance(value, Obj) or depth > 12:
        return
    for key, each in evaluator.entries(value):
        known = evaluator.force(target.props.get(key))
        if isinstance(known, Obj) and isinstance(each, Obj) and known is not each:
            _merge_into(known, each, evaluator, depth + 1)
        elif each is not UNDEFINED:
            target.props[key] = each


def clone(value: Value, evaluator: "Evaluator", depth: int = 0) -> Value:
    value = evaluator.force(value)
    if depth > 12 or not isinstance(value, (Obj, list)) or (isinstance(value, Obj) and value.base is not None):
        return value
    if isinstance(value, list):
        return [clone(each, evaluator, depth + 1) for each in value]
    return Obj({key: clone(each, evaluator, depth + 1) for key, each in evaluator.entries(value)}, value.parent)


def entries(call: Call, part: Callable[[str, Value], Value]) -> Value:
    value = call.value(0)
    if isinstance(value, list):
        return [part(str(index), each) for index, each in enumerate(map(call.evaluator.force, value))]
    if isinstance(value, MapValue):
        return UNDEFINED
    return (
        [part(*pair) for pair in call.evaluator.entries(value)]
        if isinstance(value, (Obj, Closure, ClassValue))
        else Unknown()
    )


def from_entries(call: Call) -> Value:
    result = Obj()
    for pair in call.evaluator.iterate(call.value(0)) or ():
        if isinstance(pair, list) and len(pair) > 1:
            result.props[text_of(call.evaluator.force(pair[0]))] = pair[1]
    return result


def define_property(call: Call) -> Value:
    target, name, descriptor = call.value(0), call.text(1), call.options(2)
    if name and isinstance(target, (Obj, Closure)):
        if descriptor.has("value"):
            target.props[name] = descriptor.get("value")
        elif isinstance(getter := descriptor.get("get"), Closure):
            target.props[name] = call.evaluator.call_function(getter, [], target)
    return target
