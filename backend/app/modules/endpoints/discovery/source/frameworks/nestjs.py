"""NestJS: the controllers of the modules of an application, under its prefix, versions and `RouterModule` paths."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from backend.app.engine.spec.model import Parameter, ParameterLocation
from backend.app.modules.endpoints.discovery.source import Framework
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.strings import compiled
from backend.app.modules.endpoints.discovery.source.languages.javascript.code import Code, package
from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator
from backend.app.modules.endpoints.discovery.source.languages.javascript.members import ancestry
from backend.app.modules.endpoints.discovery.source.languages.javascript.routing import (
    Declared,
    needs_auth,
    paths_of,
    route_of,
    template,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.settings import SETTING
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    BoundMethod,
    Call,
    ClassValue,
    Closure,
    Native,
    NativeFunction,
    Obj,
    Options,
    Regex,
    Scope,
    Unknown,
    Value,
    bounded,
    expression_label,
    flat,
    text_of,
    value_label,
)
from backend.app.modules.endpoints.discovery.source.model import Route

_VERBS = {
    "Get": "GET",
    "Post": "POST",
    "Put": "PUT",
    "Patch": "PATCH",
    "Delete": "DELETE",
    "Options": "OPTIONS",
    "Head": "HEAD",
    "All": "*",
    "Search": "SEARCH",
    "Sse": "GET",
    "Propfind": "PROPFIND",
    "Proppatch": "PROPPATCH",
    "Mkcol": "MKCOL",
    "Copy": "COPY",
    "Move": "MOVE",
    "Lock": "LOCK",
    "Unlock": "UNLOCK",
}
_NEUTRAL = "\x00neutral"
_PARAMETERS = {"Query": ParameterLocation.QUERY, "Headers": ParameterLocation.HEADER}


@dataclass(eq=False)
class Decorator(Native):
    """A call of one of Nest's decorators."""

    kind: str
    values: list[Value]
    is_nest: bool = True
    """False: only its name is known."""


@dataclass(eq=False)
class Application(Native):
    """`await NestFactory.create(AppModule)`."""

    module: Value
    file: str
    prefix: str = ""
    excluded: list[tuple[str, str]] = field(default_factory=list)
    """`(method or *, path)` that are not below the prefix."""
    version_prefix: str | None = None
    """None: versions are no part of paths."""
    default_versions: list[str] = field(default_factory=list)
    is_served: bool = False
    """Whether it was seen to listen. One that does not may only have been made to read its settings."""

    def settle(self, evaluator: Evaluator) -> None:
        settle = evaluator.settings.settle
        self.prefix = settle(self.prefix, self.file)
        if self.version_prefix is not None:
            self.version_prefix = settle(self.version_prefix, self.file)
        self.default_versions = [settle(version, self.file) for version in self.default_versions]

    def call(self, name: str, call: Call) -> Value:
        if name == "setGlobalPrefix":
            value = call.value(0)
            known = isinstance(value, str) or value_label(value)
            self.prefix = text_of(value if known else Unknown(call.label(0)))
            excluded = call.options(1).get("exclude")
            self.excluded = (
                [pair for value in excluded for pair in _excluded(value, call.evaluator)]
                if isinstance(excluded, list)
                else []
            )
        elif name == "enableVersioning":
            options = call.options(0)
            kind = options.get("type")
            if kind == "URI" or not len(call) or kind is UNDEFINED:
                prefix = options.get("prefix")
                given = text_of(prefix) if isinstance(prefix, (str, Unknown)) else "v"
                self.version_prefix = "" if prefix is False else given
                self.default_versions = _versions(options.get("defaultVersion"), call.evaluator)
        elif name == "get":
            return SettingsService()
        elif name in ("resolve", "select"):
            return Unknown(call.label(0))
        elif name in ("listen", "init"):
            self.is_served = True
        elif name in ("getHttpAdapter", "getHttpServer", "connectMicroservice"):
            call.values()
            return Unknown(name)
        else:
            call.run_callbacks()
        return self


class SettingsService(Native):
    """`ConfigService` of `@nestjs/config`, as the values of settings are known only when the modules were followed."""

    def get(self, name: str, evaluator: Evaluator) -> Value:
        return BoundMethod(self, name) if name in ("get", "getOrThrow") else Unknown(name)

    def call(self, name: str, call: Call) -> Value:
        key = call.value(0)
        if name in ("get", "getOrThrow") and isinstance(key, str):
            default = call.value(1)
            if isinstance(default, (str, int)):
                call.evaluator.settings.defaults[key] = default
            return Unknown(f"{SETTING}{key}")
        return self if name in ("get", "select", "resolve") else Unknown(name)


