"""URLconfs from `ROOT_URLCONF` on, class-based views, viewsets and their routers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from backend.app.modules.endpoints.discovery.source.frameworks.django import packages
from backend.app.modules.endpoints.discovery.source.frameworks.django.admin import Admin
from backend.app.modules.endpoints.discovery.source.frameworks.django.settings import Settings
from backend.app.modules.endpoints.discovery.source.languages.python.builtins import called_on
from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source.languages.python.routes import (
    HTTP_METHODS,
    attribute_path,
    class_of_view,
    handler_name,
    items,
    methods_of_class,
    names_authentication,
    path_parameters,
    strings,
    text_of,
    unresolved,
    wrapped_view,
)
from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    MISSING,
    Attribute,
    Bound,
    Call,
    Class,
    External,
    Function,
    Module,
    Splat,
    Unknown,
    Value,
    name_of,
)
from backend.app.modules.endpoints.discovery.source.model import Route, SourceFault

_PATH = frozenset({"django.urls.path", "django.urls.conf.path"})
_REGEX = frozenset(
    {"django.urls.re_path", "django.urls.conf.re_path", "django.conf.urls.url", "django.conf.urls.defaults.url"}
)
_INCLUDE = frozenset(
    {"django.urls.include", "django.urls.conf.include", "django.conf.urls.include", "django.conf.urls.defaults.include"}
)
_I18N = frozenset({"django.conf.urls.i18n.i18n_patterns"})
_RESOLVER = frozenset({"django.urls.URLResolver", "django.urls.resolvers.URLResolver"})
_TRANSLATED = frozenset({"gettext_lazy", "ugettext_lazy", "gettext", "_", "pgettext_lazy"})
_NOT_INCLUDED = "where its URLconf is included"
_MAPPING = re.compile(r"routes\.\[(\d+)\]\.mapping\.update$")
_PART = re.compile(r"\{(\w+)\}")
_MOST_NESTED = 30
_MOST_ROUTES = 100_000

_VIEW_METHODS = {
    name: tuple(methods.split())
    for methods, names in {
        "GET": "TemplateView ListView DetailView ArchiveIndexView YearArchiveView MonthArchiveView WeekArchiveView "
        "DayArchiveView TodayArchiveView DateDetailView ListAPIView RetrieveAPIView SpectacularAPIView "
        "SpectacularSwaggerView SpectacularRedocView SpectacularJSONAPIView SpectacularYAMLAPIView JavaScriptCatalog "
        "JSONCatalog PasswordResetDoneView PasswordResetCompleteView PasswordChangeDoneView",
        "GET POST PUT": "FormView CreateView UpdateView LoginView PasswordResetView PasswordChangeView "
        "PasswordResetConfirmView",
        "GET POST DELETE": "DeleteView",
        "GET POST PUT PATCH DELETE": "RedirectView",
        "POST": "CreateAPIView LogoutView ObtainAuthToken TokenObtainPairView TokenRefreshView TokenVerifyView "
        "TokenBlacklistView TokenObtainSlidingView TokenRefreshSlidingView",
        "DELETE": "DestroyAPIView",
        "PUT PATCH": "UpdateAPIView",
        "GET POST": "ListCreateAPIView",
        "GET PUT PATCH": "RetrieveUpdateAPIView",
        "GET DELETE": "RetrieveDestroyAPIView",
        "GET PUT PATCH DELETE": "RetrieveUpdateDestroyAPIView",
    }.items()
    for name in names.split()
}
_VIEWSET_ACTIONS = {
    "ModelViewSet": ("list", "create", "retrieve", "update", "partial_update", "destroy"),
    "ReadOnlyModelViewSet": ("list", "retrieve"),
    "CreateModelMixin": ("create",),
    "ListModelMixin": ("list",),
    "RetrieveModelMixin": ("retrieve",),
    "UpdateModelMixin": ("update", "partial_update"),
    "DestroyModelMixin": ("destroy",),
}


@dataclass(frozen=True, slots=True)
class _Templates:
    """What a router makes of a viewset, written as Django REST framework's `Route.url`."""

    routes: list[tuple[str, dict[str, str]]]
    """Path with the actions by their methods."""
    actions: dict[bool, str]
    """Path of further actions, on the item or not."""


