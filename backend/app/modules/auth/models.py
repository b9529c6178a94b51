"""Tables of identity. An e-mail address is stored case-folded; a secret only as its hash."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db.base import Base
from backend.app.db.mixins import Identified, Timestamped, WorkspaceOwned
from backend.app.db.types import JsonValue, UlidColumn, UtcDateTime

MAX_EMAIL = 320


class UserRecord(Identified, Timestamped, Base):
    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(MAX_EMAIL), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))


class WorkspaceRecord(Identified, Timestamped, Base):
    __tablename__ = "workspaces"

    name: Mapped[str] = mapped_column(String(200))
    personal_to: Mapped[str | None] = mapped_column(UlidColumn, ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    """The user whose own workspace it is, made at sign-up."""


class MembershipRecord(Base):
    __tablename__ = "memberships"

    workspace_id: Mapped[str] = mapped_column(
        UlidColumn, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(
        UlidColumn, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SessionRecord(Identified, Base):
    """One sign-in. Its access tokens carry its id and die with it."""

    __tablename__ = "sessions"

    user_id: Mapped[str] = mapped_column(UlidColumn, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RefreshTokenRecord(Base):
    """A link in a session's chain of refresh tokens; only the last one is not spent."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(UlidColumn, ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    spent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ApiKeyRecord(Identified, WorkspaceOwned, Base):
    __tablename__ = "api_keys"

    user_id: Mapped[str] = mapped_column(UlidColumn, ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    last_four: Mapped[str] = mapped_column(String(4))
    scopes: Mapped[list[str]] = mapped_column(JsonValue)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_api_keys_user_id_id", "user_id", "id"),)
