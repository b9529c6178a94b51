"""What the graph accepts and answers."""

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

import orjson
from pydantic import AfterValidator, Field, model_validator

from backend.app.core.ids import Ulid
from backend.app.core.schema import BaseSchema, InputSchema, Label, Line, refuse_unstorable_text
from backend.app.modules.endpoints.graph.derive import EntityType, RelationshipType
from backend.app.modules.endpoints.graph.models import MAX_NAME, Origin

MAX_PROPERTIES: Final = 64
MAX_PROPERTY_BYTES: Final = 16 * 1024
MAX_PROPERTY_DEPTH: Final = 8


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(value)) > MAX_PROPERTY_BYTES:
        raise ValueError(f"must be at most {MAX_PROPERTY_BYTES} bytes as JSON")
    level: list[Any] = [value]
    for _ in range(MAX_PROPERTY_DEPTH):
        level = [
            below
            for item in level
            if isinstance(item, dict | list)
            for below in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return value
    raise ValueError(f"must not be nested deeper than {MAX_PROPERTY_DEPTH} levels")


Name: TypeAlias = Annotated[Label, Field(max_length=MAX_NAME)]
Properties: TypeAlias = Annotated[
    dict[str, Any], Field(max_length=MAX_PROPERTIES), AfterValidator(refuse_unstorable_text), AfterValidator(_bounded)
]
"""Anything that is JSON: at most 64 members, 16 KiB, 8 levels."""
Confidence: TypeAlias = Annotated[float, Field(ge=0, le=1)]
_UNSENT: Any = Field(default=None)
"""The field may be left out but not be null."""


class EntityCreate(InputSchema):
    type: EntityType
    """What kind of thing it is."""
    name: Name
    """One of its type in the project."""
    properties: Properties = Field(default_factory=dict, description="Yours: at most 64 members, 16 KiB, 8 levels.")
    confidence: Confidence = 1.0
    """How sure you are."""


class EntityUpdate(InputSchema):
    """Only the fields that are sent change. An edit makes a derived entity yours: discoveries leave it as it is."""

    name: Name = _UNSENT
    """One of its type in the project; that of a derived entity stays."""
    properties: Properties = _UNSENT
    """In place of those that it has: at most 64 members, 16 KiB, 8 levels."""
    confidence: Confidence = _UNSENT
    """How sure you are."""


class RelationshipCreate(InputSchema):
    """From `source_id` to `target_id`, two entities of the project."""

    type: RelationshipType
    """How the source stands to the target."""
    source_id: Ulid
    """Where it begins: who depends, produces, consumes, is a part."""
    target_id: Ulid
    """Where it ends."""
    name: Annotated[Line, Field(max_length=MAX_NAME)] = ""
    """A label of your own."""
    properties: Properties = Field(default_factory=dict, description="Yours: at most 64 members, 16 KiB, 8 levels.")
    confidence: Confidence = 1.0
    """How sure you are."""

    @model_validator(mode="after")
    def _two_ends(self) -> "RelationshipCreate":
        if self.source_id == self.target_id:
            raise ValueError("an entity is not related to itself")
        return self


class RelationshipUpdate(InputSchema):
    """Only the fields that are sent change. An edit makes a derived relationship yours: discoveries leave it as it is,
    so that one of confidence 0 stays denied."""

    name: Annotated[Line, Field(max_length=MAX_NAME)] = _UNSENT
    """A label of your own."""
    properties: Properties = _UNSENT
    """In place of those that it has: at most 64 members, 16 KiB, 8 levels."""
    confidence: Confidence = _UNSENT
    """How sure you are; 0 says that it is wrong."""


class GraphEvidence(BaseSchema):
    """Why a derived thing is there."""

    rule: str
    """`declared`, `path`, `shape`, `link`, `collection`, `item`, `name`, `schema` or `traffic`."""
    place: str
    """A JSON pointer, a file and line, a path, a link, an exchange."""


class _Statement(BaseSchema):
    id: Ulid
    """Its ULID; that of a derived one stays as long as it is found again."""
    project_id: Ulid
    """The project that it belongs to."""
    name: str
    """What it is called."""
    properties: dict[str, Any]
    """More about it."""
    origin: Origin
    """Who says so."""
    confidence: float
    """From 0 to 1."""
    evidence: list[GraphEvidence]
    """Why it was derived; the first few reasons."""
    version: int
    """Counts the edits; the ETag holds it."""
    created_at: datetime
    """When it was found or created."""
    updated_at: datetime
    """When it changed last."""


class EntityRead(_Statement):
    """Something that the API is made of."""

    type: EntityType
    """What kind of thing it is."""


class RelationshipRead(_Statement):
    """How two entities belong together."""

    type: RelationshipType
    """How the source stands to the target."""
    source_id: Ulid
    """The entity where it begins."""
    target_id: Ulid
    """The entity where it ends."""


class NeighbourhoodRead(BaseSchema):
    """What is around an entity, without itself."""

    entities: list[EntityRead]
    """The nearest first."""
    relationships: list[RelationshipRead]
    """On which they were reached."""
    complete: bool
    """False: there are more than an answer holds."""


class PathRead(BaseSchema):
    entity_ids: list[Ulid]
    """From the first to the last."""
    relationship_ids: list[Ulid]
    """Between them: one fewer."""


class PathsRead(BaseSchema):
    """The relationships are followed from source to target; no path visits an entity twice."""

    paths: list[PathRead]
    """The shortest first."""
    entities: list[EntityRead]
    """Those on the paths."""
    relationships: list[RelationshipRead]
    """Those of the paths."""
    complete: bool
    """False: there may be more, and the search ended."""
