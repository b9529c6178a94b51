"""All SQL of recovery: it asks by the token that somebody holds, or for one user."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Update, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.modules.auth.models import InvitationRecord, MailedTokenRecord, UserRecord, WorkspaceRecord

_USERS = (
    select(
        UserRecord.id,
        UserRecord.email,
        UserRecord.email_verified_at,
        UserRecord.first_name,
        UserRecord.last_name,
        WorkspaceRecord.id.label("personal_workspace_id"),
    )
    .join(WorkspaceRecord, WorkspaceRecord.personal_to == UserRecord.id)
    .where(UserRecord.disabled_at.is_(None))
)
"""Without the disabled ones."""


class RecoveryRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def user_by_email(self, email: str) -> Row | None:
        return (await self._session.execute(_USERS.where(UserRecord.email == email))).mappings().first()

    async def user(self, user_id: str) -> Row | None:
        return (await self._session.execute(_USERS.where(UserRecord.id == user_id))).mappings().first()

    async def put_token(
        self, token_id: str, user_id: str, purpose: str, token_hash: str, now: datetime, valid: timedelta
    ) -> None:
        """Takes the place of the token with the same id."""
        await self._session.execute(delete(MailedTokenRecord).where(MailedTokenRecord.id == token_id))
        await self._session.execute(
            insert(MailedTokenRecord).values(
                id=token_id,
                user_id=user_id,
                purpose=purpose,
                token_hash=token_hash,
                created_at=now,
                expires_at=now + valid,
            )
        )

    async def forget_expired(self, now: datetime) -> None:
        await self._session.execute(delete(MailedTokenRecord).where(MailedTokenRecord.expires_at <= now))

    async def sent_since(self, user_id: str, purpose: str, since: datetime, besides: str) -> bool:
        """Whether there is a token, used or not, that is younger than `since`, other than `besides`."""
        query = select(MailedTokenRecord.id).where(
            MailedTokenRecord.user_id == user_id,
            MailedTokenRecord.purpose == purpose,
            MailedTokenRecord.created_at > since,
            MailedTokenRecord.id != besides,
        )
        return await self._session.scalar(query.limit(1)) is not None

    async def holder(self, token_hash: str, purpose: str, now: datetime) -> Row | None:
        """The user whose live token it is."""
        query = _USERS.join(MailedTokenRecord, MailedTokenRecord.user_id == UserRecord.id).where(
            MailedTokenRecord.token_hash == token_hash,
            MailedTokenRecord.purpose == purpose,
            MailedTokenRecord.used_at.is_(None),
            MailedTokenRecord.expires_at > now,
        )
        return (await self._session.execute(query)).mappings().first()

    async def use_token(self, token_hash: str, purpose: str, now: datetime) -> bool:
        """Of those who come with one token at once, one is told True."""
        return await self._changed(
            update(MailedTokenRecord)
            .where(
                MailedTokenRecord.token_hash == token_hash,
                MailedTokenRecord.purpose == purpose,
                MailedTokenRecord.used_at.is_(None),
                MailedTokenRecord.expires_at > now,
            )
            .values(used_at=now)
        )

    async def void_tokens(self, user_id: str, purpose: str, now: datetime) -> None:
        await self._session.execute(
            update(MailedTokenRecord)
            .where(
                MailedTokenRecord.user_id == user_id,
                MailedTokenRecord.purpose == purpose,
                MailedTokenRecord.used_at.is_(None),
            )
            .values(used_at=now)
        )

    async def set_password(self, user_id: str, password_hash: str, now: datetime) -> None:
        await self._session.execute(
            update(UserRecord).where(UserRecord.id == user_id).values(password_hash=password_hash, updated_at=now)
        )

    async def mark_verified(self, user_id: str, now: datetime) -> bool:
        """False when the address was verified before."""
        return await self._changed(
            update(UserRecord)
            .where(UserRecord.id == user_id, UserRecord.email_verified_at.is_(None))
            .values(email_verified_at=now, updated_at=now)
        )

    async def renew_invitation(self, invitation_id: str, token_hash: str, now: datetime) -> Row | None:
        """Gives an open invitation this token in place of the one before; answers its `email` and `expires_at`."""
        renewed = (
            update(InvitationRecord)
            .where(
                InvitationRecord.id == invitation_id,
                InvitationRecord.accepted_at.is_(None),
                InvitationRecord.expires_at > now,
            )
            .values(token_hash=token_hash)
            .returning(InvitationRecord.email, InvitationRecord.expires_at)
        )
        return (await self._session.execute(renewed)).mappings().first()

    async def _changed(self, statement: Update) -> bool:
        return cast(CursorResult[Any], await self._session.execute(statement)).rowcount == 1
