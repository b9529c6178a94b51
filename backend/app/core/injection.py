"""How a view gets what it depends on: a short list of calls, made once when the class is read.

FastAPI inspects every dependency anew on each request, which costs more than the dependencies do. What this module
resolves is *plain*: an async function or async generator whose parameters are the `Request` or other plain
dependencies. Dependencies that read the path, the query, headers or the body stay FastAPI's.
"""

import inspect
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, get_args, get_origin, get_type_hints

from fastapi import Request
from fastapi.params import Depends

Dependency: TypeAlias = Callable[..., Any]


def dependency_in(annotation: Any) -> Dependency | None:
    """`f` of `Annotated[T, Depends(f)]`."""
    if get_origin(annotation) is not Annotated:
        return None
    markers = [part for part in get_args(annotation)[1:] if isinstance(part, Depends)]
    return markers[0].dependency if len(markers) == 1 else None


def inputs_of(dependency: Dependency) -> dict[str, Any]:
    """Its parameters by name: `Request`, another dependency, or None for what only FastAPI can give."""
    hints = get_type_hints(dependency, include_extras=True)
    return {
        name: Request if hints.get(name) is Request else dependency_in(hints.get(name))
        for name in inspect.signature(dependency).parameters
    }


def is_plain(dependency: Dependency) -> bool:
    return is_async(dependency) and all(
        given is Request or (given is not None and is_plain(given)) for given in inputs_of(dependency).values()
    )


def is_async(dependency: Dependency) -> bool:
    return inspect.iscoroutinefunction(dependency) or inspect.isasyncgenfunction(dependency)


@dataclass(frozen=True, slots=True)
class _Step:
    dependency: Dependency
    inputs: tuple[tuple[str, Any], ...]
    enter: Callable[..., Any] | None
    """For a generator: it ends when the stack does."""


class Plan:
    """Resolves plain dependencies in the order of their need, each once."""

    def __init__(self, wanted: Mapping[str, Dependency]) -> None:
        self._wanted = dict(wanted)
        self._steps: dict[Dependency, _Step] = {}
        for dependency in self._wanted.values():
            self._add(dependency)

    def _add(self, dependency: Dependency) -> None:
        if dependency in self._steps:
            return
        inputs = inputs_of(dependency)
        for given in inputs.values():
            if given is not Request:
                self._add(given)
        enter: Callable[..., Any] | None = None
        if inspect.isasyncgenfunction(dependency):
            enter = asynccontextmanager(dependency)
        self._steps[dependency] = _Step(dependency, tuple(inputs.items()), enter)

    @property
    def is_empty(self) -> bool:
        return not self._steps

    async def resolve(self, request: Request, stack: AsyncExitStack) -> dict[str, Any]:
        """The values by the names they were wanted under. Generators, and so the transaction, end with `stack`."""
        made: dict[Any, Any] = {Request: request}
        for dependency, step in self._steps.items():
            arguments = {name: made[given] for name, given in step.inputs}
            if step.enter is None:
                made[dependency] = await dependency(**arguments)
            else:
                made[dependency] = await stack.enter_async_context(step.enter(**arguments))
        return {name: made[dependency] for name, dependency in self._wanted.items()}
