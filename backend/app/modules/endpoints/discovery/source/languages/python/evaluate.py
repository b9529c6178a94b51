"""The statements and expressions of Python, evaluated as far as their text tells.

Both sides of a condition that is not known are followed, and every function that is called. What comes from outside of
the tree is an object that remembers what was done with it. Statements of modules that are no roots wait, where they do
nothing but bind a name, until somebody asks for the name.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from backend.app.modules.endpoints.discovery.source import Sources
from backend.app.modules.endpoints.discovery.source.languages.python import builtins
from backend.app.modules.endpoints.discovery.source.languages.python.bindings import (
    Bindings,
    bound_alone,
    decorator_names,
    is_plain,
)
from backend.app.modules.endpoints.discovery.source.languages.python.django import Django
from backend.app.modules.endpoints.discovery.source.languages.python.modules import Modules
from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    MISSING,
    Attribute,
    Bound,
    Call,
    Class,
    External,
    Function,
    Lazy,
    Module,
    Pending,
    Scope,
    Splat,
    Super,
    Text,
    Unknown,
    Value,
    is_known,
    name_of,
)
from backend.app.modules.endpoints.discovery.source.model import SourceFault
from backend.app.modules.endpoints.discovery.source.patterns import bytes_pattern

MOST_STEPS = 5_000_000
"""Expressions and statements of a tree."""
MOST_STEPS_A_ROOT = 500_000
DEEPEST_CALL = 40
LONGEST_LOOP = 1_000
_PLAIN_BASES = frozenset(
    {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol", "typing_extensions.Protocol"}
)
"""Outside classes of which the initialiser does nothing."""
_STANDARD = sys.stdlib_module_names | {"builtins"}
_MOST_GIVEN = 100
"""Items of a list, or of a dictionary."""
_BY_NAME = bytes_pattern(r"import_module|__import__|iter_modules|walk_packages|find_modules|import_string")


class TooMuch(Exception):
    pass


class Evaluator:
    """`calls` are all calls of what lies outside of the tree, `modules` all modules by path."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.roots = frozenset(sources.roots)
        self.names = Modules(sources.paths)
        self.modules: dict[str, Module] = {}
        self.calls: list[Call] = []
        self.configurations: list[Call] = []
        """Calls of `app.config.from_object` and its like."""
        self.django = Django(self)
        self.faults: list[SourceFault] = []
        self.functions: list[Function] = []
        self.classes: list[Class] = []
        self._steps = 0
        self._allowed = 0
        self._depth = 0
        self._active: list[Function] = []
        self._aside: dict[str, bool] = {}
        """Of files, whether calls that lead there may wait."""
        self._sites: list[tuple[Value, Module, int]] = []

    def guarded(self, path: str, line: int, action: Callable[[], object]) -> None:
        """Does it with steps of its own; what takes too many is told as a fault."""
        self.sources.check()
        self._allowed = min(self._steps + MOST_STEPS_A_ROOT, MOST_STEPS)
        self._depth = 0
        self._active.clear()
        self._sites.clear()
        try:
            action()
        except (TooMuch, RecursionError):
            self.faults.append(SourceFault(path, line, "it takes too many steps to follow; routes may be missing"))

    def exercise(self, made: Class, methods: list[Function]) -> None:
        receiver = self._make(made, [], {}, made.module, made.line, alone=True)
        for method in methods:
            if not method.called:
                self._run_function(method, [receiver], {}, alone=True)

    def call_alone(self, function: Function) -> Value:
        """With arguments that are not known, or of the classes that the parameters are annotated with."""
        return self._run_function(function, [], {}, alone=True)

    def classes_of(self, module: Module) -> list[Class]:
        return [made for made in self.classes if made.module is module]

    def external_bases(self, value: Value) -> frozenset[str]:
        """Dotted names of the outside classes that an object is made of, or a class comes from."""
        made = value.function if isinstance(value, Call) else value
        if isinstance(made, External):
            return frozenset((made.name,))
        return made.outside() if isinstance(made, Class) else frozenset()

    # Modules

    def execute_apart(self, module: Module) -> None:
        """A module that the program imports by a rule of the framework's."""
        self.guarded(module.path, 0, partial(self.execute, module))

    def module(self, path: str, name: str = "") -> Module:
        if path not in self.modules:
            is_package = not path.endswith(".py") or path.endswith("/__init__.py") or path == "__init__.py"
            dotted = name or path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            self.modules[path] = Module(path, dotted, is_package, path in self.roots)
        return self.modules[path]

    def execute(self, module: Module) -> None:
        """All of it."""
        if module.executed:
            return
        module.executed = True
        self.open(module)
        for value in [] if module.is_root else list(module.scope.variables.values()):
            if type(value) is Pending:
                value.settle()

    def open(self, module: Module) -> None:
        """As much of it as is needed to look up its names."""
        if module.opened:
            return
        module.opened = True
        facts = self.sources.facts(module.path) if module.path.endswith(".py") else None
        variables = module.scope.variables
        variables.update(__name__=module.name, __file__=f"/{module.path}")
        if module.is_package:
            variables["__path__"] = [f"/{module.path.removesuffix('__init__.py').rstrip('/')}"]
        if facts is None:
            return
        body = facts["body"]
        bindings = Bindings(body)
        module.changing = bindings.changing
        if not module.is_root:
            self._open_body(body, module, bindings)
            return
        module.executed = True
        if any(statement[0] in ("set", "add") and statement[1] == ["n", "urlpatterns"] for statement in body):
            self._import_views(body, module)
        self.block(body, module.scope)
        if "ROOT_URLCONF" in variables:
            self.django.settings.append(module)

    def _open_body(self, body: list[list[Any]], module: Module, bindings: Bindings) -> None:
        """Statements that do nothing but bind a name wait until somebody asks for it."""
        for statement in body:
            name = bound_alone(statement, module)
            decorators = decorator_names(statement)
            if bindings.only(name) and not any(self._is_ours(each, module, bindings) for each in decorators):
                module.scope.variables[name] = Pending(name, statement, module.scope, self.statement)
            else:
                self.statement(statement, module.scope)

    def _is_ours(self, name: str, module: Module, bindings: Bindings) -> bool:
        """Whether a decorator is of the repository, so that it may put what it decorates somewhere."""
        if bindings.times[name] or not name:
            return True
        dotted, level = bindings.imports.get(name, ("", 0))
        return bool(level) or isinstance(self.import_module(dotted, module), Module)

    def _import_views(self, body: list[list[Any]], module: Module) -> None:
        """What a URLconf imports may only be there to register views. Other imports wait until they are needed."""
        for statement in body:
            if statement[0] == "from" and statement[1] and not statement[2]:
                for name, _ in statement[3]:
                    found = self.import_module(name, module, statement[1])
                    if isinstance(found, Module):
                        self.execute(found)
                        self.import_parts(found)

    def import_parts(self, package: Module) -> None:
        lazy = [value for value in package.scope.variables.values() if isinstance(value, Lazy) and value.level]
        parts = (
            [self.import_module(each.dotted, each.importer, each.level) for each in lazy] if package.is_package else []
        )
        for part in [*package.scope.stars, *parts]:
            if isinstance(part, Module):
                self.execute(part)

    def import_module(self, dotted: str, importer: Module, level: int = 0) -> Value:
        path = self.names.resolve(importer.path, level, dotted) if dotted or level else None
        if path is not None:
            return self.module(path, "" if level else dotted)
        return External(dotted) if not level else Unknown("." * level + dotted)

    def member(self, module: Module, name: str) -> Value:
        """An attribute of a module: what it defines, or a module below it."""
        self.open(module)
        value = self._lookup_in(module.scope, name)
        if value is not MISSING:
            return value  # type: ignore[no-any-return]
        if module.is_package:
            folder = module.path.removesuffix("__init__.py").rstrip("/")
            if path := self.names.find(folder, name):
                return self.module(path, f"{module.name}.{name}")
        return Unknown(f"{module.name}.{name}")

    # Names

    def lookup(self, scope: Scope, name: str) -> Value:
        current: Scope | None = scope
        while current is not None:
            if current.stars or name in current.variables:
                value = self._lookup_in(current, name)
                if value is not MISSING:
                    return value  # type: ignore[no-any-return]
            current = current.parent
        return External(f"builtins.{name}") if name in builtins.NAMES else Unknown(name)

    def _lookup_in(self, scope: Scope, name: str) -> Any:
        value = scope.variables.get(name, MISSING)
        if value is MISSING:
            if scope.stars and not name.startswith("_"):
                for star in scope.stars:
                    if star is not scope.module:
                        self.open(star)
                        found = self._lookup_in(star.scope, name)
                        if found is not MISSING:
                            return found
        elif type(value) is Lazy:
            scope.variables.pop(name)  # an import of itself finds nothing
            resolved = self._resolve_lazy(value)
            return scope.variables.setdefault(name, resolved)
        elif type(value) is Pending:
            return value.settle()
        return value

    def _resolve_lazy(self, lazy: Lazy) -> Any:
        module = self.import_module(lazy.dotted, lazy.importer, lazy.level)
        if not lazy.name:
            return module
        if isinstance(module, Module):
            return self.member(module, lazy.name)
        return self.attribute(module, lazy.name, lazy.importer, 0)

    # Statements

    def block(self, statements: list[list[Any]], scope: Scope) -> bool:
        """Whether it certainly returned, or went on to the next turn of a loop."""
        return any(self.statement(statement, scope) for statement in statements)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > self._allowed:
            raise TooMuch
        if self._steps % 10_000 == 0:
            self.sources.check()

    def statement(self, node: list[Any], scope: Scope) -> bool:
        self._step()
        match node[0]:
            case "import":
                self._import(node[1], node[2], scope)
            case "from":
                self._import_from(node[1], node[2], node[3], scope)
            case "set":
                if node[2] is not None and not (node[2][0] == "c" and self._set_aside(node, scope)):
                    value = self.evaluate(node[2], scope)
                    self.assign(node[1], value, scope)
                if node[3] is not None and node[1][0] == "n":
                    if scope.owner is not None and scope.owner.scope is scope:
                        scope.owner.fields.append(node[1][1])
                    elif node[2] is None and scope.owner is None:
                        scope.variables.setdefault(node[1][1], Unknown(node[1][1]))
            case "add":
                self._add(node, scope)
            case "do":
                self.evaluate(node[1], scope)
            case "def":
                self._define(node, scope)
            case "class":
                self._define_class(node, scope)
            case "if":
                return self._if(node, scope)
            case "for":
                for item in self.iterate(self.evaluate(node[2], scope), node[2]):
                    self.assign(node[1], item, scope)
                    self.block(node[3], scope)
            case "with":
                for value_node, target in node[1]:
                    value = self.evaluate(value_node, scope)
                    if target is not None:
                        self.assign(target, value, scope)
                return self.block(node[2], scope)
            case "try":
                return self._try(node, scope)
            case "either":
                for body in node[1]:
                    self._branch(body, scope)
            case "return":
                scope.returns.append(self.evaluate(node[1], scope))
                return True
            case "continue":
                return True
        return False

    def _import(self, dotted: str, alias: str, scope: Scope) -> None:
        if alias:
            scope.variables[alias] = Lazy(scope.module, 0, dotted, "")
        else:
            top = dotted.partition(".")[0]
            scope.variables[top] = Lazy(scope.module, 0, top, "")

    def _import_from(self, level: int, dotted: str, names: list[list[str]], scope: Scope) -> None:
        for name, alias in names:
            if name == "*":
                module = self.import_module(dotted, scope.module, level)
                if isinstance(module, Module):
                    scope.stars.insert(0, module)
                continue
            bound = alias or name
            if not (scope.module.is_package and level == 1 and not dotted and bound in scope.variables):
                scope.variables[bound] = Lazy(scope.module, level, dotted, name)

    def _set_aside(self, node: list[Any], scope: Scope) -> bool:
        """Lets `name = call(...)` wait until somebody asks for the name, if the call cannot matter to anybody else: it
        leads to a module that is no root, and is given nothing that can be changed. False: it is a statement like
        others."""
        _, target, (_, function, given, line), *_ = node
        holder = self.evaluate(target[1], scope) if target[0] == "a" and target[1] == ["n", "self"] else None
        into = Scope(holder.attributes, None, scope.module) if isinstance(holder, Call) else scope
        if (target[0] != "n" and into is scope) or not self._leads_aside(function, scope):
            return False
        name = target[1] if into is scope else target[2]
        values = [(keyword, self._unasked(value_node, scope)) for keyword, value_node in given]

        def run(_node: object, _scope: object) -> None:
            called = self.evaluate(function, scope)
            arguments: list[Value] = []
            keywords: dict[str, Value] = {}
            for keyword, value in values:
                _give(arguments, keywords, keyword, value.settle() if type(value) is Pending else value)
            into.variables[name] = self.call(called, arguments, keywords, scope.module, line, scope)

        if all(type(value) is Pending or _is_inert(value) for _, value in values):
            into.variables[name] = Pending(name, node, into, run)
        else:
            run(node, scope)
        return True

    def _unasked(self, node: list[Any], scope: Scope) -> Any:
        """The value of an expression, `Pending` where it names one that waits."""
        value = self._bound(node[1], scope) if node[0] == "n" else None
        return value if type(value) is Pending else self.evaluate(node, scope)

    def _bound(self, name: str, scope: Scope) -> Any:
        """What a name is bound to, as it stands there."""
        current: Scope | None = scope
        while current is not None and name not in current.variables:
            current = current.parent
        return MISSING if current is None else current.variables[name]

    def _leads_aside(self, function: list[Any], scope: Scope) -> bool:
        """Whether what is called was imported from a module that declares no routes and imports no others by name."""
        while function[0] == "a":
            function = function[1]
        if function[0] != "n":
            return False
        lazy = self._bound(function[1], scope)
        if type(lazy) is not Lazy:
            return False
        found = self.import_module(lazy.dotted, lazy.importer, lazy.level)
        path = found.path if isinstance(found, Module) else ""
        if isinstance(found, Module) and found.is_package and lazy.name:
            path = self.names.find(path.removesuffix("__init__.py").rstrip("/"), lazy.name) or ""
        if path not in self._aside:
            is_file = path.endswith(".py") and not path.endswith("__init__.py") and path not in self.roots
            text = self.sources.text(path) if is_file else None
            self._aside[path] = text is not None and not _BY_NAME.search(text)
        return self._aside[path]

    def _add(self, node: list[Any], scope: Scope) -> None:
        before, more = self.evaluate(node[1], scope), self.evaluate(node[2], scope)
        if isinstance(before, list):
            before.extend(builtins.as_items(more))
        else:
            self.assign(node[1], builtins.add(before, more), scope)

    def assign(self, target: list[Any], value: Value, scope: Scope) -> None:
        match target[0]:
            case "n":
                scope.variables[target[1]] = value
            case "a":
                holder = self.evaluate(target[1], scope)
                if isinstance(holder, Call):
                    holder.attributes[target[2]] = value
                elif isinstance(holder, Class):
                    holder.scope.variables[target[2]] = value
                elif isinstance(holder, Module):
                    self.open(holder)
                    holder.scope.variables[target[2]] = value
                elif isinstance(holder, Attribute) and isinstance(holder.value, Call):
                    holder.value.attributes[f"{holder.name}.{target[2]}"] = value
            case "i":
                holder, key = self.evaluate(target[1], scope), self.evaluate(target[2], scope)
                holder = builtins.mapping_of(holder)
                if isinstance(holder, dict) and isinstance(key, str | int):
                    holder[key] = value
                elif isinstance(holder, Call) and isinstance(key, str):
                    holder.attributes[f"[{key}]"] = value
                elif isinstance(holder, Attribute) and isinstance(holder.value, Call) and isinstance(key, str):
                    holder.value.attributes[f"{holder.name}[{key}]"] = value
            case "l" | "t":
                values = list(value) if isinstance(value, list | tuple) else []
                for number, part in enumerate(target[1]):
                    if part[0] == "*":
                        self.assign(part[1], values[number:], scope)
                        break
                    known = number < len(values) and not isinstance(values[number], Splat)
                    self.assign(part, values[number] if known else Unknown(str(part[1])), scope)

    def _if(self, node: list[Any], scope: Scope) -> bool:
        truth = self.truth(self.evaluate(node[1], scope))
        if truth is not None:
            return self.block(node[2] if truth else node[3], scope)
        variables = scope.variables
        before = dict(variables)
        ended = self.block(node[2], scope)
        then = dict(variables)
        variables.clear()
        variables.update(before)
        ended_otherwise = self.block(node[3], scope)
        for name, value in ({} if ended and not ended_otherwise else then).items():
            former, other = before.get(name, MISSING), variables.get(name, MISSING)
            if value is former:
                continue
            if other is former:
                variables[name] = former if former is not MISSING and _says_more(former, value) else value
            elif is_known(value) or not is_known(other):
                variables[name] = value
        for name, former in before.items():
            other = variables[name]
            if then.get(name, MISSING) is former and other is not former and _says_more(former, other):
                variables[name] = former
        return ended and ended_otherwise

    def _branch(self, body: list[list[Any]], scope: Scope) -> bool:
        """Of what may happen: a name keeps its former value unless the other one says more."""
        before = dict(scope.variables)
        ended = self.block(body, scope)
        for name, value in before.items():
            if scope.variables.get(name) is not value and _says_more(value, scope.variables.get(name)):
                scope.variables[name] = value
        return ended

    def _try(self, node: list[Any], scope: Scope) -> bool:
        ended = self.block(node[1], scope)
        bound = dict(scope.variables)
        for handler in node[2]:
            self.block(handler, scope)
        scope.variables.update(bound)
        return self.block(node[3], scope) or ended

    def _define(self, node: list[Any], scope: Scope) -> None:
        _, name, parameters, body, decorators, line, returns, builds = node
        owner = scope.owner if scope.owner and scope is scope.owner.scope else None
        enclosing = scope.parent if owner and scope.parent else scope
        if scope.module.changing:  # a default is what it comes to here
            parameters = [
                [*rest, ["v", self.evaluate(default, scope)] if default and scope.module.changes(default) else default]
                for *rest, default in parameters
            ]
        function = Function(name, parameters, body, enclosing, line, returns, builds, owner)
        self.functions.append(function)
        bound: Value = function
        for decorator_node, decorator_line in reversed(decorators):
            decorator = self.evaluate(decorator_node, scope)
            function.decorators.append((decorator, decorator_line))
            bound = self._decorate(decorator, bound, scope.module, decorator_line)
        if not (isinstance(bound, Attribute) and bound.name in ("setter", "deleter")):
            scope.variables[name] = bound

    def _define_class(self, node: list[Any], scope: Scope) -> None:
        _, name, arguments, body, decorators, line = node
        bases: list[Value] = []
        keywords: dict[str, Value] = {}
        for keyword, value_node in arguments:
            if keyword is None:
                base = self.evaluate(value_node, scope)
                bases.append(base)
            elif keyword not in ("*", "**"):
                keywords[keyword] = self.evaluate(value_node, scope)
        made = Class(name, bases, Scope({}, scope, scope.module), line, keywords=keywords)
        made.scope.owner = made
        self.classes.append(made)
        self._class_body(body, made)
        bound: Value = made
        for decorator_node, decorator_line in reversed(decorators):
            decorator = self.evaluate(decorator_node, scope)
            made.decorators.append((decorator, decorator_line))
            bound = self._decorate(decorator, bound, scope.module, decorator_line)
        scope.variables[name] = bound

    def _class_body(self, body: list[list[Any]], made: Class) -> None:
        """Attributes that are seldom asked for wait; in a root, where calls may add routes, those without a call."""
        bindings = Bindings(body)
        for statement in body:
            name = bound_alone(statement, made.module) if statement[0] == "set" else ""
            if bindings.times[name] == 1 and (not made.module.is_root or is_plain(statement[2])):
                made.scope.variables[name] = Pending(name, statement, made.scope, self._set)
                if statement[3] is not None:
                    made.fields.append(name)
            else:
                self.statement(statement, made.scope)

    def _set(self, statement: list[Any], scope: Scope) -> None:
        scope.variables[statement[1][1]] = self.evaluate(statement[2], scope)

    def _decorate(self, decorator: Value, decorated: Value, module: Module, line: int) -> Value:
        """What a decorator gives stands for what it was put on, whatever it wraps around it."""
        if isinstance(decorator, External) and decorator.name in builtins.PLAIN_DECORATORS:
            return decorated
        result = self.call(decorator, [decorated], {}, module, line)
        if isinstance(decorated, Function) and isinstance(decorator, Function | Bound):
            return result if isinstance(result, Call) and isinstance(result.function, Class) else decorated
        return decorated

    # Expressions

    def evaluate(self, node: list[Any], scope: Scope) -> Value:
        self._step()
        match node[0]:
            case "s" | "k" | "v":
                return node[1]  # type: ignore[no-any-return]
            case "n":
                return self.lookup(scope, node[1])
            case "a":
                return self.attribute(self.evaluate(node[1], scope), node[2], scope.module, 0)  # type: ignore[no-any-return]
            case "c":
                return self._call(node, scope)
            case "f":
                return builtins.concatenate([self.evaluate(part, scope) for part in node[1]])
            case "l":
                return self._items(node[1], scope)
            case "t":
                return tuple(self._items(node[1], scope))
            case "d":
                return self._dictionary(node[1], scope)
            case "i":
                return self._index(self.evaluate(node[1], scope), self.evaluate(node[2], scope), node)
            case "b":
                return builtins.operate(node[1], self.evaluate(node[2], scope), self.evaluate(node[3], scope))
            case "or":
                return self._or(node, scope)
            case "?":
                truth = self.truth(self.evaluate(node[1], scope))
                if truth is not None:
                    return self.evaluate(node[2] if truth else node[3], scope)
                then, otherwise = self.evaluate(node[2], scope), self.evaluate(node[3], scope)
                return otherwise if _says_more(otherwise, then) and not _says_more(then, otherwise) else then
            case "not":
                truth = self.truth(self.evaluate(node[1], scope))
                return Unknown("not ...") if truth is None else not truth
            case "cmp":
                return builtins.compare(node[1], self.evaluate(node[2], scope), self.evaluate(node[3], scope))
            case "for" | "dfor":
                return self._comprehension(node, scope)
            case "lambda":
                return Function("<lambda>", node[1], [["return", node[2]]], scope, 0)
            case "*":
                return Splat(self.evaluate(node[1], scope))
        return Unknown(node[1])

    def _items(self, nodes: list[list[Any]], scope: Scope) -> list[Value]:
        items: list[Value] = []
        for node in nodes:
            value = self.evaluate(node, scope)
            if isinstance(value, Splat):
                items.extend(builtins.as_items(value.value))
            else:
                items.append(value)
        return items

    def _dictionary(self, pairs: list[list[Any]], scope: Scope) -> Value:
        made: dict[Any, Value] = {}
        for key_node, value_node in pairs:
            value = self.evaluate(value_node, scope)
            if key_node is None:
                if isinstance(value, dict):
                    made.update(value)
                continue
            key = self.evaluate(key_node, scope)
            made[key if isinstance(key, str | int | None) else _Key(key)] = value
        return made

    def _or(self, node: list[Any], scope: Scope) -> Value:
        left = self.evaluate(node[2], scope)
        truth = self.truth(left)
        if node[1] == "|":
            return left if left is not None else self.evaluate(node[3], scope)
        if truth is not None:
            return left if truth is (node[1] == "or") else self.evaluate(node[3], scope)
        right = self.evaluate(node[3], scope)
        if node[1] == "or":
            return right if not is_known(left) and right not in (None, "") else left
        return Unknown(name_of(left)) if is_known(right) else right

    def _comprehension(self, node: list[Any], scope: Scope) -> Value:
        _, element, target, iterable, conditions = node
        inner = Scope({}, scope, scope.module, owner=None)
        items: list[Value] = []
        for item in self.iterate(self.evaluate(iterable, scope), iterable):
            self.assign(target, item, inner)
            if any(self.truth(self.evaluate(condition, inner)) is False for condition in conditions):
                continue
            value = self.evaluate(element, inner)
            items += builtins.as_items(value.value) if isinstance(value, Splat) else [value]
        if node[0] == "dfor":
            return {pair[0]: pair[1] for pair in items if isinstance(pair, tuple) and isinstance(pair[0], str | int)}
        return items

    def iterate(self, value: Value, node: list[Any]) -> Iterator[Value]:
        """The items; one that is not known for what cannot be listed."""
        if isinstance(value, dict):
            value = [key for key in value if not isinstance(key, _Key)]
        if not isinstance(value, list | tuple):
            yield Unknown(f"an item of {name_of(value)}")
            return
        for item in list(value)[:LONGEST_LOOP]:
            yield Unknown(f"an item of {name_of(item.value)}") if isinstance(item, Splat) else item

    def truth(self, value: Value) -> bool | None:
        if isinstance(value, str | int | None | list | tuple | dict):
            return bool(value)
        if isinstance(value, Text):
            return True if any(isinstance(part, str) and part for part in value.parts) else None
        return builtins.truth_of_setting(self, value) if isinstance(value, External) else None

    def _index(self, value: Value, key: Value, node: list[Any]) -> Value:
        value = builtins.mapping_of(value)
        if isinstance(value, builtins.DefaultDict) and isinstance(key, str | int):
            return value.at(key)
        if isinstance(value, dict) and isinstance(key, str | int):
            return value.get(key, Unknown(f"{name_of(value)}[{key!r}]"))
        if isinstance(value, list | tuple) and isinstance(key, int) and -len(value) <= key < len(value):
            return value[key]
        if isinstance(value, Call) and isinstance(key, str) and f"[{key}]" in value.attributes:
            return value.attributes[f"[{key}]"]
        if isinstance(value, Class):  # `Repository[User]`
            return value
        if isinstance(key, str) and (found := builtins.configured(self, value, key)) is not MISSING:
            return found  # type: ignore[no-any-return]
        if isinstance(value, External) and not isinstance(key, str):
            return _annotated(value, key)
        if isinstance(value, Attribute) and isinstance(key, int):
            return Attribute(value, f"[{key}]")
        return Unknown(f"{name_of(value)}[{key!r}]" if isinstance(key, str | int) else f"{name_of(value)}[...]")

    # Attributes

    def attribute(self, value: Value, name: str, module: Module, line: int) -> Any:
        match value:
            case Module():
                return self.member(value, name)
            case External():
                return External(f"{value.name}.{name}")
            case Unknown():
                return Unknown(f"{value.name}.{name}")
            case Class():
                return self._class_attribute(value, name)
            case Call():
                return self._object_attribute(value, name)
            case Super():
                return self._super_attribute(value, name)
            case builtins.PathText():
                return builtins.path_attribute(value, name)
            case Function() if name == "__name__":
                return value.name
            case Attribute(value=Class() as model, name="_meta"):
                label, lower = builtins.label_of_model(model), model.name.lower()
                known = {"app_label": label, "model_name": lower, "label_lower": f"{label}.{lower}"}
                return known.get(name, Attribute(value, name))
        return Attribute(value, name)

    def _class_attribute(self, made: Class, name: str) -> Any:
        found = self._find(made, name)
        if isinstance(found, Function) and any(d == External("builtins.classmethod") for d, _ in found.decorators):
            return Bound(found, made)
        if found is not MISSING:
            return builtins.declared_default(found)
        if name == "__name__":
            return made.name
        return Attribute(made, name)

    def _find(self, made: Class, name: str) -> Any:
        found = made.find(name)
        if isinstance(found, Lazy):
            found = self._resolve_lazy(found)
        return found

    def _object_attribute(self, made: Call, name: str) -> Any:
        if made.waiting is not None and isinstance(made.function, Class):
            found = self._find(made.function, name)
            if isinstance(found, Function):
                return self._bind(found, made)
        if name in made.attributes:
            value: Any = made.attributes[name]
            return value.settle() if type(value) is Pending else value
        if isinstance(made.function, Class):
            found = self._find(made.function, name)
            if isinstance(found, Function):
                return self._bind(found, made)
            if found is not MISSING:
                return self._field(made, name, found)
            if name == "__class__":
                return made.function
        return Attribute(made, name)

    def _field(self, made: Call, name: str, declared: Any) -> Any:
        """An attribute that nobody was seen to give: what the class says of it, or what its `default_factory` makes."""
        factory = declared.keywords.get("default_factory") if isinstance(declared, Call) else None
        if isinstance(factory, Function):
            made.attributes[name] = self.call(factory, [], {}, declared.module, declared.line)
            return made.attributes[name]
        return builtins.declared_default(declared)

    def _bind(self, function: Function, receiver: Value) -> Value:
        names = {name_of(decorator) for decorator, _ in function.decorators}
        if names & builtins.PROPERTIES:
            return self._run_function(function, [receiver], {})
        if "builtins.staticmethod" in names:
            return function
        if "builtins.classmethod" in names and isinstance(receiver, Call):
            return Bound(function, receiver.function)
        return Bound(function, receiver)

    def _super_attribute(self, value: Super, name: str) -> Any:
        receiver = value.receiver
        bases = receiver.function if isinstance(receiver, Call) else receiver
        after = False
        for base in bases.mro() if isinstance(bases, Class) else ():
            if after and isinstance(base, Class) and name in base.scope.variables:
                found = base.scope.variables[name]
                return self._bind(found, receiver) if isinstance(found, Function) else found
            after = after or base is value.owner
        return Attribute(receiver, name)

    # Calls

    def _call(self, node: list[Any], scope: Scope) -> Value:
        function = self.evaluate(node[1], scope)
        arguments: list[Value] = []
        keywords: dict[str, Value] = {}
        for keyword, value_node in node[2]:
            _give(arguments, keywords, keyword, self.evaluate(value_node, scope))
        if function == External("builtins.super"):
            return self._super(arguments, scope)
        return self.call(function, arguments, keywords, scope.module, node[3], scope)

    def _super(self, arguments: list[Value], scope: Scope) -> Value:
        current: Scope | None = scope
        while current is not None and current.owner is None:
            current = current.parent
        if current is None or current.owner is None:
            return Unknown("super()")
        if len(arguments) == 2 and isinstance(arguments[0], Class):
            return Super(arguments[1], arguments[0])
        return Super(current.variables.get("self", current.variables.get("cls")), current.owner)

    def call(
        self,
        function: Value,
        arguments: list[Value],
        keywords: dict[str, Value],
        module: Module,
        line: int,
        scope: Scope | None = None,
    ) -> Value:
        self._step()
        match function:
            case Function():
                return self._run_function(function, arguments, keywords)
            case Bound():
                self._sites.append((function.receiver, module, line))
                try:
                    return self._run_function(function.function, [function.receiver, *arguments], keywords)
                finally:
                    self._sites.pop()
            case Class():
                return self._make(function, arguments, keywords, module, line)
            case Attribute(value=Class() as owner) if arguments and function.name == "__init__":
                return self._record(Attribute(arguments[0], "__init__"), arguments[1:], keywords, module, line) or owner
            case Call(function=External("functools.partial"), arguments=[inner, *given]):
                return self.call(inner, [*given, *arguments], {**function.keywords, **keywords}, module, line)
            case External() | Attribute() | Call():
                known = builtins.call(self, function, arguments, keywords, module, scope)
                if known is not MISSING:
                    return known  # type: ignore[no-any-return]
                return self._record(function, arguments, keywords, module, line)
            case Unknown():
                default = builtins.default_of(function, arguments, keywords)
                return default if default is not None else Unknown(f"{function.name}()")
        return Unknown(f"{name_of(function)}()")

    def _record(
        self, function: Value, arguments: list[Value], keywords: dict[str, Value], module: Module, line: int
    ) -> Call:
        holder = function
        while isinstance(holder, Attribute):
            holder = holder.value
        for receiver, caller, called_at in reversed(self._sites):
            if receiver is not holder:
                break
            # A method of a subclass that calls what it overrides: the line of interest is that of its own call.
            module, line = caller, called_at
        made = Call(function, arguments, keywords, module, line)
        self.calls.append(made)
        if isinstance(function, Attribute) and function.name in ("from_object", "from_mapping", "update"):
            inner = function.value
            if isinstance(inner, Attribute) and inner.name == "config":
                self.configurations.append(made)
        if isinstance(holder, Call):
            holder.calls.append(made)
        return made

    def _make(
        self,
        made_of: Class,
        arguments: list[Value],
        keywords: dict[str, Value],
        module: Module,
        line: int,
        alone: bool = False,
    ) -> Call:
        made_of.made = True
        made = Call(made_of, arguments, keywords, module, line)
        self.calls.append(made)
        initialiser = self._find(made_of, "__init__")
        if isinstance(initialiser, Function):
            run = partial(self._run_function, initialiser, [made, *arguments], keywords, alone)
            if _may_wait(made_of, initialiser, [*arguments, *keywords.values()]):
                made.waiting = run
            else:
                run()
        else:
            fields = [name for base in reversed([*made_of.mro()]) if isinstance(base, Class) for name in base.fields]
            made.attributes.update(zip(dict.fromkeys(fields), arguments, strict=False))
            made.attributes.update(keywords)  # dataclasses, models, settings
        return made

    def _run_function(
        self, function: Function, arguments: list[Value], keywords: dict[str, Value], alone: bool = False
    ) -> Value:
        function.called = True
        if function.body is None:
            return self._declared(function)
        if self._depth >= DEEPEST_CALL or self._active.count(function) > 1:
            return Unknown(f"{function.name}()")
        scope = Scope({}, function.scope, function.module, owner=function.owner)
        self._bind_parameters(function, arguments, keywords, scope, alone)
        self._depth += 1
        self._active.append(function)
        try:
            self.block(function.body, scope)
        finally:
            self._depth -= 1
            self._active.pop()
        known = [value for value in scope.returns if value is not None]
        if known:
            return next((value for value in reversed(known) if not isinstance(value, Unknown)), known[-1])
        return self._declared(function) if function.returns is not None else None

    def _declared(self, function: Function) -> Value:
        """A result of the class that the function says it returns."""
        if function.returns is not None:
            declared = self.evaluate(function.returns, function.scope)
            if isinstance(declared, Class):
                return self._make(declared, [], {}, function.module, function.line)
        return Unknown(f"{function.name}()")

    def _bind_parameters(
        self, function: Function, arguments: list[Value], keywords: dict[str, Value], scope: Scope, alone: bool
    ) -> None:
        rest = list(arguments)
        left = dict(keywords)
        for name, kind, annotation, default in function.parameters:
            if kind == "*":
                scope.variables[name], rest = list(rest), []
            elif kind == "**":
                scope.variables[name] = dict(left)
            elif rest and kind != "k":
                scope.variables[name] = rest.pop(0)
            elif name in left:
                scope.variables[name] = left.pop(name)
            elif default is not None:
                scope.variables[name] = self.evaluate(default, function.scope)
            elif alone and annotation is not None:
                declared = self._annotated(annotation, function.scope)
                scope.variables[name] = (
                    self._stand_in(declared, function) if isinstance(declared, External | Class) else Unknown(name)
                )
            elif alone:
                scope.variables[name] = self._record(
                    External(f"parameter.{name}"), [], {}, function.module, function.line
                )
            else:
                scope.variables[name] = Unknown(name)

    def _annotated(self, annotation: list[Any], scope: Scope) -> Value:
        if annotation[0] == "s" and annotation[1].isidentifier():  # "FastAPI"
            return self.lookup(scope, annotation[1])
        return self.evaluate(annotation, scope)

    def _stand_in(self, declared: External | Class, function: Function) -> Call:
        """An object of the class that a parameter is annotated with, as a container would give it."""
        initialiser = self._find(declared, "__init__") if isinstance(declared, Class) else MISSING
        if isinstance(declared, Class) and isinstance(initialiser, Function):
            return self._make(declared, [], {}, function.module, function.line, alone=True)
        made = Call(declared, [], {}, function.module, function.line)
        self.calls.append(made)
        return made


