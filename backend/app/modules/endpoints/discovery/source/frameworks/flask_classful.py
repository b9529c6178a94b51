"""Flask-Classful: the methods of views, each of which is a rule of the application or blueprint that the view is
registered with (release 0.16)."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source.languages.python.routes import strings, text_of
from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    Attribute,
    Call,
    Class,
    Function,
    Value,
    name_of,
)

_VIEW = "flask_classful.FlaskView"
_BY_NAME = {"index": "GET", "get": "GET", "put": "PUT", "patch": "PATCH", "post": "POST", "delete": "DELETE"}
_OF_THE_PACKAGE = frozenset(
    {"build_route_name", "build_rule", "default_route_base", "get_route_base"}
    | {"make_proxy_method", "parse_options", "register"}
)
_ARGUMENT = re.compile(r"<(?:[^<>]*:)?([^<>:]+)>")
_CAPITALS = (re.compile(r"(.)([A-Z][a-z]+)"), re.compile(r"([a-z0-9])([A-Z])"))
_SLASHES = re.compile(r"/{2,}")


@dataclass(frozen=True, slots=True)
class ViewRule:
    rule: str
    methods: Value
    function: Function
    written: Call | Function
    """Where the rule is."""


def registrations(code: Code) -> Mapping[int, list[Call]]:
    """Calls of `View.register(app)`, by the `id` of the application or blueprint."""
    found: dict[int, list[Call]] = defaultdict(list)
    for call in code.calls:
        match call.function:
            case Attribute(value=Class() as view, name="register") if _VIEW in view.outside():
                found[id(call.argument(0, "app"))].append(call)
    return found


def rules_of(registration: Call) -> Iterator[ViewRule]:
    view = registration.function.value if isinstance(registration.function, Attribute) else None
    if not isinstance(view, Class):
        return

    def option(name: str) -> Value:
        given = registration.argument(-1, name)
        declared = view.find(name)
        return given if given is not None else declared if isinstance(declared, str | int | list | tuple) else None

    base = option("route_base")
    start, _ = text_of(option("route_prefix"))
    start += "/" + (text_of(base)[0] if base is not None else _base_of(view.name))
    ends = option("trailing_slash")
    dashed = option("method_dashified") is True
    passed = {"self", *_ARGUMENT.findall(start)}
    for name, function in _methods(view).items():
        if name in strings(option("excluded_methods")):
            continue
        named = _decorating(function, "route")
        for call in named:
            rule, _ = text_of(call.argument(0, "rule"))
            yield ViewRule(_rule(start, rule), call.argument(-1, "methods"), function, call)
        if not named:
            special = name in _BY_NAME
            last = "" if special else name.replace("_", "-") if dashed else name
            rule = _rule(start, last, *(f"<{argument}>" for argument in _arguments(function) if argument not in passed))
            rule = rule.rstrip("/") or "/"
            if ends is not False and rule != "/":
                rule += "/"
            chosen = [call.argument(0, "method") for call in _decorating(function, "method")]
            methods: Value = [_BY_NAME[name]] if special else chosen or option("default_methods")
            yield ViewRule(rule, methods, function, function)


def _methods(view: Class) -> dict[str, Function]:
    found: dict[str, object] = {}
    for base in reversed(view.mro()):
        if isinstance(base, Class):
            found |= base.scope.variables
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, Function)
        and not name.startswith(("_", "before_", "after_"))
        and name not in _OF_THE_PACKAGE
        and not any(
            name_of(decorator) in ("builtins.classmethod", "builtins.property") for decorator, _ in value.decorators
        )
    }


def _decorating(function: Function, name: str) -> list[Call]:
    """Calls of a decorator of the package."""
    calls = [decorator for decorator, _ in function.decorators if isinstance(decorator, Call)]
    return [call for call in calls if name_of(call.function) == f"flask_classful.{name}"]


def _arguments(function: Function) -> list[str]:
    """Those without a default, which are parts of the path."""
    return [name for name, kind, _, default in function.parameters if kind in ("", "/") and default is None]


def _rule(*parts: str) -> str:
    return _SLASHES.sub("/", "/" + "/".join(filter(None, parts)))


def _base_of(name: str) -> str:
    """`BlogPostsView` to `blog-posts`."""
    name = name.removesuffix("View")
    for capitals in _CAPITALS:
        name = capitals.sub(r"\1-\2", name)
    return name.lower()