@dataclass(frozen=True, slots=True)
class _Action:
    """`@action(...)` of a function of a viewset."""

    declared: Call
    path: str
    unknown: str
    on_item: bool
    methods: list[str]
    line: int


@dataclass(frozen=True, slots=True)
class _Place:
    prefix: str = ""
    unknown: tuple[str, ...] = ()
    file: str = ""
    line: int = 0
    views: str = ""
    """What `patterns("app.views", ...)` puts before the names of views."""

    def below(self, text: str, unknown: str = "") -> "_Place":
        return replace(self, prefix=self.prefix + text, unknown=(*self.unknown, unknown) if unknown else self.unknown)

    def at(self, call: Call) -> "_Place":
        return replace(self, file=call.module.path, line=call.line)


class Walk:
    def __init__(self, code: Code) -> None:
        self.code = code
        self.found: list[Route | SourceFault] = []
        self.reached: set[str] = set()
        self.seen: set[int] = set()
        """Patterns that were found below a URLconf, wherever they were written."""
        self.active: list[str] = []
        self.settings = Settings(code)
        self.admin = Admin(code, self.settings)

    def run(self) -> list[Route | SourceFault]:
        roots = []
        for module in self.settings.modules:
            named = module.scope.variables.get("ROOT_URLCONF")
            if isinstance(named, str):
                urlconf = self.code.import_module(named, module)
                if isinstance(urlconf, Module) and urlconf.path not in roots:
                    roots.append(urlconf.path)
        for path in roots:
            self._module(self.code.modules[path], _Place())
        patterned = [m for m in list(self.code.modules.values()) if m.executed and "urlpatterns" in m.scope.variables]
        included = set(self._included())
        for module in [*(m for m in patterned if m.path not in included), *patterned]:
            if module.path not in self.reached:
                self._module(module, _Place(unknown=(_NOT_INCLUDED,)))
        return self.found

    def _included(self) -> Iterator[str]:
        for call in self.code.calls:
            if isinstance(call.function, External) and call.function.name in _INCLUDE:
                target = self._urlconf(call.argument(0, "arg"), call.module)
                if isinstance(target, Module):
                    yield target.path

    # URLconfs

    def _module(self, module: Module, place: _Place) -> None:
        if module.path in self.active or len(self.active) > _MOST_NESTED:
            return
        self.reached.add(module.path)
        self.active.append(module.path)
        self.code.execute(module)
        self._patterns(self.code.member(module, "urlpatterns"), place)
        self.active.pop()

    def _patterns(self, patterns: Value, place: _Place, depth: int = 0) -> None:
        if depth > _MOST_NESTED or len(self.found) > _MOST_ROUTES:
            return
        if isinstance(patterns, Splat):
            patterns = patterns.value
        if isinstance(patterns, list | tuple):
            for pattern in patterns:
                self._patterns(pattern, place, depth + 1)
        elif isinstance(patterns, Attribute):
            self._attribute(patterns, place)
        elif isinstance(patterns, Call):
            if _NOT_INCLUDED in place.unknown and id(patterns) in self.seen:
                return
            self.seen.add(id(patterns))
            self._pattern(patterns, place.at(patterns), depth)

    def _attribute(self, value: Attribute, place: _Place) -> None:
        """`router.urls`."""
        holder, name = attribute_path(value)
        if name in ("urls", "get_urls") and isinstance(holder, Call) and self._is_router(holder):
            self._router(holder, place)

    def _pattern(self, call: Call, place: _Place, depth: int) -> None:
        function = call.function
        if isinstance(function, Attribute):
            _, name = attribute_path(function)
            if name in ("get_urls", "urls"):
                self._attribute(function, place)
            return
        names = self.code.external_bases(call)
        if names & _I18N:
            prefixed = call.keywords.get("prefix_default_language") is not False
            self._patterns(
                list(call.arguments), place.below(f"{self.settings.language}/" if prefixed else ""), depth + 1
            )
        elif names & _RESOLVER:
            self._resolver(call, place, depth)
        elif names & _PATH or names & _REGEX:
            self._one(call, place, bool(names & _REGEX), depth)
        elif any(
            name.endswith((".patterns", ".format_suffix_patterns", ".required", ".decorator_include")) for name in names
        ):
            views = call.arguments[0] if call.arguments and isinstance(call.arguments[0], str) else ""
            for argument in call.arguments:
                self._patterns(argument, replace(place, views=views if isinstance(views, str) else ""), depth + 1)

    def _resolver(self, call: Call, place: _Place, depth: int) -> None:
        pattern, text = call.argument(0, "pattern"), ""
        bases = {name.rpartition(".")[2] for name in self.code.external_bases(pattern)}
        if "LocalePrefixPattern" in bases:
            text = f"{self.settings.language}/"
        elif isinstance(pattern, Call):
            written = text_of(pattern.argument(0, "route"))[0]
            text = _from_route(written) if "RoutePattern" in bases else _from_regex(written)
        target = self._urlconf(call.argument(1, "urlconf_name"), call.module)
        if isinstance(target, Module):
            self._module(target, place.below(text))
        else:
            self._patterns(target, place.below(text), depth + 1)

    def _one(self, call: Call, place: _Place, is_regex: bool, depth: int) -> None:
        route = call.argument(0, "regex" if is_regex and "regex" in call.keywords else "route")
        if isinstance(route, Call | Unknown) and name_of(route).rpartition(".")[2].removesuffix("()") in _TRANSLATED:
            route = route.arguments[0] if isinstance(route, Call) and route.arguments else route
        route = self.settings.settle(route)
        text, unknown = text_of(route)
        if unknown and not isinstance(route, str):
            text = text.lstrip("/")
        inside = place.below(_from_regex(text) if is_regex else _from_route(text), unknown)
        view = call.argument(1, "view")
        if isinstance(view, Call) and self.code.external_bases(view) & _INCLUDE:
            self._include(view, inside, depth + 1)
        elif isinstance(view, list | tuple):
            self._patterns(view[0] if view else None, inside, depth + 1)
        elif isinstance(view, Attribute) and view.name in ("urls", "get_urls"):
            if self.admin.is_site(view.value):
                self._admin(view.value, inside, depth)
            else:
                self._left_out(call, name_of(view))
                self._attribute(view, inside)
        elif isinstance(view, External) and view.name.endswith(".urls"):
            site = External(view.name.removesuffix(".urls"))
            if self.admin.is_site(site):
                self._admin(site, inside, depth)
            else:
                self._package(call, view.name, inside)
        else:
            self._view(view, inside, call.argument(-1, "kwargs"))

    def _include(self, call: Call, place: _Place, depth: int) -> None:
        target = call.argument(0, "arg")
        if isinstance(target, tuple):
            target = target[0] if target else None
        target = self._urlconf(target, call.module)
        if isinstance(target, Module):
            self._module(target, place)
        elif isinstance(target, External) and self.admin.is_site(External(target.name.removesuffix(".urls"))):
            self._admin(External(target.name.removesuffix(".urls")), place, depth)
        elif isinstance(target, External):
            self._package(call, target.name, place)
        elif isinstance(target, Attribute) and not isinstance(attribute_path(target)[0], Call):
            self._left_out(call, name_of(target))
        elif isinstance(target, Unknown):
            self.found.append(SourceFault(call.module.path, call.line, f"what is included is not known: {target.name}"))
        else:
            self._patterns(target, place, depth + 1)

    def _package(self, call: Call, name: str, place: _Place) -> None:
        for method, path in packages.routes_of(name, self.settings):
            self._add(place.below(path), method, "", None)
        if not packages.is_known(name):
            self._left_out(call, name)

    def _admin(self, site: Value, place: _Place, depth: int) -> None:
        for method, path, patterns in self.admin.routes(site):
            if len(self.found) > _MOST_ROUTES:
                return
            if method:
                self._add(place.below(path), method, "", True if path != "login/" else None)
            else:
                self._patterns(patterns, place.below(path), depth + 1)

    def _urlconf(self, target: Value, module: Module) -> Value:
        if isinstance(target, tuple) and target:
            target = target[0]
        return self.code.import_module(target, module) if isinstance(target, str) else target

    def _left_out(self, call: Call, what: str) -> None:
        self.found.append(
            SourceFault(call.module.path, call.line, f"included from outside of the tree, not listed: {what}")
        )

    # Views

    def _view(self, view: Value, place: _Place, _: Value = None) -> None:
        if isinstance(view, str):
            dotted = f"{place.views}.{view}" if place.views else view
            module_name, _, name = dotted.rpartition(".")
            module = self.code.import_module(module_name, self.code.module(place.file)) if module_name else None
            view = self.code.member(module, name) if isinstance(module, Module) else None
        wrappers: list[str] = []
        for _attempt in range(20):
            view = wrapped_view(view)
            if isinstance(view, Call) and (made := class_of_view(view)) is not None:
                self._class_view(view, made, place, wrappers)
                return
            view = called_on(view)
            if isinstance(view, Class) and self._is_class_view(view):
                self._class_view(Call(view, [], {}, view.module, view.line), view, place, wrappers)
                return
            if not isinstance(view, Call) or not view.arguments:
                break
            wrappers.append(name_of(view.function).removesuffix("()"))
            inner = next((a for a in view.arguments if isinstance(a, Call | Function | Attribute | Bound)), None)
            if inner is None:
                break
            view = inner
        decorators = [decorator for decorator, _ in view.decorators] if isinstance(view, Function) else []
        names = [*wrappers, *(name_of(decorator).removesuffix("()") for decorator in decorators)]
        for method in _methods_of_function(decorators, wrappers):
            self._add(place, method, handler_name(view), self._protected(names, view))

    def _is_class_view(self, view: Class) -> bool:
        return any(name.startswith(("django.views", "rest_framework")) for name in self.code.external_bases(view))

    def _class_view(self, call: Call, view: Value, place: _Place, wrappers: list[str]) -> None:
        names = [*wrappers, *self._names_of(view)]
        actions = call.argument(0, "actions")
        if isinstance(actions, dict):
            for verb, action in actions.items():
                if isinstance(verb, str):
                    handler = f"{handler_name(view)}.{action}" if isinstance(action, str) else handler_name(view)
                    self._add(place, verb.upper(), handler, self._protected(names, view))
            return
        allowed = call.keywords.get("http_method_names")
        for method in self._methods_of_view(view, allowed):
            self._add(place, method, handler_name(view), self._protected(names, view))

    def _methods_of_view(self, view: Value, allowed: Value = None) -> list[str]:
        found = [method for method in methods_of_class(view) if method not in ("HEAD", "OPTIONS")]
        for base in self._base_names(view):
            found += _VIEW_METHODS.get(base) or ("GET",) * base.endswith(("ListView", "DetailView", "FilterView"))
        return self._allowed(view, list(dict.fromkeys(found)), allowed) or ["*"]

    def _allowed(self, view: Value, methods: list[str], allowed: Value = None) -> list[str]:
        if allowed is None and isinstance(view, Class):
            allowed = view.find("http_method_names")
            allowed = None if allowed is MISSING else allowed
        names = {name.upper() for name in strings(allowed)}
        return [method for method in methods if method in names] if names else methods

    def _base_names(self, view: Value) -> list[str]:
        return [name.rpartition(".")[2] for name in self.code.external_bases(view)]

    def _names_of(self, view: Value) -> list[str]:
        if not isinstance(view, Class):
            return []
        decorators = [name_of(decorator).removesuffix("()") for decorator, _ in view.decorators]
        for decorator, _ in view.decorators:
            if isinstance(decorator, Call):
                decorators += [name_of(argument) for argument in decorator.arguments]
        return [*decorators, *(name_of(base) for base in view.mro() if not isinstance(base, Class) or base is not view)]

    def _protected(self, names: list[str], view: Value) -> bool | None:
        if isinstance(view, Class):
            declared = view.find("permission_classes")
            if declared is not MISSING:
                return _permits(list(map(name_of, items(declared))))
        if any(name.endswith("permission_classes") for name in names):
            return True
        mixins = [name.rpartition(".")[2] for name in names]
        if any(name.endswith(("RequiredMixin", "PassesTestMixin")) for name in mixins) or names_authentication(names):
            return True
        if self.settings.default_permissions and (
            self._is_rest(view) or any(name.endswith("api_view") for name in names)
        ):
            return _permits(self.settings.default_permissions)
        return None

    def _is_rest(self, view: Value) -> bool:
        return any(name.startswith("rest_framework") for name in self.code.external_bases(view))

    # Routers of Django REST framework

    def _is_router(self, made: Call) -> bool:
        return any(name.endswith("Router") for name in self.code.external_bases(made))

    def _router(self, router: Call, place: _Place) -> None:
        bases = self.code.external_bases(router)
        built = self.code.construction(router)
        slash = router.attributes.get("trailing_slash", built.argument(-1, "trailing_slash"))
        end = "" if slash is False or slash == "" else "/"
        if isinstance(router.function, Class) and slash is None:
            declared = router.function.find("trailing_slash")
            end = "" if declared is False or declared == "" else "/"
        shows_root = built.argument(-1, "include_root_view") is not False
        if isinstance(router.function, Class) and router.function.find("include_root_view") is False:
            shows_root = False
        if shows_root and any(name.endswith("DefaultRouter") for name in bases):
            self._add(place.at(built), "GET", "APIRootView", None)
        parent = self._parent_of(router, built, bases)
        templates = self._templates(router)
        for call in self._registrations(router, 0):
            text, unknown = text_of(self.settings.settle(call.argument(0, "prefix")))
            at = place.below(parent, unknown).at(call)
            self._registered(call, at, templates, _from_regex(text) if not unknown else text, end)

    def _templates(self, router: Call) -> _Templates:
        made = _Templates(
            [
                ("{prefix}{trailing_slash}", {"GET": "list", "POST": "create"}),
                (
                    "{prefix}/{lookup}{trailing_slash}",
                    {"GET": "retrieve", "PUT": "update", "PATCH": "partial_update", "DELETE": "destroy"},
                ),
            ],
            {False: "{prefix}/{url_path}{trailing_slash}", True: "{prefix}/{lookup}/{url_path}{trailing_slash}"},
        )
        declared = router.function.find("routes") if isinstance(router.function, Class) else None
        if isinstance(declared, list):
            made = _Templates([], {})
            for route in declared:
                url = route.argument(0, "url") if isinstance(route, Call) else None
                if not isinstance(route, Call) or not isinstance(url, str):
                    continue
                mapping = route.argument(1, "mapping")
                if isinstance(mapping, dict):
                    made.routes.append((url, _by_method(mapping)))
                else:
                    made.actions[bool("{lookup}" in url)] = url
        for call in router.calls:
            _, name = attribute_path(call.function)
            if (changed := _MAPPING.match(name)) and call.arguments and int(changed[1]) < len(made.routes):
                made.routes[int(changed[1])][1].update(_by_method(call.arguments[0]))
        return made

    def _parent_of(self, router: Call, built: Call, bases: frozenset[str]) -> str:
        """`domains/{domain_pk}/` of drf-nested-routers."""
        if not any("Nested" in name for name in bases):
            return ""
        outer, prefix = built.argument(0, "parent_router"), built.argument(1, "parent_prefix")
        lookup = built.argument(2, "lookup")
        above, field = "", "pk"
        if isinstance(outer, Call):
            above = self._parent_of(outer, self.code.construction(outer), self.code.external_bases(outer))
            for call in self._registrations(outer, 0):
                if call.argument(0, "prefix") == prefix:
                    field = self._lookup(call.argument(1, "viewset"))
        return f"{above}{prefix}/{{{lookup if isinstance(lookup, str) else 'parent'}_{field}}}/"

    def _registrations(self, router: Call, depth: int) -> Iterator[Call]:
        for call in router.calls:
            _, name = attribute_path(call.function)
            if name == "register":
                yield call
            elif name in ("registry.extend", "extend") and call.arguments and depth < 5:
                other, _ = attribute_path(call.arguments[0])
                if isinstance(other, Call):
                    yield from self._registrations(other, depth + 1)

    def _lookup(self, viewset: Value) -> str:
        for name in ("lookup_url_kwarg", "lookup_field"):
            value = viewset.find(name) if isinstance(viewset, Class) else None
            if isinstance(value, str):
                return value
        return "pk"

    def _registered(self, call: Call, place: _Place, templates: _Templates, prefix: str, end: str) -> None:
        viewset = call.argument(1, "viewset")
        functions: dict[str, Function] = {}
        if isinstance(viewset, Class):
            for owner in viewset.mro():
                if isinstance(owner, Class):
                    for name, value in owner.scope.variables.items():
                        if isinstance(value, Function):
                            functions.setdefault(name, value)
        actions = {action for base in self._base_names(viewset) for action in _VIEWSET_ACTIONS.get(base, ())}
        actions |= functions.keys()
        if isinstance(viewset, Class):
            actions -= {name for name in actions if viewset.find(name) is None}  # `update = None` takes it away
        protected = self._protected(self._names_of(viewset), viewset)
        lookup = f"{{{self._lookup(viewset)}}}"

        def path_of(url: str, url_path: str = "") -> str:
            parts = {"prefix": prefix, "lookup": lookup, "trailing_slash": end, "url_path": url_path}
            return _PART.sub(lambda part: parts.get(part[1], part[0]), url).strip("^$").lstrip("/")

        for url, mapping in templates.routes:
            for method, action in mapping.items():
                if action in actions and self._allowed(viewset, [method]):
                    handler = f"{handler_name(viewset)}.{action}"
                    path = path_of(url) if prefix or "{lookup}" in url else ""
                    self._add(place.below(path), method, handler, protected)
        for function in functions.values():
            for extra in self._actions(function):
                if extra.on_item not in templates.actions:
                    continue
                template = templates.actions[extra.on_item]
                own = extra.declared.argument(-1, "permission_classes")
                guarded = _permits(list(map(name_of, items(own)))) if own is not None else protected
                at = replace(place, file=function.module.path, line=extra.line)
                for method in self._allowed(viewset, extra.methods):
                    handler = f"{handler_name(viewset)}.{function.name}"
                    self._add(at.below(path_of(template, extra.path), extra.unknown), method, handler, guarded)

    def _actions(self, function: Function) -> Iterator[_Action]:
        for decorator, line in function.decorators:
            declared, target = decorator, function
            holder, mapping = attribute_path(decorator)
            if isinstance(holder, Function) and mapping.startswith("mapping."):
                target = holder
                declared = next((d for d, _ in holder.decorators if isinstance(d, Call)), None)
            if not isinstance(declared, Call):
                continue
            kind = name_of(declared.function).rpartition(".")[2]
            if kind not in ("action", "list_route", "detail_route"):
                continue
            on_item = kind == "detail_route" or (kind == "action" and declared.argument(1, "detail") is True)
            url_path = declared.argument(-1, "url_path")
            text, unknown = text_of(url_path) if url_path is not None else (target.name, "")
            methods = [method.upper() for method in strings(declared.argument(0, "methods"))] or ["GET"]
            if target is not function:
                methods = [mapping.partition(".")[2].upper()]
            yield _Action(declared, _from_regex(text), unknown, on_item, methods, line or function.line)

    def _add(self, place: _Place, method: str, handler: str, protected: bool | None) -> None:
        if (method not in HTTP_METHODS and method != "*") or len(self.found) > _MOST_ROUTES:
            return
        path = "/" + place.prefix.lstrip("/")
        self.found.append(
            Route(
                method,
                path,
                place.file,
                place.line,
                "django",
                handler,
                path_parameters(path),
                requires_auth=protected,
                unresolved=unresolved(*place.unknown),
            )
        )


