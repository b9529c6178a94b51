"""All SQL of workspaces.

Three scopes: `OwnWorkspaces` are those of one user, `MemberRepository` and `InvitationRepository` see one workspace,
and `open_invitation` looks for whoever holds a token.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Delete, Update, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from backend.app.core.pagination import Row
from backend.app.core.permissions import Role
from backend.app.db.insert import insert_or_ignore
from backend.app.modules.auth.models import (
    ApiKeyRecord,
    InvitationRecord,
    MembershipRecord,
    UserRecord,
    WorkspaceRecord,
)
from backend.app.modules.auth.workspaces.schemas import InvitationRead

_OWN = select(
    WorkspaceRecord.id,
    WorkspaceRecord.name,
    WorkspaceRecord.personal_to.is_not(None).label("personal"),
    MembershipRecord.role,
    WorkspaceRecord.created_at,
    WorkspaceRecord.updated_at,
).join(MembershipRecord, MembershipRecord.workspace_id == WorkspaceRecord.id)

_MEMBERS = select(
    UserRecord.id.label("user_id"),
    UserRecord.email,
    UserRecord.first_name,
    UserRecord.last_name,
    MembershipRecord.role,
    MembershipRecord.created_at.label("joined_at"),
).join(MembershipRecord, MembershipRecord.user_id == UserRecord.id)

_INVITATIONS = select(*(getattr(InvitationRecord, name) for name in InvitationRead.model_fields))


class OwnWorkspaces:
    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id
        self._mine = MembershipRecord.user_id == user_id

    async def page(self, before: str | None, limit: int, only: str | None) -> Sequence[Row]:
        """Newest first; `only` is the id of the one that may be shown."""
        query = _OWN.where(self._mine)
        if before is not None:
            query = query.where(WorkspaceRecord.id < before)
        if only is not None:
            query = query.where(WorkspaceRecord.id == only)
        return (await self._session.execute(query.order_by(WorkspaceRecord.id.desc()).limit(limit))).mappings().all()

    async def get(self, workspace_id: str) -> Row | None:
        query = _OWN.where(self._mine, WorkspaceRecord.id == workspace_id)
        return (await self._session.execute(query)).mappings().first()

    async def add(self, values: dict[str, Any]) -> None:
        """With the user as its owner."""
        await self._session.execute(insert(WorkspaceRecord).values(**values))
        membership = {"workspace_id": values["id"], "user_id": self._user_id, "role": Role.OWNER}
        await self._session.execute(insert(MembershipRecord).values(**membership, created_at=values["created_at"]))


class MemberRepository:
    """One workspace and who is in it."""

    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._here = MembershipRecord.workspace_id == workspace_id

    async def lock(self) -> Row | None:
        """Nobody else changes who is in the workspace until the transaction ends. Answers its `name` and
        `personal_to`, None when it is gone."""
        query = (
            select(WorkspaceRecord.name, WorkspaceRecord.personal_to)
            .where(WorkspaceRecord.id == self._workspace_id)
            .with_for_update()
        )
        return (await self._session.execute(query)).mappings().first()

    async def change(self, values: dict[str, Any]) -> None:
        await self._session.execute(
            update(WorkspaceRecord).where(WorkspaceRecord.id == self._workspace_id).values(**values)
        )

    async def drop(self) -> None:
        """The workspace with its members, invitations and API keys."""
        for record in (InvitationRecord, ApiKeyRecord):
            await self._session.execute(delete(record).where(record.workspace_id == self._workspace_id))
        await self._session.execute(delete(WorkspaceRecord).where(WorkspaceRecord.id == self._workspace_id))

    async def page(self, after: str | None, limit: int) -> Sequence[Row]:
        """By id, which is the order of sign-up."""
        query = _MEMBERS.where(self._here)
        if after is not None:
            query = query.where(UserRecord.id > after)
        return (await self._session.execute(query.order_by(UserRecord.id).limit(limit))).mappings().all()

    async def get(self, user_id: str) -> Row | None:
        return (await self._session.execute(_MEMBERS.where(self._here, UserRecord.id == user_id))).mappings().first()

    async def has_address(self, email: str) -> bool:
        return (await self._session.execute(_MEMBERS.where(self._here, UserRecord.email == email))).first() is not None

    async def owners(self) -> set[str]:
        query = select(MembershipRecord.user_id).where(self._here, MembershipRecord.role == Role.OWNER)
        return set(await self._session.scalars(query))

    async def add(self, user_id: str, role: Role, now: datetime) -> bool:
        """False when the user is a member already."""
        values = {"workspace_id": self._workspace_id, "user_id": user_id, "role": role, "created_at": now}
        return await insert_or_ignore(self._session, MembershipRecord, values)

    async def set_role(self, user_id: str, role: Role) -> None:
        mine = MembershipRecord.user_id == user_id
        await self._session.execute(update(MembershipRecord).where(self._here, mine).values(role=role))

    async def remove(self, user_id: str, now: datetime) -> None:
        """With the API keys that the user has here: who is invited again starts without any."""
        await self._session.execute(delete(MembershipRecord).where(self._here, MembershipRecord.user_id == user_id))
        await self._session.execute(
            update(ApiKeyRecord)
            .where(
                ApiKeyRecord.workspace_id == self._workspace_id,
                ApiKeyRecord.user_id == user_id,
                ApiKeyRecord.revoked_at.is_(None),
            )
            .values(revoked_at=now)
        )


class InvitationRepository:
    """The open invitations of one workspace: neither accepted nor expired."""

    def __init__(self, session: AsyncSession, workspace_id: str, now: datetime) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._here = InvitationRecord.workspace_id == workspace_id
        self._open = InvitationRecord.accepted_at.is_(None) & (InvitationRecord.expires_at > now) & self._here

    async def page(self, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        query = _INVITATIONS.where(self._open)
        if before is not None:
            query = query.where(InvitationRecord.id < before)
        return (await self._session.execute(query.order_by(InvitationRecord.id.desc()).limit(limit))).mappings().all()

    async def get(self, invitation_id: str) -> Row | None:
        query = _INVITATIONS.where(self._open, InvitationRecord.id == invitation_id)
        return (await self._session.execute(query)).mappings().first()

    async def count_others(self, email: str) -> int:
        """How many are open for other addresses."""
        query = select(func.count()).select_from(InvitationRecord).where(self._open, InvitationRecord.email != email)
        return await self._session.scalar(query) or 0

    async def put(self, values: dict[str, Any]) -> None:
        """In place of an earlier one for the same address, whatever became of it."""
        await self._session.execute(
            delete(InvitationRecord).where(self._here, InvitationRecord.email == values["email"])
        )
        await self._session.execute(insert(InvitationRecord).values(workspace_id=self._workspace_id, **values))

    async def withdraw(self, invitation_id: str) -> bool:
        return await self._changed(delete(InvitationRecord).where(self._open, InvitationRecord.id == invitation_id))

    async def accept(self, token_hash: str, now: datetime) -> bool:
        """Of those who come with one token at once, one is told True."""
        mine = InvitationRecord.token_hash == token_hash
        return await self._changed(update(InvitationRecord).where(self._open, mine).values(accepted_at=now))

    async def _changed(self, statement: Update | Delete) -> bool:
        return cast(CursorResult[Any], await self._session.execute(statement)).rowcount == 1


async def open_invitation(session: AsyncSession, token_hash: str, user_id: str, now: datetime) -> Row | None:
    """The invitation with this token, if it is open, for the address of the user, and by somebody not disabled."""
    inviter = aliased(UserRecord)
    query = (
        select(InvitationRecord.id, InvitationRecord.workspace_id, InvitationRecord.role, InvitationRecord.invited_by)
        .join(UserRecord, UserRecord.email == InvitationRecord.email)
        .join(inviter, inviter.id == InvitationRecord.invited_by)
        .where(
            inviter.disabled_at.is_(None),
            InvitationRecord.token_hash == token_hash,
            UserRecord.id == user_id,
            InvitationRecord.accepted_at.is_(None),
            InvitationRecord.expires_at > now,
        )
    )
    return (await session.execute(query)).mappings().first()
