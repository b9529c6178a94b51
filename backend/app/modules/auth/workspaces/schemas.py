"""What workspaces accept and answer."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from backend.app.core.ids import Ulid
from backend.app.core.permissions import Role
from backend.app.core.schema import BaseSchema, InputSchema, Label
from backend.app.modules.auth.schemas import Email


class WorkspaceWrite(InputSchema):
    name: Annotated[Label, Field(max_length=200)]


class WorkspaceRead(BaseSchema):
    id: Ulid
    name: str
    personal: bool
    """Whether it was made at the sign-up of a user: it can be shared, but not deleted or handed over."""
    role: Role
    """Of the caller."""
    created_at: datetime
    updated_at: datetime


class MemberRead(BaseSchema):
    user_id: Ulid
    email: str
    first_name: str
    last_name: str
    role: Role
    joined_at: datetime


class MemberUpdate(InputSchema):
    role: Role


class Transfer(InputSchema):
    user_id: Ulid
    """A member, who becomes an owner; the caller becomes an administrator of the workspace."""


class InvitationCreate(InputSchema):
    email: Email
    role: Role = Role.MEMBER


class InvitationRead(BaseSchema):
    id: Ulid
    email: str
    role: Role
    invited_by: Ulid
    created_at: datetime
    expires_at: datetime


class InvitationAccept(InputSchema):
    token: Annotated[str, Field(max_length=100, repr=False)]
    """From the mail."""
