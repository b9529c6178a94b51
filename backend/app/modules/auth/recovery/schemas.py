"""What recovery accepts."""

from typing import Annotated, TypeAlias

from pydantic import Field

from backend.app.core.schema import InputSchema
from backend.app.modules.auth.schemas import Email, NewPassword

MailedToken: TypeAlias = Annotated[str, Field(max_length=100, repr=False)]
"""From a mail."""


class MailWanted(InputSchema):
    email: Email


class ResetConfirm(InputSchema):
    token: MailedToken
    password: NewPassword


class EmailConfirm(InputSchema):
    token: MailedToken
