"""`Object` and its functions, `Map` and `Set`."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import MOST_ITEMS
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
    """A `Map` or `WeakMap`."""

    def __init__(self, pairs: Iterable[tuple[Value, Value]]) -> None:
        self.pairs: dict[Any, tuple[Value, Value]] = {}
        for key, value in pairs:
            self.set_item(key, value)

    def set_item(self, key: Value, value: Value) -> None:
        if len(self.pairs) < MOST_ITEMS:
            self.pairs[_identity(key)] = (key, value)

    def items(self) -> list[Value]:
        """What a loop goes through."""
        return [[key, value] for key, value in self.pairs.values()]

    def get(self, name: str, evaluator: "Evaluator") -> Value:
        return len(self.pairs) if name == "size" else BoundMethod(self, name)

    def call(self, name: str, call: Call) -> Value:
        match name:
            case "set":
                self.set_item(call.value(0), call.raw(1))
                return self
            case "get":
                key = call.value(0)
                missing = UNDEFINED if self._has_known_keys(key) else Unknown("Map.get")
                return self.pairs.get(_identity(key), (key, missing))[1]
            case "has":
                key = call.value(0)
                return _identity(key) in self.pairs if self._has_known_keys(key) else Unknown()
            case "delete":
                return self.pairs.pop(_identity(call.value(0)), None) is not None
            case "clear":
                self.pairs.clear()
                return UNDEFINED
            case "forEach":
                for key, value in list(self.pairs.values()):
                    call.evaluator.call_values(call.value(0), value, key)
                return UNDEFINED
            case "keys":
                return [key for key, _ in self.pairs.values()]
            case "values":
                return [value for _, value in self.pairs.values()]
            case "entries":
                return [[key, value] for key, value in self.pairs.values()]
        return super().call(name, call)

    def _has_known_keys(self, key: Value) -> bool:
        """Whether it can be told that a key is not there."""
        return all(_is_known_key(each) for each in (key, *(known for known, _ in self.pairs.values())))


class SetValue(MapValue):
    """A `Set` or `WeakSet`: each key is its own value."""

    def items(self) -> list[Value]:
        return [key for key, _ in self.pairs.values()]

    def call(self, name: str, call: Call) -> Value:
        if name == "add":
            self.set_item(call.value(0), call.value(0))
            return self
        return super().call(name, call)


def _identity(key: Value) -> Any:
    """Texts and numbers are the same when they are equal."""
    return (type(key), key) if isinstance(key, (str, int)) else id(key)


def _is_known_key(key: Value) -> bool:
    return isinstance(key, (Obj, Closure, ClassValue, Native)) or (isinstance(key, (str, int)) and is_known(str(key)))


def new_map(call: Call) -> Value:
    pairs = call.evaluator.iterate(call.value(0)) or []
    return MapValue(
        (call.evaluator.force(pair[0]), pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) > 1
    )


def new_set(call: Call) -> Value:
    return SetValue((item, item) for item in call.evaluator.iterate(call.value(0)) or [])


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
        _merge_into(target, value, call.evaluator, set())
    return target


def _merge_into(target: Value, value: Value, evaluator: "Evaluator", done: set[tuple[int, int]]) -> None:
    both = (id(target), id(value))
    if not isinstance(target, (Obj, Closure, ClassValue)) or not isinstance(value, Obj) or both in done:
        return
    done.add(both)
    evaluator.budget.spend()
    for key, each in evaluator.entries(value):
        known = evaluator.force(target.props.get(key))
        if isinstance(known, Obj) and isinstance(each, Obj) and known is not each:
            _merge_into(known, each, evaluator, done)
        elif each is not UNDEFINED:
            target.props[key] = each


def clone(value: Value, evaluator: "Evaluator", done: dict[int, Value] | None = None) -> Value:
    """Of objects and lists, what is in them too; what is in itself is so in the copy."""
    done = {} if done is None else done
    value = evaluator.force(value)
    if not isinstance(value, (Obj, list)) or (isinstance(value, Obj) and value.base is not None):
        return value
    if id(value) in done:
        return done[id(value)]
    evaluator.budget.spend()
    if isinstance(value, list):
        items: list[Value] = []
        done[id(value)] = items
        items += [clone(each, evaluator, done) for each in value]
        return items
    copy = done[id(value)] = Obj(parent=value.parent)
    copy.props.update({key: clone(each, evaluator, done) for key, each in evaluator.entries(value)})
    return copy


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
