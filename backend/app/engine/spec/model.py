"""The normalised model of an API description.

Schemas are JSON Schema 2020-12 dictionaries whatever the source dialect was: OpenAPI 3.0 `nullable`, boolean
`exclusiveMinimum` and Swagger 2.0 `type: file` are already translated. A `$ref` inside a schema always has the form
`#/$defs/<name>` and is looked up in `ApiDescription.definitions`, so large shared schemas are kept once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Json: TypeAlias = Any
Schema: TypeAlias = Mapping[str, Any] | bool


class ParameterLocation(StrEnum):
    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    COOKIE = "cookie"
    QUERYSTRING = "querystring"
    """The query as a whole, written as a media type (OpenAPI 3.2); the name is not sent."""


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    location: ParameterLocation
    required: bool = False
    schema: Schema = True
    style: str = ""
    """OpenAPI `style` with the default of the location filled in (`simple`, `form`, ...)."""
    explode: bool = False
    content_type: str | None = None
    """Set when the value is serialised as this media type (`content`) and not by `style`."""
    examples: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaType:
    content_type: str
    schema: Schema = True
    """Of the whole content; a sequence of items (`application/jsonl`, `text/event-stream`) is an array of them."""
    examples: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestBody:
    required: bool
    content: tuple[MediaType, ...]


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    status: str
    """`200`, `2XX` or `default`, as documented (upper case X)."""
    content: tuple[MediaType, ...] = ()
    required_headers: tuple[str, ...] = ()
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Link Objects by name. An `operationRef` to an operation that was read is `#/paths/<path>/<method>`, wherever the
    operation stands."""


class SecurityKind(StrEnum):
    BASIC = "basic"
    BEARER = "bearer"
    API_KEY = "api_key"
    OAUTH2 = "oauth2"
    OPENID_CONNECT = "openid_connect"
    MUTUAL_TLS = "mutual_tls"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SecurityScheme:
    name: str
    kind: SecurityKind
    location: ParameterLocation | None = None
    parameter: str | None = None
    """Header, query or cookie name of an API key."""
    scheme: str = ""
    """Of HTTP authentication, in lower case: `basic`, `bearer`, `digest`, ..."""
    flows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of OAuth 2, by the names of OpenAPI (`authorizationCode`, `clientCredentials`, `deviceAuthorization`, `implicit`,
    `password`): the URLs as documented (`tokenUrl`, ...) and `scopes`, a list."""
    url: str = ""
    """Where OpenID Connect or OAuth 2 describes itself (`openIdConnectUrl`, `oauth2MetadataUrl`)."""


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    """Upper case."""
    path: str
    """Template as documented, without the server part: `/users/{id}`."""
    operation_id: str | None = None
    summary: str = ""
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    parameters: tuple[Parameter, ...] = ()
    body: RequestBody | None = None
    responses: tuple[ResponseSpec, ...] = ()
    security: tuple[tuple[str, ...], ...] = ()
    """Alternatives; each names the schemes that are needed together. Empty: no credentials needed. An alternative
    that is itself empty means that credentials are optional."""
    pointer: str = ""
    """JSON pointer into the source document, or into another one behind its name and `#`
    (`paths/users.yaml#/get`)."""
    server: str | None = None
    """Server URL declared on the path or the operation, when it differs from the description's."""
    scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What a token has to allow (OAuth 2 scopes, roles), by security scheme."""

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def requires_auth(self) -> bool:
        return bool(self.security) and all(self.security)


@dataclass(frozen=True, slots=True)
class Tag:
    name: str
    summary: str = ""
    parent: str = ""
    """The name of the tag that it stands under."""
    kind: str = ""
    """`nav`, `badge`, `audience`, ..."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in the document that did not prevent it from being read."""

    pointer: str
    """As of an operation."""
    message: str


@dataclass(frozen=True, slots=True)
class ApiDescription:
    title: str
    version: str
    dialect: str
    """`openapi-3.2`, `openapi-3.1`, `openapi-3.0`, `swagger-2.0` or `graphql`."""
    servers: tuple[str, ...] = ()
    """Absolute or relative server URLs with variables expanded by their defaults, in document order; behind them, as
    far as there are few, those that the other values of the variables make."""
    operations: tuple[Operation, ...] = ()
    definitions: Mapping[str, Schema] = field(default_factory=dict)
    security_schemes: Mapping[str, SecurityScheme] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    server_names: Mapping[str, str] = field(default_factory=dict)
    """Server URLs by the names that they were given."""
    tags: tuple[Tag, ...] = ()
    webhooks: tuple[Operation, ...] = ()
    """What the API sends of itself, never an endpoint to call: the path is the name of the webhook."""
    callbacks: tuple[Operation, ...] = ()
    """What the API sends because of an operation; the path is the expression of the URL, `{$request.body#/url}`. The
    pointer says which operation."""


def below(place: str, *names: str | int) -> str:
    """The place of a value below another one."""
    for name in names:
        place += "/" + str(name).replace("~", "~0").replace("/", "~1")
    return place


class SpecError(Exception):
    """The document is refused as a whole. `code` names the reason or the limit (`spec.too_deep`); `where` is a line
    (`line 12, column 3`) or a JSON pointer."""

    def __init__(self, code: str, message: str, where: str = "") -> None:
        super().__init__(f"{message} ({where})" if where else message)
        self.code = code
        self.message = message
        self.where = where
