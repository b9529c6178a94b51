"""Packages that everybody uses, as far as they decide which routes there are."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.arrays import ARRAY_METHODS, is_array
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.loaders import (
    desm_module,
    folder_module,
    glob_module,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.node import (
    fs_module,
    module_module,
    path_module,
    url_module,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.objects import (
    assign,
    clone,
    entries,
    merge,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    Call,
    NativeFunction,
    Obj,
    Unknown,
    Value,
    native_functions,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator


def _lodash(evaluator: "Evaluator") -> Value:
    def over(method: str) -> Callable[[Call], Value]:
        def run(call: Call) -> Value:
            items = call.value(0)
            inner = Call(call.evaluator, call.arguments[1:], call.file, call.line)
            if isinstance(items, list):
                return ARRAY_METHODS[method](items, inner)
            if isinstance(items, Obj):
                made = []
                for key, value in call.evaluator.entries(items):
                    made.append(call.evaluator.force(call.evaluator.call_values(inner.value(0), value, key)))
                return made
            inner.run_callbacks()
            return Unknown("lodash")

        return run

    same = {name: name for name in ("map", "filter", "find", "reduce", "some", "every", "concat", "includes", "join")}
    names = {
        **same,
        "forEach": "forEach",
        "each": "forEach",
        "forOwn": "forEach",
        "flatten": "flat",
        "flatMap": "flatMap",
    }
    functions = {name: over(method) for name, method in names.items()}
    functions |= dict.fromkeys(("assign", "extend"), assign)
    functions |= dict.fromkeys(("merge", "mergeWith"), merge)
    functions |= dict.fromkeys(("sortBy", "orderBy", "uniq", "uniqBy", "clone"), lambda call: call.value(0))
    functions |= dict.fromkeys(("flow", "pipe"), _flow)
    functions["cloneDeep"] = lambda call: clone(call.value(0), call.evaluator)
    functions["isArray"] = is_array
    functions["keys"] = lambda call: entries(call, lambda key, value: key)
    functions["values"] = lambda call: entries(call, lambda key, value: value)
    return NativeFunction(lambda call: call.value(0), native_functions(functions), "_")


def _flow(call: Call) -> Value:
    """`flow(f, g)`: what gives `g(f(x))` for `x`."""
    functions = [each for value in call.values() for each in (value if isinstance(value, list) else [value])]

    def run(inner: Call) -> Value:
        return _applied(inner.value(0), functions, inner.evaluator)

    return NativeFunction(run, name="flow")


def _applied(value: Value, functions: list[Value], evaluator: "Evaluator") -> Value:
    for function in functions:
        value = evaluator.force(evaluator.call_values(function, value))
    return value


def _functional_module(evaluator: "Evaluator") -> Value:
    """`pipe(x, f, g)` of `fp-ts`."""
    pipe: Callable[[Call], Value] = lambda call: _applied(call.value(0), call.values()[1:], call.evaluator)  # noqa: E731
    return Obj(native_functions({"pipe": pipe, "flow": _flow}))


PACKAGES: dict[str, Callable[["Evaluator"], Value]] = {
    "path": path_module,
    "fs": fs_module,
    "fs/promises": fs_module,
    "fs-extra": fs_module,
    "url": url_module,
    "module": module_module,
    "desm": desm_module,
    "auto-load": folder_module,
    "require-all": folder_module,
    "require-dir": folder_module,
    "require-directory": folder_module,
    "requireindex": folder_module,
    "glob": glob_module,
    "fast-glob": glob_module,
    "globby": glob_module,
    "tiny-glob": glob_module,
    "es-toolkit": _lodash,
    "es-toolkit/compat": _lodash,
    "lodash": _lodash,
    "lodash-es": _lodash,
    "lodash/fp": _lodash,
    "ramda": _lodash,
    "fp-ts/function": _functional_module,
    "fp-ts/lib/function": _functional_module,
    "underscore": _lodash,
}
