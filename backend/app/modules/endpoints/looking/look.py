"""Has the strategies look, one after the other: those that later ones start from first."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from backend.app.engine.spec.model import Operation, SpecError
from backend.app.engine.spec.qualify import qualified
from backend.app.engine.spec.servers import target_url
from backend.app.modules.endpoints.discovery import (
    Discovered,
    Document,
    Kind,
    NothingDiscovered,
    Strategy,
    Subject,
    Tools,
    strategies,
)
from backend.app.modules.endpoints.discovery.captures.model import CaptureError
from backend.app.modules.endpoints.inventory.reconcile import ANY_METHOD, MAX_SLOT, Endpoint, Reconciliation, by_trust

_TOLD: Final = (Kind.TRAFFIC, Kind.LIVE)
"""Kinds of strategies that are told what is known."""


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one look."""

    strategy: str
    kind: Kind
    found: Discovered | None = None
    error: Mapping[str, str] | None = None
    """Code, message and where; None when something was found."""

    @property
    def slot(self) -> str:
        """Which source it is, among all that the project ever had."""
        return slot_of(self.strategy, self.found.slot if self.found else "")


def slot_of(strategy: str, name: str) -> str:
    return f"{strategy}:{name}"[:MAX_SLOT] if name else strategy


async def look(
    subject: Subject,
    tools: Tools,
    wanted: Sequence[str] = (),
    *,
    handed: Subject | None = None,
    endpoints: Callable[[], Awaitable[Sequence[Endpoint]]] | None = None,
    told: Sequence[Part] = (),
    strict: bool = False,
) -> list[Part]:
    """`wanted` are names of strategies, empty for all that apply: to `handed` where something was handed in, else to
    the whole subject. What was known before, which is asked of `endpoints` when it is needed, and what `told` (of looks
    before) names is told to those that look at traffic or ask for answers.

    What a strategy could not find is a part too; with `strict` its `SpecError`, `CaptureError` or `NothingDiscovered`
    is raised.
    """
    chosen = [(name, strategies.get(name)) for name in wanted] or list(strategies.items())
    chosen.sort(key=lambda item: (by_trust(item[1].kind), item[1].last))
    parts: list[Part] = []
    for document in subject.documents:
        parts += await _described(document, chosen, tools, strict=strict)
    named = len(parts)
    known: Sequence[Endpoint] | None = None
    for name, strategy in chosen:
        if not wanted and handed is not None and not strategy.applies(handed):
            continue
        if strategy.kind is Kind.DOCUMENT and subject.only_documents:
            continue
        if strategy.kind is Kind.DOCUMENT and subject.documents and handed and not strategy.applies(handed):
            continue
        if strategy.kind is Kind.TRAFFIC and not (wanted or strategy.applies(handed or subject)):
            continue  # what it would be told takes long to find out
        if strategy.kind in _TOLD:
            if known is None:
                known = await endpoints() if endpoints else ()
            subject = await asyncio.to_thread(informed, subject, [*told, *parts], known)
        if wanted or strategy.applies(handed or subject):
            parts += await _look(name, strategy, subject, tools, strict=strict)
    # A look that nobody asked for and that was not needed is not worth telling.
    needless = set() if wanted else {part.kind for part in parts[named:] if part.found}
    return [part for number, part in enumerate(parts) if number < named or part.found or part.kind not in needless]


def failure(parts: Sequence[Part]) -> tuple[str, str, str]:
    """Why nothing was found at all, as code, message and place: what the first source says, because the others only
    help out."""
    error = next((part.error for part in parts if part.error), None)
    if error is None:
        nowhere = (
            "There is nothing that these strategies could look at; send spec_url, document or uploads, or give the "
            "project a base_url, a spec_url or a git source"
        )
        return "discovery.nowhere_to_look", nowhere, ""
    return error["code"], error["message"], error["where"]


async def _described(
    document: Document, chosen: Sequence[tuple[str, Strategy]], tools: Tools, *, strict: bool
) -> list[Part]:
    """What the first strategy that can read a document says, under the name of that."""
    failed: list[Part] = []
    alone = Subject("", spec_url=document.spec_url, document=document.content)
    for name, strategy in chosen:
        if strategy.kind is not Kind.DOCUMENT or not strategy.applies(alone):
            continue
        for part in await _look(name, strategy, alone, tools, strict=strict):
            if part.found is not None:
                found = replace(
                    part.found,
                    description=await asyncio.to_thread(qualified, part.found.description, document.name),
                    slot=document.name,
                    where=part.found.where if document.spec_url else document.name,
                    spec_url=document.spec_url,
                )
                return [replace(part, found=found)]
            error = part.error or {}
            where = ": ".join(filter(None, (document.name, error.get("where"))))
            failed.append(replace(part, error={**error, "where": where}))
    return failed[:1]


async def _look(name: str, strategy: Strategy, subject: Subject, tools: Tools, *, strict: bool) -> list[Part]:
    async def progress(done: int, total: int, note: str = "") -> None:
        await tools.progress(done, total, f"{name}: {note}" if note else name)

    await tools.progress(0, 1, name)
    try:
        found = await strategy.look(subject, replace(tools, progress=progress))
    except (SpecError, CaptureError, NothingDiscovered) as error:
        if strict:
            raise
        return [Part(name, strategy.kind, error={"code": error.code, "message": error.message, "where": error.where})]
    return [Part(name, strategy.kind, each) for each in found]


def informed(subject: Subject, parts: Sequence[Part], endpoints: Sequence[Endpoint] = ()) -> Subject:
    """With what is known by now: where the API is, and what it is said to offer."""
    documents = (part.found for part in parts if part.found is not None and part.kind is Kind.DOCUMENT)
    document = next((each for each in documents if not each.slot), None)
    base_url = subject.base_url or None
    if document is not None:
        base_url = target_url(base_url, document.description.servers, document.where)
    reconciliation = Reconciliation(base_url or "", [replace(each, claims=dict(each.claims)) for each in endpoints])
    reconciliation.take_all((part.found, part.kind, part.slot) for part in parts if part.found is not None)
    known = tuple(
        each.stored or (each.merged() if each.vouching else Operation(each.method, each.path))
        for each in reconciliation.endpoints
        if each.method != ANY_METHOD and not each.from_root and not each.unresolved
    )
    return replace(subject, base_url=base_url or "", known=known)
