"""All SQL of identity.

Three scopes: `IdentityRepository` looks for whoever holds a credential, before any workspace is known;
`SessionRepository` sees the sessions of one user, `ApiKeyRepository` the keys of one user in one workspace.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.insert import insert_or_ignore
from backend.app.db.types import UlidColumn, UtcDateTime
from backend.app.modules.auth.models import (
    ApiKeyRecord,
    IdentityRecord,
    MailedTokenRecord,
    MembershipRecord,
    RefreshTokenRecord,
    SessionRecord,
    SignInFailureRecord,
    UserRecord,
    UserRole,
    WorkspaceRecord,
)
from backend.app.modules.auth.schemas import ApiKeyRead, SessionRead

_WANTED = bindparam("workspace_id", type_=UlidColumn)
_NOW = bindparam("now", type_=UtcDateTime)

_BY_SESSION = (
    select(
        UserRecord.id.label("user_id"),
        UserRecord.email,
        UserRecord.role.label("user_role"),
        MembershipRecord.role,
        WorkspaceRecord.id.label("workspace_id"),
    )
    .select_from(SessionRecord)
    .join(UserRecord, UserRecord.id == SessionRecord.user_id)
    .outerjoin(
        WorkspaceRecord,
        or_(WorkspaceRecord.id == _WANTED, and_(_WANTED.is_(None), WorkspaceRecord.personal_to == UserRecord.id)),
    )
    .outerjoin(
        MembershipRecord,
        and_(MembershipRecord.workspace_id == WorkspaceRecord.id, MembershipRecord.user_id == UserRecord.id),
    )
    .where(
        SessionRecord.id == bindparam("session_id"),
        SessionRecord.user_id == bindparam("user_id"),
        SessionRecord.ended_at.is_(None),
        SessionRecord.expires_at > _NOW,
        UserRecord.disabled_at.is_(None),
    )
)

_BY_KEY = (
    select(
        ApiKeyRecord.id,
        ApiKeyRecord.key_hash,
        ApiKeyRecord.user_id,
        ApiKeyRecord.workspace_id,
        ApiKeyRecord.name,
        ApiKeyRecord.scopes,
        ApiKeyRecord.last_used_at,
        ApiKeyRecord.expires_at,
        UserRecord.email,
        UserRecord.role.label("user_role"),
        MembershipRecord.role,
    )
    .join(UserRecord, UserRecord.id == ApiKeyRecord.user_id)
    .join(
        MembershipRecord,
        and_(
            MembershipRecord.workspace_id == ApiKeyRecord.workspace_id, MembershipRecord.user_id == ApiKeyRecord.user_id
        ),
    )
    .where(
        ApiKeyRecord.key_hash.in_(bindparam("key_hashes", expanding=True)),
        ApiKeyRecord.revoked_at.is_(None),
        or_(ApiKeyRecord.expires_at.is_(None), ApiKeyRecord.expires_at > _NOW),
        UserRecord.disabled_at.is_(None),
    )
)

_PROFILE = select(
    UserRecord.id,
    UserRecord.email,
    UserRecord.password_hash,
    UserRecord.first_name,
    UserRecord.last_name,
    UserRecord.created_at,
    UserRecord.updated_at,
    UserRecord.email_verified_at,
    UserRecord.disabled_at,
    WorkspaceRecord.id.label("personal_workspace_id"),
).join(WorkspaceRecord, WorkspaceRecord.personal_to == UserRecord.id)

_SESSIONS = select(
    *(getattr(SessionRecord, name) for name in SessionRead.model_fields if name not in ("last_seen_at", "current")),
    select(func.max(RefreshTokenRecord.created_at))
    .where(RefreshTokenRecord.session_id == SessionRecord.id)
    .scalar_subquery()
    .label("last_seen_at"),
)

_KEYS = select(*(getattr(ApiKeyRecord, name) for name in ApiKeyRead.model_fields))


class IdentityRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def holder_of_session(
        self, session_id: str, user_id: str, workspace_id: str | None, now: datetime
    ) -> Row | None:
        """The user of a live session, with a role in the wanted or else the personal workspace; `role` is None for a
        stranger to that workspace."""
        values = {"session_id": session_id, "user_id": user_id, "workspace_id": workspace_id, "now": now}
        return (await self._session.execute(_BY_SESSION, values)).mappings().first()

    async def holder_of_key(self, key_hashes: Sequence[str], now: datetime) -> Row | None:
        return (await self._session.execute(_BY_KEY, {"key_hashes": key_hashes, "now": now})).mappings().first()

    async def touch_key(self, key_id: str, key_hash: str, now: datetime, interval: timedelta) -> None:
        """Notes the use of a key, once in `interval`, and keeps it under this hash."""
        stale = or_(
            ApiKeyRecord.last_used_at.is_(None),
            ApiKeyRecord.last_used_at <= now - interval,
            ApiKeyRecord.key_hash != key_hash,
        )
        await self._session.execute(
            update(ApiKeyRecord).where(ApiKeyRecord.id == key_id, stale).values(last_used_at=now, key_hash=key_hash)
        )

    async def user_by_email(self, email: str) -> Row | None:
        return (await self._session.execute(_PROFILE.where(UserRecord.email == email))).mappings().first()

    async def user(self, user_id: str) -> Row | None:
        return (await self._session.execute(_PROFILE.where(UserRecord.id == user_id))).mappings().first()

    async def lock_user(self, user_id: str) -> Row | None:
        """Who changes the row at the same time comes before or after."""
        query = _PROFILE.where(UserRecord.id == user_id).with_for_update(of=UserRecord)
        return (await self._session.execute(query)).mappings().first()

    async def close_unproved_ways_in(self, user_id: str, now: datetime) -> None:
        """All but the password: sessions, API keys, mailed links and identities open nothing any more.

        An account whose address nobody ever proved may have been made by somebody else, in wait for its owner
        ("pre-hijacking": Sudhodanan and Paverd, USENIX Security 2022)."""
        for kind, column in ((SessionRecord, "ended_at"), (ApiKeyRecord, "revoked_at")):
            live = (kind.user_id == user_id) & getattr(kind, column).is_(None)
            await self._session.execute(update(kind).where(live).values({column: now}))
        for model in (MailedTokenRecord, IdentityRecord):
            await self._session.execute(delete(model).where(model.user_id == user_id))

    async def change_user(self, user_id: str, values: Mapping[str, Any]) -> None:
        await self._session.execute(update(UserRecord).where(UserRecord.id == user_id).values(**values))

    async def add_user(self, values: dict[str, Any]) -> bool:
        """The first user of the installation is its administrator. False when the e-mail address is taken."""
        role = {"role": UserRole.ADMIN} if await self._nobody_is_there() else {}
        return await insert_or_ignore(self._session, UserRecord, {**role, **values})

    async def _nobody_is_there(self) -> bool:
        """Yes to one caller at most: a second one waits for the first one's transaction."""
        anybody = select(UserRecord.id).limit(1)
        if await self._session.scalar(anybody) is not None:
            return False
        if self._session.get_bind().dialect.name == "postgresql":
            await self._session.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))
        return await self._session.scalar(anybody) is None

    async def add_personal_workspace(self, values: dict[str, Any], user_id: str, role: str) -> None:
        await self._session.execute(insert(WorkspaceRecord).values(**values, personal_to=user_id))
        await self._session.execute(
            insert(MembershipRecord).values(
                workspace_id=values["id"], user_id=user_id, role=role, created_at=values["created_at"]
            )
        )

    async def add_session(
        self,
        session_id: str,
        user_id: str,
        now: datetime,
        expires_at: datetime,
        method: str,
        address: str | None,
        user_agent: str | None,
    ) -> None:
        await self._session.execute(
            insert(SessionRecord).values(
                id=session_id,
                user_id=user_id,
                created_at=now,
                expires_at=expires_at,
                method=method,
                address=address,
                user_agent=user_agent,
            )
        )

    async def add_refresh_token(self, token_hash: str, session_id: str, now: datetime) -> None:
        await self._session.execute(
            insert(RefreshTokenRecord).values(token_hash=token_hash, session_id=session_id, created_at=now)
        )

    async def lock_refresh_token(self, token_hash: str, now: datetime) -> Row | None:
        """The token of a live session; a second request with it waits for the first."""
        query = (
            select(RefreshTokenRecord.session_id, RefreshTokenRecord.spent_at, SessionRecord.user_id)
            .join(SessionRecord, SessionRecord.id == RefreshTokenRecord.session_id)
            .join(UserRecord, UserRecord.id == SessionRecord.user_id)
            .where(
                RefreshTokenRecord.token_hash == token_hash,
                SessionRecord.ended_at.is_(None),
                SessionRecord.expires_at > now,
                UserRecord.disabled_at.is_(None),
            )
            .with_for_update(of=(RefreshTokenRecord, SessionRecord))
        )
        return (await self._session.execute(query)).mappings().first()

    async def spend_refresh_token(self, token_hash: str, now: datetime) -> None:
        await self._session.execute(
            update(RefreshTokenRecord).where(RefreshTokenRecord.token_hash == token_hash).values(spent_at=now)
        )

    async def stored_of(self, token_hashes: Sequence[str]) -> str | None:
        """Which of these hashes of refresh tokens there is."""
        query = select(RefreshTokenRecord.token_hash).where(RefreshTokenRecord.token_hash.in_(token_hashes))
        return await self._session.scalar(query.limit(1))

    async def end_session(self, session_id: str, now: datetime) -> None:
        await self._session.execute(update(SessionRecord).where(SessionRecord.id == session_id).values(ended_at=now))

    async def lock_failures(self, key_hashes: Sequence[str], now: datetime) -> dict[str, Row]:
        """The counts of failed sign-ins by key; a second request for one of them waits for the first. In the order of
        the keys, so that two requests never wait for each other."""
        for key_hash in sorted(key_hashes):
            await insert_or_ignore(
                self._session, SignInFailureRecord, {"key_hash": key_hash, "failures": 0, "last_at": now}
            )
        query = (
            select(SignInFailureRecord.key_hash, SignInFailureRecord.failures, SignInFailureRecord.last_at)
            .where(SignInFailureRecord.key_hash.in_(key_hashes))
            .order_by(SignInFailureRecord.key_hash)
            .with_for_update()
        )
        return {row["key_hash"]: row for row in (await self._session.execute(query)).mappings()}

    async def put_failures(self, key_hash: str, failures: int, now: datetime) -> None:
        await self._session.execute(
            update(SignInFailureRecord)
            .where(SignInFailureRecord.key_hash == key_hash)
            .values(failures=failures, last_at=now)
        )

    async def take_failure_back(self, key_hash: str) -> None:
        await self._session.execute(
            update(SignInFailureRecord)
            .where(SignInFailureRecord.key_hash == key_hash, SignInFailureRecord.failures > 0)
            .values(failures=SignInFailureRecord.failures - 1)
        )

    async def forget_failures(self, key_hash: str) -> None:
        await self._session.execute(delete(SignInFailureRecord).where(SignInFailureRecord.key_hash == key_hash))

    async def purge_failures(self, before: datetime, limit: int = 100) -> None:
        """Some of those that ended before; what another request holds stays."""
        old = (
            select(SignInFailureRecord.key_hash)
            .where(SignInFailureRecord.last_at < before)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        await self._session.execute(delete(SignInFailureRecord).where(SignInFailureRecord.key_hash.in_(old)))


class SessionRepository:
    """The live sessions of one user."""

    def __init__(self, session: AsyncSession, user_id: str, now: datetime) -> None:
        self._session = session
        self._now = now
        self._mine = and_(
            SessionRecord.user_id == user_id, SessionRecord.ended_at.is_(None), SessionRecord.expires_at > now
        )

    async def page(self, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        query = _SESSIONS.where(self._mine)
        if before is not None:
            query = query.where(SessionRecord.id < before)
        return (await self._session.execute(query.order_by(SessionRecord.id.desc()).limit(limit))).mappings().all()

    async def began(self, session_id: str) -> datetime | None:
        """When its user signed in; None for one that is not live."""
        return await self._session.scalar(
            select(SessionRecord.created_at).where(self._mine, SessionRecord.id == session_id)
        )

    async def end(self, session_id: str) -> bool:
        return await self._end(SessionRecord.id == session_id) == 1

    async def end_all(self, besides: str | None = None) -> int:
        """Answers how many there were."""
        return await self._end(true() if besides is None else SessionRecord.id != besides)

    async def _end(self, which: ColumnElement[bool]) -> int:
        statement = update(SessionRecord).where(self._mine, which).values(ended_at=self._now)
        return cast(CursorResult[Any], await self._session.execute(statement)).rowcount


async def hold_workspace(session: AsyncSession, workspace_id: str) -> bool:
    """Nobody deletes it until the transaction ends. False when it is gone."""
    query = select(WorkspaceRecord.id).where(WorkspaceRecord.id == workspace_id)
    return await session.scalar(query.with_for_update(read=True, key_share=True)) is not None


class ApiKeyRepository:
    def __init__(self, session: AsyncSession, workspace_id: str, user_id: str) -> None:
        self._session = session
        self._membership = and_(MembershipRecord.workspace_id == workspace_id, MembershipRecord.user_id == user_id)
        self._mine = and_(
            ApiKeyRecord.workspace_id == workspace_id,
            ApiKeyRecord.user_id == user_id,
            ApiKeyRecord.revoked_at.is_(None),
        )

    async def hold_membership(self) -> bool:
        """Nobody ends it until the transaction ends. False when there is none."""
        query = select(MembershipRecord.user_id).where(self._membership)
        return await self._session.scalar(query.with_for_update(read=True, key_share=True)) is not None

    async def add(self, values: dict[str, Any]) -> None:
        await self._session.execute(insert(ApiKeyRecord).values(**values))

    async def page(self, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        query = _KEYS.where(self._mine)
        if before is not None:
            query = query.where(ApiKeyRecord.id < before)
        return (await self._session.execute(query.order_by(ApiKeyRecord.id.desc()).limit(limit))).mappings().all()

    async def get(self, key_id: str) -> Row | None:
        return (await self._session.execute(_KEYS.where(self._mine, ApiKeyRecord.id == key_id))).mappings().first()

    async def revoke(self, key_id: str, now: datetime) -> bool:
        statement = update(ApiKeyRecord).where(self._mine, ApiKeyRecord.id == key_id).values(revoked_at=now)
        return cast(CursorResult[Any], await self._session.execute(statement)).rowcount == 1
