"""The rules of identity."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from backend.app.core.client_address import UNKNOWN
from backend.app.core.context import ServiceContext
from backend.app.core.etag import entity_tag, require_match
from backend.app.core.ids import new_ulid
from backend.app.core.pagination import Page, PageRequest, Row
from backend.app.core.permissions import ADMINISTRATION, Permission, Principal, Role
from backend.app.core.runtime import NOBODY, Runtime
from backend.app.core.secrets import derive, secret_key, secret_keys
from backend.app.core.settings import Settings
from backend.app.db.session import after_commit
from backend.app.modules.auth.credentials.access_tokens import AccessClaims, AccessTokens
from backend.app.modules.auth.credentials.api_keys import PREFIX as API_KEY_PREFIX
from backend.app.modules.auth.credentials.api_keys import hash_api_key, new_api_key
from backend.app.modules.auth.credentials.expected_passwords import refuse_expected
from backend.app.modules.auth.credentials.passwords import hash_password, is_outdated, verify_password
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.credentials.refresh_tokens import hash_refresh_token, new_refresh_token, successor
from backend.app.modules.auth.credentials.throttle import FORGOTTEN, keys_of, open_from, pause_s
from backend.app.modules.auth.errors import (
    ApiKeyNotFound,
    InvalidCredentials,
    InvalidExpiry,
    InvalidRefreshToken,
    NoSession,
    ScopeNotHeld,
    SessionNotFound,
    SignInAgain,
    TooManyAttempts,
    WorkspaceNotFound,
    WrongPassword,
)
from backend.app.modules.auth.events import (
    ApiKeyCreated,
    ApiKeyRevoked,
    MailRequested,
    PasswordChanged,
    ProfileUpdated,
    RefreshTokenReused,
    SessionRevoked,
    SignInFailed,
    SignUpRepeated,
    UserRegistered,
    UserSignedIn,
    UserSignedOut,
)
from backend.app.modules.auth.repository import (
    ApiKeyRepository,
    IdentityRepository,
    SessionRepository,
    hold_workspace,
)
from backend.app.modules.auth.schemas import (
    ApiKeyCreate,
    ApiKeyRead,
    ApiKeyWithSecret,
    CredentialRead,
    MeRead,
    ProfileUpdate,
    SessionRead,
    TokenPair,
    UserRead,
    UserRegister,
    fold_email,
)

REFRESH_GRACE: Final = timedelta(seconds=10)
"""A spent refresh token that comes again this soon answers the same successor: the first answer may have been lost."""
RECENT: Final = timedelta(minutes=10)
"""How long a sign-in proves that it is its user who asks."""
_LONGEST_KEY: Final = timedelta(days=3653)


def access_tokens(settings: Settings) -> AccessTokens:
    return AccessTokens(
        [derive(key, "access-token") for key in secret_keys(settings)],
        settings.auth.issuer,
        settings.auth.access_token_minutes * 60,
    )


def api_key_hash(key: str, settings: Settings) -> str:
    return api_key_hashes(key, settings)[0]


def api_key_hashes(key: str, settings: Settings) -> list[str]:
    """By every master key, newest first: under which of them it was kept is not known before it is found."""
    return [hash_api_key(key, derive(master, "api-key")) for master in secret_keys(settings)]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a sign-in comes from."""

    address: str = UNKNOWN
    user_agent: str | None = None


UNKNOWN_VISITOR: Final = Visitor()


