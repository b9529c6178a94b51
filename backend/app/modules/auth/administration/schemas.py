"""What administrators read and change of users."""

from datetime import datetime

from pydantic import StrictBool

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema, InputSchema
from backend.app.modules.auth.models import UserRole


class ManagedUser(BaseSchema):
    id: Ulid
    """The user's ULID."""
    email: str
    """The address that the user signs in with."""
    first_name: str
    """The user's."""
    last_name: str
    """The user's."""
    role: UserRole
    """In the installation; roles in workspaces are the workspaces' own."""
    email_verified_at: datetime | None
    """When the address was proved; null: never."""
    disabled_at: datetime | None
    """Since when the user cannot sign in; null: the user can."""
    created_at: datetime
    """When the user signed up."""
    updated_at: datetime
    """When the account changed last; the ETag holds it."""


class ManagedUserUpdate(InputSchema):
    """Only what is sent changes."""

    role: UserRole = UserRole.USER
    """In the installation: `admin` manages its users."""
    disabled: StrictBool = False
    """A disabled user cannot sign in; sessions end, and API keys stop until the user is enabled again."""
