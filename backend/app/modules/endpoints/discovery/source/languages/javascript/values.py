"""What expressions evaluate to.

Numbers, booleans and texts are Python's; `None` is `null`; an array is a `list`. A text may hold parts that are not
known: `unknown_part(label)`. Nodes (`list[Any]`) are those of `syntax`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import MOST_ITEMS, MOST_TEXT

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator
    from backend.app.modules.endpoints.discovery.source.languages.javascript.modules import Module

Value: TypeAlias = Any
UNKNOWN_METHOD = "%unknown"
"""The name that a native object is given when a method is called whose name is not known: `app[method](...)`."""
_OPEN, _CLOSE = "\ue000", "\ue001"
_LONG = "a long text"
_PART = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")


class Undefined:
    __slots__ = ()

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = Undefined()


@dataclass(slots=True)
class Unknown:
    """Something that cannot be told without running the program. `carried`: what was given to the unknown function
    that made it, of which it may be a wrapper."""

    label: str = ""
    carried: tuple[Value, ...] = ()


@dataclass(slots=True, eq=False)
class Lazy:
    """A value that is made when it is needed, as a module that is imported but only mentioned."""

    make: Callable[[], Value]
    label: str = ""


@dataclass(slots=True, eq=False)
class Obj:
    props: dict[str, Value] = field(default_factory=dict)
    parent: "Obj | ClassValue | None" = None
    """Where properties are looked up that are not its own: the class of an instance, or a prototype."""
    base: "Native | None" = None
    """What it is besides, when its class extends one of a framework."""


@dataclass(slots=True, eq=False)
class Namespace(Obj):
    """What a module exports. `stars`: the modules it exports everything of."""

    stars: list[Lazy] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Scope:
    names: dict[str, Value]
    parent: "Scope | None"
    module: "Module"
    is_block: bool = False

    @property
    def of_function(self) -> "Scope":
        """The innermost function's, or the module's."""
        scope = self
        while scope.is_block and scope.parent is not None:
            scope = scope.parent
        return scope

    def block(self) -> "Scope":
        return Scope({}, self, self.module, True)


@dataclass(slots=True, eq=False)
class Closure:
    """A function of the program."""

    node: list[Any]
    scope: Scope
    this: Value = UNDEFINED
    props: dict[str, Value] = field(default_factory=dict)
    bound: tuple[Value, ...] = ()
    """The arguments that `bind` gave."""

    @property
    def name(self) -> str:
        return str(self.node[1])

    @property
    def parameters(self) -> list[Any]:
        """Patterns."""
        return self.node[2]  # type: ignore[no-any-return]

    @property
    def body(self) -> list[Any] | None:
        """None: it was left out, as it declares no routes."""
        return self.node[3]  # type: ignore[no-any-return]

    @property
    def is_arrow(self) -> bool:
        return bool(self.node[5])

    @property
    def makes_application(self) -> bool:
        return bool(self.node[6])

    @property
    def types(self) -> dict[str, str]:
        """Of parameters that are plain names, as they are written."""
        return self.node[7]  # type: ignore[no-any-return]


@dataclass(slots=True, eq=False)
class ClassValue:
    node: list[Any]
    scope: Scope
    base: Value = None
    props: dict[str, Value] = field(default_factory=dict)
    """What is static."""
    methods: dict[str, Value] = field(default_factory=dict)
    getters: dict[str, Value] = field(default_factory=dict)
    variable: str = ""
    """The name of the variable an anonymous class was assigned to."""

    @property
    def name(self) -> str:
        return str(self.node[1]) or self.variable

    @property
    def members(self) -> list[list[Any]]:
        return self.node[3]  # type: ignore[no-any-return]

    @property
    def decorators(self) -> list[list[Any]]:
        return self.node[4]  # type: ignore[no-any-return]

    @property
    def line(self) -> int:
        return self.node[5]  # type: ignore[no-any-return]

    @property
    def file(self) -> str:
        return self.scope.module.path


@dataclass(slots=True)
class Regex:
    source: str
    flags: str = ""


class Native:
    """An object whose behaviour is ours: of a framework, or of the language. Methods that it does not know are
    harmless: they run the functions given to them and return the object itself, as most of them may be chained."""

    def get(self, name: str, evaluator: "Evaluator") -> Value:
        return BoundMethod(self, name)

    def set(self, name: str, value: Value) -> None:
        pass

    def call(self, name: str, call: "Call") -> Value:
        """A call of its method `name`."""
        call.run_callbacks()
        return self

    def is_meant(self, name: str, call: "Call") -> bool:
        """Whether a call of a method of something unknown that was made of the object is one of the object's own."""
        return False

    def invoke(self, call: "Call") -> Value:
        """A call of the object itself, with or without `new`."""
        call.run_callbacks()
        return Unknown()


