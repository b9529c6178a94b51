"""Brings the stored inventory up to what was found: what takes time in threads and in batches, so that others are
served meanwhile, and compares before the transaction that stores, so that others write meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

import orjson

from backend.app.core.pagination import Row
from backend.app.engine.spec.codec import (
    ReadOnce,
    WrittenOnce,
    description_from_json,
    description_to_json,
    operation_from_json,
    operation_to_json,
)
from backend.app.engine.spec.model import ApiDescription, Operation
from backend.app.engine.spec.reach import Reach
from backend.app.engine.spec.servers import target_url
from backend.app.modules.endpoints.discovery import Discovered, Kind
from backend.app.modules.endpoints.discovery.captures.codec import flows_to_json
from backend.app.modules.endpoints.inventory.changes import (
    Before,
    Changes,
    Found,
    Known,
    altered_callers,
    altered_definitions,
    compare,
    content_digest,
)
from backend.app.modules.endpoints.inventory.reconcile import (
    DOCUMENTS,
    Claim,
    Endpoint,
    EndpointState,
    Reconciliation,
    combined,
    digest_of,
    evidence_from_json,
    evidence_to_json,
)
from backend.app.modules.endpoints.looking.look import Part
from backend.app.modules.endpoints.repository import EndpointRepository

_BATCH: Final = 100
"""Rows that are written at once: some milliseconds on the event loop."""


@dataclass(slots=True)
class InventoryUpdate:
    """`prepare` says what changes, `store` makes it so, where `is_current` says that it still does."""

    reconciliation: Reconciliation
    changes: Changes
    _project_id: str
    _base_url: str | None
    _revision: tuple[Any, ...]
    _known: Mapping[str, Known]
    _before: Mapping[str, frozenset[str]]
    """Slots that spoke of an endpoint, by its id."""
    _taken: dict[str, Discovered] = field(default_factory=dict)
    """By slot."""
    _forgotten: tuple[str, ...] = ()
    _read: ReadOnce = field(default_factory=ReadOnce)
    _written: WrittenOnce = field(default_factory=WrittenOnce)

    @classmethod
    async def prepare(
        cls,
        repository: EndpointRepository,
        project_id: str,
        base_url: str | None,
        parts: Sequence[Part],
        forgotten: Sequence[str] = (),
    ) -> "InventoryUpdate":
        """`base_url` is the project's; `forgotten` are slots of sources that are none any more."""
        revision = await repository.revision(project_id)
        descriptions = await repository.descriptions(project_id)
        rows = await repository.known(project_id)
        claims = await repository.claims(project_id)

        def reconciled() -> InventoryUpdate:
            endpoints = {row["id"]: stored_endpoint(row) for row in rows}
            for claim in claims:
                endpoints[claim["endpoint_id"]].claims[claim["slot"]] = _claim(claim)
            before = {endpoint.id: frozenset(endpoint.claims) for endpoint in endpoints.values()}

            found = [part for part in parts if part.found is not None]
            places = [row["location"] for row in descriptions]
            reconciliation = Reconciliation(_target(base_url, found, descriptions) or "", endpoints.values(), places)
            for slot in forgotten:
                reconciliation.forget(slot)
            taken = {part.slot: part.found for part in found if part.found is not None}
            reconciliation.take_all((taken[part.slot], part.kind, part.slot) for part in found)
            reconciliation.number()

            known = {row["id"]: Known(**{name: row[name] for name in Known.__dataclass_fields__}) for row in rows}
            slots = tuple(forgotten)
            return cls(reconciliation, Changes(), project_id, base_url, revision, known, before, taken, slots)

        update = await asyncio.to_thread(reconciled)
        old, new, learned = await asyncio.to_thread(update._learned, descriptions)
        ids = [each.id for each in learned if each.id in update._known]
        operations = await stored_operations(repository, project_id, ids, update._read)
        await update._fill(repository, learned, operations)
        update.changes = await asyncio.to_thread(update._compared, learned, operations, old, new)
        return update

    async def is_current(self, repository: EndpointRepository, base_url: str | None) -> bool:
        """Whether it would be the same if it were prepared now."""
        return base_url == self._base_url and await repository.revision(self._project_id) == self._revision

    def _learned(self, descriptions: Sequence[Row]) -> tuple[ApiDescription, ApiDescription, list[Endpoint]]:
        """What the descriptions shared before and share together, and the endpoints that may differ for it."""
        before = {row["slot"]: shared_of(row) for row in descriptions}
        after = {slot: it for slot, it in before.items() if slot not in self._forgotten}
        after |= {slot: found.description for slot, found in self._taken.items()}
        old, new = combined(before), combined(after)
        if not (before.keys() & after.keys() & DOCUMENTS.keys()):
            # Where no document said before where the API is, saying so is no move.
            old, new = replace(old, servers=()), replace(new, servers=())
        altered, reach = altered_definitions(old.definitions, new.definitions), Reach(new.definitions)
        callers = altered_callers(old.callbacks, new.callbacks)
        documented = self._documented()
        learned = [
            each
            for each in self.reconciliation.endpoints
            if each.touched
            or self._restated(each, documented)
            or (altered and _reaches(each, altered, reach))
            or (callers and any(it.operation and it.operation.pointer in callers for it in each.vouching))
        ]
        return old, new, learned

    def _compared(
        self, learned: Sequence[Endpoint], operations: Mapping[str, Operation], old: ApiDescription, new: ApiDescription
    ) -> Changes:
        documented, written = self._documented(), WrittenOnce(orjson.OPT_SORT_KEYS)
        results = []
        for each in learned:
            # Only the first document's operation stands with the endpoint; what others say is kept with them.
            each.news |= {claim.slot for claim in each.vouching[1:] if claim.kind is Kind.DOCUMENT}
            operation = each.merged() if each.vouching else operations[each.id]
            state = each.state(documented_elsewhere=documented, deprecated=operation.deprecated)
            results.append(Found(each, operation, state, content_digest(operation, written)))
        return compare(results, Before(self._known, operations, old), new)

    def _documented(self) -> bool:
        return any(Kind.DOCUMENT in each.kinds for each in self.reconciliation.endpoints)

    def _restated(self, endpoint: Endpoint, documented: bool) -> bool:
        """Whether a document describes any endpoint decides about those that none describes."""
        known = self._known.get(endpoint.id)
        if known is None or Kind.DOCUMENT in endpoint.kinds:
            return False
        return endpoint.state(
            documented_elsewhere=documented, deprecated=known.state == EndpointState.DEPRECATED
        ) != EndpointState(known.state)

    async def _fill(
        self, repository: EndpointRepository, endpoints: Sequence[Endpoint], operations: Mapping[str, Operation]
    ) -> None:
        """Gets the operations that sources of earlier discoveries described."""
        lacking = {each.id: each for each in endpoints if any(it.operation is None for it in each.vouching)}

        def fill(rows: Sequence[Row]) -> None:
            for row in rows:
                claims = lacking[row["endpoint_id"]].claims
                claim = claims.get(row["slot"])
                if claim is not None and claim.operation is None:
                    text = row["operation"]
                    operation = operations[row["endpoint_id"]] if text is None else _read_operation(text, self._read)
                    claims[row["slot"]] = replace(claim, operation=operation)

        async for rows in repository.claimed_operations(lacking):
            await asyncio.to_thread(fill, rows)

    async def store(self, repository: EndpointRepository, now: datetime) -> None:
        """Under a lock of the project."""
        changes, written = self.changes, self._written
        seen = {"last_seen_at": now}
        first = {"project_id": self._project_id, "first_seen_at": now, "version": 1}
        await _in_batches(repository.add, ({**each.columns(written), **seen, **first} for each in changes.added))
        await _in_batches(
            repository.change, (each.columns(written, self._known[each.id].own_tags) for each in changes.altered)
        )
        await _in_batches(
            repository.save_claims,
            (
                self._claim_row(endpoint, claim, now)
                for endpoint in self.reconciliation.endpoints
                for slot, claim in endpoint.claims.items()
                if slot in endpoint.news
            ),
        )
        dropped: dict[str, list[str]] = {}
        for endpoint in self.reconciliation.endpoints:
            for slot in self._before.get(endpoint.id, frozenset()) - endpoint.claims.keys():
                dropped.setdefault(slot, []).append(endpoint.id)
        for slot, ids in dropped.items():
            await repository.drop_claims(slot, ids)
        complete = [slot for slot in self._taken if slot in self.reconciliation.complete]
        await repository.mark_seen(self._project_id, complete, now)
        for slot in self._forgotten:
            await repository.drop_description(self._project_id, slot)
        for slot, found in self._taken.items():
            description = found.description
            await repository.save_description(
                {
                    "project_id": self._project_id,
                    "slot": slot,
                    "title": description.title,
                    "version": description.version,
                    "dialect": description.dialect,
                    "location": found.where,
                    "spec_url": found.spec_url,
                    "shared": {
                        **description_to_json(replace(description, operations=(), faults=())),
                        "flows": flows_to_json(self.reconciliation.flows(slot)),
                    },
                    "updated_at": now,
                }
            )

    def _claim_row(self, endpoint: Endpoint, claim: Claim, now: datetime) -> dict[str, Any]:
        # What a document says of an operation is what the endpoint is, and stands there.
        same = claim.kind is Kind.DOCUMENT and endpoint.vouching[0] is claim
        return {
            "endpoint_id": endpoint.id,
            "slot": claim.slot,
            "project_id": self._project_id,
            "kind": claim.kind,
            "source": claim.source,
            "location": claim.location,
            "evidence": evidence_to_json(claim.evidence),
            "operation": None
            if same or claim.operation is None
            else orjson.Fragment(orjson.dumps(operation_to_json(claim.operation, self._written))),
            "digest": digest_of(claim, self._written),
            "first_seen_at": now,
            "last_seen_at": now,
        }


