"""What of a tree is evaluated, and in which order: what starts the program, every root, and what nobody was seen to
call."""

import posixpath
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias, TypeVar

from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator
from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import (
    PYTHON_STACK,
    STEPS_AT_ONCE,
    STEPS_OF_UNCALLED,
    Exhausted,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Argument,
    ClassValue,
    Closure,
    Native,
    Unknown,
)

T = TypeVar("T", Closure, ClassValue)
Adopter: TypeAlias = Callable[[str, str], Native | None]
"""Of a parameter's name and type: what it will be, when nobody is seen to call the function."""
Starter: TypeAlias = Callable[[Evaluator], Any]
"""Starts what a framework's own command starts."""

_ENTRY = re.compile(r"^(index|server|app|main|start|www|bootstrap|cluster|run|bin)\.([cm]?js|[cm]?ts)$")
_PLACES = ("", "src", "lib", "bin", "app", "server", "api", "backend", "src/server", "src/bin", "server/src", "api/src")


class Program:
    """`faults`: `(file, message)` of what was not followed to its end."""

    def __init__(self, evaluator: Evaluator, adopters: Iterable[Adopter], starters: Iterable[Starter]) -> None:
        self.evaluator = evaluator
        self.faults: list[tuple[str, str]] = []
        self._adopters = tuple(adopters)
        self._starters = tuple(starters)
        self._adopted: list[tuple[Native, int]] = []
        """What stands for parameters, each with its function."""
        self._made_alone: list[tuple[Native, int, int]] = []
        """What functions made that nobody was seen to call, and how often they were called by then: somebody may be
        seen later, and what they made is what counts."""

    def run(self) -> None:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, PYTHON_STACK))
        try:
            self._run_starts()
            self._run_uncalled()
            self._drop_stand_ins()
        finally:
            self.evaluator.is_over = True
            sys.setrecursionlimit(limit)

    # what is loaded

    def _run_starts(self) -> None:
        starts = self._starts()
        self.evaluator.budget.free_files.update(starts)
        for path in starts:
            self._guarded(path, partial(self.evaluator.modules.load, path))
        for starter in self._starters:
            self._guarded("", partial(starter, self.evaluator))

    def _starts(self) -> list[str]:
        """In order: files that by their name and place start a program, as modules run in the order in which it loads
        them; the roots; and files beside the roots that by their name may bring together what these declare."""
        roots = self.evaluator.sources.roots
        folders = {self.evaluator.resolver.package_folder(root) for root in roots}
        places = sorted({posixpath.join(folder, inner) for folder in folders for inner in _PLACES})
        beside = sorted({posixpath.dirname(root) for root in roots})
        return list(dict.fromkeys([*self._entries(places), *roots, *self._entries(beside)]))

    def _entries(self, folders: list[str]) -> Iterator[str]:
        for folder in folders:
            for name, is_folder in self.evaluator.resolver.listing(folder).items():
                if not is_folder and _ENTRY.match(name):
                    yield posixpath.join(folder, name)

    def _guarded(self, path: str, run: Callable[[], Any], steps: int = STEPS_AT_ONCE) -> bool:
        """Whether it came to its end."""
        evaluator = self.evaluator
        evaluator.active.clear()
        evaluator.possible_returns.clear()
        evaluator.first_calls = []
        try:
            with evaluator.budget.granted(steps):
                run()
        except Exhausted:
            if steps > STEPS_OF_UNCALLED:
                self.faults.append((path, "it takes too many steps to follow"))
            return False
        except RecursionError:
            self.faults.append((path, "it is nested too deeply to follow"))
        return True

    # what nobody was seen to call

    def _run_uncalled(self) -> None:
        """Those first that tell most of what they are for. Functions that are not short are called only when nobody
        was seen to call them by the end, not even one of the others."""
        calls = self.evaluator.calls
        for function in self._closures():
            if function.makes_application:
                self._alone(function, partial(self._call_adopter, function, always=True))
        for klass in self._of_roots(self.evaluator.classes):
            self._alone(klass, partial(self._construct, klass))
        for function in self._closures():
            self._alone(function, partial(self._call_adopter, function))
        unfinished: list[tuple[Closure, list[int]]] = []
        for function in self._closures():
            if not self._alone(function, partial(self.evaluator.call_back, function), STEPS_OF_UNCALLED):
                unfinished.append((function, self.evaluator.first_calls))
        for function, first_calls in unfinished:
            for key in first_calls:
                calls[key] = 0
            self._alone(function, partial(self.evaluator.call_back, function))

    def _closures(self) -> list[Closure]:
        return self._of_roots(self.evaluator.closures.values())

    def _of_roots(self, made: Iterable[T]) -> list[T]:
        """As they are before the first of them is called."""
        roots = set(self.evaluator.sources.roots)
        return [each for each in made if each.scope.module.path in roots]

    def _alone(self, orphan: Closure | ClassValue, run: Callable[[], Any], steps: int = STEPS_AT_ONCE) -> bool:
        """Whether it came to its end."""
        handles = self.evaluator.handles
        known = len(handles)
        ended = self._guarded(orphan.scope.module.path, run, steps)
        key = id(orphan.node)
        self._made_alone += [(native, key, self.evaluator.calls[key]) for native in handles[known:]]
        return ended

    def _call_adopter(self, function: Closure, *, always: bool = False) -> None:
        """A function whose parameters say what it wants; `always`: even when they do not."""
        if id(function.node) in self.evaluator.calls or function.body is None:
            return
        adopted = [self._adopt(parameter, function) for parameter in function.parameters]
        if always or any(native is not None for native in adopted):
            values = [
                native if native is not None else UNDEFINED if isinstance(parameter, list) else Unknown()
                for native, parameter in zip(adopted, function.parameters, strict=True)
            ]
            self.evaluator.call_function(function, list(map(Argument.of, values)), function.this)

    def _adopt(self, parameter: Any, function: Closure) -> Native | None:
        if isinstance(parameter, list) and parameter[0] == "d":
            if parameter[2][0] in ("c", "n"):
                return None  # it is made when it is not given
            parameter = parameter[1]
        if not isinstance(parameter, str):
            return None
        type_name = function.types.get(parameter, "")
        native = next((native for adopt in self._adopters if (native := adopt(parameter, type_name))), None)
        if native is not None:
            self.evaluator.handles.append(native)
            self._adopted.append((native, id(function.node)))
        return native

    def _construct(self, klass: ClassValue) -> None:
        """A class of which nobody was seen to make an instance. Frameworks make those that are decorated."""
        evaluator = self.evaluator
        if id(klass.node) not in evaluator.constructed and not klass.decorators:
            instance = evaluator.construct(klass, [])
            for function in list(klass.methods.values()):
                if id(function.node) not in evaluator.calls:
                    self._call_adopter(Closure(function.node, function.scope, instance))

    def _drop_stand_ins(self) -> None:
        """What was made for want of a caller, when there was one after all."""
        calls = self.evaluator.calls
        called = {id(native) for native, key in self._adopted if calls[key] > 1}
        called |= {id(native) for native, key, times in self._made_alone if calls[key] > times}
        self.evaluator.handles = [native for native in self.evaluator.handles if id(native) not in called]
