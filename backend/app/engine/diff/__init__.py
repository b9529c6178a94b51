"""What differs between two descriptions of an API, and how bad that is for those who use it."""

from collections.abc import Iterable

from backend.app.engine.diff.comparison import Comparison
from backend.app.engine.diff.model import Change, Severity
from backend.app.engine.spec.model import ApiDescription

__all__ = ["Change", "Severity", "diff_descriptions", "worst"]


def diff_descriptions(old: ApiDescription, new: ApiDescription) -> tuple[Change, ...]:
    """The worst first, then by key and place. Operations are paired by method and path, whatever their path parameters
    are called. A change of a schema that several operations share is one change (`Change.others`).

    Names, summaries, tags, examples and descriptions are no change; nor is the order of anything."""
    return Comparison(old, new).changes()


def worst(changes: Iterable[Change]) -> Severity | None:
    return min((change.severity for change in changes), key=lambda severity: severity.rank, default=None)