@dataclass(slots=True, eq=False)
class BoundMethod:
    owner: Native
    name: str


@dataclass(eq=False)
class NativeFunction(Native):
    """A function of ours, with properties."""

    body: Callable[["Call"], Value]
    props: dict[str, Value] = field(default_factory=dict)
    name: str = ""

    def get(self, name: str, evaluator: "Evaluator") -> Value:
        if name in self.props:
            return self.props[name]
        return UNDEFINED if name in ("default", "__esModule") else Unknown(f"{self.name}.{name}")

    def set(self, name: str, value: Value) -> None:
        self.props[name] = value

    def call(self, name: str, call: "Call") -> Value:
        if name == "bind":
            return self
        if name in ("call", "apply"):
            return self.body(call.forwarded(name))
        call.run_callbacks()
        return Unknown(f"{self.name}.{name}")

    def invoke(self, call: "Call") -> Value:
        return self.body(call)


def native_functions(bodies: dict[str, Callable[["Call"], Value]]) -> dict[str, Value]:
    """By their names."""
    return {name: NativeFunction(body, name=name) for name, body in bodies.items()}


class DecoratorFunction(NativeFunction):
    """A decorator of a framework that runs when the class is made, and what makes one."""


class Call:
    """The arguments of a call, evaluated when they are asked for: the handlers of routes are only named."""

    __slots__ = ("arguments", "evaluator", "file", "line")

    def __init__(self, evaluator: "Evaluator", arguments: list["Argument"], file: str, line: int) -> None:
        self.evaluator = evaluator
        self.arguments = arguments
        self.file = file
        self.line = line

    def __len__(self) -> int:
        return len(self.arguments)

    def raw(self, index: int) -> Value:
        """May be `Lazy`."""
        return self.arguments[index].raw(self.evaluator) if 0 <= index < len(self.arguments) else UNDEFINED

    def value(self, index: int) -> Value:
        return self.evaluator.force(self.raw(index))

    def raws(self) -> list[Value]:
        return [self.raw(index) for index in range(len(self.arguments))]

    def values(self) -> list[Value]:
        return [self.value(index) for index in range(len(self.arguments))]

    def node(self, index: int) -> list[Any]:
        """As it is written; empty when it came out of an array."""
        return self.arguments[index].node if -len(self.arguments) <= index < len(self.arguments) else []

    def label(self, index: int) -> str:
        """How an argument is called: `users.list`."""
        if not -len(self.arguments) <= index < len(self.arguments):
            return ""
        argument = self.arguments[index]
        return expression_label(argument.node) if argument.node else value_label(argument.value)

    def text(self, index: int) -> str | None:
        value = self.value(index)
        return value if isinstance(value, str) else None

    def options(self, index: int) -> "Options":
        return Options(self.evaluator, self.value(index))

    def run_callbacks(self) -> None:
        """Calls the functions among the arguments, with arguments that are not known."""
        for index, argument in enumerate(self.arguments):
            if argument.scope is None or argument.node[0] in ("f", "i", "m", "a", "c", "o"):
                self._run(self.raw(index), 0)

    def _run(self, value: Value, depth: int) -> None:
        if isinstance(value, Closure):
            self.evaluator.call_back(value)
        elif isinstance(value, list) and depth < 2:
            for item in list(value):
                self._run(item, depth + 1)
        elif isinstance(value, Obj) and depth < 2 and value.parent is None and not isinstance(value, Namespace):
            for item in list(value.props.values()):
                self._run(item, depth + 1)

    def carried(self) -> tuple[Value, ...]:
        return tuple(value for value in map(native_of, self.values()) if value is not None)

    def forwarded(self, method: str) -> "Call":
        """The call that `function.call(this, ...)` or `function.apply(this, list)` is of the function."""
        arguments = self.arguments[1:]
        if method == "apply":
            arguments = [Argument.of(value) for value in self.evaluator.iterate(self.value(1)) or ()]
        return Call(self.evaluator, arguments, self.file, self.line)


