"""What differs between two descriptions of an API, and how bad that is for those who use it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from backend.app.engine.diff.comparison import Comparison
from backend.app.engine.diff.model import Change, Severity
from backend.app.engine.spec.model import ApiDescription, Operation, Schema

__all__ = ["Change", "InventoryDiff", "OperationChange", "Severity", "diff_descriptions", "diff_operations", "worst"]


@dataclass(frozen=True, slots=True)
class OperationChange:
    key: str
    """`GET /users/{id}`"""
    words: tuple[str, ...]
    """`parameter limit added`, `response 404 removed`, ..."""
    changes: tuple[Change, ...] = ()
    """In the order of the words."""


@dataclass(frozen=True, slots=True)
class InventoryDiff:
    """Keys are sorted, so that the same two inventories give the same report in any order."""

    added: tuple[str, ...] = ()
    changed: tuple[OperationChange, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.gone)


def diff_descriptions(old: ApiDescription, new: ApiDescription) -> tuple[Change, ...]:
    """The worst first, then by key and place. Operations are paired by method and path, whatever their path parameters
    are called. A change of a schema that several operations share is one change (`Change.others`).

    Names, summaries, tags, examples and descriptions are no change; nor is the order of anything."""
    return Comparison(old, new).changes()


def worst(changes: Iterable[Change]) -> Severity | None:
    return min((change.severity for change in changes), key=lambda severity: severity.rank, default=None)


def diff_operations(
    old: Iterable[Operation],
    new: Iterable[Operation],
    old_definitions: Mapping[str, Schema] | None = None,
    new_definitions: Mapping[str, Schema] | None = None,
) -> InventoryDiff:
    """Compares by method and path. Changed is what a client can notice, which `diff_descriptions` tells. Without
    definitions a reference is equal to one of the same name."""
    before, after = _description(old, old_definitions or {}), _description(new, new_definitions or {})
    by_key: dict[str, list[Change]] = {}
    for change in diff_descriptions(before, after):
        for key in change.operations:
            by_key.setdefault(key, []).append(change)
    old_keys = {operation.key for operation in before.operations}
    new_keys = {operation.key for operation in after.operations}
    return InventoryDiff(
        added=tuple(sorted(key for key in by_key.keys() & new_keys - old_keys)),
        changed=tuple(
            OperationChange(key, tuple(dict.fromkeys(change.words for change in changes)), tuple(changes))
            for key, changes in sorted(by_key.items())
            if key in old_keys and key in new_keys
        ),
        gone=tuple(sorted(key for key in by_key.keys() & old_keys - new_keys)),
    )


def _description(operations: Iterable[Operation], definitions: Mapping[str, Schema]) -> ApiDescription:
    known: Sequence[Operation] = tuple(operations)
    return ApiDescription("", "", "", operations=tuple(known), definitions=definitions)
