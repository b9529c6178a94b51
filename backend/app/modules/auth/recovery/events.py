"""What recovery makes known."""

from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class PasswordReset(Event):
    """The owner of the mailbox chose a new password; all sessions of the account ended."""

    name: ClassVar = "user.password_reset"
    user_id: Ulid


class EmailVerified(Event):
    """Somebody who reads the mail of this address confirmed the account."""

    name: ClassVar = "user.email_verified"
    user_id: Ulid
