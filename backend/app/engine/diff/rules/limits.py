"""Limits of numbers, texts, arrays and objects, and patterns."""

from collections.abc import Iterator
from fractions import Fraction

from backend.app.engine.diff.model import Finding, Relation, SchemaPair
from backend.app.engine.diff.rules import schema_rule

_NUMBERS = frozenset({"integer", "number"})
_KIND_OF_COUNT = {"Length": "string", "Items": "array", "Properties": "object"}


@schema_rule("range")
def number_range(pair: SchemaPair) -> Iterator[Finding]:
    """The smallest and the largest number (`minimum`, `exclusiveMaximum`, ...). Of integers, `> 0` is `>= 1`."""
    if not pair.common & _NUMBERS:
        return
    step = 0 if "number" in pair.old.kinds | pair.new.kinds else 1
    old, new = (_included(each.limits.lower, step) for each in (pair.old, pair.new))
    if old != new:
        yield _moved("lower limit", old, new, old is None or (new is not None and new > old))
    old, new = (_included(each.limits.upper, -step) for each in (pair.old, pair.new))
    if old != new:
        narrower = old is None or (new is not None and (new[0], not new[1]) < (old[0], not old[1]))
        yield _moved("upper limit", old, new, narrower)


@schema_rule("size")
def size(pair: SchemaPair) -> Iterator[Finding]:
    """The least and the most characters of a text, items of an array, properties of an object (`minLength`,
    `maxItems`, ...)."""
    old, new = pair.old.limits.counts, pair.new.limits.counts
    for keyword in sorted(old.keys() | new.keys()):
        was, now = old.get(keyword), new.get(keyword)
        if was == now or _KIND_OF_COUNT[keyword[3:]] not in pair.common:
            continue
        tighter = was is None or (now is not None and (now < was if keyword.startswith("max") else now > was))
        words = f"{keyword} {_number(was)} became {_number(now)}"
        yield Finding(words, Relation.NARROWED if tighter else Relation.WIDENED)


@schema_rule("multiple")
def multiple(pair: SchemaPair) -> Iterator[Finding]:
    """What numbers have to be a multiple of (`multipleOf`)."""
    old, new = pair.old.limits.multiples, pair.new.limits.multiples
    if old == new or not pair.common & _NUMBERS:
        return
    words = f"multipleOf {_fractions(old)} became {_fractions(new)}"
    if _multiples_of(old, new):
        yield Finding(words, Relation.WIDENED)
    elif _multiples_of(new, old):
        yield Finding(words, Relation.NARROWED)
    else:
        yield Finding(words, Relation.UNCLEAR)


@schema_rule("pattern")
def pattern(pair: SchemaPair) -> Iterator[Finding]:
    """The pattern of a text. Which of two patterns admits more is not decided."""
    old, new = pair.old.patterns, pair.new.patterns
    if old == new or "string" not in pair.common:
        return
    words = f"pattern {_texts(old)} became {_texts(new)}"
    relation = Relation.WIDENED if new < old else Relation.NARROWED if old < new else Relation.UNCLEAR
    yield Finding(words, relation)


@schema_rule("unique")
def unique(pair: SchemaPair) -> Iterator[Finding]:
    """Whether the items of an array have to differ (`uniqueItems`)."""
    if "array" in pair.common and pair.old.unique != pair.new.unique:
        words = "items have to differ" if pair.new.unique else "items may be equal"
        yield Finding(words, Relation.NARROWED if pair.new.unique else Relation.WIDENED)


def _included(limit: tuple[float, bool] | None, step: int) -> tuple[float, bool] | None:
    """Of whole numbers (a `step` of 1 or -1): those above 0 are those from 1 on."""
    if limit is None or not step or not limit[1] or limit[0] != int(limit[0]):
        return limit
    return int(limit[0]) + step, False


def _moved(what: str, old: tuple[float, bool] | None, new: tuple[float, bool] | None, narrower: bool) -> Finding:
    words = f"{what} {_limit(old)} became {_limit(new)}"
    return Finding(words, Relation.NARROWED if narrower else Relation.WIDENED)


def _limit(limit: tuple[float, bool] | None) -> str:
    return "none" if limit is None else f"{limit[0]} (excluded)" if limit[1] else str(limit[0])


def _number(count: int | None) -> str:
    return "none" if count is None else str(count)


def _multiples_of(these: frozenset[Fraction], those: frozenset[Fraction]) -> bool:
    """Whether each multiple of all of `these` is one of all of `those`."""
    return all(any((mine / yours).denominator == 1 for mine in these) for yours in those)


def _fractions(steps: frozenset[Fraction]) -> str:
    return " and ".join(str(float(each)) for each in sorted(steps)) or "none"


def _texts(patterns: frozenset[str]) -> str:
    return " and ".join(sorted(patterns)) or "none"
