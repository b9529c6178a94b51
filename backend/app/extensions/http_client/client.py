"""The door: every request of Touchstone to somebody else's server passes `HttpClient.send`."""

import re
import time
from time import perf_counter
from types import TracebackType
from typing import Self
from urllib.parse import quote, urljoin

from backend.app.engine.http import Answer, Exchange, Headers, Outcome, Request, Timing
from backend.app.extensions.http_client.coding import ACCEPTED, BadCoding, BodyTooLarge, decode
from backend.app.extensions.http_client.lag import LagProbe
from backend.app.extensions.http_client.limits import HttpLimits
from backend.app.extensions.http_client.policy import OutgoingPolicy, RequestRefused, Target, parse_url
from backend.app.extensions.http_client.pool import Pool
from backend.app.extensions.http_client.resolver import Guard, Resolver, system_resolver
from backend.app.extensions.http_client.transport import Received, StaleConnection, TargetFault

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
REDIRECTS = frozenset({301, 302, 303, 307, 308})

FRAMING = frozenset({"content-length", "transfer-encoding"})
BODY_HEADERS = FRAMING | {"content-type", "content-encoding", "content-language", "content-location"}
HARMLESS_HEADERS = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})
"""What follows a redirect to another origin. Any other header may hold a credential, whatever its name."""

