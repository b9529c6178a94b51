"""What is found in source code: routes, and what could not be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.app.engine.spec.model import MediaType, Parameter, ParameterLocation, RequestBody


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint as the code declares it. HEAD and OPTIONS that a framework adds by itself are none."""

    method: str
    """Upper case; `*` where the route takes any method."""
    path: str
    """Template from the root of the application, in OpenAPI's manner whatever the framework writes: `/users/{id}`."""
    file: str
    """Relative to the tree, with `/`."""
    line: int
    """1-based; where the path is written."""
    framework: str
    handler: str = ""
    """As the code names it: `read_user`, `UserViewSet.retrieve`; empty when it has no name."""
    parameters: tuple[Parameter, ...] = ()
    body: RequestBody | None = None
    requires_auth: bool | None = None
    """None: cannot be told."""
    unresolved: str = ""
    """What of the path could not be found out: `the prefix settings.ROOT is not known`. Such a route is marked: its
    path is a part of the real one, or has a parameter in place of the unknown part. Empty: the path is whole."""
    tags: tuple[str, ...] = ()
    deprecated: bool = False

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class SourceFault:
    """A file that could not be read or parsed, wholly or in part, or something in it that had to be left out."""

    file: str
    line: int
    """1-based; 0: the whole file."""
    message: str


@dataclass(frozen=True, slots=True)
class SourceReport:
    routes: tuple[Route, ...]
    """Ordered by path, method, file and line; each once."""
    faults: tuple[SourceFault, ...] = ()
    files: int = 0
    """Source files in the tree that were looked at."""
    frameworks: tuple[str, ...] = ()
    """Those that have routes here."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Files that were not looked at, by reason: `{"tests": 31, "too large": 1}`."""


def report_from_json(data: Mapping[str, Any]) -> SourceReport:
    """What `orjson` makes of a report, back again."""
    return SourceReport(
        tuple(map(_route_from_json, data["routes"])),
        tuple(SourceFault(**fault) for fault in data["faults"]),
        data["files"],
        tuple(data["frameworks"]),
        data["left_out"],
    )


def _route_from_json(data: dict[str, Any]) -> Route:
    data["tags"] = tuple(data["tags"])
    data["parameters"] = tuple(map(_parameter_from_json, data["parameters"]))
    if data["body"] is not None:
        content = (
            MediaType(media["content_type"], media["schema"], tuple(media["examples"]))
            for media in data["body"]["content"]
        )
        data["body"] = RequestBody(data["body"]["required"], tuple(content))
    return Route(**data)


def _parameter_from_json(data: dict[str, Any]) -> Parameter:
    data["location"] = ParameterLocation(data["location"])
    data["examples"] = tuple(data["examples"])
    return Parameter(**data)
