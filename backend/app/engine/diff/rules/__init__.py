"""Rules of drift: each judges one pair (an operation, a parameter, a schema, ...) of the old and the new description.

A file in this folder that decorates a function with `@rule(...)` or `@schema_rule(...)` adds a rule. Its docstring is
its documentation. It yields a `Finding` for each difference; what it says decides nothing but the wording, because the
severity belongs to the rule.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from backend.app.core.registry import Registry
from backend.app.engine.diff.model import Finding, Relation, SchemaPair, Severity
from backend.app.engine.diff.shape import Direction

Pair = TypeVar("Pair")
Find: TypeAlias = Callable[[Pair], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    about: type[Any]
    """The kind of pair that it judges."""
    find: Callable[[Any], Iterator[Finding]]
    severities: Mapping[str, Severity]
    """By the id of the change: the name of the rule, or `<direction>.<name>.<relation>` of a rule on schemas."""
    description: str
    direction: Direction | None = None
    """None: both."""


rules: Registry[Rule] = Registry("diff_rule", "backend.app.engine.diff.rules")


def rule(
    name: str, about: type[Pair], severity: Severity, *, direction: Direction | None = None
) -> Callable[[Find[Pair]], Find[Pair]]:
    """Registers a rule with one severity."""

    def add(find: Find[Pair]) -> Find[Pair]:
        rules.register(name)(Rule(about, find, {name: severity}, " ".join((find.__doc__ or "").split()), direction))
        return find

    return add


def schema_rule(
    name: str, *, response_widened: Severity = Severity.RISKY, about: type[Any] = SchemaPair
) -> Callable[[Find[Pair]], Find[Pair]]:
    """Registers a rule on schemas whose findings say a `Relation`.

    What clients send is contravariant: to refuse what was accepted breaks them, to accept more does not. What they
    receive is covariant: the other way round. `response_widened` says how bad it is to receive more than before."""
    severities = {
        Direction.REQUEST: {
            Relation.NARROWED: Severity.BREAKING,
            Relation.WIDENED: Severity.SAFE,
            Relation.REPLACED: Severity.BREAKING,
            Relation.UNCLEAR: Severity.RISKY,
        },
        Direction.RESPONSE: {
            Relation.NARROWED: Severity.SAFE,
            Relation.WIDENED: response_widened,
            Relation.REPLACED: Severity.BREAKING,
            Relation.UNCLEAR: Severity.RISKY,
        },
    }
    by_id = {
        f"{direction}.{name}.{relation}": severity
        for direction, relations in severities.items()
        for relation, severity in relations.items()
    }

    def add(find: Find[Pair]) -> Find[Pair]:
        rules.register(name)(Rule(about, find, by_id, " ".join((find.__doc__ or "").split())))
        return find

    return add