async def _in_batches(write: Callable[[Sequence[Row]], Awaitable[None]], rows: Iterable[Row]) -> None:
    remaining = iter(rows)
    while batch := await asyncio.to_thread(lambda: list(islice(remaining, _BATCH))):
        await write(batch)


def shared_of(row: Row) -> ApiDescription:
    """What is stored of a description, which is all but its operations."""
    return description_from_json(row["shared"])


async def stored_operations(
    repository: EndpointRepository, project_id: str, ids: Collection[str] | None = None, read: ReadOnce | None = None
) -> dict[str, Operation]:
    """By the ids of their endpoints: those that a scan asks, or those of `ids`."""
    found: dict[str, Operation] = {}
    once = read or ReadOnce()
    async for rows in repository.operations(project_id, ids):
        found |= await asyncio.to_thread(
            lambda some: {row["id"]: _read_operation(row["operation"], once) for row in some}, rows
        )
    return found


def _read_operation(text: str, read: ReadOnce) -> Operation:
    return operation_from_json(orjson.loads(text), read)


def stored_endpoint(row: Row, operation: Operation | None = None) -> Endpoint:
    return Endpoint(row["id"], row["method"], row["path"], from_root=row["from_root"], stored=operation)


def _claim(row: Row) -> Claim:
    evidence = evidence_from_json(row["evidence"])
    return Claim(row["slot"], Kind(row["kind"]), row["source"], row["location"], evidence, None, row["digest"])


def _reaches(endpoint: Endpoint, altered: frozenset[str], reach: Reach) -> bool:
    """Operations that are not at hand were described by sources that have not altered a definition."""
    operations = (claim.operation for claim in endpoint.vouching if claim.operation is not None)
    return any(altered & reach.names(operation_to_json(operation)) for operation in operations)


def _target(base_url: str | None, found: Sequence[Part], descriptions: Sequence[Row]) -> str | None:
    """Where the paths of the inventory begin: a document decides where the project does not."""
    for part in found:
        if part.found is not None and part.kind is Kind.DOCUMENT and not part.found.slot:
            servers = part.found.description.servers
            return target_url(base_url, servers, part.found.where) or next(iter(servers), None)
    for row in descriptions:
        if row["slot"] == "openapi":
            return target_url(base_url, row["shared"]["servers"], row["location"])
    return base_url
