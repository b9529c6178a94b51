"""What a discovery means for the inventory: plain values in, plain values out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from backend.app.core.ids import new_ulid
from backend.app.engine.diff import diff_operations
from backend.app.engine.spec.codec import operation_from_json, operation_to_json
from backend.app.engine.spec.model import ApiDescription, Fault, Json, Operation, Schema
from backend.app.engine.spec.reach import Reach


@dataclass(frozen=True, slots=True)
class Known:
    """An endpoint of the inventory before the discovery. `active` is False when an earlier one did not find it."""

    id: str
    digest: str
    active: bool


@dataclass(slots=True)
class Found:
    """An operation that was found; `words` say what differs from before."""

    operation: Operation
    id: str
    words: tuple[str, ...] = ()
    stored: dict[str, Json] = field(init=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.stored = operation_to_json(self.operation)
        # Where it stands in the document is not what it is.
        text = orjson.dumps({**self.stored, "pointer": ""}, option=orjson.OPT_SORT_KEYS)
        self.digest = hashlib.sha256(text).hexdigest()

    def columns(self) -> dict[str, Any]:
        operation = self.operation
        return {
            "id": self.id,
            "method": operation.method,
            "path": operation.path,
            "operation_id": operation.operation_id,
            "summary": operation.summary,
            "tags": list(operation.tags),
            "requires_auth": operation.requires_auth,
            "deprecated": operation.deprecated,
            "operation": self.stored,
            "digest": self.digest,
        }


@dataclass(slots=True)
class Changes:
    """Every operation that was found is in one of the lists, or equal to what is stored and only counted in `kept`."""

    gone: dict[str, str]
    """Ids by `Operation.key`."""
    added: list[Found] = field(default_factory=list)
    returned: list[Found] = field(default_factory=list)
    changed: list[Found] = field(default_factory=list)
    reworded: list[Found] = field(default_factory=list)
    """Differ only in what no client can notice: names, summaries, examples."""
    rewritten: dict[str, Found] = field(default_factory=dict)
    """By id: their digest differs, and only `explain` can tell which of the two lists before is theirs."""
    kept: int = 0
    """How many were active before and still are, changed or not."""

    def explain(self, stored: Mapping[str, Json]) -> None:
        """Sorts out `rewritten`; `stored` holds the operations as they were, by id, in the form of the codec."""
        for endpoint_id, endpoint in self.rewritten.items():
            difference = diff_operations([operation_from_json(stored[endpoint_id])], [endpoint.operation])
            endpoint.words = tuple(word for change in difference.changed for word in change.words) + endpoint.words
            (self.changed if endpoint.words else self.reworded).append(endpoint)
        self.rewritten = {}

    def counts(self) -> dict[str, int]:
        return {
            "added": len(self.added) + len(self.returned),
            "changed": len(self.changed),
            "gone": len(self.gone),
            "unchanged": self.kept - len(self.changed),
        }


def compare(description: ApiDescription, known: Mapping[str, Known], definitions: Mapping[str, Schema]) -> Changes:
    """`known` are the endpoints of the inventory by `Operation.key`, `definitions` those of the description before.

    No operation of `description` may stand twice. Call `explain` on the result."""
    altered = {
        name for name, schema in description.definitions.items() if name in definitions and definitions[name] != schema
    }
    changes = Changes(gone={key: endpoint.id for key, endpoint in known.items() if endpoint.active})
    # Sorted, because lists go by id: the inventory keeps the order of the document.
    fresh = iter(sorted(new_ulid() for operation in description.operations if operation.key not in known))
    reach = Reach(description.definitions)
    for operation in description.operations:
        before = known.get(operation.key)
        if before is None:
            changes.added.append(Found(operation, next(fresh)))
            continue
        endpoint = Found(operation, before.id)
        if not before.active:
            changes.returned.append(endpoint)
            continue
        del changes.gone[operation.key]
        changes.kept += 1
        if altered:
            names = sorted(reach.names(endpoint.stored) & altered)
            endpoint.words = tuple(f"schema {name} has changed" for name in names)
        if before.digest != endpoint.digest:
            changes.rewritten[endpoint.id] = endpoint
        elif endpoint.words:
            changes.changed.append(endpoint)
    return changes


def storable(description: ApiDescription, longest_path: int) -> ApiDescription:
    """Without operations that stand twice or whose path has more characters than can be kept; each becomes a fault."""
    operations: dict[str, Operation] = {}
    faults = list(description.faults)
    for operation in description.operations:
        if len(operation.path) > longest_path:
            faults.append(Fault(operation.pointer, f"a path of more than {longest_path} characters is left out"))
        elif operation.key in operations:
            faults.append(Fault(operation.pointer, f"{operation.key} stands twice; the first is kept"))
        else:
            operations[operation.key] = operation
    return replace(description, operations=tuple(operations.values()), faults=tuple(faults))


def report_of(faults: Sequence[Fault], most: int) -> list[dict[str, str]]:
    """The first `most` faults; where there are others, the last entry says so."""
    shown = list(faults[:most])
    if len(faults) > most:
        shown.append(Fault("", f"only the first {most} faults are kept; the others are left out"))
    return [{"pointer": fault.pointer, "message": fault.message} for fault in shown]
