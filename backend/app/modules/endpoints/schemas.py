"""What discovery accepts and answers."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema, InputSchema, Verbatim
from backend.app.modules.endpoints.discovery import strategies
from backend.app.modules.endpoints.models import DiscoveryStatus, EndpointStatus
from backend.app.modules.projects.schemas import HttpUrl


def _one_of_the_strategies(schema: dict[str, Any]) -> None:
    schema["enum"] = strategies.names()


class DiscoveryCreate(InputSchema):
    """Where to look: at a URL, in a document that comes along, or, when neither is given, at the project's `spec_url`
    and then at the well-known places under its `base_url`."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"properties": {name: {"type": "null"}}} for name in ("spec_url", "document")]}
    )

    spec_url: HttpUrl | None = None
    """Where the description is: OpenAPI 3.0, 3.1 or Swagger 2.0, JSON or YAML."""
    document: Annotated[Verbatim, Field(min_length=1)] | dict[str, Any] | None = Field(
        None, description="An OpenAPI 3.0, 3.1 or Swagger 2.0 document: JSON or YAML text, or the JSON object itself."
    )
    strategy: Annotated[str, Field(min_length=1, max_length=50)] = Field(
        "openapi",
        description="The discovery strategy, by its registered name.",
        json_schema_extra=_one_of_the_strategies,
    )

    @model_validator(mode="after")
    def _one_place(self) -> "DiscoveryCreate":
        if self.spec_url is not None and self.document is not None:
            raise ValueError("give spec_url or document, not both")
        return self


class DiscoveryFault(BaseSchema):
    """Something wrong in the document that did not prevent it from being read."""

    pointer: str
    """Where in the document: a JSON pointer (RFC 6901)."""
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
    strategy: str
    """How it looks, by its registered name."""
    source: str | None = Field(description="What the operations were read from: `openapi-3.1`.")
    location: str | None = Field(description="Where it was found.")
    added: int
    """Operations that were not in the inventory."""
    changed: int
    """Operations that are described otherwise than before."""
    gone: int
    """Operations of the inventory that were not found again."""
    unchanged: int
    """Operations that are as they were."""
    report: list[DiscoveryFault]
    """What is wrong in the document and did not keep it from being read."""
    error: DiscoveryError | None
    """Why it failed; null otherwise."""
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
    """The HTTP method."""
    path: str
    """The path template, appended to the project's `base_url`."""
    operation_id: str | None
    """Its name in the description."""
    summary: str
    """What it does, in the description's words."""
    tags: list[str]
    """How the description groups it."""
    requires_auth: bool
    """Whether the description asks for credentials."""
    deprecated: bool
    """Whether the description advises against it."""
    source: str
    """What it was read from: `openapi-3.1`."""
    status: EndpointStatus
    """Whether the latest discovery found it."""
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


class EndpointRead(EndpointSummary):
    """Schemas are JSON Schema 2020-12; a `$ref` in them leads to a member of `definitions` (`#/$defs/<name>`)."""

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
