"""`touchstone discover`: what source code, specs, servers and traffic say that an API offers, as one list."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from backend.app.commands.terminal import (
    GOOD,
    INTERRUPTED,
    UNREACHABLE,
    USAGE,
    fail,
    print_json,
    require_url,
    table,
    warn,
)
from backend.app.core.redaction import redact_phrases
from backend.app.engine.spec.model import ApiDescription, Operation, SpecError
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from backend.app.extensions.http_client.configure import DESCRIPTION_LIMITS
from backend.app.extensions.sandbox import read_description
from backend.app.modules.endpoints.discovery import Discovered, NothingDiscovered, Subject, strategies
from backend.app.modules.endpoints.discovery.captures.model import CaptureError, CaptureReport
from backend.app.modules.endpoints.discovery.captures.reading import format_of
from backend.app.modules.endpoints.discovery.openapi import UNREACHABLE as UNREACHABLE_OUTCOMES
from backend.app.modules.endpoints.discovery.source.model import Route, SourceReport
from backend.app.modules.endpoints.discovery.source.tree import scan_tree
from backend.app.modules.endpoints.reading import read_capture_file
from backend.app.modules.endpoints.tools import discovery_tools

_ANY = "*"
_TEMPLATE = re.compile(r"\{[^{}]*\}")
_DOCUMENTED = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MOST_FAULTS_TOLD = 10
_UNREACHABLE = frozenset(f"discovery.{outcome}" for outcome in UNREACHABLE_OUTCOMES) | {"discovery.timeout"}


@dataclass(slots=True)
class Endpoint:
    """One method of one path, and who says that it is there."""

    method: str
    path: str
    sources: list[dict[str, Any]] = field(default_factory=list)
    """Each with its `kind` (a framework, a dialect of specs) and `where`: `app/users.py:12`, `spec.json#/paths/...`."""
    requires_auth: bool | None = None
    unresolved: str = ""
    deprecated: bool = False
    tags: tuple[str, ...] = ()

    @property
    def marks(self) -> list[str]:
        return ["deprecated"] * self.deprecated + [self.unresolved] * bool(self.unresolved)


@dataclass(slots=True)
class Inventory:
    """Endpoints by method and path; the names of parameters do not tell two paths apart."""

    endpoints: dict[tuple[str, str], Endpoint] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    files: int = 0

    def add(self, endpoint: Endpoint) -> None:
        shape = _TEMPLATE.sub("{}", endpoint.path)
        known = self.endpoints.setdefault((shape, endpoint.method), endpoint)
        if known is endpoint:
            return
        known.sources += [source for source in endpoint.sources if source not in known.sources]
        if known.requires_auth is None:
            known.requires_auth = endpoint.requires_auth
        # Who knows the whole path vouches for it.
        known.unresolved = known.unresolved and endpoint.unresolved
        known.deprecated = known.deprecated or endpoint.deprecated
        known.tags = tuple(dict.fromkeys((*known.tags, *endpoint.tags)))

    def add_code(self, report: SourceReport, root: str) -> None:
        self.files += report.files
        for reason, count in report.left_out.items():
            self.left_out[reason] = self.left_out.get(reason, 0) + count
        for fault in report.faults:
            where = _place(root, fault.file, fault.line) if fault.file else root
            self.faults.append({"where": where, "message": fault.message})
        for route in report.routes:
            self.add(_from_route(route, root))

    def add_description(self, found: Discovered) -> None:
        description = found.description
        for fault in description.faults:
            self.faults.append({"where": f"{found.where}#{fault.pointer}", "message": fault.message})
        for operation in description.operations:
            self.add(_from_operation(operation, description, found))

    def add_capture(self, report: CaptureReport, file: str) -> None:
        for skipped in report.skipped:
            message = f"{skipped.count} left out: {skipped.reason}"
            self.faults.append({"where": f"{file}#{skipped.first}", "message": message})
        for each in report.captured:
            operation = each.operation
            source = {"kind": report.source, "where": f"{file}#{operation.pointer}", "exchanges": each.exchanges}
            # A capture without credentials does not show that none are needed.
            requires_auth = True if operation.requires_auth else None
            self.add(Endpoint(operation.method, operation.path, [source], requires_auth, tags=operation.tags))

    def listed(self) -> list[Endpoint]:
        """In order of paths. A route for any method is a source of the methods that others name for its path."""
        named: dict[str, list[Endpoint]] = {}
        for (shape, method), endpoint in self.endpoints.items():
            if method != _ANY:
                named.setdefault(shape, []).append(endpoint)
        listed = []
        for (shape, method), endpoint in sorted(self.endpoints.items()):
            if method == _ANY and shape in named:
                for other in named[shape]:
                    other.sources += [source for source in endpoint.sources if source not in other.sources]
            else:
                listed.append(endpoint)
        return listed


def run_discover(sources: Sequence[str], output: str, cache: Path | None = None, workers: int | None = None) -> int:
    """The exit code. `output` is `table`, `json` or `openapi`."""
    inventory = Inventory()
    try:
        for source in sources:
            path = Path(source)
            if "://" in source:
                require_url("SRC", source)
                inventory.add_description(asyncio.run(_described(source, b"")))
            elif format_of(path) is not None:
                inventory.add_capture(asyncio.run(read_capture_file(path)), source)
            elif path.is_dir():
                inventory.add_code(scan_tree(source, cache=cache, workers=workers), source)
            else:
                inventory.add_description(asyncio.run(_described(source, path.read_bytes())))
    except (SpecError, CaptureError) as error:
        fail(redact_phrases(str(error)), USAGE)
    except NothingDiscovered as error:
        fail(redact_phrases(error.message), UNREACHABLE if error.code in _UNREACHABLE else USAGE)
    except OSError as error:
        fail(f"{error.filename or sources[0]!r}: {error.strerror or error}", USAGE)
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)
    endpoints = inventory.listed()
    match output:
        case "json":
            print_json(_as_json(inventory, endpoints))
        case "openapi":
            print_json(openapi_of(endpoints))
        case _:
            typer.echo(_as_table(endpoints))
    _tell(inventory, endpoints)
    return GOOD


async def _described(source: str, document: bytes) -> Discovered:
    if "://" not in source:
        description = await read_description(document)
        return Discovered(description, description.dialect, source)
    async with HttpClient(OutgoingPolicy(allow_private=True), limits=DESCRIPTION_LIMITS) as client:
        (found,) = await strategies.get("openapi").look(Subject(base_url=source), discovery_tools(client))
        return found


def _from_route(route: Route, root: str) -> Endpoint:
    source: dict[str, Any] = {"kind": route.framework, "where": _place(root, route.file, route.line)}
    if route.handler:
        source["handler"] = route.handler
    return Endpoint(
        route.method, route.path, [source], route.requires_auth, route.unresolved, route.deprecated, route.tags
    )


def _from_operation(operation: Operation, description: ApiDescription, found: Discovered) -> Endpoint:
    server = operation.server or next(iter(description.servers), "")
    base = urlsplit(server).path.rstrip("/")
    source = {"kind": found.source, "where": f"{found.where}#{operation.pointer}"}
    return Endpoint(
        operation.method,
        base + operation.path,
        [source],
        operation.requires_auth,
        deprecated=operation.deprecated,
        tags=operation.tags,
    )


def _place(root: str, file: str, line: int) -> str:
    path = str(Path(root) / file)
    return f"{path}:{line}" if line else path


def _as_table(endpoints: Iterable[Endpoint]) -> str:
    auth = {True: "yes", False: "no", None: ""}
    rows = [("METHOD", "PATH", "SOURCES", "AUTH", "MARKS")]
    for endpoint in endpoints:
        sources = ", ".join(source["where"] for source in endpoint.sources)
        marks = "; ".join(endpoint.marks)
        rows.append((endpoint.method, endpoint.path, sources, auth[endpoint.requires_auth], marks))
    return table(rows)


def _as_json(inventory: Inventory, endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    return {
        "endpoints": [
            {
                "method": endpoint.method,
                "path": endpoint.path,
                "sources": endpoint.sources,
                "requires_auth": endpoint.requires_auth,
                "unresolved": endpoint.unresolved,
                "deprecated": endpoint.deprecated,
                "tags": list(endpoint.tags),
            }
            for endpoint in endpoints
        ],
        "faults": inventory.faults,
        "files": inventory.files,
        "left_out": inventory.left_out,
    }


def openapi_of(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """An OpenAPI 3.1 document. What it cannot say stands in extensions: `x-touchstone-sources`,
    `x-touchstone-requires-auth`, `x-touchstone-unresolved`, `x-touchstone-any-method` at a GET that stands for all."""
    paths: dict[str, dict[str, Any]] = {}
    shapes: dict[str, str] = {}
    for endpoint in endpoints:
        # Two templates that differ in names only are the same path to OpenAPI.
        path = shapes.setdefault(_TEMPLATE.sub("{}", endpoint.path), _distinct(endpoint.path))
        method = "get" if endpoint.method == _ANY else endpoint.method.lower()
        if method not in _DOCUMENTED:
            continue
        operation: dict[str, Any] = {"responses": {"default": {"description": "Not described."}}}
        if names := [name[1:-1] for name in _TEMPLATE.findall(path)]:
            operation["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
            ]
        if endpoint.tags:
            operation["tags"] = list(endpoint.tags)
        if endpoint.deprecated:
            operation["deprecated"] = True
        operation["x-touchstone-sources"] = endpoint.sources
        if endpoint.requires_auth is not None:
            operation["x-touchstone-requires-auth"] = endpoint.requires_auth
        if endpoint.unresolved:
            operation["x-touchstone-unresolved"] = endpoint.unresolved
        if endpoint.method == _ANY:
            operation["x-touchstone-any-method"] = True
        paths.setdefault(path, {})[method] = operation
    return {"openapi": "3.1.0", "info": {"title": "Discovered API", "version": "0"}, "paths": paths}


def _distinct(path: str) -> str:
    """With a name of its own for each parameter."""
    seen: dict[str, int] = {}

    def rename(match: re.Match[str]) -> str:
        name = match[0][1:-1] or "parameter"
        seen[name] = seen.get(name, 0) + 1
        return f"{{{name}_{seen[name]}}}" if seen[name] > 1 else f"{{{name}}}"

    return _TEMPLATE.sub(rename, path)


def _tell(inventory: Inventory, endpoints: Sequence[Endpoint]) -> None:
    marked = sum(bool(endpoint.unresolved) for endpoint in endpoints)
    told = f"{len(endpoints)} endpoints"
    if marked:
        told += f", {marked} of them marked: a part of the path is not known"
    warn(told)
    for fault in inventory.faults[:_MOST_FAULTS_TOLD]:
        warn(f"{fault['where']}: {fault['message']}")
    if (more := len(inventory.faults) - _MOST_FAULTS_TOLD) > 0:
        warn(f"and {more} more; -o json lists them all")
    if inventory.left_out:
        warn("left out: " + ", ".join(f"{count} {reason}" for reason, count in inventory.left_out.items()))
