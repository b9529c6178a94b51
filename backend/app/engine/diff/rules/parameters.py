"""Parameters of requests. What their values may be is for the rules on schemas."""

from collections.abc import Iterator

from backend.app.engine.diff.model import Finding, ParameterPair, Severity
from backend.app.engine.diff.rules import rule
from backend.app.engine.spec.model import Parameter


@rule("parameter.added", ParameterPair, Severity.SAFE)
def added(pair: ParameterPair) -> Iterator[Finding]:
    """There is a further optional parameter."""
    if pair.old is None and pair.new is not None and not pair.new.required:
        yield Finding(f"{pair.label} added")


@rule("parameter.added_required", ParameterPair, Severity.BREAKING)
def added_required(pair: ParameterPair) -> Iterator[Finding]:
    """Requests without the new parameter are refused, and nobody sends it yet."""
    if pair.old is None and pair.new is not None and pair.new.required:
        yield Finding(f"required {pair.label} added")


@rule("parameter.moved", ParameterPair, Severity.BREAKING)
def moved(pair: ParameterPair) -> Iterator[Finding]:
    """The parameter of that name is expected at another place of the request."""
    if pair.old and pair.new and pair.old.location is not pair.new.location:
        yield Finding(f"{pair.label} moved from the {pair.old.location} to the {pair.new.location}")


@rule("parameter.removed", ParameterPair, Severity.BREAKING)
def removed(pair: ParameterPair) -> Iterator[Finding]:
    """What clients ask for with the parameter is no longer done. Most servers ignore a parameter that they do not know
    and answer 200 with something else than what was asked for, which nobody notices."""
    if pair.new is None and pair.old is not None and not _deprecated(pair.old):
        yield Finding(f"{pair.label} removed")


@rule("parameter.removed_deprecated", ParameterPair, Severity.RISKY)
def removed_after_deprecation(pair: ParameterPair) -> Iterator[Finding]:
    """A parameter whose schema is deprecated is gone. Clients were warned."""
    if pair.new is None and pair.old is not None and _deprecated(pair.old):
        yield Finding(f"deprecated {pair.label} removed")


@rule("parameter.became_required", ParameterPair, Severity.BREAKING)
def became_required(pair: ParameterPair) -> Iterator[Finding]:
    """Requests that leave the parameter out are refused."""
    if pair.old and pair.new and pair.new.required and not pair.old.required:
        yield Finding(f"{pair.label} became required")


@rule("parameter.became_optional", ParameterPair, Severity.SAFE)
def became_optional(pair: ParameterPair) -> Iterator[Finding]:
    """The parameter may be left out."""
    if pair.old and pair.new and pair.old.required and not pair.new.required:
        yield Finding(f"{pair.label} became optional")


@rule("parameter.serialisation", ParameterPair, Severity.BREAKING)
def serialisation(pair: ParameterPair) -> Iterator[Finding]:
    """The value is written in another way (`style`, `explode`, `content`). A single value looks the same in most
    styles, and then nothing has changed."""
    old, new = pair.old, pair.new
    if old and new and old.location is new.location:
        single = _single(old) or _single(new)
        if _written(old, single) != _written(new, single):
            yield Finding(f"{pair.label} is serialised in another way")


def _deprecated(parameter: Parameter) -> bool:
    return isinstance(parameter.schema, dict) and parameter.schema.get("deprecated") is True


_PLAIN = frozenset({"form", "simple", "spaceDelimited", "pipeDelimited", "cookie"})
_SINGLE = frozenset({"string", "integer", "number", "boolean", "null"})


def _single(parameter: Parameter) -> bool:
    declared = parameter.schema.get("type") if isinstance(parameter.schema, dict) else None
    kinds = {declared} if isinstance(declared, str) else set(declared or ())
    return bool(kinds) and kinds <= _SINGLE


def _written(parameter: Parameter, single: bool) -> tuple[object, ...]:
    if parameter.content_type is not None:
        return (parameter.content_type.lower(),)
    if single:
        return ("plain" if parameter.style in _PLAIN else parameter.style,)
    return parameter.style, parameter.explode
