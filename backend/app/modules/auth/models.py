"""Tables of identity. An e-mail address is stored case-folded; a secret only as its hash."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db.base import Base
from backend.app.db.mixins import Identified, Timestamped, WorkspaceOwned
from backend.app.db.types import JsonValue, UlidColumn, UtcDateTime

MAX_EMAIL = 320
MAX_USER_AGENT = 200


class UserRole(StrEnum):
    """Of a user in the whole installation; roles in a workspace are `core.permissions.Role`."""

    ADMIN = "admin"
    USER = "user"


class UserRecord(Identified, Timestamped, Base):
    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(MAX_EMAIL), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    """None: the user signs in through a provider only."""
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(10), default=UserRole.USER, server_default=UserRole.USER)
    email_verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """By an administrator: nothing that the user holds opens any more."""


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
    method: Mapped[str] = mapped_column(String(50), default="password", server_default="password")
    """`password`, or `sso:` and the provider: `sso:github`."""
    address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(MAX_USER_AGENT))


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


class MailedTokenRecord(Identified, Base):
    """A link that was sent by mail: it works once, and only until it expires."""

    __tablename__ = "mailed_tokens"

    user_id: Mapped[str] = mapped_column(UlidColumn, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    """`reset_password`, `verify_email`."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class InvitationRecord(Identified, WorkspaceOwned, Base):
    """A place in a workspace, offered by mail."""

    __tablename__ = "invitations"

    email: Mapped[str] = mapped_column(String(MAX_EMAIL))
    role: Mapped[str] = mapped_column(String(20))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    invited_by: Mapped[str] = mapped_column(UlidColumn, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("workspace_id", "email"),)


class IdentityRecord(Identified, Base):
    """A user as a provider of single sign-on knows them. The subject is the provider's own id, which an address is not:
    addresses change hands (OpenID Connect Core 1.0, 5.7)."""

    __tablename__ = "identities"

    user_id: Mapped[str] = mapped_column(UlidColumn, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    provider: Mapped[str] = mapped_column(String(50))
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[str] = mapped_column(String(MAX_EMAIL))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("issuer", "subject"),)


class SsoAttemptRecord(Base):
    """A sign-in that is under way at a provider."""

    __tablename__ = "sso_attempts"

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(String(50))
    sealed: Mapped[str] = mapped_column(Text)
    """Nonce and code verifier."""
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class SignInFailureRecord(Base):
    """How often a sign-in failed in a row, by account and address; the key says neither."""

    __tablename__ = "sign_in_failures"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
