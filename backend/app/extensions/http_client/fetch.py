"""Fetch one document."""

from backend.app.engine.http import Answer, Headers, Outcome, Request
from backend.app.extensions.http_client.client import HttpClient
from backend.app.extensions.http_client.limits import HttpLimits
from backend.app.extensions.http_client.policy import OutgoingPolicy
from backend.app.extensions.http_client.resolver import Resolver, system_resolver


class FetchFailed(Exception):
    """No answer came; `outcome` says how it ended, `message` is a sentence for a person."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message


async def fetch(
    url: str,
    *,
    policy: OutgoingPolicy,
    limits: HttpLimits | None = None,
    method: str = "GET",
    headers: Headers = (),
    body: bytes | None = None,
    follow_redirects: bool = True,
    resolver: Resolver = system_resolver,
    verify: bool = True,
    ca_file: str | None = None,
) -> Answer:
    """The answer, whatever its status. Raises `FetchFailed` when there is none, or the guard refused."""
    async with HttpClient(policy, limits=limits, resolver=resolver, verify=verify, ca_file=ca_file) as client:
        exchange = await client.send(Request(method, url, headers, body), follow_redirects=follow_redirects)
    if exchange.answer is None:
        raise FetchFailed(exchange.outcome, exchange.error)
    return exchange.answer
