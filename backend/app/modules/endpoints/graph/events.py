"""What the graph makes known."""

from typing import ClassVar, Final

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event

ENTITY: Final = "graph_entity"
"""An entity of the graph, in contrast to whatever else an event can be about."""


class EntityCreated(Event):
    name: ClassVar = "entity.created"
    entity: ClassVar = ENTITY
    graph_entity_id: Ulid
    type: str
    label: str


class EntityUpdated(Event):
    name: ClassVar = "entity.updated"
    entity: ClassVar = ENTITY
    graph_entity_id: Ulid
    fields: tuple[str, ...]
    """What was changed."""


class EntityDeleted(Event):
    """With the relationships that it had."""

    name: ClassVar = "entity.deleted"
    entity: ClassVar = ENTITY
    graph_entity_id: Ulid
    type: str
    label: str


class RelationshipCreated(Event):
    name: ClassVar = "relationship.created"
    relationship_id: Ulid
    type: str
    source_id: Ulid
    target_id: Ulid


class RelationshipUpdated(Event):
    name: ClassVar = "relationship.updated"
    relationship_id: Ulid
    fields: tuple[str, ...]
    """What was changed."""


class RelationshipDeleted(Event):
    name: ClassVar = "relationship.deleted"
    relationship_id: Ulid
    type: str
    source_id: Ulid
    target_id: Ulid


class GraphDerived(Event):
    """The derived part of the graph follows a discovery that made a difference to it."""

    name: ClassVar = "graph.derived"
    entity: ClassVar = "project"
    entities: int
    """Derived ones, those that people made theirs included."""
    relationships: int
    added: int
    """Rows of both."""
    changed: int
    removed: int
