"""All SQL of the users of the installation, whatever their workspaces: for administrators only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.rows import part_of
from backend.app.modules.auth.administration.schemas import ManagedUser
from backend.app.modules.auth.models import SessionRecord, UserRecord, UserRole, WorkspaceRecord

_USERS = select(*(getattr(UserRecord, name) for name in ManagedUser.model_fields))


@dataclass(frozen=True, slots=True)
class UserFilter:
    """`email` is a part of the address, in any case."""

    email: str | None = None
    role: UserRole | None = None
    disabled: bool | None = None


class UserRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, wanted: UserFilter, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        query = _USERS
        if (part := part_of(wanted.email)) is not None:
            query = query.where(UserRecord.email.contains(part.casefold(), escape="/"))
        if wanted.role is not None:
            query = query.where(UserRecord.role == wanted.role)
        if wanted.disabled is not None:
            query = query.where(UserRecord.disabled_at.is_not(None) == wanted.disabled)
        if before is not None:
            query = query.where(UserRecord.id < before)
        return (await self._session.execute(query.order_by(UserRecord.id.desc()).limit(limit))).mappings().all()

    async def get(self, user_id: str) -> Row | None:
        return (await self._session.execute(_USERS.where(UserRecord.id == user_id))).mappings().first()

    async def id_of(self, email: str) -> str | None:
        return await self._session.scalar(select(UserRecord.id).where(UserRecord.email == email))

    async def lock_administrators(self) -> set[str]:
        """Those who are enabled; no other transaction changes that until this one ends."""
        query = select(UserRecord.id).where(UserRecord.role == UserRole.ADMIN, UserRecord.disabled_at.is_(None))
        return set(await self._session.scalars(query.order_by(UserRecord.id).with_for_update()))

    async def lock(self, user_id: str) -> Row | None:
        query = _USERS.where(UserRecord.id == user_id).with_for_update()
        return (await self._session.execute(query)).mappings().first()

    async def change(self, user_id: str, values: dict[str, Any]) -> None:
        await self._session.execute(update(UserRecord).where(UserRecord.id == user_id).values(**values))

    async def end_sessions(self, user_id: str, now: datetime) -> None:
        mine = (SessionRecord.user_id == user_id) & SessionRecord.ended_at.is_(None)
        await self._session.execute(update(SessionRecord).where(mine).values(ended_at=now))

    async def personal_workspace(self, user_id: str) -> str:
        query = select(WorkspaceRecord.id).where(WorkspaceRecord.personal_to == user_id)
        return (await self._session.scalars(query)).one()
