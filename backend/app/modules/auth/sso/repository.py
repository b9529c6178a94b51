"""All SQL of single sign-on.

`SsoRepository` looks for whoever a provider vouches for, before anybody is signed in; `LinkedIdentityRepository` sees
the identities of one user.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.insert import insert_or_ignore
from backend.app.modules.auth.models import (
    IdentityRecord,
    SessionRecord,
    SsoAttemptRecord,
    UserRecord,
    WorkspaceRecord,
)
from backend.app.modules.auth.sso.schemas import LinkedIdentityRead

_ACCOUNT = select(
    UserRecord.id,
    UserRecord.email,
    UserRecord.email_verified_at,
    UserRecord.disabled_at,
    WorkspaceRecord.id.label("personal_workspace_id"),
).join(WorkspaceRecord, WorkspaceRecord.personal_to == UserRecord.id)
_BY_IDENTITY = _ACCOUNT.add_columns(IdentityRecord.id.label("identity_id")).join(
    IdentityRecord, IdentityRecord.user_id == UserRecord.id
)
_IDENTITIES = select(*(getattr(IdentityRecord, name) for name in LinkedIdentityRead.model_fields))


class SsoRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add_attempt(self, values: dict[str, Any]) -> None:
        await self._session.execute(insert(SsoAttemptRecord).values(**values))

    async def drop_expired_attempts(self, now: datetime) -> None:
        await self._session.execute(delete(SsoAttemptRecord).where(SsoAttemptRecord.expires_at <= now))

    async def take_attempt(self, state_hash: str) -> Row | None:
        """The attempt, to whoever asks first."""
        statement = (
            delete(SsoAttemptRecord)
            .where(SsoAttemptRecord.state_hash == state_hash)
            .returning(SsoAttemptRecord.provider, SsoAttemptRecord.sealed, SsoAttemptRecord.expires_at)
        )
        return (await self._session.execute(statement)).mappings().first()

    async def account_of(self, issuer: str, subject: str) -> Row | None:
        """Nobody else decides about the account until the transaction ends."""
        query = _BY_IDENTITY.where(IdentityRecord.issuer == issuer, IdentityRecord.subject == subject)
        return (await self._session.execute(query.with_for_update(of=UserRecord))).mappings().first()

    async def account_with(self, email: str) -> Row | None:
        """As `account_of`."""
        query = _ACCOUNT.where(UserRecord.email == email).with_for_update(of=UserRecord)
        return (await self._session.execute(query)).mappings().first()

    async def account_signed_in(self, user_id: str, session_id: str, now: datetime) -> Row | None:
        """As `account_of`; None once the session ended or the user is disabled."""
        query = _ACCOUNT.join(SessionRecord, SessionRecord.user_id == UserRecord.id).where(
            UserRecord.id == user_id,
            UserRecord.disabled_at.is_(None),
            SessionRecord.id == session_id,
            SessionRecord.ended_at.is_(None),
            SessionRecord.expires_at > now,
        )
        return (await self._session.execute(query.with_for_update(of=UserRecord))).mappings().first()

    async def holder_of(self, issuer: str, subject: str) -> Row | None:
        """The `id` and `user_id` of the identity."""
        query = select(IdentityRecord.id, IdentityRecord.user_id)
        mine = query.where(IdentityRecord.issuer == issuer, IdentityRecord.subject == subject)
        return (await self._session.execute(mine)).mappings().first()

    async def add_identity(self, values: dict[str, Any]) -> bool:
        """False when the identity is linked already."""
        return await insert_or_ignore(self._session, IdentityRecord, values)

    async def touch_identity(self, identity_id: str, now: datetime) -> None:
        await self._session.execute(
            update(IdentityRecord).where(IdentityRecord.id == identity_id).values(last_used_at=now)
        )


class LinkedIdentityRepository:
    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id
        self._mine = IdentityRecord.user_id == user_id

    async def page(self, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        query = _IDENTITIES.where(self._mine)
        if before is not None:
            query = query.where(IdentityRecord.id < before)
        return (await self._session.execute(query.order_by(IdentityRecord.id.desc()).limit(limit))).mappings().all()

    async def get(self, identity_id: str) -> Row | None:
        query = _IDENTITIES.where(self._mine, IdentityRecord.id == identity_id)
        return (await self._session.execute(query)).mappings().first()

    async def lock_other_ways_in(self, identity_id: str, providers: Collection[str]) -> bool:
        """Whether a password, or another identity at one of the providers, opens the account; none is added or removed
        meanwhile."""
        user = select(UserRecord.password_hash).where(UserRecord.id == self._user_id).with_for_update()
        if await self._session.scalar(user) is not None:
            return True
        other = select(IdentityRecord.id).where(
            self._mine, IdentityRecord.id != identity_id, IdentityRecord.provider.in_(providers)
        )
        return await self._session.scalar(other.limit(1)) is not None

    async def remove(self, identity_id: str) -> None:
        await self._session.execute(delete(IdentityRecord).where(self._mine, IdentityRecord.id == identity_id))