class SignInService:
    """For those who are nobody yet: sign up, sign in, refresh; and for a change of password.

    It opens its own transactions, because a password takes some 50 ms to hash and nobody should wait for that with a
    connection, or SQLite's one writer, in hand.
    """

    def __init__(self, runtime: Runtime, request_id: str, visitor: Visitor) -> None:
        self._runtime = runtime
        self._request_id = request_id
        self._visitor = visitor

    async def register(self, wanted: UserRegister) -> UserRead:
        """A user with a personal workspace. An address that has an account is answered alike, with a user that there is
        not; its owner learns of it by mail (ASVS 5, 6.3.8). Raises `ExpectedPassword`."""
        refuse_expected(wanted.password, (wanted.email, wanted.first_name, wanted.last_name))
        values = wanted.model_dump(exclude={"password"})
        values["password_hash"] = await hash_password(wanted.password)
        async with self._transaction() as context:
            user = await add_user(context, values)
            if user is None:
                return await _sign_up_again(context, values)
            if context.settings.auth.verify_email:
                context = acting(context, user.id, user.personal_workspace_id)
                await _request_mail(context, "verify_email", user.id, user.email)
        return user

    async def login(self, email: str, password: str) -> TokenPair:
        """A new session. Raises `InvalidCredentials`, alike for an unknown account, a wrong password, a disabled user
        and an address that is not verified yet, and `TooManyAttempts`, whether there is an account or not."""
        user = await self._admit(email)
        stored: str | None = user["password_hash"] if user else None
        proved = await verify_password(stored, password)
        newer = await hash_password(password) if proved and stored and is_outdated(stored) else None
        if user is not None:
            async with self._transaction() as context:
                if proved and await self._may_enter(context, user):
                    await self._forgive(context, user["email"])
                    if newer is not None:
                        await IdentityRepository(context.session).change_user(user["id"], {"password_hash": newer})
                    context = acting(context, user["id"], user["personal_workspace_id"])
                    return await open_session(context, user["id"], "password", self._visitor)
                context = acting(context, None, user["personal_workspace_id"])
                await context.hub.publish(SignInFailed(user_id=user["id"]), context)
        raise InvalidCredentials

    async def change_password(self, principal: Principal, session_id: str | None, current: str, new: str) -> None:
        """Ends all sessions but this one (ASVS 5, 7.4.3). Raises `WrongPassword`, `ExpectedPassword`,
        `TooManyAttempts`."""
        async with self._transaction(write=False) as context:
            user = await IdentityRepository(context.session).user(principal.user_id or "")
        if user is None:
            raise WrongPassword
        refuse_expected(new, (user["email"], user["first_name"], user["last_name"]), "new_password")
        await self._require_password(user, current)
        password_hash = await hash_password(new)
        async with self._transaction() as context:
            users, now = IdentityRepository(context.session), context.clock()
            held = await users.lock_user(user["id"])
            if held is None or held["password_hash"] != user["password_hash"]:
                raise WrongPassword
            await self._forgive(context, user["email"])
            await users.change_user(user["id"], {"password_hash": password_hash, "updated_at": now})
            await SessionRepository(context.session, user["id"], now).end_all(besides=session_id)
            context = acting(context, user["id"], user["personal_workspace_id"])
            await context.hub.publish(PasswordChanged(user_id=user["id"]), context)
            await _request_mail(context, "password_changed", user["id"], user["email"])
            after_commit(context.session, proven.forget)

    async def reauthenticate(self, principal: Principal, session_id: str | None, password: str | None) -> None:
        """That it is the user who asks, and not whoever found a token: they signed in a moment ago, or know the
        password. An API key proves neither. Raises `SignInAgain`, `WrongPassword`, `TooManyAttempts`."""
        async with self._transaction(write=False) as context:
            user = await IdentityRepository(context.session).user(principal.user_id or "")
            sessions = SessionRepository(context.session, principal.user_id or "", context.clock())
            began = await sessions.began(session_id or "")
            recent = began is not None and context.clock() - began < RECENT
        if recent:
            return
        if began is None or user is None or password is None:
            raise SignInAgain
        await self._require_password(user, password)
        async with self._transaction() as context:
            await self._forgive(context, user["email"])

    async def _require_password(self, user: Row, password: str) -> None:
        """Counted as a sign-in, whoever has the token: it is no way around the delays of guessing. Raises
        `WrongPassword`, `TooManyAttempts`."""
        await self._admit(user["email"])
        if not await verify_password(user["password_hash"], password):
            async with self._transaction() as context:
                context = acting(context, user["id"], user["personal_workspace_id"])
                await context.hub.publish(SignInFailed(user_id=user["id"]), context)
            raise WrongPassword

    async def _admit(self, email: str) -> Row | None:
        """Counts the try before its password is checked, so that many at once are no more than as many in a row; then
        answers the account. Raises `TooManyAttempts`."""
        pair, account = failure_keys(email, self._visitor.address, self._runtime.settings)
        async with self._transaction() as context:
            users, now = IdentityRepository(context.session), context.clock()
            held = await users.lock_failures((pair, account), now)
            counts = {key: 0 if now - row["last_at"] > FORGOTTEN else row["failures"] for key, row in held.items()}
            wait = open_from(counts[pair], held[pair]["last_at"]) - now
            if wait > timedelta(0):
                raise TooManyAttempts(wait)
            for key, count in counts.items():
                await users.put_failures(key, count + 1, now)
            if not counts[pair]:
                await users.purge_failures(now - FORGOTTEN)
            user = await users.user_by_email(_account(email))
        if seconds := pause_s(counts[account]):
            await asyncio.sleep(seconds)
        return user

    async def _may_enter(self, context: ServiceContext, user: Row) -> bool:
        """Whether the account is what it was when its password was checked, and open. Who only has to verify the
        address gets the link again."""
        held = await IdentityRepository(context.session).lock_user(user["id"])
        if held is None or held["disabled_at"] is not None or held["password_hash"] != user["password_hash"]:
            return False
        if context.settings.auth.verify_email and held["email_verified_at"] is None:
            context = acting(context, None, user["personal_workspace_id"])
            await _request_mail(context, "verify_email", user["id"], user["email"])
            return False
        return True

    async def _forgive(self, context: ServiceContext, email: str) -> None:
        pair, account = failure_keys(email, self._visitor.address, self._runtime.settings)
        users = IdentityRepository(context.session)
        await users.forget_failures(pair)
        await users.take_failure_back(account)

    async def refresh(self, token: str) -> TokenPair:
        """Rotates the refresh token (RFC 9700, 4.14.2). A spent one that comes later than `REFRESH_GRACE` was copied:
        its session ends, for the thief and for the owner. Raises `InvalidRefreshToken`."""
        settings = self._runtime.settings
        token_hash = hash_refresh_token(token)
        following = successor(token, derive(secret_key(settings), "refresh-token"))
        older = [successor(token, derive(key, "refresh-token")) for key in secret_keys(settings)[1:]]
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
            elif held is not None and older:
                given = {hash_refresh_token(each): each for each in (following, *older)}
                following = given[await sessions.stored_of([*given]) or hash_refresh_token(following)]
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

    @asynccontextmanager
    async def _transaction(self, *, write: bool = True) -> AsyncIterator[ServiceContext]:
        runtime = self._runtime
        async with runtime.database.transaction(write=write) as session:
            yield ServiceContext(runtime.settings, session, runtime.hub, NOBODY, runtime.clock, self._request_id)