@package("@nestjs/config")
def _config(evaluator: Evaluator) -> Value:
    settings = evaluator.settings

    def register_as(call: Call) -> Value:
        name, make = call.value(0), call.value(1)
        if isinstance(name, str):
            settings.namespaces[name] = make
        return Obj({"%settings": make, "KEY": Unknown("KEY")})

    def for_root(call: Call) -> Value:
        loaded = call.options(0).get("load")
        for make in loaded if isinstance(loaded, list) else []:
            found = call.evaluator.force(make)
            if isinstance(found, Closure):
                settings.shared.append(found)
        return Obj({"module": Unknown("ConfigModule")})

    names = {name: NativeFunction(for_root, name=name) for name in ("forRoot", "forRootAsync", "forFeature")}
    when = NativeFunction(lambda call: call.raw(0), name="registerWhen")
    return Obj(
        {
            "registerAs": NativeFunction(register_as, name="registerAs"),
            "ConfigModule": Obj({**names}),
            "ConditionalModule": Obj({"registerWhen": when}),
        }
    )


def _excluded(value: Value, evaluator: Evaluator) -> list[tuple[str, str]]:
    value = evaluator.force(value)
    if isinstance(value, str):
        return [("*", value.strip("/"))]
    path, method = evaluator.member(value, "path"), evaluator.member(value, "method")
    if not isinstance(path, str):
        return []
    return [("*" if not isinstance(method, str) or method == "ALL" else method, path.strip("/"))]


@package("@nestjs/core")
def _core(evaluator: Evaluator) -> Value:
    def create(call: Call) -> Value:
        application = Application(call.value(0), call.file)
        call.evaluator.handles.append(application)
        return application

    nothing = NativeFunction(lambda call: Unknown("NestFactory"), name="createMicroservice")
    factory = Obj(
        {
            "create": NativeFunction(create, name="create"),
            "createMicroservice": nothing,
            "createApplicationContext": nothing,
        }
    )

    def register(call: Call) -> Value:
        return Obj({"%routes": call.value(0)})

    router = Obj(
        {"register": NativeFunction(register, name="register"), "forRoutes": NativeFunction(register, name="forRoutes")}
    )
    return Obj(
        {
            "NestFactory": factory,
            "RouterModule": router,
            **{
                name: Unknown(name)
                for name in (
                    "APP_GUARD",
                    "APP_FILTER",
                    "APP_INTERCEPTOR",
                    "APP_PIPE",
                    "Reflector",
                    "ModuleRef",
                    "HttpAdapterHost",
                    "REQUEST",
                )
            },
        }
    )


class _Common(Native):
    """`@nestjs/common`, of which every name that begins with a capital may be a decorator."""

    def __init__(self) -> None:
        kinds = {"URI": "URI", "HEADER": "HEADER", "MEDIA_TYPE": "MEDIA_TYPE", "CUSTOM": "CUSTOM"}
        self.known: dict[str, Value] = {
            "VersioningType": Obj(dict(kinds)),
            "VERSION_NEUTRAL": _NEUTRAL,
            "RequestMethod": Obj(
                {name: name for name in ("GET", "POST", "PUT", "DELETE", "PATCH", "ALL", "OPTIONS", "HEAD", "SEARCH")}
            ),
            "applyDecorators": NativeFunction(lambda call: call.values(), name="applyDecorators"),
            "forwardRef": NativeFunction(lambda call: call.evaluator.call_values(call.value(0)), name="forwardRef"),
            "SetMetadata": NativeFunction(
                lambda call: Decorator(f"SetMetadata:{call.value(0)}", call.values()), name="SetMetadata"
            ),
        }

    def get(self, name: str, evaluator: Evaluator) -> Value:
        if name == "default":
            return UNDEFINED
        if name not in self.known:
            self.known[name] = NativeFunction(lambda call: Decorator(name, call.values()), name=name)
        return self.known[name]


@package("@nestjs/common")
def _common(evaluator: Evaluator) -> Value:
    return _Common()


@dataclass(slots=True)
class _Module:
    """A module of an application: its class and what was declared where it is imported."""

    controllers: list[ClassValue] = field(default_factory=list)
    imports: list[Value] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    """A controller in an application."""

    application: Application
    module: ClassValue | None


