"""Where the described API runs."""

from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit


def resolve_base_url(servers: Sequence[str], spec_url: str | None = None, override: str | None = None) -> str | None:
    """The URL that operation paths are appended to, without a trailing slash; None when nothing says so.

    `override` wins. Else the first server, relative ones resolved against the place of the document (OpenAPI 3.1,
    4.8.5), one that names this machine replaced by the host that the document came from; else that host.
    """
    if override:
        return override.rstrip("/")
    came_from = spec_url if spec_url and urlsplit(spec_url).scheme in ("http", "https") else None
    for server in servers or ("/",):
        url = urljoin(came_from, server) if came_from else server
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or "{" in url:
            continue
        if came_from and parts.hostname in _THIS_MACHINE and urlsplit(came_from).hostname not in _THIS_MACHINE:
            parts = parts._replace(scheme=urlsplit(came_from).scheme, netloc=urlsplit(came_from).netloc)
        return parts._replace(query="", fragment="").geturl().rstrip("/")
    if came_from:
        parts = urlsplit(came_from)
        return f"{parts.scheme}://{parts.netloc}"
    return None


_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104 - names, nothing is bound
