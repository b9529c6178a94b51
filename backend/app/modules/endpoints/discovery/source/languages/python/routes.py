"""What the Python frameworks have in common: paths, methods and handlers out of values."""

import re
from collections.abc import Iterable

from backend.app.engine.spec.model import Parameter, ParameterLocation
from backend.app.modules.endpoints.discovery.source.languages.python.builtins import called_on
from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    Attribute,
    Call,
    Class,
    External,
    Function,
    Splat,
    Text,
    Unknown,
    Value,
    name_of,
)

HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")
_BRACES = re.compile(r"\{([^{}]*)\}")
_AUTH = re.compile(
    r"(?:current|active|logged|authenticated?|verified|super|admin)_?(?:in_?)?(?:user|account|admin|member|principal)"
    r"|(?:login|auth\w*|token|permission|role|admin|api_?key|jwt|credential|session)s?_?(?:required|needed)"
    r"|(?:require|verify|check|validate|need|ensure|protect|assert)\w*_"
    r"(?:auth|login|user|token|permission|role|admin|api_?key|jwt|credential|scope|access)"
    r"|authenticat|authoriz|is_?admin|get_(?:\w+_)?user$|get_api_?key|jwt_|oauth2|permission",
    re.IGNORECASE,
)


def text_of(value: Value) -> tuple[str, str]:
    """A path or a prefix, and what of it is not known: `("/{settings.ROOT}/v1", "settings.ROOT")`."""
    if value is None:
        return "", ""
    if isinstance(value, str):
        return value, ""
    if isinstance(value, Text):
        names = [part.name for part in value.parts if isinstance(part, Unknown)]
        written = "".join(f"{{{_plain(part.name)}}}" if isinstance(part, Unknown) else part for part in value.parts)
        return written, ", ".join(names)
    name = name_of(value)
    return f"/{{{_plain(name)}}}", name


def _plain(name: str) -> str:
    return re.sub(r"[^\w.]+", "_", name).strip("_") or "unknown"


def unresolved(*names: str) -> str:
    """For `Route.unresolved`."""
    known = [name for name in names if name]
    return f"not known: {', '.join(dict.fromkeys(known))}" if known else ""


def strings(value: Value) -> list[str]:
    """Those of a list that are known, or the one string."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple) else []


def items(value: Value) -> list[Value]:
    """Of a list; none of what is no list."""
    return [item for item in value if not isinstance(item, Splat)] if isinstance(value, list | tuple) else []


def handler_name(value: Value) -> str:
    value = called_on(value)
    if isinstance(value, Function):
        return value.qualified_name
    if isinstance(value, Class):
        return value.name
    if isinstance(value, Call | Attribute):
        return name_of(value).removesuffix("()")
    return ""


def methods_of_class(made: Value) -> list[str]:
    """The HTTP methods that a class of views has functions for, those of its bases in the tree too."""
    if not isinstance(made, Class):
        return []
    return [method for method in HTTP_METHODS if isinstance(made.find(method.lower()), Function)]


def template(path: str) -> str:
    """`{name:converter}` to `{name}`."""
    return _BRACES.sub(lambda match: "{" + match[1].partition(":")[0] + "}", path)


def path_parameters(path: str) -> tuple[Parameter, ...]:
    names = dict.fromkeys(_BRACES.findall(path))
    return tuple(Parameter(name, ParameterLocation.PATH, True, {"type": "string"}, "simple") for name in names)


def applied_to(call: Call) -> Value:
    """What a decorator was put on."""
    return next((made.arguments[0] for made in call.calls if made.function is call and made.arguments), None)


def names_authentication(names: Iterable[str]) -> bool:
    return any(_AUTH.search(name.rpartition(".")[2] or name) for name in names)


def class_of_view(call: Call) -> Value:
    """`View` of `View.as_view(...)`; None of other calls."""
    match call.function:
        case Attribute(name="as_view"):
            return call.function.value
        case External(name) if name.endswith(".as_view"):
            return External(name.removesuffix(".as_view"))
    return None


def wrapped_view(view: Value) -> Value:
    """`View.as_view(...)` that decorators were called with, which gave back functions of their own."""
    inner = view
    for _ in range(10):
        if not isinstance(inner, Function) or inner.owner is not None or inner.scope.parent is None:
            break
        scope = inner.scope
        for value in scope.variables.values():
            if isinstance(value, Call) and class_of_view(value) is not None:
                return value
        wrapped = [value for value in scope.variables.values() if isinstance(value, Function) and value.scope != scope]
        inner = next((value for value in wrapped if value.scope.parent is not None), None)
    return view


def attribute_path(function: Value) -> tuple[Value, str]:
    """`app.router.add_route` to `(app, "router.add_route")`."""
    names: list[str] = []
    while isinstance(function, Attribute):
        names.append(function.name)
        function = function.value
    return function, ".".join(reversed(names))
