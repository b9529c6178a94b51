"""`Reflect`, with what `reflect-metadata` adds to it: what decorators note of classes and their members."""

from typing import TYPE_CHECKING

from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Call,
    ClassValue,
    Closure,
    Native,
    NativeFunction,
    Obj,
    Unknown,
    Value,
    text_of,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator


class Reflect(Native):
    def __init__(self) -> None:
        self.entries: dict[tuple[int, str, str], tuple[Value, Value]] = {}
        """By target, property and key: what the target has, which is kept alive with it, and the value."""

    def call(self, name: str, call: Call) -> Value:
        evaluator = call.evaluator
        if name == "defineMetadata":
            self._define(call.value(2), call.value(3), call.value(0), call.raw(1))
            return UNDEFINED
        if name in ("getMetadata", "getOwnMetadata", "hasMetadata", "hasOwnMetadata"):
            targets = self._targets(call.value(1), evaluator, 0) if "Own" not in name else [call.value(1)]
            found = [entry for target in targets if (entry := self._entry(target, call.value(2), call.value(0)))]
            if name.startswith("has"):
                return bool(found)
            return evaluator.force(found[0][1]) if found else UNDEFINED
        if name == "metadata":
            key, value = call.value(0), call.raw(1)
            return NativeFunction(
                lambda inner: self._define(inner.value(0), inner.value(1), key, value), name="metadata"
            )
        if name == "ownKeys":
            return [key for key, _ in evaluator.entries(call.value(0))]
        return Unknown(f"Reflect.{name}")

    def _define(self, target: Value, member: Value, key: Value, value: Value) -> Value:
        if isinstance(target, (Obj, Closure, ClassValue)):
            self.entries[id(target.props), _text(member), _text(key)] = (target.props, value)
        return target

    def _entry(self, target: Value, member: Value, key: Value) -> tuple[Value, Value] | None:
        return self.entries.get((id(target.props), _text(member), _text(key)))

    def _targets(self, target: Value, evaluator: "Evaluator", depth: int) -> list[Value]:
        """It and what it inherits from, the nearest first."""
        if not isinstance(target, (Obj, Closure, ClassValue)) or depth > 20:
            return []
        above: Value = None
        if isinstance(target, ClassValue):
            above = evaluator.force(target.base)
        elif isinstance(target, Obj):
            is_class = isinstance(target.parent, ClassValue)
            above = evaluator.member(target.parent, "prototype") if is_class else target.parent
        return [target, *self._targets(above, evaluator, depth + 1)]


def _text(value: Value) -> str:
    return "" if value is UNDEFINED else text_of(value)
