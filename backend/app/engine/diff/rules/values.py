"""Types, enumerated values and formats."""

from collections.abc import Iterable, Iterator

from backend.app.engine.diff.model import Finding, Relation, SchemaPair, Severity
from backend.app.engine.diff.rules import rule, schema_rule
from backend.app.engine.diff.shape import KINDS, UNSAID, Direction, canonical, in_words

_NULL = frozenset({"null"})
_SCALARS = frozenset({"string", "integer", "number", "boolean"})
_CHECKED_FORMATS = frozenset(
    {
        "date", "date-time", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6",
        "uri", "uri-reference", "iri", "iri-reference", "uri-template", "uuid", "json-pointer",
        "relative-json-pointer", "regex",
    }
)  # fmt: skip
"""Formats of JSON Schema 2020-12 (validation, 7.3), which a validator refuses values by."""
_WIDER_FORMATS = frozenset(
    {
        ("int32", "int64"), ("float", "double"), ("uri", "uri-reference"), ("uri", "iri"), ("uri", "iri-reference"),
        ("uri-reference", "iri-reference"), ("iri", "iri-reference"), ("email", "idn-email"),
        ("hostname", "idn-hostname"),
    }
)  # fmt: skip
"""Each value of the first is one of the second."""
MOST_LISTED = 5


def relation_of(narrower: bool, wider: bool) -> Relation:
    """From whether old values are refused, and whether others are added."""
    if narrower and wider:
        return Relation.REPLACED
    return Relation.NARROWED if narrower else Relation.WIDENED


def listed(values: list[str]) -> str:
    shown = ", ".join(values[:MOST_LISTED])
    return f"{shown} and {len(values) - MOST_LISTED} more" if len(values) > MOST_LISTED else shown


@schema_rule("description")
def described(pair: SchemaPair) -> Iterator[Finding]:
    """A schema that said nothing at all says something, or the other way round. What the values really are may well be
    the same: a request schema that appears is therefore unclear, one that disappears a widening."""
    if pair.old.silent and not pair.new.silent:
        relation = Relation.UNCLEAR if pair.direction is Direction.REQUEST else Relation.NARROWED
        yield Finding(f"any value became {in_words(pair.new.kinds)}", relation)
    elif pair.new.silent and not pair.old.silent:
        yield Finding(f"{in_words(pair.old.kinds)} became any value", Relation.WIDENED)


@schema_rule("type", response_widened=Severity.BREAKING)
def types(pair: SchemaPair) -> Iterator[Finding]:
    """The types of the value, apart from `null`. An integer is a number. In parameters and forms, which are text, a
    string can be any scalar. A response that may be of another type than before breaks who reads it. Where
    one side says no type it is unclear; a schema with properties and no type is taken for that of an object."""
    if pair.old.silent or pair.new.silent or (pair.old.values is not None and pair.new.values is not None):
        return
    old, new = pair.old.kinds - _NULL, pair.new.kinds - _NULL
    if old == new:
        return
    narrower, wider = bool(old - new), bool(new - old)
    if pair.as_text:
        narrower = bool(old - (new | _SCALARS if "string" in new else new))
        wider = bool(new - (old | _SCALARS if "string" in old else old))
        if not narrower and not wider:
            return
        if old <= _SCALARS and new == {"array"}:
            # In most styles a list of one value is written as the value.
            yield Finding(f"type {in_words(old)} became array", Relation.UNCLEAR)
            return
    if new >= KINDS - _NULL:
        relation = Relation.WIDENED if pair.direction is Direction.REQUEST else Relation.UNCLEAR
    elif old >= KINDS - _NULL and pair.direction is Direction.REQUEST:
        relation = Relation.UNCLEAR
    else:
        relation = relation_of(narrower, wider)
    yield Finding(f"type {in_words(old or pair.old.kinds)} became {in_words(new or pair.new.kinds)}", relation)


@schema_rule("null", response_widened=Severity.BREAKING)
def null(pair: SchemaPair) -> Iterator[Finding]:
    """Whether the value may be `null`. Clients that do not expect it in a response fail on it."""
    if pair.old.silent or pair.new.silent or KINDS in (pair.old.kinds, pair.new.kinds):
        return
    if "null" in pair.old.kinds and "null" not in pair.new.kinds:
        yield Finding("null is no longer admitted", Relation.NARROWED)
    elif "null" in pair.new.kinds and "null" not in pair.old.kinds:
        yield Finding("null became possible", Relation.WIDENED)


@schema_rule("enum")
def enumeration(pair: SchemaPair) -> Iterator[Finding]:
    """The values that are enumerated (`enum`, `const`). A value that is added to a response is risky: clients that know
    the list have nothing to do with it."""
    old, new = pair.old.values, pair.new.values
    if old is not None and new is not None:
        if removed := _texts(old.keys() - new.keys()):
            yield Finding(f"value {listed(removed)} removed", Relation.NARROWED)
        if added := _texts(new.keys() - old.keys()):
            yield Finding(f"value {listed(added)} added", Relation.WIDENED)
    elif new is not None and pair.common - _NULL:
        yield Finding(f"only {listed(_texts(new))} admitted", Relation.NARROWED)
    elif old is not None and pair.common - _NULL:
        yield Finding("values are no longer enumerated", Relation.WIDENED)


def _texts(values: Iterable[bytes]) -> list[str]:
    return sorted(text.decode() for text in values)


@schema_rule("format")
def formats(pair: SchemaPair) -> Iterator[Finding]:
    """The format of the value. Formats that a validator checks narrow; others are notes to the reader, so that one that
    is added to a request is unclear. `int32` is narrower than `int64`, `uri` than `uri-reference`, and so on."""
    old, new = pair.old.formats, pair.new.formats
    if old == new or not pair.common - _NULL:
        return
    words = f"format {_format(old)} became {_format(new)}"
    checked = bool((old ^ new) & _CHECKED_FORMATS)
    if not old or (len(old) == len(new) == 1 and (*new, *old) in _WIDER_FORMATS):
        unclear = not checked and not old and pair.direction is Direction.REQUEST
        yield Finding(words, Relation.UNCLEAR if unclear else Relation.NARROWED)
    elif not new or (len(old) == len(new) == 1 and (*old, *new) in _WIDER_FORMATS):
        yield Finding(words, Relation.WIDENED)
    else:
        both = bool(old & _CHECKED_FORMATS) and bool(new & _CHECKED_FORMATS)
        yield Finding(words, Relation.REPLACED if both else Relation.UNCLEAR)


def _format(names: frozenset[str]) -> str:
    return " and ".join(sorted(names)) or "none"


@rule("request.default", SchemaPair, Severity.RISKY, direction=Direction.REQUEST)
def default(pair: SchemaPair) -> Iterator[Finding]:
    """What holds when the value is left out. A request that leaves it out means something else than before; nothing
    says how bad that is."""
    old, new = pair.old.default, pair.new.default
    if _said(old) != _said(new):
        yield Finding(f"default {_said(old)} became {_said(new)}")


@rule("deprecation", SchemaPair, Severity.SAFE)
def deprecation(pair: SchemaPair) -> Iterator[Finding]:
    """Whether a value is deprecated. It works as before; who reads the description is told to leave it."""
    if pair.old.deprecated != pair.new.deprecated:
        yield Finding("deprecated" if pair.new.deprecated else "no longer deprecated")


def _said(value: object) -> str:
    return "none" if value is UNSAID else canonical(value).decode()
