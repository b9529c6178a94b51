"""What identity makes known. No event holds a secret."""

from typing import ClassVar

from backend.app.core.ids import Ulid
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
