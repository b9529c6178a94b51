"""What administrators do to users, on the timelines of the user and of the user's personal workspace."""

from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class UserRoleChanged(Event):
    name: ClassVar = "user.role_changed"
    user_id: Ulid
    before: str
    role: str


class UserDisabled(Event):
    """All sessions of the user ended."""

    name: ClassVar = "user.disabled"
    user_id: Ulid


class UserEnabled(Event):
    """The user may sign in again; API keys that were not revoked work again."""

    name: ClassVar = "user.enabled"
    user_id: Ulid
