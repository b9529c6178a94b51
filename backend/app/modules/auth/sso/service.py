"""The rules of single sign-on (RFC 9700; ASVS 6.8, 10.1, 10.2, 10.5)."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import orjson
import structlog

from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.pagination import Page, PageRequest, Row
from backend.app.core.runtime import NOBODY, Runtime
from backend.app.core.secrets import SealBroken, Sealer, sealer
from backend.app.db.session import after_commit
from backend.app.engine.http import Send
from backend.app.extensions.http_client import HttpClient, HttpLimits
from backend.app.extensions.http_client.configure import outgoing_policy
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.events import MailRequested
from backend.app.modules.auth.repository import IdentityRepository
from backend.app.modules.auth.schemas import TokenPair
from backend.app.modules.auth.service import Visitor, acting, add_user, open_session
from backend.app.modules.auth.sso.errors import (
    IdentityTaken,
    LastWayIn,
    LinkedIdentityNotFound,
    SsoAccountRefused,
    SsoAnswerInvalid,
    SsoDenied,
    SsoProviderNotFound,
    SsoStateInvalid,
)
from backend.app.modules.auth.sso.events import IdentityLinked, IdentityRemoved, SsoSignInRefused
from backend.app.modules.auth.sso.providers.base import Attempt, Provider, Vouched
from backend.app.modules.auth.sso.repository import LinkedIdentityRepository, SsoRepository
from backend.app.modules.auth.sso.schemas import LinkedIdentityRead, SsoProviderRead

log = structlog.get_logger(module_id="auth")

ATTEMPT_LIFETIME: Final = timedelta(minutes=10)
_CALLBACK: Final = "/api/v1/auth/sso/{}/callback"
_MAX_ANSWER_BYTES: Final = 512 * 1024
"""Of a provider: discovery documents and key sets have a few thousand."""


@dataclass(frozen=True, slots=True)
class Started:
    """`browser` is the secret that the browser has to bring back."""

    authorization_url: str
    browser: str


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What the browser brings from the provider (RFC 6749, 4.1.2; `issuer`: RFC 9207)."""

    state: str
    code: str | None
    issuer: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Linking:
    """The session whose user wants an identity linked."""

    user_id: str
    session_id: str


