"""What single sign-on accepts and answers."""

from datetime import datetime
from typing import Any

from pydantic import Field

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema, InputSchema
from backend.app.modules.auth.schemas import CurrentPassword

_UNSENT: Any = Field(default=None)


class SsoProviderRead(BaseSchema):
    name: str
    """In the path."""
    label: str
    """On a button."""


class SsoStart(BaseSchema):
    authorization_url: str
    """Where the browser that got this answer, with its cookie, has to go."""


class LinkRequest(InputSchema):
    current_password: CurrentPassword = _UNSENT
    """Needed when the sign-in is older than ten minutes."""


class LinkedIdentityRead(BaseSchema):
    id: Ulid
    """The link's ULID; `DELETE /auth/identities/{identity_id}` takes it off the account."""
    provider: str
    """Its name in this installation."""
    issuer: str
    """Who the provider says it is (`iss`)."""
    email: str
    """As the provider said when it was linked; empty when it said none."""
    created_at: datetime
    """When it was linked."""
    last_used_at: datetime
    """When it last opened the account."""
