"""`touchstone discover`: what source code, specs, servers and traffic say that an API offers, as one list."""

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
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
from backend.app.engine.export import openapi_document
from backend.app.engine.spec.graphql import recognises
from backend.app.engine.spec.model import ApiDescription, Fault, Operation, SpecError
from backend.app.engine.spec.qualify import qualified
from backend.app.engine.spec.servers import base_url_at, target_url
from backend.app.extensions.git import GitError, Reason, clone_to
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from backend.app.extensions.http_client.configure import DESCRIPTION_LIMITS
from backend.app.extensions.spec_files import read_spec_file
from backend.app.modules.endpoints.discovery import Discovered, Kind, Material, NothingDiscovered, Subject, Tools
from backend.app.modules.endpoints.discovery.captures.model import CaptureError
from backend.app.modules.endpoints.discovery.captures.reading import format_of
from backend.app.modules.endpoints.discovery.graphql import names_graphql
from backend.app.modules.endpoints.discovery.openapi import UNREACHABLE as UNREACHABLE_OUTCOMES
from backend.app.modules.endpoints.inventory.reconcile import (
    Claim,
    Endpoint,
    EndpointState,
    Reconciliation,
    combined,
)
from backend.app.modules.endpoints.looking import left_out
from backend.app.modules.endpoints.looking.look import Part, informed, look
from backend.app.modules.endpoints.looking.reading import unpack_archive
from backend.app.modules.endpoints.looking.tools import discovery_tools
from backend.app.modules.endpoints.uploads.archives import ArchiveError, is_archive

_LIVE = ("crawl", "probe")
_MOST_FAULTS_TOLD = 10
_NOTHING = frozenset({"discovery.nothing_found", "discovery.not_graphql"})
_UNREACHABLE = frozenset(f"discovery.{outcome}" for outcome in UNREACHABLE_OUTCOMES) | {"discovery.timeout"}


@dataclass(frozen=True, slots=True)
class DiscoverOptions:
    sources: tuple[str, ...]
    output: str = "table"
    """`table`, `json` or `openapi`."""
    base_url: str | None = None
    live: bool = False
    cache: Path | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One endpoint as it is told."""

    endpoint: Endpoint
    operation: Operation
    path: str
    """From the root of the host."""
    state: EndpointState
    requires_auth: bool | None
    unresolved: str
    sources: Sequence[Mapping[str, Any]]

    @property
    def marks(self) -> list[str]:
        return ["deprecated"] * self.operation.deprecated + [self.unresolved] * bool(self.unresolved)


@dataclass(frozen=True, slots=True, repr=False)  # asyncio.run formats the result of its task, and drops the text
class Listing:
    """What is told: endpoints in the order of their paths, and what could not be read."""

    endpoints: Sequence[Listed]
    faults: Sequence[Mapping[str, str]]
    shared: ApiDescription
    """What the operations have in common."""


def _listing(reconciliation: Reconciliation, base_path: str, parts: Sequence[Part]) -> Listing:
    known = [(each, vouching) for each in reconciliation.endpoints if (vouching := each.vouching)]
    documented = any(claim.kind is Kind.DOCUMENT for _, vouching in known for claim in vouching)
    endpoints = []
    for endpoint, vouching in known:
        operation = endpoint.merged()
        others = [claim for claim in endpoint.claims.values() if not claim.vouches]
        endpoints.append(
            Listed(
                endpoint,
                operation,
                endpoint.path if endpoint.from_root else base_path + endpoint.path,
                endpoint.state(documented_elsewhere=documented, deprecated=operation.deprecated),
                endpoint.requires_auth,
                endpoint.unresolved,
                [_source(claim) for claim in (*vouching, *others)],
            )
        )
    endpoints.sort(key=lambda it: (it.path, it.endpoint.method))
    faults: list[dict[str, str]] = []
    for part in parts:
        if part.error:
            faults.append({"where": part.error["where"] or part.strategy, "message": part.error["message"]})
        elif part.found:
            where = part.found.where
            found = (*part.found.description.faults, *reconciliation.faults.get(part.slot, ()))
            faults += [{"where": _place(where, it.pointer), "message": it.message} for it in found]
    shared = combined({part.slot: part.found.description for part in parts if part.found is not None})
    return Listing(endpoints, faults, shared)


def run_discover(options: DiscoverOptions) -> int:
    """The exit code."""
    try:
        listing = asyncio.run(_discover(options))
    except (SpecError, CaptureError) as error:
        fail(redact_phrases(str(error)), USAGE)
    except ArchiveError as error:
        fail(error.message, USAGE)
    except GitError as error:
        fail(redact_phrases(error.message), UNREACHABLE if error.reason is Reason.UNREACHABLE else USAGE)
    except NothingDiscovered as error:
        fail(redact_phrases(error.message), UNREACHABLE if error.code in _UNREACHABLE else USAGE)
    except OSError as error:
        fail(f"{error.filename or options.sources[0]!r}: {error.strerror or error}", USAGE)
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)
    match options.output:
        case "json":
            print_json({"endpoints": [_as_json(each) for each in listing.endpoints], "faults": listing.faults})
        case "openapi":
            print_json(_as_openapi(listing))
        case _:
            typer.echo(_as_table(listing))
    _tell(listing)
    return GOOD


async def _show_progress(done: int, total: int, note: str = "") -> None:
    """One line that is written over, for somebody who watches."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" if done >= total else f"\r{note} {done}/{total}\x1b[K")
        sys.stderr.flush()


