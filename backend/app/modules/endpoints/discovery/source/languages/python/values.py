"""What an expression of Python comes to when only the repository is known.

Strings, numbers, lists, tuples and dictionaries are Python's own; the rest are the classes below.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional, TypeAlias, Union

Value: TypeAlias = Union[
    str,
    int,
    list["Value"],
    tuple["Value", ...],
    dict[Any, "Value"],
    "Text",
    "Unknown",
    "External",
    "Module",
    "Function",
    "Bound",
    "Class",
    "Call",
    "Attribute",
    "Splat",
    "Super",
    None,
]


@dataclass(slots=True, unsafe_hash=True)  # never changed; to freeze it doubles the time to make one
class Unknown:
    """Known to the running program only; `name` is how the source writes it."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A string with parts that are not known."""

    parts: tuple[str | Unknown, ...]


@dataclass(slots=True, unsafe_hash=True)  # never changed; to freeze it doubles the time to make one
class External:
    """Something of a package that is not in the tree, by its dotted name: `fastapi.APIRouter`."""

    name: str


@dataclass(frozen=True, slots=True)
class Splat:
    """Any number of items of a list, which are not known one by one: `*router.urls`."""

    value: Value


@dataclass(slots=True, eq=False, repr=False)
class Scope:
    variables: dict[str, Any]
    parent: Optional["Scope"]
    module: "Module"
    stars: list["Module"] = field(default_factory=list)
    returns: list[Value] = field(default_factory=list)
    owner: Optional["Class"] = None
    """The class whose method runs here, for `super()`."""


@dataclass(slots=True, eq=False, repr=False)
class Module:
    path: str
    """Of the file, or of the folder of a package without `__init__.py`."""
    name: str
    """As it was first imported."""
    is_package: bool
    is_root: bool = False
    scope: Scope = field(init=False)
    opened: bool = False
    """Its names are bound."""
    executed: bool = False
    """Everything in it is evaluated, or was begun to be."""
    changing: frozenset[str] = frozenset()
    """Names that stand for different things at different places of its body."""

    def __post_init__(self) -> None:
        self.scope = Scope({}, None, self)

    def changes(self, node: list[Any]) -> bool:
        """Whether an expression names something that changes."""
        return bool(self.changing) and _mentions(node, self.changing)


@dataclass(slots=True, eq=False, repr=False)
class Function:
    name: str
    parameters: list[list[Any]]
    body: list[list[Any]] | None
    scope: Scope
    line: int
    returns: list[Any] | None = None
    builds: bool = False
    owner: Optional["Class"] = None
    decorators: list[tuple[Value, int]] = field(default_factory=list)
    called: bool = False

    @property
    def qualified_name(self) -> str:
        return f"{self.owner.name}.{self.name}" if self.owner else self.name

    @property
    def module(self) -> Module:
        return self.scope.module


@dataclass(slots=True, eq=False, repr=False)
class Bound:
    function: Function
    receiver: Value


@dataclass(slots=True, eq=False, repr=False)
class Class:
    name: str
    bases: list[Value]
    """Never changed."""
    scope: Scope
    """Its variables are the class's own attributes."""
    line: int
    decorators: list[tuple[Value, int]] = field(default_factory=list)
    keywords: dict[str, Value] = field(default_factory=dict)
    made: bool = False
    fields: list[str] = field(default_factory=list)
    """Its annotated attributes in order, as a data class takes them."""
    _mro: tuple[Value, ...] = ()
    _outside: frozenset[str] | None = None

    @property
    def module(self) -> Module:
        return self.scope.module

    def mro(self) -> tuple[Value, ...]:
        """Itself and its bases, depth first; good enough for lookups."""
        if not self._mro:
            seen: set[int] = set()
            pending: list[Value] = [self]
            found: list[Value] = []
            while pending:
                base = pending.pop(0)
                if id(base) in seen:
                    continue
                seen.add(id(base))
                found.append(base)
                if isinstance(base, Class):
                    pending[:0] = base.bases
            self._mro = tuple(found)
        return self._mro

    def outside(self) -> frozenset[str]:
        """Dotted names of the bases that are not in the tree."""
        if self._outside is None:
            self._outside = frozenset(base.name for base in self.mro() if isinstance(base, External))
        return self._outside

    def find(self, name: str) -> Any:
        """The attribute in the class or the nearest base of the repository; `MISSING` if there is none."""
        for base in self.mro():
            if isinstance(base, Class) and name in base.scope.variables:
                value = base.scope.variables[name]
                return value.settle() if type(value) is Pending else value
        return MISSING