class SsoService:
    """For those who are nobody yet, and for linking. It opens its own transactions: none is held while a provider is
    asked."""

    def __init__(self, runtime: Runtime, request_id: str, visitor: Visitor, providers: dict[str, Provider]) -> None:
        self._runtime = runtime
        self._request_id = request_id
        self._visitor = visitor
        self._providers = providers

    def providers(self) -> list[SsoProviderRead]:
        return [SsoProviderRead(name=each.name, label=each.label) for each in self._providers.values()]

    async def start(self, name: str, linking: Linking | None = None) -> Started:
        """`linking`: for whom the identity is to be linked, in place of a sign-in. Raises `SsoProviderNotFound`,
        `SsoProviderUnavailable`, `SsoProviderFaulty`."""
        provider = self.provider(name)
        now = self._runtime.clock()
        state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
        attempt = Attempt(state, nonce, verifier, self._redirect_uri(name))
        async with self._client() as send:
            url = await provider.authorization_url(attempt, _s256(verifier), send, now)
        state_hash = _sha256(state)
        held = orjson.dumps({"nonce": nonce, "verifier": verifier, "browser": _sha256(browser), "linking": linking})
        async with self._transaction() as context:
            attempts = SsoRepository(context.session)
            await attempts.drop_expired_attempts(now)
            await attempts.add_attempt(
                {
                    "state_hash": state_hash,
                    "provider": name,
                    "sealed": self._sealer().seal(held, _place(state_hash)),
                    "expires_at": now + ATTEMPT_LIFETIME,
                }
            )
        return Started(url, browser)

    async def complete(self, name: str, answer: CallbackAnswer, browser: str | None) -> TokenPair:
        """Signs in whom the provider vouches for, after linking the identity where that was asked for. `browser`: the
        secret from the cookie.

        Raises `SsoProviderNotFound`, `SsoStateInvalid`, `SsoDenied`, `SsoAnswerInvalid`, `SsoAccountRefused`,
        `SsoProviderUnavailable`, `SsoProviderFaulty`, `IdentityTaken`.
        """
        provider = self.provider(name)
        attempt, linking = await self._take(name, answer.state, browser)
        if answer.error is not None:
            log.warning("sso.denied", provider=name, reason=answer.error)
            raise SsoDenied
        if answer.code is None:
            raise SsoAnswerInvalid
        async with self._client() as send:
            vouched = await provider.identify(attempt, answer.code, answer.issuer, send, self._runtime.clock())
        async with self._transaction() as context:
            account = (
                await self._account(context, name, vouched)
                if linking is None
                else await self._link_to(context, name, vouched, linking)
            )
            if account is not None:
                own = acting(context, account["id"], account["personal_workspace_id"])
                return await open_session(own, account["id"], f"sso:{name}", self._visitor)
        raise SsoAccountRefused

    async def _take(self, name: str, state: str, browser: str | None) -> tuple[Attempt, Linking | None]:
        """The attempt, once: whoever asks again, from another browser or too late, gets `SsoStateInvalid`. The cookie
        ties it to the browser that started it, so that nobody is signed in to somebody else's account (RFC 9700,
        4.7)."""
        state_hash = _sha256(state)
        async with self._transaction() as context:
            row = await SsoRepository(context.session).take_attempt(state_hash)
        if row is None or row["provider"] != name or row["expires_at"] <= self._runtime.clock() or browser is None:
            raise SsoStateInvalid
        try:
            held = orjson.loads(self._sealer().open(row["sealed"], _place(state_hash)))
        except SealBroken:  # the key of the installation was changed meanwhile
            raise SsoStateInvalid from None
        if not hmac.compare_digest(held["browser"], _sha256(browser)):
            raise SsoStateInvalid
        linking = Linking(**held["linking"]) if held.get("linking") else None
        return Attempt(state, held["nonce"], held["verifier"], self._redirect_uri(name)), linking

    async def _account(self, context: ServiceContext, name: str, vouched: Vouched) -> Row | None:
        """Whose account it is, known by (issuer, subject) and never by the address alone (ASVS 6.8.1); None when it
        must not be opened."""
        repository = SsoRepository(context.session)
        account = await repository.account_of(vouched.issuer, vouched.subject)
        if account is not None:
            if account["disabled_at"] is not None:
                await self._refuse(context, name, account, "disabled")
                return None
            await repository.touch_identity(account["identity_id"], context.clock())
            return account
        if vouched.email is None:
            log.warning("sso.account_refused", provider=name, reason="no address")
            return None
        account = await repository.account_with(vouched.email)
        created = False
        if account is None and vouched.verified:
            created = await self._sign_up(context, vouched)
            account = await repository.account_with(vouched.email)
        if account is None:
            log.warning("sso.account_refused", provider=name, reason="unverified address")
            return None
        if not created and (objection := _objection(vouched, account)):
            await self._refuse(context, name, account, objection)
            return None
        take_over = not created and account["email_verified_at"] is None
        if take_over:
            await self._take_over(context, account)
        if await self._link(context, name, vouched, account, took_over=take_over) != account["id"]:
            raise SsoAccountRefused  # it was linked to another account a moment ago
        if not created:
            await self._tell(context, name, account)
        return account

    async def _link_to(self, context: ServiceContext, name: str, vouched: Vouched, linking: Linking) -> Row:
        """Whoever is signed in here and there at once has shown that both are theirs: what the provider says about an
        address decides nothing. Raises `SsoStateInvalid`, `IdentityTaken`."""
        repository, now = SsoRepository(context.session), context.clock()
        account = await repository.account_signed_in(linking.user_id, linking.session_id, now)
        if account is None:
            raise SsoStateInvalid
        known = await repository.holder_of(vouched.issuer, vouched.subject)
        holder = known["user_id"] if known else await self._link(context, name, vouched, account, took_over=False)
        if holder != account["id"]:
            log.warning("sso.link_refused", provider=name, reason="taken", user_id=account["id"])
            raise IdentityTaken
        if known is not None:
            await repository.touch_identity(known["id"], now)
        else:
            await self._tell(context, name, account)
        return account

    async def _sign_up(self, context: ServiceContext, vouched: Vouched) -> bool:
        values = {
            "email": vouched.email,
            "password_hash": None,
            "first_name": vouched.first_name,
            "last_name": vouched.last_name,
            "email_verified_at": context.clock() if vouched.trusted else None,
        }
        return await add_user(context, values) is not None

    async def _take_over(self, context: ServiceContext, account: Row) -> None:
        """Whoever proves the address first has the account alone."""
        users, now = IdentityRepository(context.session), context.clock()
        await users.close_unproved_ways_in(account["id"], now)
        await users.change_user(account["id"], {"password_hash": None, "email_verified_at": now})
        after_commit(context.session, proven.forget)

    async def _link(
        self, context: ServiceContext, name: str, vouched: Vouched, account: Row, *, took_over: bool
    ) -> str:
        """Whose the identity is: of the account, unless somebody else was faster."""
        repository, now = SsoRepository(context.session), context.clock()
        identity_id = new_ulid()
        added = await repository.add_identity(
            {
                "id": identity_id,
                "user_id": account["id"],
                "provider": name,
                "issuer": vouched.issuer,
                "subject": vouched.subject,
                "email": vouched.email or "",
                "created_at": now,
                "last_used_at": now,
            }
        )
        if not added:
            holder = await repository.holder_of(vouched.issuer, vouched.subject)
            return holder["user_id"] if holder else ""
        linked = IdentityLinked(identity_id=identity_id, user_id=account["id"], provider=name, took_over=took_over)
        own = acting(context, account["id"], account["personal_workspace_id"])
        await own.hub.publish(linked, own)
        return str(account["id"])

    async def _tell(self, context: ServiceContext, name: str, account: Row) -> None:
        """The owner of the mailbox learns of a way in that is new (ASVS 5, 6.3.7)."""
        own = acting(context, account["id"], account["personal_workspace_id"])
        details = {"provider": self.provider(name).label}
        mail = MailRequested(to=account["email"], template="identity_linked", user_id=account["id"], details=details)
        await own.hub.publish(mail, own)

    async def _refuse(self, context: ServiceContext, name: str, account: Row, reason: str) -> None:
        """Told on the timeline of the account, and to nobody else."""
        context = acting(context, None, account["personal_workspace_id"])
        refused = SsoSignInRefused(user_id=account["id"], provider=name, reason=reason)
        await context.hub.publish(refused, context)

    def provider(self, name: str) -> Provider:
        """Raises `SsoProviderNotFound`."""
        if name not in self._providers:
            raise SsoProviderNotFound
        return self._providers[name]

    def _redirect_uri(self, name: str) -> str:
        return self._runtime.settings.public_url + _CALLBACK.format(name)

    def _sealer(self) -> Sealer:
        return sealer(self._runtime.settings)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Send]:
        """Follows no redirects: what a provider names is what is asked."""
        settings = self._runtime.settings
        limits = HttpLimits(deadline_s=settings.http.deadline_s, max_body_bytes=_MAX_ANSWER_BYTES)
        async with HttpClient(outgoing_policy(settings), limits=limits) as client:
            yield client.send

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[ServiceContext]:
        runtime = self._runtime
        async with runtime.database.transaction() as session:
            yield ServiceContext(runtime.settings, session, runtime.hub, NOBODY, runtime.clock, self._request_id)


