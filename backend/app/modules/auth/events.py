"""What identity makes known. No event holds a secret."""

from typing import ClassVar, Literal

from pydantic import Field

from backend.app.core.ids import Ulid, new_ulid
from backend.app.core.message_hub import Event


class UserRegistered(Event):
    name: ClassVar = "user.registered"
    user_id: Ulid


class UserSignedIn(Event):
    name: ClassVar = "user.signed_in"
    user_id: Ulid
    session_id: Ulid


class SignInFailed(Event):
    """A wrong password for an account that exists."""

    name: ClassVar = "sign_in.failed"
    entity: ClassVar = "user"
    user_id: Ulid


class SignUpRepeated(Event):
    """Somebody tried to sign up with the address of an account."""

    name: ClassVar = "sign_up.repeated"
    entity: ClassVar = "user"
    user_id: Ulid


class UserSignedOut(Event):
    """`session_id` is None for all sessions of the user."""

    name: ClassVar = "user.signed_out"
    user_id: Ulid
    session_id: Ulid | None = None


class SessionRevoked(Event):
    """By its user, from another session."""

    name: ClassVar = "session.revoked"
    entity: ClassVar = "user"
    user_id: Ulid
    session_id: Ulid


class PasswordChanged(Event):
    """All other sessions of the user ended with the old password."""

    name: ClassVar = "user.password_changed"
    user_id: Ulid


class ProfileUpdated(Event):
    name: ClassVar = "profile.updated"
    entity: ClassVar = "user"
    user_id: Ulid
    fields: tuple[str, ...]


class RefreshTokenReused(Event):
    """A spent refresh token came again: it was copied, so its session is ended."""

    name: ClassVar = "refresh_token.reused"
    entity: ClassVar = "user"
    user_id: Ulid
    session_id: Ulid


class ApiKeyCreated(Event):
    name: ClassVar = "api_key.created"
    api_key_id: Ulid
    user_id: Ulid
    label: str
    scopes: tuple[str, ...]


class ApiKeyRevoked(Event):
    name: ClassVar = "api_key.revoked"
    api_key_id: Ulid
    user_id: Ulid
    label: str


class WorkspaceDeleted(Event):
    """The workspace is gone: whoever keeps rows of it removes them."""

    name: ClassVar = "workspace.deleted"
    workspace_id: Ulid
    label: str


class MailRequested(Event):
    """A mail to one address. The one-time token in it is made when the mail is sent, so that no row holds it in clear.

    `to` is None when there is nobody to write to: it is published all the same, so that a request which must not tell
    whether an account exists does the same work in either case.
    """

    name: ClassVar = "mail.requested"
    mail_id: Ulid = Field(default_factory=new_ulid)
    to: str | None
    template: Literal[
        "identity_linked", "invitation", "password_changed", "reset_password", "sign_up_repeated", "verify_email"
    ]
    user_id: Ulid | None = None
    """Whose account it is about; none for an invitation."""
    invitation_id: Ulid | None = None
    """Of an invitation: its token is made when the mail is sent."""
    details: dict[str, str] = Field(default_factory=dict)
    """What the template shows, nothing secret: `workspace`, `inviter` and `role` of an invitation, `provider` of an
    identity."""
