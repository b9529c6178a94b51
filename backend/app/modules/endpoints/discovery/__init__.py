"""Discovery strategies: ways to find out what an API offers. One file or folder, one strategy.

A strategy is pure: it talks and reads through the `Tools` that it is handed, so that a test hands it a dict.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

from backend.app.core.registry import Registry
from backend.app.engine.http import Exchange, Request
from backend.app.engine.spec.model import ApiDescription, Operation
from backend.app.modules.endpoints.discovery.captures.model import CaptureReport, Flow
from backend.app.modules.endpoints.discovery.source.model import SourceReport


class Kind(StrEnum):
    """What a source knows, the one to believe first where they differ in detail first."""

    DOCUMENT = "document"
    """It says what should be there."""
    CODE = "code"
    """It says what is programmed."""
    TRAFFIC = "traffic"
    """It shows what was answered to others."""
    LIVE = "live"
    """It shows what is answered to us."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a source says that an operation is there, or that it is not."""

    places: tuple[str, ...] = ()
    """`#/paths/~1users/get`, `app/users.py:12`, `entry 7`, `OPTIONS /users answered 204, Allow: GET`; the first few."""
    alive: bool | None = None
    """True: an answer shows that it is there. False: an answer shows that it is not. None: no answer tells."""
    requires_auth: bool | None = None
    """None: cannot be told."""
    unresolved: str = ""
    """What of its path could not be found out; empty: the path is whole."""
    exchanges: int = 0
    """Requests that were seen, of traffic."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """What one source says. Paths of operations stand below the first of `description.servers`, or below their own
    `server`; only the path of a server counts, and none at all means the root."""

    description: ApiDescription
    source: str
    """What it was read from: `openapi-3.1`, `fastapi`, `har`, `probe`."""
    where: str
    """The URL, the file or the repository."""
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    """By `Operation.key`. Where there is none, the operation's pointer is the evidence."""
    slot: str = ""
    """Which source of its strategy it is, where a strategy has several: what it said before under the same name is
    replaced."""
    spec_url: str | None = None
    """Where a description that has a name is read again, as a person named it."""
    flows: tuple[Flow, ...] = ()
    """What traffic shows of values that go from one operation to another. Operations are named as if the paths of their
    servers, with the hosts, were part of theirs: `GET https://api.test/users/{id}`."""


class NothingDiscovered(Exception):
    """`code` is `discovery.<reason>`, `where` the URL that was tried, if it was one."""

    def __init__(self, code: str, message: str, where: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where


@dataclass(frozen=True, slots=True)
class Material:
    """A file that was handed in, or a checkout of a repository: `path` is a file or a folder."""

    name: str
    path: Path
    slot: str = ""
    """Which source of the project it is, where its name may change; empty: its name."""


@dataclass(frozen=True, slots=True)
class Document:
    """One of several descriptions: handed in as `content`, or at `spec_url`. Its paths stand below its own servers, of
    which only the path counts."""

    name: str
    """Which source of the project it is."""
    content: bytes | None = None
    spec_url: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Where to look. A document: in `document`, else at `spec_url`, else anywhere below `base_url`."""

    base_url: str
    spec_url: str | None = None
    document: bytes | None = None
    documents: Sequence[Document] = ()
    """Strategies are handed each of them alone, as `document` or `spec_url`."""
    only_documents: bool = False
    """Beside them no description is looked for."""
    captures: Sequence[Material] = ()
    trees: Sequence[Material] = ()
    known: Sequence[Operation] = ()
    """What the inventory holds and strategies of other kinds have just found, with paths below `base_url`; only
    strategies of traffic and live ones are told."""


class Fetch(Protocol):
    async def __call__(self, request: Request, *, follow_redirects: bool = True) -> Exchange:
        """The URL is absolute. Credentials of the project are added on the way and do not show in the exchange; the
        rate of requests is kept there too."""


class Progress(Protocol):
    async def __call__(self, done: int, total: int, note: str = "") -> None:
        """Raises when the discovery was cancelled."""


@dataclass(frozen=True, slots=True)
class Tools:
    fetch: Fetch
    read_document: Callable[[bytes, str], Awaitable[ApiDescription]]
    """A document and where it stands (a URL, or empty) to the model. Raises `SpecError`."""
    read_capture: Callable[[Path, Sequence[str]], Awaitable[CaptureReport]]
    """The paths are templates, from the root, that others know. Raises `CaptureError`."""
    read_source: Callable[[Path], Awaitable[SourceReport]]
    progress: Progress


Look: TypeAlias = Callable[[Subject, Tools], Awaitable[Sequence[Discovered]]]
"""Raises `SpecError`, `CaptureError` or `NothingDiscovered`."""


@dataclass(frozen=True, slots=True)
class Strategy:
    look: Look
    kind: Kind
    applies: Callable[[Subject], bool]
    """Whether it is tried when no strategy is named."""
    description: str
    last: bool = False
    """It looks after the others of its kind."""


strategies: Registry[Strategy] = Registry("discovery", "backend.app.modules.endpoints.discovery")


def strategy(
    name: str, kind: Kind, applies: Callable[[Subject], bool], *, last: bool = False
) -> Callable[[Look], Look]:
    """Registers the function; its docstring is what people read about it."""

    def add(look: Look) -> Look:
        strategies.register(name)(Strategy(look, kind, applies, " ".join((look.__doc__ or "").split()), last))
        return look

    return add
