"""Operations as a whole: there or gone, deprecated, renamed; the credentials that they ask for."""

from collections.abc import Iterable, Iterator, Mapping

from backend.app.engine.diff.model import Finding, OperationPair, Severity
from backend.app.engine.diff.rules import rule
from backend.app.engine.spec.model import Operation, SecurityKind, SecurityScheme


@rule("operation.added", OperationPair, Severity.SAFE)
def added(pair: OperationPair) -> Iterator[Finding]:
    """There is a further operation."""
    if pair.old is None:
        yield Finding("operation added")


@rule("operation.removed", OperationPair, Severity.BREAKING)
def removed(pair: OperationPair) -> Iterator[Finding]:
    """An operation that was not deprecated is gone."""
    if pair.new is None and pair.old is not None and not pair.old.deprecated:
        yield Finding("operation removed")


@rule("operation.removed_deprecated", OperationPair, Severity.RISKY)
def removed_after_deprecation(pair: OperationPair) -> Iterator[Finding]:
    """A deprecated operation is gone. Its clients were warned; whether they have left it no description says."""
    if pair.new is None and pair.old is not None and pair.old.deprecated:
        yield Finding("deprecated operation removed")


@rule("operation.deprecated", OperationPair, Severity.SAFE)
def deprecated(pair: OperationPair) -> Iterator[Finding]:
    """Whether an operation is deprecated. It works as before: to deprecate first is the way to remove."""
    if pair.old is not None and pair.new is not None and pair.old.deprecated != pair.new.deprecated:
        yield Finding("deprecated" if pair.new.deprecated else "no longer deprecated")


@rule("operation.id", OperationPair, Severity.RISKY)
def operation_id(pair: OperationPair) -> Iterator[Finding]:
    """The `operationId` is another one or gone. Requests and responses stay as they are; generated clients name their
    methods after it, and what calls these does not compile against the next one."""
    if pair.old and pair.new and pair.old.operation_id and pair.old.operation_id != pair.new.operation_id:
        yield Finding(f"operationId {pair.old.operation_id} became {pair.new.operation_id or 'none'}")


@rule("operation.path_renamed", OperationPair, Severity.SAFE)
def path_renamed(pair: OperationPair) -> Iterator[Finding]:
    """Path parameters have other names. The name is not sent."""
    if pair.old and pair.new and pair.old.path != pair.new.path:
        yield Finding(f"path {pair.old.path} is written {pair.new.path}")


@rule("operation.server", OperationPair, Severity.RISKY)
def server(pair: OperationPair) -> Iterator[Finding]:
    """The operation names another server than before. Who goes by the description asks elsewhere; whether the old one
    still answers it does not say."""
    if pair.old and pair.new and pair.old.server != pair.new.server:
        yield Finding(f"server {pair.old.server or 'of the API'} became {pair.new.server or 'that of the API'}")


@rule("security.required", OperationPair, Severity.BREAKING)
def security_required(pair: OperationPair) -> Iterator[Finding]:
    """Requests without credentials were accepted, and are refused."""
    old, new = _accepted(pair)
    if frozenset() in old and frozenset() not in new:
        yield Finding("credentials became required")


@rule("security.refused", OperationPair, Severity.BREAKING)
def security_refused(pair: OperationPair) -> Iterator[Finding]:
    """Credentials that were enough are not any more: a scheme is no longer accepted, another one is needed beside it,
    or a scope is. Schemes are told by what is sent, not by their names."""
    old, new = _accepted(pair)
    lost = [each for each in old if each and not any(other <= each for other in new)]
    if lost and not (frozenset() in old and frozenset() not in new):
        yield Finding(f"credentials {_said(lost)} are no longer enough; needed: {_said(new)}")


@rule("security.loosened", OperationPair, Severity.RISKY)
def security_loosened(pair: OperationPair) -> Iterator[Finding]:
    """Less is asked for than before: no credentials, fewer schemes or fewer scopes. No client breaks, but the operation
    is open to more than it was."""
    old, new = _accepted(pair)
    looser = [each for each in new if each not in old and any(each < other for other in old)]
    if frozenset() in looser:
        yield Finding("credentials are no longer required")
    elif looser:
        yield Finding(f"credentials {_said(looser)} are enough")


@rule("security.alternative_added", OperationPair, Severity.SAFE)
def security_alternative(pair: OperationPair) -> Iterator[Finding]:
    """Other credentials are accepted in addition."""
    old, new = _accepted(pair)
    fresh = [each for each in new if not any(each <= other or other <= each for other in old)]
    if fresh and all(any(other <= each for other in new) for each in old):
        yield Finding(f"credentials {_said(fresh)} are accepted too")


def _accepted(pair: OperationPair) -> tuple[set[frozenset[str]], set[frozenset[str]]]:
    if pair.old is None or pair.new is None:
        return set(), set()
    return _alternatives(pair.old, pair.old_schemes), _alternatives(pair.new, pair.new_schemes)


def _alternatives(operation: Operation, schemes: Mapping[str, SecurityScheme]) -> set[frozenset[str]]:
    """Each is what is needed together, scopes among it."""
    return {
        frozenset(part for name in names for part in _parts(name, schemes.get(name), operation.scopes.get(name, ())))
        for names in operation.security or ((),)
    }


def _parts(name: str, scheme: SecurityScheme | None, scopes: Iterable[str]) -> Iterator[str]:
    said = name
    if scheme is not None and scheme.kind is SecurityKind.API_KEY:
        said = f"{scheme.location} {(scheme.parameter or '').lower()}"
    elif scheme is not None and scheme.kind is not SecurityKind.OTHER:
        said = scheme.kind
    yield said
    yield from (f"{said} {scope}" for scope in scopes)


def _said(alternatives: Iterable[frozenset[str]]) -> str:
    return " or ".join(sorted(" with ".join(sorted(each)) or "none" for each in alternatives))
