"""An index in front of FastAPI's router, which tries every route in turn (0.9 ms for the last of 480)."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.routing import APIRouter, iter_route_contexts
from starlette._utils import get_route_path
from starlette.types import Receive, Scope, Send

_DEPTH = 4


class RouteIndex:
    """Finds the route by the first literal segments of the path, then lets FastAPI's own handler answer.

    What it does not find (unknown paths, wrong methods, mounts) goes to the router as before, so that 404, 405 and
    redirects stay FastAPI's.
    """

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._routes: dict[tuple[str, ...], list[Any]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = get_route_path(scope)
            for route in self._candidates(path):
                match = route.path_regex.match(path)
                if match is None:
                    continue
                if route.methods is None:
                    break
                if scope["method"] in route.methods:
                    scope["path_params"] = {
                        name: route.param_convertors[name].convert(value) for name, value in match.groupdict().items()
                    }
                    scope["endpoint"] = route.endpoint
                    scope["route"] = route.original_route
                    scope["touchstone.route"] = route.path_format
                    scope["router"] = self._router
                    await route.app(scope, receive, send)
                    return
        await self._router.app(scope, receive, send)

    def _candidates(self, path: str) -> Sequence[Any]:
        if self._routes is None:
            self._routes = _index(self._router.routes)
        segments = tuple(path.split("/", _DEPTH + 1)[1 : _DEPTH + 1])
        for depth in range(len(segments), -1, -1):
            if (routes := self._routes.get(segments[:depth])) is not None:
                return routes
        return ()


def _index(routes: Sequence[Any]) -> dict[tuple[str, ...], list[Any]]:
    """By literal prefix, the routes that a path with this prefix can match, in the order of their registration: the
    first one wins, as in FastAPI."""
    known = [
        (_literal_prefix(route.path_format), route)
        for route in iter_route_contexts(routes)
        if getattr(route, "path_regex", None) is not None
    ]
    index: dict[tuple[str, ...], list[Any]] = {prefix: [] for prefix, _ in known}
    for prefix, routes_below in index.items():
        routes_below += [route for literal, route in known if prefix[: len(literal)] == literal]
    return index


def _literal_prefix(path: Any) -> tuple[str, ...]:
    def literals() -> Iterator[str]:
        for segment in path.split("/")[1 : _DEPTH + 1]:
            if "{" in segment:
                return
            yield segment

    return tuple(literals())
