"""Runs modules without running them: an evaluator that follows what is known and passes over the rest.

What decides which routes there are (strings, lists, functions, classes, imports, loops over lists) is followed as the
language says; what is not known is `Unknown`. Of a branch whose condition is not known both sides are taken. Functions
given to something unknown are called once.
"""

import contextlib
import posixpath
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from backend.app.modules.endpoints.discovery.source import Sources
from backend.app.modules.endpoints.discovery.source.languages.javascript import builtins
from backend.app.modules.endpoints.discovery.source.languages.javascript.resolve import Resolver
from backend.app.modules.endpoints.discovery.source.languages.javascript.settings import Settings
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Argument,
    Call,
    ClassV,
    DecoratorFunction,
    Func,
    Function,
    Lazy,
    Method,
    Namespace,
    Native,
    Obj,
    Regex,
    Scope,
    Undefined,
    Unknown,
    Value,
    expression_label,
    native_of,
    text_of,
    value_label,
)

_DEEPEST_CALLS = 48
_SAME_FUNCTION = 6
"""Calls of a function within itself: loaders descend into folders."""
_STEPS = 200_000
_STEPS_A_ROOT = 2_000
_STEPS_A_FILE = 50
"""Statements and calls that are followed in a tree: so many, and as many more for each root and for each file."""
_STEPS_AT_ONCE = 100_000
_STEPS_OF_ORPHAN = 2_000
_STEPS_ELSEWHERE = 3_000
"""Of these, at most: for a file; for a function that nobody was seen to call; for a call of a function in a file that
neither declares routes nor starts a program."""
_ROUNDS = 300
"""Of a loop that is no loop over a list."""
_STACK = 12_000

_ENTRY = re.compile(r"^(index|server|app|main|start|www|bootstrap|cluster|run|bin)\.([cm]?js|[cm]?ts)$")
_WRAPPER = re.compile(r"promisify|callbackify|wrap|once|memo|async|plugin", re.IGNORECASE)
"""Names of functions that give back, in other clothes, the function they are given."""
_PLACES = ("", "src", "lib", "bin", "app", "server", "api", "backend", "src/server", "src/bin", "server/src", "api/src")

Adopt = Callable[[str, str], Native | None]
"""Of a parameter's name and type: what it will be, when nobody is seen to call the function."""


Package = Callable[["Evaluator"], Value]
"""What importing a package gives."""
Starter = Callable[["Evaluator"], Any]
"""Starts what a framework's own command starts."""


@dataclass(eq=False)
class Module:
    path: str
    scope: Scope = field(init=False)
    exports: Namespace = field(default_factory=Namespace)
    holder: Obj = field(init=False)
    """`module`"""
    is_esm: bool = False

    def __post_init__(self) -> None:
        self.holder = Obj({"exports": self.exports})
        self.scope = Scope({}, None, self)

    @property
    def value(self) -> Value:
        """What was assigned to `module.exports` stands before what was exported by name: bundlers allow both."""
        return self.holder.props["exports"]


class _Exhausted(Exception):
    """The budget of steps is used up."""


class _Return:
    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value


_BREAK, _CONTINUE, _THROW = "break", "continue", "throw"


