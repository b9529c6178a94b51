"""What a comparison of two descriptions says, and which parts of them are compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from backend.app.engine.diff.shape import Direction, Shape
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    RequestBody,
    ResponseSpec,
    SecurityScheme,
)


class Severity(StrEnum):
    BREAKING = "breaking"
    """A client that follows the old description fails, or misreads what it gets."""
    RISKY = "risky"
    """Some clients may fail, or it cannot be decided."""
    SAFE = "safe"
    """Every client that follows the old description goes on."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Relation(StrEnum):
    """How the values that the new schema admits lie to those that the old one admits."""

    NARROWED = "narrowed"
    """Some of the old values are refused, none is added."""
    WIDENED = "widened"
    """All old values are admitted, and more."""
    REPLACED = "replaced"
    """Old values are refused, and others added."""
    UNCLEAR = "unclear"
    """It cannot be decided."""


@dataclass(frozen=True, slots=True)
class Change:
    rule: str
    """The id, which stands in `docs/reference/diff-rules.md`."""
    severity: Severity
    key: str
    """`Operation.key`, of the old description where it is gone; empty: the API as a whole."""
    where: str
    """The place within the operation: `request.query.limit`, `response.200.application/json#/properties/name`. Below
    `#` it is a JSON pointer into the schema, with references followed."""
    words: str
    """A sentence without its full stop, which says what it is about."""
    others: tuple[str, ...] = ()
    """The keys of further operations that have it too, because they share the schema."""

    @property
    def operations(self) -> tuple[str, ...]:
        return (self.key, *self.others) if self.key else ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found in one pair."""

    words: str
    relation: Relation | None = None
    """Of rules with a severity for each relation."""
    below: str = ""
    """What is added to the place of the pair."""


@dataclass(frozen=True, slots=True)
class ApiPair:
    old: ApiDescription
    new: ApiDescription
    same_paths: bool = False
    """What the base path lost or gained the paths of the operations gained or lost."""


@dataclass(frozen=True, slots=True)
class OperationPair:
    """One of them is None when the operation was added or removed."""

    old: Operation | None
    new: Operation | None
    old_schemes: Mapping[str, SecurityScheme]
    new_schemes: Mapping[str, SecurityScheme]


@dataclass(frozen=True, slots=True)
class ParameterPair:
    """Path parameters are paired by their position, others by place and name, then by name."""

    old: Parameter | None
    new: Parameter | None
    label: str
    """`parameter limit`, or `query parameter limit` where the name alone would be ambiguous."""


@dataclass(frozen=True, slots=True)
class BodyPair:
    old: RequestBody | None
    new: RequestBody | None


@dataclass(frozen=True, slots=True)
class ContentPair:
    """Media types of a request body or of a response that both have. Ranges are paired with what they stand for."""

    old: MediaType | None
    new: MediaType | None
    direction: Direction
    label: str
    """`request body`, `response 200`."""


@dataclass(frozen=True, slots=True)
class ResponsePair:
    """`2XX` and `default` are paired with the statuses that they stand for."""

    old: ResponseSpec | None
    new: ResponseSpec | None


@dataclass(frozen=True, slots=True)
class CallbackPair:
    """What the API sends because of an operation that both have."""

    old: Operation | None
    new: Operation | None
    label: str
    """`callback paid`"""


@dataclass(frozen=True, slots=True)
class SchemaPair:
    """Two schemas at the same place, flattened. What stands inside them makes pairs of its own."""

    old: Shape
    new: Shape
    direction: Direction
    as_text: bool = False
    """The value is written as text, so that a string can hold any scalar: parameters and forms."""
    unlike: frozenset[str] = frozenset()
    """The keywords of `Shape.opaque` that say something else."""

    @property
    def common(self) -> frozenset[str]:
        """The types that both admit."""
        return self.old.kinds & self.new.kinds


@dataclass(frozen=True, slots=True)
class AlternativesPair:
    """A choice (`oneOf`, `anyOf`); alternatives that both have make pairs of their own."""

    removed: tuple[str, ...]
    """Names, or types where they have none."""
    added: tuple[str, ...]
    overlap: bool
    """Exactly one alternative has to fit, they may overlap, and they have changed."""
    direction: Direction
