"""An index in front of FastAPI's router, which tries every route in turn (0.9 ms for the last of 480)."""

from collections.abc import Sequence
from typing import Any

from fastapi.routing import APIRouter, iter_route_contexts
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
            if self._routes is None:
                self._routes = _index(self._router.routes)
            path: str = scope["path"]
            segments = tuple(path.split("/", _DEPTH + 1)[1 : _DEPTH + 1])
            for depth in range(len(segments), -1, -1):
                for route in self._routes.get(segments[:depth], ()):
                    if scope["method"] in route.methods and (match := route.path_regex.match(path)):
                        scope["path_params"] = {
                            name: route.param_convertors[name].convert(value)
                            for name, value in match.groupdict().items()
                        }
                        scope["endpoint"] = route.endpoint
                        scope["route"] = route.original_route
                        scope["touchstone.route"] = route.path_format
                        await route.app(scope, receive, send)
                        return
        await self._router.app(scope, receive, send)


def _index(routes: Sequence[Any]) -> dict[tuple[str, ...], list[Any]]:
    index: dict[tuple[str, ...], list[Any]] = {}
    for route in iter_route_contexts(routes):
        if not route.methods or getattr(route, "path_regex", None) is None or route.app is None:
            continue
        literal = []
        for segment in route.path_format.split("/")[1 : _DEPTH + 1]:
            if "{" in segment:
                break
            literal.append(segment)
        index.setdefault(tuple(literal), []).append(route)
    return index
