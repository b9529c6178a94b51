"""Small trees of source code in memory."""

from collections.abc import Mapping
from textwrap import dedent

from backend.app.modules.endpoints.discovery.source.model import Route, SourceReport
from backend.app.modules.endpoints.discovery.source.tree import scan_files


def report(files: Mapping[str, str]) -> SourceReport:
    return scan_files({path: dedent(text).encode() for path, text in files.items()})


def routes(files: Mapping[str, str]) -> tuple[Route, ...]:
    found = report(files)
    assert not [fault for fault in found.faults if fault.file == ""]
    return found.routes


def paths(files: Mapping[str, str]) -> set[str]:
    """As `GET /users/{id}`; none of them marked."""
    found = routes(files)
    assert not [route for route in found if route.unresolved]
    return {route.key for route in found}
