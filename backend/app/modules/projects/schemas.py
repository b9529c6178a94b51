"""What projects accept and answer. Credentials of the target go in and never come out: a read shows which fields are
set."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema, InputSchema, Label, Verbatim
from backend.app.extensions.http_client.policy import Origin, RequestRefused, parse_url
from backend.app.modules.projects.models import MAX_NAME, AuthType, ProjectStatus

MASK = "***"
MAX_URL = 2048
_MAX_BODY = 16 * 1024


_ORIGIN: Final = r"[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9._:\[\]-]+"
_SEGMENT: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_PATH: Final = rf"/(?:{_SEGMENT}|/)*"
_AFTER_PATH: Final = rf"(?:\?(?:{_SEGMENT}|[/?])*)?(?:#(?:{_SEGMENT}|[/?])*)?"
_URI: Final = re.compile(f"{_ORIGIN}(?:{_PATH})?{_AFTER_PATH}")
"""RFC 3986, appendix A; `parse_url` is stricter about the host and the port."""


def _http_url(value: str) -> str:
    """The path and the query go into a request line as they stand."""
    try:
        parse_url(value)
    except RequestRefused as error:
        raise ValueError(error.message) from None
    if not _URI.fullmatch(value):
        raise ValueError("the URL holds characters that have to be percent-encoded")
    return value


def _base_url(value: str) -> str:
    if "?" in value or "#" in value:
        raise ValueError("a base URL has no query and no fragment")
    return _http_url(value)


def _not_masked(value: str) -> str:
    if value == MASK:
        raise ValueError(f"{MASK} stands for a value that is not shown; send the value itself")
    return value


def _described(pattern: str) -> Any:
    return Field(max_length=MAX_URL, json_schema_extra={"format": "uri", "pattern": f"^{pattern}$"})


HttpUrl: TypeAlias = Annotated[Label, _described(_URI.pattern), AfterValidator(_http_url)]
BaseUrl: TypeAlias = Annotated[Label, _described(f"{_ORIGIN}(?:{_PATH})?"), AfterValidator(_base_url)]
Name: TypeAlias = Annotated[Label, Field(max_length=MAX_NAME)]
Environment: TypeAlias = Annotated[Label, Field(max_length=50)]
Description: TypeAlias = Annotated[Verbatim, Field(max_length=10_000)]

_Hidden = Annotated[
    Verbatim, Field(min_length=1, max_length=8192, repr=False, json_schema_extra={"not": {"const": MASK}})
]
_Secret = Annotated[_Hidden, AfterValidator(_not_masked)]
_Printable = Annotated[
    _Hidden, Field(pattern=r"^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$"), AfterValidator(_not_masked)
]
"""ASCII without spaces at the ends (RFC 9110, 5.5): nothing that could end a header."""
_Token = Annotated[_Hidden, Field(pattern=r"^[\x21-\x7e]+$"), AfterValidator(_not_masked)]
NOT_FOR_CREDENTIALS = frozenset(
    {
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "metadata", "metadata-flavor"),
        *("x-aws-ec2-metadata-token", "x-aws-ec2-metadata-token-ttl-seconds"),
    }
)
"""What frames a message or is between two hops (RFC 9110, 7.6.1), and what opens the metadata services of clouds."""


def _for_credentials(name: str) -> str:
    if name.lower() in NOT_FOR_CREDENTIALS:
        raise ValueError("this header is not one that carries credentials")
    return name


HeaderName: TypeAlias = Annotated[
    str, Field(max_length=100, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"), AfterValidator(_for_credentials)
]
"""A token of RFC 9110, 5.6.2."""
JsonPointer: TypeAlias = Annotated[Verbatim, Field(max_length=500, pattern=r"^(?:/(?:[^/~]|~[01])*)*$")]


class BearerConfig(InputSchema):
    token: _Token
    """Sent as `Authorization: Bearer ...`, without the word itself."""


class BasicConfig(InputSchema):
    username: Annotated[Verbatim, Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f:]*$")]
    """Without a colon (RFC 7617, 2)."""
    password: Annotated[Verbatim, Field(max_length=8192, repr=False, pattern=r"^[^\x00-\x1f\x7f]*$")]
    """Sent with the user name as RFC 7617 says."""


class ApiKeyHeaderConfig(InputSchema):
    name: HeaderName
    """The header that carries the key."""
    value: _Printable
    """The key."""


class ApiKeyQueryConfig(InputSchema):
    name: Annotated[Verbatim, Field(min_length=1, max_length=100)]
    """The query parameter that carries the key."""
    value: _Secret
    """The key."""


class LoginConfig(InputSchema):
    """A request that answers a token, made before the others."""

    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_URL,
            json_schema_extra={
                "pattern": rf"^(?:{_ORIGIN}(?:{_PATH})?|/(?:{_SEGMENT}(?:{_SEGMENT}|/)*)?){_AFTER_PATH}$"
            },
        ),
    ]
    """Absolute, or a path below the base URL."""
    method: Literal["POST", "PUT", "GET"] = "POST"
    """Of the request."""
    body: Annotated[dict[str, Any], Field(repr=False, default_factory=dict)]
    """Sent as JSON."""
    token_pointer: JsonPointer = "/access_token"  # noqa: S105 - says where a token is
    """Where the answer has the token: a JSON pointer (RFC 6901)."""
    header: HeaderName = "Authorization"
    """Carries the token in the requests that follow."""
    prefix: Annotated[Verbatim, Field(max_length=50, pattern=r"^[\x20-\x7e]*$")] = "Bearer "
    """Stands before the token in that header."""

    @field_validator("url")
    @classmethod
    def _reachable(cls, value: str) -> str:
        if value.startswith("//"):
            raise ValueError("a path begins with one slash")
        _http_url(f"http://target{value}" if value.startswith("/") else value)
        return value

    @field_validator("body")
    @classmethod
    def _not_huge(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value)) > _MAX_BODY:
            raise ValueError(f"the body has more than {_MAX_BODY} bytes")
        return value


AuthConfig: TypeAlias = BearerConfig | BasicConfig | ApiKeyHeaderConfig | ApiKeyQueryConfig | LoginConfig
_CONFIGS: Mapping[AuthType, type[InputSchema]] = {
    AuthType.BEARER: BearerConfig,
    AuthType.BASIC: BasicConfig,
    AuthType.API_KEY_HEADER: ApiKeyHeaderConfig,
    AuthType.API_KEY_QUERY: ApiKeyQueryConfig,
    AuthType.LOGIN: LoginConfig,
}


_EMPTY: dict[str, Any] = {"type": "object", "maxProperties": 0}
"""What a project without credentials answers, and may be sent back."""


def _or_empty(schema: dict[str, Any]) -> None:
    schema["anyOf"].append(_EMPTY)


_COUPLED_AUTH: dict[str, Any] = {
    "anyOf": [
        {"properties": {"auth_type": {"const": "none"}, "auth_config": {"anyOf": [{"type": "null"}, _EMPTY]}}},
        *(
            {
                "required": ["auth_type", "auth_config"],
                "properties": {"auth_type": {"const": kind.value}, "auth_config": model.model_json_schema()},
            }
            for kind, model in _CONFIGS.items()
        ),
    ]
}
"""JSON Schema of what `_AuthInput` checks."""
_SHOP: dict[str, Any] = {
    "name": "Shop",
    "base_url": "https://shop.example/v1",
    "spec_url": "https://shop.example/openapi.json",
    "environment": "staging",
    "auth_type": "bearer",
    "auth_config": {"token": "the-token-of-the-API-under-test"},
}


class _AuthInput(InputSchema):
    auth_type: AuthType = AuthType.NONE
    """How the target wants to be told who calls."""
    auth_config: Annotated[AuthConfig | None, Field(repr=False, json_schema_extra=_or_empty)] = None
    """Fits `auth_type`; the two are given together."""

    @field_validator("auth_config", mode="wrap")
    @classmethod
    def _of_its_type(cls, value: Any, _: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """Judges the value by the model of its type alone, so that faults name fields and not alternatives."""
        if value is None or "auth_type" not in info.data:
            return None
        kind = info.data["auth_type"]
        if kind not in _CONFIGS:
            if value == {}:
                return None
            raise ValueError("needs an auth_type other than none")
        return _CONFIGS[kind].model_validate(value)

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.auth_type in _CONFIGS and self.auth_config is None:
            raise ValueError(f"the auth_type {self.auth_type} needs an auth_config")
        return self


class ProjectCreate(_AuthInput):
    """`base_url` may be left to what the description at `spec_url` says of its servers."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {
                    "anyOf": [
                        {"required": [name], "properties": {name: {"type": "string"}}}
                        for name in ("base_url", "spec_url")
                    ]
                },
                _COUPLED_AUTH,
            ],
            "examples": [_SHOP],
        }
    )

    name: Name
    """One of its kind in the workspace, whatever its case."""
    description: Description = ""
    """In your own words."""
    base_url: BaseUrl | None = None
    """What the paths of operations are appended to; without query and fragment."""
    spec_url: HttpUrl | None = None
    """Where the API describes itself: OpenAPI 3.0, 3.1 or Swagger 2.0, JSON or YAML."""
    environment: Environment = "development"
    """A word of your own, to filter by: `staging`."""


