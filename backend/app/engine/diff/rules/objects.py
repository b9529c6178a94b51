"""Properties of objects, and items of arrays.

An object that does not say what further properties have to be is open by JSON Schema. It is not taken to promise them:
to describe a property that was not described before adds it.
"""

from collections.abc import Iterator

from backend.app.engine.diff.model import Finding, Relation, SchemaPair, Severity
from backend.app.engine.diff.rules import rule, schema_rule
from backend.app.engine.diff.shape import Direction

_REQUEST, _RESPONSE = Direction.REQUEST, Direction.RESPONSE


def _objects(pair: SchemaPair) -> bool:
    return "object" in pair.common


def _added(pair: SchemaPair) -> list[str]:
    """Properties that are described only in the new schema, and that no schema for further properties stood for."""
    old, new = pair.old.visible(pair.direction), pair.new.visible(pair.direction)
    if not _objects(pair) or pair.old.others:
        return []
    return sorted(new.keys() - old.keys())


def _removed(pair: SchemaPair) -> list[str]:
    old, new = pair.old.visible(pair.direction), pair.new.visible(pair.direction)
    if not _objects(pair) or pair.new.others:
        return []
    return sorted(old.keys() - new.keys())


@rule("request.property.added", SchemaPair, Severity.SAFE, direction=_REQUEST)
def optional_property_added(pair: SchemaPair) -> Iterator[Finding]:
    """Requests may hold a further property."""
    for name in _added(pair):
        if name not in pair.new.demanded(_REQUEST):
            yield Finding(f"property {name} added", below=name)


@rule("request.property.added_required", SchemaPair, Severity.BREAKING, direction=_REQUEST)
def required_property_added(pair: SchemaPair) -> Iterator[Finding]:
    """Requests without the new property are refused, and nobody sends it yet. A default does not help: a validator
    refuses all the same."""
    for name in _added(pair):
        if name in pair.new.demanded(_REQUEST):
            yield Finding(f"required property {name} added", below=name)


@rule("request.property.removed", SchemaPair, Severity.RISKY, direction=_REQUEST)
def property_ignored(pair: SchemaPair) -> Iterator[Finding]:
    """What clients send in the property is accepted, because the object is open, and most likely ignored."""
    for name in _removed(pair):
        if not pair.new.closed and name not in pair.new.hidden.get(_REQUEST, ()):
            yield Finding(f"property {name} removed", below=name)


@rule("request.property.refused", SchemaPair, Severity.BREAKING, direction=_REQUEST)
def property_refused(pair: SchemaPair) -> Iterator[Finding]:
    """A property was removed from an object that admits no others: requests with it are refused."""
    for name in _removed(pair):
        if pair.new.closed and name not in pair.new.hidden.get(_REQUEST, ()):
            yield Finding(f"property {name} removed, and no longer accepted", below=name)


@rule("request.property.read_only", SchemaPair, Severity.RISKY, direction=_REQUEST)
def became_read_only(pair: SchemaPair) -> Iterator[Finding]:
    """Clients could set the property, and cannot any more; whether it is ignored or refused is up to the server."""
    for name in _removed(pair):
        if name in pair.new.hidden.get(_REQUEST, ()):
            yield Finding(f"property {name} became read-only", below=name)


@schema_rule("required", response_widened=Severity.BREAKING)
def required(pair: SchemaPair) -> Iterator[Finding]:
    """Whether a property that both have has to be there. A response that may lack it breaks who relies on it."""
    if not _objects(pair):
        return
    old, new = pair.old.demanded(pair.direction), pair.new.demanded(pair.direction)
    reported = {*_added(pair), *_removed(pair)}
    for name in sorted(new - old - reported):
        yield Finding(f"property {name} became required", Relation.NARROWED, name)
    for name in sorted(old - new - reported):
        yield Finding(f"property {name} became optional", Relation.WIDENED, name)


@rule("response.property.added", SchemaPair, Severity.SAFE, direction=_RESPONSE)
def response_property_added(pair: SchemaPair) -> Iterator[Finding]:
    """Responses hold a further property. Clients ignore what they do not know."""
    for name in _added(pair):
        if not pair.old.closed:
            yield Finding(f"property {name} added", below=name)


@rule("response.property.added_to_closed", SchemaPair, Severity.RISKY, direction=_RESPONSE)
def response_property_unexpected(pair: SchemaPair) -> Iterator[Finding]:
    """Responses hold a further property, although the description said that there are no others
    (`additionalProperties: false`): clients that validate refuse it."""
    for name in _added(pair):
        if pair.old.closed:
            yield Finding(f"property {name} added to an object that had no others", below=name)


@rule("response.property.removed", SchemaPair, Severity.RISKY, direction=_RESPONSE)
def optional_response_property_removed(pair: SchemaPair) -> Iterator[Finding]:
    """A property that did not have to be there is gone from responses. Clients had to do without it, but many
    descriptions mark nothing as required."""
    for name in _removed(pair):
        if name not in pair.old.demanded(_RESPONSE):
            yield Finding(f"property {name} removed", below=name)


@rule("response.property.removed_required", SchemaPair, Severity.BREAKING, direction=_RESPONSE)
def required_response_property_removed(pair: SchemaPair) -> Iterator[Finding]:
    """A property that was always there is gone from responses, or stands in requests only."""
    for name in _removed(pair):
        if name in pair.old.demanded(_RESPONSE):
            yield Finding(f"required property {name} removed", below=name)


@schema_rule("further_properties")
def further_properties(pair: SchemaPair) -> Iterator[Finding]:
    """Whether an object may have properties that it does not describe (`additionalProperties`). To refuse them where
    nothing was said about them is unclear: nobody was told that they may be sent."""
    old, new = pair.old, pair.new
    if not _objects(pair) or old.extra == new.extra:
        return
    if new.closed and not old.closed:
        relation = Relation.UNCLEAR if old.extra is None and pair.direction is _REQUEST else Relation.NARROWED
        yield Finding("further properties are no longer admitted", relation)
    elif old.closed and not new.closed:
        yield Finding("further properties became possible", Relation.WIDENED)
    elif new.others and not (old.others or old.closed):
        relation = Relation.UNCLEAR if old.extra is None and pair.direction is _REQUEST else Relation.NARROWED
        yield Finding("further properties have to fit a schema", relation)
    elif old.others and not (new.others or new.closed):
        yield Finding("further properties may be anything", Relation.WIDENED)


@rule("patterns_of_properties", SchemaPair, Severity.RISKY)
def patterns_of_properties(pair: SchemaPair) -> Iterator[Finding]:
    """Schemas for properties by the pattern of their name (`patternProperties`). Which names a pattern takes is not
    followed up."""
    differ = pair.old.by_pattern.keys() ^ pair.new.by_pattern.keys()
    moved = _objects(pair) and (pair.old.by_pattern or pair.new.by_pattern) and (_added(pair) or _removed(pair))
    if differ or "patternProperties" in pair.unlike or moved:
        yield Finding("other properties go by the pattern of their name")


@rule("items_by_position", SchemaPair, Severity.RISKY)
def items_by_position(pair: SchemaPair) -> Iterator[Finding]:
    """How many items of an array have a schema of their own (`prefixItems`)."""
    old, new = len(pair.old.prefix), len(pair.new.prefix)
    if old != new and "array" in pair.common:
        yield Finding(f"items with a schema of their own: {old} became {new}")
