"""What can go wrong with the graph."""

from backend.app.core.errors import Conflict, InvalidInput, NotFound


class EntityNotFound(NotFound):
    code = "entity.not_found"
    title = "There is no such entity"


class EntityTaken(Conflict):
    code = "entity.taken"
    title = "There is an entity of this type with this name"


class DerivedEntity(Conflict):
    code = "entity.derived"
    title = "The entity follows the inventory: its type and name are not yours to change, and it would come back"


class RelationshipNotFound(NotFound):
    code = "relationship.not_found"
    title = "There is no such relationship"


class RelationshipTaken(Conflict):
    code = "relationship.taken"
    title = "These two entities are related like this already"


class DerivedRelationship(Conflict):
    code = "relationship.derived"
    title = "The relationship follows the inventory and would come back: set its confidence to 0 instead"


class UnknownEnd(InvalidInput):
    code = "relationship.unknown_end"
    title = "A relationship joins two entities of its project"
