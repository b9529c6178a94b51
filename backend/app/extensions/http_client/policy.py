"""Which URLs and addresses Touchstone may call: pure rules, no sockets.

A URL is read strictly (a subset of RFC 3986), so that no two parsers can disagree about its host; an address is judged
by the special-purpose registries of IANA (RFC 6890) rather than by `ipaddress.is_global`, which differs between
versions of Python.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


class RequestRefused(Exception):
    """The request must not leave. `message` names the rule and at most the host, never credentials."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port (RFC 6454). `host` is lower-case, without brackets and trailing dot."""

    scheme: str
    host: str
    port: int
    address: Address | None = field(default=None, compare=False)
    """The host as an address, when the URL names one."""

    @property
    def local_name(self) -> bool:
        """Whether the host is a name that only a local network knows (RFC 6761, RFC 6762, `.internal`)."""
        if self.address is not None:
            return False
        last = self.host.rpartition(".")[2]
        return last == self.host or last in LOCAL_SUFFIXES


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL: where to dial, and what to write in the request line and in `Host`, both as they were given."""

    origin: Origin
    authority: str
    path: str
    """Path and query, without the fragment; at least `/`."""


@dataclass(frozen=True, slots=True)
class AllowRule:
    """An exception for production: addresses in `network`, on `port` or on every port."""

    network: Network
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "AllowRule":
        """`10.1.0.0/16`, `10.1.2.3:8080`, `10.1.2.3/32:8080`, `fd12::/16:8080`. Raises `ValueError`."""
        match = re.fullmatch(r"(.+/[0-9]{1,3}|[0-9.]+)(?::([1-9][0-9]{0,4}))?", text, re.ASCII)
        if match is None or int(match[2] or 1) > 65535:
            raise ValueError(f"{text!r} is no address range with an optional port, such as 10.1.0.0/16:8080")
        return cls(ip_network(match[1]), int(match[2]) if match[2] else None)

    def covers(self, address: Address, port: int) -> bool:
        return self.port in (None, port) and address in self.network


@dataclass(frozen=True, slots=True)
class OutgoingPolicy:
    """`allow_private` is the embedded mode: loopback, private networks and local names are fine, on every port.
    Without it only public addresses and the rules of `allow` are. `own_addresses` (address, port) are where this server
    listens: refused unless `allow_private`, because a request to ourselves would carry our own trust."""

    allow_private: bool
    allow: tuple[AllowRule, ...] = ()
    own_addresses: tuple[tuple[str, int], ...] = ()

    def check_origin(self, origin: Origin) -> None:
        """What can be refused before the name is looked up. Raises `RequestRefused`."""
        if self.allow_private:
            return
        if not _usual_port(origin.port) and not any(rule.port in (None, origin.port) for rule in self.allow):
            raise RequestRefused("outgoing.port", f"port {origin.port} is not one for HTTP")
        if origin.local_name and not self.allow:
            raise RequestRefused("outgoing.local_name", f"{origin.host} is a name of a local network")

    def check_address(self, origin: Origin, address: Address) -> None:
        """Whether `origin` may be reached at `address`. Raises `RequestRefused`."""
        port = origin.port
        if _within(address, NEVER) or (isinstance(address, IPv6Address) and _within(address, EMBEDS_IPV4)):
            raise _refused_address(origin, address)
        if self.allow_private:
            if not (_within(address, PRIVATE) or _public(address)):
                raise _refused_address(origin, address)
            return
        if self._is_own(address, port):
            raise RequestRefused("outgoing.own_address", f"{address}:{port} is this server")
        if any(rule.covers(address, port) for rule in self.allow):
            return
        if origin.local_name or not _public(address):
            raise _refused_address(origin, address)
        if not _usual_port(port):
            raise RequestRefused("outgoing.port", f"port {port} is not one for HTTP")

    def _is_own(self, address: Address, port: int) -> bool:
        # All of 127.0.0.0/8 reaches whoever listens on every address, and only its first is known as an interface's.
        spellings = {str(address), "127.0.0.1"} if address in LOOPBACK else {str(address)}
        return any((spelling, port) in self.own_addresses for spelling in spellings)


def parse_url(url: str) -> Target:
    """Read an absolute URL strictly. Raises `RequestRefused`; the message repeats nothing of the URL but its host."""
    match = _URL.fullmatch(url)
    if match is None:
        raise RequestRefused("outgoing.url", _why_unreadable(url))
    scheme, host, port, path, query = match.groups()
    return Target(
        _origin(scheme.lower(), host, port),
        host if port is None else f"{host}:{port}",
        (path or "/") + (query or ""),
    )


@lru_cache(maxsize=1024)
def _origin(scheme: str, host: str, port_text: str | None) -> Origin:
    port = int(port_text) if port_text is not None else DEFAULT_PORTS[scheme]
    if not 1 <= port <= 65535:
        raise RequestRefused("outgoing.port", "the port is not between 1 and 65535")
    if host.startswith("["):
        try:
            address = IPv6Address(host[1:-1])
        except ValueError:
            raise RequestRefused("outgoing.host", "the text in brackets is no IPv6 address") from None
        return Origin(scheme, str(address), port, address)
    name = host.lower().removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # An "ends in a number" host is an IPv4 address to everybody (WHATWG URL, 3.5), in many spellings; one is safe.
        try:
            return Origin(scheme, name, port, IPv4Address(host))
        except ValueError:
            raise RequestRefused("outgoing.host", f"{host} is no IPv4 address in the usual form") from None
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise RequestRefused("outgoing.host", "the host is no valid name")
    return Origin(scheme, name, port)


def _why_unreadable(url: str) -> str:
    if not re.match(r"https?:", url, re.IGNORECASE | re.ASCII):
        return "only http:// and https:// URLs can be called"
    if re.search(r"[\x00-\x20\x7f]", url):
        return "the URL holds a space or a control character; percent-encode it"
    authority = re.split(r"[/?#]", url.partition("//")[2], maxsplit=1)[0]
    if not authority:
        return "the URL names no host"
    if "@" in authority:
        return "the URL holds a user name or a password"
    if not authority.isascii():
        return "the host is not ASCII; write it in its xn-- form"
    return "the host or the port of the URL is malformed"


def _usual_port(port: int) -> bool:
    return port in (80, 443) or (port >= 1024 and port not in SERVICE_PORTS)


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not _within(address, NOT_PUBLIC_IPV4)
    if address in NAT64:
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
        return not _within(inner, NEVER) and _public(inner)
    return address in GLOBAL_UNICAST and not _within(address, NOT_PUBLIC_IPV6) and not _isatap(address)


def _isatap(address: IPv6Address) -> bool:
    """An interface identifier that carries an IPv4 address (RFC 5214, 6.1)."""
    return (int(address) >> 32) & 0xFCFFFFFF == 0x00005EFE


def _refused_address(origin: Origin, address: Address) -> RequestRefused:
    where = str(address) if origin.address is not None else f"{origin.host} ({address})"
    return RequestRefused("outgoing.address", f"{where} is not an address that may be called")


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


_URL = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(0|[1-9][0-9]{0,4}))?"
    r"(/[^\x00-\x20\x7f?#]*)?(\?[^\x00-\x20\x7f#]*)?(?:#[^\x00-\x20\x7f]*)?",
    re.IGNORECASE | re.ASCII,
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)

DEFAULT_PORTS = {"http": 80, "https": 443}
LOCAL_SUFFIXES = frozenset(
    {"localhost", "localdomain", "local", "internal", "intranet", "private", "lan", "home", "corp", "arpa", "svc"}
)
SERVICE_PORTS = frozenset(
    (
        *(1080, 1433, 1434, 1521, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3128, 3306, 3389, 4369, 5432, 5433),
        *(5671, 5672, 5900, 5901, 5984, 6000, 6379, 6380, 6443, 6666, 6667, 8500, 9042, 9092, 9200, 9300),
        *(10250, 10255, 11211, 15672, 25672, 26379, 27017, 27018, 27019, 28017, 33060, 61616),
    )
)
"""Databases, brokers, container and cluster control: what a forged request is after."""

NEVER = _networks(
    *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
    *("168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32"),  # metadata of Azure, Alibaba, Oracle
    *("::/128", "fe80::/10", "fec0::/10", "ff00::/8"),
    *("fd00:ec2::/32", "fd20:ce::254/128"),  # metadata and credentials of AWS, Google
)
"""Unspecified, link-local, multicast, reserved, and the metadata services of clouds: refused in every mode."""
LOOPBACK = IPv4Network("127.0.0.0/8")
PRIVATE = _networks(
    *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7")
)
NOT_PUBLIC_IPV4 = _networks(
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
)
GLOBAL_UNICAST = IPv6Network("2000::/3")
NOT_PUBLIC_IPV6 = _networks("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: judged by the IPv4 address inside, because DNS64 gives such answers for every IPv4-only site."""
EMBEDS_IPV4 = _networks("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
"""Mapped, translated, local NAT64, Teredo, 6to4: no site needs them, and each hides an IPv4 address."""
