"""Runs modules without running them: an evaluator that follows what is known and passes over the rest.

What decides which routes there are (strings, lists, functions, classes, imports, loops over lists) is followed as the
language says; what is not known is `Unknown`. Each concern has its file: `modules`, `statements`, `expressions`,
`assignment`, `members`, `calls`, `classes`, `limits`; `program` says what is evaluated, and in which order.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from backend.app.modules.endpoints.discovery.source import Sources
from backend.app.modules.endpoints.discovery.source.languages.javascript import (
    assignment,
    calls,
    classes,
    members,
    statements,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.globals import globals_of
from backend.app.modules.endpoints.discovery.source.languages.javascript.expressions import EXPRESSIONS
from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import (
    STEPS_OF_UNCALLED,
    Budget,
    Exhausted,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.modules import Modules, Package
from backend.app.modules.endpoints.discovery.source.languages.javascript.resolve import Resolver
from backend.app.modules.endpoints.discovery.source.languages.javascript.settings import Settings
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    ClassValue,
    Closure,
    Lazy,
    Native,
    Scope,
    Unknown,
    Value,
)


class Evaluator:
    """The state of a program. Its methods are functions of the files that the module's docstring names."""

    def __init__(self, sources: Sources, packages: dict[str, Package]) -> None:
        self.sources = sources
        self.resolver = Resolver(sources)
        self.settings = Settings(self)
        self.modules = Modules(self, packages)
        self.budget = Budget(sources)
        self.globals = globals_of(self)
        self.handles: list[Native] = []
        """What frameworks made, in the order of the program."""
        self.classes: list[ClassValue] = []
        self.constructed: set[int] = set()
        """Classes of which there was an instance, by the identity of their node."""
        self.closures: dict[int, Closure] = {}
        """By the identity of their node, the first one of each."""
        self.calls: Counter[int] = Counter()
        """Of functions, by the identity of their node."""
        self.first_calls: list[int] = []
        """Functions that nobody called before what runs at present began."""
        self.active: list[int] = []
        """The functions on the stack."""
        self.possible_returns: list[list[Value]] = []
        """For each call on the stack, what it gives if it ended where that cannot be told."""
        self.call_site: tuple[str, int] = ("", 0)
        """File and line of the innermost call of a function."""
        self.is_over = False
        """Whether the program was followed to its end; what is asked later is cut off quietly."""

    execute = statements.execute
    block = statements.block
    assign = assignment.assign
    member = members.member
    raw_member = members.raw_member
    entries = members.entries
    iterate = members.iterate
    call = calls.call
    call_member = calls.call_member
    call_values = calls.call_values
    call_back = calls.call_back
    call_function = calls.call_function
    construct = classes.construct
    key = classes.key

    def value(self, node: list[Any], scope: Scope) -> Value:
        return self.force(self.raw(node, scope))

    def raw(self, node: list[Any], scope: Scope) -> Value:
        """The value of an expression; `Lazy` when all it does is to name something of another module."""
        return EXPRESSIONS[node[0]](self, node, scope)

    def force(self, value: Value) -> Value:
        while isinstance(value, Lazy):
            make = value.make
            value.make = partial(Unknown, value.label)  # a ring of imports ends
            try:
                found = self.force(make())
            except (Exhausted, RecursionError):
                if not self.is_over:
                    raise
                found = Unknown(value.label)
            value.make = partial(_itself, found)
            value = found
        return value

    def lookup(self, name: str, scope: Scope | None) -> Value:
        """What a name stands for; may be `Lazy`."""
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return self.globals.get(name, Unknown(name))

    @contextmanager
    def empty_stack(self) -> Iterator[None]:
        """For a module: what it does is not part of the calls during which it happens to be loaded."""
        active, possible_returns = self.active, self.possible_returns
        self.active, self.possible_returns = [], []
        try:
            yield
        finally:
            self.active, self.possible_returns = active, possible_returns

    def beside(self, run: Callable[[], Value]) -> Value:
        """What a framework evaluates once the whole was run; not known where it takes too many steps."""
        self.budget.steps = max(self.budget.steps, STEPS_OF_UNCALLED)
        try:
            return run()
        except (Exhausted, RecursionError):
            return Unknown()


def _itself(value: Value) -> Value:
    return value
