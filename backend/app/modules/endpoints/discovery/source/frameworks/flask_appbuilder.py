"""Flask-AppBuilder: the exposed methods of the views and REST APIs that are added to its application builder.

What a builder adds by itself is reported as a default configuration has it, without the pages for the permissions; the
routes that views have from the classes of the package are known by the names of those classes (release 5).
"""

from collections.abc import Iterator

from backend.app.modules.endpoints.discovery.source import Framework
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.frameworks.flask import joined, template
from backend.app.modules.endpoints.discovery.source.languages.python.builtins import configured
from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source.languages.python.routes import (
    attribute_path,
    handler_name,
    names_authentication,
    path_parameters,
    strings,
    text_of,
    unresolved,
)
from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    Attribute,
    Call,
    Class,
    External,
    Function,
    Value,
    name_of,
)
from backend.app.modules.endpoints.discovery.source.model import Route

_BUILDERS = frozenset({"flask_appbuilder.AppBuilder", "flask_appbuilder.base.AppBuilder"})
_ADDED = frozenset({"add_api", "add_view", "add_view_no_menu"})
_APIS = frozenset({"BaseApi", "ModelRestApi"})
_EXPOSE = frozenset({"expose", "expose_api"})
_MODEL_VIEW = {
    "list": "GET /list/",
    "show": "GET /show/<pk>",
    "add": "GET,POST /add",
    "edit": "GET,POST /edit/<pk>",
    "delete": "GET,POST /delete/<pk>",
    "download": "GET /download/<filename>",
    "action": "GET,POST /action/<name>/<pk>",
    "action_post": "POST /action_post",
}
_FORM_VIEW = {"this_form_get": "GET /form", "this_form_post": "POST /form"}
_OF_CLASSES = {
    "ModelRestApi": {
        "info": "GET /_info",
        "get_list": "GET /",
        "get": "GET /<pk>",
        "post": "POST /",
        "put": "PUT /<pk>",
        "delete": "DELETE /<pk>",
    },
    "ModelView": _MODEL_VIEW,
    "MasterDetailView": {**_MODEL_VIEW, "list": "GET /list/ GET /list/<pk>"},
    "MultipleView": {"list": "GET /list/"},
    "SimpleFormView": _FORM_VIEW,
    "PublicFormView": _FORM_VIEW,
    "IndexView": {"index": "GET /"},
}
_OF_BUILDER = (
    "GET / GET /back GET /lang/<locale> GET /api/v1/menu/ GET,POST /login/ GET /logout/ GET /users/userinfo/ "
    "POST /api/v1/security/login POST /api/v1/security/refresh GET,POST /resetmypassword/form "
    "GET,POST /resetpassword/form GET,POST /userinfoeditview/form"
)
_MODELS_OF_BUILDER = ("groups", "roles", "users")
_SECURITY_API = {
    "groups": "",
    "permissions": "GET /_info GET / GET /<pk>",
    "permissions-resources": "",
    "resources": "",
    "roles": "PUT /<pk>/groups POST /<pk>/permissions GET /<pk>/permissions/ PUT /<pk>/users",
    "users": "",
}
"""With `FAB_ADD_SECURITY_API`: below `/api/v1/security`, beside the routes of a `ModelRestApi`."""


def _link(code: Code) -> Iterator[Route]:
    builders = code.objects(_BUILDERS)
    for builder in builders[:1]:
        yield from _routes(_OF_BUILDER, "", builder, "", None)
        for model in _MODELS_OF_BUILDER:
            for name, exposed in _MODEL_VIEW.items():
                yield from _routes(exposed, f"/{model}", builder, name, True)
        yield from _configured(code, builder)
    for call in list(code.calls):
        holder, name = attribute_path(call.function)
        if name in _ADDED and isinstance(holder, Call):
            view = call.argument(0, "baseview")
            if isinstance(view, Call):
                view = view.function
            if isinstance(view, Class) and any(base.startswith("flask_appbuilder.") for base in _bases(view)):
                yield from _view(view)


