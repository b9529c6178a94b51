"""Bodies of requests, responses and callbacks: which there are, as which media type, with which headers and links."""

from collections.abc import Iterator

from backend.app.engine.diff.model import (
    BodyPair,
    CallbackPair,
    ContentPair,
    Finding,
    ResponsePair,
    Severity,
)
from backend.app.engine.diff.rules import rule
from backend.app.engine.diff.shape import Direction


@rule("body.added", BodyPair, Severity.SAFE)
def body_added(pair: BodyPair) -> Iterator[Finding]:
    """Requests may have a body."""
    if pair.old is None and pair.new is not None and not pair.new.required:
        yield Finding("request body added")


@rule("body.added_required", BodyPair, Severity.BREAKING)
def body_added_required(pair: BodyPair) -> Iterator[Finding]:
    """Requests without a body are refused, and nobody sends one yet."""
    if pair.old is None and pair.new is not None and pair.new.required:
        yield Finding("required request body added")


@rule("body.removed", BodyPair, Severity.BREAKING)
def body_removed(pair: BodyPair) -> Iterator[Finding]:
    """What clients send in the body is ignored or refused."""
    if pair.new is None:
        yield Finding("request body removed")


@rule("body.became_required", BodyPair, Severity.BREAKING)
def body_became_required(pair: BodyPair) -> Iterator[Finding]:
    """Requests without a body are refused."""
    if pair.old and pair.new and pair.new.required and not pair.old.required:
        yield Finding("request body became required")


@rule("body.became_optional", BodyPair, Severity.SAFE)
def body_became_optional(pair: BodyPair) -> Iterator[Finding]:
    """The body may be left out."""
    if pair.old and pair.new and pair.old.required and not pair.new.required:
        yield Finding("request body became optional")


@rule("content.added", ContentPair, Severity.SAFE)
def content_added(pair: ContentPair) -> Iterator[Finding]:
    """A further media type is accepted, or offered: which one is sent clients say with `Accept` (RFC 9110, 12.5.1)."""
    if pair.old is None and pair.new is not None:
        yield Finding(f"{pair.label} as {pair.new.content_type} added")


@rule("content.removed", ContentPair, Severity.BREAKING)
def content_removed(pair: ContentPair) -> Iterator[Finding]:
    """A media type is no longer accepted, or no longer offered. `application/*` stands for the types below it."""
    if pair.new is None and pair.old is not None and "*" not in pair.old.content_type:
        yield Finding(f"{pair.label} as {pair.old.content_type} removed")


@rule("content.range_narrowed", ContentPair, Severity.RISKY)
def content_range(pair: ContentPair) -> Iterator[Finding]:
    """A range of media types (`*/*`) became fewer. Which of them were in use the description did not say."""
    old = pair.old.content_type if pair.old else ""
    if "*" in old and (pair.new is None or (pair.new.content_type != old and pair.direction is Direction.REQUEST)):
        yield Finding(f"{pair.label} as {old} became {pair.new.content_type if pair.new else 'none'}")


@rule("response.added", ResponsePair, Severity.SAFE)
def error_added(pair: ResponsePair) -> Iterator[Finding]:
    """A failure that was not described before. Clients take a status that they do not know for the x00 of its class
    (RFC 9110, 15)."""
    if pair.old is None and pair.new is not None and not _good(pair.new.status):
        yield Finding(f"response {pair.new.status} added")


@rule("response.added_success", ResponsePair, Severity.RISKY)
def success_added(pair: ResponsePair) -> Iterator[Finding]:
    """A further way to succeed, or to redirect. Clients that compare the status with the ones they know take it for a
    failure, and it may come with another body."""
    if pair.old is None and pair.new is not None and _good(pair.new.status):
        yield Finding(f"response {pair.new.status} added")


@rule("response.removed", ResponsePair, Severity.RISKY)
def error_removed(pair: ResponsePair) -> Iterator[Finding]:
    """A failure is no longer described. If the same thing is told by another status, who looks for this one misses
    it."""
    if pair.new is None and pair.old is not None and not _good(pair.old.status):
        yield Finding(f"response {pair.old.status} removed")


@rule("response.removed_success", ResponsePair, Severity.BREAKING)
def success_removed(pair: ResponsePair) -> Iterator[Finding]:
    """A way to succeed is gone: clients that wait for it, and for its body, wait in vain."""
    if pair.new is None and pair.old is not None and _good(pair.old.status):
        yield Finding(f"response {pair.old.status} removed")


@rule("response.header_removed", ResponsePair, Severity.BREAKING)
def header_removed(pair: ResponsePair) -> Iterator[Finding]:
    """A header that was promised with each response of the status is not any more."""
    if pair.old and pair.new:
        kept = {name.lower() for name in pair.new.required_headers}
        for name in sorted(pair.old.required_headers):
            if name.lower() not in kept:
                yield Finding(f"response {pair.old.status} no longer promises the header {name}", below=name)


@rule("response.header_added", ResponsePair, Severity.SAFE)
def header_added(pair: ResponsePair) -> Iterator[Finding]:
    """A header is promised that was not before."""
    if pair.old and pair.new:
        known = {name.lower() for name in pair.old.required_headers}
        for name in sorted(pair.new.required_headers):
            if name.lower() not in known:
                yield Finding(f"response {pair.new.status} promises the header {name}", below=name)


@rule("response.link_removed", ResponsePair, Severity.RISKY)
def link_removed(pair: ResponsePair) -> Iterator[Finding]:
    """A link to a further operation is gone, or leads elsewhere. Nothing of it is sent; few clients follow links of the
    description."""
    if pair.old and pair.new:
        for name, link in sorted(pair.old.links.items()):
            if name not in pair.new.links:
                yield Finding(f"response {pair.old.status} has lost the link {name}", below=name)
            elif pair.new.links[name] != link:
                yield Finding(f"response {pair.old.status} leads elsewhere with the link {name}", below=name)


@rule("callback.added", CallbackPair, Severity.SAFE)
def callback_added(pair: CallbackPair) -> Iterator[Finding]:
    """The API sends something more to the address that a request gives."""
    if pair.old is None:
        yield Finding(f"{pair.label} added")


@rule("callback.removed", CallbackPair, Severity.BREAKING)
def callback_removed(pair: CallbackPair) -> Iterator[Finding]:
    """The API no longer sends what it sent to the address that a request gives: who waits for it waits in vain."""
    if pair.new is None:
        yield Finding(f"{pair.label} removed")


def _good(status: str) -> bool:
    """2xx and 3xx; `default` stands for failures by convention."""
    return status[:1] in ("1", "2", "3")
