"""What discovery talks and reads with: the guarded client, and readers in processes of their own."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from backend.app.engine.generate.requests import Credentials, escape
from backend.app.engine.http import Exchange, Headers, Request
from backend.app.engine.spec.model import ApiDescription
from backend.app.extensions.http_client import HttpClient
from backend.app.extensions.sandbox import read_description
from backend.app.modules.endpoints.discovery import Fetch, Progress, Tools
from backend.app.modules.endpoints.discovery.captures.model import CaptureReport
from backend.app.modules.endpoints.discovery.source.model import SourceReport
from backend.app.modules.endpoints.discovery.source.tree import scan_tree
from backend.app.modules.endpoints.loading import same_origin
from backend.app.modules.endpoints.reading import read_capture_file

Authorise: TypeAlias = Callable[[str], Awaitable[Credentials]]
"""The credentials that may go to a URL."""


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
) -> Tools:
    """`cache` and `workers` are those of `scan_tree`."""

    fetch = _fetch(client, authorise)

    async def read_document(document: bytes, where: str) -> ApiDescription:
        return await read_description(document, where=where, load=same_origin(where, fetch) if where else None)

    async def read_traffic(path: Path) -> CaptureReport:
        return await read_capture_file(path, progress=progress)

    async def read_source(path: Path) -> SourceReport:
        return await asyncio.to_thread(scan_tree, path, cache=cache, workers=workers)

    return Tools(fetch, read_document, read_traffic, read_source, progress)


def _fetch(client: HttpClient, authorise: Authorise) -> Fetch:
    """The exchange shows the request without credentials, because its URL is kept as the place of a description."""

    async def fetch(request: Request, *, follow_redirects: bool = True) -> Exchange:
        credentials = await authorise(request.url)
        sent = replace(
            request,
            url=_with_query(request.url, credentials.query),
            headers=(*request.headers, *credentials.headers),
        )
        # Servers repeat the query in the address that they redirect to, which may be elsewhere.
        exchange = await client.send(sent, follow_redirects=follow_redirects and not credentials.query)
        return replace(exchange, request=request)

    return fetch


def _with_query(url: str, pairs: Headers) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, *(f"{escape(name)}={escape(value)}" for name, value in pairs)]))
    return parts._replace(query=query).geturl() if pairs else url
