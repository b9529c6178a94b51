"""The class-based-view door: our thin layer over `fastapi_utils.cbv`, and the only place that imports it.

It exists because cbv silently drops `Annotated[..., Depends()]` from class attributes, after which FastAPI reads the
attribute from the *request*: a forged JSON body could pass for the signed-in user. `view` moves the dependency where
cbv looks for it and refuses every other kind of attribute. It also

- asks who calls as the `access_control` mark says before anything of the request is read, so that 401 and 403 come
  before 422, and refuses a class with an unmarked route;
- resolves what the class depends on by itself (`core.injection`); one transaction holds for the whole method;
- reads path and query at once (`core.reading`) and JSON strictly, renders the `Envelope` that a method answers, and
  keeps the answer for a repeated `Idempotency-Key`.

Rules that come with cbv: one view class a router, full paths on the methods, no WebSocket routes, no subclasses.
"""

import functools
import inspect
import re
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, TypeVar, get_args, get_origin, get_type_hints

import orjson
from fastapi import APIRouter, Depends, Header, Request
from fastapi.dependencies.utils import get_dependant
from fastapi.params import Form
from fastapi.routing import APIRoute
from fastapi_utils.cbv import cbv
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from backend.app.core import etag, idempotency
from backend.app.core.errors import PermissionDenied, TouchstoneError, UnsupportedMediaType
from backend.app.core.injection import Dependency, Plan, dependency_in, inputs_of, is_plain
from backend.app.core.permissions import Permission
from backend.app.core.reading import reader_of
from backend.app.core.responses import PROBLEM_RESPONSES, Reply, render
from backend.app.core.runtime import current_principal, runtime_of, service_context

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

_MARK: Final = "__touchstone_access__"
DIRECT: Final = "touchstone_app"
"""The attribute of a route that has an ASGI application of its own, with nothing of FastAPI's around it."""
ADMIT: Final = "touchstone.admit"
"""In the scope: what counts requests, called with the request and its principal, which a public route has none of; or
with `refused=True` for credentials that open nothing."""

MAX_BODY: Final = "touchstone.max_body"
"""In the scope: how many bytes the body may have, where a route takes more than `web.max_body_bytes`. To be set before
any of it is read."""


class ViewError(TypeError):
    """A view class that the door refuses, found at import."""


class Public:
    """The mark of a route that needs no credentials."""


PUBLIC: Final = Public()


@dataclass(frozen=True, slots=True)
class Access:
    permission: Permission | None
    replayable: bool


def access_control(permission: Permission | Public, *, replayable: bool = True) -> Callable[[F], F]:
    """Says who may call a route; goes below the router's decorator.

    `replayable=False` takes a POST out of `Idempotency-Key`: for answers that hold a secret shown once.
    """

    def mark(method: F) -> F:
        granted = None if isinstance(permission, Public) else permission
        setattr(method, _MARK, Access(granted, replayable and granted is not None))
        return method

    return mark


def view(router: APIRouter) -> Callable[[C], C]:
    """Makes a class the view of `router`. Raises `ViewError` for a class that breaks the rules above."""

    def decorate(cls: C) -> C:
        attributes = _move_dependencies(cls)
        methods = {method for _, method in inspect.getmembers(cls, inspect.isfunction)}
        routes = [route for route in router.routes if isinstance(route, APIRoute) and route.endpoint in methods]
        if not routes or len(routes) != len(router.routes):
            raise ViewError(f"{cls.__name__}: one view class a router, with at least one route and nothing else on it")
        for route in routes:
            _describe(cls, route)
        cbv(router)(cls)
        for route in routes:
            _open(route, cls, attributes)
        return cls

    return decorate


def _move_dependencies(cls: type) -> dict[str, Dependency]:
    attributes = {}
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if get_origin(hint) is ClassVar or hint is ClassVar:
            continue
        dependency = dependency_in(hint)
        if dependency is None or hasattr(cls, name):
            raise ViewError(f"{cls.__name__}.{name}: a view's attribute must be Annotated[..., Depends(...)]")
        if not is_plain(dependency):
            raise ViewError(
                f"{cls.__name__}.{name}: the dependency must be an async function of the Request and of others alike"
            )
        attributes[name] = dependency
        cls.__annotations__[name] = get_args(hint)[0]
        setattr(cls, name, Depends(dependency))
    return attributes


def _describe(cls: type, route: APIRoute) -> None:
    access: Access | None = getattr(route.endpoint, _MARK, None)
    name = route.endpoint.__name__
    if access is None:
        raise ViewError(f"{cls.__name__}.{name}: no @access_control mark (PUBLIC must be said)")
    if not inspect.iscoroutinefunction(route.endpoint):
        raise ViewError(f"{cls.__name__}.{name}: must be an async method")
    route.operation_id = route.operation_id or name
    route.summary = route.summary or name.replace("_", " ").capitalize()
    route.responses = {**PROBLEM_RESPONSES, **route.responses}
    extra: dict[str, Any] = {"x-permission": access.permission.value if access.permission else "public"}
    if access.permission is not None:
        extra["security"] = [{"bearer": []}, {"api_key": []}, {"password": []}]
    hints = get_type_hints(route.endpoint, include_extras=True).values()
    if conditions := [etag.PARAMETERS[it] for hint in hints if (it := dependency_in(hint)) in etag.PARAMETERS]:
        extra["parameters"] = conditions
    route.openapi_extra = {**(route.openapi_extra or {}), **extra}


