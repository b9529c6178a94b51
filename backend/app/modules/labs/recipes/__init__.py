"""Recipes: disposable APIs as pure ASGI applications. One file, one recipe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from backend.app.core.registry import Registry
from backend.app.modules.labs.lab_api import Receive, Scope, Send


class Lab(Protocol):
    """A running recipe: an ASGI application that serves its own description at `/openapi.json`."""

    credentials: Mapping[str, str]
    """The request headers that let a client in."""

    def reset(self) -> None:
        """Back to the state at creation."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """For people and tests; a lab never tells it to its clients."""

    operation: str
    """`GET /books`, as documented."""
    check: str
    """The engine check that should notice, by its registered name; empty when a detector should."""
    description: str


@dataclass(frozen=True, slots=True)
class Slowdown:
    """An operation that grows slow with the state of the lab, and the request that makes it so."""

    operation: str
    method: str
    path: str
    """Of the provoking request, with its query; it needs no credentials and no body."""
    times: int
    """How many of them make the operation clearly slow."""


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    title: str
    description: str
    create: Callable[[int, bool], Lab]
    """`create(seed, faulty)`: equal seeds give equal labs; not `faulty` gives the correct twin."""
    faults: tuple[PlantedFault, ...] = ()
    slowdown: Slowdown | None = None


recipes: Registry[Recipe] = Registry("recipe", "backend.app.modules.labs.recipes")
