"""The strategy `graphql`, with a dict in place of the network."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from backend.app.engine.http import Answer, Outcome, Request
from backend.app.engine.spec.model import ApiDescription
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document
from backend.app.modules.endpoints.discovery import Discovered, NothingDiscovered, Subject, strategies
from tests.support.discovery import Web, tools_of
from tests.support.graphql import introspection

BASE = "http://api.test/v1"
TOLD = orjson.dumps(introspection({"type Query": {"hello": "String"}}))


async def read(document: bytes, where: str) -> ApiDescription:
    return describe(parse_document(document), where=where)


async def look(subject: Subject, web: Web) -> Discovered:
    (found,) = await strategies.get("graphql").look(subject, tools_of(web, read))
    return found


def server(path: str, answer: Callable[[Request], Answer]) -> Web:
    """Answers below one path, by whatever method."""

    def says(request: Request) -> Answer:
        return answer(request) if urlsplit(request.url).path == path else Answer(404, ())

    return Web(otherwise=says)


def tells(request: Request) -> Answer:
    (query,) = parse_qs(urlsplit(request.url).query)["query"]
    return Answer(200, (), TOLD if "__schema" in query else b'{"errors": [{"message": "what?"}]}')


def by_post_only(request: Request) -> Answer:
    if request.method == "GET":
        return Answer(405, (), b"GET is not allowed; send GraphQL by POST")
    assert request.body is not None
    return Answer(200, (), TOLD if "__schema" in orjson.loads(request.body)["query"] else b"{}")


def without_introspection(request: Request) -> Answer:
    return Answer(400, (), b'{"errors": [{"message": "GraphQL introspection is not allowed"}]}')


@pytest.mark.parametrize("path", ["/v1/graphql", "/graphql", "/v1/api/graphql", "/api/v1/graphql"])
async def test_a_server_is_found_by_get_in_the_usual_places(path: str) -> None:
    web = server(path, tells)
    found = await look(Subject(BASE), web)
    assert (found.source, found.where) == ("graphql", f"http://api.test{path}")
    folder, _, last = path.rpartition("/")
    assert found.description.servers == (f"http://api.test{folder}",)
    assert [each.key for each in found.description.operations] == [f"POST /{last}#query.hello"]
    assert {request.method for request in web.requests} == {"GET"}


async def test_post_is_for_a_place_that_a_person_named() -> None:
    web = server("/v1/graphql", by_post_only)
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE), web)
    assert (caught.value.code, caught.value.where) == ("discovery.wants_post", f"{BASE}/graphql")
    assert "spec_url" in caught.value.message
    assert {request.method for request in web.requests} == {"GET"}

    found = await look(Subject(BASE, spec_url=f"{BASE}/graphql"), web)
    assert found.where == f"{BASE}/graphql"
    assert [each.method for each in web.requests[-2:]] == ["GET", "POST"]


async def test_a_place_that_does_not_read_as_graphql_is_never_posted_to() -> None:
    web = Web()
    with pytest.raises(NothingDiscovered):
        await look(Subject(BASE, spec_url=f"{BASE}/graphql/openapi.json"), web)
    assert {request.method for request in web.requests} == {"GET"}
    with pytest.raises(NothingDiscovered, match="Give base_url"):
        await look(Subject("", spec_url=f"{BASE}/openapi.json"), web)


@pytest.mark.parametrize("subject", [Subject(BASE), Subject("", spec_url=f"{BASE}/graphql")])
async def test_refused_introspection_is_said(subject: Subject) -> None:
    with pytest.raises(NothingDiscovered, match="introspection is not allowed") as caught:
        await look(subject, server("/v1/graphql", without_introspection))
    assert caught.value.code == "discovery.introspection_disabled"


async def test_an_explorer_is_not_taken_for_an_answer() -> None:
    page = Answer(200, (), b"<html><title>GraphiQL</title> graphql")
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE), server("/graphql", lambda request: page))
    assert caught.value.code == "discovery.wants_post"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, (), b"<html>welcome</html>"),
        Answer(200, (), b'{"ok": true}'),
        Answer(404, (), b'{"errors": [{"message": "no introspection here"}]}'),
        Answer(200, (), b'{"errors": [1], "data": {"__schema": 7}}'),
        Answer(500, (), b"[" * 50_000),
    ],
)
async def test_what_answers_alike_to_everything_is_no_graphql(answer: Answer) -> None:
    web = Web(otherwise=lambda request: answer)
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE), web)
    assert caught.value.code == "discovery.nothing_found"
    assert len(web.requests) <= 20


async def test_an_answer_that_repeats_the_request_is_no_graphql() -> None:
    def repeats(request: Request) -> Answer:
        return Answer(200, (), orjson.dumps({"code": 404, "path": request.url, "rid": len(web.requests)}))

    web = Web(otherwise=repeats)
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE), web)
    assert caught.value.code == "discovery.nothing_found"


async def test_a_server_that_asks_for_fewer_requests_is_left_alone() -> None:
    web = Web(otherwise=lambda request: Answer(429, ()))
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE), web)
    assert (caught.value.code, len(web.requests)) == ("discovery.throttled", 3)


async def test_an_unreachable_server_is_asked_once() -> None:
    web = Web(down=Outcome.CONNECT_FAILED)
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE), web)
    assert (caught.value.code, len(web.requests)) == ("discovery.connect_failed", 1)


async def test_an_introspection_that_was_handed_in_needs_no_network() -> None:
    web = Web()
    found = await look(Subject(BASE, document=TOLD), web)
    assert (found.where, found.description.servers) == ("request", ())
    found = await look(Subject(f"{BASE}/graphql", document=TOLD), web)
    assert (found.where, found.description.servers) == ("request", (BASE,))
    with pytest.raises(NothingDiscovered, match="no answer to a GraphQL introspection"):
        await look(Subject(BASE, document=b'{"openapi": "3.1.0"}'), web)
    assert web.requests == []


@pytest.mark.parametrize(
    ("subject", "applies"),
    [
        (Subject(BASE), True),
        (Subject(BASE, document=TOLD), True),
        (Subject(BASE, document=b"{}"), False),
        (Subject("", spec_url=f"{BASE}/graphql"), True),
        (Subject("", spec_url=f"{BASE}/openapi.json"), False),
    ],
)
def test_it_applies_where_a_graphql_server_may_be(subject: Subject, applies: bool) -> None:
    assert strategies.get("graphql").applies(subject) is applies
    if subject.document is not None:
        assert strategies.get("openapi").applies(subject) is not applies
