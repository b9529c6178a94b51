"""Routers below routers: what Express, Koa and Fastify have in common."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.app.engine.spec.model import Parameter, ParameterLocation, RequestBody
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNKNOWN_METHOD,
    BoundMethod,
    Call,
    Closure,
    Native,
    Regex,
    Unknown,
    Value,
    bounded,
    expression_label,
    fill_unknown,
    flat,
    native_of,
    text_of,
    unknown_parts,
    value_label,
)
from backend.app.modules.endpoints.discovery.source.model import Route

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.code import Code
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator

_METHODS = """get post put patch delete head options search propfind report purge trace copy move lock unlock mkcol"""
VERBS = {name: name.upper() for name in _METHODS.split()} | {"del": "DELETE", "all": "*"}
_MOST_ROUTES = 50_000
_DEEPEST = 24
_AUTH = re.compile(
    r"auth(?!or(?!i))|jwt|logged|log_?in|signed_?in|permission|\brole|acl\b|guard|protect|token|session|api_?key|credential"
    r"|(is|ensure|require|check|verify|only|must)_?(be_?)?(admin|user|owner|member|staff|rights?|access)",
    re.IGNORECASE,
)
_NO_AUTH = re.compile(
    r"optional|anonymous|public|guest|not_?(logged|auth)|express-?session|passport\.(initialize|session)", re.I
)
_PARAMETER = re.compile(r"::|:(\d+|[A-Za-z_$][\w$]*)(\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\))?[?*+]?")
_WILDCARD = re.compile(r"\*([A-Za-z_]\w*)")
_GROUP = re.compile(r"\((?:\?:)?(?:\.\*|\.\+)\)[?*]?")
_NAMES = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Declared:
    method: str
    path: str
    """In the framework's manner; what is not known in it is an unknown part."""
    file: str
    line: int
    handler: str = ""
    auth: bool | None = None
    parameters: tuple[Parameter, ...] = ()
    body: RequestBody | None = None
    tags: tuple[str, ...] = ()
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    path: str
    child: "Router"
    auth: bool | None = None


class Router(Native):
    """What routes are declared on, and other routers are mounted on. `entries` are in the order of the program."""

    framework = ""

    def __init__(self, evaluator: "Evaluator | None", *, is_application: bool = False, given: str = "") -> None:
        self.entries: list[Declared | Mount] = []
        self.props: dict[str, Value] = {}
        self.prefix = ""
        self.is_application = is_application
        self.given = given
        """The parameter that it stands for, when nobody was seen to call the function."""
        self.guarded: bool | None = None
        """Whether what is added from here on needs authentication."""
        self.is_mounted = False
        self.late: list[Callable[[], None]] = []
        """What is to be done once the whole program was followed."""
        if evaluator is not None:
            evaluator.handles.append(self)

    def get(self, name: str, evaluator: "Evaluator") -> Value:
        return self.props[name] if name in self.props else BoundMethod(self, name)

    def set(self, name: str, value: Value) -> None:
        self.props[name] = value

    def is_meant(self, name: str, call: Call) -> bool:
        """`websocketify(new Koa()).use(router.routes())`, and not `request(app).get("/users")` of a test."""
        return (name == "use" and bool(routers_in(call, 0, Router))) or (name in VERBS and len(call) > 1)

    def verb(self, name: str, call: Call) -> str | None:
        """The method of the routes that a call of `name` declares; None: it declares none."""
        if name == UNKNOWN_METHOD:
            return "*" if len(call) > 1 and isinstance(call.value(0), str) else None
        return VERBS.get(name)

    def declare(self, method: str, call: Call, path: Value, label: str, handlers: int) -> None:
        """Routes of a call whose handlers begin at the argument `handlers`. `label` is how the path is written."""
        auth = auth_of(call, handlers, len(call) - 1) or self.guarded
        for text in paths_of(path, call.evaluator) or [text_of(path if isinstance(path, Unknown) else Unknown(label))]:
            self.add(Declared(method, text, call.file, call.line, handler_of(call), auth))

    def mount(self, paths: list[str], routers: list["Router"], auth: bool | None) -> None:
        for path in paths:
            for router in routers:
                self.add(Mount(path, router, auth or self.guarded))

    def add(self, entry: Declared | Mount) -> None:
        if isinstance(entry, Mount) and entry.child is self:
            return
        if len(self.entries) < _MOST_ROUTES:
            self.entries.append(entry)
        if isinstance(entry, Mount):
            entry.child.be_mounted()

    def be_mounted(self) -> None:
        self.is_mounted = True

    def join(self, prefix: str, path: str) -> str:
        return join(prefix, path)

    def place(self, prefix: str, path: str) -> str:
        """Of a route below a prefix."""
        return self.join(prefix, path)

    def template(self, path: str) -> str:
        return template(path)


def routes_of(code: "Code", kind: type[Router]) -> Iterator[Route]:
    """Of all routers of a kind: those of the applications whole, those of routers that are mounted nowhere marked."""
    routers = code.made(kind)
    settle = code.evaluated.settings.settle
    for router in routers:
        for finish in router.late:
            code.evaluated.beside(finish)
    whole = set()
    for router in routers:
        if router.is_application and not router.is_mounted and not router.given:
            for route in _below(router, "", None, "", (), settle):
                whole.add((route.method, route.file, route.line))
                yield route
    for router in routers:
        if router.given:
            unresolved = f"nobody was seen to give {router.given}"
        elif not router.is_application and not router.is_mounted:
            unresolved = "where the router is mounted was not found"
        else:
            continue
        for route in _below(router, "", None, unresolved, (), settle):
            if (route.method, route.file, route.line) not in whole:
                yield route


