"""Two descriptions, compared operation by operation."""

import re
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from backend.app.engine.diff.model import (
    ApiPair,
    BodyPair,
    CallbackPair,
    Change,
    ContentPair,
    OperationPair,
    ParameterPair,
    ResponsePair,
    Severity,
)
from backend.app.engine.diff.rules import Rule, rules
from backend.app.engine.diff.rules.api import base_of
from backend.app.engine.diff.schemas import Difference, Key, SchemaComparison, Unit
from backend.app.engine.diff.shape import Direction
from backend.app.engine.spec.callbacks import by_caller
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    ResponseSpec,
)

_TEMPLATE_NAME = re.compile(r"\{([^{}]*)\}")
_FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class _Found:
    """What was found in one operation, and the shared schemas that it uses: each with the place where it does."""

    key: str
    equal: bool = False
    """Only in what references lead to can it differ."""
    changes: list[Change] = field(default_factory=list)
    uses: list[tuple[str, Key]] = field(default_factory=list)

    def add(self, rule: str, severity: Severity, where: str, words: str) -> None:
        self.changes.append(Change(rule, severity, self.key, where, words))


class Comparison:
    def __init__(self, old: ApiDescription, new: ApiDescription) -> None:
        self._old = old
        self._new = new
        self._rules: dict[type, list[tuple[str, Rule]]] = {}
        for name, rule in rules.items():
            self._rules.setdefault(rule.about, []).append((name, rule))
        self._same_schemes = old.security_schemes == new.security_schemes
        self._schemas = SchemaComparison(old.definitions, new.definitions, self._rules)
        self._callers = by_caller(old.callbacks), by_caller(new.callbacks)

    def changes(self) -> tuple[Change, ...]:
        pairs, same_paths = _paired(self._old, self._new)
        api = _Found("")
        self._apply(api, ApiPair(self._old, self._new, same_paths), "")
        found = [api]
        for key, old, new in pairs:
            found.append(each := _Found(key))
            self._operation(each, old, new)
        for key, was, now in _webhooks(self._old, self._new):
            found.append(each := _Found(key))
            self._webhook(each, was, now)
        changes = {change for each in found for change in each.changes}
        changes.update(self._shared(found))
        return tuple(sorted(changes, key=lambda it: (it.severity.rank, it.key, it.where, it.rule, it.words, it.others)))

    def _operation(self, found: _Found, old: Operation | None, new: Operation | None) -> None:
        pair = OperationPair(old, new, self._old.security_schemes, self._new.security_schemes)
        if old is not None and new is not None:
            found.equal = self._same_schemes and replace(old, pointer="") == replace(new, pointer="")
        self._apply(found, pair, "operation")
        if old is None or new is None:
            return
        for label, was, now in _parameters(old, new):
            self._parameter(found, label, was, now)
        if old.body is not None or new.body is not None:
            self._apply(found, BodyPair(old.body, new.body), "request.body")
        if old.body is not None and new.body is not None:
            self._content(found, old.body.content, new.body.content, Direction.REQUEST, "request.body", "request body")
        for before, after in _responses(old.responses, new.responses):
            self._response(found, before, after)
        found.equal = False  # which says nothing of callbacks
        self._callbacks(found, old, new)

    def _callbacks(self, found: _Found, old: Operation, new: Operation) -> None:
        before, after = self._callers
        left, right = before.get(old.pointer, {}), after.get(new.pointer, {})
        for name in sorted({**left, **right}):
            label = f"callback {name}"
            was, now = ({each.key: each for each in side.get(name, ())} for side in (left, right))
            for key in sorted({**was, **now}):
                where = f"callback.{name}.{key}"
                self._apply(found, CallbackPair(was.get(key), now.get(key), label), where)
                if key in was and key in now:
                    self._sent(found, was[key], now[key], where, label)

    def _webhook(self, found: _Found, old: Operation | None, new: Operation | None) -> None:
        if old is None or new is None:
            pair = OperationPair(old, new, self._old.security_schemes, self._new.security_schemes)
            self._apply(found, pair, "webhook")
        else:
            self._sent(found, old, new, "webhook", "webhook")

    def _sent(self, found: _Found, old: Operation, new: Operation, where: str, label: str) -> None:
        """The API is the client here: what it sends is what others receive."""
        was, now = (each.body.content if each.body else () for each in (old, new))
        self._content(found, was, now, Direction.RESPONSE, where, label)

    def _parameter(self, found: _Found, label: str, old: Parameter | None, new: Parameter | None) -> None:
        shown = new or old
        assert shown is not None  # noqa: S101
        where = f"request.{shown.location}.{shown.name}"
        self._apply(found, ParameterPair(old, new, label), where)
        if old is not None and new is not None:
            as_text = new.content_type is None
            unit = self._schemas.compare(old.schema, new.schema, Direction.REQUEST, as_text=as_text)
            self._take(found, unit, where, label)

    def _response(self, found: _Found, old: ResponseSpec | None, new: ResponseSpec | None) -> None:
        status = (new or old or ResponseSpec("")).status
        where = f"response.{status}"
        self._apply(found, ResponsePair(old, new), where)
        if old is not None and new is not None:
            self._content(found, old.content, new.content, Direction.RESPONSE, where, f"response {status}")

    def _content(
        self,
        found: _Found,
        old: Sequence[MediaType],
        new: Sequence[MediaType],
        direction: Direction,
        where: str,
        label: str,
    ) -> None:
        for was, now in _media(old, new):
            shown = now or was
            assert shown is not None  # noqa: S101
            at = f"{where}.{shown.content_type}"
            self._apply(found, ContentPair(was, now, direction, label), at)
            if was is not None and now is not None:
                as_text = direction is Direction.REQUEST and _essence(now.content_type) == _FORM
                unit = self._schemas.compare(was.schema, now.schema, direction, as_text=as_text)
                self._take(found, unit, at, label)

    def _apply(self, found: _Found, pair: Any, where: str) -> None:
        if found.equal:
            return
        for name, rule in self._rules.get(type(pair), ()):
            for finding in rule.find(pair):
                at = ".".join(filter(None, (where, finding.below)))
                found.add(name, rule.severities[name], at, finding.words)

    @staticmethod
    def _take(found: _Found, unit: Unit, where: str, label: str) -> None:
        for each in unit.differences:
            found.add(each.rule, each.severity, _at(where, each.place.pointer), _words(label, each))
        found.uses += ((_at(where, pointer), key) for pointer, key in unit.uses)

    def _shared(self, found: Sequence[_Found]) -> Iterator[Change]:
        """The changes of shared schemas, each at the first operation that reaches it, by the shortest way."""
        units = self._schemas.units
        users = _users(found, units)
        # What is met as JSON and as a form, or as itself and beside null, is one schema to a reader.
        merged: dict[tuple[str, Direction, Difference], tuple[int, list[Key]]] = {}
        for key, unit in units.items():
            for each in unit.differences:
                mask, keys = merged.get((unit.label, unit.direction, each), (0, []))
                merged[unit.label, unit.direction, each] = mask | users.get(key, 0), [*keys, key]
        names: dict[int, tuple[str, ...]] = {}
        places: dict[int, dict[Key, str]] = {}
        for (label, direction, each), (mask, keys) in merged.items():
            index = (mask & -mask).bit_length() - 1
            if mask not in names:
                names[mask] = tuple(found[number].key for number in _bits(mask))
            if index not in places:
                places[index] = _places(found[index].uses, units)
            where = min((places[index][key] for key in keys if key in places[index]), key=lambda it: (len(it), it))
            words = _words(f"{label} in {direction}s", each)
            yield Change(
                each.rule, each.severity, names[mask][0], _at(where, each.place.pointer), words, names[mask][1:]
            )