_URL_CHARACTERS = "".join(map(chr, range(0x21, 0x7F)))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_BREAKS_A_LINE = re.compile(r"[\r\n\0]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)


class HttpClient:
    """HTTP/1.1 with kept connections. Not to be shared between event loops.

        async with HttpClient(policy) as client:
            exchange = await client.send(Request("GET", "http://127.0.0.1:8000/items"))

    `client.send` is an `engine.http.Send`. `ca_file` is trusted in addition to the system's certificates.
    """

    def __init__(
        self,
        policy: OutgoingPolicy,
        *,
        limits: HttpLimits | None = None,
        resolver: Resolver = system_resolver,
        max_connections: int = 100,
        verify: bool = True,
        ca_file: str | None = None,
        user_agent: str = "touchstone",
        resend_stale: bool = False,
    ) -> None:
        """`resend_stale` sends any request again that met a kept connection which the target had closed. A scan wants
        it: servers close after many a 5xx, and a reset that never happened is worse than a POST that came twice."""
        self._limits = limits or HttpLimits()
        self._resend_stale = resend_stale
        self._guard = Guard(policy, self._limits, resolver)
        self._pool = Pool(self._guard, self._limits, max_connections, verify=verify, ca_file=ca_file)
        self._probe = LagProbe()
        self._defaults = (("User-Agent", user_agent), ("Accept", "*/*"), ("Accept-Encoding", ACCEPTED))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._guard.aclose()
        await self._pool.aclose()

    async def send(
        self,
        request: Request,
        *,
        follow_redirects: bool = False,
        deadline_s: float | None = None,
        intended_start: float | None = None,
    ) -> Exchange:
        """Send one request; whatever the target does, or the guard refuses, is an `Outcome`, never an exception.

        The headers go out as given, in their order, after `Host`; `User-Agent`, `Accept`, `Accept-Encoding` and the
        framing of the body are added where they are missing. Times count from `intended_start` (`perf_counter`), the
        deadline from the call.
        """
        now = perf_counter()
        start = now if intended_start is None else intended_start
        deadline = now + (self._limits.deadline_s if deadline_s is None else deadline_s)
        outcome, error, answer = Outcome.ANSWERED, "", None
        first_byte_ms: float | None = None
        visited: list[str] = []
        self._probe.enter()
        try:
            received = await self._follow(request, deadline, visited if follow_redirects else None)
            first_byte_ms, end = (received.first_byte_at - start) * 1000, received.last_byte_at
            answer = self._answer(received)
        except RequestRefused as refusal:
            outcome, error, end = Outcome.REFUSED, refusal.message, perf_counter()
        except TargetFault as fault:
            outcome, error, end = fault.outcome, fault.message, perf_counter()
        finally:
            reliable = not self._probe.lagged_since(start)
            self._probe.leave()
        timing = Timing(time.time() - (perf_counter() - start), first_byte_ms, (end - start) * 1000, reliable)
        return Exchange(request, outcome, timing, answer, error, tuple(visited))

    async def _follow(self, request: Request, deadline: float, visited: list[str] | None) -> Received:
        """The last answer of a chain of redirects; their URLs are added to `visited`, None follows none."""
        while True:
            target = parse_url(request.url)
            received = await self._exchange(request, target, deadline)
            location = _location(received) if visited is not None else None
            if visited is None or location is None:
                return received
            if len(visited) == self._limits.max_redirects:
                raise TargetFault(Outcome.TOO_MANY_REDIRECTS, f"more than {len(visited)} redirects")
            request = self._redirected(request, target, received.status, location)
            visited.append(request.url)

    async def _exchange(self, request: Request, target: Target, deadline: float) -> Received:
        """One request and its answer. A kept connection that turns out closed is replaced once, if sending the request
        again can do no harm (RFC 9110, 9.2.2) or the caller takes that."""
        head, own_framing = self._head(request, target)
        fresh = False
        while True:
            connection = await self._pool.acquire(target.origin, deadline, fresh=fresh)
            try:
                return await connection.exchange(
                    head, request.body or b"", bodiless=request.method == "HEAD", deadline=deadline
                )
            except StaleConnection:
                if fresh or not (self._resend_stale or request.method in IDEMPOTENT):
                    raise
                fresh = True
            finally:
                self._pool.release(target.origin, connection, keep=not own_framing)

    def _head(self, request: Request, target: Target) -> tuple[bytes, bool]:
        """Request line and headers; and whether the caller framed the body, perhaps wrongly on purpose."""
        if not _TOKEN.fullmatch(request.method):
            raise RequestRefused("outgoing.method", "the method is not a token of RFC 9110")
        given = set()
        lines = []
        for name, value in request.headers:
            if not _TOKEN.fullmatch(name):
                raise RequestRefused("outgoing.header", "the name of a header is not a token of RFC 9110")
            if _BREAKS_A_LINE.search(value):
                raise RequestRefused("outgoing.header", f"the header {name} holds a line break or a NUL")
            given.add(name.lower())
            lines.append(f"{name}: {value}\r\n")
        own_framing = not given.isdisjoint(FRAMING)
        for name, value in self._defaults:
            if name.lower() not in given:
                lines.append(f"{name}: {value}\r\n")
        if not own_framing and (request.body is not None or request.method in ("POST", "PUT", "PATCH")):
            lines.append(f"Content-Length: {len(request.body or b'')}\r\n")
        host = "" if "host" in given else f"Host: {target.authority}\r\n"
        head = f"{request.method} {target.path} HTTP/1.1\r\n{host}{''.join(lines)}\r\n"
        try:
            return head.encode(), own_framing
        except UnicodeEncodeError:
            raise RequestRefused("outgoing.header", "the URL or a header holds half of a surrogate pair") from None

    def _answer(self, received: Received) -> Answer:
        encoding = ",".join(value for name, value in received.headers if name.lower() == "content-encoding")
        body = received.body
        if encoding:
            try:
                body = decode(body, encoding, self._limits.max_body_bytes)
            except BodyTooLarge:
                limit = self._limits.max_body_bytes
                raise TargetFault(Outcome.TOO_LARGE, f"the decoded body is over {limit} bytes") from None
            except BadCoding as fault:
                raise TargetFault(Outcome.PROTOCOL_ERROR, str(fault)) from None
        return Answer(received.status, received.headers, body)

    def _redirected(self, request: Request, target: Target, status: int, location: str) -> Request:
        """The request that a redirect asks for (RFC 9110, 15.4). Another origin gets no credentials and no body."""
        url = _resolve(request.url, location)
        method, headers, body = request.method, request.headers, request.body
        if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
            method, body = "GET", None
            headers = _without(headers, BODY_HEADERS)
        if parse_url(url).origin != target.origin:
            if body:
                raise RequestRefused("outgoing.redirect", "the redirect would send the body to another origin")
            headers = tuple((name, value) for name, value in headers if name.lower() in HARMLESS_HEADERS)
        return Request(method, url, headers, body)


def _location(received: Received) -> str | None:
    if received.status not in REDIRECTS:
        return None
    return next((value for name, value in received.headers if name.lower() == "location"), None)


def _resolve(base: str, location: str) -> str:
    """RFC 3986, 5.2, for what servers send: raw spaces and UTF-8 are percent-encoded as browsers do. A scheme is never
    guessed and a backslash never read as a slash, because parsers disagree about both."""
    if "\\" in location:
        raise RequestRefused("outgoing.redirect", "the redirect holds a backslash")
    location = quote(location.encode("latin-1"), safe=_URL_CHARACTERS)
    try:
        return location if _SCHEME.match(location) else urljoin(base, location)
    except ValueError:
        raise RequestRefused("outgoing.redirect", "the redirect is no URL") from None


def _without(headers: Headers, names: frozenset[str]) -> Headers:
    return tuple((name, value) for name, value in headers if name.lower() not in names)
