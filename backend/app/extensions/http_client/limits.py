"""What one outgoing exchange may cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Seconds and bytes. `deadline_s` covers one whole exchange: waiting for a connection, name, dial, TLS, headers,
    body and every redirect. Limits per read would never fire on a target that drips."""

    deadline_s: float = 10.0
    connect_s: float = 5.0
    """Dial and TLS handshake of one connection."""
    dns_s: float = 4.0
    max_body_bytes: int = 10 * 1024 * 1024
    """Of the body as received, and again of the body decoded."""
    max_header_bytes: int = 64 * 1024
    max_redirects: int = 5
