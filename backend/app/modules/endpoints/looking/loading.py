"""The other documents of a description that was fetched."""

import math
import time
from typing import Final
from urllib.parse import urlsplit

from backend.app.engine.http import Request
from backend.app.engine.spec.references import NotLoaded
from backend.app.extensions.sandbox import Load
from backend.app.modules.endpoints.discovery import Fetch

MAX_LOADING_S: Final = 120.0
"""For all documents of one description; a reader waits meanwhile."""


def same_origin(where: str, fetch: Fetch) -> Load:
    """Hands out documents of the origin (RFC 6454) of `where`: a description, which anybody may have written, sends
    nobody elsewhere."""
    home = _origin(where)
    ends_at = math.inf

    async def load(url: str) -> bytes:
        nonlocal ends_at
        if _origin(url) != home:
            raise NotLoaded("it is not where the description came from")
        now = time.monotonic()
        ends_at = min(ends_at, now + MAX_LOADING_S)
        if now > ends_at:
            raise NotLoaded(f"loading took more than {MAX_LOADING_S:g} s")
        exchange = await fetch(Request("GET", url), follow_redirects=False)
        if exchange.answer is None:
            raise NotLoaded(exchange.error or exchange.outcome.replace("_", " "))
        if exchange.answer.status != 200:
            raise NotLoaded(f"the server answers {exchange.answer.status}")
        return exchange.answer.body

    return load


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None, None
