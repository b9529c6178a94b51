"""What differs between two inventories of operations, in words."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from backend.app.engine.spec.model import MediaType, Operation, Parameter, ResponseSpec


@dataclass(frozen=True, slots=True)
class OperationChange:
    key: str
    """`GET /users/{id}`"""
    words: tuple[str, ...]
    """`parameter limit added`, `response 404 removed`, ..."""


@dataclass(frozen=True, slots=True)
class InventoryDiff:
    """Keys are sorted, so that the same two inventories give the same report in any order."""

    added: tuple[str, ...] = ()
    changed: tuple[OperationChange, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.gone)


def diff_operations(old: Iterable[Operation], new: Iterable[Operation]) -> InventoryDiff:
    """Compares by method and path. Changed is what a client can notice: parameters, bodies, responses, credentials,
    server, deprecation; not names, summaries, tags and examples."""
    before = {operation.key: operation for operation in old}
    after = {operation.key: operation for operation in new}
    changes = (OperationChange(key, tuple(_changes(before[key], after[key]))) for key in sorted(before.keys() & after))
    return InventoryDiff(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(change for change in changes if change.words),
        gone=tuple(sorted(before.keys() - after.keys())),
    )


def _changes(old: Operation, new: Operation) -> Iterator[str]:
    yield from _parameter_changes(old.parameters, new.parameters)
    match old.body, new.body:
        case None, None:
            pass
        case None, _:
            yield "request body added"
        case _, None:
            yield "request body removed"
        case before, after if before is not None and after is not None:
            if before.required != after.required:
                yield f"request body became {_needed(after.required)}"
            yield from _content_changes("request body", before.content, after.content)
    yield from _response_changes(old.responses, new.responses)
    if set(old.security) != set(new.security):
        if old.requires_auth != new.requires_auth:
            yield "credentials became required" if new.requires_auth else "credentials are no longer required"
        else:
            yield "accepted credentials changed"
    if old.server != new.server:
        yield "server changed"
    if old.deprecated != new.deprecated:
        yield "deprecated" if new.deprecated else "no longer deprecated"


def _parameter_changes(old: tuple[Parameter, ...], new: tuple[Parameter, ...]) -> Iterator[str]:
    before = {(parameter.location, parameter.name): parameter for parameter in old}
    after = {(parameter.location, parameter.name): parameter for parameter in new}
    names = [name for _, name in {**before, **after}]
    for key in sorted({**before, **after}):
        location, name = key
        # The place is only said where the name alone would be ambiguous.
        label = f"parameter {name}" if names.count(name) == 1 else f"{location.value} parameter {name}"
        if key not in before:
            yield f"{label} added"
        elif key not in after:
            yield f"{label} removed"
        else:
            was, now = before[key], after[key]
            if was.required != now.required:
                yield f"{label} became {_needed(now.required)}"
            if was.schema != now.schema:
                yield f"{label} has another schema"
            if (was.style, was.explode, was.content_type) != (now.style, now.explode, now.content_type):
                yield f"{label} is serialised in another way"


def _response_changes(old: tuple[ResponseSpec, ...], new: tuple[ResponseSpec, ...]) -> Iterator[str]:
    before = {response.status: response for response in old}
    after = {response.status: response for response in new}
    yield from _membership("response", before, after)
    for status in sorted(before.keys() & after.keys()):
        was, now = before[status], after[status]
        yield from _content_changes(f"response {status}", was.content, now.content)
        for header in sorted(set(now.required_headers) - set(was.required_headers)):
            yield f"response {status} promises the header {header}"
        for header in sorted(set(was.required_headers) - set(now.required_headers)):
            yield f"response {status} no longer promises the header {header}"


def _content_changes(where: str, old: tuple[MediaType, ...], new: tuple[MediaType, ...]) -> Iterator[str]:
    before = {media.content_type.lower(): media for media in old}
    after = {media.content_type.lower(): media for media in new}
    yield from _membership(f"{where} as", before, after)
    for content_type in sorted(before.keys() & after.keys()):
        if before[content_type].schema != after[content_type].schema:
            yield f"{where} as {content_type} has another schema"


def _membership(what: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(new.keys() - old.keys()):
        yield f"{what} {name} added"
    for name in sorted(old.keys() - new.keys()):
        yield f"{what} {name} removed"


def _needed(required: bool) -> str:
    return "required" if required else "optional"
