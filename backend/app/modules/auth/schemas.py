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
    password: NewPassword
    """15 to 1024 characters after NFC, of any kind (NIST SP 800-63B-4, 3.1.1.2), and none that everybody tries."""
    first_name: PersonName
    last_name: PersonName


class UserLogin(InputSchema):
    email: Annotated[str, Field(max_length=MAX_EMAIL)]
    password: CurrentPassword


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
    new_password: NewPassword


class ProfileUpdate(InputSchema):
    """Only the fields that are sent change."""

    first_name: PersonName = _UNSENT
    last_name: PersonName = _UNSENT


class LogoutRequest(InputSchema):
    everywhere: StrictBool = False
    """Ends all sessions of the user, not only this one."""


class RefreshRequest(InputSchema):
    refresh_token: Annotated[str, Field(max_length=200, repr=False)]


class TokenPair(BaseSchema):
    """`expires_in` counts seconds, of the access token (RFC 6749, 5.1)."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a word of RFC 6750
    expires_in: int


class UserRead(BaseSchema):
    id: Ulid
    email: str
    first_name: str
    last_name: str
    personal_workspace_id: Ulid
    created_at: datetime
    updated_at: datetime


class MeRead(UserRead):
    """`workspace_id` is the active one; `permissions` are what this credential may do there."""

    workspace_id: Ulid
    permissions: list[Permission]


class CredentialRead(BaseSchema):
    """The access token or API key that the request came with: whose it is, and until when it opens."""

    kind: Literal["access_token", "api_key"]
    user_id: Ulid
    email: str
    workspace_id: Ulid
    session_id: Ulid | None
    expires_at: datetime | None
    """None: until it is revoked."""


class SessionRead(BaseSchema):
    id: Ulid
    created_at: datetime
    last_seen_at: datetime
    """When its tokens were issued or refreshed last."""
    expires_at: datetime
    method: str
    """`password`, or `sso:` and the provider."""
    address: str | None
    user_agent: str | None
    current: bool = False
    """Whether the request came with it."""


class ApiKeyCreate(InputSchema):
    name: Annotated[Label, Field(max_length=100)]
    scopes: Annotated[list[Permission] | None, Field(max_length=100)] = None
    """Default: everything that the caller may do in the workspace; the administration of the installation has to be
    named."""
    expires_at: Annotated[AwareDatetime, BeforeValidator(refuse_other_times)] | None = None
    """Within ten years. Default: until it is revoked."""


class ApiKeyRead(BaseSchema):
    id: Ulid
    name: str
    last_four: str
    scopes: list[Permission]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeyWithSecret(ApiKeyRead):
    """`key` is shown this once."""

    key: Annotated[str, Field(repr=False)]
