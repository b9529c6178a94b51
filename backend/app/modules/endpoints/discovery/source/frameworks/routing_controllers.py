"""Classes whose decorators say routes, for Express and Koa: `routing-controllers`, `inversify-express-utils` and
`koa-swagger-decorator`.

No framework of their own: they declare routes on the applications and routers of the two.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from backend.app.modules.endpoints.discovery.source.frameworks.express import ExpressRouter
from backend.app.modules.endpoints.discovery.source.frameworks.koa import KoaRouter
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.loaders import glob
from backend.app.modules.endpoints.discovery.source.languages.javascript.code import package
from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator
from backend.app.modules.endpoints.discovery.source.languages.javascript.members import ancestry
from backend.app.modules.endpoints.discovery.source.languages.javascript.routing import (
    VERBS,
    Declared,
    Router,
    auth_of,
    join,
    needs_auth,
    paths_of,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Call,
    ClassValue,
    DecoratorFunction,
    Namespace,
    NativeFunction,
    Obj,
    Options,
    Unknown,
    Value,
    text_of,
)

_SCRIPT = re.compile(r"(?<!\.d)\.[cm]?[jt]s$")
_PREFIX, _ROUTES = "%prefix", "%routes"
"""Properties of a class that no program can name."""


def _class_decorator(call: Call) -> Value:
    """`@Controller(path)`, `@prefix(path)`."""
    path = call.value(0)

    def note(inner: Call) -> Value:
        klass = inner.value(0)
        if isinstance(klass, ClassValue):
            klass.props[_PREFIX] = text_of(path) if isinstance(path, (str, Unknown)) else ""
        return UNDEFINED

    return DecoratorFunction(note)


def _method_decorator(method: Value, path: Value, call: Call) -> Value:
    """`@Get(path)`, `@request(method, path)`."""

    def note(inner: Call) -> Value:
        target = inner.value(0)
        klass = target if isinstance(target, ClassValue) else inner.evaluator.member(target, "constructor")
        if isinstance(klass, ClassValue) and isinstance(method, str):
            handler = f"{klass.name}.{text_of(inner.value(1))}"
            verb = VERBS.get(method.lower(), method.upper())
            auth = auth_of(call, 1, len(call))
            for text in paths_of(path, inner.evaluator) or [text_of(path) if isinstance(path, Unknown) else ""]:
                klass.props.setdefault(_ROUTES, []).append(Declared(verb, text, call.file, call.line, handler, auth))
        return UNDEFINED

    return DecoratorFunction(note)


def _verb(name: str) -> DecoratorFunction:
    return DecoratorFunction(lambda call: _method_decorator(name, call.value(0), call), name=name)


def _noted(klass: ClassValue, evaluator: Evaluator) -> Iterator[Declared]:
    """What a class and those it extends declare, below the prefix of the class."""
    prefix = klass.props.get(_PREFIX, "")
    for each in ancestry(evaluator, klass):
        for entry in each.props.get(_ROUTES, ()):
            yield replace(entry, path=prefix + entry.path)


def _classes(value: Value, evaluator: Evaluator) -> Iterator[ClassValue]:
    """Of a class, a list, what a module exports, or the names of files."""
    value = evaluator.force(value)
    if isinstance(value, ClassValue):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _classes(each, evaluator)
    elif isinstance(value, Namespace):
        for _, each in evaluator.entries(value):
            yield from _classes(each, evaluator)
    elif isinstance(value, str):
        files = evaluator.call_values(NativeFunction(glob), value)
        for path in files if isinstance(files, list) else ():
            if _SCRIPT.search(path):
                yield from _classes(evaluator.modules.imported("", path), evaluator)


def _use(router: Value, call: Call, index: int) -> Value:
    """The classes are added once all are known: those given may be none that can be told, and then all are meant."""
    if isinstance(router, Router):
        router.late.append(partial(_add_controllers, router, call.options(index)))
    return router


def _add_controllers(router: Router, options: Options) -> None:
    evaluator = options.evaluator
    given = dict.fromkeys(_classes(options.get("controllers"), evaluator))
    for klass in given or evaluator.classes:
        for entry in _noted(klass, evaluator):
            is_guarded = options.has("authorizationChecker") and _is_authorized(klass, entry)
            path = (options.text("routePrefix") or "") + entry.path
            router.add(replace(entry, path=path, auth=is_guarded or entry.auth))


def _is_authorized(klass: ClassValue, entry: Declared) -> bool:
    """Whether a decorator of the class or of the method is named like one that checks who asks."""
    written = list(klass.decorators)
    for _, key, _, _, decorators, *_ in klass.members:
        if f"{klass.name}.{key}" == entry.handler:
            written += decorators
    return any(each[0] == "c" and each[1][0] == "i" and needs_auth(each[1][1]) for each in written)


@package("routing-controllers")
def _routing_controllers(evaluator: Evaluator) -> Value:
    def create(kind: type[Router]) -> NativeFunction:
        return NativeFunction(lambda call: _use(kind(call.evaluator, is_application=True), call, 0))

    names: dict[str, Value] = {name.capitalize(): _verb(name) for name in VERBS if name != "del"}
    names |= dict.fromkeys(("Controller", "JsonController"), DecoratorFunction(_class_decorator))
    names["Method"] = DecoratorFunction(lambda call: _method_decorator(call.value(0), call.value(1), call))
    names |= {"createExpressServer": create(ExpressRouter), "createKoaServer": create(KoaRouter)}
    names |= dict.fromkeys(
        ("useExpressServer", "useKoaServer"), NativeFunction(lambda call: _use(call.value(0), call, 1))
    )
    return Obj(names)


class InversifyServer(ExpressRouter):
    """`new InversifyExpressServer(container, router, { rootPath })`: all controllers that the program loads are meant,
    as far as can be told those of its package."""

    def call(self, name: str, call: Call) -> Value:
        if name == "setConfig":
            call.evaluator.call_values(call.value(0), self)
            return self
        return super().call(name, call)

    def add_controllers(self, root: str, call: Call) -> None:
        package_folder = call.evaluator.resolver.package_folder
        folder = package_folder(call.file)
        for klass in call.evaluator.classes:
            if package_folder(klass.file) == folder:
                for entry in _noted(klass, call.evaluator):
                    self.add(replace(entry, path=join(root, entry.path)))


@package("inversify-express-utils")
def _inversify(evaluator: Evaluator) -> Value:
    def make(call: Call) -> Value:
        server = InversifyServer(call.evaluator, is_application=True)
        server.late.append(partial(server.add_controllers, call.options(2).text("rootPath") or "", call))
        return server

    verbs = {f"http{name.capitalize()}": _verb(name) for name in VERBS if name != "del"}
    return Obj(
        {
            **verbs,
            "httpMethod": DecoratorFunction(lambda call: _method_decorator(call.value(0), call.value(1), call)),
            "controller": DecoratorFunction(_class_decorator),
            "InversifyExpressServer": NativeFunction(make, name="InversifyExpressServer"),
        }
    )


class SwaggerRouter(KoaRouter):
    """Paths of the decorators are written as in OpenAPI."""

    def call(self, name: str, call: Call) -> Value:
        evaluator = call.evaluator
        if name in ("map", "applyRoute"):
            self.add_classes(call.value(0), evaluator)
        elif name == "mapDir":
            self.add_classes(posixpath.join(text_of(call.value(0)), "**/*.ts"), evaluator)
        elif name == "swagger":
            options = call.options(0)
            for key, path in (("swaggerHtmlEndpoint", "/swagger-html"), ("swaggerJsonEndpoint", "/swagger-json")):
                self.add(Declared("GET", options.text(key) or path, call.file, call.line))
        else:
            return super().call(name, call)
        return self

    def add_classes(self, value: Value, evaluator: Evaluator) -> None:
        for klass in dict.fromkeys(_classes(value, evaluator)):
            for entry in _noted(klass, evaluator):
                path = re.sub(r"\{(\w+)\}", r":\1", entry.path)
                self.add(replace(entry, path=path, auth=entry.auth or self.guarded))


@package("koa-swagger-decorator")
def _koa_swagger_decorator(evaluator: Evaluator) -> Value:
    def make(call: Call) -> Value:
        router = SwaggerRouter(call.evaluator)
        router.prefix = call.options(0).text("prefix") or ""
        return router

    def config(call: Call) -> Value:
        options = call.options(0)
        return _method_decorator(options.get("method"), options.get("path"), call)

    return Obj(
        {
            "SwaggerRouter": NativeFunction(make, name="SwaggerRouter"),
            "request": DecoratorFunction(lambda call: _method_decorator(call.value(0), call.value(1), call)),
            "prefix": DecoratorFunction(_class_decorator),
            "routeConfig": DecoratorFunction(config),
        }
    )
