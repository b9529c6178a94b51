"""What administrators read and change of users."""

from datetime import datetime

from pydantic import StrictBool

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema, InputSchema
from backend.app.modules.auth.models import UserRole


class ManagedUser(BaseSchema):
    id: Ulid
    email: str
    first_name: str
    last_name: str
    role: UserRole
    """In the installation; roles in workspaces are the workspaces' own."""
    email_verified_at: datetime | None
    disabled_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ManagedUserUpdate(InputSchema):
    """Only what is sent changes."""

    role: UserRole = UserRole.USER
    disabled: StrictBool = False
    """A disabled user cannot sign in; sessions end, and API keys stop until the user is enabled again."""