def _open(route: APIRoute, cls: type, attributes: dict[str, Dependency]) -> None:
    """Gives the route an endpoint that FastAPI calls with what it read from the request, and a handler that asks first
    who calls."""
    method = route.endpoint
    access: Access = getattr(method, _MARK)
    status = route.status_code or 200
    replays = access.replayable and "POST" in (route.methods or ())
    (_, *parameters) = inspect.signature(method, eval_str=True).parameters.values()

    own = {
        p.name: dependency for p in parameters if (dependency := dependency_in(p.annotation)) and is_plain(dependency)
    }
    plan = Plan({**attributes, **own, **({_CONTEXT: service_context} if replays else {})})
    from_request = [
        p.replace(kind=p.KEYWORD_ONLY) for p in parameters if p.name not in own and p.annotation is not Request
    ]
    for parameter in from_request:
        if (dependency := dependency_in(parameter.annotation)) and any(inputs_of(dependency).values()):
            raise ViewError(f"{cls.__name__}.{method.__name__}: {parameter.name} must depend on the request alone")
    requests = [p.name for p in parameters if p.annotation is Request]

    async def endpoint(*, request: Request, **arguments: Any) -> Response:
        async def answer() -> Response:
            result = await method(instance, **arguments)
            return render(result, request, status) if isinstance(result, Reply) else result

        key = arguments.pop(_KEY, None)
        arguments.update(dict.fromkeys(requests, request))
        if plan.is_empty:
            instance = cls()
            return await answer()
        async with AsyncExitStack() as stack:
            values = await plan.resolve(request, stack)
            instance = cls(**{name: values[name] for name in attributes})
            arguments.update({name: values[name] for name in own})
            if key is None:
                return await answer()
            return await idempotency.once(values[_CONTEXT], key, request, answer)

    functools.update_wrapper(endpoint, method, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    del endpoint.__wrapped__  # type: ignore[attr-defined]
    if replays:
        from_request.append(
            inspect.Parameter(_KEY, inspect.Parameter.KEYWORD_ONLY, annotation=_KEY_HEADER, default=None)
        )
    itself = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    endpoint.__signature__ = inspect.Signature([itself, *from_request])  # type: ignore[attr-defined]
    route.endpoint = endpoint
    _ask_first(route, access.permission)


def _ask_first(route: APIRoute, permission: Permission | None) -> None:
    """Who calls is asked before anything is read. FastAPI itself reads what a `Reader` does not: bodies above all."""
    build = route.get_route_handler
    takes_json = route.body_field is not None and not isinstance(route.body_field.field_info, Form)
    reader = reader_of(get_dependant(path=route.path, call=route.endpoint))

    def get_route_handler() -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = build()

        async def handler(request: Request) -> Response:
            if request.app.dependency_overrides:
                raise ViewError("dependency_overrides do not reach views: put another Runtime into app.state.runtime")
            admit = request.scope.get(ADMIT)
            try:
                principal = None if permission is None else await current_principal(request)
            except TouchstoneError as refusal:
                if admit is not None and refusal.status < 500:
                    await admit(request, None, refused=True)
                raise
            if admit is not None:
                await admit(request, principal)
            if permission is not None and principal is not None and not principal.may(permission):
                raise PermissionDenied(f"this needs the permission {permission.value}")
            if reader is not None:
                return await route.endpoint(request=request, **await reader.read(request))  # type: ignore[no-any-return]
            if takes_json and _has_other_body(request):
                raise UnsupportedMediaType
            return await handle(JsonRequest(request.scope, request.receive))

        return handler

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await answer(request)
        await response(scope, receive, send)

    route.get_route_handler = get_route_handler  # type: ignore[method-assign]
    if reader is not None:
        answer = get_route_handler()
        setattr(route, DIRECT, app)


def _has_other_body(request: Request) -> bool:
    """Whether a body comes that does not say that it is JSON."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return False
    kind, _, subtype = headers.get("content-type", "").partition(";")[0].strip().lower().partition("/")
    return kind != "application" or not (subtype == "json" or subtype.endswith("+json"))


class JsonRequest(Request):
    """Parses by RFC 8259 to the letter: no NaN or Infinity, UTF-8 without lone surrogates, limited nesting. The last of
    equal names wins; integers beyond 64 bits become floats, as everywhere in the web."""

    async def json(self) -> Any:
        body = await self.body()
        _refuse_deep(body, runtime_of(self).settings.web.max_json_depth)
        return orjson.loads(body)


class BodyTooDeep(HTTPException):
    """FastAPI lets only this kind of exception out of its reading of a body."""

    def __init__(self, limit: int) -> None:
        super().__init__(422, f"The JSON is nested deeper than {limit} levels")


def _refuse_deep(body: bytes, limit: int) -> None:
    """Raises `BodyTooDeep` where arrays and objects are nested deeper than `limit`. What does not close is left to the
    parser."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return
    brackets = _STRING.sub(b"", body).translate(_AS_BRACKETS, _NO_BRACKETS)
    for _ in range(limit):
        before, brackets = len(brackets), brackets.replace(b"[]", b"")  # the innermost level
        if len(brackets) == before:
            return
    if brackets:
        raise BodyTooDeep(limit)


_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_AS_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


_CONTEXT: Final = "idempotency_context"
_KEY: Final = "idempotency_key"
_KEY_HEADER = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Repeating the request with the same key answers what the first one did, and does nothing again.",
    ),
]
