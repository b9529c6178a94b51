"""Where the described API runs."""

from collections.abc import Iterator, Sequence
from urllib.parse import SplitResult, urljoin, urlsplit

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104 - names, nothing is bound


def resolve_base_url(servers: Sequence[str], spec_url: str | None = None, override: str | None = None) -> str | None:
    """The URL that operation paths are appended to, without a trailing slash.

    `override` wins. Else it is the first server on the host that the document came from (relative ones are resolved
    against the place of the document: OpenAPI 3.1, 4.8.5), or, of a document that names none, that host itself. A
    document cannot send the scan to another host: then, and when nothing says where the API is, the answer is None.
    """
    if override:
        return override.rstrip("/")
    if spec_url is None or urlsplit(spec_url).scheme not in ("http", "https"):
        return next((_plain(server) for server in _absolute(servers, None)), None)
    origin = urlsplit(spec_url)
    named = list(_absolute(servers, spec_url))
    for server in named:
        if server.hostname == origin.hostname or {server.hostname, origin.hostname} <= _THIS_MACHINE:
            return _plain(server)
        if server.hostname in _THIS_MACHINE:  # left over from the author's desk
            return _plain(server._replace(scheme=origin.scheme, netloc=origin.netloc))
    return None if named else f"{origin.scheme}://{origin.netloc}"


def target_url(base_url: str | None, servers: Sequence[str], location: str) -> str | None:
    """Where the paths of a description begin; `location` is where it was found.

    A `base_url` with a path is taken as it is. One without gets the path of the description's server, if that is
    relative or on the same origin. Without a `base_url` the description, and where it was found, decide.
    """
    if base_url is None:
        return resolve_base_url(servers, spec_url=location)
    if urlsplit(base_url).path not in ("", "/"):
        return base_url
    resolved = resolve_base_url(servers, spec_url=base_url)
    same = resolved is not None and urlsplit(resolved)[:2] == urlsplit(base_url)[:2]
    return resolved if same else base_url


def base_url_at(address: str, servers: Sequence[str]) -> str:
    """The API at an address that a person named: its scheme and host, with the path of the first server."""
    there = urlsplit(address)
    path = next((server.path for server in _absolute(servers, address)), "")
    return f"{there.scheme}://{there.netloc}{path}".rstrip("/")


def _absolute(servers: Sequence[str], spec_url: str | None) -> Iterator[SplitResult]:
    for server in servers:
        url = urljoin(spec_url, server) if spec_url else server
        try:
            parts = urlsplit(url)
        except ValueError:
            continue
        if parts.scheme in ("http", "https") and parts.netloc and "{" not in url:
            yield parts


def _plain(parts: SplitResult) -> str:
    return parts._replace(query="", fragment="").geturl().rstrip("/")
