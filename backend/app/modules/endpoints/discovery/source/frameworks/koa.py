"""Koa with `@koa/router` or `koa-router` (and routers that are used like it)."""

import re
from collections.abc import Iterable, Iterator

from backend.app.modules.endpoints.discovery.source import Framework
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.languages.javascript.code import Code, adopt, package
from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator
from backend.app.modules.endpoints.discovery.source.languages.javascript.routing import (
    VERBS,
    Declared,
    Mount,
    Router,
    auth_of,
    handler_of,
    paths_of,
    routers_in,
    routes_of,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    Call,
    Native,
    NativeFunction,
    Obj,
    Unknown,
    Value,
    text_of,
)
from backend.app.modules.endpoints.discovery.source.model import Route

_TYPES = re.compile(r"^(Koa(\.\w+)?|Application|(Koa)?Router(\.\w+)?)\b")


class KoaRouter(Router):
    """`new Koa()` and `new Router()`. HEAD, which is answered wherever there is a GET, is no route of its own."""

    framework = "koa"

    def get(self, name: str, evaluator: Evaluator) -> Value:
        if name == "stack" and name not in self.props:
            self.be_mounted()  # who asks for them declares them elsewhere
            return [*self.layers("", 0)]
        return super().get(name, evaluator)

    def layers(self, above: str, depth: int) -> Iterator[Value]:
        """Its routes as the router keeps them, those of mounted routers too."""
        prefix = self.join(above, self.prefix) if self.prefix else above
        for entry in self.entries if depth < 8 else ():
            if isinstance(entry, Declared):
                methods = ["HEAD", "GET"] if entry.method == "GET" else [entry.method]
                path = self.join(prefix, entry.path)
                yield Obj({"path": path, "methods": methods, "stack": [Unknown(entry.handler)]})
            elif isinstance(entry.child, KoaRouter):
                yield from entry.child.layers(self.join(prefix, entry.path) if entry.path else prefix, depth + 1)

    def join(self, prefix: str, path: str) -> str:
        """As the router does it: nothing is put between the prefix and the path."""
        if path in ("", "/"):
            return prefix or "/"
        prefix = "" if prefix == "/" else prefix
        return prefix.removesuffix("/") + path if path.startswith("/") else prefix + path

    def call(self, name: str, call: Call) -> Value:
        method = self.verb(name, call)
        if method is not None:
            if len(call) >= 2:
                # `get(path, ...handlers)` or `get(name, path, ...handlers)`
                is_named = (
                    len(call) > 2
                    and isinstance(call.value(0), str)
                    and paths_of(call.value(1), call.evaluator) is not None
                )
                index = 1 if is_named else 0
                self.declare(method, call, call.value(index), call.label(index), index + 1)
            return self
        match name:
            case "use":
                self.use(call)
            case "prefix":
                self.prefix = text_of(call.value(0)) + self.prefix
            case "routes" | "middleware" | "callback":
                return self
            case "allowedMethods" | "url" | "match":
                return Unknown(name)
            case "register":
                self.register(call)
            case "redirect":
                self.add(Declared("*", text_of(call.value(0)), call.file, call.line))
            case "route":
                self.route(call)
            case _:
                if name in self.props:
                    return call.evaluator.call(self.props[name], call)
                return super().call(name, call)
        return self

    def register(self, call: Call) -> None:
        methods = call.value(1)
        for text in paths_of(call.value(0), call.evaluator) or ():
            for method in methods if isinstance(methods, list) else [methods]:
                if isinstance(method, str):
                    self.add(Declared(method.upper(), text, call.file, call.line, call.label(2), self.guarded))

    def route(self, call: Call) -> None:
        """`koa-joi-router`: `route({ method, path, handler })`, or a list of these."""
        given = call.value(0)
        for value in given if isinstance(given, list) else [given]:
            methods = call.evaluator.member(value, "method")
            for method in methods if isinstance(methods, list) else [methods]:
                for text in paths_of(call.evaluator.member(value, "path"), call.evaluator) or ():
                    if isinstance(method, str):
                        self.add(Declared(method.upper(), text, call.file, call.line, "", self.guarded))

    def use(self, call: Call) -> None:
        paths = paths_of(call.value(0), call.evaluator)
        start = 0 if paths is None else 1
        routers = routers_in(call, start, KoaRouter)
        auth = auth_of(call, start, len(call))
        self.mount(paths or [""], routers, auth)
        if auth and not routers and start == 0:
            self.guarded = auth


class KoaMount(KoaRouter):
    """What `koa-mount` makes. The application in it is mounted when this is; until then it stands on its own."""

    def add(self, entry: Declared | Mount) -> None:
        self.entries.append(entry)

    def be_mounted(self) -> None:
        super().be_mounted()
        for entry in self.entries:
            if isinstance(entry, Mount):
                entry.child.be_mounted()


@package("koa")
def _koa(evaluator: Evaluator) -> Value:
    koa = NativeFunction(lambda call: KoaRouter(call.evaluator, is_application=True), name="Koa")
    koa.props["default"] = koa
    return koa


@package(
    "koa-router",
    "@koa/router",
    "koa-joi-router",
    "koa-zod-router",
    "koa-better-router",
    "koa-tree-router",
    "koa-trie-router",
)
def _router(evaluator: Evaluator) -> Value:
    def make(call: Call) -> Value:
        router = KoaRouter(call.evaluator)
        options = call.options(0)
        prefix = options.text("prefix")
        if prefix is not None:
            router.prefix = prefix
        return router

    router = NativeFunction(make, name="Router")
    router.props |= {"default": router, "Router": router}
    return router


@package("koa-mount")
def _mount(evaluator: Evaluator) -> Value:
    def mount(call: Call) -> Value:
        if len(call) < 2:
            return call.value(0)
        mounted = KoaMount(call.evaluator)
        for router in routers_in(call, 1, KoaRouter):
            mounted.add(Mount(text_of(call.value(0)), router))
        return mounted

    return NativeFunction(mount, name="mount")


@package("koa-combine-routers")
def _combine(evaluator: Evaluator) -> Value:
    def combine(call: Call) -> Value:
        router = KoaRouter(call.evaluator)
        router.mount([""], routers_in(call, 0, KoaRouter), None)
        return NativeFunction(lambda inner: router, name="combined")

    return NativeFunction(combine, name="combineRouters")


@package("koa-compose")
def _compose(evaluator: Evaluator) -> Value:
    return NativeFunction(lambda call: call.value(0), name="compose")


@package("koa-route")
def _route(evaluator: Evaluator) -> Value:
    def verb(method: str) -> NativeFunction:
        def declare(call: Call) -> Value:
            router = KoaRouter(call.evaluator)
            for text in paths_of(call.value(0), call.evaluator) or ():
                router.add(Declared(method, text, call.file, call.line, handler_of(call)))
            return router

        return NativeFunction(declare, name=method)

    return NativeFunction(lambda call: Unknown(), {name: verb(method) for name, method in VERBS.items()}, "route")


@adopt
def _adopt(name: str, type_name: str) -> Native | None:
    return KoaRouter(None, given=name) if type_name.startswith("Koa") and _TYPES.match(type_name) else None


def link(code: Code) -> Iterable[Route]:
    return routes_of(code, KoaRouter)


frameworks.register("koa")(
    Framework(
        description="Koa (JavaScript and TypeScript) with @koa/router: prefixes, nested routers, mounted applications.",
        language="javascript",
        gate=r"""["'](?:koa|@?koa[/-][\w-]*router?s?|koa-mount|koa-route)["']""",
        link=link,
    )
)