_UNSENT: Any = Field(default=None)
"""The field may be left out but not be null."""


class ProjectUpdate(_AuthInput):
    """Only the fields that are sent change. `auth_type` replaces the credentials as a whole. Stored credentials never
    follow the target to another origin (scheme, host and port): an edit of `base_url`, or of `spec_url` where there is
    no `base_url`, that changes the origin needs `auth_type` and `auth_config` too."""

    model_config = ConfigDict(
        json_schema_extra={**_COUPLED_AUTH, "examples": [{"description": "Sells books", "status": "archived"}]}
    )

    auth_type: AuthType = _UNSENT
    """How the target wants to be told who calls; `none` takes the credentials away."""
    name: Name = _UNSENT
    """One of its kind in the workspace, whatever its case."""
    description: Description = _UNSENT
    """In your own words."""
    base_url: BaseUrl | None = None
    """What the paths of operations are appended to; null takes it away."""
    spec_url: HttpUrl | None = None
    """Where the API describes itself; null takes it away."""
    environment: Environment = _UNSENT
    """A word of your own, to filter by."""
    status: ProjectStatus = _UNSENT
    """An archived project can be read and not scanned."""


class LastScan(BaseSchema):
    id: Ulid
    """The scan's ULID."""
    status: str
    """`completed`, `failed` or `cancelled`."""
    finished_at: datetime | None
    """When it ended."""


