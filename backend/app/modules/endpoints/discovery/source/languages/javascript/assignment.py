"""Assignment: to names, to members, and to patterns that take objects and arrays apart."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    ClassValue,
    Closure,
    Lazy,
    Namespace,
    Native,
    Obj,
    Scope,
    Unknown,
    Value,
    text_of,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator


def assign(evaluator: "Evaluator", target: Any, value: Value, scope: Scope, *, declare: bool = False) -> None:
    """`declare`: names are those of `scope` itself."""
    if isinstance(target, str):
        if declare:
            scope.names[target] = value
        else:
            _assign_name(evaluator, target, value, scope)
        return
    kind = target[0]
    if kind == "d":
        forced = evaluator.force(value)
        if forced is UNDEFINED or isinstance(forced, Unknown):
            default = evaluator.raw(target[2], scope)
            value = default if forced is UNDEFINED or not isinstance(evaluator.force(default), Unknown) else forced
        evaluator.assign(target[1], value, scope, declare=declare)
    elif kind == "po":
        _assign_entries(evaluator, target[1], value, scope, declare)
    elif kind == "pa":
        _assign_items(evaluator, target[1], evaluator.iterate(evaluator.force(value)), scope, declare)
    elif kind == "...":
        evaluator.assign(target[1], value, scope, declare=declare)
    elif kind in ("m", "x"):
        _assign_member(evaluator, target, value, scope)


def _assign_entries(evaluator: "Evaluator", patterns: list[Any], value: Value, scope: Scope, declare: bool) -> None:
    """`{ a, b: c, ...rest } = value`"""
    taken = set()
    for key, pattern in patterns:
        if key is None:
            part = evaluator.force(value)
            if isinstance(part, Obj):
                part = Obj({name: each for name, each in evaluator.entries(part) if name not in taken})
        else:
            name = evaluator.key(key, scope)
            taken.add(name)
            if isinstance(value, Lazy):
                part = Lazy(partial(evaluator.member, value, name), name)
            else:
                part = evaluator.raw_member(value, name)
        evaluator.assign(pattern, part, scope, declare=declare)


def _assign_items(
    evaluator: "Evaluator", patterns: list[Any], items: list[Value] | None, scope: Scope, declare: bool
) -> None:
    """`[a, , b, ...rest] = items`; None: they are not known."""
    for index, pattern in enumerate(patterns):
        if pattern is None:
            continue
        if items is None:
            part: Value = Unknown()
        elif isinstance(pattern, list) and pattern[0] == "...":
            part = items[index:]
        else:
            part = items[index] if index < len(items) else UNDEFINED
        evaluator.assign(pattern, part, scope, declare=declare)


def _assign_name(evaluator: "Evaluator", name: str, value: Value, scope: Scope) -> None:
    at: Scope | None = scope
    while at is not None:
        if name in at.names:
            at.names[name] = value
            if name == "exports" and at is scope.module.scope and isinstance(evaluator.force(value), Namespace):
                scope.module.exports = evaluator.force(value)
            return
        at = at.parent
    evaluator.globals[name] = value


def _assign_member(evaluator: "Evaluator", target: list[Any], value: Value, scope: Scope) -> None:
    owner = evaluator.value(target[1], scope)
    if target[0] == "m":
        name: Value = target[2]
    else:
        name = evaluator.value(target[2], scope)
        if isinstance(owner, list) and isinstance(name, int):
            if 0 <= name < len(owner):
                owner[name] = value
            elif name == len(owner):
                owner.append(value)
            return
        if isinstance(name, Unknown):
            return
        name = text_of(name)
    if isinstance(value, Closure) and isinstance(owner, Obj) and not value.is_arrow and value.this is UNDEFINED:
        value.this = owner
    if isinstance(owner, (Obj, Closure, ClassValue)):
        if isinstance(owner, ClassValue) and name == "prototype":
            return
        owner.props[name] = value
        if isinstance(owner, Obj) and owner.base is not None:
            owner.base.set(name, value)
    elif isinstance(owner, Native):
        owner.set(name, value)


def names_in(pattern: Any) -> Iterator[str]:
    """That a pattern declares."""
    if isinstance(pattern, str):
        yield pattern
    elif pattern and pattern[0] in ("d", "..."):
        yield from names_in(pattern[1])
    elif pattern and pattern[0] == "po":
        for _, inner in pattern[1]:
            yield from names_in(inner)
    elif pattern and pattern[0] == "pa":
        for inner in pattern[1]:
            if inner is not None:
                yield from names_in(inner)


def name_of(pattern: Any) -> str:
    """Of a parameter; empty: it has none."""
    return next(names_in(pattern), "")