async def _discover(options: DiscoverOptions) -> Listing:
    parts: list[Part] = []
    if options.base_url is not None:
        require_url("--base-url", options.base_url)
    async with HttpClient(OutgoingPolicy(allow_private=True), limits=DESCRIPTION_LIMITS) as client:
        # A list needs no schemas, which are most of a large description.
        listing = options.output != "openapi"
        tools = discovery_tools(
            client, progress=_show_progress, cache=options.cache, workers=options.workers, listing=listing
        )
        # What documents and code say tells names from values in the paths of traffic.
        for source in sorted(options.sources, key=_is_capture):
            # A running API without a description has answers all the same.
            optional = options.live and "://" in source
            for part in await _read(source, tools, options, parts, listing=listing, strict=not optional):
                parts.append(_apart(part, parts))
        base = _base_url(options, parts)
        if options.live:
            if base is None:
                fail("--live needs --base-url, or the URL of an API among the sources", USAGE)
            parts += await look(informed(Subject(base), parts), tools, _LIVE, told=parts)
    base = base or next((server for part in _documents(parts) for server in part.description.servers), "")
    reconciliation = Reconciliation(base)
    reconciliation.take_all((part.found, part.kind, part.slot) for part in parts if part.found is not None)
    return _listing(reconciliation, urlsplit(base).path.rstrip("/"), parts)


def _apart(part: Part, told: Sequence[Part]) -> Part:
    """The first document says where the API is; what another one calls the same is something else."""
    if part.found is None or part.kind is not Kind.DOCUMENT:
        return part
    if not _documents(told):
        return replace(part, found=replace(part.found, slot=""))
    return replace(part, found=replace(part.found, description=qualified(part.found.description, part.found.slot)))


@dataclass(frozen=True, slots=True)
class _Named:
    """What a person means by a source."""

    strategy: str
    subject: Subject
    spec: Path | None = None
    archive: Path | None = None


def _is_capture(source: str) -> bool:
    return "://" not in source and format_of(Path(source)) is not None


def _meaning(source: str, base_url: str) -> _Named:
    """Raises `OSError`."""
    if not source:
        fail("SRC: name a file, a folder or a URL", USAGE)
    path = Path(source)
    if format_of(path) is not None:
        return _Named("capture", Subject(base_url, captures=[Material(source, path)]))
    if path.is_file() and is_archive(path):
        return _Named("source", Subject(""), archive=path)
    if path.is_dir():
        return _Named("source", Subject("", trees=[Material(source, path)]))
    document = path.read_bytes()
    if recognises(document):
        return _Named("graphql", Subject("", document=document))
    return _Named("openapi", Subject(""), spec=path)


async def _read(
    source: str, tools: Tools, options: DiscoverOptions, told: Sequence[Part], *, listing: bool, strict: bool
) -> list[Part]:
    """`told` are those that were read before. Raises what a strategy raises when it is to be `strict`: a person named
    this source."""
    if "://" in source and not is_repository(source):
        require_url("SRC", source)
        return _named_after(source, await _read_url(source, tools, strict=strict))
    if is_repository(source):
        policy = OutgoingPolicy(allow_private=True)
        async with clone_to(source.removeprefix("git+"), None, None, policy) as checkout:
            return await _read_tree(Material(source, checkout.path), tools, left_out.of_checkout(checkout))
    named = await asyncio.to_thread(_meaning, source, options.base_url or "")
    if named.spec is not None:
        description = await read_spec_file(named.spec, listing=listing)
        found = Discovered(description, description.dialect, source, slot=source)
        return [Part(named.strategy, Kind.DOCUMENT, found)]
    if named.archive is not None:
        with tempfile.TemporaryDirectory(prefix="touchstone-discover-") as folder:
            unpacked = await unpack_archive(named.archive, Path(folder))
            return await _read_tree(Material(source, Path(folder)), tools, left_out.of_archive(unpacked))
    return _named_after(source, await look(named.subject, tools, [named.strategy], told=told, strict=strict))


async def _read_tree(tree: Material, tools: Tools, missing: Iterable[Fault]) -> list[Part]:
    faults = list(missing)
    parts = await look(Subject("", trees=[tree]), tools, ["source"], strict=True)
    return [left_out.noted(part, faults) for part in parts]


