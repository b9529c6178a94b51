"""What single sign-on accepts and answers."""

from datetime import datetime

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema


class SsoProviderRead(BaseSchema):
    name: str
    """In the path."""
    label: str
    """On a button."""


class SsoStart(BaseSchema):
    authorization_url: str
    """Where the browser that got this answer, with its cookie, has to go."""


class LinkedIdentityRead(BaseSchema):
    id: Ulid
    provider: str
    issuer: str
    email: str
    """As the provider said at the first sign-in."""
    created_at: datetime
    last_used_at: datetime
