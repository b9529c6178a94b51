"""Calls of functions: of the program, of frameworks and of the language, and of what is not known.

Functions that are given to something unknown are called once.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from backend.app.modules.endpoints.discovery.source.languages.javascript.assignment import name_of
from backend.app.modules.endpoints.discovery.source.languages.javascript.classes import super_call
from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import (
    DEEPEST_CALLS,
    DEEPEST_RECURSION,
    Exhausted,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.operators import best
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    UNKNOWN_METHOD,
    Argument,
    BoundMethod,
    Call,
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
    native_of,
    text_of,
    value_label,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator

_WRAPPER = re.compile(r"promisify|callbackify|wrap|once|memo|async|plugin", re.IGNORECASE)
"""Names of functions that give back, in other clothes, the function they are given."""
_SUPER = ["i", "super"]
_REQUIRE = ["i", "require"]
_FORWARDING = ("call", "apply", "bind")


@dataclass(frozen=True, slots=True)
class Return:
    value: Value


Completion: TypeAlias = Return | str | None
"""See `statements`."""


def call_expression(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    _, written, arguments, line = node
    path = scope.module.path
    if written == _REQUIRE and arguments and arguments[0][0] == "s" and arguments[0][1].startswith("."):
        name = arguments[0][1]
        return Lazy(partial(evaluator.modules.imported, path, name), name)
    evaluator.budget.spend()
    if written == _SUPER:
        super_call(evaluator, arguments_of(evaluator, arguments, scope), scope)
        return UNDEFINED
    call = Call(evaluator, arguments_of(evaluator, arguments, scope), path, line)
    if written[0] not in ("m", "x") or written[1] == _SUPER:
        return evaluator.call(evaluator.value(written, scope), call)
    owner = evaluator.value(written[1], scope)
    if written[0] == "m":
        return evaluator.call_member(owner, written[2], call)
    index = evaluator.value(written[2], scope)
    if isinstance(index, Unknown) and isinstance(owner, Native):
        return owner.call(UNKNOWN_METHOD, call)
    return evaluator.call_member(owner, text_of(index), call)


def call_member(evaluator: "Evaluator", owner: Value, name: str, call: Call) -> Value:
    """`owner.name(...)`"""
    if isinstance(owner, NativeFunction) or (isinstance(owner, Native) and name not in _FORWARDING):
        own = owner.get(name, evaluator) if not isinstance(owner, NativeFunction) or name in owner.props else None
        if isinstance(own, BoundMethod) or own is None:
            return owner.call(name, call)
        return evaluator.call(own, call)
    if name in _FORWARDING:
        if isinstance(owner, Closure) and name not in owner.props:
            return _forward(evaluator, owner, name, call)
        if isinstance(owner, BoundMethod):
            return owner if name == "bind" else owner.owner.call(owner.name, call.forwarded(name))
    if isinstance(owner, Unknown):
        return _call_unknown(owner, name, call)
    return evaluator.call(evaluator.member(owner, name), call)


def call(evaluator: "Evaluator", callee: Value, call: Call) -> Value:
    callee = evaluator.force(callee)
    if isinstance(callee, Closure):
        if callee.body is None:
            call.run_callbacks()
            return Unknown(callee.name, call.carried())
        return evaluator.call_function(callee, call.arguments, callee.this, call)
    if isinstance(callee, BoundMethod):
        return callee.owner.call(callee.name, call)
    if isinstance(callee, Native):
        return callee.invoke(call)
    if isinstance(callee, Obj) and callee.base is not None:
        return callee.base.invoke(call)
    if isinstance(callee, Obj) and isinstance(default := evaluator.member(callee, "default"), (Closure, Native)):
        return evaluator.call(default, call)  # a module that was imported as if it were its default export
    label = value_label(callee)
    if len(call) == 1 and _WRAPPER.search(label) and isinstance(wrapped := call.value(0), Closure):
        return wrapped
    call.run_callbacks()
    return Unknown(label, call.carried() if isinstance(callee, Unknown) else ())


def _call_unknown(owner: Unknown, name: str, call: Call) -> Value:
    if name in ("then", "catch", "finally"):
        call.run_callbacks()
        return owner
    if name in ("get", "getOrThrow") and len(call) > 1:
        default = call.value(1)
        if isinstance(default, (str, int, float, bool)):
            return default  # the settings of an application, and the default of one of them
    if len(call) == 1 and _WRAPPER.search(name) and isinstance(wrapped := call.value(0), Closure):
        return wrapped
    native = native_of(owner)
    if native is not None and native.is_meant(name, call):
        native.call(name, call)
        return owner
    call.run_callbacks()
    return Unknown(f"{owner.label}.{name}" if owner.label else name, call.carried() + owner.carried)


def _forward(evaluator: "Evaluator", function: Closure, method: str, call: Call) -> Value:
    this = call.value(0)
    if method == "bind":
        return Closure(function.node, function.scope, this, function.props, function.bound + tuple(call.raws()[1:]))
    return evaluator.call_function(function, call.forwarded(method).arguments, this)


def arguments_of(evaluator: "Evaluator", nodes: list[Any], scope: Scope) -> list[Argument]:
    result: list[Argument] = []
    for node in nodes:
        if node[0] == "...":
            result += map(Argument.of, evaluator.iterate(evaluator.value(node[1], scope)) or ())
        else:
            result.append(Argument(node, scope))
    return result


def call_back(evaluator: "Evaluator", function: Closure) -> Value:
    """Of a function that is given to something unknown; nothing, when it was called already."""
    if id(function.node) in evaluator.calls:
        return UNDEFINED
    return evaluator.call_function(function, [], function.this)


def call_values(evaluator: "Evaluator", callee: Value, *values: Value) -> Value:
    return evaluator.call(callee, Call(evaluator, list(map(Argument.of, values)), *evaluator.call_site))


def call_function(
    evaluator: "Evaluator",
    function: Closure,
    arguments: list[Argument],
    this: Value = UNDEFINED,
    call: Call | None = None,
) -> Value:
    """Without `call` and arguments it is not known what it is called with."""
    if function.body is None:
        return Unknown(function.name)
    key = id(function.node)
    if not evaluator.calls[key]:
        evaluator.first_calls.append(key)
    evaluator.calls[key] += 1
    if len(evaluator.active) > DEEPEST_CALLS or evaluator.active.count(key) >= DEEPEST_RECURSION:
        return Unknown(function.name)
    scope = _function_scope(evaluator, function, arguments, this, is_known=call is not None or bool(arguments))
    evaluator.active.append(key)
    evaluator.possible_returns.append([])
    call_site = evaluator.call_site
    if call is not None:
        evaluator.call_site = (call.file, call.line)
    allowance = evaluator.budget.begin_call(scope.module.path)
    try:
        completion = evaluator.block(function.body, scope)
    except (Exhausted, RecursionError) as error:
        if not evaluator.is_over and not (allowance.is_own and isinstance(error, Exhausted)):
            raise
        completion = Return(Unknown(function.name))
    finally:
        evaluator.budget.end_call(allowance)
        evaluator.active.pop()
        returned = evaluator.possible_returns.pop()
        evaluator.call_site = call_site
    if isinstance(completion, Return):
        returned.append(completion.value)
    if not returned:
        return UNDEFINED
    return returned[0] if len(returned) == 1 else best([evaluator.force(value) for value in returned])


def _function_scope(
    evaluator: "Evaluator", function: Closure, arguments: list[Argument], this: Value, *, is_known: bool
) -> Scope:
    scope = Scope({}, function.scope, function.scope.module)
    values = [*function.bound, *(argument.raw(evaluator) for argument in arguments)]
    if not function.is_arrow:
        scope.names.update({"this": this, "arguments": values})
    for index, pattern in enumerate(function.parameters):
        if isinstance(pattern, list) and pattern[0] == "...":
            value: Value = values[index:] if is_known else Unknown()
            pattern = pattern[1]
        elif index < len(values):
            value = values[index]
        else:
            value = UNDEFINED if is_known else Unknown(name_of(pattern))
        evaluator.assign(pattern, value, scope, declare=True)
    return scope


def make_closure(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Closure:
    function = Closure(node, scope)
    evaluator.closures.setdefault(id(node), function)
    return function


def new_expression(evaluator: "Evaluator", node: list[Any], scope: Scope) -> Value:
    evaluator.budget.spend()
    callee = evaluator.value(node[1], scope)
    arguments = arguments_of(evaluator, node[2], scope)
    if isinstance(callee, (ClassValue, Closure)):
        return evaluator.construct(callee, arguments)
    if isinstance(callee, Namespace) and isinstance(
        default := evaluator.member(callee, "default"), (ClassValue, Closure)
    ):
        return evaluator.construct(default, arguments)
    return evaluator.call(callee, Call(evaluator, arguments, scope.module.path, node[3]))