class Evaluator:
    def __init__(
        self, sources: Sources, packages: dict[str, "Package"], adopters: Iterable[Adopt], starters: Iterable["Starter"]
    ) -> None:
        self.sources = sources
        self.resolver = Resolver(sources)
        self.settings = Settings(self)
        self.modules: dict[str, Module] = {}
        self.classes: list[ClassV] = []
        self.packages = packages
        self.adopters = tuple(adopters)
        self.starters = tuple(starters)
        self.unread: list[tuple[str, str]] = []
        self._package_values: dict[str, Value] = {}
        self._functions: dict[int, Func] = {}
        self._calls: Counter[int] = Counter()
        self._first_calls: list[int] = []
        """Functions that nobody called before what runs at present began."""
        self._adoptions: list[tuple[Native, int]] = []
        self._made_alone: list[tuple[Native, int, int]] = []
        """What functions made that nobody was seen to call, and how often they were called by then: somebody may be
        seen later, and what they made is what counts."""
        self._constructed: set[int] = set()
        self._nodes: list[Any] = []
        self._active: list[int] = []
        self._maybe: list[list[Value]] = []
        self._steps = 0
        self._places: set[str] = set()
        """Files that declare routes or start a program."""
        self._floor = 0
        """When so few steps are left, the innermost call that has an allowance of its own is given up."""
        self._left = _STEPS
        self._is_run = False
        self._here: tuple[str, int] = ("", 0)
        self.globals = builtins.globals_of(self)
        self.handles: list[Native] = []

    # the whole

    def run(self) -> None:
        """Evaluates every root, and then what nobody was seen to call."""
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, _STACK))
        try:
            self._left += _STEPS_A_ROOT * len(self.sources.roots) + _STEPS_A_FILE * len(self.sources.paths)
            starts = self._starts()
            self._places.update(starts)
            for path in starts:
                self._guarded(path, partial(self.module, path))
            for starter in self.starters:
                self._guarded("", partial(starter, self))
            roots = set(self.sources.roots)
            unfinished: list[tuple[Func, list[int]]] = []
            for call in (self._call_maker, self._construct_orphan, self._call_adopter, self._call_orphan):
                orphans: Iterable[Any] = self.classes if call == self._construct_orphan else self._functions.values()
                for orphan in list(orphans):
                    path = orphan.scope.module.path
                    if path in roots:
                        is_last = call == self._call_orphan
                        if not self._alone(partial(call, orphan), orphan, is_last) and is_last:
                            unfinished.append((orphan, self._first_calls))
            for orphan, calls in unfinished:
                for key in calls:
                    self._calls[key] = 0
                self._alone(partial(self.call_back, orphan), orphan, False)
            called = {id(native) for native, key in self._adoptions if self._calls[key] > 1}
            called |= {id(native) for native, key, calls in self._made_alone if self._calls[key] > calls}
            self.handles = [native for native in self.handles if id(native) not in called]
        finally:
            self._is_run = True
            sys.setrecursionlimit(limit)

    def _starts(self) -> list[str]:
        """In order: files that by their name and place start a program, as modules run in the order in which it loads
        them; the roots; and files beside the roots that by their name may bring together what these declare."""
        folders = {self.resolver.package_folder(root) for root in self.sources.roots}
        places = sorted({posixpath.join(folder, inner) for folder in folders for inner in _PLACES})
        beside = sorted({posixpath.dirname(root) for root in self.sources.roots})
        return list(dict.fromkeys([*self._entries(places), *self.sources.roots, *self._entries(beside)]))

    def _entries(self, places: list[str]) -> Iterator[str]:
        for place in places:
            for name, is_folder in self.resolver.listing(place).items():
                if not is_folder and _ENTRY.match(name):
                    yield posixpath.join(place, name)

    def _alone(self, run: Callable[[], Any], orphan: Func | ClassV, is_short: bool) -> bool:
        """Whether it came to its end."""
        known = len(self.handles)
        steps = _STEPS_OF_ORPHAN if is_short else _STEPS_AT_ONCE
        ended = self._guarded(orphan.scope.module.path, run, steps)
        key = id(orphan.node)
        self._made_alone += [(native, key, self._calls[key]) for native in self.handles[known:]]
        return ended

    def _guarded(self, path: str, run: Callable[[], Any], steps: int = _STEPS_AT_ONCE) -> bool:
        """Whether it came to its end."""
        self._active.clear()
        self._maybe.clear()
        self._first_calls = []
        self._floor = 0
        ended = True
        given = self._steps = min(steps, self._left)
        try:
            run()
        except _Exhausted:
            ended = False
            if steps > _STEPS_OF_ORPHAN:
                self.unread.append((path, "it takes too many steps to follow"))
        except RecursionError:
            self.unread.append((path, "it is nested too deeply to follow"))
        self._left -= given - max(self._steps, 0)
        return ended

    def beside(self, run: Callable[[], Value]) -> Value:
        """What a framework evaluates once the whole was run; not known where it takes too many steps."""
        self._steps = max(self._steps, _STEPS_OF_ORPHAN)
        try:
            return run()
        except (_Exhausted, RecursionError):
            return Unknown()

    # what nobody was seen to call

    def _call_maker(self, function: Func) -> None:
        """A function that makes an application or a router."""
        if function.node[6]:
            self._call_adopter(function, always=True)

    def _call_adopter(self, function: Func, *, always: bool = False) -> None:
        """A function whose parameters say what it wants."""
        if id(function.node) in self._calls or function.node[3] is None:
            return
        adopted = [self._adopted(parameter, function) for parameter in function.node[2]]
        if always or any(native is not None for native in adopted):
            values = [
                native if native is not None else UNDEFINED if isinstance(parameter, list) else Unknown()
                for native, parameter in zip(adopted, function.node[2], strict=True)
            ]
            self.call_function(function, [Argument(None, None, value) for value in values], function.this)

    def _call_orphan(self, function: Func) -> None:
        self.call_back(function)

    def _construct_orphan(self, klass: ClassV) -> None:
        if id(klass.node) not in self._constructed and not klass.node[4]:
            instance = self.construct(klass, [])
            for function in list(klass.methods.values()):
                if id(function.node) not in self._calls:
                    self._call_adopter(Func(function.node, function.scope, instance))

    def _adopted(self, parameter: Any, function: Func) -> Native | None:
        types = function.node[7]
        if isinstance(parameter, list) and parameter[0] == "d" and parameter[2][0] in ("c", "n"):
            return None  # it is made when it is not given
        name = parameter[1] if isinstance(parameter, list) and parameter[0] == "d" else parameter
        if not isinstance(name, str):
            return None
        native = next((native for adopt in self.adopters if (native := adopt(name, types.get(name, "")))), None)
        if native is not None:
            self.handles.append(native)
            self._adoptions.append((native, id(function.node)))
        return native

    def module(self, path: str) -> Module | None:
        found = self.modules.get(path)
        if found is not None:
            return found
        facts = self.sources.facts(path)
        if facts is None:
            return None
        module = self.modules[path] = Module(path)
        body = facts["body"]
        self._nodes.append(body)
        module.is_esm = any(statement[0] in ("im", "ex", "ex*", "exd", "export") for statement in body)
        folder = path.rpartition("/")[0]
        module.scope.names.update(
            {
                "module": module.holder,
                "exports": module.exports,
                "__dirname": f"/repo/{folder}".rstrip("/"),
                "__filename": f"/repo/{path}",
                "require": Function(
                    lambda call: self._require(call, path), {"context": builtins.context(self, path)}, "require"
                ),
                "import.meta": Obj(
                    {"url": f"file:///repo/{path}", "dirname": f"/repo/{folder}", "filename": f"/repo/{path}"}
                ),
            }
        )
        active, maybe, self._active, self._maybe = self._active, self._maybe, [], []
        floor, self._floor = self._floor, 0
        try:
            self.block(body, module.scope)
        finally:
            self._active, self._maybe = active, maybe
            self._floor = floor
        return module

    def imported(self, importer: str, name: str) -> Value:
        """What `require(name)` gives."""
        path = self._resolve(importer, name)
        if path is None:
            return self._package(name)
        if path.endswith(".json"):
            return _from_json(self.resolver.json(path))
        module = self.module(path)
        if module is None:
            return Unknown(name)
        return module.value

    def _resolve(self, importer: str, name: str) -> str | None:
        """A framework is never of the tree, though a package of the tree may bear its name."""
        return None if name in self.packages else self.resolver.resolve(importer, name)

    def imported_name(self, importer: str, module: str, name: str) -> Value:
        """What `import { name } from "module"` gives."""
        value = self.force(self.imported(importer, module))
        if name in ("*", "="):
            return value
        if name == "default":
            path = self._resolve(importer, module)
            if path is None or path.endswith(".json") or not self._is_esm(path):
                found = self.member(value, "default") if isinstance(value, (Obj, Function)) else UNDEFINED
                return value if found is UNDEFINED or isinstance(found, Unknown) else found
        return self.member(value, name)

    def _is_esm(self, path: str) -> bool:
        module = self.modules.get(path)
        return module is not None and module.is_esm and module.value is module.exports

    def _package(self, name: str) -> Value:
        name = name.removeprefix("node:")
        if name not in self._package_values:
            make = self.packages.get(name) or builtins.PACKAGES.get(name)
            self._package_values[name] = Unknown(name) if make is None else make(self)
        return self._package_values[name]

    def _require(self, call: Call, path: str) -> Value:
        name = call.value(0)
        return self.imported(path, name) if isinstance(name, str) else Unknown("require")

    # statements

    def block(self, statements: list[Any], scope: Scope) -> Any:
        """None, or how the block was left."""
        for statement in statements:
            kind = statement[0]
            if kind == "exd":
                kind, statement = statement[1][0], statement[1]
            elif kind == "{" and len(statement) > 2:
                kind, statement = "fn" if statement[1][0][0] == "fn" else "", statement[1][0]
            if kind == "fn":
                scope.names[statement[1][1]] = self._function(statement[1], scope)
        for statement in statements:
            left = self.statement(statement, scope)
            if left is not None:
                return left
        return None

    def statement(self, statement: list[Any], scope: Scope) -> Any:
        self._steps -= 1
        if self._steps < self._floor:
            raise _Exhausted
        if self._steps % 2000 == 0:
            self.sources.check()
        return _STATEMENTS[statement[0]](self, statement, scope)

    def _let(self, statement: list[Any], scope: Scope) -> None:
        for pattern, initial in statement[1]:
            if initial is None:
                if isinstance(pattern, str):
                    scope.names.setdefault(pattern, UNDEFINED)
                continue
            value = self.raw(initial, scope)
            if isinstance(pattern, str):
                if isinstance(value, ClassV) and not value.given:
                    value.given = pattern
                scope.names[pattern] = value
            else:
                self.assign(pattern, value, scope, declare=True)

    def _expression(self, statement: list[Any], scope: Scope) -> None:
        self.value(statement[1], scope)

    def _return(self, statement: list[Any], scope: Scope) -> _Return:
        return _Return(UNDEFINED if statement[1] is None else self.raw(statement[1], scope))

    def _leave(self, statement: list[Any], scope: Scope) -> str:
        return str(statement[0])

    def _if(self, statement: list[Any], scope: Scope) -> Any:
        known = truth(self.value(statement[1], scope))
        if known is not None:
            return self.block(statement[2] if known else statement[3], Scope({}, scope, scope.module))
        left = [self.block(branch, Scope({}, scope, scope.module)) for branch in statement[2:4]]
        return self._either(left)

    def _either(self, left: list[Any]) -> Any:
        """After branches of which one was taken, we know not which: only when all left, this way is left."""
        if left and all(isinstance(way, _Return) for way in left):
            return _Return(best([way.value for way in left]))
        if self._maybe:
            self._maybe[-1] += [way.value for way in left if isinstance(way, _Return)]
        return None

    def _of(self, statement: list[Any], scope: Scope) -> Any:
        values = self.iterate(self.value(statement[2], scope))
        return self._each(statement, scope, values)

    def _in(self, statement: list[Any], scope: Scope) -> Any:
        value = self.value(statement[2], scope)
        if isinstance(value, list):
            keys: list[Value] | None = [str(index) for index in range(len(value))]
        else:
            keys = [key for key, _ in self.entries(value)] if isinstance(value, Obj) else None
        return self._each(statement, scope, keys)

    def _each(self, statement: list[Any], scope: Scope, values: list[Value] | None) -> Any:
        for value in [Unknown()] if values is None else values:
            inner = Scope({}, scope, scope.module)
            self.assign(statement[1], value, inner, declare=True)
            left = self.block(statement[3], inner)
            if left == _BREAK:
                break
            if isinstance(left, _Return) or left == _THROW:
                if values is None:
                    return self._either([left, None])
                return left
        return None

    def _loop(self, statement: list[Any], scope: Scope) -> Any:
        _, before, condition, after, body = statement
        outer = Scope({}, scope, scope.module)
        self.block(before, outer)
        for _ in range(_ROUNDS):
            known = True if condition is None else truth(self.value(condition, outer))
            if known is False:
                break
            left = self.block(body, Scope({}, outer, scope.module))
            if left == _BREAK:
                break
            if isinstance(left, _Return) or left == _THROW:
                return left if known else self._either([left, None])
            if known is None:
                break
            if after is not None:
                self.value(after, outer)
        return None

    def _braces(self, statement: list[Any], scope: Scope) -> Any:
        return self.block(statement[1], scope if len(statement) > 2 else Scope({}, scope, scope.module))

    def _fn(self, statement: list[Any], scope: Scope) -> None:
        """Done when its block began."""

    def _class(self, statement: list[Any], scope: Scope) -> None:
        scope.names[statement[1][1]] = self.klass(statement[1], scope)

    def _switch(self, statement: list[Any], scope: Scope) -> Any:
        subject = self.value(statement[1], scope)
        inner = Scope({}, scope, scope.module)
        cases = statement[2]
        matches = [None if test is None else self._same(subject, self.value(test, inner)) for test, _ in cases]
        if all(match is not None or case[0] is None for match, case in zip(matches, cases, strict=True)):
            chosen = next((index for index, match in enumerate(matches) if match), None)
            if chosen is None:
                chosen = next((index for index, case in enumerate(cases) if case[0] is None), len(cases))
            for _, body in cases[chosen:]:
                left = self.block(body, inner)
                if left is not None:
                    return None if left == _BREAK else left
            return None
        return self._either([left for _, body in cases if (left := self.block(body, inner)) is not None] + [None])

    def _try(self, statement: list[Any], scope: Scope) -> Any:
        left = self.block(statement[1], Scope({}, scope, scope.module))
        handled = None
        if left is None or left == _THROW:
            handled = self._either([self.block(statement[2], Scope({}, scope, scope.module)), None])
        final = self.block(statement[3], Scope({}, scope, scope.module))
        return final if final is not None else handled if left == _THROW else left

    def _import(self, statement: list[Any], scope: Scope) -> None:
        _, name, names = statement
        importer = scope.module.path
        if not names:
            self.imported(importer, name)
        for imported, local in names:
            scope.names[local] = Lazy(partial(self.imported_name, importer, name, imported), local)

    def _export(self, statement: list[Any], scope: Scope) -> None:
        _, name, names = statement
        module = scope.module
        for local, exported in names:
            if name is None:
                module.exports.props[exported] = Lazy(partial(self.lookup, local, scope), local)
            else:
                module.exports.props[exported] = Lazy(partial(self.imported_name, module.path, name, local), local)

    def _export_all(self, statement: list[Any], scope: Scope) -> None:
        name = statement[1]
        scope.module.exports.stars.append(lambda: self.imported(scope.module.path, name))

    def _export_declared(self, statement: list[Any], scope: Scope) -> None:
        inner = statement[1]
        self.statement(inner, scope)
        exports = scope.module.exports.props
        if inner[0] == "let":
            for pattern, _ in inner[1]:
                for name in _names(pattern):
                    exports[name] = Lazy(partial(self.lookup, name, scope), name)
        else:
            name = inner[1][1]
            exports[name] = scope.names.get(name, UNDEFINED)

    def _export_value(self, statement: list[Any], scope: Scope) -> None:
        value = self.raw(statement[1], scope)
        if statement[2]:
            scope.module.holder.props["exports"] = value
        else:
            scope.module.exports.props["default"] = value

    # expressions

    def value(self, node: list[Any], scope: Scope) -> Value:
        return self.force(self.raw(node, scope))

    def raw(self, node: list[Any], scope: Scope) -> Value:
        """The value of an expression; `Lazy` when all it does is to name something of another module."""
        return _EXPRESSIONS[node[0]](self, node, scope)

    def force(self, value: Value) -> Value:
        while isinstance(value, Lazy):
            make = value.make
            value.make = partial(Unknown, value.label)  # a ring of imports ends
            try:
                found = self.force(make())
            except (_Exhausted, RecursionError):
                if not self._is_run:
                    raise
                found = Unknown(value.label)
            value.make = partial(_itself, found)
            value = found
        return value

    def lookup(self, name: str, scope: Scope | None) -> Value:
        while scope is not None:
            names = scope.names
            if name in names:
                return names[name]
            scope = scope.parent
        return self.globals.get(name, Unknown(name))

    def _constant(self, node: list[Any], scope: Scope) -> Value:
        return node[1]

    def _undefined(self, node: list[Any], scope: Scope) -> Value:
        return UNDEFINED

    def _unknown(self, node: list[Any], scope: Scope) -> Value:
        return Unknown(node[1])

    def _regex(self, node: list[Any], scope: Scope) -> Value:
        return Regex(node[1], node[2])

    def _name(self, node: list[Any], scope: Scope) -> Value:
        return self.lookup(node[1], scope)

    def _member(self, node: list[Any], scope: Scope) -> Value:
        owner = self.raw(node[1], scope)
        name = node[2]
        if node[1] == ["i", "super"]:
            return self._super_member(name, scope)
        if isinstance(owner, Lazy):
            return Lazy(partial(self._member_of, owner, name), f"{owner.label}.{name}")
        return self.raw_member(owner, name)

    def _super_member(self, name: str, scope: Scope) -> Value:
        home = self.lookup("%class", scope)
        this = self.force(self.lookup("this", scope))
        base = self.force(home.base) if isinstance(home, ClassV) else None
        if isinstance(base, ClassV):
            found = self._method_of(base, name)
            if found is not None:
                return self._bound(found, this)
        native = native_of(this)
        return Method(native, name) if native is not None else Unknown(name)

    def _index(self, node: list[Any], scope: Scope) -> Value:
        owner = self.value(node[1], scope)
        index = self.value(node[2], scope)
        if isinstance(owner, list) and isinstance(index, (int, float)) and not isinstance(index, bool):
            return owner[int(index)] if 0 <= index < len(owner) else UNDEFINED
        if isinstance(index, (str, int, float)):
            return self.raw_member(owner, text_of(index))
        if isinstance(owner, Obj) and owner.props and isinstance(index, Unknown):
            values = [self.force(value) for value in owner.props.values()]
            if len(values) > 1 and all(isinstance(value, Func) for value in values):
                return Function(lambda call: best([self.force(self.call(each, call)) for each in values]))
            return best(values)
        return Unknown(f"{expression_label(node[1])}[{expression_label(node[2])}]")

    def member(self, owner: Value, name: str) -> Value:
        return self.force(self.raw_member(owner, name))

    def _member_of(self, owner: Value, name: str) -> Value:
        return self.raw_member(self.force(owner), name)

    def raw_member(self, owner: Value, name: str) -> Value:
        if isinstance(owner, Obj):
            return self._object_member(owner, name)
        if isinstance(owner, Unknown):
            return Unknown(f"{owner.label}.{name}" if owner.label else name, owner.carried)
        if isinstance(owner, Func):
            if name in owner.props:
                return owner.props[name]
            if name == "prototype":
                return owner.props.setdefault("prototype", Obj())
            return builtins.member(self, owner, name)
        if isinstance(owner, ClassV):
            return self._class_member(owner, name)
        if isinstance(owner, Native):
            return owner.get(name, self)
        return builtins.member(self, owner, name)

    def _object_member(self, owner: Obj, name: str) -> Value:
        if name in owner.props:
            return owner.props[name]
        if isinstance(owner, Namespace):
            for star in owner.stars:
                found = self.force(star())
                if name != "default" and found is not owner and isinstance(found, (Obj, Function, Unknown)):
                    if isinstance(found, Unknown):
                        if len(owner.stars) == 1:
                            return Unknown(f"{found.label}.{name}")
                        continue
                    value = self.raw_member(found, name)
                    if value is not UNDEFINED and not isinstance(value, Unknown):
                        return value
        parent: Any = owner.parent
        if isinstance(parent, ClassV):
            if name == "constructor":
                return parent
            found = self._method_of(parent, name)
            if found is not None:
                return self._bound(found, owner)
            getter = self._getter_of(parent, name)
            if getter is not None:
                return self.call_function(getter, [], owner)
        elif isinstance(parent, Obj):
            inherited = self.raw_member(parent, name)
            if inherited is not UNDEFINED:
                return self._bound(self.force(inherited), owner)
        if owner.base is not None:
            return owner.base.get(name, self)
        return builtins.member(self, owner, name)

    def _class_member(self, owner: ClassV, name: str) -> Value:
        if name == "prototype":
            base = self.force(owner.base)
            above = base if isinstance(base, ClassV) else None
            return owner.props.setdefault("prototype", Obj({**owner.methods, "constructor": owner}, above))
        at: Value = owner
        while isinstance(at, ClassV):
            if name in at.props:
                return at.props[name]
            at = self.force(at.base)
        if name == "name":
            return owner.name
        return builtins.member(self, owner, name)

    def _method_of(self, klass: ClassV, name: str) -> Value:
        at: Value = klass
        for _ in range(20):
            if not isinstance(at, ClassV):
                return None
            prototype = at.props.get("prototype")
            if isinstance(prototype, Obj) and name in prototype.props:
                return self.force(prototype.props[name])
            if name in at.methods:
                return at.methods[name]
            at = self.force(at.base)
        return None

    def _getter_of(self, klass: ClassV, name: str) -> Func | None:
        at: Value = klass
        for _ in range(20):
            if not isinstance(at, ClassV):
                return None
            if name in at.getters:
                return at.getters[name]  # type: ignore[no-any-return]
            at = self.force(at.base)
        return None

    def _bound(self, value: Value, this: Value) -> Value:
        if isinstance(value, Func) and not value.node[5]:
            return Func(value.node, value.scope, this, value.props, value.bound)
        return value

    def _call(self, node: list[Any], scope: Scope) -> Value:
        callee_node, arguments, line = node[1], node[2], node[3]
        if callee_node == ["i", "require"] and arguments and arguments[0][0] == "s":
            path = scope.module.path
            name = arguments[0][1]
            if name.startswith("."):
                return Lazy(lambda: self.imported(path, name), name)
        self._steps -= 1
        if self._steps < self._floor:
            raise _Exhausted
        if callee_node == ["i", "super"]:
            self._super(arguments, scope)
            return UNDEFINED
        given = self._arguments(arguments, scope)
        if callee_node[0] in ("m", "x"):
            owner = self.value(callee_node[1], scope) if callee_node[1] != ["i", "super"] else UNDEFINED
            if callee_node[0] == "x":
                name = self.value(callee_node[2], scope)
                if isinstance(name, Unknown) and isinstance(owner, Native):
                    return owner.call("%unknown", Call(self, given, scope.module.path, line))
                name = text_of(name)
            else:
                name = callee_node[2]
            if isinstance(owner, Native) and name not in ("call", "apply", "bind"):
                return self.call_method(owner, name, Call(self, given, scope.module.path, line))
            if isinstance(owner, Func) and name in ("call", "apply", "bind") and name not in owner.props:
                return self._apply(owner, name, Call(self, given, scope.module.path, line))
            if isinstance(owner, Method) and name in ("call", "apply", "bind"):
                return self._apply_method(owner, name, Call(self, given, scope.module.path, line))
            if isinstance(owner, Unknown):
                return self._call_unknown(owner, name, Call(self, given, scope.module.path, line))
            callee = self.value(callee_node, scope) if callee_node[1] == ["i", "super"] else self.member(owner, name)
        else:
            callee = self.value(callee_node, scope)
        return self.call(callee, Call(self, given, scope.module.path, line))

    def call_method(self, owner: Native, name: str, call: Call) -> Value:
        own = owner.get(name, self) if not isinstance(owner, Function) or name in owner.props else None
        if isinstance(own, Method) or own is None:
            return owner.call(name, call)
        return self.call(own, call)

    def call(self, callee: Value, call: Call) -> Value:
        callee = self.force(callee)
        if isinstance(callee, Func):
            if callee.node[3] is None:
                call.run_callbacks()
                return Unknown(callee.name, call.carried())
            return self.call_function(callee, call.arguments, callee.this, call)
        if isinstance(callee, Method):
            return callee.owner.call(callee.name, call)
        if isinstance(callee, Native):
            return callee.invoke(call)
        if isinstance(callee, Obj) and callee.base is not None:
            return callee.base.invoke(call)
        if isinstance(callee, Obj) and isinstance(default := self.member(callee, "default"), (Func, Native)):
            return self.call(default, call)  # a module that was imported as if it were its default export
        label = value_label(callee)
        if len(call) == 1 and _WRAPPER.search(label) and isinstance(wrapped := call.value(0), Func):
            return wrapped
        call.run_callbacks()
        return Unknown(label, call.carried() if isinstance(callee, Unknown) else ())

    def _call_unknown(self, owner: Unknown, name: str, call: Call) -> Value:
        if name in ("then", "catch", "finally"):
            call.run_callbacks()
            return owner
        if name in ("get", "getOrThrow") and len(call) > 1:
            default = call.value(1)
            if isinstance(default, (str, int, float, bool)):
                return default  # the settings of an application, and the default of one of them
        if len(call) == 1 and _WRAPPER.search(name) and isinstance(wrapped := call.value(0), Func):
            return wrapped
        native = native_of(owner)
        if native is not None and native.is_meant(name, call):
            native.call(name, call)
            return owner
        call.run_callbacks()
        return Unknown(f"{owner.label}.{name}" if owner.label else name, call.carried() + owner.carried)

    def _apply(self, function: Func, name: str, call: Call) -> Value:
        this = call.value(0)
        if name == "bind":
            return Func(function.node, function.scope, this, function.props, function.bound + tuple(call.raws()[1:]))
        arguments = call.arguments[1:]
        if name == "apply":
            values = self.iterate(call.value(1))
            arguments = [Argument(None, None, value) for value in values or ()]
        return self.call_function(function, arguments, this)

    def _apply_method(self, method: Method, name: str, call: Call) -> Value:
        if name == "bind":
            return method
        arguments = call.arguments[1:]
        if name == "apply":
            arguments = [Argument(None, None, value) for value in self.iterate(call.value(1)) or ()]
        return method.owner.call(method.name, Call(self, arguments, call.file, call.line))

    def _arguments(self, nodes: list[Any], scope: Scope) -> list[Argument]:
        result = []
        for node in nodes:
            if node[0] == "...":
                values = self.iterate(self.value(node[1], scope))
                result += [Argument(None, None, value) for value in values or ()]
            else:
                result.append(Argument(node, scope))
        return result

    def call_back(self, function: Func) -> Value:
        """A function that is given to something unknown; once."""
        if id(function.node) in self._calls:
            return UNDEFINED
        return self.call_function(function, [], function.this)

    def call_values(self, callee: Value, *values: Value) -> Value:
        return self.call(callee, Call(self, [Argument(None, None, value) for value in values], *self._here))

    def call_function(
        self, function: Func, arguments: list[Argument], this: Value = UNDEFINED, call: Call | None = None
    ) -> Value:
        node = function.node
        body = node[3]
        if body is None:
            return Unknown(node[1])
        key = id(node)
        if not self._calls[key]:
            self._first_calls.append(key)
        self._calls[key] += 1
        if len(self._active) > _DEEPEST_CALLS or self._active.count(key) >= _SAME_FUNCTION:
            return Unknown(node[1])
        scope = Scope({}, function.scope, function.scope.module)
        if not node[5]:
            scope.names["this"] = this
        values = list(function.bound)
        for argument in arguments:
            if argument.scope is not None and argument.node is not None:
                argument.value = self.raw(argument.node, argument.scope)
                argument.scope = None
            values.append(argument.value)
        if not node[5]:
            scope.names["arguments"] = values
        known = call is not None or bool(arguments)
        for index, pattern in enumerate(node[2]):
            if isinstance(pattern, list) and pattern[0] == "...":
                self.assign(pattern[1], values[index:] if known else Unknown(), scope, declare=True)
            else:
                value = values[index] if index < len(values) else UNDEFINED if known else Unknown(_name_of(pattern))
                self.assign(pattern, value, scope, declare=True)
        self._active.append(key)
        self._maybe.append([])
        here = self._here
        if call is not None:
            self._here = (call.file, call.line)
        floor, before = self._floor, self._steps
        in_place = function.scope.module.path in self._places
        self._floor = 0 if in_place else max(floor, before - _STEPS_ELSEWHERE)
        try:
            left = self.block(body, scope)
        except _Exhausted:
            if in_place or self._floor == floor:
                raise
            left = _Return(Unknown(node[1]))
        finally:
            self._floor = max(0, floor - (before - self._steps)) if in_place else floor
            self._active.pop()
            maybe = self._maybe.pop()
            self._here = here
        if isinstance(left, _Return):
            maybe.append(left.value)
        if not maybe:
            return UNDEFINED
        return maybe[0] if len(maybe) == 1 else best([self.force(value) for value in maybe])

    def _function(self, node: list[Any], scope: Scope) -> Func:
        function = Func(node, scope)
        self._functions.setdefault(id(node), function)
        return function

    def _new(self, node: list[Any], scope: Scope) -> Value:
        self._steps -= 1
        if self._steps < self._floor:
            raise _Exhausted
        callee = self.value(node[1], scope)
        arguments = self._arguments(node[2], scope)
        if isinstance(callee, (ClassV, Func)):
            return self.construct(callee, arguments)
        if isinstance(callee, Namespace) and isinstance(default := self.member(callee, "default"), (ClassV, Func)):
            return self.construct(default, arguments)
        return self.call(callee, Call(self, arguments, scope.module.path, node[3]))

    def construct(self, callee: ClassV | Func, arguments: list[Argument]) -> Value:
        if isinstance(callee, Func):
            instance = Obj(parent=callee.props.setdefault("prototype", Obj()))
            result = self.call_function(callee, arguments, instance)
            return result if isinstance(result, (Obj, Native, Func)) else instance
        instance = Obj(parent=callee)
        if len(self._active) > _DEEPEST_CALLS:
            return instance
        result = self._initialise(callee, instance, arguments)
        return result if isinstance(result, (Obj, Native, Func)) and result is not instance else instance

    def _initialise(self, klass: ClassV, instance: Obj, arguments: list[Argument]) -> Value:
        self._constructed.add(id(klass.node))
        base = self.force(klass.base)
        constructor = klass.methods.get("constructor")
        if constructor is None or constructor.node[3] is None:
            if base is not None:
                self._initialise_base(base, instance, arguments)
            self._set_fields(klass, instance)
            return UNDEFINED
        if base is None:
            self._set_fields(klass, instance)
        return self.call_function(constructor, arguments, instance)

    def _initialise_base(self, base: Value, instance: Obj, arguments: list[Argument]) -> None:
        if isinstance(base, ClassV):
            self._initialise(base, instance, arguments)
        elif isinstance(base, Func):
            self.call_function(base, arguments, instance)
        elif isinstance(base, Native):
            made = base.invoke(Call(self, arguments, *self._here))
            instance.base = made if isinstance(made, Native) else instance.base

    def _super(self, arguments: list[Any], scope: Scope) -> None:
        home = self.lookup("%class", scope)
        this = self.force(self.lookup("this", scope))
        if isinstance(home, ClassV) and isinstance(this, Obj):
            self._initialise_base(self.force(home.base), this, self._arguments(arguments, scope))
            self._set_fields(home, this)

    def _set_fields(self, klass: ClassV, instance: Obj) -> None:
        scope = Scope({"this": instance, "%class": klass}, klass.scope, klass.scope.module)
        for kind, key, static, value, *_ in klass.node[3]:
            if kind == "field" and not static and value != ["u"]:
                instance.props[self.key(key, scope)] = self.raw(value, scope)

    def _klass(self, node: list[Any], scope: Scope) -> ClassV:
        return self.klass(node, scope)

    def klass(self, node: list[Any], scope: Scope) -> ClassV:
        klass = ClassV(node, scope, None if node[2] is None else self.raw(node[2], scope))
        self.classes.append(klass)
        inner = Scope({"%class": klass}, scope, scope.module)
        if node[1]:
            inner.names[node[1]] = klass
        klass.scope = inner
        for kind, key, static, value, *_ in node[3]:
            if kind == "static":
                self.block(value, Scope({"this": klass}, inner, scope.module))
                continue
            name = self.key(key, inner)
            if kind in ("method", "get"):
                function = Func(value, inner)
                if static:
                    function.this = klass
                    klass.props[name] = self._got(function, klass) if kind == "get" else function
                else:
                    (klass.getters if kind == "get" else klass.methods)[name] = function
            elif static:
                klass.props[name] = self.raw(value, Scope({"this": klass}, inner, scope.module))
        self._decorate(klass)
        return klass

    def _decorate(self, klass: ClassV) -> None:
        """Runs the decorators that are functions of the program, as `experimentalDecorators` does: of each member the
        last one first, then those of the class."""
        for kind, key, static, _value, written, *_ in klass.node[3]:
            functions = self._decorators(written, klass.scope) if written else ()
            if functions:
                name = self.key(key, klass.scope)
                target = klass if static else self.member(klass, "prototype")
                descriptor = Obj({"value": self.raw_member(target, name)}) if kind == "method" else UNDEFINED
                for function in functions:
                    self.call_values(function, target, name, descriptor)
        for function in self._decorators(klass.node[4], klass.scope):
            self.call_values(function, klass)

    def _decorators(self, written: list[Any], scope: Scope) -> list[Value]:
        result: list[Value] = []
        for expression in reversed(written):
            is_call = expression[0] == "c"
            value = self.value(expression[1] if is_call else expression, scope)
            if is_call and isinstance(value, (Func, DecoratorFunction)):
                value = self.value(expression, scope)
            if isinstance(value, (Func, DecoratorFunction)):
                result.append(value)
        return result

    def _got(self, getter: Func, this: Value) -> Lazy:
        return Lazy(lambda: self.call_function(getter, [], this), getter.name)

    def key(self, key: Any, scope: Scope) -> str:
        return key if isinstance(key, str) else text_of(self.value(key, scope))

    def _array(self, node: list[Any], scope: Scope) -> Value:
        result: list[Value] = []
        for item in node[1]:
            if item[0] == "...":
                values = self.iterate(self.value(item[1], scope))
                result += values or []
            else:
                result.append(self.raw(item, scope))
        return result

    def _object(self, node: list[Any], scope: Scope) -> Value:
        result = Obj()
        for key, value in node[1]:
            if key is None:
                spread = self.value(value, scope)
                if isinstance(spread, Obj):
                    result.props.update(self.entries(spread))
                continue
            if isinstance(key, list):
                found = self.value(key, scope)
                key = f"[{found.label}]" if isinstance(found, Unknown) else text_of(found)
            made = self.raw(value, scope)
            if isinstance(made, Func) and not made.node[5] and value[0] == "f":
                made.this = result
            result.props[key] = made
        return result

    def _template(self, node: list[Any], scope: Scope) -> Value:
        parts = []
        for part in node[1]:
            if isinstance(part, str):
                parts.append(part)
            else:
                value = self.value(part, scope)
                parts.append(
                    text_of(value if value_label(value) else Unknown(expression_label(part)))
                    if isinstance(value, (Unknown, Undefined))
                    else text_of(value)
                )
        return "".join(parts)

    def _binary(self, node: list[Any], scope: Scope) -> Value:
        operator = node[1]
        left = self.value(node[2], scope)
        if operator in ("||", "??", "&&"):
            return self._logical(operator, left, node[3], scope)
        right = self.value(node[3], scope)
        if operator == "+":
            return _add(left, right, node)
        if operator in ("===", "==", "!==", "!="):
            same = self._same(left, right)
            if same is None:
                return Unknown()
            return same == (operator[0] == "=")
        if _is_number(left) and _is_number(right):
            return _compute(operator, left, right)
        if operator == "in" and isinstance(right, Obj) and isinstance(left, str):
            return left in right.props or Unknown()
        if operator == "instanceof":
            return Unknown()
        return Unknown()

    def _logical(self, operator: str, left: Value, right: list[Any], scope: Scope) -> Value:
        known = truth(left)
        if operator == "??":
            known = None if isinstance(left, Unknown) else left is not None and left is not UNDEFINED
        if operator == "&&":
            if known is False:
                return left
            return self.raw(right, scope)
        if known:
            return left
        other = self.raw(right, scope)
        if known is None:
            forced = self.force(other)
            return left if isinstance(forced, (Unknown, Undefined)) or forced is None else forced
        return other

    def _same(self, left: Value, right: Value) -> bool | None:
        if right == "test" and isinstance(left, Unknown) and left.label.endswith("env.NODE_ENV"):
            return False  # what is only there for the tests of the application is none of its own
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            return None
        if isinstance(left, str) and isinstance(right, str):
            return None if "\ue000" in left + right else left == right
        if isinstance(left, (bool, int, float, Undefined, type(None))) or isinstance(right, (bool, int, float)):
            return left is right or (_is_number(left) and _is_number(right) and left == right)
        return left is right

    def _unary(self, node: list[Any], scope: Scope) -> Value:
        value = self.value(node[2], scope)
        if node[1] == "!":
            known = truth(value)
            return Unknown() if known is None else not known
        if node[1] == "typeof":
            return builtins.type_of(value)
        if node[1] == "-" and _is_number(value):
            return -value
        if node[1] == "+" and _is_number(value):
            return value
        return UNDEFINED if node[1] == "void" else Unknown()

    def _ternary(self, node: list[Any], scope: Scope) -> Value:
        known = truth(self.value(node[1], scope))
        if known is not None:
            return self.raw(node[2] if known else node[3], scope)
        return best([self.value(node[2], scope), self.value(node[3], scope)])

    def _assignment(self, node: list[Any], scope: Scope) -> Value:
        _, operator, target, right = node
        if operator == "=":
            value = self.raw(right, scope)
            if isinstance(target, str) and isinstance(value, ClassV) and not value.given:
                value.given = target
            self.assign(target, value, scope)
            return value
        current = self.value(["i", target] if isinstance(target, str) else target, scope)
        if operator in ("||=", "??=", "&&="):
            value = self._logical(operator[:-1], current, right, scope)
        elif operator == "+=":
            value = _add(current, self.value(right, scope), right)
        elif _is_number(current) and _is_number(amount := self.value(right, scope)):
            value = _compute(operator[:-1], current, amount)
        else:
            value = Unknown()
        self.assign(target, value, scope)
        return value

    def _sequence(self, node: list[Any], scope: Scope) -> Value:
        value: Value = UNDEFINED
        for item in node[1]:
            value = self.value(item, scope)
        return value

    def _spread(self, node: list[Any], scope: Scope) -> Value:
        return self.value(node[1], scope)

    def _dynamic_import(self, node: list[Any], scope: Scope) -> Value:
        name = self.value(node[1], scope)
        if not isinstance(name, str):
            return Unknown("import")
        name = name.removeprefix("file://")
        path = scope.module.path
        value = self.imported(path, name)
        resolved = self._resolve(path, name)
        if resolved is not None and not self._is_esm(resolved) and not isinstance(value, Namespace):
            return Obj({"default": value})
        if resolved is not None and isinstance(value, Namespace) and not self._is_esm(resolved):
            return Obj({**value.props, "default": value})
        return value if resolved is not None or isinstance(value, Unknown) else Obj({"default": value}, parent=None)

    # assignment

    def assign(self, target: Any, value: Value, scope: Scope, *, declare: bool = False) -> None:
        if isinstance(target, str):
            if declare:
                scope.names[target] = value
            else:
                self._assign_name(target, value, scope)
            return
        kind = target[0]
        if kind == "d":
            forced = self.force(value)
            if forced is UNDEFINED or isinstance(forced, Unknown):
                default = self.raw(target[2], scope)
                value = default if forced is UNDEFINED or not isinstance(self.force(default), Unknown) else forced
            self.assign(target[1], value, scope, declare=declare)
        elif kind == "po":
            taken = set()
            for key, pattern in target[1]:
                if key is None:
                    forced = self.force(value)
                    rest = {k: v for k, v in self.entries(forced) if k not in taken} if isinstance(forced, Obj) else {}
                    self.assign(pattern, Obj(rest) if isinstance(forced, Obj) else forced, scope, declare=declare)
                    continue
                name = self.key(key, scope)
                taken.add(name)
                if isinstance(value, Lazy):
                    whole = value
                    part: Value = Lazy(partial(self._member_of, whole, name), name)
                else:
                    part = self.raw_member(value, name)
                self.assign(pattern, part, scope, declare=declare)
        elif kind == "pa":
            items = self.iterate(self.force(value))
            for index, pattern in enumerate(target[1]):
                if pattern is None:
                    continue
                if isinstance(pattern, list) and pattern[0] == "...":
                    self.assign(pattern[1], Unknown() if items is None else items[index:], scope, declare=declare)
                else:
                    item = Unknown() if items is None else items[index] if index < len(items) else UNDEFINED
                    self.assign(pattern, item, scope, declare=declare)
        elif kind == "...":
            self.assign(target[1], value, scope, declare=declare)
        elif kind in ("m", "x"):
            self._assign_member(target, value, scope)

    def _assign_name(self, name: str, value: Value, scope: Scope) -> None:
        at: Scope | None = scope
        while at is not None:
            if name in at.names:
                at.names[name] = value
                if name == "exports" and at is scope.module.scope and isinstance(self.force(value), Namespace):
                    scope.module.exports = self.force(value)
                return
            at = at.parent
        self.globals[name] = value

    def _assign_member(self, target: list[Any], value: Value, scope: Scope) -> None:
        owner = self.value(target[1], scope)
        if target[0] == "m":
            name: Value = target[2]
        else:
            name = self.value(target[2], scope)
            if isinstance(owner, list) and isinstance(name, int):
                if 0 <= name < len(owner):
                    owner[name] = value
                elif name == len(owner):
                    owner.append(value)
                return
            if isinstance(name, Unknown):
                return
            name = text_of(name)
        if isinstance(value, Func) and isinstance(owner, Obj) and not value.node[5] and value.this is UNDEFINED:
            value.this = owner
        if isinstance(owner, (Obj, Func, ClassV)):
            if isinstance(owner, ClassV) and name == "prototype":
                return
            owner.props[name] = value
            if isinstance(owner, Obj) and owner.base is not None:
                owner.base.set(name, value)
        elif isinstance(owner, Native):
            owner.set(name, value)

    # lists and objects

    def iterate(self, value: Value) -> list[Value] | None:
        """None: its elements are not known."""
        if isinstance(value, list):
            return [self.force(each) for each in value]
        if isinstance(value, builtins.MapValue):
            return [[key, each] for key, each in value.pairs]
        if isinstance(value, str) and "\ue000" not in value:
            return list(value)
        return None

    def entries(self, value: Value) -> list[tuple[str, Value]]:
        if not isinstance(value, Obj):
            return list(value.props.items()) if isinstance(value, (Func, ClassV, Function)) else []
        result = dict(value.props)
        if isinstance(value, Namespace):
            for star in value.stars:
                found = self.force(star())
                for key, each in self.entries(found) if found is not value else ():
                    if key != "default":
                        result.setdefault(key, each)
        return [(key, self.force(each)) for key, each in result.items()]


