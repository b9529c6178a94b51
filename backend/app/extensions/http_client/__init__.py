"""The one door for outgoing HTTP: nothing else in Touchstone imports an HTTP client.

It reads the URL strictly, looks the name up once, checks every address and dials a checked one, follows redirects
itself, and gives each exchange one deadline and byte limits.
"""

from backend.app.extensions.http_client.client import HttpClient
from backend.app.extensions.http_client.limits import HttpLimits
from backend.app.extensions.http_client.policy import AllowRule, OutgoingPolicy, RequestRefused

__all__ = ["AllowRule", "HttpClient", "HttpLimits", "OutgoingPolicy", "RequestRefused"]
