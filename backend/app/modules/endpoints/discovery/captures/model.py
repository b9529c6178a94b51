"""What a capture holds, and what is reported of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from backend.app.engine.http import Headers
from backend.app.engine.spec.model import ApiDescription, Fault, Operation, SecurityScheme

BODY: Final = "body"


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    bytes: int = 1 << 30
    """Of a capture that is read in a stream: HAR, curl lines, access logs."""
    document_bytes: int = 32 << 20
    """Of a capture that is read as a whole: Postman, Insomnia, one file of Bruno."""
    nodes: int = 1_000_000
    """Values in such a document."""
    entry_bytes: int = 8 << 20
    """Of one entry. What is larger is skipped."""
    body_bytes: int = 1 << 20
    """Of a body of which the schema is inferred."""
    entries: int = 5_000_000
    ratio: int = 200
    """How many times its own size what is compressed may unpack to."""
    files: int = 20_000
    """In a folder or an archive."""
    shapes: int = 200_000
    """Members of all bodies of which the schema is inferred, at some 1,000 bytes each."""
    paths: int = 10_000
    """Different paths with a method that are held at a time. When there are more, they are templated on the way."""


DEFAULT_LIMITS = CaptureLimits()


class CaptureError(Exception):
    """The capture is refused as a whole. `code` is `capture.<reason>`; `where` is a line, a byte or an entry."""

    def __init__(self, code: str, message: str, where: str = "") -> None:
        super().__init__(f"{message} ({where})" if where else message)
        self.code = code
        self.message = message
        self.where = where


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, with what came back if the capture knows it. Secrets are still in it: only `operations` may see it.

    A segment of the path that is known to be a parameter is written `{name}`. Bodies are text; content codings are
    removed.
    """

    where: str
    """Its place in the file: `entry 12`, `line 7`, `Users / Get a user`."""
    method: str
    url: str
    """Absolute, or only a path and a query where the capture does not know the host."""
    headers: Headers = ()
    body: str = ""
    body_type: str = ""
    status: int | None = None
    """None: it was planned, and nobody knows what comes back."""
    answer_headers: Headers = ()
    answer_type: str = ""
    answer_body: str = ""
    name: str = ""
    """What a person called it."""
    folder: str = ""
    secrets: tuple[str, ...] = ()
    """Values that are known to be secret, whatever they stand under."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A part of the capture that was left out. `reason` is one of few, so that they can be counted."""

    where: str
    reason: str


Item: TypeAlias = Entry | Unusable


@dataclass(frozen=True, slots=True)
class Skipped:
    reason: str
    count: int
    first: str
    """Where the first one stands."""


@dataclass(frozen=True, slots=True)
class Captured:
    """An operation with its evidence."""

    operation: Operation
    server: str
    """Scheme and host, with the path that was asked for as `base_url`; empty where the capture does not name one."""
    exchanges: int
    places: tuple[str, ...]
    """The first entries that show it."""
    statuses: Mapping[int, int]
    """How often each came back."""

    @property
    def url_key(self) -> str:
        """What it is known by among the operations of all servers: `GET https://api.test/users/{id}`."""
        return f"{self.operation.method} {self.server}{self.operation.path}"


@dataclass(frozen=True, slots=True)
class Flow:
    """A value that an answer held and a later request was sent with, as traffic shows it."""

    producer: str
    """The operation that answered it: its `key` in an inventory, `Captured.url_key` in a report."""
    field: str
    """JSON pointer (RFC 6901) into the answer, all items of a list being the first; or `$response.header.location`."""
    consumer: str
    location: str
    """`path`, `query`, `header`, `cookie` or `body`."""
    parameter: str
    """The name; of a body the JSON pointer without its slash."""
    times: int = 1
    """How many different values were seen to go this way."""
    place: str = ""
    """The exchanges that show it: `entry 12 -> entry 15`, the id of a test run."""
    share: float = 1.0
    """How much of it is the producer's, from 0 to 1: less, where other answers held the values too."""


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """Holds no secret of the capture."""

    name: str
    """Of the file, for people: without folders and control characters."""
    format: str
    entries: int
    taken: int
    captured: tuple[Captured, ...] = ()
    """Ordered by server, path and method; each once."""
    security_schemes: Mapping[str, SecurityScheme] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    """The most frequent reason first."""
    flows: tuple[Flow, ...] = ()
    """Between operations in `captured`."""

    @property
    def source(self) -> str:
        return f"capture-{self.format}"

    def description(self) -> ApiDescription:
        """As other sources describe an API. The server with the most exchanges is the first; where there are several,
        each operation names its own."""
        weights: dict[str, int] = {}
        for each in self.captured:
            if each.server:
                weights[each.server] = weights.get(each.server, 0) + each.exchanges
        servers = tuple(sorted(weights, key=lambda server: (-weights[server], server)))
        operations = tuple(
            replace(each.operation, server=each.server) if each.server and each.server != servers[0] else each.operation
            for each in self.captured
        )
        faults = tuple(
            Fault(each.first, f"{each.count} left out: {each.reason}" if each.count > 1 else f"left out: {each.reason}")
            for each in self.skipped
        )
        return ApiDescription(
            title=self.name,
            version="",
            dialect=self.source,
            servers=servers,
            operations=operations,
            security_schemes=self.security_schemes,
            faults=faults,
        )
