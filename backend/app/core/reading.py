"""How a view reads the path and the query: all parameters in one validation.

FastAPI inspects each parameter anew on each request, 0.05 ms apiece. What it makes of a signature stays the measure: a
route that reads anything else, or a list, or under another name, is left to it.
"""

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, NotRequired, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import TypedDict


@dataclass(frozen=True, slots=True)
class _Part:
    """The parameters of the endpoint itself, or of one dependency of it."""

    parameters: TypeAdapter[dict[str, Any]]
    name: str = ""
    """What the endpoint calls the dependency's result."""
    call: Callable[..., Awaitable[Any]] | None = None


class Reader:
    def __init__(self, parts: Iterable[_Part], path_names: Collection[str]) -> None:
        self._parts = tuple(parts)
        self._path_names = path_names

    async def read(self, request: Request) -> dict[str, Any]:
        """The arguments of the endpoint. Raises `RequestValidationError` with every fault."""
        if not self._parts:
            return {}
        given = {**request.query_params, **request.path_params}
        found = []
        faults: list[Any] = []
        for part in self._parts:
            try:
                found.append(part.parameters.validate_python(given))
            except ValidationError as error:
                faults += error.errors(include_url=False, include_context=False)
        if faults:
            raise RequestValidationError([{**fault, "loc": self._place(fault["loc"])} for fault in faults])
        arguments: dict[str, Any] = {}
        for part, values in zip(self._parts, found, strict=True):
            if part.call is None:
                arguments.update(values)
            else:
                arguments[part.name] = await part.call(**values)
        return arguments

    def _place(self, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
        return ("path" if location[0] in self._path_names else "query", *location)


def reader_of(endpoint: Dependant) -> Reader | None:
    """None when the endpoint reads more than the path and the query."""
    parts = []
    for dependant in (endpoint, *endpoint.dependencies):
        nested = dependant is not endpoint and (dependant.dependencies or dependant.request_param_name)
        if nested or dependant.header_params or dependant.cookie_params or dependant.body_params:
            return None
        fields = [*dependant.path_params, *dependant.query_params]
        if not all(field.alias == field.name and _is_scalar(field.field_info.annotation) for field in fields):
            return None
        call = dependant.call
        assert call is not None  # noqa: S101 - FastAPI's own
        if dependant is endpoint:
            if fields:
                parts.append(_Part(_adapter(call, [field.name for field in fields])))
        elif inspect.iscoroutinefunction(call):
            parts.append(_Part(_adapter(call, [field.name for field in fields]), str(dependant.name), call))
        else:
            return None
    return Reader(parts, {field.name for field in endpoint.path_params})


def _adapter(call: Callable[..., Any], names: Collection[str]) -> TypeAdapter[dict[str, Any]]:
    """Absent parameters stay absent: the function has the defaults."""
    signature = inspect.signature(call, eval_str=True).parameters
    types = {
        name: signature[name].annotation
        if signature[name].default is inspect.Parameter.empty
        else NotRequired[signature[name].annotation]
        for name in names
    }
    return TypeAdapter(TypedDict(call.__name__, types))  # type: ignore[operator]


def _is_scalar(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if isinstance(annotation, type) and origin is None:
        return not issubclass(annotation, BaseModel | list | tuple | set | frozenset | dict)
    if isinstance(origin, type) and issubclass(origin, Collection):
        return False
    return all(_is_scalar(part) for part in get_args(annotation) if isinstance(part, type) or get_args(part))
