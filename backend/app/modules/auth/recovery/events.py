"""What recovery makes known."""

from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class PasswordReset(Event):
    """The owner of the mailbox chose a new password; all sessions of the account ended. `took_over`: nobody had proved
    the account's address before, so its API keys and identities opened nothing from then on."""

    name: ClassVar = "user.password_reset"
    user_id: Ulid
    took_over: bool = False


class EmailVerified(Event):
    """Somebody who reads the mail of this address confirmed the account."""

    name: ClassVar = "user.email_verified"
    user_id: Ulid