def _words(label: str, difference: Difference) -> str:
    said = difference.place.said.removeprefix(".")
    return f"{label}, {said}: {difference.words}" if said else f"{label}: {difference.words}"


def _at(where: str, pointer: str) -> str:
    if not pointer:
        return where
    return where + pointer if "#" in where else f"{where}#{pointer}"


def _users(found: Sequence[_Found], units: Mapping[Key, Unit]) -> dict[Key, int]:
    """The operations that lead to each unit, as bits: number 3 of `found` is `1 << 3`."""
    users: dict[Key, int] = {}
    for index, each in enumerate(found):
        for _, key in each.uses:
            users[key] = users.get(key, 0) | 1 << index
    pending = deque(users)
    waiting = set(users)
    while pending:
        key = pending.popleft()
        waiting.discard(key)
        mask = users[key]
        for _, used in units[key].uses:
            known = users.get(used, 0)
            if mask | known != known:
                users[used] = mask | known
                if used not in waiting:
                    waiting.add(used)
                    pending.append(used)
    return users


def _places(starts: Iterable[tuple[str, Key]], units: Mapping[Key, Unit]) -> dict[Key, str]:
    """The place of each unit that can be reached: the nearest, then the first in the alphabet."""
    places: dict[Key, str] = {}
    level = sorted(starts, key=lambda start: start[0])
    while level:
        fresh = []
        for where, key in level:
            if key not in places:
                places[key] = where
                fresh.append(key)
        level = sorted(
            ((_at(places[key], pointer), used) for key in fresh for pointer, used in units[key].uses),
            key=lambda step: step[0],
        )
    return places


