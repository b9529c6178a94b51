"""Statements. Of a branch whose condition is not known both sides are taken.

What comes of a statement is its completion, as the language's standard calls it: None when the next statement follows,
a `Return`, or `BREAK`, `CONTINUE` or `THROW`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from backend.app.modules.endpoints.discovery.source.languages.javascript.calls import Completion, Return, make_closure
from backend.app.modules.endpoints.discovery.source.languages.javascript.classes import make_class
from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import MOST_ROUNDS
from backend.app.modules.endpoints.discovery.source.languages.javascript.modules import (
    export_all,
    export_declaration,
    export_names,
    export_value,
    import_statement,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.operators import best, equal, truth
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    ClassValue,
    Obj,
    Scope,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator

BREAK, CONTINUE, THROW = "break", "continue", "throw"


def block(evaluator: "Evaluator", statements: list[Any], scope: Scope) -> Completion:
    """Functions are declared before the first statement runs."""
    for statement in statements:
        if statement[0] == "exd":
            statement = statement[1]
        elif statement[0] == "{" and len(statement) > 2:
            statement = statement[1][0]
        if statement[0] == "fn":
            scope.names[statement[1][1]] = make_closure(evaluator, statement[1], scope)
    for statement in statements:
        completion = evaluator.execute(statement, scope)
        if completion is not None:
            return completion
    return None


def _inner_block(evaluator: "Evaluator", statements: list[Any], scope: Scope) -> Completion:
    return evaluator.block(statements, scope.block())


def execute(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> Completion:
    evaluator.budget.spend()
    return STATEMENTS[statement[0]](evaluator, statement, scope)


def _var(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> None:
    """As `let`, but for the whole function."""
    _declare(evaluator, statement, scope, scope.of_function)


def _let(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> None:
    _declare(evaluator, statement, scope, scope)


def _declare(evaluator: "Evaluator", statement: list[Any], scope: Scope, home: Scope) -> None:
    for pattern, initial in statement[1]:
        if initial is None:
            if isinstance(pattern, str):
                home.names.setdefault(pattern, UNDEFINED)
            continue
        value = evaluator.raw(initial, scope)
        if isinstance(pattern, str):
            if isinstance(value, ClassValue) and not value.variable:
                value.variable = pattern
            home.names[pattern] = value
        else:
            evaluator.assign(pattern, value, home, declare=True)


def _expression(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> None:
    evaluator.value(statement[1], scope)


def _return(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> Completion:
    return Return(UNDEFINED if statement[1] is None else evaluator.raw(statement[1], scope))


def _abrupt(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> Completion:
    return str(statement[0])


def _if(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> Completion:
    known = truth(evaluator.value(statement[1], scope))
    if known is not None:
        return _inner_block(evaluator, statement[2] if known else statement[3], scope)
    return _either(evaluator, [_inner_block(evaluator, branch, scope) for branch in statement[2:4]])


def _either(evaluator: "Evaluator", completions: list[Completion]) -> Completion:
    """After branches of which one was taken, we know not which: only when all return, this does."""
    returned = [completion.value for completion in completions if isinstance(completion, Return)]
    if returned and len(returned) == len(completions):
        return Return(best(returned))
    if evaluator.possible_returns:
        evaluator.possible_returns[-1] += returned
    return None


def _of(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> Completion:
    values = evaluator.iterate(evaluator.value(statement[2], scope))
    return _each(evaluator, statement, scope, values)


def _in(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> Completion:
    value = evaluator.value(statement[2], scope)
    if isinstance(value, list):
        keys: list[Value] | None = [str(index) for index in range(len(value))]
    else:
        keys = [key for key, _ in evaluator.entries(value)] if isinstance(value, Obj) else None
    return _each(evaluator, statement, scope, keys)


def _each(evaluator: "Evaluator", statement: list[Any], scope: Scope, values: list[Value] | None) -> Completion:
    for value in [Unknown()] if values is None else values:
        evaluator.budget.spend()
        inner = scope.block()
        evaluator.assign(statement[1], value, inner, declare=True)
        completion = evaluator.block(statement[3], inner)
        if completion == BREAK:
            break
        if isinstance(completion, Return) or completion == THROW:
            return completion if values is not None else _either(evaluator, [completion, None])
    return None


def _loop(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> Completion:
    _, before, condition, after, body = statement
    outer = scope.block()
    evaluator.block(before, outer)
    for _ in range(MOST_ROUNDS):
        evaluator.budget.spend()
        known = True if condition is None else truth(evaluator.value(condition, outer))
        if known is False:
            break
        completion = _inner_block(evaluator, body, outer)
        if completion == BREAK:
            break
        if isinstance(completion, Return) or completion == THROW:
            return completion if known else _either(evaluator, [completion, None])
        if known is None:
            break
        if after is not None:
            evaluator.value(after, outer)
    return None


def _braces(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> Completion:
    is_open = len(statement) > 2
    return evaluator.block(statement[1], scope) if is_open else _inner_block(evaluator, statement[1], scope)


def _fn(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> None:
    """Done when its block began."""


def _class(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> None:
    scope.names[statement[1][1]] = make_class(evaluator, statement[1], scope)


def _switch(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> Completion:
    subject = evaluator.value(statement[1], scope)
    inner = scope.block()
    cases = statement[2]
    matches = [None if test is None else equal(subject, evaluator.value(test, inner)) for test, _ in cases]
    if all(match is not None or case[0] is None for match, case in zip(matches, cases, strict=True)):
        chosen = next((index for index, match in enumerate(matches) if match), None)
        if chosen is None:
            chosen = next((index for index, case in enumerate(cases) if case[0] is None), len(cases))
        for _, body in cases[chosen:]:
            completion = evaluator.block(body, inner)
            if completion is not None:
                return None if completion == BREAK else completion
        return None
    return _either(evaluator, [*(evaluator.block(body, inner) for _, body in cases), None])


def _try(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> Completion:
    """The handler is taken unless the body returned: what the calls in it throw is not followed."""
    _, body, handler, finalizer = statement
    completion = _inner_block(evaluator, body, scope)
    handled = None
    if completion is None or completion == THROW:
        handled = _either(evaluator, [_inner_block(evaluator, handler, scope), None])
    final = _inner_block(evaluator, finalizer, scope)
    return final if final is not None else handled if completion == THROW else completion


STATEMENTS: dict[str, Callable[["Evaluator", list[Any], Scope], Completion]] = {
    "let": _let,
    "var": _var,
    "e": _expression,
    "r": _return,
    "throw": _abrupt,
    "break": _abrupt,
    "continue": _abrupt,
    "if": _if,
    "of": _of,
    "in": _in,
    "loop": _loop,
    "{": _braces,
    "fn": _fn,
    "class": _class,
    "switch": _switch,
    "try": _try,
    "im": import_statement,
    "ex": export_names,
    "ex*": export_all,
    "exd": export_declaration,
    "export": export_value,
}
