"""The one door for outgoing HTTP: nothing else in Touchstone imports an HTTP client.

It reads the URL strictly, looks the name up once, checks every address and dials a checked one, follows redirects
itself, and gives each exchange one deadline and byte limits. `service.service_client` gives the same as an `httpx2`
client.
"""

from backend.app.extensions.http_client.client import HttpClient
from backend.app.extensions.http_client.fetch import FetchFailed, fetch
from backend.app.extensions.http_client.limits import HttpLimits
from backend.app.extensions.http_client.policy import AllowRule, OutgoingPolicy, RequestRefused

__all__ = ["AllowRule", "FetchFailed", "HttpClient", "HttpLimits", "OutgoingPolicy", "RequestRefused", "fetch"]
