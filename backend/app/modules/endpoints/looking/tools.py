"""What discovery talks and reads with: the guarded client, and readers in processes of their own."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from backend.app.engine.generate.requests import Credentials, escape
from backend.app.engine.http import Exchange, Headers, Request
from backend.app.engine.spec.model import ApiDescription
from backend.app.engine.spec.outline import OUTLINE_BYTES
from backend.app.extensions.http_client import HttpClient
from backend.app.extensions.sandbox import read_description
from backend.app.modules.endpoints.discovery import Fetch, Progress, Tools
from backend.app.modules.endpoints.discovery.captures.model import CaptureReport
from backend.app.modules.endpoints.discovery.source.model import SourceReport
from backend.app.modules.endpoints.discovery.source.tree import ScanCancelled, scan_tree
from backend.app.modules.endpoints.looking.loading import same_origin
from backend.app.modules.endpoints.looking.reading import read_capture_file

T = TypeVar("T")
Authorise: TypeAlias = Callable[[str], Awaitable[Credentials]]
"""The credentials that may go to a URL."""


DISCOVERY_RATE: Final = 10.0
"""Requests a second to one host: what crawlers that nobody complains about keep to."""
_SLOWED: Final = 2.0
"""Seconds between requests to a host that asked for fewer (429) and did not say when to come back."""
_LONGEST_WAIT: Final = 30.0
_GLANCE_S: Final = 0.2
"""Between two looks at how far a scan of source code is."""
_THIS_MACHINE: Final = ("localhost", "127.", "[::1]")


async def _without_credentials(url: str) -> Credentials:
    return Credentials()


async def _unheard(done: int, total: int, note: str = "") -> None:
    return


def discovery_tools(
    client: HttpClient,
    authorise: Authorise = _without_credentials,
    progress: Progress = _unheard,
    *,
    cache: Path | None = None,
    workers: int | None = None,
    rate: float = DISCOVERY_RATE,
    listing: bool = False,
) -> Tools:
    """`cache` and `workers` are those of `scan_tree`, `rate` that of `Pace`. For a `listing` large descriptions are
    read as their outlines."""

    fetch = _fetch(client, authorise, Pace(rate))

    async def read_document(document: bytes, where: str) -> ApiDescription:
        load = same_origin(where, fetch) if where else None
        outlined = listing and len(document) > OUTLINE_BYTES
        reading = read_description(document, where=where, load=load, outlined=outlined)
        return await watched(reading, lambda: progress(0, 1, "reading the description"))

    async def read_traffic(path: Path, known: Sequence[str]) -> CaptureReport:
        def tell(done: int, total: int) -> Awaitable[None]:
            return progress(done, total, "reading the capture")

        return await read_capture_file(path, known=known, progress=tell)

    async def read_source(path: Path) -> SourceReport:
        return await _scanned(path, progress, cache, workers)

    return Tools(fetch, read_document, read_traffic, read_source, progress)


async def watched(work: Coroutine[Any, Any, T], tell: Callable[[], Awaitable[None]]) -> T:
    """Calls `tell` while the work lasts; what it raises cancels the work."""
    working = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({working}, timeout=_GLANCE_S))[0]:
            await tell()
    finally:
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    return await working


async def _scanned(path: Path, progress: Progress, cache: Path | None, workers: int | None) -> SourceReport:
    """`scan_tree` beside the event loop; what `progress` raises ends it."""
    seen = reported = (0, 0)
    cancelled = threading.Event()

    def see(done: int, total: int) -> None:
        nonlocal seen
        seen = done, total

    def scan() -> SourceReport:
        return scan_tree(path, cache=cache, workers=workers, progress=see, cancelled=cancelled.is_set)

    scanning = asyncio.create_task(asyncio.to_thread(scan))
    try:
        while not scanning.done():
            await asyncio.wait({scanning}, timeout=_GLANCE_S)
            if seen != reported:
                reported = seen
                await progress(*reported, "source files")
    except BaseException:
        cancelled.set()
        with suppress(ScanCancelled):
            await scanning
        raise
    return await scanning


class Pace:
    """At most `rate` requests a second to each host, evenly spaced; 0: as fast as they come. This machine is asked as
    fast as it answers. A host that answers 429 is asked more slowly from then on, and left alone for as long as its
    `Retry-After` (RFC 9110, 10.2.3) says, for 30 s at most."""

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._sleep = sleep
        self._intervals: dict[str, float] = {}
        self._free_at: dict[str, float] = {}

    async def wait(self, url: str) -> None:
        """Until it is this request's turn."""
        host = urlsplit(url).netloc.rpartition("@")[2].lower()
        default = 0.0 if host.startswith(_THIS_MACHINE) else self._interval
        now = self._clock()
        turn = max(now, self._free_at.get(host, now))
        self._free_at[host] = turn + self._intervals.get(host, default)
        if turn > now:
            await self._sleep(turn - now)

    def heard(self, url: str, exchange: Exchange) -> None:
        answer = exchange.answer
        if answer is None or answer.status != 429:
            return
        host = urlsplit(url).netloc.rpartition("@")[2].lower()
        asked = answer.header("retry-after") or ""
        pause = min(float(asked), _LONGEST_WAIT) if asked.isascii() and asked.isdigit() else _SLOWED
        self._intervals[host] = _SLOWED
        self._free_at[host] = max(self._free_at.get(host, 0.0), self._clock() + pause)


def _fetch(client: HttpClient, authorise: Authorise, pace: Pace) -> Fetch:
    """The exchange shows the request without credentials, because its URL is kept as the place of a description."""

    async def fetch(request: Request, *, follow_redirects: bool = True) -> Exchange:
        credentials = await authorise(request.url)
        sent = replace(
            request,
            url=_with_query(request.url, credentials.query),
            headers=(*request.headers, *credentials.headers),
        )
        await pace.wait(sent.url)
        # Servers repeat the query in the address that they redirect to, which may be elsewhere.
        exchange = await client.send(sent, follow_redirects=follow_redirects and not credentials.query)
        pace.heard(sent.url, exchange)
        return replace(exchange, request=request)

    return fetch


def _with_query(url: str, pairs: Headers) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, *(f"{escape(name)}={escape(value)}" for name, value in pairs)]))
    return parts._replace(query=query).geturl() if pairs else url
