"""What identity accepts and answers."""

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from backend.app.core.ids import Ulid
from backend.app.core.permissions import Permission
from backend.app.core.schema import BaseSchema, InputSchema, Label, refuse_other_times, refuse_unstorable_text
from backend.app.modules.auth.models import MAX_EMAIL

_UNSENT: Any = Field(default=None)
MIN_PASSWORD = 15
MAX_PASSWORD = 1024


def fold_email(value: str) -> str:
    """The form in which two spellings of one address are equal. Raises `ValueError`."""
    try:
        address = validate_email(value, check_deliverability=False, globally_deliverable=False).normalized
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    folded = unicodedata.normalize("NFC", address.casefold())
    if len(folded) > MAX_EMAIL:
        raise ValueError("the e-mail address is too long")
    return folded


def _long_enough(value: str) -> str:
    value = unicodedata.normalize("NFC", value)
    if not MIN_PASSWORD <= len(value) <= MAX_PASSWORD:
        raise ValueError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    return value


Email: TypeAlias = Annotated[
    str, Field(max_length=MAX_EMAIL, json_schema_extra={"format": "email"}), AfterValidator(fold_email)
]
CurrentPassword: TypeAlias = Annotated[
    str,
    StringConstraints(strip_whitespace=False, max_length=4 * MAX_PASSWORD),
    Field(repr=False, json_schema_extra={"format": "password"}),
]
"""Longer than a password may be: decomposed characters count less once they are composed."""
NewPassword: TypeAlias = Annotated[
    CurrentPassword,
    Field(json_schema_extra={"format": "password", "minLength": MIN_PASSWORD, "maxLength": MAX_PASSWORD}),
    AfterValidator(_long_enough),
]


PersonName: TypeAlias = Annotated[Label, Field(max_length=100)]


class UserRegister(InputSchema):
    email: Email
    """What the user signs in with; one account for each address, whatever its case."""
    password: NewPassword
    """15 to 1024 characters after NFC, of any kind (NIST SP 800-63B-4, 3.1.1.2), and none that everybody tries."""
    first_name: PersonName
    """Shown to the other members of a workspace."""
    last_name: PersonName
    """Shown to the other members of a workspace."""


class UserLogin(InputSchema):
    email: Annotated[str, Field(max_length=MAX_EMAIL)]
    """The address of the account, in any case."""
    password: CurrentPassword
    """The password of the account."""


class PasswordGrant(BaseModel):
    """The form of RFC 6749, 4.3.2. What else a client sends, such as `scope` or `client_id`, is passed over (3.2)."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    grant_type: Annotated[str, Field(max_length=100, json_schema_extra={"const": "password"})]
    username: Annotated[str, Field(max_length=MAX_EMAIL)]
    """The e-mail address."""
    password: CurrentPassword

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, data: Any) -> Any:
        return refuse_unstorable_text(data)


class PasswordChange(InputSchema):
    current_password: CurrentPassword
    """The one that it replaces."""
    new_password: NewPassword
    """15 to 1024 characters after NFC, and none that everybody tries."""


class ProfileUpdate(InputSchema):
    """Only the fields that are sent change."""

    first_name: PersonName = _UNSENT
    """Shown to the other members of a workspace."""
    last_name: PersonName = _UNSENT
    """Shown to the other members of a workspace."""


class LogoutRequest(InputSchema):
    everywhere: StrictBool = False
    """Ends all sessions of the user, not only this one."""


class RefreshRequest(InputSchema):
    refresh_token: Annotated[str, Field(max_length=200, repr=False)]
    """The one that was answered last; it works once."""


class TokenPair(BaseSchema):
    """What a sign-in or a refresh answers (RFC 6749, 5.1)."""

    access_token: str
    """Goes into `Authorization: Bearer ...`."""
    refresh_token: str
    """Gets the next pair from `POST /auth/refresh`, once."""
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a word of RFC 6750
    """As RFC 6750 names it."""
    expires_in: int
    """Seconds until the access token expires (RFC 6749, 5.1)."""


class UserRead(BaseSchema):
    id: Ulid
    """The user's ULID."""
    email: str
    """What the user signs in with."""
    first_name: str
    """Shown to the other members of a workspace."""
    last_name: str
    """Shown to the other members of a workspace."""
    personal_workspace_id: Ulid
    """The workspace that was made at sign-up; the active one where a request names no other."""
    created_at: datetime
    """When the user signed up."""
    updated_at: datetime
    """When the profile changed last; the ETag holds it."""


class MeRead(UserRead):
    """The signed-in user, and where and as what the request acts."""

    workspace_id: Ulid
    """The active workspace."""
    permissions: list[Permission]
    """What this credential may do there."""


class CredentialRead(BaseSchema):
    """The access token or API key that the request came with: whose it is, and until when it opens."""

    kind: Literal["access_token", "api_key"]
    """Which of the two it is."""
    user_id: Ulid
    """Whose it is."""
    email: str
    """The user's address."""
    workspace_id: Ulid
    """The active workspace."""
    session_id: Ulid | None
    """Of an access token; null for an API key."""
    expires_at: datetime | None
    """None: until it is revoked."""


class SessionRead(BaseSchema):
    id: Ulid
    """The session's ULID; `DELETE /auth/sessions/{session_id}` ends it."""
    created_at: datetime
    """When the user signed in."""
    last_seen_at: datetime
    """When its tokens were issued or refreshed last."""
    expires_at: datetime
    """When it ends at the latest, however often it is refreshed."""
    method: str
    """`password`, or `sso:` and the provider."""
    address: str | None
    """The IP address that signed in."""
    user_agent: str | None
    """What the client that signed in called itself."""
    current: bool = False
    """Whether the request came with it."""


class ApiKeyCreate(InputSchema):
    name: Annotated[Label, Field(max_length=100)]
    """What the key is for, in your own words."""
    scopes: Annotated[list[Permission] | None, Field(max_length=100)] = None
    """Default: everything that the caller may do in the workspace; the administration of the installation has to be
    named."""
    expires_at: Annotated[AwareDatetime, BeforeValidator(refuse_other_times)] | None = None
    """Within ten years. Default: until it is revoked."""


class ApiKeyRead(BaseSchema):
    id: Ulid
    """The key's ULID; not the key itself."""
    name: str
    """What the key is for, in its owner's words."""
    last_four: str
    """The last four characters of the key, to tell it from others."""
    scopes: list[Permission]
    """The permissions that it was given; it never has more than its owner has at that moment."""
    created_at: datetime
    """When it was made."""
    expires_at: datetime | None
    """From when on it opens nothing; null: until it is revoked."""
    last_used_at: datetime | None
    """To the minute; null: never."""


class ApiKeyWithSecret(ApiKeyRead):
    """The one answer that holds the key itself."""

    key: Annotated[str, Field(repr=False)]
    """Goes into `X-API-Key`; shown this once."""
