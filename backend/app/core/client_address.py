"""Where a request comes from."""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from fastapi import Request

from backend.app.core.settings import Settings

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN: Final = "unknown"
"""Of a peer without an address, such as a Unix socket."""
_SITE_BITS: Final = 64
"""What one customer of an IPv6 provider holds at least (RFC 6177, 2)."""


def client_address(request: Request, settings: Settings) -> str:
    """The peer's address; behind proxies of `web.trusted_proxies` the last one in `X-Forwarded-For` that is none of
    them. What a client wrote further left is never believed (ASVS 5, 4.1.3)."""
    client = request.scope.get("client")
    peer = client[0] if client else ""
    trusted = settings.web.trusted_proxies
    lines = request.headers.getlist("x-forwarded-for") if trusted else ()
    return forwarded_address(peer, ",".join(lines), trusted)


def forwarded_address(peer: str, forwarded: str, trusted: Iterable[str]) -> str:
    """From the nearest hop outwards, the first address that no trusted proxy has. A hop that is no address ends the
    chain at the proxy that reported it."""
    found = _parse(peer)
    if found is None:
        return UNKNOWN
    if not forwarded:
        return _text(found)
    networks = _networks(tuple(trusted))
    for hop in reversed(forwarded.split(",")):
        if not _is_in(found, networks):
            break
        before = _parse(hop.strip())
        if before is None:
            break
        found = before
    return _text(found)


@lru_cache(maxsize=4096)
def site_of(address: str) -> str:
    """What to count a client by: its IPv4 address, or the /64 around its IPv6 address, in which it may take any."""
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((parsed, _SITE_BITS), strict=False))
    return address


@lru_cache(maxsize=4096)
def _parse(text: str) -> _Address | None:
    """Also `1.2.3.4:80` and `[::1]:80`, as some proxies write. An IPv4 address in IPv6 form is the IPv4 address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


@lru_cache(maxsize=4096)
def _text(address: _Address) -> str:
    return str(address)


@lru_cache(maxsize=8)
def _networks(trusted: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(each, strict=False) for each in trusted)


def _is_in(address: _Address, networks: Sequence[_Network]) -> bool:
    return any(address in network for network in networks)