class LinkedIdentityService:
    """For those who are signed in: the identities that open their account."""

    def __init__(self, context: ServiceContext, providers: Collection[str]) -> None:
        """`providers`: the names of those that sign people in here; an identity elsewhere opens nothing."""
        self._context = context
        self._providers = providers
        self._user_id = context.principal.user_id or ""
        self._identities = LinkedIdentityRepository(context.session, self._user_id)

    async def page(self, request: PageRequest) -> Page[LinkedIdentityRead]:
        """Raises `InvalidCursor`."""
        return request.page(await self._identities.page(request.after(), request.limit + 1), "id")

    async def remove(self, identity_id: str) -> None:
        """Raises `LinkedIdentityNotFound`, `LastWayIn`."""
        others = await self._identities.lock_other_ways_in(identity_id, self._providers)
        identity = await self._identities.get(identity_id)
        if identity is None:
            raise LinkedIdentityNotFound
        if not others:
            raise LastWayIn
        await self._identities.remove(identity_id)
        removed = IdentityRemoved(identity_id=identity_id, user_id=self._user_id, provider=identity["provider"])
        await self._context.hub.publish(removed, self._context)


def _objection(vouched: Vouched, account: Row) -> str | None:
    """Why the provider's word does not link the account."""
    if not vouched.verified:
        return "unverified"
    if not vouched.trusted:
        return "untrusted"
    return "disabled" if account["disabled_at"] is not None else None


def _sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _s256(verifier: str) -> str:
    """RFC 7636, 4.2."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _place(state_hash: str) -> str:
    return f"sso_attempts/{state_hash}"
