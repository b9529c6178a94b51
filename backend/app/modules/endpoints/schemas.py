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
    """Something wrong in the document that did not prevent it from being read. `pointer` is a JSON pointer."""

    pointer: str
    message: str


class DiscoveryError(BaseSchema):
    """Why a discovery failed. `where` is a line, a JSON pointer or a URL."""

    code: str
    message: str
    where: str


class DiscoveryRead(BaseSchema):
    """One look at what is there. Its job is found by `GET /jobs?event_id=...`."""

    id: Ulid
    project_id: Ulid
    event_id: Ulid
    status: DiscoveryStatus
    strategy: str
    source: str | None = Field(description="What the operations were read from: `openapi-3.1`.")
    location: str | None = Field(description="Where it was found.")
    added: int
    changed: int
    gone: int
    unchanged: int
    report: list[DiscoveryFault]
    error: DiscoveryError | None
    created_at: datetime
    finished_at: datetime | None


class EndpointSummary(BaseSchema):
    """An operation of the inventory. The `last_*` fields are of the latest request that was answered or failed."""

    id: Ulid
    project_id: Ulid
    method: str
    path: str
    operation_id: str | None
    summary: str
    tags: list[str]
    requires_auth: bool
    deprecated: bool
    source: str
    status: EndpointStatus
    first_seen_at: datetime
    last_seen_at: datetime
    last_status: int | None
    last_latency_ms: float | None
    last_run_at: datetime | None


class EndpointRead(EndpointSummary):
    """Schemas are JSON Schema 2020-12; a `$ref` in them leads to a member of `definitions` (`#/$defs/<name>`)."""

    parameters: list[dict[str, Any]]
    body_schema: dict[str, Any] | bool | None = Field(description="Of the preferred media type.")
    body_required: bool
    body_content_types: list[str]
    response_schemas: dict[str, Any] = Field(description="By documented status; null where no content is documented.")
    definitions: dict[str, Any]
