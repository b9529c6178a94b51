"""What discovery accepts and answers."""

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema, InputSchema, Label, Line, Verbatim
from backend.app.modules.endpoints.discovery import Kind, strategies
from backend.app.modules.endpoints.inventory.reconcile import EndpointState
from backend.app.modules.endpoints.models import MAX_SPEC_NAME, DiscoveryStatus
from backend.app.modules.projects.schemas import HttpUrl

MAX_NAMED: Final = 20
"""Uploads, and git sources, that a request names; descriptions of a project that have names and URLs."""


def _one_of_the_strategies(schema: dict[str, Any]) -> None:
    schema["enum"] = strategies.names()


Strategy: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=50),
    WithJsonSchema({"type": "string"}),
    Field(json_schema_extra=_one_of_the_strategies),
]


class DiscoveryCreate(InputSchema):
    """Where to look. Without anything, every strategy that applies looks: for a description at the project's `spec_url`
    or at the well-known places under its `base_url`, at descriptions that were named with their URLs before, at what
    answers there, and in its git sources."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"spec_url": {"type": "null"}, "name": {"type": "null"}}},
                {
                    "required": ["spec_url"],
                    "properties": {"spec_url": {"type": "string"}, "document": {"type": "null"}},
                },
            ]
        }
    )

    strategies: Annotated[list[Strategy], Field(min_length=1, max_length=20)] | None = Field(
        None, description="Discovery strategies by their registered names; null: all that apply."
    )
    spec_url: HttpUrl | None = None
    """Where the description is: OpenAPI, Swagger 2.0 or a GraphQL endpoint."""
    name: Annotated[Label, Field(max_length=MAX_SPEC_NAME)] | None = Field(
        None,
        description="Which of several descriptions is at `spec_url`. It is kept beside the others, and read again by "
        "every discovery without arguments until its source is taken away.",
    )
    document: Annotated[Verbatim, Field(min_length=1)] | dict[str, Any] | None = Field(
        None, description="A description: JSON or YAML text, or the JSON object itself."
    )
    uploads: list[Ulid] = Field(
        [], max_length=MAX_NAMED, description="Files that were uploaded before: captures, sources."
    )
    git_sources: Annotated[list[Ulid], Field(max_length=MAX_NAMED)] | None = Field(
        None, description="Git sources of the project; null: all of them, where source code is looked at."
    )

    @model_validator(mode="after")
    def _one_place(self) -> "DiscoveryCreate":
        if self.spec_url is not None and self.document is not None:
            raise ValueError("give spec_url or document, not both")
        if self.name is not None and self.spec_url is None:
            raise ValueError("a name is that of the description at spec_url")
        return self


class DiscoveryFault(BaseSchema):
    """Something wrong in a source that did not prevent it from being read."""

    pointer: str
    """Where: a JSON pointer (RFC 6901), a file and line, an entry."""
    message: str
    """What is wrong there."""


class DiscoveryError(BaseSchema):
    """Why a discovery failed."""

    code: str
    """Stable, for programs."""
    message: str
    """For people."""
    where: str
    """A line, a JSON pointer or a URL."""


class DiscoveryPart(BaseSchema):
    """What one source said."""

    strategy: str
    """How it was looked at, by the registered name of the strategy."""
    source: str
    """What the operations were read from: `openapi-3.1`, `fastapi`, `capture-har`; empty when it failed."""
    location: str
    """The URL, the file or the repository."""
    operations: int
    """How many operations it named."""
    webhooks: list[str]
    """What the API sends of itself, by method and name: `POST newPet`."""
    callbacks: list[str]
    """What the API sends to an address that a request gave, by method and expression."""
    report: list[DiscoveryFault]
    """What is wrong in it and did not keep it from being read, and what was left out."""
    error: DiscoveryError | None
    """Why nothing could be read; null otherwise."""


class DriftChange(BaseSchema):
    """A difference that a client of the API can notice."""

    number: int
    """Its place among the changes of the discovery, the worst first: 1 and on."""
    severity: str
    """`breaking`, `risky` or `safe`."""
    rule: str
    """The rule that found it, as docs/reference/diff-rules.md lists them."""
    endpoint_id: Ulid | None
    """The endpoint that it is about; null: the API as a whole."""
    operation: str
    """Its method and path; empty: the API as a whole."""
    others: list[str]
    """Further operations that have it too, because they share a schema."""
    where: str
    """The place within the operation: `request.query.limit`; empty: the operation itself."""
    message: str
    """What differs."""


class DiscoveryRead(BaseSchema):
    """One look at what is there. Its job is found by `GET /jobs?event_id=...`."""

    id: Ulid
    """The discovery's ULID."""
    project_id: Ulid
    """The project that it looks at."""
    event_id: Ulid
    """The event that asked for it; its job has the same."""
    status: DiscoveryStatus
    """Where it stands."""
    strategies: list[str]
    """The strategies that were asked for; empty: all that apply."""
    parts: list[DiscoveryPart]
    """What each source said."""
    added: int
    """Operations that were not in the inventory."""
    changed: int
    """Operations that differ from before in what a client can notice."""
    gone: int
    """Operations that no source vouches for any more."""
    unchanged: int
    """Operations that are as they were."""
    breaking: int
    """Changes that break clients."""
    risky: int
    """Changes that may break clients."""
    safe: int
    """Changes that break nobody."""
    error: DiscoveryError | None
    """Why it failed as a whole; null otherwise."""
    created_at: datetime
    """When it was asked for."""
    finished_at: datetime | None
    """When it ended, however it did."""


