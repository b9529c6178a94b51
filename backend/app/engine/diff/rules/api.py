"""The API as a whole."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from backend.app.engine.diff.model import ApiPair, Finding, Severity
from backend.app.engine.diff.rules import rule


@rule("server.base_path", ApiPair, Severity.BREAKING)
def base_path(pair: ApiPair) -> Iterator[Finding]:
    """No server of the new description has the path of the first one before. Clients built against the old description
    ask below a path that is not described any more. Operations whose full path stays the same count as one move, not
    as removed and added."""
    if not pair.same_paths and base_of(pair.old.servers) not in {base_of([each]) for each in pair.new.servers or ("",)}:
        yield Finding(f"base path {base_of(pair.old.servers) or '/'} became {base_of(pair.new.servers) or '/'}")


@rule("server.removed", ApiPair, Severity.RISKY)
def server_removed(pair: ApiPair) -> Iterator[Finding]:
    """A host is no longer named among the servers. Whether it still answers the description does not say."""
    gone = _hosts(pair.old.servers) - _hosts(pair.new.servers)
    for host in sorted(gone):
        if _hosts(pair.new.servers):
            yield Finding(f"server {host} removed")


@rule("server.added", ApiPair, Severity.SAFE)
def server_added(pair: ApiPair) -> Iterator[Finding]:
    """A further host is named among the servers."""
    for host in sorted(_hosts(pair.new.servers) - _hosts(pair.old.servers)):
        yield Finding(f"server {host} added")


def base_of(servers: Sequence[str]) -> str:
    """The path of the first server, without a slash at its end."""
    try:
        return urlsplit(servers[0]).path.rstrip("/") if servers else ""
    except ValueError:
        return ""


def _hosts(servers: Sequence[str]) -> set[str]:
    hosts = set()
    for server in servers:
        try:
            parts = urlsplit(server)
        except ValueError:
            continue
        if parts.netloc:
            hosts.add(parts.netloc.lower())
    return hosts
