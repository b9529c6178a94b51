"""Starlette: lists of `Route` and `Mount`, decorators and `add_route`; with FastAPI's routers, which are built on it.

Routes that are not HTTP (`WebSocketRoute`), HEAD beside GET, files served by `StaticFiles` and the pages that FastAPI
adds by itself (`/docs`, `/openapi.json`) are not reported.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from backend.app.modules.endpoints.discovery.source import Framework
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source.languages.python.routes import (
    HTTP_METHODS,
    applied_to,
    attribute_path,
    handler_name,
    items,
    methods_of_class,
    names_authentication,
    path_parameters,
    strings,
    template,
    text_of,
    unresolved,
)
from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    Attribute,
    Call,
    Class,
    External,
    Function,
    Text,
    Unknown,
    Value,
    name_of,
)
from backend.app.modules.endpoints.discovery.source.model import Route

_FASTAPI_APPS = frozenset({"fastapi.FastAPI", "fastapi.applications.FastAPI"})
_STARLETTE_APPS = frozenset({"starlette.applications.Starlette"})
_FASTAPI_ROUTERS = frozenset(
    {
        "fastapi.APIRouter",
        "fastapi.routing.APIRouter",
        "fastapi_utils.inferring_router.InferringRouter",
        "fastapi_router_controller.Controller",
        "fastapi_versioning.VersionedFastAPI",
        "fastapi_crudrouter.SQLAlchemyCRUDRouter",
    }
)
_STARLETTE_ROUTERS = frozenset({"starlette.routing.Router"})
_APPS = _FASTAPI_APPS | _STARLETTE_APPS
_ROUTERS = _FASTAPI_ROUTERS | _STARLETTE_ROUTERS
_FASTAPI = _FASTAPI_APPS | _FASTAPI_ROUTERS
_ROUTE = frozenset({"starlette.routing.Route", "fastapi.routing.APIRoute", "starlette.routing.APIRoute"})
_MOUNT = frozenset({"starlette.routing.Mount", "starlette.routing.Host", "fastapi.routing.Mount"})
_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "trace"})
_MOST_NESTED = 30
_PARTS = ("router.", "routes.", "router.routes.")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a router is mounted."""

    prefix: str = ""
    unknown: tuple[str, ...] = ()
    dependencies: tuple[Value, ...] = ()
    tags: tuple[str, ...] = ()
    deprecated: bool = False

    def below(self, prefix: Value, call: Call | None = None) -> "_Place":
        text, unknown = text_of(prefix)
        return _Place(
            self.prefix + text,
            (*self.unknown, unknown) if unknown else self.unknown,
            (*self.dependencies, *(items(call.argument(-1, "dependencies")) if call else ())),
            (*self.tags, *(strings(call.argument(-1, "tags")) if call else ())),
            self.deprecated or (call is not None and call.argument(-1, "deprecated") is True),
        )


_USERS = "fastapi_users.FastAPIUsers"
_OF_USERS = {
    "get_auth_router": (("POST", "/login"), ("POST", "/logout")),
    "get_register_router": (("POST", "/register"),),
    "get_verify_router": (("POST", "/request-verify-token"), ("POST", "/verify")),
    "get_reset_password_router": (("POST", "/forgot-password"), ("POST", "/reset-password")),
    "get_users_router": (
        ("GET", "/me"),
        ("PATCH", "/me"),
        ("GET", "/{id}"),
        ("PATCH", "/{id}"),
        ("DELETE", "/{id}"),
    ),
    "get_oauth_router": (("GET", "/authorize"), ("GET", "/callback")),
    "get_oauth_associate_router": (("GET", "/authorize"), ("GET", "/callback")),
}
"""What the routers of FastAPI Users have, whose source is not in the tree."""