def _configured(code: Code, builder: Call) -> Iterator[Route]:
    settings = Attribute(builder, "config")
    if configured(code, settings, "FAB_API_SWAGGER_UI") is True:
        yield from _routes("GET /swagger/<version> GET /api/<version>/_openapi", "", builder, "", None)
    if configured(code, settings, "FAB_ADD_SECURITY_API") is True:
        crud = " ".join(_OF_CLASSES["ModelRestApi"].values())
        for name, exposed in _SECURITY_API.items():
            if name != "permissions":
                exposed = f"{crud} {exposed}"
            yield from _routes(exposed, f"/api/v1/security/{name}", builder, "", True)


def _bases(view: Class) -> list[str]:
    return [base.name for base in view.mro() if isinstance(base, External)]


def _view(view: Class) -> Iterator[Route]:
    names = {base.rpartition(".")[2] for base in _bases(view)}
    prefix, unknown = text_of(_base_path(view, bool(names & _APIS)))
    chosen, left_out = view.find("include_route_methods"), strings(view.find("exclude_route_methods"))
    exposed: dict[str, str | Function] = {}
    for name in sorted(names & _OF_CLASSES.keys()):
        exposed |= _OF_CLASSES[name]
    for base in reversed(list(view.mro())):
        if isinstance(base, Class):
            exposed |= {name: value for name, value in base.scope.variables.items() if isinstance(value, Function)}
    for name, value in exposed.items():
        if name in left_out or (isinstance(chosen, str | list | tuple) and name not in strings(chosen)):
            continue
        if isinstance(value, str):
            yield from _routes(value, prefix, view, f"{view.name}.{name}", None, unknown)
        else:
            yield from _exposed(value, prefix, unknown)


def _base_path(view: Class, is_api: bool) -> Value:
    given = view.find("route_base")
    if not isinstance(given, str) and is_api:
        resource, version = view.find("resource_name"), view.find("version")
        name = resource if isinstance(resource, str) else view.name
        return f"/api/{version if isinstance(version, str) else 'v1'}/{name.lower()}"
    return given if isinstance(given, str) else f"/{view.name.lower()}"


def _exposed(function: Function, prefix: str, unknown: str) -> Iterator[Route]:
    for decorator, line in function.decorators:
        if isinstance(decorator, Call) and name_of(decorator.function).rpartition(".")[2] in _EXPOSE:
            text, of_path = text_of(decorator.argument(0, "url", "/"))
            protected = names_authentication(_decorators(function))
            for method in strings(decorator.argument(1, "methods")) or ["GET"]:
                path = template(joined(prefix, text))
                yield Route(
                    method.upper(),
                    path,
                    function.module.path,
                    line,
                    "flask",
                    handler_name(function),
                    path_parameters(path),
                    requires_auth=protected or None,
                    unresolved=unresolved(unknown, of_path),
                )


def _decorators(function: Function) -> Iterator[str]:
    for decorator, _ in function.decorators:
        name = name_of(decorator).removesuffix("()")
        yield "login_required" if name.rpartition(".")[2] in ("protect", "has_access", "has_access_api") else name


def _routes(
    exposed: str, prefix: str, place: Class | Call, handler: str, protected: bool | None, unknown: str = ""
) -> Iterator[Route]:
    """Of `GET,POST /add`, and more of the like."""
    words = exposed.split()
    for methods, rule in zip(words[::2], words[1::2], strict=True):
        path = template(joined(prefix, rule))
        for method in methods.split(","):
            yield Route(
                method,
                path,
                place.module.path,
                place.line,
                "flask",
                handler,
                path_parameters(path),
                requires_auth=protected,
                unresolved=unresolved(unknown),
            )


frameworks.register("flask-appbuilder")(
    Framework(
        description="Flask-AppBuilder: views and REST APIs that are added to an application builder.",
        language="python",
        gate=r"\bAppBuilder\(|\.add_(api|view|view_no_menu)\(|^\s*@expose\(",
        link=_link,
    )
)
