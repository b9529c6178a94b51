"""Classes: their members and decorators, and their instances."""

from typing import TYPE_CHECKING, Any

from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import DEEPEST_CALLS
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Argument,
    Call,
    ClassValue,
    Closure,
    DecoratorFunction,
    Lazy,
    Native,
    Obj,
    Scope,
    Value,
    text_of,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator


def make_class(evaluator: "Evaluator", node: list[Any], scope: Scope) -> ClassValue:
    klass = ClassValue(node, scope, None if node[2] is None else evaluator.raw(node[2], scope))
    evaluator.classes.append(klass)
    inner = Scope({"%class": klass}, scope, scope.module)
    if node[1]:
        inner.names[node[1]] = klass
    klass.scope = inner
    for kind, key, static, value, *_ in klass.members:
        if kind == "static":
            evaluator.block(value, Scope({"this": klass}, inner, scope.module))
            continue
        name = evaluator.key(key, inner)
        if kind in ("method", "get"):
            function = Closure(value, inner)
            if static:
                function.this = klass
                klass.props[name] = _static_getter(evaluator, function, klass) if kind == "get" else function
            else:
                (klass.getters if kind == "get" else klass.methods)[name] = function
        elif static:
            klass.props[name] = evaluator.raw(value, Scope({"this": klass}, inner, scope.module))
    _decorate(evaluator, klass)
    return klass


def _static_getter(evaluator: "Evaluator", getter: Closure, klass: ClassValue) -> Lazy:
    return Lazy(lambda: evaluator.call_function(getter, [], klass), getter.name)


def key(evaluator: "Evaluator", key: Any, scope: Scope) -> str:
    """The name of a member, whose key may be an expression."""
    return key if isinstance(key, str) else text_of(evaluator.value(key, scope))


def _decorate(evaluator: "Evaluator", klass: ClassValue) -> None:
    """Runs the decorators that are functions of the program, as `experimentalDecorators` does: of each member the
    last one first, then those of the class."""
    for kind, key, static, _value, written, *_ in klass.members:
        functions = _decorators(evaluator, written, klass.scope) if written else ()
        if functions:
            name = evaluator.key(key, klass.scope)
            target = klass if static else evaluator.member(klass, "prototype")
            descriptor = Obj({"value": evaluator.raw_member(target, name)}) if kind == "method" else UNDEFINED
            for function in functions:
                evaluator.call_values(function, target, name, descriptor)
    for function in _decorators(evaluator, klass.decorators, klass.scope):
        evaluator.call_values(function, klass)


def _decorators(evaluator: "Evaluator", written: list[Any], scope: Scope) -> list[Value]:
    """Those that are functions; others only serve frameworks, which evaluate them themselves."""
    result: list[Value] = []
    for expression in reversed(written):
        is_call = expression[0] == "c"
        value = evaluator.value(expression[1] if is_call else expression, scope)
        if is_call and isinstance(value, (Closure, DecoratorFunction)):
            value = evaluator.value(expression, scope)
        if isinstance(value, (Closure, DecoratorFunction)):
            result.append(value)
    return result


def construct(evaluator: "Evaluator", callee: ClassValue | Closure, arguments: list[Argument]) -> Value:
    if isinstance(callee, Closure):
        instance = Obj(parent=callee.props.setdefault("prototype", Obj()))
        result = evaluator.call_function(callee, arguments, instance)
        return result if isinstance(result, (Obj, Native, Closure)) else instance
    instance = Obj(parent=callee)
    if len(evaluator.active) > DEEPEST_CALLS:
        return instance
    result = _initialise(evaluator, callee, instance, arguments)
    return result if isinstance(result, (Obj, Native, Closure)) and result is not instance else instance


def _initialise(evaluator: "Evaluator", klass: ClassValue, instance: Obj, arguments: list[Argument]) -> Value:
    evaluator.constructed.add(id(klass.node))
    base = evaluator.force(klass.base)
    constructor = klass.methods.get("constructor")
    if constructor is None or constructor.body is None:
        if base is not None:
            _initialise_base(evaluator, base, instance, arguments)
        _set_fields(evaluator, klass, instance)
        return UNDEFINED
    if base is None:
        _set_fields(evaluator, klass, instance)
    return evaluator.call_function(constructor, arguments, instance)


def _initialise_base(evaluator: "Evaluator", base: Value, instance: Obj, arguments: list[Argument]) -> None:
    if isinstance(base, ClassValue):
        _initialise(evaluator, base, instance, arguments)
    elif isinstance(base, Closure):
        evaluator.call_function(base, arguments, instance)
    elif isinstance(base, Native):
        made = base.invoke(Call(evaluator, arguments, *evaluator.call_site))
        instance.base = made if isinstance(made, Native) else instance.base


def super_call(evaluator: "Evaluator", arguments: list[Argument], scope: Scope) -> None:
    """`super(...)`"""
    home = evaluator.lookup("%class", scope)
    this = evaluator.force(evaluator.lookup("this", scope))
    if isinstance(home, ClassValue) and isinstance(this, Obj):
        _initialise_base(evaluator, evaluator.force(home.base), this, arguments)
        _set_fields(evaluator, home, this)


def _set_fields(evaluator: "Evaluator", klass: ClassValue, instance: Obj) -> None:
    scope = Scope({"this": instance, "%class": klass}, klass.scope, klass.scope.module)
    for kind, key, static, value, *_ in klass.members:
        if kind == "field" and not static and value != ["u"]:
            instance.props[evaluator.key(key, scope)] = evaluator.raw(value, scope)
