"""The API as a whole."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from backend.app.engine.diff.model import ApiPair, Finding, Severity
from backend.app.engine.diff.rules import rule
from backend.app.engine.spec.model import SecurityScheme


@rule("server.base_path", ApiPair, Severity.BREAKING)
def base_path(pair: ApiPair) -> Iterator[Finding]:
    """No server of the new description has the path of the first one before. Clients built against the old description
    ask below a path that is not described any more. Operations whose full path stays the same count as one move, not
    as removed and added."""
    if not pair.same_paths and base_of(pair.old.servers) not in {base_of([each]) for each in pair.new.servers or ("",)}:
        yield Finding(
            f"base path {base_of(pair.old.servers) or '/'} became {base_of(pair.new.servers) or '/'}", below="servers"
        )


@rule("server.removed", ApiPair, Severity.RISKY)
def server_removed(pair: ApiPair) -> Iterator[Finding]:
    """A host is no longer named among the servers. Whether it still answers the description does not say."""
    gone = _hosts(pair.old.servers) - _hosts(pair.new.servers)
    for host in sorted(gone):
        if _hosts(pair.new.servers):
            yield Finding(f"server {host} removed", below="servers")


@rule("server.added", ApiPair, Severity.SAFE)
def server_added(pair: ApiPair) -> Iterator[Finding]:
    """A further host is named among the servers."""
    for host in sorted(_hosts(pair.new.servers) - _hosts(pair.old.servers)):
        yield Finding(f"server {host} added", below="servers")


@rule("security.address", ApiPair, Severity.RISKY)
def security_address(pair: ApiPair) -> Iterator[Finding]:
    """Tokens are got at another address, or by another flow of OAuth 2 (OpenID Connect: described elsewhere). Clients
    that have the old one written down may get none; whether it still answers the description does not say."""
    for name, old in sorted(pair.old.security_schemes.items()):
        new = pair.new.security_schemes.get(name)
        if new is None or new.kind is not old.kind:
            continue
        was, now = _addresses(old), _addresses(new)
        for what in sorted(was):
            if was[what] != now.get(what):
                yield Finding(f"{name}, {what}: {was[what]} became {now.get(what, 'none')}", below=f"security.{name}")


def _addresses(scheme: SecurityScheme) -> dict[str, str]:
    """By the flow and what is got there; only those of flows that are described."""
    found = {"description": scheme.url} if scheme.url else {}
    for flow, said in scheme.flows.items():
        found |= {f"{flow} {name}": url for name, url in said.items() if isinstance(url, str) and url}
    return found


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
