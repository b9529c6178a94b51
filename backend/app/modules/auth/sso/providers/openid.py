"""OpenID Connect by discovery (OpenID Connect Core 1.0 and Discovery 1.0)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import structlog

from backend.app.engine.http import Send
from backend.app.extensions.http_client.policy import RequestRefused, parse_url
from backend.app.modules.auth.credentials.id_tokens import Expected, InvalidIdToken, UnknownKey, read_id_token
from backend.app.modules.auth.sso.errors import SsoAnswerInvalid
from backend.app.modules.auth.sso.providers.asking import faulty, get_object, redeem
from backend.app.modules.auth.sso.providers.base import Attempt, Vouched, names, usable_email, with_query

log = structlog.get_logger(module_id="auth")

Trust: TypeAlias = Callable[[str, dict[str, Any]], bool]
"""Whether the provider is believed about addresses of a domain, given its claims."""
_KEPT_FOR: Final = timedelta(hours=1)
_KEYS_AGAIN_AFTER: Final = timedelta(minutes=1)
_DISCOVERY: Final = "/.well-known/openid-configuration"


class Documents:
    """Discovery documents and key sets, kept by this process."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[datetime, dict[str, Any]]] = {}

    async def get(
        self, url: str, load: Callable[[], Awaitable[dict[str, Any]]], now: datetime, max_age: timedelta
    ) -> dict[str, Any]:
        """Who comes while an old document is being replaced gets the old one: `load` runs once."""
        kept = self._kept.get(url)
        if kept is not None and now - kept[0] < max_age:
            return kept[1]
        if kept is not None:
            self._kept[url] = now, kept[1]
        try:
            value = await load()
        except BaseException:
            if kept is not None:
                self._kept[url] = kept
            raise
        self._kept[url] = now, value
        return value

    def forget(self) -> None:
        self._kept.clear()


documents = Documents()


@dataclass(frozen=True, slots=True)
class OpenId:
    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    trust: Trust
    require_https: bool

    async def authorization_url(self, attempt: Attempt, challenge: str, send: Send, now: datetime) -> str:
        about = await self._about(send, now)
        return with_query(
            self._endpoint(about, "authorization_endpoint"),
            {
                "response_type": "code",
                "client_id": self.client_id,
                "redirect_uri": attempt.redirect_uri,
                "scope": "openid email profile",
                "state": attempt.state,
                "nonce": attempt.nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            },
        )

    async def identify(self, attempt: Attempt, code: str, issuer: str | None, send: Send, now: datetime) -> Vouched:
        about = await self._about(send, now)
        announced = about.get("authorization_response_iss_parameter_supported") is True
        if issuer != self.issuer and (issuer is not None or announced):  # RFC 9207, 2.4
            raise self._refused("issuer of the answer")
        tokens = await self._redeem(attempt, code, about, send)
        claims = await self._claims(tokens, attempt, about, send, now)
        if "email" not in claims and "userinfo_endpoint" in about:
            claims = {**await self._userinfo(tokens["access_token"], claims["sub"], about, send), **claims}
        email = usable_email(claims.get("email"))
        first, last = names(claims.get("given_name"), claims.get("family_name"), claims.get("name"), email)
        return Vouched(
            issuer=self.issuer,
            subject=claims["sub"],
            email=email,
            verified=claims.get("email_verified") is True,  # the text "true" is no boolean
            trusted=email is not None and self.trust(email.rpartition("@")[2], claims),
            first_name=first,
            last_name=last,
        )

    async def _about(self, send: Send, now: datetime) -> dict[str, Any]:
        url = self._checked(self.issuer.rstrip("/") + _DISCOVERY)

        async def load() -> dict[str, Any]:
            about = await get_object(send, url)
            if about.get("issuer") != self.issuer:  # Discovery 1.0, 4.3
                raise faulty(url, "another issuer")
            return about

        return await documents.get(url, load, now, _KEPT_FOR)

    async def _redeem(self, attempt: Attempt, code: str, about: dict[str, Any], send: Send) -> dict[str, Any]:
        endpoint = self._endpoint(about, "token_endpoint")
        methods = about.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        form = {"code": code, "code_verifier": attempt.verifier, "redirect_uri": attempt.redirect_uri}
        if not isinstance(methods, list):
            raise faulty(endpoint, "the ways to authenticate there are no list")
        if "client_secret_basic" in methods:
            return await redeem(send, endpoint, form, (self.client_id, self.client_secret))
        if "client_secret_post" in methods:
            credentials = {"client_id": self.client_id, "client_secret": self.client_secret}
            return await redeem(send, endpoint, {**form, **credentials}, None)
        raise faulty(endpoint, "takes no client secret")

    async def _claims(
        self, tokens: dict[str, Any], attempt: Attempt, about: dict[str, Any], send: Send, now: datetime
    ) -> dict[str, Any]:
        token = tokens.get("id_token")
        if not isinstance(token, str):
            raise self._refused("no ID token")
        url = self._endpoint(about, "jwks_uri")
        expected = Expected(self.issuer, self.client_id, attempt.nonce)

        async def load() -> dict[str, Any]:
            return await get_object(send, url)

        try:
            try:
                return read_id_token(token, await documents.get(url, load, now, _KEPT_FOR), expected, now)
            except UnknownKey:
                return read_id_token(token, await documents.get(url, load, now, _KEYS_AGAIN_AFTER), expected, now)
        except InvalidIdToken as error:
            raise self._refused(f"ID token: {error}") from None

    async def _userinfo(self, token: str, subject: str, about: dict[str, Any], send: Send) -> dict[str, Any]:
        info = await get_object(send, self._endpoint(about, "userinfo_endpoint"), token=token)
        if info.get("sub") != subject:  # OpenID Connect Core 1.0, 5.3.2
            raise self._refused("userinfo is about somebody else")
        return info

    def _endpoint(self, about: dict[str, Any], name: str) -> str:
        return self._checked(about.get(name))

    def _checked(self, url: Any) -> str:
        try:
            target = parse_url(url if isinstance(url, str) else "")
        except RequestRefused as refusal:
            raise faulty(self.issuer, refusal.message) from None
        if self.require_https and target.origin.scheme != "https":
            raise faulty(self.issuer, "an endpoint without TLS")
        return str(url)

    def _refused(self, reason: str) -> SsoAnswerInvalid:
        log.warning("sso.answer_refused", provider=self.name, reason=reason)
        return SsoAnswerInvalid()
