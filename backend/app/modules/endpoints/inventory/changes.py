"""What a discovery means for the stored inventory: plain values in, plain values out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from backend.app.engine.diff import Severity, diff_descriptions
from backend.app.engine.spec.callbacks import by_caller
from backend.app.engine.spec.codec import WrittenOnce, operation_to_json
from backend.app.engine.spec.model import ApiDescription, Fault, Operation, Schema
from backend.app.modules.endpoints.inventory.reconcile import Endpoint, EndpointState

STATE_CHANGED = "endpoint.state"
"""The rule of drift that looks at answers and not at descriptions."""


@dataclass(frozen=True, slots=True)
class Known:
    """An endpoint as it is stored."""

    digest: str
    state: str
    kinds: list[str]
    unresolved: str
    source: str
    requires_auth: bool
    own_tags: list[str] | None


@dataclass(slots=True)
class Found:
    """An endpoint of which a discovery learned something."""

    endpoint: Endpoint
    operation: Operation
    state: EndpointState
    digest: str
    """That of `content_digest`."""
    words: tuple[str, ...] = ()
    """What differs from before, of what a client can notice."""

    @property
    def id(self) -> str:
        return self.endpoint.id

    @property
    def requires_auth(self) -> bool:
        return self.operation.requires_auth or bool(self.endpoint.requires_auth)

    def columns(self, written: WrittenOnce, own_tags: list[str] | None = None) -> dict[str, Any]:
        """As they are stored; the operation is text."""
        operation = orjson.Fragment(orjson.dumps(operation_to_json(self.operation, written)))
        return {"id": self.id, **self._said(own_tags), "operation": operation}

    def _said(self, own_tags: list[str] | None) -> dict[str, Any]:
        operation, endpoint = self.operation, self.endpoint
        vouching = endpoint.vouching
        return {
            "method": endpoint.method,
            "path": operation.path,
            "from_root": endpoint.from_root,
            "operation_id": operation.operation_id,
            "summary": operation.summary,
            "tags": list(operation.tags) if own_tags is None else own_tags,
            "requires_auth": self.requires_auth,
            "deprecated": operation.deprecated,
            "source": vouching[0].source if vouching else "",
            "kinds": [kind.value for kind in endpoint.kinds],
            "unresolved": endpoint.unresolved,
            "state": self.state,
            "digest": self.digest,
        }

    def differs(self, known: Known) -> bool:
        mine = self._said(known.own_tags)
        return any(mine[name] != getattr(known, name) for name in ("digest", *_SEEN))


_SEEN = ("state", "kinds", "unresolved", "source", "requires_auth")


def content_digest(operation: Operation, written: WrittenOnce) -> str:
    """Of what it is: where it stands in the document does not count. `written` sorts keys."""
    text = orjson.dumps({**operation_to_json(operation, written), "pointer": ""}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


@dataclass(slots=True)
class Changes:
    """What becomes of each endpoint of which something was learned."""

    added: list[Found] = field(default_factory=list)
    returned: list[Found] = field(default_factory=list)
    changed: list[Found] = field(default_factory=list)
    reworded: list[Found] = field(default_factory=list)
    """Differ only in what no client can notice: names, summaries, examples, sources."""
    gone: list[Found] = field(default_factory=list)
    kept: int = 0
    """How many were there before and still are, changed or not."""
    drift: list[dict[str, Any]] = field(default_factory=list)
    """What clients can notice, in the form of `DriftChange`, the worst first; empty for the first discovery."""

    @property
    def altered(self) -> list[Found]:
        return [*self.returned, *self.changed, *self.reworded, *self.gone]

    def counts(self) -> dict[str, int]:
        return {
            "added": len(self.added) + len(self.returned),
            "changed": len(self.changed),
            "gone": len(self.gone),
            "unchanged": self.kept - len(self.changed),
            **{severity.value: sum(change["severity"] == severity for change in self.drift) for severity in Severity},
        }


@dataclass(frozen=True, slots=True)
class Before:
    """What was stored of the endpoints that a discovery learned something of."""

    known: Mapping[str, Known]
    """Every stored endpoint, by id."""
    operations: Mapping[str, Operation]
    """Those of the endpoints in question, by id."""
    shared: ApiDescription
    """Definitions and security schemes."""


def compare(found: Sequence[Found], before: Before, shared: ApiDescription) -> Changes:
    """`shared` holds the definitions and security schemes that `found` refers to."""
    known = before.known
    changes = Changes(kept=sum(it.state != EndpointState.GONE for it in known.values()))
    if known:
        _explain(found, before, shared, changes)
    for each in found:
        stored = known.get(each.id)
        if stored is None:
            changes.added.append(each)
        elif each.state is EndpointState.GONE:
            if stored.state != EndpointState.GONE:
                changes.gone.append(each)
                changes.kept -= 1
        elif stored.state == EndpointState.GONE:
            changes.returned.append(each)
        elif each.words:
            changes.changed.append(each)
        elif each.differs(stored):
            changes.reworded.append(each)
    changes.drift.sort(key=lambda change: Severity(change["severity"]).rank)
    return changes


def _explain(found: Sequence[Found], before: Before, shared: ApiDescription, changes: Changes) -> None:
    was = [each for each in found if each.id in before.known and before.known[each.id].state != EndpointState.GONE]
    old = {each.id: before.operations[each.id] for each in was}
    new = {each.id: each.operation for each in found if each.state is not EndpointState.GONE}
    ids = _ids(old) | _ids(new)
    words: dict[str, list[str]] = {}
    for change in diff_descriptions(
        replace(before.shared, operations=tuple(old.values())), replace(shared, operations=tuple(new.values()))
    ):
        changes.drift.append(
            {
                "severity": change.severity,
                "rule": change.rule,
                "endpoint_id": ids.get(change.key),
                "operation": change.key,
                "others": list(change.others),
                "where": change.where,
                "message": change.words,
            }
        )
        for key in change.operations:
            if key in ids:  # webhooks are no endpoints
                words.setdefault(ids[key], []).append(change.words)
    for each in found:
        each.words = tuple(dict.fromkeys(words.get(each.id, ())))
        if each.id in old and each.id in new:
            _tell_state(each, before.known[each.id], changes)


def _ids(operations: Mapping[str, Operation]) -> dict[str, str]:
    """By what a change calls an operation: one that begins at the root has its server in its name where another one is
    called the same."""
    at_root = {each.key: endpoint_id for endpoint_id, each in operations.items() if each.server is not None}
    named = {f"{each.key} {each.server}": endpoint_id for endpoint_id, each in operations.items()}
    below = {each.key: endpoint_id for endpoint_id, each in operations.items() if each.server is None}
    return at_root | named | below


def _tell_state(found: Found, stored: Known, changes: Changes) -> None:
    # That a document deprecates it is said elsewhere.
    if stored.state == found.state or EndpointState.DEPRECATED in (stored.state, found.state):
        return
    message = f"was {stored.state}, is {found.state}"
    found.words += (message,)
    changes.drift.append(
        {
            "severity": Severity.BREAKING if found.state is EndpointState.DEAD else Severity.SAFE,
            "rule": STATE_CHANGED,
            "endpoint_id": found.id,
            "operation": found.operation.key,
            "others": [],
            "where": "",
            "message": message,
        }
    )


def altered_definitions(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> frozenset[str]:
    return frozenset(name for name, schema in new.items() if name in old and old[name] != schema)


def altered_callers(old: Sequence[Operation], new: Sequence[Operation]) -> frozenset[str]:
    """Pointers of operations whose callbacks are others."""
    before, after = by_caller(old), by_caller(new)
    return frozenset(pointer for pointer in before.keys() | after.keys() if before.get(pointer) != after.get(pointer))


def storable(description: ApiDescription, longest_path: int) -> ApiDescription:
    """Without operations that stand twice or whose path has more characters than can be kept; each becomes a fault."""
    operations: dict[str, Operation] = {}
    faults = list(description.faults)
    for operation in description.operations:
        if len(operation.path) > longest_path:
            faults.append(Fault(operation.pointer, f"a path of more than {longest_path} characters is left out"))
        elif operations.setdefault(f"{operation.key} {operation.server or ''}", operation) is not operation:
            faults.append(Fault(operation.pointer, f"{operation.key} stands twice; the first is kept"))
    return replace(description, operations=tuple(operations.values()), faults=tuple(faults))


def report_of(faults: Sequence[Fault], most: int) -> list[dict[str, str]]:
    """The first `most` faults; where there are others, the last entry says so."""
    shown = list(faults[:most])
    if len(faults) > most:
        shown.append(Fault("", f"only the first {most} faults are kept; the others are left out"))
    return [{"pointer": fault.pointer, "message": fault.message} for fault in shown]
