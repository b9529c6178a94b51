"""What recovery accepts."""

from typing import Annotated, TypeAlias

from pydantic import Field

from backend.app.core.schema import InputSchema
from backend.app.modules.auth.schemas import Email, NewPassword

MailedToken: TypeAlias = Annotated[str, Field(max_length=100, repr=False)]
"""From a mail."""


class MailWanted(InputSchema):
    email: Email
    """The address of the account."""


class ResetConfirm(InputSchema):
    token: MailedToken
    """From the mail; it works once."""
    password: NewPassword
    """15 to 1024 characters after NFC, and none that everybody tries."""


class EmailConfirm(InputSchema):
    token: MailedToken
    """From the mail; it works once."""
