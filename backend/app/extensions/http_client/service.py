"""An `httpx2` client for libraries and services that want that interface (OAuth, language models, webhooks).

Its transport is `HttpClient`: the same guard, deadline and byte limits, and no second network stack.
"""

from typing import Any

import httpx2

from backend.app.engine.http import Outcome, Request
from backend.app.extensions.http_client.client import HttpClient
from backend.app.extensions.http_client.policy import RequestRefused, parse_url

ERRORS: dict[Outcome, type[httpx2.TransportError]] = {
    Outcome.TIMEOUT: httpx2.TimeoutException,
    Outcome.DNS_FAILED: httpx2.ConnectError,
    Outcome.CONNECT_FAILED: httpx2.ConnectError,
    Outcome.TLS_FAILED: httpx2.ConnectError,
    Outcome.RESET: httpx2.ReadError,
    Outcome.PROTOCOL_ERROR: httpx2.RemoteProtocolError,
    Outcome.TOO_LARGE: httpx2.ReadError,
    Outcome.REFUSED: httpx2.UnsupportedProtocol,
}
DECODED = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends by `HttpClient` and hands back whole, decoded answers. Redirects are left to the caller."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw)
        body = await request.aread()
        exchange = await self._client.send(Request(request.method, str(request.url), headers, body or None))
        if exchange.answer is None:
            raise ERRORS[exchange.outcome](exchange.error, request=request)
        answer = exchange.answer
        kept = [(name, value) for name, value in answer.headers if name.lower() not in DECODED]
        return httpx2.Response(answer.status, headers=kept, content=answer.body, request=request)

    async def aclose(self) -> None:
        await self._client.aclose()


class ServiceClient(httpx2.AsyncClient):
    def build_request(self, method: str, url: httpx2.URL | str, **options: Any) -> httpx2.Request:
        """Reads the URL as it was written, because `httpx2` repairs some that the guard refuses (`:+80`)."""
        if isinstance(url, str):
            try:
                parse_url(url)
            except RequestRefused as refusal:
                raise httpx2.UnsupportedProtocol(refusal.message) from None
        return super().build_request(method, url, **options)


def service_client(client: HttpClient, **options: Any) -> httpx2.AsyncClient:
    """An `httpx2.AsyncClient` whose only way out is `client`, which it closes with itself. `options` are those of
    `httpx2.AsyncClient`; time-outs are those of `client`. Redirects are not followed."""
    return ServiceClient(transport=GuardedTransport(client), trust_env=False, follow_redirects=False, **options)
