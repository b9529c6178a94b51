"""Operations of a GraphQL server."""

import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote, urljoin, urlsplit

from backend.app.engine.http import Answer, Exchange, Headers, Outcome, Request
from backend.app.engine.spec.graphql import DIALECT, INTROSPECTION, recognises
from backend.app.modules.endpoints.discovery import Discovered, Kind, NothingDiscovered, Subject, Tools, strategy
from backend.app.modules.endpoints.discovery.live.baseline import Samples, random_word, sample_of
from backend.app.modules.endpoints.discovery.openapi import (
    HANDED_IN,
    MAX_THROTTLED,
    MAX_TIMEOUTS,
    is_away,
    throttling,
)

PLACES = (
    "graphql",
    "api/graphql",
    "graphql/",
    "v1/graphql",
    "query",
    "gql",
    "graphql/v1",
    "api/v1/graphql",
    "api",
    "graphql/api",
)
"""Apollo, Strawberry, Yoga, Mercurius, Hasura, gqlgen, graphene, Spring, Hot Chocolate, in the order of trying."""
WANTS_POST = "discovery.wants_post"
_NAMES = ("graphql", "gql", "graphiql", "query")
_ACCEPT: Headers = (
    ("Accept", "application/graphql-response+json, application/json;q=0.9"),
    # Apollo refuses queries by GET that a page of another origin could have sent.
    ("Apollo-Require-Preflight", "true"),
)
_WANTS_POST = frozenset({200, 400, 405, 406, 415, 422, 501})
"""With 200 comes the page of an explorer."""
_QUERY = " ".join(INTROSPECTION.split())


def _applies(subject: Subject) -> bool:
    if subject.document is not None:
        return recognises(subject.document)
    return bool(subject.base_url) or (subject.spec_url is not None and names_graphql(subject.spec_url))


@strategy("graphql", Kind.DOCUMENT, _applies, last=True)
async def graphql(subject: Subject, tools: Tools) -> tuple[Discovered]:
    """Queries and mutations that a GraphQL server tells of by introspection: in the document that was handed in, at
    `spec_url`, or in the usual places below `base_url`. Asked by GET; by POST only at a `spec_url` that names a GraphQL
    server, which a person gave: a query changes nothing, whatever the method."""
    if subject.document is not None:
        if not recognises(subject.document):
            raise NothingDiscovered("discovery.not_graphql", "The document is no answer to a GraphQL introspection")
        place = next((url for url in (subject.spec_url, subject.base_url) if url and names_graphql(url)), "")
        return (replace(await _read(subject.document, place, tools), where=HANDED_IN),)
    found = await _Search(tools).find(subject)
    return (found,)


