"""For commands that talk to a Touchstone server over its REST API.

    async def work(client: Client) -> int:
        project = await client.ask(Project, "GET", f"/projects/{project_id}")
        ...

    return with_client(work)

Whatever goes wrong with the server ends the command with one line and the exit code of `commands.terminal`.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final, Generic, TypeVar
from urllib.parse import unquote, urlencode

import orjson
from pydantic import BaseModel, ValidationError

from backend import __version__
from backend.app.commands.sign_in_file import ApiKey, SignIn, SignInFile, Tokens, UnusableFile
from backend.app.commands.terminal import (
    INTERNAL,
    NOT_AUTHORISED,
    UNREACHABLE,
    USAGE,
    fail,
    printable,
    require_url,
    warn,
)
from backend.app.engine.http import Answer, Headers, Outcome, Request
from backend.app.extensions.http_client import HttpClient, HttpLimits, OutgoingPolicy, RequestRefused
from backend.app.extensions.http_client.policy import parse_url

T = TypeVar("T")

SERVER_VARIABLE: Final = "TOUCHSTONE_SERVER"
API_KEY_VARIABLE: Final = "TOUCHSTONE_API_KEY"
DEFAULT_SERVER: Final = "http://127.0.0.1:8000"
"""Where `touchstone serve` listens when nothing else is said."""

_LIMITS: Final = HttpLimits(deadline_s=30.0)
_PAGE: Final = 200
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII | re.IGNORECASE)
_EXIT_CODES: Final = {
    401: NOT_AUTHORISED,
    403: NOT_AUTHORISED,
    429: UNREACHABLE,
    502: UNREACHABLE,
    503: UNREACHABLE,
    504: UNREACHABLE,
}


class ServerFault(Exception):
    """The server was not reached, or refused. `code` is that of the problem, if it answered one."""

    def __init__(self, message: str, exit_code: int, *, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.status = status
        self.code = code


class Nothing(BaseModel):
    """For answers of which only the success counts."""


class _Meta(BaseModel):
    next_cursor: str | None = None


class _Envelope(BaseModel, Generic[T]):
    data: T
    meta: _Meta


class _Problem(BaseModel):
    code: str
    title: str
    detail: str = ""
    request_id: str = ""
    errors: list[dict[str, Any]] = []


class _Workspace(BaseModel):
    id: str
    name: str


class Server:
    """A server, spoken to as nobody. All methods raise `ServerFault`."""

    def __init__(self, http: HttpClient, url: str) -> None:
        """`url`: as in `SignIn.server`."""
        self.url = url
        self._http = http

    async def ask(
        self, into: type[T], method: str, path: str, body: dict[str, Any] | None = None, headers: Headers = ()
    ) -> T:
        """The data of the answer. `path` is what follows `/api/v1`."""
        return (await self.envelope(into, method, path, body, headers)).data

    async def envelope(
        self, into: type[T], method: str, path: str, body: dict[str, Any] | None = None, headers: Headers = ()
    ) -> "_Envelope[T]":
        sent = None
        if body is not None:
            sent, headers = orjson.dumps(body), (*headers, ("Content-Type", "application/json"))
        exchange = await self._http.send(Request(method, f"{self.url}/api/v1{path}", headers, sent))
        if exchange.answer is None:
            hint = "; the file in SSL_CERT_FILE is trusted too" if exchange.outcome is Outcome.TLS_FAILED else ""
            code = USAGE if exchange.outcome is Outcome.REFUSED else UNREACHABLE
            raise ServerFault(f"{self.url} cannot be reached: {exchange.error}{hint}", code)
        if not 200 <= exchange.answer.status < 300:
            raise self._fault(exchange.answer)
        try:
            return _Envelope[into].model_validate_json(exchange.answer.body)  # type: ignore[valid-type]
        except ValidationError:
            raise self._strange(exchange.answer) from None

    def _fault(self, answer: Answer) -> ServerFault:
        try:
            problem = _Problem.model_validate_json(answer.body)
        except ValidationError:
            return self._strange(answer)
        code = _EXIT_CODES.get(answer.status, USAGE if answer.status < 500 else INTERNAL)
        message = "; ".join(map(_field_fault, problem.errors)) or problem.detail or problem.title
        if answer.status >= 500:
            message = f"{self.url} failed: {message}"
            message += f" (request {problem.request_id})" if problem.request_id else ""
        if (wait := answer.header("Retry-After")) is not None:
            message += f"; try again in {wait} s"
        return ServerFault(message, code, status=answer.status, code=problem.code)

    def _strange(self, answer: Answer) -> ServerFault:
        """For what no Touchstone server says."""
        if 300 <= answer.status < 400:
            said = f"redirects to {answer.header('Location')}; name the address where the server is itself"
        else:
            kind = answer.header("Content-Type") or "no Content-Type"
            said = f"does not answer like a Touchstone server ({answer.status}, {kind}): is the address right?"
        return ServerFault(f"{self.url} {said}", UNREACHABLE, status=answer.status)


class Client:
    """A server, spoken to as somebody. All methods raise `ServerFault` and `UnusableFile`."""

    def __init__(self, server: Server, sign_in: SignIn, file: SignInFile) -> None:
        self.sign_in = sign_in
        self._server = server
        self._file = file
        self._workspace_id: str | None = None
        self._exchanging = asyncio.Lock()

    async def enter(self, workspace: str) -> None:
        """Makes a workspace the active one, by id or name. Before, it is the personal one, or that of the API key."""
        if ULID.fullmatch(workspace):
            self._workspace_id = workspace.upper()
            return
        found = [each.id for each in await self.rows(_Workspace, "/workspaces") if each.name == workspace]
        if not found:
            raise ServerFault(f"you are in no workspace called {workspace!r}", USAGE)
        if len(found) > 1:
            raise ServerFault(f"several workspaces are called {workspace!r}: name one of {', '.join(found)}", USAGE)
        self._workspace_id = found[0]

    async def ask(self, into: type[T], method: str, path: str, body: dict[str, Any] | None = None) -> T:
        """The data of the answer. `path` is what follows `/api/v1`."""
        return (await self._envelope(into, method, path, body)).data

    async def rows(self, row: type[T], path: str) -> list[T]:
        """The rows of all pages."""
        query: dict[str, Any] = {"limit": _PAGE}
        found: list[T] = []
        while True:
            page = await self._envelope(list[row], "GET", f"{path}?{urlencode(query)}")  # type: ignore[valid-type]
            found += page.data
            if page.meta.next_cursor in (None, query.get("cursor")):
                return found
            query["cursor"] = page.meta.next_cursor

    async def _envelope(
        self, into: type[T], method: str, path: str, body: dict[str, Any] | None = None
    ) -> "_Envelope[T]":
        sign_in = self.sign_in
        try:
            return await self._server.envelope(into, method, path, body, self._headers())
        except ServerFault as fault:
            if fault.status != 401:
                raise
            if isinstance(sign_in.credential, ApiKey):
                raise ServerFault(f"{fault}: it may be revoked or expired", NOT_AUTHORISED, status=401) from None
        await self._exchange(sign_in)
        return await self._server.envelope(into, method, path, body, self._headers())

    def _headers(self) -> Headers:
        credential = self.sign_in.credential
        token = credential.api_key if isinstance(credential, ApiKey) else credential.access_token
        headers: Headers = (("Authorization", f"Bearer {token}"),)
        return headers if self._workspace_id is None else (*headers, ("X-Workspace-Id", self._workspace_id))

    async def _exchange(self, expired: SignIn) -> None:
        """Takes new tokens for the refresh token, or those that another command took meanwhile: the token works once,
        and its use a second time ends the session (RFC 9700, 4.14.2)."""
        async with self._exchanging:
            if self.sign_in is not expired:
                return
            with self._file.locked():
                stored = self._file.read()
                if stored is None or (stored.server, stored.email) != (expired.server, expired.email):
                    raise _signed_out(expired.server)
                if stored.credential == expired.credential and isinstance(stored.credential, Tokens):
                    body = {"refresh_token": stored.credential.refresh_token}
                    try:
                        tokens = await self._server.ask(Tokens, "POST", "/auth/refresh", body)
                    except ServerFault as fault:
                        raise _signed_out(expired.server) if fault.status == 401 else fault from None
                    stored = stored.model_copy(update={"credential": tokens})
                    self._file.write(stored)
                self.sign_in = stored


def with_client(work: Callable[[Client], Awaitable[int]], workspace: str | None = None) -> int:
    """Performs `work` as whoever is signed in, and answers its exit code. `workspace` as in `Client.enter`."""
    file = SignInFile()
    with _faults_told():
        sign_in = current_sign_in(file)

    async def run(http: HttpClient) -> int:
        client = Client(Server(http, sign_in.server), sign_in, file)
        if workspace is not None:
            await client.enter(workspace)
        return await work(client)

    return with_http(run)


def with_http(work: Callable[[HttpClient], Coroutine[Any, Any, int]]) -> int:
    """Performs `work` and answers its exit code; a fault ends the command in one line."""

    async def run() -> int:
        # The address is the user's own choice, so private ones are fine.
        policy = OutgoingPolicy(allow_private=True)
        async with HttpClient(policy, limits=_LIMITS, user_agent=f"touchstone-cli/{__version__}") as http:
            return await work(http)

    with _faults_told():
        return asyncio.run(run())


@contextlib.contextmanager
def _faults_told() -> Iterator[None]:
    try:
        yield
    except ServerFault as fault:
        fail(printable(str(fault)), fault.exit_code)
    except UnusableFile as fault:
        fail(str(fault), USAGE)


def current_sign_in(file: SignInFile) -> SignIn:
    """By `TOUCHSTONE_SERVER` and `TOUCHSTONE_API_KEY`, else by the file. What the file holds is sent to no other server
    than its own. Raises `ServerFault`, `UnusableFile`."""
    server, api_key = os.environ.get(SERVER_VARIABLE), (os.environ.get(API_KEY_VARIABLE) or "").strip()
    url = server_url(SERVER_VARIABLE, server) if server else None
    if url is not None and sends_in_the_clear(url):
        warn(f"{url} is not encrypted: others on the way can read the credentials")
    stored = None if url and api_key else file.read()
    if url is None and stored is not None:
        url = stored.server
    if api_key:
        if url is None:
            raise ServerFault(f"{API_KEY_VARIABLE} is set: name its server in {SERVER_VARIABLE}", USAGE)
        return SignIn(server=url, email=None, credential=ApiKey(api_key=api_key))
    if stored is None or stored.server != url:
        raise _signed_out(url)
    return stored


def server_url(said_by: str, text: str) -> str:
    """As in `SignIn.server`; the path of the API or of its docs may stand at the end. Ends with a usage error."""
    require_url(said_by, text)
    try:
        target = parse_url(text)
    except RequestRefused as refusal:
        fail(f"{said_by} {text}: {refusal.message}", USAGE)
    path = re.sub(r"/api/v1(/.*)?$", "", target.path.partition("?")[0])
    return f"{target.origin.scheme}://{target.authority.lower()}{path.rstrip('/')}"


def sends_in_the_clear(url: str) -> bool:
    """Whether the way leads without TLS to another machine."""
    origin = parse_url(url).origin
    local = origin.host.rpartition(".")[2] == "localhost" if origin.address is None else origin.address.is_loopback
    return origin.scheme == "http" and not local


def _signed_out(server: str | None) -> ServerFault:
    at, words = (f" at {server}", f"login {server}") if server else ("", "login")
    return ServerFault(f"you are not signed in{at}: `touchstone {words}`", NOT_AUTHORISED, status=401)


def _field_fault(fault: dict[str, Any]) -> str:
    """One of RFC 9457's: `expires_at: ...` for a field (RFC 6901) or a parameter."""
    place = unquote(str(fault.get("pointer", "")).removeprefix("#/")) or fault.get("parameter")
    detail = fault.get("detail", "")
    return f"{str(place).replace('/', '.')}: {detail}" if place else str(detail)