def _itself(value: Value) -> Value:
    return value


def truth(value: Value) -> bool | None:
    """None: not known."""
    if isinstance(value, Unknown):
        return None
    if isinstance(value, (bool, int, float, str)):
        return bool(value)
    return value is not None and value is not UNDEFINED


def best(values: list[Value]) -> Value:
    """Of values of which any may be the one: that which tells most."""
    return max(values, key=lambda value: (_weight(value), _size(value)), default=UNDEFINED)


def _size(value: Value) -> int:
    if isinstance(value, Obj) and not isinstance(value, Namespace):
        return sum(1 + _size(each) for each in value.props.values() if isinstance(each, list))
    return len(value) if isinstance(value, list) else 0


def _weight(value: Value) -> int:
    if native_of(value) is not None:
        return 5
    if isinstance(value, (Func, ClassV, Native)):
        return 4
    if isinstance(value, (list, Obj)):
        return 3 if value != [] else 1
    if isinstance(value, str):
        return 3
    if isinstance(value, (Unknown, Undefined)) or value is None:
        return 0 if not isinstance(value, Unknown) else 1
    return 2


def _add(left: Value, right: Value, node: list[Any]) -> Value:
    if isinstance(left, str) or isinstance(right, str):
        parts = []
        for value, index in ((left, 2), (right, 3)):
            if isinstance(value, (Unknown, Undefined)) and not value_label(value) and len(node) > index:
                value = Unknown(expression_label(node[index]))
            parts.append(text_of(value))
        return "".join(parts)
    if _is_number(left) and _is_number(right):
        return left + right
    return Unknown(value_label(left) or value_label(right))


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _compute(operator: str, left: Any, right: Any) -> Value:
    with contextlib.suppress(ZeroDivisionError, OverflowError, ValueError):
        match operator:
            case "-":
                return left - right
            case "*" if abs(left) < 1e9 and abs(right) < 1e9:
                return left * right
            case "/":
                return left / right
            case "%":
                return left % right
            case "<":
                return left < right
            case ">":
                return left > right
            case "<=":
                return left <= right
            case ">=":
                return left >= right
    return Unknown()