def _by_method(mapping: Value) -> dict[str, str]:
    pairs = mapping.items() if isinstance(mapping, dict) else ()
    return {verb.upper(): action for verb, action in pairs if isinstance(verb, str) and isinstance(action, str)}


def _permits(names: list[str]) -> bool | None:
    plain = [name.rpartition(".")[2].removesuffix("()") for name in names]
    if not plain or all(name == "AllowAny" for name in plain):
        return False
    return True if any(name.startswith(("Is", "Has", "Can", "DjangoModel", "DjangoObject")) for name in plain) else None


def _methods_of_function(decorators: list[Value], wrappers: list[str]) -> list[str]:
    for decorator in decorators:
        name = name_of(decorator.function if isinstance(decorator, Call) else decorator).rpartition(".")[2]
        if isinstance(decorator, Call) and name in ("api_view", "require_http_methods"):
            given = decorator.arguments[0] if decorator.arguments else next(iter(decorator.keywords.values()), None)
            methods = [method.upper() for method in strings(given)]
            return methods or (["GET"] if name == "api_view" else ["*"])
    simple = {"require_GET": ["GET"], "require_POST": ["POST"], "require_safe": ["GET"]}
    for written in [*(name_of(decorator) for decorator in decorators), *wrappers]:
        if methods := simple.get(written.rpartition(".")[2], []):
            return methods
    return ["*"]


