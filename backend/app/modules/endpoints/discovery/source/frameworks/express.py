"""Express: routes of applications and routers, wherever they are mounted."""

import re
from collections.abc import Iterable

from backend.app.modules.endpoints.discovery.source import Framework
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.languages.javascript.code import Code, adopt, package
from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator
from backend.app.modules.endpoints.discovery.source.languages.javascript.routing import (
    VERBS,
    Router,
    auth_of,
    paths_of,
    routers_in,
    routes_of,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    Call,
    Native,
    NativeFunction,
    Unknown,
    Value,
    text_of,
)
from backend.app.modules.endpoints.discovery.source.model import Route

_TYPES = re.compile(r"^(e|express\.|core\.)?(Express|Application|Router|IRouter|Express\.Application|express)\b")


class ExpressRouter(Router):
    """`express()` and `express.Router()`. What `use` is given besides routers is middleware, and no route."""

    framework = "express"

    def call(self, name: str, call: Call) -> Value:
        method = self.verb(name.removesuffix("Async"), call)
        if method is not None:
            if len(call) < 2:
                return Unknown(name)  # `app.get("port")` reads a setting
            mounted = routers_in(call, 1, ExpressRouter) if method == "*" else []
            self.mount([""], mounted, self.guarded)
            if not mounted:
                self.declare(method, call, call.value(0), call.label(0), 1)
            return self
        if name in ("use", "useAsync"):
            self.use(call)
            return self
        if name == "route":
            return ExpressRoute(self, call.value(0), call)
        if name in self.props:
            return call.evaluator.call(self.props[name], call)
        return super().call(name, call)

    def use(self, call: Call) -> None:
        first = call.value(0)
        paths = paths_of(first, call.evaluator)
        start = 1
        if paths is None:
            if isinstance(first, Unknown) and len(call) > 1 and not first.carried and _may_be_path(call.label(0)):
                paths = [text_of(first)]
            else:
                paths, start = [""], 0
        routers = routers_in(call, start, ExpressRouter)
        auth = auth_of(call, start, len(call))
        self.mount(paths, routers, auth)
        if auth and not routers and (start == 0 or paths in (["/"], ["*"])):
            self.guarded = auth


class ExpressRoute(Native):
    """`router.route(path)`, of which verbs may be chained."""

    def __init__(self, router: ExpressRouter, path: Value, call: Call) -> None:
        self.router = router
        self.path = path
        self.label = call.label(0)

    def call(self, name: str, call: Call) -> Value:
        method = VERBS.get(name)
        if method is not None and len(call):
            self.router.declare(method, call, self.path, self.label, 0)
        return self


def _may_be_path(label: str) -> bool:
    return bool(re.search(r"path|prefix|url|uri|base|route|root|endpoint|version|env\b|config|\.api|^api", label, re.I))


@package("express", "express-ws", "ultimate-express", "hyper-express")
def _express(evaluator: Evaluator) -> Value:
    def make(call: Call) -> Value:
        wrapped = next(iter(routers_in(call, 0, ExpressRouter)), None)
        if wrapped is not None:  # express-ws gives back what it was given
            wrapped.props.setdefault("app", wrapped)
            return wrapped
        return ExpressRouter(call.evaluator, is_application=True)

    router = NativeFunction(lambda call: ExpressRouter(call.evaluator), name="Router")
    module = NativeFunction(make, {"Router": router}, "express")
    module.props["default"] = module
    return module


@package("express-promise-router", "express-async-router", "router", "async-express-router", "@root/async-router")
def _router(evaluator: Evaluator) -> Value:
    router = NativeFunction(lambda call: ExpressRouter(call.evaluator), name="Router")
    router.props |= {"default": router, "Router": router, "AsyncRouter": router}
    return router


@adopt
def _adopt(name: str, type_name: str) -> Router | None:
    if _TYPES.match(type_name):
        return ExpressRouter(None, given=name)
    return None


def link(code: Code) -> Iterable[Route]:
    return routes_of(code, ExpressRouter)


frameworks.register("express")(
    Framework(
        description="Express (JavaScript, TypeScript): routes of applications and routers, wherever they are mounted.",
        language="javascript",
        gate=r"""require\(\s*["'](?:express|router|express-[\w-]*router|ultimate-express)["']"""
        r"""|import\s+(?:\*|\w|\{[^}]*\b(?:Router|default|express)\b)[^;"'`]*?from\s*["'](?:express|express-[\w-]*router|ultimate-express)["']"""
        r"""|import\(\s*["']express["']|["'](?:routing-controllers|inversify-express-utils)["']""",
        link=link,
    )
)