def _names(pattern: Any) -> Iterator[str]:
    if isinstance(pattern, str):
        yield pattern
    elif pattern and pattern[0] in ("d", "..."):
        yield from _names(pattern[1])
    elif pattern and pattern[0] == "po":
        for _, inner in pattern[1]:
            yield from _names(inner)
    elif pattern and pattern[0] == "pa":
        for inner in pattern[1]:
            if inner is not None:
                yield from _names(inner)


def _name_of(pattern: Any) -> str:
    return next(_names(pattern), "")


def _from_json(value: Any) -> Value:
    if isinstance(value, dict):
        return Obj({key: _from_json(each) for key, each in value.items()})
    if isinstance(value, list):
        return [_from_json(each) for each in value]
    return value


_STATEMENTS: dict[str, Callable[[Evaluator, list[Any], Scope], Any]] = {
    "let": Evaluator._let,
    "e": Evaluator._expression,
    "r": Evaluator._return,
    "throw": Evaluator._leave,
    "break": Evaluator._leave,
    "continue": Evaluator._leave,
    "if": Evaluator._if,
    "of": Evaluator._of,
    "in": Evaluator._in,
    "loop": Evaluator._loop,
    "{": Evaluator._braces,
    "fn": Evaluator._fn,
    "class": Evaluator._class,
    "switch": Evaluator._switch,
    "try": Evaluator._try,
    "im": Evaluator._import,
    "ex": Evaluator._export,
    "ex*": Evaluator._export_all,
    "exd": Evaluator._export_declared,
    "export": Evaluator._export_value,
}
_EXPRESSIONS: dict[str, Callable[[Evaluator, list[Any], Scope], Value]] = {
    "s": Evaluator._constant,
    "v": Evaluator._constant,
    "u": Evaluator._undefined,
    "?": Evaluator._unknown,
    "re": Evaluator._regex,
    "i": Evaluator._name,
    "m": Evaluator._member,
    "x": Evaluator._index,
    "c": Evaluator._call,
    "n": Evaluator._new,
    "a": Evaluator._array,
    "o": Evaluator._object,
    "t": Evaluator._template,
    "b": Evaluator._binary,
    "!": Evaluator._unary,
    "?:": Evaluator._ternary,
    "=": Evaluator._assignment,
    "seq": Evaluator._sequence,
    "...": Evaluator._spread,
    "f": Evaluator._function,
    "k": Evaluator._klass,
    "import": Evaluator._dynamic_import,
}