def _may_wait(made_of: Class, initialiser: Function, given: list[Value]) -> bool:
    """Whether an initialiser changes nothing but its object."""
    return (
        not initialiser.builds
        and made_of.outside() <= _PLAIN_BASES
        and not any(isinstance(base, Class) and base.module.is_root for base in made_of.mro())
        and all(map(_is_inert, given))
    )


def _give(arguments: list[Value], keywords: dict[str, Value], keyword: str | None, value: Value) -> None:
    """Adds one argument of a call."""
    if keyword is None:
        arguments.append(value)
    elif keyword == "*":
        arguments.extend(builtins.as_items(value))
    elif keyword == "**":
        if isinstance(value, dict):
            keywords.update((key, item) for key, item in value.items() if isinstance(key, str))
    else:
        keywords[keyword] = value


def _is_inert(value: object) -> bool:
    """Whether nothing can be done to it, or through it, that adds routes."""
    if isinstance(value, Call):
        return isinstance(value.function, External) and value.function.name.partition(".")[0] in _STANDARD
    if isinstance(value, list | tuple):
        return len(value) < _MOST_GIVEN and all(map(_is_inert, value))
    if isinstance(value, dict):
        return len(value) < _MOST_GIVEN and all(map(_is_inert, value.values()))
    return isinstance(value, str | int | Unknown | Text | External | Class | None)


class _Key:
    """A key of a dictionary that is no string or number."""

    def __init__(self, value: Value) -> None:
        self.value = value


def _says_more(former: object, latter: object) -> bool:
    if former is None or not is_known(former):
        return False
    if isinstance(former, list) and isinstance(latter, list):
        return len(former) >= len(latter)
    return not (former == "" and isinstance(latter, Call | Class | Function))


def _annotated(value: External, key: Value) -> Value:
    if value.name.endswith((".Annotated", ".Optional", ".Final", ".ClassVar", ".Type")) or value.name == "type":
        return key[0] if isinstance(key, tuple) and key else key
    return value
