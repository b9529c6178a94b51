"""What git sources accept and answer. A credential goes in and never comes out."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema, InputSchema, Label, Verbatim
from backend.app.extensions.git import GitError
from backend.app.extensions.git.rules import (
    MAX_BRANCH,
    MAX_SUBFOLDER,
    MAX_URL,
    repository_url,
    require_branch,
    require_subfolder,
)
from backend.app.modules.projects.schemas import MASK, BaseUrl, Name


class Provider(StrEnum):
    """Whose webhooks and whose API it is."""

    BITBUCKET = "bitbucket"
    """Bitbucket Cloud."""
    BITBUCKET_SERVER = "bitbucket_server"
    """Bitbucket Data Center."""
    GITHUB = "github"
    GITLAB = "gitlab"


class CredentialKind(StrEnum):
    NONE = "none"
    PASSWORD = "password"  # noqa: S105 - a kind
    TOKEN = "token"  # noqa: S105 - a kind


def _by(rule: Callable[[str], Any]) -> AfterValidator:
    def check(value: str) -> str:
        try:
            rule(value)
        except GitError as error:
            raise ValueError(error.message) from None
        return value

    return AfterValidator(check)


def _not_masked(value: str) -> str:
    if value == MASK:
        raise ValueError(f"{MASK} stands for a value that is not shown; send the value itself")
    return value


_HOST: Final = r"[A-Za-z0-9._:\[\]-]+"
_URL: Final = rf"^https://{_HOST}(?:/[A-Za-z0-9_~+@:-][A-Za-z0-9._~+@:-]*)+/?$"
_IN_BRANCH: Final = r"[^\x00-\x20\x7f-\x9f\u2028\u2029~^:?*\[\\/.{]"
_FIRST: Final = _IN_BRANCH.removesuffix("]") + "@-]"
_PART: Final = rf"{_IN_BRANCH}+(?:\.{_IN_BRANCH}+)*"
_BRANCH: Final = rf"^{_FIRST}{_IN_BRANCH}*(?:\.{_IN_BRANCH}+)*(?:/{_PART})*$"
_IN_FOLDER: Final = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\\/.]"
_SUBFOLDER: Final = rf"^(?:{_IN_FOLDER}+(?:[./]{_IN_FOLDER}+)*)?$"
"""Simpler than the rules that are asked: what fits these fits those, but for a name that ends in `.lock`."""


def _text(longest: int, pattern: str) -> Any:
    return Field(max_length=longest, json_schema_extra={"pattern": pattern})


RepositoryUrl: TypeAlias = Annotated[
    Label, Field(max_length=MAX_URL, json_schema_extra={"format": "uri", "pattern": _URL}), _by(repository_url)
]
Branch: TypeAlias = Annotated[Verbatim, Field(min_length=1), _text(MAX_BRANCH, _BRANCH), _by(require_branch)]
Subfolder: TypeAlias = Annotated[Verbatim, _text(MAX_SUBFOLDER, _SUBFOLDER), _by(require_subfolder)]


class GitCredential(InputSchema):
    """An access token, or a user name with a password."""

    username: Annotated[Verbatim, Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f:]*$")] = ""
    """Left out for a token that needs none."""
    secret: Annotated[
        Verbatim,
        Field(
            min_length=1,
            max_length=2000,
            repr=False,
            pattern=r"^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$",
            json_schema_extra={"not": {"const": MASK}},
        ),
        AfterValidator(_not_masked),
    ]
    """The token or the password. It needs to read; to register a webhook, to manage webhooks too."""


_SHOP: Final[dict[str, Any]] = {
    "name": "Backend",
    "url": "https://github.com/example/shop.git",
    "branch": "main",
    "subfolder": "services/shop",
}


class GitSourceCreate(InputSchema):
    model_config = ConfigDict(json_schema_extra={"examples": [_SHOP]})

    name: Name
    """One of its kind in the project, whatever its case."""
    url: RepositoryUrl
    """Over https, without a user name or a password."""
    branch: Branch | None = None
    """By default the one that the repository says is its main one."""
    subfolder: Subfolder = ""
    """Where in the repository the code is: `services/shop`. Empty: everywhere."""
    credential: GitCredential | None = None
    """Kept encrypted; none for a public repository."""
    provider: Provider | None = None
    """For registering a webhook. By default told from the host: `github.com`, `gitlab.corp.example` ..."""
    api_url: BaseUrl | None = None
    """For registering a webhook, where the provider's API is not at its usual place: at the host of the repository, or
    at `api.` before it."""


_UNSENT: Any = Field(default=None)
"""The field may be left out but not be null."""


class GitSourceUpdate(InputSchema):
    """Only the fields that are sent change. A stored credential never follows the repository to another origin (host
    and port): send both."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"branch": "release"}]})

    name: Name = _UNSENT
    """One of its kind in the project, whatever its case."""
    url: RepositoryUrl = _UNSENT
    """Over https, without a user name or a password."""
    branch: Branch = _UNSENT
    """Whose files are read."""
    subfolder: Subfolder = _UNSENT
    """Where in the repository the code is; empty: everywhere."""
    credential: GitCredential | None = None
    """Replaces the one that is kept; null takes it away."""
    provider: Provider | None = None
    """For registering a webhook; null: told from the host."""
    api_url: BaseUrl | None = None
    """For registering a webhook; null: its usual place."""


class GitSourceRead(BaseSchema):
    id: Ulid
    """The source's ULID."""
    project_id: Ulid
    """The project that it belongs to."""
    name: str
    """One of its kind in the project, whatever its case."""
    url: str
    """Of the repository."""
    branch: str
    """Whose files are read."""
    subfolder: str
    """Where in the repository the code is; empty: everywhere."""
    auth_type: CredentialKind
    """What is kept to get in with, which is not shown."""
    provider: Provider | None
    """Whose webhooks are registered."""
    api_url: str | None
    """Where the provider's API is, if not at its usual place."""
    webhook_url: str
    """Where deliveries of pushes go."""
    webhook_registered_at: datetime | None
    """When the webhook was registered at the provider, if it was done here."""
    last_commit: str | None
    """What was read last."""
    last_scanned_at: datetime | None
    """When it was read last."""
    version: int
    """Counts the edits; the ETag holds it."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was edited last."""


class GitSourceWithSecret(GitSourceRead):
    webhook_secret: str
    """What deliveries are signed with; shown this once."""
