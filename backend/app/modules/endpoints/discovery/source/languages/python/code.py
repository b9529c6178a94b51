"""The modules of a repository, evaluated.

Every statement of the roots is followed, and at the end the functions that add routes to something and that nobody was
seen to call. Of other modules that is followed which somebody asks for, and what may change something else. The
frameworks read their routes off what was done with the objects of their packages.
"""

from collections import defaultdict
from functools import partial
from typing import Any

from backend.app.modules.endpoints.discovery.source import Sources
from backend.app.modules.endpoints.discovery.source.languages.python.evaluate import (
    MOST_STEPS,
    MOST_STEPS_A_ROOT,
    Evaluator,
    TooMuch,
)
from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    Attribute,
    Call,
    Function,
    Scope,
    Unknown,
    Value,
)


class Code(Evaluator):
    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._calls_of: dict[str, list[int]] = defaultdict(list)
        """Positions in `calls` by the outside classes, up to `_known_calls`."""
        self._known_calls = 0
        self._run()

    def _run(self) -> None:
        # Settings first: they decide what is declared on a condition.
        for path in sorted(self.sources.roots, key=lambda path: "settings" not in path):
            if "settings" not in path:
                self.django.prepare()
            self.guarded(path, 0, partial(self.execute, self.module(path)))
        # What builds an application on its own first: it calls the others.
        functions = [function for function in self.functions if function.builds and function.module.is_root]
        for function in sorted(functions, key=_needed):
            if not function.called and not function.owner and not _is_handler(function):
                self.guarded(function.module.path, function.line, partial(self.call_alone, function))
        for made in [found for found in self.classes if found.module.is_root]:
            methods = [value for value in made.scope.variables.values() if isinstance(value, Function)]
            waiting = [method for method in methods if method.builds and not method.called and not _is_handler(method)]
            if waiting and not made.made:
                self.guarded(made.module.path, made.line, partial(self.exercise, made, waiting))

    # For the frameworks

    def evaluate_apart(self, node: list[Any], scope: Scope) -> Value:
        """An expression that the program evaluates elsewhere, such as an annotation; unknown when it takes too long."""
        self._allowed = min(self._steps + MOST_STEPS_A_ROOT, MOST_STEPS)
        try:
            return self.evaluate(node, scope)
        except (TooMuch, RecursionError):
            return Unknown("...")

    def returned(self, function: Function, arguments: list[Value]) -> Value:
        """What a function that the framework calls gives; unknown when it takes too long."""
        result: list[Value] = []
        self.guarded(
            function.module.path,
            function.line,
            lambda: result.append(self._run_function(function, arguments, {}, alone=True)),
        )
        return result[0] if result else Unknown(f"{function.name}()")

    def objects(self, names: frozenset[str]) -> list[Call]:
        """Made of an outside class of one of these names, or of a class that comes from it."""
        for number in range(self._known_calls, len(self.calls)):
            for name in self.external_bases(self.calls[number]):
                self._calls_of[name].append(number)
        self._known_calls = len(self.calls)
        return [self.calls[number] for number in sorted({n for name in names for n in self._calls_of.get(name, ())})]

    def construction(self, made: Call) -> Call:
        """The call that gave the outside class its arguments: `super().__init__(...)` in a subclass, else itself."""
        for call in made.calls:
            if isinstance(call.function, Attribute) and call.function.name == "__init__":
                return call
        return made


def _needed(function: Function) -> int:
    """Parameters without a default."""
    return sum(kind not in ("*", "**") and default is None for _, kind, _, default in function.parameters)


def _is_handler(function: Function) -> bool:
    """Of requests: it is decorated as one, or gets one."""
    return any(name == "request" for name, *_ in function.parameters[:2]) or any(
        isinstance(decorator, Call) and isinstance(decorator.function, Attribute)
        for decorator, _ in function.decorators
    )
