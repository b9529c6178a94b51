"""The class-based-view door: our thin layer over `fastapi_utils.cbv`, and the only place that imports it.

It exists because cbv silently drops `Annotated[..., Depends()]` from class attributes, after which FastAPI reads the
attribute from the *request*: a forged JSON body could pass for the signed-in user. `view` moves the dependency where
cbv looks for it and refuses every other kind of attribute. It also

- turns the `access_control` mark into a route dependency, so that 401 and 403 come before 422, and refuses a class
  with an unmarked route;
- hands FastAPI an async factory instead of the class (FastAPI runs a class in the thread pool);
- renders the `Envelope` that a method answers, and keeps the answer for a repeated `Idempotency-Key`.

Rules that come with cbv: one view class a router, full paths on the methods, no WebSocket routes, no subclasses.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, TypeVar, get_args, get_origin, get_type_hints

from fastapi import APIRouter, Depends, Header, Request
from fastapi.params import Depends as DependsParam
from fastapi.routing import APIRoute
from fastapi_utils.cbv import cbv
from starlette.responses import Response

from backend.app.core import idempotency
from backend.app.core.body import read_strictly
from backend.app.core.context import ServiceContext
from backend.app.core.errors import PermissionDenied
from backend.app.core.permissions import Permission, Principal
from backend.app.core.responses import PROBLEM_RESPONSES, Envelope, render
from backend.app.core.runtime import current_principal, service_context

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

_MARK: Final = "__touchstone_access__"


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
        _move_dependencies(cls)
        methods = {method for _, method in inspect.getmembers(cls, inspect.isfunction)}
        routes = [route for route in router.routes if isinstance(route, APIRoute) and route.endpoint in methods]
        if not routes or len(routes) != len(router.routes):
            raise ViewError(f"{cls.__name__}: one view class a router, with at least one route and nothing else on it")
        for route in routes:
            _guard(cls, route)
            read_strictly(route)
        cbv(router)(cls)
        factory = _async_factory(cls)
        for route in routes:
            route.endpoint = _door(route, factory)
        return cls

    return decorate


def _move_dependencies(cls: type) -> None:
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if get_origin(hint) is ClassVar or hint is ClassVar:
            continue
        markers = [part for part in get_args(hint)[1:] if isinstance(part, DependsParam)]
        if get_origin(hint) is not Annotated or len(markers) != 1 or hasattr(cls, name):
            raise ViewError(f"{cls.__name__}.{name}: a view's attribute must be Annotated[..., Depends(...)]")
        dependency = markers[0].dependency
        if not (inspect.iscoroutinefunction(dependency) or inspect.isasyncgenfunction(dependency)):
            raise ViewError(f"{cls.__name__}.{name}: the dependency must be an async function")
        cls.__annotations__[name] = get_args(hint)[0]
        setattr(cls, name, markers[0])


def _guard(cls: type, route: APIRoute) -> None:
    access: Access | None = getattr(route.endpoint, _MARK, None)
    if access is None:
        raise ViewError(f"{cls.__name__}.{route.endpoint.__name__}: no @access_control mark (PUBLIC must be said)")
    if not inspect.iscoroutinefunction(route.endpoint):
        raise ViewError(f"{cls.__name__}.{route.endpoint.__name__}: must be an async method")
    name = route.endpoint.__name__
    route.operation_id = route.operation_id or name
    route.summary = route.summary or name.replace("_", " ").capitalize()
    route.responses = {**PROBLEM_RESPONSES, **route.responses}
    extra = {"x-permission": access.permission.value if access.permission else "public"}
    if access.permission is not None:
        extra["security"] = [{"bearer": []}, {"api_key": []}]  # type: ignore[assignment]
        route.dependencies.insert(0, Depends(_requires(access.permission)))
    route.openapi_extra = {**(route.openapi_extra or {}), **extra}


@functools.cache
def _requires(permission: Permission) -> Callable[..., Any]:
    async def require(principal: Annotated[Principal, Depends(current_principal)]) -> None:
        if not principal.may(permission):
            raise PermissionDenied(f"this needs the permission {permission.value}")

    return require


def _async_factory(cls: type) -> Callable[..., Any]:
    async def build(**dependencies: Any) -> Any:
        return cls(**dependencies)

    build.__signature__ = inspect.signature(cls)  # type: ignore[attr-defined]
    return build


def _door(route: APIRoute, factory: Callable[..., Any]) -> Callable[..., Any]:
    method = route.endpoint
    access: Access = getattr(method, _MARK)
    status = route.status_code or 200
    replays = access.replayable and "POST" in (route.methods or ())

    parameters = list(inspect.signature(method).parameters.values())
    parameters[0] = parameters[0].replace(
        kind=inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty,
        annotation=Annotated[Any, Depends(factory)],
    )
    own_request = any(parameter.annotation is Request for parameter in parameters)
    if not own_request:
        parameters.append(inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request))
    if replays:
        parameters.append(
            inspect.Parameter(
                "context_",
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[ServiceContext, Depends(service_context)],
            )
        )
        parameters.append(
            inspect.Parameter("idempotency_key", inspect.Parameter.KEYWORD_ONLY, annotation=_KEY, default=None)
        )
    name = parameters[0].name

    async def answer(request: Request, arguments: dict[str, Any]) -> Response:
        if own_request:
            arguments["request"] = request
        result = await method(arguments.pop(name), **arguments)
        return render(result, request, status) if isinstance(result, Envelope) else result

    async def endpoint(*, request: Request, **arguments: Any) -> Response:
        if not replays:
            return await answer(request, arguments)
        context = arguments.pop("context_")
        key = arguments.pop("idempotency_key")
        if key is None:
            return await answer(request, arguments)
        return await idempotency.once(context, key, request, lambda: answer(request, arguments))

    functools.update_wrapper(endpoint, method, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    del endpoint.__wrapped__  # type: ignore[attr-defined]
    endpoint.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return endpoint


_KEY = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Repeating the request with the same key answers what the first one did, and does nothing again.",
    ),
]