@dataclass(slots=True)
class _Controller:
    """What the decorators of a class say of all its routes."""

    paths: list[str] = field(default_factory=lambda: [""])
    versions: list[str] | None = None
    """None: those of the application."""
    tags: tuple[str, ...] = ()
    auth: bool | None = None


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    owner: ClassValue
    decorators: list[Decorator]
    line: int
    parameters: list[list[Any]]
    """Decorated ones, as facts have them."""


class _Linker:
    def __init__(self, code: Code) -> None:
        self.evaluator = code.evaluated
        self.decorators: dict[int, list[Decorator]] = {}
        self.module_paths: dict[int, dict[int, list[str]]] = {}

    def routes(self) -> Iterator[Route]:
        applications = [each for each in self.evaluator.handles if isinstance(each, Application)]
        served = {id(self.evaluator.force(each.module)) for each in applications if each.is_served}
        applications = [
            each for each in applications if each.is_served or id(self.evaluator.force(each.module)) not in served
        ]
        found: dict[int, list[_Found]] = {}
        for application in applications:
            self._walk(application, found)
        for application in applications:
            application.settle(self.evaluator)
        controllers = [klass for klass in self.evaluator.classes if self._has(klass, "Controller")]
        listed = self._listed()
        by_id = {id(klass): klass for klass in controllers}
        for klass in by_id.values():
            places = found.get(id(klass), [])
            unresolved = ""
            if not places:
                nearest = _nearest(klass.file, applications)
                if nearest is None:
                    nearest = Application(None, klass.file)
                    unresolved = "no application was found that has the controller"
                elif id(klass) not in listed:
                    unresolved = "no module was found that lists the controller"
                else:
                    unresolved = "no application was found that imports the controller's module"
                places = [_Found(nearest, listed.get(id(klass)))]
            for place in places:
                yield from self._of_controller(klass, place, unresolved)

    # modules

    def _listed(self) -> dict[int, ClassValue]:
        """Controllers that some module lists, with that module."""
        result: dict[int, ClassValue] = {}
        for klass in self.evaluator.classes:
            for decorator in self._of_class(klass):
                if decorator.kind == "Module" and decorator.values:
                    for controller in self._classes(self.evaluator.member(decorator.values[0], "controllers")):
                        result.setdefault(id(controller), klass)
        return result

    def _classes(self, value: Value) -> list[ClassValue]:
        return [each for each in self._flat(value) if isinstance(each, ClassValue)]

    def _flat(self, value: Value) -> list[Value]:
        return [each for each in flat(value, self.evaluator.force) if each is not UNDEFINED and each is not None]

    def _walk(self, application: Application, found: dict[int, list[_Found]]) -> None:
        seen: set[int] = set()
        pending: list[Value] = [application.module]
        paths: dict[int, list[str]] = {}
        reached: list[tuple[ClassValue, ClassValue]] = []
        while pending:
            value = self.evaluator.force(pending.pop())
            if isinstance(value, Unknown):
                pending += list(value.carried)
                continue
            if id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, Obj):
                if "%routes" in value.props:
                    self.evaluator.beside(partial(self._router_paths, value.props["%routes"], "", paths))
                    continue
                module = self.evaluator.member(value, "module")
                pending.append(module)
                pending += self._flat(self.evaluator.member(value, "imports"))
                if isinstance(module, ClassValue):
                    reached += [(klass, module) for klass in self._classes(self.evaluator.member(value, "controllers"))]
            elif isinstance(value, ClassValue):
                for decorator in self._of_class(value):
                    if decorator.kind == "Module" and decorator.values:
                        given = decorator.values[0]
                        pending += self._flat(self.evaluator.member(given, "imports"))
                        reached += [
                            (klass, value) for klass in self._classes(self.evaluator.member(given, "controllers"))
                        ]
        self.module_paths[id(application)] = paths
        for klass, module in reached:
            found.setdefault(id(klass), []).append(_Found(application, module))

    def _router_paths(self, routes: Value, above: str, paths: dict[int, list[str]]) -> None:
        for route in self._flat(routes):
            self.evaluator.budget.spend()
            if isinstance(route, ClassValue):
                paths.setdefault(id(route), []).append(above)
                continue
            path = self.evaluator.member(route, "path")
            whole = _append(above, text_of(path) if path is not UNDEFINED else "")
            module = self.evaluator.member(route, "module")
            if isinstance(module, ClassValue):
                paths.setdefault(id(module), []).append(whole)
            self._router_paths(self.evaluator.member(route, "children"), whole, paths)

    # controllers

    def _of_controller(self, klass: ClassValue, place: _Found, unresolved: str) -> Iterator[Route]:
        controller = self._controller(klass)
        modules = self.module_paths.get(id(place.application), {})
        prefixes = modules.get(id(place.module), [""]) if place.module is not None else [""]
        settle = self.evaluator.settings.settle
        for member in self._members(klass):
            own_versions = [each.values[0] for each in member.decorators if each.kind == "Version" and each.values]
            versions = _versions(own_versions[0], self.evaluator) if own_versions else controller.versions
            auth = _auth(member.decorators, controller.auth)
            for decorator in member.decorators:
                method = _VERBS.get(decorator.kind)
                if method is None or not decorator.is_nest:
                    continue
                entry = Declared(
                    method,
                    "",
                    member.owner.file,
                    member.line or member.owner.line,
                    f"{klass.name}.{member.name}",
                    parameters=tuple(self._parameters(member.parameters, member.owner)),
                    tags=_tags(member.decorators, controller.tags),
                    deprecated=any(self._is_deprecated(each) for each in member.decorators),
                )
                below = self._paths_given(decorator)
                for path in self._whole(place.application, prefixes, versions, controller.paths, below, method):
                    yield route_of(entry, template(bounded(settle(path, entry.file))), "nestjs", auth, unresolved)

    def _controller(self, klass: ClassValue) -> _Controller:
        decorators = self._of_class(klass)
        controller = _Controller(auth=_auth(decorators, None), tags=_tags(decorators, ()))
        for decorator in decorators:
            first = decorator.values[0] if decorator.values else UNDEFINED
            if decorator.kind == "Controller" and decorator.is_nest:
                if isinstance(first, Obj):
                    options = Options(self.evaluator, first)
                    path = options.get("path")
                    controller.paths = [""] if path is UNDEFINED else self._paths(path)
                    if options.has("version"):
                        controller.versions = _versions(options.get("version"), self.evaluator)
                else:
                    controller.paths = self._paths_given(decorator)
            elif decorator.kind == "Version":
                controller.versions = _versions(first, self.evaluator)
        return controller

    def _members(self, klass: ClassValue) -> Iterator[_Member]:
        """Those of a class that are decorated, and those that it inherits unless it has its own."""
        names: set[str] = set()
        for owner in ancestry(self.evaluator, klass):
            for kind, key, static, _, written, line, parameters in owner.members:
                name = text_of(self.evaluator.beside(partial(self.evaluator.key, key, owner.scope)))
                if kind in ("method", "field") and not static and name not in names and (written or kind == "method"):
                    if kind == "method":
                        names.add(name)
                    yield _Member(name, owner, self._evaluated(written, owner), line, parameters)

    def _is_deprecated(self, decorator: Decorator) -> bool:
        if decorator.kind != "ApiOperation" or not decorator.values:
            return False
        return self.evaluator.member(decorator.values[0], "deprecated") is True

    def _paths_given(self, decorator: Decorator) -> list[str]:
        """By the first argument."""
        first = decorator.values[0] if decorator.values else UNDEFINED
        return [""] if first is UNDEFINED else self._paths(first)

    def _paths(self, value: Value) -> list[str]:
        paths = paths_of(value, self.evaluator)
        return [text_of(value)] if paths is None and not isinstance(value, list) else paths or [""]

    def _whole(
        self,
        application: Application,
        prefixes: list[str],
        versions: list[str] | None,
        controller: list[str],
        method_paths: list[str],
        method: str,
    ) -> Iterator[str]:
        starts = [""]
        if application.version_prefix is not None:
            chosen = versions if versions is not None else application.default_versions
            if chosen:
                starts = [
                    "" if version == _NEUTRAL else f"/{application.version_prefix}{version}" for version in chosen
                ]
        for start in starts:
            for prefix in prefixes:
                for above in controller:
                    for below in method_paths:
                        path = _append(_append(_append(start, prefix), above), below)
                        if application.prefix and not _is_excluded(application, path, method):
                            path = "/" + application.prefix.strip("/") + path if application.prefix.strip("/") else path
                        path = path or "/"
                        yield path if path == "/" else path.rstrip("/")

    def _parameters(self, written: list[list[Any]], klass: ClassValue) -> Iterator[Parameter]:
        for expression, _, kind, _optional in written:
            if expression[0] != "c" or not expression[2]:
                continue
            location = _PARAMETERS.get(expression_label(expression[1]))
            if location is None:
                continue
            name = self._value(expression[2][0], klass.scope)
            if isinstance(name, str):
                schema = {"type": kind} if kind in ("string", "number", "boolean") else True
                yield Parameter(name, location, required=False, schema=schema)

    # decorators

    def _value(self, expression: list[Any], scope: Scope) -> Value:
        return self.evaluator.beside(partial(self.evaluator.value, expression, scope))

    def _has(self, klass: ClassValue, kind: str) -> bool:
        return any(each.kind == kind and each.is_nest for each in self._of_class(klass))

    def _of_class(self, klass: ClassValue) -> list[Decorator]:
        if id(klass) not in self.decorators:
            self.decorators[id(klass)] = self._evaluated(klass.decorators, klass)
        return self.decorators[id(klass)]

    def _evaluated(self, written: list[Any], klass: ClassValue) -> list[Decorator]:
        scope = Scope({}, klass.scope, klass.scope.module)
        result = []
        for expression in written:
            value = self._value(expression, scope)
            if isinstance(value, NativeFunction) and expression[0] in ("i", "m"):
                value = self.evaluator.beside(partial(value.invoke, Call(self.evaluator, [], klass.file, klass.line)))
            found = [each for each in self._flat(value) if isinstance(each, Decorator)]
            if not found:
                label = expression_label(expression[1] if expression[0] == "c" else expression)
                arguments = (
                    [self._value(each, scope) for each in expression[2]]
                    if expression[0] == "c" and label.startswith("Api")
                    else []
                )
                found = [Decorator(label, arguments, is_nest=False)]
            elif expression[0] == "c":
                found.append(Decorator(expression_label(expression[1]), [], is_nest=False))
            result += found
        return result


