"""Providers of single sign-on, served over HTTP on loopback: one of OpenID Connect, and one like GitHub.

They do what a real one does, at once and without asking: whoever comes to the authorization endpoint is `person`. Each
misbehaviour is a field that a test sets; what was asked of them stands in `requests`.
"""

import asyncio
import atexit
import base64
import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote_plus, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from backend.app.core.clock import utc_now
from backend.app.extensions.server import background_server

CLIENT_ID = "touchstone"
CLIENT_SECRET = "a secret: with / odd % characters"
ADA = {
    "sub": "ada-1",
    "email": "ada@corp.example",
    "email_verified": True,
    "given_name": "Ada",
    "family_name": "Lovelace",
}
_KEYS: dict[str, Any] = {}
_MAKERS: dict[str, Callable[[], Any]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
_ALGORITHMS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


@dataclass(frozen=True)
class Key:
    """A key pair by name; a name has one pair in the whole run, because RSA keys take long to make."""

    kid: str
    kind: str = "RS256"

    @property
    def private(self) -> Any:
        name = f"{self.kind} {self.kid}"
        if name not in _KEYS:
            _KEYS[name] = _MAKERS[self.kind]()
        return _KEYS[name]

    @property
    def public(self) -> dict[str, Any]:
        """As a JWK."""
        value = _ALGORITHMS[self.kind].to_jwk(self.private.public_key(), as_dict=True)
        return {**value, "kid": self.kid, "use": "sig"}


@dataclass
class _Code:
    parameters: dict[str, str]
    person: dict[str, Any]
    spent: bool = False


@dataclass
class _Provider:
    clock: Callable[[], datetime] = utc_now
    person: dict[str, Any] = field(default_factory=lambda: dict(ADA))
    requests: list[str] = field(default_factory=list)
    """Paths, in order."""
    broken: dict[str, Response | str] = field(default_factory=dict)
    """By path: what is answered there instead; `hang` never answers, `drip` never ends."""
    answer: dict[str, str] = field(default_factory=dict)
    """Put into the query with which the browser is sent back."""
    url: str = ""
    codes: dict[str, _Code] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)

    def routes(self) -> dict[str, Callable[[Request], Any]]:
        raise NotImplementedError

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route(path, self._guarded(path, endpoint), methods=["GET", "POST"])
                for path, endpoint in self.routes().items()
            ]
        )

    def _guarded(self, path: str, endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Any:
            self.requests.append(path)
            fault = self.broken.get(path)
            if fault == "hang":
                await _until_gone(request)
                return Response()
            if fault == "drip":
                return _Drip()
            return await endpoint(request) if fault is None else fault

        return answer

    async def authorize(self, request: Request) -> Response:
        """Answers the browser at once (RFC 6749, 4.1.2)."""
        parameters = dict(request.query_params)
        assert parameters["response_type"] == "code"
        assert parameters["client_id"] == CLIENT_ID
        assert parameters["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = _Code(parameters, self.person)
        answer = {"code": code, "state": parameters["state"], **self.answer}
        return RedirectResponse(f"{parameters['redirect_uri']}?{urlencode(answer)}", 302)

    def redeemed(self, form: dict[str, str]) -> _Code | None:
        """None for a code that is unknown, spent, or not proved to be the sender's (RFC 7636, 4.6)."""
        code = self.codes.get(form.get("code", ""))
        if code is None or code.spent or form["redirect_uri"] != code.parameters["redirect_uri"]:
            return None
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.parameters["code_challenge"]:
            return None
        code.spent = True
        return code

    def new_token(self, code: _Code) -> str:
        token = secrets.token_urlsafe(16)
        self.tokens[token] = code.person
        return token

    def bearer(self, request: Request) -> dict[str, Any] | None:
        return self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))


