"""Schemas of two descriptions, compared place by place.

A schema that is shared (a definition) is compared once for each pair in which it is met, however often it is used and
whatever it leads back to; `Unit.uses` says where it leads.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from backend.app.engine.diff.model import (
    AlternativesPair,
    SchemaPair,
    Severity,
)
from backend.app.engine.diff.rules import Rule
from backend.app.engine.diff.shape import Alikeness, Direction, Node, Parts, Shape, Side
from backend.app.engine.spec.model import Schema

Key: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], Direction, bool]
MOST_UNITS = 100_000
_LEADING = frozenset({"$ref", "allOf", "anyOf", "oneOf"})
_MOST_MEMBERS = 60
"""Alternatives up to which each is held against each other one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Within a schema: as a JSON pointer, and for people (`.address.city`, `.items[]`)."""

    pointer: str = ""
    said: str = ""

    def below(self, said: str, *names: str) -> "Place":
        escaped = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
        return Place(self.pointer + escaped, self.said + said)


@dataclass(frozen=True, slots=True)
class Difference:
    """Found by a rule at a place of a schema."""

    rule: str
    severity: Severity
    place: Place
    words: str


@dataclass(slots=True)
class Unit:
    """Two schemas that were compared: those of a parameter, a content, or a pair of definitions."""

    label: str
    direction: Direction
    differences: list[Difference] = field(default_factory=list)
    uses: list[tuple[str, Key]] = field(default_factory=list)
    """The definitions that stand in it, each with the JSON pointer of its place."""


class SchemaComparison:
    """`units` are the pairs of definitions that were met so far and that differ, or lead to some that do."""

    def __init__(
        self, old: Mapping[str, Schema], new: Mapping[str, Schema], rules: Mapping[type, Sequence[tuple[str, Rule]]]
    ) -> None:
        self.units: dict[Key, Unit] = {}
        self._old = Side(old)
        self._new = Side(new)
        self._alike = Alikeness(old, new)
        self._rules = rules
        self._pending: deque[tuple[Key, Node, Node]] = deque()

    def compare(self, old: Schema, new: Schema, direction: Direction, *, as_text: bool = False) -> Unit:
        unit = Unit("", direction)
        self._visit(unit, Place(), (old,), (new,), as_text)
        while self._pending:
            key, was, now = self._pending.popleft()
            self._compare(self.units[key], Place(), was, now, key[3])
        return unit

    def _visit(self, unit: Unit, place: Place, old: Parts, new: Parts, as_text: bool) -> None:
        if not self._alike(old, new):
            self._enter(unit, place, self._old.node(old), self._new.node(new), as_text)

    def _enter(self, unit: Unit, place: Place, old: Node, new: Node, as_text: bool) -> None:
        if not (old.name or new.name) or len(self.units) >= MOST_UNITS:
            self._compare(unit, place, old, new, as_text)
            return
        bare_old, bare_new = Node(old.parts, old.name), Node(new.parts, new.name)
        key = (old.key, new.key, unit.direction, as_text)
        if key not in self.units:
            self.units[key] = Unit(new.name or old.name, unit.direction)
            self._pending.append((key, bare_old, bare_new))
        unit.uses.append((place.pointer, key))
        if old.nullable != new.nullable and self._admits_null(self._old, bare_old) == self._admits_null(
            self._new, bare_new
        ):
            before, after = Shape(self._old.kinds(old)), Shape(self._new.kinds(new))
            self._apply(unit, place, SchemaPair(before, after, unit.direction, as_text))

    @staticmethod
    def _admits_null(side: Side, node: Node) -> bool:
        return "null" in side.kinds(node)

    def _compare(self, unit: Unit, place: Place, old: Node, new: Node, as_text: bool) -> None:
        if len(self.units) >= MOST_UNITS:
            pair = SchemaPair(Shape(), Shape(), unit.direction, as_text, frozenset({"$ref"}))
            self._apply(unit, place, pair)
            return
        old_union, old_members = self._old.members(old)
        new_union, new_members = self._new.members(new)
        before, after = self._old.shape(old), self._new.shape(new)
        unlike = frozenset(
            keyword
            for keyword in before.opaque.keys() | after.opaque.keys()
            if not self._alike(before.opaque.get(keyword, []), after.opaque.get(keyword, []))
        )
        silent = before.silent or after.silent
        if silent or (old_union and (new_union or not after.unions)) or (new_union and not before.unions):
            self._apply(unit, place, SchemaPair(_plain(before), _plain(after), unit.direction, as_text))
            if not silent:
                choices = (old_union, old_members), (new_union, new_members)
                self._alternatives(unit, place, *choices, self._told_apart(unit, before, after), as_text)
            return
        if max(len(before.unions), len(after.unions)) > 1 and not self._alike(_sorted(before), _sorted(after)):
            unlike |= {"oneOf"}
        pair = SchemaPair(before, after, unit.direction, as_text, unlike)
        # The same words, of which none leads elsewhere: only what stands inside can differ.
        same = old.parts == new.parts and old.nullable == new.nullable and _is_local(old)
        if unlike or not same or before.hidden != after.hidden:
            self._apply(unit, place, pair)
        common = pair.common
        if "object" in common:
            self._properties(unit, place, before, after, as_text)
        if "array" in common:
            self._items(unit, place, before, after, as_text)
        if len(before.unions) == len(after.unions) == 1:
            (old_union, old_parts), (new_union, new_parts) = before.unions[0], after.unions[0]
            if not self._alike(old_parts, new_parts) or old_union != new_union:
                was = old_union, self._old.alternatives(old_parts)
                now = new_union, self._new.alternatives(new_parts)
                self._alternatives(unit, place, was, now, self._told_apart(unit, before, after), as_text)

    def _properties(self, unit: Unit, place: Place, before: Shape, after: Shape, as_text: bool) -> None:
        old, new = before.visible(unit.direction), after.visible(unit.direction)
        for name in sorted({**old, **new}):
            # Where a schema stands for further properties, it stands for those that the other side describes.
            was = old.get(name, () if name in before.properties else before.others)
            now = new.get(name, () if name in after.properties else after.others)
            if was and now:
                self._visit(unit, place.below(f".{name}", "properties", name), was, now, as_text)
        if before.others and after.others:
            self._visit(unit, place.below(".*", "additionalProperties"), before.others, after.others, as_text)
        for pattern in sorted(before.by_pattern.keys() & after.by_pattern.keys()):
            below = place.below(f".{{{pattern}}}", "patternProperties", pattern)
            self._visit(unit, below, before.by_pattern[pattern], after.by_pattern[pattern], as_text)

    def _items(self, unit: Unit, place: Place, before: Shape, after: Shape, as_text: bool) -> None:
        if before.items or after.items:
            below = place.below("[]", "items")
            self._visit(unit, below, before.items or (True,), after.items or (True,), as_text)
        if len(before.prefix) == len(after.prefix):
            for index, (old, new) in enumerate(zip(before.prefix, after.prefix, strict=True)):
                self._visit(unit, place.below(f"[{index}]", "prefixItems", str(index)), old, new, as_text)

    def _alternatives(
        self,
        unit: Unit,
        place: Place,
        old: tuple[str, list[Node]],
        new: tuple[str, list[Node]],
        told_apart: bool,
        as_text: bool,
    ) -> None:
        keyword = new[0] or old[0]
        pairs, removed, added = self._matched(old[1], new[1])
        differ = False
        for index, (was, now) in enumerate(pairs):
            if self._alike(was.parts, now.parts) and was.nullable == now.nullable:
                continue
            differ = True
            label = now.name or was.name or str(index)
            self._enter(unit, place.below(f"<{label}>", keyword, label), was, now, as_text)
        of_old = frozenset().union(*map(self._old.kinds, old[1]))
        of_new = frozenset().union(*map(self._new.kinds, new[1]))
        requested = unit.direction is Direction.REQUEST
        side, (one, nodes), (other, _) = (self._new, new, old) if requested else (self._old, old, new)
        changed = differ or bool(added if requested else removed) or (other == "anyOf" and one == "oneOf")
        self._apply(
            unit,
            place,
            AlternativesPair(
                # Alternatives of types that the others do not have are told as types.
                removed=tuple(sorted(self._old.label(node) for node in removed if self._old.kinds(node) & of_new)),
                added=tuple(sorted(self._new.label(node) for node in added if self._new.kinds(node) & of_old)),
                overlap=one == "oneOf" and changed and not told_apart and not self._disjoint(side, nodes),
                direction=unit.direction,
            ),
        )

    @staticmethod
    def _told_apart(unit: Unit, before: Shape, after: Shape) -> bool:
        """By a discriminator on the side whose values have to fit the other one."""
        return (after if unit.direction is Direction.REQUEST else before).discriminator is not None

    def _matched(self, old: list[Node], new: list[Node]) -> tuple[list[tuple[Node, Node]], list[Node], list[Node]]:
        """Pairs, and what is left of each side: by the name, by what they say, then where both sides have one
        alternative left of a type or a tag."""
        pairs = []
        left, right = list(old), list(new)
        for same in (self._same_name, self._same_words):
            for was in list(left):
                now = next((each for each in right if same(was, each)), None)
                if now is not None:
                    pairs.append((was, now))
                    left.remove(was)
                    right.remove(now)
        # Two names are two things: only what has no name is told by its look.
        olds = [self._look(self._old, each) for each in left]
        news = [self._look(self._new, each) for each in right]
        matched = [
            (was, now)
            for was, look in zip(left, olds, strict=True)
            for now, other in zip(right, news, strict=True)
            if look == other and olds.count(look) == news.count(look) == 1 and not (was.name and now.name)
        ]
        for was, now in matched:
            left.remove(was)
            right.remove(now)
        return pairs + matched, left, right

    @staticmethod
    def _same_name(was: Node, now: Node) -> bool:
        return bool(was.name) and was.name == now.name

    def _same_words(self, was: Node, now: Node) -> bool:
        return was.nullable == now.nullable and self._alike(was.parts, now.parts)

    @staticmethod
    def _look(side: Side, node: Node) -> object:
        shape = side.shape(node)
        tags = _tags(side, shape)
        kinds = shape.kinds | {"number"} if "integer" in shape.kinds else shape.kinds
        return kinds, tuple(sorted((name, *sorted(values)) for name, values in tags.items()))

    @staticmethod
    def _disjoint(side: Side, nodes: list[Node]) -> bool:
        if len(nodes) > _MOST_MEMBERS:
            return False
        shapes = [side.shape(node) for node in nodes]
        tags = [_tags(side, shape) for shape in shapes]
        for index, one in enumerate(shapes):
            for other in range(index):
                if not one.kinds & shapes[other].kinds:
                    continue
                mine, theirs = tags[index], tags[other]
                if any(name in theirs and values.isdisjoint(theirs[name]) for name, values in mine.items()):
                    continue
                return False
        return True

    def _apply(self, unit: Unit, place: Place, pair: SchemaPair | AlternativesPair) -> None:
        for name, rule in self._rules.get(type(pair), ()):
            if rule.direction not in (None, unit.direction):
                continue
            for finding in rule.find(pair):
                identifier = name if finding.relation is None else f"{unit.direction}.{name}.{finding.relation}"
                below = place
                if finding.below:
                    below = place.below("", "properties", finding.below)
                unit.differences.append(Difference(identifier, rule.severities[identifier], below, finding.words))


def _tags(side: Side, shape: Shape) -> dict[str, frozenset[bytes]]:
    """Required properties with enumerated values, by which alternatives are told apart."""
    found = {}
    for name in shape.required:
        parts = shape.properties.get(name)
        values = side.shape(side.node(parts)).values if parts else None
        if values is not None:
            found[name] = frozenset(values)
    return found


def _is_local(node: Node) -> bool:
    return all(isinstance(part, dict) and _LEADING.isdisjoint(part) for part in node.parts)


def _plain(shape: Shape) -> Shape:
    return Shape(shape.kinds, shape.silent, discriminator=shape.discriminator)


def _sorted(shape: Shape) -> list[Parts]:
    return [parts for _, parts in sorted(shape.unions, key=lambda union: union[0])]
