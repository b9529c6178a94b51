"""The suite talks to this machine only."""

import ipaddress
import socket
import sys
from collections.abc import Collection
from typing import Any


class NetworkClosed(RuntimeError):
    """Not an `OSError`: code under test may take that for a fault of its target."""


def close_network(allowed_hosts: Collection[str] = ()) -> None:
    """Refuses for the rest of the process every connection beyond loopback and `allowed_hosts`, and every look-up of a
    name that is not local. uvloop does not pass here."""
    allowed = {"localhost", "", *allowed_hosts}
    allowed |= {str(entry[4][0]) for host in allowed_hosts for entry in socket.getaddrinfo(host, None)}

    def guard(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto"):
            address = arguments[1]
            if isinstance(address, tuple) and address[0] not in allowed and not _is_loopback(address[0]):
                raise NetworkClosed(f"a test must not connect to {address[0]}")
        elif event == "socket.getaddrinfo":
            host = _text(arguments[0])
            if host not in allowed and not _is_address(host):
                raise socket.gaierror(socket.EAI_NONAME, f"a test must not look up {host}")

    sys.addaudithook(guard)


def _text(host: str | bytes | None) -> str:
    return host.decode() if isinstance(host, bytes) else host or ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if not _is_address(host):
        return False
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def unused_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
