"""All SQL of identity.

Two scopes: `IdentityRepository` looks for whoever holds a credential, before any workspace is known; `ApiKeyRepository`
sees the keys of one user in one workspace.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, and_, bindparam, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.insert import insert_or_ignore
from backend.app.db.types import UlidColumn, UtcDateTime
from backend.app.modules.auth.models import (
    ApiKeyRecord,
    MembershipRecord,
    RefreshTokenRecord,
    SessionRecord,
    UserRecord,
    UserRole,
    WorkspaceRecord,
)
from backend.app.modules.auth.schemas import ApiKeyRead

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
    )
)

_BY_KEY = (
    select(
        ApiKeyRecord.id,
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
        ApiKeyRecord.key_hash == bindparam("key_hash"),
        ApiKeyRecord.revoked_at.is_(None),
        or_(ApiKeyRecord.expires_at.is_(None), ApiKeyRecord.expires_at > _NOW),
    )
)

_PROFILE = select(
    UserRecord.id,
    UserRecord.email,
    UserRecord.password_hash,
    UserRecord.first_name,
    UserRecord.last_name,
    UserRecord.created_at,
    WorkspaceRecord.id.label("personal_workspace_id"),
).join(WorkspaceRecord, WorkspaceRecord.personal_to == UserRecord.id)

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

    async def holder_of_key(self, key_hash: str, now: datetime) -> Row | None:
        return (await self._session.execute(_BY_KEY, {"key_hash": key_hash, "now": now})).mappings().first()

    async def touch_key(self, key_id: str, now: datetime, interval: timedelta) -> None:
        """Notes the use of a key, once in `interval`."""
        stale = or_(ApiKeyRecord.last_used_at.is_(None), ApiKeyRecord.last_used_at <= now - interval)
        await self._session.execute(
            update(ApiKeyRecord).where(ApiKeyRecord.id == key_id, stale).values(last_used_at=now)
        )

    async def user_by_email(self, email: str) -> Row | None:
        return (await self._session.execute(_PROFILE.where(UserRecord.email == email))).mappings().first()

    async def user(self, user_id: str) -> Row | None:
        return (await self._session.execute(_PROFILE.where(UserRecord.id == user_id))).mappings().first()

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
        self, session_id: str, user_id: str, now: datetime, expires_at: datetime, method: str
    ) -> None:
        await self._session.execute(
            insert(SessionRecord).values(
                id=session_id, user_id=user_id, created_at=now, expires_at=expires_at, method=method
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
            .where(
                RefreshTokenRecord.token_hash == token_hash,
                SessionRecord.ended_at.is_(None),
                SessionRecord.expires_at > now,
            )
            .with_for_update()
        )
        return (await self._session.execute(query)).mappings().first()

    async def spend_refresh_token(self, token_hash: str, now: datetime) -> None:
        await self._session.execute(
            update(RefreshTokenRecord).where(RefreshTokenRecord.token_hash == token_hash).values(spent_at=now)
        )

    async def end_session(self, session_id: str, now: datetime) -> None:
        await self._session.execute(update(SessionRecord).where(SessionRecord.id == session_id).values(ended_at=now))


class ApiKeyRepository:
    def __init__(self, session: AsyncSession, workspace_id: str, user_id: str) -> None:
        self._session = session
        self._mine = and_(
            ApiKeyRecord.workspace_id == workspace_id,
            ApiKeyRecord.user_id == user_id,
            ApiKeyRecord.revoked_at.is_(None),
        )

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
