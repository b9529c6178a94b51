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
    """What its members see."""


class WorkspaceRead(BaseSchema):
    id: Ulid
    """The workspace's ULID, as `X-Workspace-Id` takes it."""
    name: str
    """What its members see."""
    personal: bool
    """Whether it was made at the sign-up of a user: it can be shared, but not deleted or handed over."""
    role: Role
    """Of the caller."""
    created_at: datetime
    """When it was made."""
    updated_at: datetime
    """When it changed last; the ETag holds it."""


class MemberRead(BaseSchema):
    user_id: Ulid
    """The user's ULID."""
    email: str
    """The address that the user signs in with."""
    first_name: str
    """The user's."""
    last_name: str
    """The user's."""
    role: Role
    """In this workspace."""
    joined_at: datetime
    """When the membership began."""


class MemberUpdate(InputSchema):
    role: Role
    """The role that the member gets, up to the caller's own."""


class Transfer(InputSchema):
    user_id: Ulid
    """A member, who becomes an owner; the caller becomes an administrator of the workspace."""


class InvitationCreate(InputSchema):
    email: Email
    """Whom to invite; an account may be made later."""
    role: Role = Role.MEMBER
    """The role that the member gets, up to the caller's own."""


class InvitationRead(BaseSchema):
    id: Ulid
    """The invitation's ULID."""
    email: str
    """Who was invited."""
    role: Role
    """The role that the member gets."""
    invited_by: Ulid
    """The user who invited."""
    created_at: datetime
    """When it was mailed."""
    expires_at: datetime
    """From when on it cannot be accepted."""


class InvitationAccept(InputSchema):
    token: Annotated[str, Field(max_length=100, repr=False)]
    """From the mail."""
