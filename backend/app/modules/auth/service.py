"""The rules of identity."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.pagination import Page, PageRequest, Row
from backend.app.core.permissions import ADMINISTRATION, Permission, Principal, Role
from backend.app.core.runtime import NOBODY, Runtime
from backend.app.core.secrets import derive, secret_key
from backend.app.core.settings import Settings
from backend.app.db.session import after_commit
from backend.app.modules.auth.credentials.access_tokens import AccessTokens
from backend.app.modules.auth.credentials.api_keys import hash_api_key, new_api_key
from backend.app.modules.auth.credentials.passwords import hash_password, verify_password
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.credentials.refresh_tokens import hash_refresh_token, new_refresh_token, successor
from backend.app.modules.auth.errors import (
    ApiKeyNotFound,
    EmailTaken,
    InvalidCredentials,
    InvalidExpiry,
    InvalidRefreshToken,
    ScopeNotHeld,
)
from backend.app.modules.auth.events import (
    ApiKeyCreated,
    ApiKeyRevoked,
    RefreshTokenReused,
    SignInFailed,
    UserRegistered,
    UserSignedIn,
)
from backend.app.modules.auth.repository import ApiKeyRepository, IdentityRepository
from backend.app.modules.auth.schemas import (
    ApiKeyCreate,
    ApiKeyRead,
    ApiKeyWithSecret,
    MeRead,
    TokenPair,
    UserLogin,
    UserRead,
    UserRegister,
    fold_email,
)

REFRESH_GRACE: Final = timedelta(seconds=10)
"""A spent refresh token that comes again this soon answers the same successor: the first answer may have been lost."""
_LONGEST_KEY: Final = timedelta(days=3653)


def access_tokens(settings: Settings) -> AccessTokens:
    return AccessTokens(
        derive(secret_key(settings), "access-token"), settings.auth.issuer, settings.auth.access_token_minutes * 60
    )


def api_key_hash(key: str, settings: Settings) -> str:
    return hash_api_key(key, derive(secret_key(settings), "api-key"))


class SignInService:
    """For those who are nobody yet: sign up, sign in, refresh.

    It opens its own transactions, because a password takes some 50 ms to hash and nobody should wait for that with a
    connection, or SQLite's one writer, in hand.
    """

    def __init__(self, runtime: Runtime, request_id: str) -> None:
        self._runtime = runtime
        self._request_id = request_id

    async def register(self, wanted: UserRegister) -> UserRead:
        """A user with a personal workspace. Raises `EmailTaken`."""
        password_hash = await hash_password(wanted.password)
        values = {**wanted.model_dump(exclude={"password"}), "password_hash": password_hash}
        async with self._transaction() as context:
            user = await add_user(context, values)
        if user is None:
            raise EmailTaken
        return user

    async def login(self, wanted: UserLogin) -> TokenPair:
        """A new session. Raises `InvalidCredentials`, alike for an unknown account and a wrong password."""
        user = await self._user_by_email(wanted.email)
        proved = await verify_password(user["password_hash"] if user else None, wanted.password)
        if user is None:
            raise InvalidCredentials
        user_id, workspace_id = user["id"], user["personal_workspace_id"]
        if not proved:
            async with self._transaction() as context:
                context = acting(context, None, workspace_id)
                await context.hub.publish(SignInFailed(user_id=user_id), context)
            raise InvalidCredentials
        async with self._transaction() as context:
            return await open_session(acting(context, user_id, workspace_id), user_id, "password")

    async def refresh(self, token: str) -> TokenPair:
        """Rotates the refresh token (RFC 9700, 4.14.2). A spent one that comes later than `REFRESH_GRACE` was copied:
        its session ends, for the thief and for the owner. Raises `InvalidRefreshToken`."""
        settings = self._runtime.settings
        token_hash = hash_refresh_token(token)
        following = successor(token, derive(secret_key(settings), "refresh-token"))
        async with self._transaction() as context:
            now = context.clock()
            sessions = IdentityRepository(context.session)
            held = await sessions.lock_refresh_token(token_hash, now)
            reused = held is not None and held["spent_at"] is not None and now - held["spent_at"] > REFRESH_GRACE
            if held is not None and reused:
                await self._end_copied_session(context, held, now)
            elif held is not None and held["spent_at"] is None:
                await sessions.spend_refresh_token(token_hash, now)
                await sessions.add_refresh_token(hash_refresh_token(following), held["session_id"], now)
        if held is None or reused:
            raise InvalidRefreshToken
        return _pair(settings, held["user_id"], held["session_id"], following, now)

    async def _end_copied_session(self, context: ServiceContext, held: Row, now: datetime) -> None:
        users = IdentityRepository(context.session)
        await users.end_session(held["session_id"], now)
        user = await users.user(held["user_id"])
        if user is not None:
            context = acting(context, None, user["personal_workspace_id"])
            reused = RefreshTokenReused(user_id=held["user_id"], session_id=held["session_id"])
            await context.hub.publish(reused, context)
        after_commit(context.session, proven.forget)

    async def _user_by_email(self, email: str) -> Row | None:
        try:
            folded = fold_email(email)
        except ValueError:
            return None
        async with self._transaction(write=False) as context:
            return await IdentityRepository(context.session).user_by_email(folded)

    @asynccontextmanager
    async def _transaction(self, *, write: bool = True) -> AsyncIterator[ServiceContext]:
        runtime = self._runtime
        async with runtime.database.transaction(write=write) as session:
            yield ServiceContext(runtime.settings, session, runtime.hub, NOBODY, runtime.clock, self._request_id)


class AccountService:
    """For those who are signed in: their profile and their API keys in the active workspace."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._user_id = context.principal.user_id or ""
        self._keys = ApiKeyRepository(context.session, context.workspace_id, self._user_id)

    async def me(self) -> MeRead:
        user = await IdentityRepository(self._context.session).user(self._user_id)
        principal = self._context.principal
        return MeRead.model_validate(
            {**(user or {}), "workspace_id": principal.workspace_id, "permissions": sorted(principal.permissions)}
        )

    async def keys(self, request: PageRequest) -> Page[ApiKeyRead]:
        """Raises `InvalidCursor`."""
        return request.page(await self._keys.page(request.after(), request.limit + 1), "id")

    async def create_key(self, wanted: ApiKeyCreate) -> ApiKeyWithSecret:
        """Raises `ScopeNotHeld`, `InvalidExpiry`."""
        now = self._context.clock()
        if wanted.expires_at is not None and not now < wanted.expires_at <= now + _LONGEST_KEY:
            raise InvalidExpiry
        key = new_api_key()
        read = ApiKeyRead(
            id=new_ulid(),
            name=wanted.name,
            last_four=key[-4:],
            scopes=self._granted(wanted.scopes),
            created_at=now,
            expires_at=wanted.expires_at,
            last_used_at=None,
        )
        await self._keys.add(
            {
                **read.model_dump(),
                "workspace_id": self._context.workspace_id,
                "user_id": self._user_id,
                "key_hash": api_key_hash(key, self._context.settings),
            }
        )
        await self._context.hub.publish(
            ApiKeyCreated(api_key_id=read.id, user_id=self._user_id, label=read.name, scopes=tuple(read.scopes)),
            self._context,
        )
        return ApiKeyWithSecret(**read.model_dump(), key=key)

    async def revoke_key(self, key_id: str) -> None:
        """Raises `ApiKeyNotFound`."""
        key = await self._keys.get(key_id)
        if key is None or not await self._keys.revoke(key_id, self._context.clock()):
            raise ApiKeyNotFound
        revoked = ApiKeyRevoked(api_key_id=key_id, user_id=self._user_id, label=key["name"])
        await self._context.hub.publish(revoked, self._context)
        after_commit(self._context.session, proven.forget)

    def _granted(self, wanted: list[Permission] | None) -> list[Permission]:
        held = self._context.principal.permissions
        scopes = held - ADMINISTRATION if wanted is None else frozenset(wanted)
        if foreign := scopes - held:
            raise ScopeNotHeld(f"you may not {', '.join(sorted(foreign))}")
        return sorted(scopes)