_CONVERTER = re.compile(r"<(?:[^<>:]*:)?\s*([^<>:]+?)\s*>")


def _from_route(text: str) -> str:
    return _CONVERTER.sub(r"{\1}", text)


def _from_regex(pattern: str) -> str:
    """`^users/(?P<pk>\\d+)/$` to `users/{pk}/`: groups to parameters, and no metacharacters outside of them."""
    out: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "(":
            end = _end_of_group(pattern, position)
            inside = pattern[position + 1 : end]
            if named := re.match(r"\?P<(\w+)>", inside):
                out.append(f"{{{named[1]}}}")
            elif inside.startswith("?:"):
                out.append(_from_regex(inside[2:].partition("|")[0]))
            elif not inside.startswith("?"):
                out.append("{var}")
            position = end + 1
            while pattern[position : position + 1] in ("*", "+", "?"):
                position += 1
            continue
        if character == "[":
            end = _end_of_class(pattern, position)
            inside = pattern[position + 1 : end].removeprefix("\\")
            position = end + 1
            if pattern[position : position + 1] not in ("*", "?"):
                out.append(inside if len(inside) == 1 else "{var}")
            while pattern[position : position + 1] in ("*", "+", "?"):
                position += 1
            continue
        if character == "\\":
            following = pattern[position + 1 : position + 2]
            if following not in ("A", "Z", "b", "B", "z"):
                out.append(following if not following.isalnum() else "\\" + following)
            position += 2
            continue
        if character not in "^$?":
            out.append(character)
        position += 1
    return "".join(out)


def _end_of_class(pattern: str, start: int) -> int:
    position = start + 2 + (pattern[start + 1 : start + 2] == "^")  # a bracket that stands first is a character
    while position < len(pattern) and pattern[position] != "]":
        position += 1 + (pattern[position] == "\\")
    return position


def _end_of_group(pattern: str, start: int) -> int:
    depth, position, in_class = 0, start, False
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            position += pattern[position + 1 : position + 2] in ("]", "^")
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return len(pattern)