class _Walk:
    def __init__(self, code: Code) -> None:
        self.code = code
        self.seen: set[int] = set()
        self.visited: set[tuple[int, str, tuple[str, ...]]] = set()
        self.routes: list[Route] = []
        self.open: list[_Place] = []
        """Where routers out of a list that is not known are included: those that nothing else includes."""

    def run(self) -> list[Route]:
        mounted = {id(target) for call in self.code.calls for target in self._targets(call)}
        apps = list(self.code.objects(_APPS))
        for app in [*(app for app in apps if id(app) not in mounted), *apps]:
            if id(app) not in self.seen:
                self._object(app, _Place(), 0)
        # Parents first, so that a router below another one that is mounted nowhere keeps its prefix.
        loose = [router for router in self.code.objects(_ROUTERS) if id(router) not in self.seen]
        for router in [*(router for router in loose if id(router) not in mounted), *loose]:
            if id(router) not in self.seen:
                place = next(iter(self.open), _Place(unknown=("where its router is mounted",)))
                self._object(router, place, 0)
        return self.routes

    def _targets(self, call: Call) -> Iterator[Value]:
        _, name = attribute_path(call.function)
        if name.endswith(("include_router", "mount", "host")):
            for value in (*call.arguments, *call.keywords.values()):
                yield self._router(value)
        elif isinstance(call.function, External) and call.function.name in _MOUNT:
            yield self._router(call.argument(1, "app"))

    def _router(self, value: Value) -> Value:
        """An object that serves, behind `app.router` or something wrapped around it."""
        value, _ = attribute_path(value)
        if isinstance(value, Call) and not self.code.external_bases(value) & (_APPS | _ROUTERS):
            wrapped = next(
                (argument for argument in (*value.arguments, *value.keywords.values()) if self._is_router(argument)),
                None,
            )
            if wrapped is not None:
                return wrapped
            for attribute in value.attributes.values():
                if self._is_router(attribute):
                    return attribute
        return value

    def _is_router(self, value: Value) -> bool:
        return isinstance(value, Call) and bool(self.code.external_bases(value) & (_APPS | _ROUTERS))

    def _object(self, made: Value, place: _Place, depth: int) -> None:
        made = self._router(made)
        if not self._is_router(made) or not isinstance(made, Call) or depth > _MOST_NESTED:
            return
        at = (id(made), place.prefix, place.unknown)
        if at in self.visited:
            return
        self.visited.add(at)
        self.seen.add(id(made))
        bases = self.code.external_bases(made)
        framework = "fastapi" if bases & _FASTAPI else "starlette"
        built = self.code.construction(made)
        prefix = built.argument(-1, "prefix") if bases & _FASTAPI_ROUTERS else None
        if prefix is None and "prefix" in made.attributes and bases & _FASTAPI_ROUTERS:
            prefix = made.attributes["prefix"]
        inside = place.below(prefix, built)
        routes = built.argument(-1, "routes")
        if routes is None and bases & _STARLETTE_ROUTERS:
            routes = built.argument(0, "routes")
        if routes is None and bases & _STARLETTE_APPS:
            routes = built.argument(1, "routes")
        for listed in (routes, made.attributes.get("routes"), made.attributes.get("router.routes")):
            self._list(listed, inside, framework, depth)
        for call in made.calls:
            self._called(call, inside, framework, depth)

    def _called(self, call: Call, place: _Place, framework: str, depth: int) -> None:
        _, name = attribute_path(call.function)
        for part in _PARTS:
            name = name.removeprefix(part)
        match name:
            case "include_router":
                below = place.below(call.argument(-1, "prefix"), call)
                router = call.argument(0, "router")
                if isinstance(attribute_path(router)[0], Unknown) and not place.unknown:
                    self.open.append(below)
                self._object(router, below, depth + 1)
                self._users(call, router, below)
            case "mount":
                path = call.argument(0, "path")
                path = path.rstrip("/") if isinstance(path, str) else path
                self._object(call.argument(1, "app"), place.below(path), depth + 1)
            case "host":
                self._object(call.argument(1, "app"), place, depth + 1)
            case "append" | "insert" | "extend":
                given = call.arguments[-1] if call.arguments else None
                self._list(given if name == "extend" else [given], place, framework, depth)
            case "api_route" | "route":
                self._route(call, applied_to(call), strings(call.argument(-1, "methods")) or ["GET"], place, framework)
            case "add_api_route" | "add_route":
                methods = call.argument(-1 if name == "add_api_route" else 2, "methods")
                endpoint = call.argument(1, "endpoint" if name == "add_api_route" else "route")
                self._endpoint(call, endpoint, methods, place, framework)
            case _ if name in _VERBS:
                self._route(call, applied_to(call), [name.upper()], place, framework)

    def _users(self, call: Call, router: Value, place: _Place) -> None:
        if not isinstance(router, Call):
            return
        maker, name = attribute_path(router.function)
        if isinstance(maker, Call) and _USERS in self.code.external_bases(maker):
            for method, path in _OF_USERS.get(name, ()):
                made = Call(router, [path], {}, call.module, call.line)
                self._route(made, None, [method], place, "fastapi")

    def _endpoint(self, call: Call, endpoint: Value, methods: Value, place: _Place, framework: str) -> None:
        given = [method.upper() for method in strings(methods)]
        if isinstance(endpoint, Class):
            self._route(call, endpoint, given or methods_of_class(endpoint) or ["*"], place, framework)
        else:
            self._route(call, endpoint, given or ["GET"], place, framework)

    def _list(self, routes: Value, place: _Place, framework: str, depth: int) -> None:
        if isinstance(routes, Attribute) and routes.name == "routes":
            self._object(routes.value, place, depth + 1)
        for route in items(routes):
            if not isinstance(route, Call) or depth > _MOST_NESTED:
                continue
            bases = self.code.external_bases(route)
            built = self.code.construction(route)
            if bases & _ROUTE:
                self._endpoint(built, built.argument(1, "endpoint"), built.argument(2, "methods"), place, framework)
            elif bases & _MOUNT:
                path = built.argument(0, "path")
                path = path.rstrip("/") if isinstance(path, str) else path
                below = place if "starlette.routing.Host" in bases else place.below(path)
                self._object(built.argument(1, "app"), below, depth + 1)
                self._list(built.argument(2, "routes"), below, framework, depth + 1)

    def _route(self, call: Call, endpoint: Value, methods: list[str], place: _Place, framework: str) -> None:
        if not call.has(0, "path"):
            return
        text, unknown = text_of(call.argument(0, "path"))
        if unknown and place.unknown and not isinstance(call.argument(0, "path"), str | Text):
            return  # a helper that takes a router and a path from somewhere: nothing is known of it
        path = template(place.prefix + text)
        function = endpoint if isinstance(endpoint, Function) else None
        dependencies = (*place.dependencies, *items(call.argument(-1, "dependencies")))
        for method in methods:
            self.routes.append(
                Route(
                    method.upper() if method.upper() in HTTP_METHODS else method,
                    path if path.startswith("/") else f"/{path}",
                    call.module.path,
                    call.line,
                    framework,
                    handler_name(endpoint),
                    path_parameters(path),
                    requires_auth=self._requires_auth(function, dependencies) or None,
                    unresolved=unresolved(*place.unknown, unknown),
                    tags=tuple(dict.fromkeys((*place.tags, *strings(call.argument(-1, "tags"))))),
                    deprecated=place.deprecated or call.argument(-1, "deprecated") is True,
                )
            )

    def _requires_auth(self, function: Function | None, dependencies: tuple[Value, ...]) -> bool:
        names = [name for dependency in dependencies for name in self._depends_on(dependency, 0)]
        if function is not None:
            names += [name_of(decorator) for decorator, _ in function.decorators]
            names += self._of_parameters(function, 0)
        return names_authentication(names)

    def _of_parameters(self, function: Function, depth: int) -> list[str]:
        names: list[str] = []
        for _, _, annotation, default in function.parameters:
            for node in (annotation, default):
                if node is not None:
                    for found in _depends(node):
                        names += self._depends_on(self.code.evaluate_apart(found, function.scope), depth)
                    if node[0] == "n" and annotation is node:
                        names.append(node[1])
        return names

    def _depends_on(self, dependency: Value, depth: int) -> list[str]:
        if not isinstance(dependency, Call):
            return [name_of(dependency)]
        made = name_of(dependency.function).rpartition(".")[2]
        if made == "Security":
            return ["authenticated_user"]
        target = dependency.argument(0, "dependency") if made == "Depends" else dependency
        names = [name_of(target)]
        if any(base.startswith("fastapi.security") for base in self.code.external_bases(target)):
            return ["authenticated_user"]
        if isinstance(target, Function) and depth < 5:
            names += self._of_parameters(target, depth + 1)
        return names


def _depends(node: list[object]) -> Iterator[list[object]]:
    """Calls of `Depends` and `Security` in an annotation or a default."""
    if node[0] == "c" and isinstance(node[1], list) and node[1][-1] in ("Depends", "Security"):
        yield node
        return
    for part in node[1:]:
        if isinstance(part, list) and part:
            for inner in [part] if isinstance(part[0], str) else part:
                if isinstance(inner, list) and inner and isinstance(inner[0], str):
                    yield from _depends(inner)


_walked: WeakKeyDictionary[Code, list[Route]] = WeakKeyDictionary()


def asgi_routes(code: Code, framework: str) -> Iterator[Route]:
    """Of one framework: applications of the two are mounted in each other, so they are walked together."""
    if code not in _walked:
        _walked[code] = _Walk(code).run()
    return (route for route in _walked[code] if route.framework == framework)


def _link(code: Code) -> Iterator[Route]:
    return asgi_routes(code, "starlette")


frameworks.register("starlette")(
    Framework(
        description="Starlette: Route and Mount lists, Router, decorators and add_route.",
        language="python",
        gate=r"\bstarlette\.(routing|applications|endpoints)|^\s*(\w+\.)*(routes|router)\.(append|extend|insert)\(",
        link=_link,
    )
)