async def _read_url(url: str, tools: Tools, *, strict: bool) -> list[Part]:
    """The description of the API that is there, of whichever kind."""
    subject = Subject(url, spec_url=url if names_graphql(url) else None)
    likelier, other = ("graphql", "openapi") if names_graphql(url) else ("openapi", "graphql")
    parts = await look(subject, tools, [likelier])
    error = parts[0].error
    if error is not None and error["code"].startswith("discovery.") and error["code"] not in _UNREACHABLE:
        others = await look(subject, tools, [other])
        if others[0].error is None or others[0].error["code"] not in _NOTHING:
            parts = others
    if strict and (error := parts[0].error) is not None:
        raise NothingDiscovered(error["code"], error["message"], error["where"])
    return parts


def _named_after(source: str, parts: Iterable[Part]) -> list[Part]:
    """Documents have no name of their own: several of them are several sources."""
    return [
        replace(part, found=replace(part.found, slot=source, where=part.found.where if "://" in source else source))
        if part.found is not None
        else part
        for part in parts
    ]


def is_repository(source: str) -> bool:
    """Whether an address is one of git: `https://host/team/app.git`, `git+https://host/team/app`."""
    return source.startswith("git+") or ("://" in source and urlsplit(source).path.endswith(".git"))


def _documents(parts: Iterable[Part]) -> list[Discovered]:
    return [part.found for part in parts if part.found is not None and part.kind is Kind.DOCUMENT]


def _base_url(options: DiscoverOptions, parts: Iterable[Part]) -> str | None:
    """Where the API is: as a person said, else as the first document says, whose word does not lead to another host
    than the one that it came from."""
    address = next((each for each in options.sources if "://" in each and not is_repository(each)), None)
    for found in _documents(parts):
        servers = found.description.servers
        if (base := target_url(options.base_url, servers, found.where)) is not None:
            return base
        return base_url_at(address, servers) if address is not None and found.where != address else None
    return options.base_url or address


def _place(where: str, pointer: str) -> str:
    """`app/users.py:12` in a folder, `spec.json#/paths` in a document."""
    if not pointer or pointer.startswith(("#", "/")):
        return f"{where}#{pointer.removeprefix('#')}" if pointer else where
    return f"{where.rstrip('/')}/{pointer}" if _is_folder(where) else f"{where}#{pointer}"


@lru_cache(maxsize=100)
def _is_folder(where: str) -> bool:
    return Path(where).is_dir()


def _source(claim: Claim) -> dict[str, Any]:
    evidence = claim.evidence
    told: dict[str, Any] = {
        "kind": claim.kind,
        "source": claim.source,
        "location": claim.location,
        "places": [_place(claim.location, it) if claim.kind is not Kind.LIVE else it for it in evidence.places],
    }
    if evidence.alive is not None:
        told["alive"] = evidence.alive
    if evidence.exchanges:
        told["exchanges"] = evidence.exchanges
    return told


def _as_table(listing: Listing) -> str:
    auth = {True: "yes", False: "no", None: ""}
    rows = [("METHOD", "PATH", "STATE", "AUTH", "SOURCES", "MARKS")]
    for each in listing.endpoints:
        sources = ", ".join(dict.fromkeys(place for source in each.sources for place in source["places"][:1]))
        marks = "; ".join(each.marks)
        rows.append((each.endpoint.method, each.path, each.state, auth[each.requires_auth], sources, marks))
    return table(rows)


def _as_json(listed: Listed) -> dict[str, Any]:
    return {
        "method": listed.endpoint.method,
        "path": listed.path,
        "state": listed.state,
        "sources": listed.sources,
        "requires_auth": listed.requires_auth,
        "unresolved": listed.unresolved,
        "deprecated": listed.operation.deprecated,
        "tags": list(listed.operation.tags),
    }


def _as_openapi(listing: Listing) -> dict[str, Any]:
    operations: list[Operation] = []
    extras: dict[str, dict[str, Any]] = {}
    for each in listing.endpoints:
        operation = replace(each.operation, path=each.path, server=None)
        operations.append(operation)
        told = {"state": each.state, "sources": each.sources, "unresolved": each.unresolved}
        extras[operation.key] = {name: value for name, value in told.items() if value}
    shared = replace(listing.shared, title="Discovered API", version="0", servers=())
    return openapi_document(replace(shared, operations=tuple(operations)), extras)


def _tell(listing: Listing) -> None:
    states = Counter(each.state for each in listing.endpoints)
    told = f"{len(listing.endpoints)} endpoints"
    if len(states) > 1:
        told += ": " + ", ".join(f"{states[state]} {state}" for state in EndpointState if state in states)
    if marked := sum(bool(each.unresolved) for each in listing.endpoints):
        told += f"; {marked} of them marked: a part of the path is not known"
    warn(told)
    places: dict[str, list[str]] = {}
    for fault in listing.faults:
        places.setdefault(fault["message"], []).append(fault["where"])
    for message, where in list(places.items())[:_MOST_FAULTS_TOLD]:
        others = f" and {len(where) - 1} other places" if len(where) > 2 else f" and {where[1]}" if where[1:] else ""
        warn(f"{where[0]}{others}: {message}")
    if (more := len(places) - _MOST_FAULTS_TOLD) > 0:
        warn(f"and {more} more; -o json lists them all")
