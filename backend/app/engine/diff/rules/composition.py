"""Choices between schemas, and keywords whose effect is not decided."""

from collections.abc import Iterator
from typing import Any

from backend.app.engine.diff.model import AlternativesPair, Finding, Relation, SchemaPair, Severity
from backend.app.engine.diff.rules import rule, schema_rule
from backend.app.engine.diff.rules.values import listed


@schema_rule("alternative", about=AlternativesPair)
def alternative(pair: AlternativesPair) -> Iterator[Finding]:
    """The alternatives of `oneOf` and `anyOf`. They are paired by name, by what they say, and by a required property
    whose value tells them apart. One that is added to a response is risky, as a value of an enumeration is; where it
    adds a type, the rule `type` says so."""
    if pair.removed:
        yield Finding(f"alternative {listed(list(pair.removed))} removed", Relation.NARROWED)
    if pair.added:
        yield Finding(f"alternative {listed(list(pair.added))} added", Relation.WIDENED)


@rule("overlap", AlternativesPair, Severity.RISKY)
def overlap(pair: AlternativesPair) -> Iterator[Finding]:
    """Alternatives of a `oneOf` have changed that are told apart neither by type nor by a required property nor by a
    discriminator: a value that fitted exactly one may fit two, and is then refused."""
    if pair.overlap:
        yield Finding("alternatives have changed that may overlap")


@schema_rule("choice")
def choice(pair: SchemaPair) -> Iterator[Finding]:
    """Whether there are alternatives beside other keywords, or several sets of them."""
    old, new = pair.old.unions, pair.new.unions
    if not old and new:
        yield Finding("alternatives added beside other conditions", Relation.NARROWED)
    elif old and not new:
        yield Finding("alternatives beside other conditions removed", Relation.WIDENED)
    elif "oneOf" in pair.unlike:
        yield Finding("several sets of alternatives have changed", Relation.UNCLEAR)


@rule("condition", SchemaPair, Severity.RISKY)
def condition(pair: SchemaPair) -> Iterator[Finding]:
    """Other conditions have changed: `not`, `if`, `then`, `else`, `contains`, `propertyNames`, `dependentRequired`,
    `dependentSchemas`, `unevaluatedProperties`, `unevaluatedItems`, `contentEncoding`, `contentMediaType`, or a
    reference that cannot be followed. Whether that admits more or less is not decided."""
    if names := sorted(pair.unlike - {"oneOf", "patternProperties"}):
        yield Finding(f"{', '.join(names)} changed")


@rule("unevaluated", SchemaPair, Severity.RISKY)
def unevaluated(pair: SchemaPair) -> Iterator[Finding]:
    """`unevaluatedProperties` or `unevaluatedItems` stand beside what has changed, and depend on it."""
    for keyword, has_changed in (
        ("unevaluatedProperties", pair.old.properties.keys() != pair.new.properties.keys()),
        ("unevaluatedItems", len(pair.old.prefix) != len(pair.new.prefix)),
    ):
        if keyword in pair.old.opaque and keyword not in pair.unlike and has_changed:
            yield Finding(f"{keyword} concerns others")


@schema_rule("discriminator")
def discriminator(pair: SchemaPair) -> Iterator[Finding]:
    """The property that tells alternatives apart, and the names that its values stand for."""
    old, new = pair.old.discriminator, pair.new.discriminator
    if old is None and new is None:
        return
    was, now = _property(old), _property(new)
    if was != now:
        words = f"discriminator {was or 'none'} became {now or 'none'}"
        yield Finding(words, Relation.REPLACED if was and now else Relation.UNCLEAR)
        return
    before, after = _mapping(old), _mapping(new)
    if gone := sorted(before.keys() - after.keys()):
        yield Finding(f"discriminator value {listed(gone)} removed", Relation.NARROWED)
    if come := sorted(after.keys() - before.keys()):
        yield Finding(f"discriminator value {listed(come)} added", Relation.WIDENED)
    if other := sorted(name for name in before.keys() & after.keys() if before[name] != after[name]):
        yield Finding(f"discriminator value {listed(other)} stands for another schema", Relation.UNCLEAR)


def _property(said: Any) -> str:
    return str(said.get("propertyName", "")) if said else ""


def _mapping(said: Any) -> dict[str, Any]:
    return dict(said.get("mapping") or {}) if said else {}
