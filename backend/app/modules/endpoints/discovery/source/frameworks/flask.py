"""Flask, with Flask-RESTful, Flask-RESTX, flask-smorest and Flask-Classful: the rules of its applications.

HEAD and OPTIONS that Flask adds, and its rule for static files, are not reported.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backend.app.modules.endpoints.discovery.source import Framework
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.frameworks.flask_classful import registrations, rules_of
from backend.app.modules.endpoints.discovery.source.languages.python.builtins import called_on
from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source.languages.python.routes import (
    applied_to,
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
    Attribute,
    Call,
    Class,
    Function,
    Unknown,
    Value,
    name_of,
)
from backend.app.modules.endpoints.discovery.source.model import Route

_APPS = frozenset(
    {"flask.Flask", "flask.app.Flask", "flask_openapi3.OpenAPI", "apiflask.APIFlask", "connexion.FlaskApp"}
)
_BLUEPRINTS = frozenset(
    {
        "flask.Blueprint",
        "flask.blueprints.Blueprint",
        "flask_smorest.Blueprint",
        "flask_openapi3.APIBlueprint",
        "apiflask.APIBlueprint",
        "flask_rebar.Rebar",
    }
)
_APIS = frozenset(
    {
        "flask_restful.Api",
        "flask_restx.Api",
        "flask_restplus.Api",
        "flask_restx.api.Api",
        "flask_smorest.Api",
        "flask_rest_jsonapi.Api",
    }
)
_NAMESPACES = frozenset({"flask_restx.Namespace", "flask_restplus.Namespace", "flask_restx.namespace.Namespace"})
_VERBS = frozenset({"get", "post", "put", "patch", "delete"})
_CONVERTER = re.compile(r"<(?:[^<>:]*(?:\([^<>]*\))?:)?\s*([^<>:]+)>")
_PARAMETERS = frozenset({"parameter.app", "parameter.application", "parameter.flask_app", "parameter.server"})
_MOST_NESTED = 20


@dataclass(frozen=True, slots=True)
class _Place:
    prefix: str = ""
    unknown: tuple[str, ...] = ()
    protected: bool = False

    def below(self, prefix: Value) -> "_Place":
        text, unknown = text_of(prefix)
        prefix_below = joined(self.prefix, text)
        return _Place(prefix_below, (*self.unknown, unknown) if unknown else self.unknown, self.protected)


class _Walk:
    def __init__(self, code: Code) -> None:
        self.code = code
        self.seen: set[int] = set()
        self.found: list[Route] = []
        self.apis = list(code.objects(_APIS))
        self.views = registrations(code)
        self.open: list[_Place] = []
        """Where blueprints out of a list that is not known are registered: those that nothing else registers."""

    def run(self) -> list[Route]:
        for app in [*self.code.objects(_APPS), *self._parameters()]:
            self._object(app, _Place(), 0)
        for restful in self.apis:
            # `Api()` and a later `init_app(app)` that nothing was seen to call.
            if id(restful) not in self.seen:
                target = self._bound_to(restful)
                place = _Place(unknown=("where its blueprint is registered",))
                self._object(restful, place if self._is(target, _BLUEPRINTS) else _Place(), 0)
        for loose in self.code.objects(_BLUEPRINTS | _NAMESPACES):
            if id(loose) not in self.seen:
                place = next(iter(self.open), _Place(unknown=("where its blueprint is registered",)))
                self._object(loose, self._own(loose, place, None), 0)
        return self.found

    def _parameters(self) -> list[Call]:
        """Applications that a function takes which nobody was seen to call."""
        return list(self.code.objects(_PARAMETERS))

    def _is(self, value: Value, names: frozenset[str]) -> bool:
        return isinstance(value, Call) and not names.isdisjoint(self.code.external_bases(value))

    def _own(self, made: Value, place: _Place, given: Value) -> _Place:
        """With the prefix of a blueprint, which the one at its registration replaces."""
        if not isinstance(made, Call):
            return place
        built = self.code.construction(made)
        if self._is(made, _NAMESPACES):
            path = given if given is not None else built.argument(3, "path")
            if path is None:
                name = built.argument(0, "name")
                path = f"/{name}" if isinstance(name, str) else None
            return place.below(path)
        own = made.attributes.get("url_prefix", built.argument(5, "url_prefix"))
        return place.below(given if given is not None else own)

    def _object(self, made: Value, place: _Place, depth: int) -> None:
        made, _ = attribute_path(made)
        if not isinstance(made, Call) or depth > _MOST_NESTED:
            return
        self.seen.add(id(made))
        is_api = self._is(made, _APIS)
        if not is_api and any(
            attribute_path(call.function)[1] == "before_request"
            and names_authentication([handler_name(value) for value in call.arguments])
            for call in made.calls
        ):
            place = _Place(place.prefix, place.unknown, True)
        for call in made.calls:
            self._called(call, made, place, depth, is_api)
        for registration in self.views.get(id(made), ()):
            for each in rules_of(registration):
                self._rule(each.written, each.function, each.rule, each.methods, place)
        # What is bound to this object: `Api(blueprint)`, `api.init_app(app)`.
        for restful in () if is_api else self.apis:
            if self._bound_to(restful) is made:
                prefix = self.code.construction(restful).argument(1, "prefix")
                self._object(restful, place.below(prefix), depth + 1)

    def _bound_to(self, restful: Call) -> Value:
        target = self.code.construction(restful).argument(0, "app")
        if target is not None and not isinstance(target, Attribute):
            return target
        for call in restful.calls:
            if isinstance(call.function, Attribute) and call.function.name == "init_app":
                return call.argument(0, "app")
        return None

    def _called(self, call: Call, made: Call, place: _Place, depth: int, is_api: bool) -> None:
        _, name = attribute_path(call.function)
        match name:
            case "register_blueprint" | "register_api":
                blueprint = call.argument(0, "blueprint")
                if isinstance(attribute_path(blueprint)[0], Unknown):
                    self.open.append(place.below(call.argument(-1, "url_prefix")))
                self._object(blueprint, self._own(blueprint, place, call.argument(-1, "url_prefix")), depth + 1)
            case "add_namespace":
                namespace = call.argument(0, "ns")
                self._object(namespace, self._own(namespace, place, call.argument(1, "path")), depth + 1)
            case "namespace":
                self._object(call, self._own(call, place, None), depth + 1)
            case "route" | "doc_route":
                self._decorated(call, place)
            case "resource":
                self._rules(call, applied_to(call), list(call.arguments), place)
            case "add_url_rule":
                view = call.argument(2, "view_func")
                methods = call.argument(-1, "methods")
                self._rule(call, view, call.argument(0, "rule"), methods, place)
            case "add_resource" | "add_org_resource":
                self._rules(call, call.argument(0, "resource"), list(call.arguments[1:]), place)
            case _ if name in _VERBS and not is_api:
                if call.calls:
                    self._rule(call, applied_to(call), call.argument(0, "rule"), [name.upper()], place)

    def _decorated(self, call: Call, place: _Place) -> None:
        view = applied_to(call)
        if isinstance(view, Class):
            self._rules(call, view, list(call.arguments), place)
        else:
            self._rule(call, view, call.argument(0, "rule"), call.argument(-1, "methods"), place)

    def _rules(self, call: Call, view: Value, rules: list[Value], place: _Place) -> None:
        for rule in rules:
            self._rule(call, view, rule, call.argument(-1, "methods"), place)

    def _rule(self, written: Call | Function, view: Value, rule: Value, methods: Value, place: _Place) -> None:
        if rule is None:
            return
        view = self._view(view)
        text, unknown = text_of(rule)
        path = template(joined(place.prefix, text))
        function = called_on(view)
        protected = place.protected or names_authentication(self._decorators(view))
        for method in self._methods(view, methods):
            self.found.append(
                Route(
                    method,
                    path if path.startswith("/") else f"/{path}",
                    written.module.path,
                    written.line,
                    "flask",
                    handler_name(function),
                    path_parameters(path),
                    requires_auth=protected or None,
                    unresolved=unresolved(*place.unknown, unknown),
                )
            )

    def _view(self, view: Value) -> Value:
        """`login_required(View.as_view("name"))` to the class."""
        for _ in range(10):
            view = wrapped_view(view)
            if isinstance(view, Call) and (made := class_of_view(view)) is not None:
                return made
            if not isinstance(view, Call) or not view.arguments:
                break
            view = view.arguments[0]
        return view

    def _methods(self, view: Value, given: Value) -> list[str]:
        known = [method.upper() for method in strings(given)]
        if not known and isinstance(given, list | tuple | None | Call):
            if isinstance(view, Class):
                declared = strings(view.find("methods"))
                known = [method.upper() for method in declared] or methods_of_class(view)
            elif isinstance(view, Function):
                known = []
        return list(dict.fromkeys(method for method in known if method != "OPTIONS" or len(known) == 1)) or ["GET"]

    def _decorators(self, view: Value) -> Iterator[str]:
        if isinstance(view, Function | Class):
            for decorator, _ in view.decorators:
                yield name_of(decorator).removesuffix("()")
        if isinstance(view, Class):
            for attribute in ("decorators", "method_decorators"):
                for decorator in items(view.find(attribute)):
                    yield name_of(decorator).removesuffix("()")
            for base in view.mro():
                yield name_of(base)


def joined(prefix: str, path: str) -> str:
    """As `Blueprint` does: one slash between the two."""
    if not prefix:
        return path
    return f"{prefix.rstrip('/')}/{path.lstrip('/')}" if path else prefix


def template(rule: str) -> str:
    """`/users/<int:id>` to `/users/{id}`."""
    return _CONVERTER.sub(r"{\1}", rule)


def _link(code: Code) -> list[Route]:
    return _Walk(code).run()


frameworks.register("flask")(
    Framework(
        description="Flask: rules of applications and blueprints, method views; RESTful, RESTX, smorest, Classful.",
        language="python",
        gate=(
            r"\bFlask\(|\bBlueprint\(|\bregister_blueprint\(|\.add_url_rule\(|\.add_resource\(|\.add_namespace\("
            r"|\bNamespace\(|^\s*@[\w.]+\.(route|get|post|put|patch|delete)\("
            r"|^\s*_?(app|application|api|server|\w+_app)\s*(:[^=\n]*)?=\s*(await\s+)?[\w.]+\("
        ),
        link=_link,
    )
)