def _bits(mask: int) -> list[int]:
    return [index for index, bit in enumerate(reversed(f"{mask:b}")) if bit == "1"]


_Paired: TypeAlias = list[tuple[Operation | None, Operation | None]]


def _paired(
    old: ApiDescription, new: ApiDescription
) -> tuple[list[tuple[str, Operation | None, Operation | None]], bool]:
    """By method and path (at the same server first), then by the form of the path, then by the path below the server;
    and whether the last was the rule. The order is that of the keys."""
    pairs: _Paired = []
    left, right = ([*sorted(side.operations, key=_known_by)] for side in (old, new))
    for same in (_known_by, _key, _form):
        found, left, right = _matched(left, right, same, same)
        pairs += found
    by_name = len(pairs)
    before, after = base_of(old.servers), base_of(new.servers)
    if before != after:
        found, left, right = _matched(left, right, lambda it: _shape(it, before), lambda it: _shape(it, after))
        pairs += found
    same_paths = len(pairs) > 2 * by_name
    pairs += [(each, None) for each in left] + [(None, each) for each in right]
    return list(_labelled(pairs)), same_paths


def _matched(
    left: Sequence[Operation],
    right: Sequence[Operation],
    of_left: Callable[[Operation], Hashable],
    of_right: Callable[[Operation], Hashable],
) -> tuple[_Paired, list[Operation], list[Operation]]:
    """Pairs, and what is left of each side."""
    waiting: dict[Hashable, list[Operation]] = {}
    for each in right:
        waiting.setdefault(of_right(each), []).append(each)
    pairs: _Paired = []
    rest = []
    for each in left:
        if found := waiting.get(of_left(each)):
            pairs.append((each, found.pop(0)))
        else:
            rest.append(each)
    return pairs, rest, [each for several in waiting.values() for each in several]


def _labelled(pairs: _Paired) -> Iterator[tuple[str, Operation | None, Operation | None]]:
    seen: set[str] = set()
    for shown, old, new in sorted(
        ((new or old or Operation("", ""), old, new) for old, new in pairs), key=lambda pair: _known_by(pair[0])
    ):
        label = f"{shown.key} {shown.server}" if shown.key in seen and shown.server else shown.key
        seen.add(label)
        yield label, old, new


def _known_by(operation: Operation) -> tuple[str, str]:
    return operation.key, operation.server or ""


def _key(operation: Operation) -> str:
    return operation.key


def _form(operation: Operation) -> str:
    return _shape(operation, "")


def _shape(operation: Operation, base: str) -> str:
    return f"{operation.method} {base}{_TEMPLATE_NAME.sub('{}', operation.path)}"