@dataclass
class OidcProvider(_Provider):
    key: Key = field(default_factory=lambda: Key("first"))
    published: list[dict[str, Any]] | None = None
    """The key set, where it is not that of `key`."""
    discovery: dict[str, Any] = field(default_factory=dict)
    """Over what discovery says; None takes a field out."""
    claims: dict[str, Any] = field(default_factory=dict)
    """Over those of the ID token; None takes a claim out."""
    encode: Callable[[dict[str, Any]], str] | None = None
    """Makes the ID token of the claims, in place of an honest signature."""
    in_userinfo: tuple[str, ...] = ()
    """Claims that only userinfo tells."""

    def routes(self) -> dict[str, Callable[[Request], Any]]:
        return {
            "/.well-known/openid-configuration": self._discovery,
            "/keys": self._keys,
            "/authorize": self.authorize,
            "/token": self._token,
            "/userinfo": self._userinfo,
        }

    async def _discovery(self, request: Request) -> Response:
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            **self.discovery,
        }
        return JSONResponse(_without_none(document))

    async def _keys(self, request: Request) -> Response:
        return JSONResponse({"keys": [self.key.public] if self.published is None else self.published})

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if not self._is_our_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        code = self.redeemed(form)
        if code is None or form["grant_type"] != "authorization_code":
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": code.parameters["nonce"],
            **{name: value for name, value in code.person.items() if name not in self.in_userinfo},
            **self.claims,
        }
        token = (self.encode or self.sign)(_without_none(claims))
        return JSONResponse({"access_token": self.new_token(code), "token_type": "Bearer", "id_token": token})

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.key.private, self.key.kind, headers={"kid": self.key.kid})

    def _is_our_client(self, request: Request, form: dict[str, str]) -> bool:
        methods = self.discovery.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if "client_secret_basic" not in methods:
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        raw = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        return tuple(unquote_plus(part) for part in raw.split(":")) == (CLIENT_ID, CLIENT_SECRET)

    async def _userinfo(self, request: Request) -> Response:
        person = self.bearer(request)
        return JSONResponse(person) if person else JSONResponse({"error": "invalid_token"}, 401)


@dataclass
class GitHubProvider(_Provider):
    """`person` holds `id`, `login`, `name`; `emails` is what the API lists."""

    person: dict[str, Any] = field(default_factory=lambda: {"id": 4711, "login": "ada", "name": "Ada Lovelace"})
    emails: list[Any] = field(
        default_factory=lambda: [
            {"email": "old@elsewhere.example", "primary": False, "verified": True},
            {"email": "ada@corp.example", "primary": True, "verified": True},
        ]
    )

    def routes(self) -> dict[str, Callable[[Request], Any]]:
        return {
            "/login/oauth/authorize": self.authorize,
            "/login/oauth/access_token": self._token,
            "/user": self._user,
            "/user/emails": self._emails,
        }

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if (form["client_id"], form["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            return JSONResponse({"error": "incorrect_client_credentials"})
        code = self.redeemed(form)
        if code is None:
            return JSONResponse({"error": "bad_verification_code"})
        return JSONResponse({"access_token": self.new_token(code), "token_type": "bearer", "scope": "user:email"})

    async def _user(self, request: Request) -> Response:
        return JSONResponse(self.bearer(request) or {"message": "Bad credentials"})

    async def _emails(self, request: Request) -> Response:
        return JSONResponse(self.emails) if self.bearer(request) else JSONResponse({}, 401)


class _Stage:
    """A server that stays, for one provider after the other: to start and to end one takes longer than most tests."""

    free: ClassVar[list["_Stage"]] = []
    _running: ClassVar = contextlib.ExitStack()

    def __init__(self, app: Any) -> None:
        self.app = app
        self.url = self._running.enter_context(background_server(self))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    @classmethod
    def end_all(cls) -> None:
        cls._running.close()


atexit.register(_Stage.end_all)


@contextlib.contextmanager
def serving(provider: _Provider) -> Iterator[None]:
    """`provider.url` is its base while it is served."""
    app = provider.app()
    stage = _Stage.free.pop() if _Stage.free else _Stage(app)
    stage.app, provider.url = app, stage.url
    try:
        yield
    finally:
        _Stage.free.append(stage)


class _Drip(Response):
    """A byte now and then, for ever."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        gone = asyncio.create_task(_until_gone(Request(scope, receive)))
        while not gone.done():
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.wait([gone], timeout=0.02)


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