class EndpointSummary(BaseSchema):
    """An operation of the inventory."""

    id: Ulid
    """The endpoint's ULID."""
    project_id: Ulid
    """The project that it belongs to."""
    method: str
    """The HTTP method; `*` for a route in source code that takes any."""
    path: str
    """The path template, appended to the project's `base_url`."""
    from_root: bool
    """Whether the path is appended to the root of the host in place of `base_url`."""
    state: EndpointState
    """What the sources together say of it."""
    kinds: list[Kind]
    """Kinds of the sources that vouch for it, the most trusted first."""
    source: str
    """What the most trusted of its sources was read from: `openapi-3.1`."""
    operation_id: str | None
    """Its name in the description, or the handler's in source code."""
    summary: str
    """What it does, in the description's words."""
    tags: list[str]
    """How the description groups it, or a person."""
    requires_auth: bool
    """Whether a source says that it asks for credentials."""
    deprecated: bool
    """Whether the description or the source code advises against it."""
    unresolved: str
    """What of its path could not be found out; empty: the path is whole."""
    owner: str
    """Who looks after it, in a person's words."""
    notes: str
    """What people noted."""
    ignored: bool
    """Whether scans leave it out."""
    version: int
    """Counts the edits by people; the ETag holds it."""
    first_seen_at: datetime
    """When a discovery found it first."""
    last_seen_at: datetime
    """When a discovery found it last."""
    last_status: int | None
    """The status that the latest valid request met; null without an answer."""
    last_latency_ms: float | None
    """Milliseconds that this request took."""
    last_run_at: datetime | None
    """When this request was sent."""


class EndpointSource(BaseSchema):
    """What one source says about an endpoint."""

    slot: str
    """Which source it is: the strategy, with a name where it has several."""
    kind: Kind
    """What such a source knows."""
    source: str
    """What it was read from: `openapi-3.1`, `fastapi`, `capture-har`, `probe`."""
    location: str
    """The URL, the file or the repository."""
    places: list[str]
    """The evidence: pointers, files with lines, entries, answers."""
    alive: bool | None
    """Whether an answer shows that it is there, or that it is not; null: no answer tells."""
    requires_auth: bool | None
    """Whether it asks for credentials; null: cannot be told."""
    unresolved: str
    """What of its path could not be found out from this source."""
    exchanges: int
    """Requests that were seen in traffic."""
    first_seen_at: datetime
    """When the source said so first."""
    last_seen_at: datetime
    """When the source said so last."""


class SourceRead(BaseSchema):
    """A source of the inventory."""

    slot: str
    """Which source it is: the strategy, with a name where it has several."""
    kind: Kind
    """What such a source knows."""
    source: str
    """What it was read from: `openapi-3.1`, `fastapi`, `capture-har`, `probe`."""
    location: str
    """The URL, the file or the repository."""
    spec_url: str | None
    """Where every discovery without arguments reads it again, as it was named; null for all but named descriptions."""
    endpoints: int
    """How many endpoints it speaks of."""
    first_seen_at: datetime
    """When it said something first."""
    last_seen_at: datetime
    """When it said something last."""


class EndpointRead(EndpointSummary):
    """Schemas are JSON Schema 2020-12; a `$ref` in them leads to a member of `definitions` (`#/$defs/<name>`)."""

    sources: list[EndpointSource]
    """Who speaks of it."""
    parameters: list[dict[str, Any]]
    """Each with its name, where it goes, its schema and how it is serialised."""
    body_schema: dict[str, Any] | bool | None = Field(description="Of the preferred media type.")
    body_required: bool
    """Whether a request needs a body."""
    body_content_types: list[str]
    """Media types that the body may have."""
    response_schemas: dict[str, Any] = Field(description="By documented status; null where no content is documented.")
    definitions: dict[str, Any]
    """What `#/$defs/<name>` in the schemas refers to."""


class EndpointUpdate(InputSchema):
    """A person's word on an endpoint, which no discovery changes. What is left out stays."""

    owner: Annotated[Line, Field(max_length=200)] = ""
    """Who looks after it."""
    notes: Annotated[str, Field(max_length=10_000)] = ""
    """Free text."""
    tags: Annotated[list[Annotated[Line, Field(min_length=1, max_length=200)]], Field(max_length=50)] | None = Field(
        None, description="In place of the description's; null: the description's again."
    )
    ignored: bool = False
    """Whether scans leave it out."""
