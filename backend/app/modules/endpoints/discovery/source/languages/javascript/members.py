"""Members of values: own, inherited and of the language's prototypes; entries of objects, elements of lists."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.objects import MapValue
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.prototypes import prototype_member
from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import DEEPEST_INHERITANCE
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    BoundMethod,
    ClassValue,
    Closure,
    Lazy,
    Namespace,
    Native,
    NativeFunction,
    Obj,
    Scope,
    Unknown,
    Value,
    is_known,
    native_of,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator


def member(evaluator: "Evaluator", owner: Value, name: str) -> Value:
    return evaluator.force(evaluator.raw_member(owner, name))


def raw_member(evaluator: "Evaluator", owner: Value, name: str) -> Value:
    """May be `Lazy`, and is when the owner is."""
    if isinstance(owner, Lazy):
        return Lazy(lambda: evaluator.raw_member(evaluator.force(owner), name), f"{owner.label}.{name}")
    if isinstance(owner, Obj):
        return _object_member(evaluator, owner, name)
    if isinstance(owner, Unknown):
        return Unknown(f"{owner.label}.{name}" if owner.label else name, owner.carried)
    if isinstance(owner, Closure):
        if name in owner.props:
            return owner.props[name]
        if name == "prototype":
            return owner.props.setdefault("prototype", Obj())
        return prototype_member(evaluator, owner, name)
    if isinstance(owner, ClassValue):
        return _class_member(evaluator, owner, name)
    if isinstance(owner, Native):
        return owner.get(name, evaluator)
    return prototype_member(evaluator, owner, name)


def _object_member(evaluator: "Evaluator", owner: Obj, name: str) -> Value:
    if name in owner.props:
        return owner.props[name]
    if isinstance(owner, Namespace) and name != "default":
        for found in _star_exports(evaluator, owner, {id(owner)}):
            if isinstance(found, Unknown) and len(owner.stars) == 1:
                return Unknown(f"{found.label}.{name}")
            value = found.props.get(name, UNDEFINED) if isinstance(found, Namespace) else UNDEFINED
            if isinstance(found, (Obj, NativeFunction)) and not isinstance(found, Namespace):
                value = evaluator.raw_member(found, name)
            if value is not UNDEFINED and not isinstance(value, Unknown):
                return value
    parent: Any = owner.parent
    if isinstance(parent, ClassValue):
        if name == "constructor":
            return parent
        found = _method_of(evaluator, parent, name)
        if found is not None:
            return _bound(found, owner)
        getter = _getter_of(evaluator, parent, name)
        if getter is not None:
            return evaluator.call_function(getter, [], owner)
    elif isinstance(parent, Obj):
        inherited = evaluator.raw_member(parent, name)
        if inherited is not UNDEFINED:
            return _bound(evaluator.force(inherited), owner)
    if owner.base is not None:
        return owner.base.get(name, evaluator)
    return prototype_member(evaluator, owner, name)


def _star_exports(evaluator: "Evaluator", namespace: Namespace, seen: set[int]) -> Iterator[Value]:
    """The modules of which a module exports everything, and those of these; modules may do so in a ring."""
    for star in namespace.stars:
        found = evaluator.force(star)
        if not isinstance(found, Namespace):
            yield found
        elif id(found) not in seen:
            seen.add(id(found))
            yield found
            yield from _star_exports(evaluator, found, seen)


def _class_member(evaluator: "Evaluator", owner: ClassValue, name: str) -> Value:
    if name == "prototype":
        base = evaluator.force(owner.base)
        above = base if isinstance(base, ClassValue) else None
        return owner.props.setdefault("prototype", Obj({**owner.methods, "constructor": owner}, above))
    for klass in ancestry(evaluator, owner):
        if name in klass.props:
            return klass.props[name]
    if name == "name":
        return owner.name
    return prototype_member(evaluator, owner, name)


def ancestry(evaluator: "Evaluator", klass: ClassValue) -> Iterator[ClassValue]:
    """A class and those that it inherits from, the nearest first."""
    at: Value = klass
    for _ in range(DEEPEST_INHERITANCE):
        if not isinstance(at, ClassValue):
            break
        yield at
        at = evaluator.force(at.base)


def _method_of(evaluator: "Evaluator", klass: ClassValue, name: str) -> Value:
    for each in ancestry(evaluator, klass):
        prototype = each.props.get("prototype")
        if isinstance(prototype, Obj) and name in prototype.props:
            return evaluator.force(prototype.props[name])
        if name in each.methods:
            return each.methods[name]
    return None


def _getter_of(evaluator: "Evaluator", klass: ClassValue, name: str) -> Closure | None:
    return next((each.getters[name] for each in ancestry(evaluator, klass) if name in each.getters), None)


def super_member(evaluator: "Evaluator", name: str, scope: Scope) -> Value:
    """`super.name`"""
    home = evaluator.lookup("%class", scope)
    this = evaluator.force(evaluator.lookup("this", scope))
    base = evaluator.force(home.base) if isinstance(home, ClassValue) else None
    if isinstance(base, ClassValue):
        found = _method_of(evaluator, base, name)
        if found is not None:
            return _bound(found, this)
    native = native_of(this)
    return BoundMethod(native, name) if native is not None else Unknown(name)


def _bound(value: Value, this: Value) -> Value:
    if isinstance(value, Closure) and not value.is_arrow:
        return Closure(value.node, value.scope, this, value.props, value.bound)
    return value


def iterate(evaluator: "Evaluator", value: Value) -> list[Value] | None:
    """None: its elements are not known."""
    if isinstance(value, list):
        return [evaluator.force(each) for each in value]
    if isinstance(value, MapValue):
        return value.items()
    if isinstance(value, str) and is_known(value):
        return list(value)
    return None


def entries(evaluator: "Evaluator", value: Value) -> list[tuple[str, Value]]:
    """Own members, in the order of the program; of a namespace those of `export *` too."""
    if not isinstance(value, Obj):
        return list(value.props.items()) if isinstance(value, (Closure, ClassValue, NativeFunction)) else []
    result = dict(value.props)
    if isinstance(value, Namespace):
        for found in _star_exports(evaluator, value, {id(value)}):
            exported = found.props.items() if isinstance(found, Namespace) else evaluator.entries(found)
            for key, each in exported:
                if key != "default":
                    result.setdefault(key, each)
    return [(key, evaluator.force(each)) for key, each in result.items()]