class ProjectStatistics(BaseSchema):
    endpoints: int
    """In the inventory, without those that are gone."""
    open_findings: int
    """Also those that came back."""
    last_scan: LastScan | None
    """The latest scan that ended; null before the first."""


class ProjectRead(BaseSchema):
    id: Ulid
    """The project's ULID."""
    name: str
    """One of its kind in the workspace, whatever its case."""
    description: str
    """In its maker's words."""
    base_url: str | None
    """What the paths of operations are appended to."""
    spec_url: str | None
    """Where the API describes itself."""
    environment: str
    """A word to filter by."""
    status: ProjectStatus
    """An archived project can be read and not scanned."""
    auth_type: AuthType
    """How the target wants to be told who calls."""
    auth_config: dict[str, str]
    """The fields that are set, each with `***` for its value."""
    statistics: ProjectStatistics
    """What its endpoints and scans come to."""
    version: int
    """Counts the edits; the ETag holds it."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was edited last."""


@dataclass(frozen=True, slots=True)
class TargetAuth:
    """The opened credentials of a target, for the jobs that call it: `values` holds the fields of the configuration
    that belongs to `kind`."""

    kind: AuthType
    values: Mapping[str, Any] = field(repr=False)
    origin: Origin | None
    """The only one that may see them, besides that of an absolute `url` of the login step."""

    def may_go_to(self, url: str) -> bool:
        try:
            return self.kind is AuthType.NONE or origin_of(url) == self.origin
        except RequestRefused:
            return False


def origin_of(base_url: str | None, spec_url: str | None = None) -> Origin | None:
    """Where the target is: without a `base_url` it is taken to be where its description is."""
    url = base_url or spec_url
    return parse_url(url).origin if url else None