class _Search:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._timeouts = 0
        self._throttled = 0
        self._reason: NothingDiscovered | None = None
        """Why a GraphQL server told nothing."""
        self._moved_to = ""
        """Where on the same server the last request was led."""

    async def find(self, subject: Subject) -> Discovered:
        named = subject.spec_url if subject.spec_url and names_graphql(subject.spec_url) else None
        if named is None and not subject.base_url:
            raise NothingDiscovered("discovery.nowhere_to_look", "Give base_url, or the GraphQL endpoint as spec_url")
        if named is not None:
            found = await self._ask(named) or await self._ask(self._moved_to or named, post=True)
            if found is not None:
                return found
            raise self._reason or NothingDiscovered(
                "discovery.not_graphql", f"{named} does not answer as a GraphQL server does", named
            )
        places = list(_places(subject.base_url))
        for number, url in enumerate(places):
            await self._tools.progress(number, len(places), "looking for GraphQL")
            if (found := await self._ask(url)) is not None:
                return found
        raise self._reason or NothingDiscovered(
            "discovery.nothing_found",
            f"None of the {len(places)} usual places answers as a GraphQL server does",
            subject.base_url,
        )

    async def _ask(self, url: str, *, post: bool = False) -> Discovered | None:
        exchange = await self._tools.fetch(_request(url, post=post), follow_redirects=not post)
        self._timeouts += exchange.outcome is Outcome.TIMEOUT
        answer = exchange.answer
        if answer is None:
            if is_away(exchange, url) or self._timeouts == MAX_TIMEOUTS:
                raise NothingDiscovered(f"discovery.{exchange.outcome}", exchange.error, url)
            return None
        place = exchange.redirects[-1].partition("?")[0] if exchange.redirects else url
        if recognises(answer.body):
            return await _read(answer.body, place, self._tools)
        self._moved_to = place if urlsplit(place)[:2] == urlsplit(url)[:2] else ""
        self._throttled = self._throttled + 1 if answer.status == 429 else 0
        if self._throttled == MAX_THROTTLED:
            raise throttling(url)
        refusal = None if self._reason else _refusal(url, answer)
        wants_post = refusal is not None and refusal.code == WANTS_POST
        if not wants_post or not await self._answers_anything(url, exchange):
            self._reason = self._reason or refusal
        return None

    async def _answers_anything(self, url: str, exchange: Exchange) -> bool:
        """Whether the answer cannot be told from that at a place beside it, which repeats the request perhaps."""
        anything = Samples()
        stray = urljoin(url.rstrip("/"), random_word("graphql"))
        anything.add(sample_of(await self._tools.fetch(_request(stray, post=False))))
        return bool(anything.known) and anything.resemble(sample_of(exchange))


def _request(url: str, *, post: bool) -> Request:
    if post:
        body = json.dumps({"query": _QUERY, "operationName": "Introspection"}).encode()
        return Request("POST", url, (*_ACCEPT, ("Content-Type", "application/json")), body)
    return Request("GET", f"{url}{'&' if '?' in url else '?'}query={quote(_QUERY, safe='')}", _ACCEPT)


def _places(base_url: str) -> Iterator[str]:
    """`base_url` itself where it names a server, below it, then below the root."""
    parts = urlsplit(base_url)
    if names_graphql(base_url):
        yield parts._replace(query="", fragment="").geturl()
    folders = dict.fromkeys([parts.path.rstrip("/"), ""])
    urls = (parts._replace(path=f"{folder}/{place}", query="", fragment="") for folder in folders for place in PLACES)
    yield from dict.fromkeys(url.geturl() for url in urls)


def names_graphql(url: str) -> bool:
    """Whether a URL reads as that of a GraphQL server: `/graphql`, `/graphql/v1`, `/query`."""
    *_, before, last = ["", "", *(part.lower() for part in urlsplit(url).path.split("/") if part)]
    return last in _NAMES or (before == "graphql" and "." not in last)


def _refusal(url: str, answer: Answer) -> NothingDiscovered | None:
    """Why a GraphQL server did not tell; `None` for what does not answer as one."""
    if answer.status == 404 or len(answer.body) > 100_000:
        return None
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    errors = said.get("errors") if isinstance(said, dict) else None
    messages = [each.get("message") for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    text = next((message for message in messages if isinstance(message, str)), "")
    if text and "introspection" in text.lower():
        return NothingDiscovered(
            "discovery.introspection_disabled",
            f"{url} is a GraphQL server that refuses introspection: {text[:200]}",
            url,
        )
    looks = bool(text) or b"graphql" in answer.body[:10_000].lower() or b"query" in answer.body[:200].lower()
    if answer.status in _WANTS_POST and looks and names_graphql(url):
        return NothingDiscovered(
            WANTS_POST,
            f"{url} seems to be a GraphQL server that takes no queries by GET: name it (spec_url), and POST is tried",
            url,
        )
    if text:
        return NothingDiscovered("discovery.graphql_error", f"{url} answers with the error: {text[:200]}", url)
    return None


async def _read(document: bytes, where: str, tools: Tools) -> Discovered:
    description = await tools.read_document(document, where)
    if description.dialect != DIALECT:
        raise NothingDiscovered("discovery.not_graphql", "This is no answer to a GraphQL introspection", where)
    return Discovered(description, DIALECT, where)