def _auth(decorators: list[Decorator], inherited: bool | None) -> bool | None:
    for decorator in decorators:
        if re.search(r"public|skip_?auth|no_?auth|anonymous|allow_?unauth", decorator.kind, re.IGNORECASE):
            return False
    for decorator in decorators:
        labels = [decorator.kind]
        if decorator.kind == "UseGuards":
            labels = [value_label(value) for value in decorator.values]
        elif decorator.kind in _VERBS or decorator.kind in ("Controller", "ApiTags"):
            continue
        if any(needs_auth(label) for label in labels):
            return True
    return inherited


def _tags(decorators: list[Decorator], inherited: tuple[str, ...]) -> tuple[str, ...]:
    for decorator in decorators:
        if decorator.kind == "ApiTags":
            return tuple(value for value in decorator.values if isinstance(value, str))
    return inherited


def _versions(value: Value, evaluator: Evaluator) -> list[str]:
    value = evaluator.force(value)
    if isinstance(value, list):
        return [version for each in value for version in _versions(each, evaluator)]
    return [] if value is UNDEFINED else [text_of(value)]


def _append(path: str, part: str) -> str:
    part = part.strip("/") if part != "/" else ""
    return f"{path}/{part}" if part else path


def _is_excluded(application: Application, path: str, method: str) -> bool:
    for excluded_method, excluded in application.excluded:
        if excluded_method not in ("*", method):
            continue
        pattern = re.escape(excluded)
        pattern = re.sub(r"/?(?:\\\{)?/?\\\(\\\.\\\*\\\)|/?(?:\\\{/)?\\\*(?:\w+)?(?:\\\})?", "(?:/.*)?", pattern)
        pattern = re.sub(r":\w+", "[^/]+", pattern)
        expression = compiled(Regex(pattern))
        if expression is not None and expression.fullmatch(path.strip("/")):
            return True
    return False


def _nearest(file: str, applications: list[Application]) -> Application | None:
    """The application whose files lie nearest; None: there is none."""

    def shared(application: Application) -> int:
        count = 0
        for left, right in zip(file.split("/"), application.file.split("/"), strict=False):
            if left != right:
                break
            count += 1
        return count

    return max(applications, key=shared, default=None)


def link(code: Code) -> Iterable[Route]:
    return _Linker(code).routes()


frameworks.register("nestjs")(
    Framework(
        description="NestJS (TypeScript): controllers below the prefix, versions and paths of their application.",
        language="javascript",
        gate=r"@(?:Controller|Module)\s*\(|NestFactory|setGlobalPrefix|enableVersioning|\bController\(",
        link=link,
    )
)