@dataclass(slots=True, eq=False, repr=False)
class Attribute:
    """An attribute of something whose class lies outside: `router.urls`, `View.as_view`."""

    value: Value
    name: str


@dataclass(slots=True, eq=False, repr=False)
class Call:
    """What a call gave that cannot be looked into: an object of a class, or the result of something outside. It keeps
    what was done with it."""

    function: Value
    """`External`, `Class`, `Attribute`, or another call (a decorator applied)."""
    arguments: list[Value]
    keywords: dict[str, Value]
    module: Module
    line: int
    calls: list["Call"] = field(default_factory=list)
    """Of its methods, and of itself, in order."""
    waiting: Callable[[], object] | None = None
    """What gives it its attributes, while nobody has asked for one."""
    _attributes: dict[str, Value] = field(default_factory=dict)

    @property
    def attributes(self) -> dict[str, Value]:
        if self.waiting is not None:
            initialise, self.waiting = self.waiting, None
            initialise()
        return self._attributes

    def argument(self, position: int, name: str, default: Value = None) -> Value:
        """`position` -1: by name only."""
        if name in self.keywords:
            return self.keywords[name]
        return self.arguments[position] if 0 <= position < len(self.arguments) else default

    def has(self, position: int, name: str) -> bool:
        return name in self.keywords or 0 <= position < len(self.arguments)


@dataclass(slots=True, eq=False, repr=False)
class Super:
    receiver: Value
    owner: Class


@dataclass(slots=True, eq=False, repr=False)
class Lazy:
    """A name that an import binds; the module is looked into when the name is used."""

    importer: Module
    level: int
    dotted: str
    name: str


class _Missing:
    pass


MISSING = _Missing()


class Pending:
    """A name that one statement binds, which waits until somebody asks for the name."""

    __slots__ = ("_run", "_value", "name", "scope", "statement")

    def __init__(
        self, name: str, statement: list[Any], scope: Scope, run: Callable[[list[Any], Scope], object]
    ) -> None:
        self.name = name
        self.statement = statement
        self.scope = scope
        self._run: Callable[[list[Any], Scope], object] | None = run
        self._value: Any = MISSING

    def settle(self) -> Any:
        """The value; `MISSING` while it is being found out."""
        run, self._run = self._run, None
        variables = self.scope.variables
        if run is not None:
            variables.pop(self.name, None)
            run(self.statement, self.scope)
            self._value = variables.get(self.name, MISSING)
        elif variables.get(self.name) is self:  # put back by the other side of a condition
            del variables[self.name]
            if self._value is not MISSING:
                variables[self.name] = self._value
        return self._value


def _mentions(node: list[Any], names: frozenset[str]) -> bool:
    if node and node[0] == "n":
        return node[1] in names
    return any(isinstance(part, list) and _mentions(part, names) for part in node)


def is_known(value: object) -> bool:
    return not isinstance(value, Unknown | Text)


def name_of(value: object) -> str:
    """For a person: `settings.API_PREFIX`, `get_prefix()`."""
    match value:
        case Unknown(name) | External(name):
            return name
        case Attribute():
            return f"{name_of(value.value)}.{value.name}"
        case Call():
            return f"{name_of(value.function)}()"
        case Function() | Class() | Module():
            return value.name
        case Bound():
            return value.function.name
    return "..."