def _webhooks(old: ApiDescription, new: ApiDescription) -> Iterator[tuple[str, Operation | None, Operation | None]]:
    left, right = ({f"webhook {each.key}": each for each in side.webhooks} for side in (old, new))
    for key in sorted({**left, **right}):
        yield key, left.get(key), right.get(key)


def _parameters(old: Operation, new: Operation) -> Iterator[tuple[str, Parameter | None, Parameter | None]]:
    names = dict(zip(_TEMPLATE_NAME.findall(old.path), _TEMPLATE_NAME.findall(new.path), strict=False))
    left = {_identity(each, names): each for each in old.parameters}
    right = {_identity(each, {}): each for each in new.parameters}
    count = Counter(name for _, name in left.keys() | right.keys())
    moved = {key[1]: key for key in sorted(right.keys() - left.keys(), reverse=True)}
    for key in sorted(left):
        was, now = left[key], right.pop(key, None)
        if now is None and key[1] in moved:
            now = right.pop(moved.pop(key[1]))
            yield f"parameter {now.name}", was, now
        else:
            yield _label(now or was, count[key[1]]), was, now
    for key, come in sorted(right.items()):
        yield _label(come, count[key[1]]), None, come


def _label(parameter: Parameter, of_that_name: int) -> str:
    return f"parameter {parameter.name}" if of_that_name == 1 else f"{parameter.location} parameter {parameter.name}"


def _identity(parameter: Parameter, names: Mapping[str, str]) -> tuple[str, str]:
    if parameter.location is ParameterLocation.PATH:
        return parameter.location, names.get(parameter.name, parameter.name)
    if parameter.location is ParameterLocation.HEADER:
        return parameter.location, parameter.name.lower()
    return parameter.location, parameter.name


def _responses(
    old: Sequence[ResponseSpec], new: Sequence[ResponseSpec]
) -> Iterator[tuple[ResponseSpec | None, ResponseSpec | None]]:
    left, right = {each.status: each for each in old}, {each.status: each for each in new}
    stood_for = set()
    for status in sorted(left.keys() | right.keys(), key=lambda it: (it.endswith("XX") or it == "default", it)):
        was, now = left.get(status), right.get(status)
        if was is None and (wider := _wider(status, left)):
            stood_for.add(wider)
            was = left[wider]
        elif now is None and (wider := _wider(status, right)):
            stood_for.add(wider)
            now = right[wider]
        elif (was is None or now is None) and status in stood_for:
            continue
        yield was, now


def _wider(status: str, responses: Mapping[str, ResponseSpec]) -> str:
    """The range or the default that stands for a status."""
    return next((each for each in (f"{status[:1]}XX", "default") if each in responses and each != status), "")


def _media(old: Sequence[MediaType], new: Sequence[MediaType]) -> Iterator[tuple[MediaType | None, MediaType | None]]:
    left, right = ({each.content_type.lower().replace(" ", ""): each for each in side} for side in (old, new))
    paired_left, paired_right = set(), set()
    for same in (_equal, _equal_essence, _covers):
        for one in sorted(left):
            for other in sorted(right):
                fresh = same is _covers or (one not in paired_left and other not in paired_right)
                settled = one in paired_left and other in paired_right
                if fresh and not settled and same(one, other):
                    paired_left.add(one)
                    paired_right.add(other)
                    yield left[one], right[other]
    for one in sorted(left.keys() - paired_left):
        yield left[one], None
    for other in sorted(right.keys() - paired_right):
        yield None, right[other]


def _equal(one: str, other: str) -> bool:
    return one == other


def _equal_essence(one: str, other: str) -> bool:
    return _essence(one) == _essence(other)


def _covers(one: str, other: str) -> bool:
    """Whether one of the two is a range that the other stands in."""
    for wide, narrow in ((one, other), (other, one)):
        kind, _, subtype = _essence(wide).partition("/")
        if subtype == "*" and kind in ("*", _essence(narrow).partition("/")[0]):
            return True
    return False


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