def _below(
    router: Router,
    prefix: str,
    auth: bool | None,
    unresolved: str,
    above: tuple[Router, ...],
    settle: Callable[[str, str], str],
) -> Iterator[Route]:
    if router in above or len(above) > _DEEPEST:
        return
    prefix = router.join(prefix, router.prefix) if router.prefix else prefix
    for entry in list(router.entries):
        if isinstance(entry, Mount):
            path = router.join(prefix, entry.path) if entry.path else prefix
            needs = auth if entry.auth is None else entry.auth
            yield from _below(entry.child, path, needs, unresolved, (*above, router), settle)
        else:
            path = router.template(bounded(settle(router.place(prefix, entry.path), entry.file)))
            if path.startswith("//"):  # a setting at its beginning was filled in
                path = "/" + path.lstrip("/")
            yield route_of(entry, path, router.framework, auth if entry.auth is None else entry.auth, unresolved)


def route_of(entry: Declared, path: str, framework: str, auth: bool | None, unresolved: str = "") -> Route:
    """`path` may have unknown parts: they become parameters, and the route is marked."""
    unknown = unknown_parts(path)
    if unknown and not unresolved:
        names = ", ".join(dict.fromkeys(label or "a part of the path" for label in unknown))
        unresolved = f"the value of {names} is not known"
    path = fill_unknown(path, lambda label: f"{{{re.sub(r'[^A-Za-z0-9_]+', '_', label).strip('_') or 'unknown'}}}")
    declared = {parameter.name for parameter in entry.parameters if parameter.location is ParameterLocation.PATH}
    own = tuple(
        Parameter(name, ParameterLocation.PATH, required=True)
        for name in dict.fromkeys(_NAMES.findall(path))
        if name not in declared
    )
    return Route(
        method=entry.method,
        path=path if path.startswith("/") else f"/{path}",
        file=entry.file,
        line=entry.line,
        framework=framework,
        handler=entry.handler,
        parameters=own + entry.parameters,
        body=entry.body,
        requires_auth=auth,
        unresolved=unresolved,
        tags=entry.tags,
        deprecated=entry.deprecated,
    )


def join(prefix: str, path: str) -> str:
    """One slash between both; `/` below a prefix is the prefix."""
    if path in ("", "/"):
        return prefix or "/"
    return f"{prefix.rstrip('/')}/{path.lstrip('/')}"


def template(path: str) -> str:
    """`/users/{id}` of `/users/:id(\\d+)?`, as `path-to-regexp` reads it. A nameless wildcard stays `*`."""
    path = re.sub(r"\{([^{}]*)\}", r"\1", path)
    path = _PARAMETER.sub(lambda match: f"{{{match[1]}}}" if match[1] else ":", path)
    path = _GROUP.sub("*", path)
    return _WILDCARD.sub(r"{\1}", path)


def paths_of(value: Value, evaluator: "Evaluator") -> list[str] | None:
    """The paths that an argument gives: a text, an expression, or a list of both. None: it is none of these."""
    result = []
    for each in flat(value, evaluator.force):
        if isinstance(each, Regex):
            each = regex_path(each.source)
        if not isinstance(each, str):
            return None
        result.append(each)
    return result or None


def regex_path(source: str) -> str:
    """The template that a regular expression matches when it is a simple one; else what is literal at its beginning,
    and an unknown part."""
    text = source.removeprefix("^")
    text = re.sub(r"\(\?:\\?/\(\?=\$\)\)\?\$?$|\\?/\?\$?$|\$$", "", text)
    text = text.replace("\\/", "/").replace("\\-", "-").replace("\\.", "\x00")
    count = iter(range(10_000))
    text = re.sub(
        r"\((?:\?<(\w+)>)?(?:\[\^/\]|\\w|\\d|\.|\[[\w-]+\]|[\w-])[+*](?:\?)?\)",
        lambda match: f"{{{match[1] or next(count)}}}",
        text,
    )
    literal = re.match(r"(?:[\w/\x00~%-]|\{\w+\})*", text)
    start = literal[0] if literal else ""
    rest = text[len(start) :]
    start = re.sub(r"\{(\w+)\}", r":\1", start).replace("\x00", ".")
    if rest in (".*", ".+", ""):
        return start + ("*" if rest else "") or "*"
    return start.rpartition("/")[0] + "/" + text_of(Unknown(f"/{source}/"))


def routers_in(call: Call, start: int, kind: type[Router]) -> list[Router]:
    """The routers among the arguments, in lists too."""
    return [
        found
        for value in flat(call.values()[start:], call.evaluator.force)
        if isinstance(found := native_of(value), kind)
    ]


def auth_of(call: Call, start: int, end: int) -> bool | None:
    """True when one of the arguments `start` to `end` is named like what checks who asks."""
    for index in range(start, min(end, len(call))):
        node = call.node(index)
        labels = [middleware_label(node)] if node else [value_label(call.value(index))]
        if node and node[0] == "a":
            labels = [middleware_label(item) for item in node[1]]
        elif node and node[0] == "i" and call.arguments[index].scope is None and isinstance(call.value(index), list):
            labels = [value_label(item) for item in call.value(index)]
        if any(needs_auth(label) for label in labels):
            return True
    return None


def needs_auth(label: str) -> bool:
    return bool(label and _AUTH.search(label) and not _NO_AUTH.search(label))


def middleware_label(node: list[Any]) -> str:
    """`auth` of `auth`, of `auth("admin")` and of `new Auth().check`."""
    while node and node[0] in ("c", "n"):
        node = node[1]
    return expression_label(node)


def handler_of(call: Call) -> str:
    """The name of what the last argument is."""
    if not len(call):
        return ""
    label = call.label(len(call) - 1)
    if label:
        return label
    value = call.arguments[-1].value
    return value.name if isinstance(value, Closure) else value_label(value)