@dataclass(slots=True, eq=False)
class Argument:
    node: list[Any]
    """Empty: it is not written anywhere."""
    scope: Scope | None = None
    """Where it is to be evaluated; None once it was."""
    value: Value = UNDEFINED

    @staticmethod
    def of(value: Value) -> "Argument":
        return Argument([], None, value)

    def raw(self, evaluator: "Evaluator") -> Value:
        if self.scope is not None:
            self.value = evaluator.raw(self.node, self.scope)
            self.scope = None
        return self.value


@dataclass(slots=True)
class Options:
    """An object argument, read leniently."""

    evaluator: "Evaluator"
    value: Value

    def get(self, name: str) -> Value:
        return (
            self.evaluator.member(self.value, name) if isinstance(self.value, (Obj, Closure, ClassValue)) else UNDEFINED
        )

    def text(self, name: str) -> str | None:
        """None: it is not given. What is given and not known is a text with an unknown part."""
        value = self.get(name)
        return None if value is UNDEFINED or value is None or value is False else text_of(value)

    def has(self, name: str) -> bool:
        return self.get(name) is not UNDEFINED


def native_of(value: Value) -> Native | None:
    """The framework's object that a value is, or wraps."""
    if isinstance(value, Native) and not isinstance(value, NativeFunction):
        return value
    if isinstance(value, Obj):
        return value.base
    if isinstance(value, Unknown) and value.carried:
        first = value.carried[0]
        return first if isinstance(first, Native) else None
    return None


def unknown_part(label: str) -> str:
    return f"{_OPEN}{label.replace(_OPEN, '').replace(_CLOSE, '')[:60]}{_CLOSE}"


def unknown_parts(text: str) -> list[str]:
    """The labels of what is not known in a text."""
    return _PART.findall(text)


def is_known(text: str) -> bool:
    return _OPEN not in text


def known_around(text: str) -> tuple[int, int]:
    """How many characters are known at the beginning and at the end of a text with unknown parts."""
    return text.index(_OPEN), len(text) - 1 - text.rindex(_CLOSE)


def fill_unknown(text: str, write: Callable[[str], str]) -> str:
    return _PART.sub(lambda match: write(match[1]), text)


def flat(value: Value, force: Callable[[Value], Value] = lambda value: value) -> list[Value]:
    """What is in lists within lists, in order; of endless ones the beginning."""
    result: list[Value] = []
    pending = [value]
    for _ in range(MOST_ITEMS):
        if not pending:
            break
        first = force(pending.pop())
        if isinstance(first, list):
            pending += first[: MOST_ITEMS - len(pending)][::-1] if len(pending) < MOST_ITEMS else []
        else:
            result.append(first)
    return result


def bounded(text: str) -> str:
    """A text that is too long for a path is a part that is not known."""
    return text if len(text) <= MOST_TEXT else unknown_part(_LONG)


def joined(parts: Iterable[str], separator: str = "") -> str:
    """As `bounded`, without making the long text."""
    size = 0
    taken = []
    for part in parts:
        size += len(part) + len(separator)
        if size > MOST_TEXT:
            return unknown_part(_LONG)
        taken.append(part)
    return separator.join(taken)


def text_of(value: Value) -> str:
    """As `String(value)`, with an unknown part for what is not known."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, int):
        return str(value)
    if value is None:
        return "null"
    if isinstance(value, list):
        return joined(map(text_of, flat(value)), ",")
    return unknown_part(value_label(value))


def value_label(value: Value) -> str:
    if isinstance(value, (Closure, ClassValue, NativeFunction, Unknown, Lazy)):
        return value.label if isinstance(value, (Unknown, Lazy)) else value.name
    return ""


def expression_label(node: list[Any]) -> str:
    """`users.list` of `users.list`, of `users.list.bind(users)` and of `handled(users.list)`; empty: it has no name."""
    if not node:
        return ""
    kind = node[0]
    if kind == "i":
        return str(node[1])
    if kind == "m":
        owner = expression_label(node[1])
        return f"{owner.removeprefix('this.') if owner != 'this' else ''}.{node[2]}".lstrip(".")
    if kind == "f":
        return str(node[1])
    if kind == "c":
        if node[1][0] == "m" and node[1][2] == "bind":
            return expression_label(node[1][1])
        inner = [label for label in map(expression_label, node[2]) if label]
        return inner[-1] if inner else expression_label(node[1])
    if kind == "a" and node[1]:
        return expression_label(node[1][-1])
    return ""
