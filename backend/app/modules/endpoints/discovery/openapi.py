"""Operations from an OpenAPI 3.0, 3.1 or Swagger 2.0 document."""

from backend.app.engine.http import Answer, Exchange, Outcome, Request
from backend.app.engine.spec.guess import spec_candidates
from backend.app.engine.spec.model import SpecError
from backend.app.modules.endpoints.discovery import Discovered, Kind, NothingDiscovered, Subject, Tools, strategy

HANDED_IN = "request"

UNREACHABLE = frozenset({Outcome.DNS_FAILED, Outcome.CONNECT_FAILED, Outcome.TLS_FAILED, Outcome.REFUSED})
"""What every other place on the same server would answer too."""
MAX_TIMEOUTS = 3
"""Places of a search that may keep us waiting for their whole deadline."""
_MARKS = (b"openapi", b"swagger")


def _applies(subject: Subject) -> bool:
    return bool(subject.document or subject.spec_url or subject.base_url)


@strategy("openapi", Kind.DOCUMENT, _applies)
async def openapi(subject: Subject, tools: Tools) -> tuple[Discovered]:
    """The document that was handed in, or the one at `spec_url`, or the first in the usual places below `base_url`."""
    return (await _find(subject, tools),)


async def _find(subject: Subject, tools: Tools) -> Discovered:
    if subject.document is not None:
        return await _read(subject.document, HANDED_IN, tools)
    if subject.spec_url:
        exchange = await tools.fetch(Request("GET", subject.spec_url))
        answer = _answer(exchange)
        if answer.status != 200:
            raise NothingDiscovered(
                "discovery.bad_status", f"{subject.spec_url} answered {answer.status}", subject.spec_url
            )
        return await _read(answer.body, _final_url(exchange), tools)
    if not subject.base_url:
        raise NothingDiscovered(
            "discovery.nowhere_to_look", "The project has neither base_url nor spec_url; send spec_url or document"
        )
    return await _search(subject.base_url, tools)


async def _search(base_url: str, tools: Tools) -> Discovered:
    """A place counts by its content: many servers answer 200 with a page to everything."""
    refusal: SpecError | None = None
    seen: set[bytes] = set()
    timeouts = 0
    places = [base_url, *spec_candidates(base_url)]
    for url in places:
        exchange = await tools.fetch(Request("GET", url))
        timeouts += exchange.outcome is Outcome.TIMEOUT
        if exchange.outcome in UNREACHABLE or timeouts == MAX_TIMEOUTS:
            _answer(exchange)
        answer = exchange.answer
        if answer is None or answer.status != 200 or answer.body in seen or not _may_describe(answer.body):
            continue
        seen.add(answer.body)
        try:
            return await _read(answer.body, _final_url(exchange), tools)
        except SpecError as error:
            if error.code != "spec.not_a_spec":
                refusal = refusal or SpecError(error.code, f"{url}: {error.message}", error.where)
    if refusal is not None:
        raise refusal
    raise NothingDiscovered(
        "discovery.nothing_found",
        f"None of the {len(places)} usual places holds an API description; send spec_url or document",
        base_url,
    )


async def _read(document: bytes, where: str, tools: Tools) -> Discovered:
    description = await tools.read_document(document, "" if where == HANDED_IN else where)
    return Discovered(description, description.dialect, where)


def _answer(exchange: Exchange) -> Answer:
    """Raises `NothingDiscovered` when none came."""
    if exchange.answer is None:
        raise NothingDiscovered(f"discovery.{exchange.outcome}", exchange.error, exchange.request.url)
    return exchange.answer


def _final_url(exchange: Exchange) -> str:
    return exchange.redirects[-1] if exchange.redirects else exchange.request.url


def _may_describe(body: bytes) -> bool:
    return body.lstrip()[:1] != b"<" and any(mark in body for mark in _MARKS)
