"""Routes of router functions: the builder, the static functions and Kotlin's DSL.

https://docs.spring.io/spring-framework/reference/web/webmvc-functional.html
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.frameworks.spring.annotations import Annotations
from backend.app.modules.endpoints.discovery.source.frameworks.spring.configuration import Configurations
from backend.app.modules.endpoints.discovery.source.frameworks.spring.parameters import path_parameters
from backend.app.modules.endpoints.discovery.source.frameworks.spring.paths import join, to_template
from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Code, File, Scope, Text
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import Expression, Statement
from backend.app.modules.endpoints.discovery.source.model import Route

_VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STARTS = frozenset({"route", "router", "coRouter", "nest", "resources"})
_ROUTERS = frozenset({"RouterFunction", "CoRouterFunctionDsl", "RouterFunctionDsl"})
DEEPEST = 60
MOST_ROUTES = 20_000


@dataclass
class _Predicate:
    methods: tuple[str, ...] = ()
    path: Text = field(default_factory=lambda: Text(""))
    line: int = 0

    def then(self, other: "_Predicate") -> "_Predicate":
        return _Predicate(other.methods or self.methods, _join(self.path, other.path), other.line or self.line)


@dataclass
class _Found:
    methods: tuple[str, ...]
    path: Text
    line: int
    handler: str


class _Walk:
    """Through the body of one function that makes a router."""

    def __init__(self, code: Code, owner: Scope, methods: list[Facts]) -> None:
        self.code = code
        self.owner = owner
        self.methods = {method["name"]: method for method in methods if method["body"]}
        self.inlined: set[str] = set()
        self.found: list[_Found] = []

    def body(self, statements: list[Statement], prefix: Text, depth: int = 0) -> None:
        names: dict[str, Expression] = {}
        used: set[str] = set()
        for statement in statements:
            if statement[0] == "let" and statement[1] not in names:
                names[statement[1]] = statement[2]
            else:
                self.visit(statement[-1], prefix, names, used, depth)
        for name, value in names.items():
            if name not in used:
                self.visit(value, prefix, names, used, depth)

    def visit(
        self, expression: Expression, prefix: Text, names: dict[str, Expression], used: set[str], depth: int
    ) -> None:
        if depth > DEEPEST or len(self.found) > MOST_ROUTES:
            return
        if expression[0] == "n" and expression[1] in names:
            if expression[1] not in used:
                used.add(expression[1])
                self.visit(names[expression[1]], prefix, names, used, depth + 1)
        elif expression[0] == "fn":
            self.body(_with_names(expression[2], names), prefix, depth + 1)
        elif expression[0] == "ref":
            self._inline(expression[2], prefix, depth)
        elif expression[0] == "c":
            self._call(expression, prefix, names, used, depth)

    def _call(self, call: Expression, prefix: Text, names: dict[str, Expression], used: set[str], depth: int) -> None:
        _, owner, name, arguments, line = call
        is_dsl_nest = name == "nest" and owner is not None and len(arguments) == 1
        if owner is not None and not is_dsl_nest and name != "invoke":
            self.visit(owner, prefix, names, used, depth + 1)
        if is_dsl_nest:
            self.visit(arguments[0], _join(prefix, self.predicate(owner).path), names, used, depth + 1)
        elif name in {"nest", "andNest"} and len(arguments) >= 2:
            self.visit(arguments[1], _join(prefix, self.predicate(arguments[0]).path), names, used, depth + 1)
        elif name == "path" and len(arguments) == 2:
            inner = _join(prefix, self.code.text(arguments[0], self.owner))
            self.visit(arguments[1], inner, names, used, depth + 1)
        elif name in _VERBS and arguments:
            self._verb(name, arguments, prefix, line)
        elif name in {"route", "andRoute"} and len(arguments) >= 2:
            self._add(self.predicate(arguments[0]), arguments[-1], prefix, line)
        elif name == "invoke" and owner is not None:
            if arguments:
                self._add(self.predicate(owner), arguments[-1], prefix, line)
        elif name in {"add", "and", "andOther", "router", "coRouter", "apply", "also", "filter", "let", "run"}:
            for argument in arguments:
                if name != "filter":
                    self.visit(argument, prefix, names, used, depth + 1)
        elif owner in (None, ["n", "this"]):
            self._inline(name, prefix, depth)

    def _verb(self, name: str, arguments: list[Expression], prefix: Text, line: int) -> None:
        if len(arguments) == 1 and arguments[0][0] in {"fn", "ref"}:
            self._add(_Predicate((name,), Text(""), line), arguments[0], prefix, line)
        elif len(arguments) > 1:
            first = self.predicate(arguments[0])
            self._add(_Predicate((name,), first.path, line), arguments[-1], prefix, line)

    def _add(self, predicate: _Predicate, handler: Expression, prefix: Text, line: int) -> None:
        named = f"{handler[1]}.{handler[2]}" if handler[0] == "ref" else ""
        path = _join(prefix, predicate.path)
        self.found.append(
            _Found(predicate.methods or ("*",), path, predicate.line or line, named.removeprefix("this."))
        )

    def _inline(self, name: str, prefix: Text, depth: int) -> None:
        method = self.methods.get(name)
        if method is not None and name not in self.inlined and depth < DEEPEST:
            self.inlined.add(name)
            self.body(method["body"], prefix, depth + 1)

    def predicate(self, expression: Expression, depth: int = 0) -> _Predicate:
        """What a request predicate says of method and path; what else it says does not matter."""
        if depth > DEEPEST:
            return _Predicate()
        if expression[0] != "c":
            if expression[0] in {"s", "+"} or (expression[0] == "n" and self.code.constant(expression[1], self.owner)):
                return _Predicate(path=self.code.text(expression, self.owner))
            return _Predicate()
        _, owner, name, arguments, line = expression
        if name in _VERBS:
            path = self.code.text(arguments[0], self.owner) if arguments else Text("")
            return _Predicate((name,), path, line)
        if name in {"path", "pathPattern"} and arguments:
            return _Predicate((), self.code.text(arguments[0], self.owner), line)
        if name in {"method", "methods"}:
            named = [each[1].rpartition(".")[2] for each in arguments if each[0] == "n"]
            return _Predicate(tuple(each for each in named if each in _VERBS), Text(""), line)
        if name == "and" and owner is not None and arguments:
            return self.predicate(owner, depth + 1).then(self.predicate(arguments[0], depth + 1))
        if name == "or" and owner is not None and arguments:
            first, second = self.predicate(owner, depth + 1), self.predicate(arguments[0], depth + 1)
            return _Predicate(tuple(dict.fromkeys(first.methods + second.methods)), first.path, first.line)
        return _Predicate()


class RouterFunctions:
    def __init__(self, code: Code, annotations: Annotations, configurations: Configurations) -> None:
        self.code = code
        self.annotations = annotations
        self.configurations = configurations

    def routes(self) -> Iterator[Route]:
        for file in self.code.roots:
            self.code.sources.check()
            yield from self._of_methods(file, file, file.methods)
            for type_ in file.walk():
                yield from self._of_methods(file, type_, type_.facts["methods"])

    def _of_methods(self, file: File, owner: Scope, methods: list[Facts]) -> Iterator[Route]:
        makers = [method for method in methods if method["body"] and _makes_router(method)]
        if not makers:
            return
        beans = [each for each in makers if self.annotations.first(each["annotations"], owner, ["Bean"])]
        inlined: set[str] = set()
        helpers = [each for each in methods if each not in beans]
        for method in beans:
            walk = _Walk(self.code, owner, helpers)
            walk.body(method["body"], Text(""))
            inlined |= walk.inlined
            yield from self._emit(file, walk.found, "")
        pending = [each for each in makers if each not in beans and each["name"] not in inlined]
        called = {name for each in pending for name in _called(each["body"])}
        for method in pending:
            if method["name"] in called:
                continue
            walk = _Walk(self.code, owner, helpers)
            walk.body(method["body"], Text(""))
            yield from self._emit(file, walk.found, f"where the router of {method['name']} is used is not known")

    def _emit(self, file: File, found: list[_Found], reason: str) -> Iterator[Route]:
        application = self.configurations.of(file.path)
        for each in found:
            own = application.fill(each.path)
            path = to_template(join(application.prefix.value, own.value) or "/")
            unknown = dict.fromkeys(application.prefix.unknown + own.unknown)
            for method in each.methods:
                yield Route(
                    method=method,
                    path=path,
                    file=file.path,
                    line=each.line,
                    framework="spring",
                    handler=each.handler,
                    parameters=path_parameters(path),
                    unresolved=reason
                    or application.unresolved
                    or (f"{', '.join(unknown)} is not known" if unknown else ""),
                )


def _makes_router(method: Facts) -> bool:
    if method["returns"][0].rpartition(".")[2] in _ROUTERS:
        return True
    return not method["returns"][0] and any(
        statement[0] == "return" and statement[1][0] == "c" and statement[1][2] in {"router", "coRouter"}
        for statement in method["body"]
    )


def _called(body: list[Statement]) -> Iterator[str]:
    pending: list[object] = [body]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            if len(each) == 5 and each[0] == "c" and each[1] in (None, ["n", "this"]):
                yield each[2]
            pending += each


def _with_names(body: list[Statement], names: dict[str, Expression]) -> list[Statement]:
    """A lambda uses what stands around it, but makes nothing of it that it does not use."""
    return body if not names else [_replaced(statement, names) for statement in body]


def _replaced(statement: Statement, names: dict[str, Expression]) -> Statement:
    last = statement[-1]
    return [*statement[:-1], names[last[1]]] if last[0] == "n" and last[1] in names else statement


def _join(first: Text, second: Text) -> Text:
    return Text(join(first.value, second.value), first.unknown + second.unknown)