class AccountService:
    """For those who are signed in: their profile, their sessions, and their API keys in the active workspace."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._user_id = context.principal.user_id or ""
        self._keys = ApiKeyRepository(context.session, context.workspace_id, self._user_id)
        self._sessions = SessionRepository(context.session, self._user_id, context.clock())

    async def me(self) -> MeRead:
        return self._me(await IdentityRepository(self._context.session).user(self._user_id))

    async def update_me(self, wanted: ProfileUpdate, if_match: str) -> MeRead:
        """Raises `PreconditionFailed`."""
        users = IdentityRepository(self._context.session)
        user = self._me(await users.lock_user(self._user_id))
        require_match(if_match, entity_tag(user.updated_at))
        sent = wanted.model_dump(exclude_unset=True)
        changes = {name: value for name, value in sent.items() if value != getattr(user, name)}
        if not changes:
            return user
        now = self._context.clock()
        await users.change_user(self._user_id, {**changes, "updated_at": now})
        updated = ProfileUpdated(user_id=self._user_id, fields=tuple(sorted(changes)))
        await self._context.hub.publish(updated, self._context)
        return user.model_copy(update={**changes, "updated_at": now})

    async def credential(self, presented: str) -> CredentialRead:
        """About the credential of this request, which was authenticated with it."""
        context, principal = self._context, self._context.principal
        user = self._me(await IdentityRepository(context.session).user(self._user_id))
        claims = session_claims(presented, context.settings, context.clock())
        if claims is not None:
            expires_at: datetime | None = datetime.fromtimestamp(claims.expires_at, UTC)
        else:
            hashes = api_key_hashes(presented, context.settings)
            key = await IdentityRepository(context.session).holder_of_key(hashes, context.clock())
            expires_at = key["expires_at"] if key else None
        return CredentialRead(
            kind="access_token" if claims else "api_key",
            user_id=user.id,
            email=user.email,
            workspace_id=principal.workspace_id,
            session_id=claims.session_id if claims else None,
            expires_at=expires_at,
        )

    async def logout(self, session_id: str | None, *, everywhere: bool) -> None:
        """Raises `NoSession`."""
        if everywhere:
            await self._sessions.end_all()
        elif session_id is None or not await self._sessions.end(session_id):
            raise NoSession
        signed_out = UserSignedOut(user_id=self._user_id, session_id=None if everywhere else session_id)
        await self._context.hub.publish(signed_out, self._context)
        after_commit(self._context.session, proven.forget)

    async def sessions(self, request: PageRequest, current: str | None) -> Page[SessionRead]:
        """Those that are live. Raises `InvalidCursor`."""
        page = request.page(await self._sessions.page(request.after(), request.limit + 1), "id")
        return replace(page, rows=[{**row, "current": row["id"] == current} for row in page.rows])

    async def revoke_session(self, session_id: str) -> None:
        """Raises `SessionNotFound`."""
        if not await self._sessions.end(session_id):
            raise SessionNotFound
        revoked = SessionRevoked(user_id=self._user_id, session_id=session_id)
        await self._context.hub.publish(revoked, self._context)
        after_commit(self._context.session, proven.forget)

    def _me(self, user: Row | None) -> MeRead:
        principal = self._context.principal
        return MeRead.model_validate(
            {**(user or {}), "workspace_id": principal.workspace_id, "permissions": sorted(principal.permissions)}
        )

    async def keys(self, request: PageRequest) -> Page[ApiKeyRead]:
        """Raises `InvalidCursor`."""
        return request.page(await self._keys.page(request.after(), request.limit + 1), "id")

    async def create_key(self, wanted: ApiKeyCreate) -> ApiKeyWithSecret:
        """Raises `ScopeNotHeld`, `InvalidExpiry`, `WorkspaceNotFound`."""
        now, end = self._context.clock(), self._context.principal.expires_at
        expires_at = wanted.expires_at or end
        if expires_at is not None and not now < expires_at <= min(now + _LONGEST_KEY, end or expires_at):
            raise InvalidExpiry
        if not await self._keys.hold_membership():  # `authenticate` may answer what was true a second ago
            raise WorkspaceNotFound
        key = new_api_key()
        read = ApiKeyRead(
            id=new_ulid(),
            name=wanted.name,
            last_four=key[-4:],
            scopes=self._granted(wanted.scopes),
            created_at=now,
            expires_at=expires_at,
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


async def require_workspace(context: ServiceContext) -> None:
    """For what stays in the active workspace: it is there, and nobody deletes it until the transaction ends, whatever
    `authenticate` knows from a second ago. Raises `WorkspaceNotFound`."""
    if not await hold_workspace(context.session, context.workspace_id):
        raise WorkspaceNotFound


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
    return UserRead.model_validate({**values, "id": user_id, "personal_workspace_id": workspace_id, **times})


async def _sign_up_again(context: ServiceContext, values: dict[str, Any]) -> UserRead:
    """What a sign-up with these values would have answered."""
    holder = await IdentityRepository(context.session).user_by_email(values["email"])
    if holder is not None:
        context = acting(context, None, holder["personal_workspace_id"])
        await context.hub.publish(SignUpRepeated(user_id=holder["id"]), context)
        await _request_mail(context, "sign_up_repeated", holder["id"], holder["email"])
    now = context.clock()
    made_up = {"id": new_ulid(), "personal_workspace_id": new_ulid(), "created_at": now, "updated_at": now}
    return UserRead.model_validate({**values, **made_up})


async def _request_mail(
    context: ServiceContext,
    template: Literal["password_changed", "sign_up_repeated", "verify_email"],
    user_id: str,
    email: str,
) -> None:
    await context.hub.publish(MailRequested(to=email, template=template, user_id=user_id), context)


def session_claims(presented: str, settings: Settings, now: datetime) -> AccessClaims | None:
    """Of an access token; None for an API key. Raises `InvalidToken`."""
    return None if presented.startswith(API_KEY_PREFIX) else access_tokens(settings).read(presented, now)


def failure_keys(email: str, address: str, settings: Settings) -> tuple[str, str]:
    """Under what failed sign-ins are counted: the account from that address, and the account."""
    return keys_of(_account(email), address, derive(secret_key(settings), "sign-in-failures"))


def _account(email: str) -> str:
    """Under which an address is looked up and counted, also one that no account can have."""
    try:
        return fold_email(email)
    except ValueError:
        return email.strip().casefold()


async def open_session(
    context: ServiceContext, user_id: str, method: str, visitor: Visitor = UNKNOWN_VISITOR
) -> TokenPair:
    """A sign-in that succeeded. `method`: how, as in `SessionRecord`."""
    session_id, token, now = new_ulid(), new_refresh_token(), context.clock()
    sessions = IdentityRepository(context.session)
    expires_at = now + timedelta(days=context.settings.auth.refresh_token_days)
    await sessions.add_session(session_id, user_id, now, expires_at, method, visitor.address, visitor.user_agent)
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
