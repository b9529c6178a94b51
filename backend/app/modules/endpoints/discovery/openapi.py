"""Operations from a description of the API: OpenAPI, Swagger and whatever else `Tools.read_document` reads."""

from collections.abc import Iterator

from backend.app.engine.http import Answer, Exchange, Outcome, Request
from backend.app.engine.spec.graphql import recognises
from backend.app.engine.spec.guess import Leads, leads_of, spec_candidates
from backend.app.engine.spec.model import SpecError
from backend.app.modules.endpoints.discovery import Discovered, Kind, NothingDiscovered, Subject, Tools, strategy
from backend.app.modules.endpoints.discovery.live.baseline import Samples, random_word, sample_of
from backend.app.modules.endpoints.discovery.live.links import is_same_origin

HANDED_IN = "request"

UNREACHABLE = frozenset({Outcome.DNS_FAILED, Outcome.CONNECT_FAILED, Outcome.TLS_FAILED, Outcome.REFUSED})
"""What every other place on the same server would answer too."""
MAX_TIMEOUTS = 3
"""Places of a search that may keep us waiting for their whole deadline."""
MAX_REQUESTS = 300
MAX_THROTTLED = 3
"""In a row, of 429."""
_MARKS = (b"openapi", b"swagger")


def _applies(subject: Subject) -> bool:
    if subject.document:
        return not recognises(subject.document)  # that is for the strategy `graphql`
    return bool(subject.spec_url or subject.base_url)


@strategy("openapi", Kind.DOCUMENT, _applies)
async def openapi(subject: Subject, tools: Tools) -> tuple[Discovered]:
    """The document that was handed in, or the one at `spec_url`, or the first in the usual places below `base_url`."""
    return (await _find(subject, tools),)


async def _find(subject: Subject, tools: Tools) -> Discovered:
    if subject.document is not None:
        return await _read(subject.document, HANDED_IN, tools)
    if subject.spec_url:
        return await _at(subject.spec_url, tools)
    if not subject.base_url:
        raise NothingDiscovered(
            "discovery.nowhere_to_look", "The project has neither base_url nor spec_url; send spec_url or document"
        )
    return await _Search(subject.base_url, tools).find()


async def _at(url: str, tools: Tools) -> Discovered:
    """A page that shows the description will do as well."""
    exchange = await tools.fetch(Request("GET", url))
    answer = _answer(exchange)
    if answer.status != 200:
        raise NothingDiscovered("discovery.bad_status", f"{url} answered {answer.status}", url)
    place = _final_url(exchange)
    leads = leads_of(answer, place)
    try:
        return await _read(answer.body, place, tools)
    except SpecError:
        found = await _Search(url, tools).follow(leads, place)
        if found is None:
            raise
        return found


class _Search:
    """A place counts by its content: many servers answer 200 with a page to everything."""

    def __init__(self, base_url: str, tools: Tools) -> None:
        self._base_url = base_url
        self._tools = tools
        self._asked: set[str] = set()
        self._seen: set[bytes] = set()
        self._timeouts = 0
        self._throttled = 0
        self._refusal: SpecError | None = None
        self._anything = Samples()

    async def find(self) -> Discovered:
        places = [self._base_url, *spec_candidates(self._base_url)]
        if (found := await self._look(await self._ask(self._base_url))) is not None:
            return found
        for stray in _nowhere(self._base_url):
            if (exchange := await self._ask(stray)) is not None:
                self._anything.add(sample_of(exchange))
        for number, url in enumerate(places):
            if len(self._asked) >= MAX_REQUESTS:
                break
            if number % 10 == 0:
                await self._tools.progress(number, len(places), "looking for a description")
            exchange = await self._ask(url)
            if exchange is None or exchange.answer is None or exchange.answer.status != 200:
                continue
            if self._anything.known and self._anything.resemble(sample_of(exchange)):
                continue
            if (found := await self._look(exchange)) is not None:
                return found
        if self._refusal is not None:
            raise self._refusal
        raise NothingDiscovered(
            "discovery.nothing_found",
            f"None of the {len(self._asked)} usual places holds an API description; name its own URL, or hand it in",
            self._base_url,
        )

    async def follow(self, leads: Leads, where: str, depth: int = 3) -> Discovered | None:
        for document in leads.documents:
            if (found := await self._try(document, where)) is not None:
                return found
        for url in leads.urls:
            if (found := await self._look(await self._ask(url), depth - 1)) is not None:
                return found
        return None

    async def _ask(self, url: str) -> Exchange | None:
        """None of a place that was asked before. Raises `NothingDiscovered` when nobody is there, or when the server
        wants to be left alone."""
        if url in self._asked:
            return None
        self._asked.add(url)
        exchange = await self._tools.fetch(Request("GET", url))
        self._timeouts += exchange.outcome is Outcome.TIMEOUT
        if is_away(exchange, self._base_url) or self._timeouts == MAX_TIMEOUTS:
            _answer(exchange)
        throttled = exchange.answer is not None and exchange.answer.status == 429
        self._throttled = self._throttled + 1 if throttled else 0
        if self._throttled == MAX_THROTTLED:
            raise throttling(url)
        return exchange

    async def _look(self, exchange: Exchange | None, depth: int = 3) -> Discovered | None:
        answer = exchange.answer if exchange is not None else None
        if exchange is None or answer is None or answer.status != 200 or answer.body in self._seen:
            return None
        self._seen.add(answer.body)
        where = _final_url(exchange)
        if _may_describe(answer.body, where) and (found := await self._try(answer.body, where)) is not None:
            return found
        return await self.follow(leads_of(answer, where), where, depth) if depth else None

    async def _try(self, document: bytes, where: str) -> Discovered | None:
        try:
            return await _read(document, where, self._tools)
        except SpecError as error:
            if error.code != "spec.not_a_spec":
                self._refusal = self._refusal or SpecError(error.code, f"{where}: {error.message}", error.where)
            return None


def is_away(exchange: Exchange, base_url: str) -> bool:
    """Whether nobody answers where `base_url` is. Who is away at the end of a redirect or a link says nothing of it."""
    return exchange.outcome in UNREACHABLE and is_same_origin(_final_url(exchange), base_url)


def throttling(url: str) -> NothingDiscovered:
    return NothingDiscovered("discovery.throttled", "The server asks for fewer requests (429)", url)


def _nowhere(base_url: str) -> Iterator[str]:
    """Places where nothing is published: what they answer, the server answers to anything."""
    base = base_url.partition("?")[0].partition("#")[0].rstrip("/")
    yield f"{base}/{random_word('place')}.json"
    yield f"{base}/{random_word('folder')}/{random_word('place')}"


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


def _may_describe(body: bytes, where: str) -> bool:
    first = body.lstrip()[:1]
    is_script = where.partition("?")[0].endswith(".js") and first != b"{"
    return first != b"<" and not is_script and any(mark in body for mark in _MARKS)