async def add_user(context: ServiceContext, values: dict[str, Any]) -> UserRead | None:
    """A user with a personal workspace; None when the address has an account. `values`: columns of `users`."""
    now = context.clock()
    times = {"created_at": now, "updated_at": now}
    user_id, workspace_id = new_ulid(), new_ulid()
    users = IdentityRepository(context.session)
    if not await users.add_user({**values, "id": user_id, **times}):
        return None
    workspace = {"id": workspace_id, "name": f"{values['first_name']}'s workspace", **times}
    await users.add_personal_workspace(workspace, user_id, Role.OWNER)
    context = acting(context, user_id, workspace_id)
    await context.hub.publish(UserRegistered(user_id=user_id), context)
    return UserRead.model_validate({**values, "id": user_id, "personal_workspace_id": workspace_id, "created_at": now})


async def open_session(context: ServiceContext, user_id: str, method: str) -> TokenPair:
    """A sign-in that succeeded. `method`: how, as in `SessionRecord`."""
    session_id, token, now = new_ulid(), new_refresh_token(), context.clock()
    sessions = IdentityRepository(context.session)
    expires_at = now + timedelta(days=context.settings.auth.refresh_token_days)
    await sessions.add_session(session_id, user_id, now, expires_at, method)
    await sessions.add_refresh_token(hash_refresh_token(token), session_id, now)
    await context.hub.publish(UserSignedIn(user_id=user_id, session_id=session_id), context)
    return _pair(context.settings, user_id, session_id, token, now)


def _pair(settings: Settings, user_id: str, session_id: str, refresh_token: str, now: datetime) -> TokenPair:
    return TokenPair(
        access_token=access_tokens(settings).issue(user_id, session_id, now),
        refresh_token=refresh_token,
        expires_in=settings.auth.access_token_minutes * 60,
    )


def acting(context: ServiceContext, user_id: str | None, workspace_id: str) -> ServiceContext:
    """The same call, on the timeline of that workspace."""
    return replace(context, principal=Principal(user_id, workspace_id, frozenset()))
