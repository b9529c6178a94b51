"""The strategy `openapi`, with a dict in place of the network."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.engine.spec.guess import PLACES
from backend.app.engine.spec.model import ApiDescription, SpecError
from backend.app.modules.endpoints.discovery import Discovered, NothingDiscovered, Subject, strategies
from backend.app.modules.endpoints.discovery.openapi import MAX_REQUESTS, MAX_TIMEOUTS
from tests.support.discovery import Web, tools_of

BASE = "http://api.test/v1"
GOOD = b'{"openapi": "3.1.0"}'
JSON = (("Content-Type", "application/json"),)
PAGE = b"<html>openapi</html>"


async def read(document: bytes, where: str) -> ApiDescription:
    if b"broken" in document:
        raise SpecError("spec.syntax", "broken", "line 1")
    return ApiDescription("Title", document.decode(), "openapi-3.1")


async def look(subject: Subject, web: Web) -> Discovered:
    (found,) = await strategies.get("openapi").look(subject, tools_of(web, read))
    return found


async def test_a_document_that_was_handed_in_needs_no_network() -> None:
    web = Web()
    found = await look(Subject(BASE, f"{BASE}/spec", GOOD), web)
    assert (found.source, found.where, found.description.version) == ("openapi-3.1", "request", GOOD.decode())
    assert web.fetched == []


async def test_the_given_place_is_the_only_one_that_is_tried() -> None:
    web = Web((f"{BASE}/openapi.json", 200, GOOD))
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE, f"{BASE}/elsewhere"), web)
    assert (caught.value.code, caught.value.where) == ("discovery.bad_status", f"{BASE}/elsewhere")
    assert web.fetched == [f"{BASE}/elsewhere"]


async def test_usual_places_are_searched_and_count_by_their_content() -> None:
    web = Web((BASE, 200, PAGE), (f"{BASE}/openapi.json", 200, PAGE), ("http://api.test/swagger.json", 200, GOOD))
    found = await look(Subject(BASE), web)
    assert found.where == "http://api.test/swagger.json"


async def test_a_broken_description_is_named_when_no_better_one_is_there() -> None:
    web = Web((f"{BASE}/openapi.json", 200, b"openapi broken"))
    with pytest.raises(SpecError, match=r"/openapi\.json: broken \(line 1\)"):
        await look(Subject(BASE), web)
    web.pages["http://api.test/openapi.json"] = Answer(200, (), GOOD)
    assert (await look(Subject(BASE), web)).where == "http://api.test/openapi.json"


async def test_nothing_anywhere() -> None:
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE), Web())
    assert (caught.value.code, caught.value.where) == ("discovery.nothing_found", BASE)
    with pytest.raises(NothingDiscovered, match="neither base_url nor spec_url"):
        await look(Subject(""), Web())


async def test_a_server_that_is_away_is_asked_once() -> None:
    web = Web(down=Outcome.CONNECT_FAILED)
    with pytest.raises(NothingDiscovered, match="nobody is there") as caught:
        await look(Subject(BASE), web)
    assert caught.value.code == "discovery.connect_failed"
    assert len(web.fetched) == 1


async def test_redirects_to_where_nobody_is_do_not_end_the_search() -> None:
    class Astray(Web):
        async def __call__(self, request: Request, *, follow_redirects: bool = True) -> Exchange:
            exchange = await super().__call__(request, follow_redirects=follow_redirects)
            if exchange.answer is not None and exchange.answer.status == 200:
                return exchange
            return Exchange(request, Outcome.DNS_FAILED, Timing(0), error="no such host", redirects=("http://i/",))

    found = await look(Subject(BASE), Astray((f"{BASE}/openapi.json", 200, GOOD)))
    assert found.where == f"{BASE}/openapi.json"


async def test_a_server_that_hangs_is_asked_a_few_times() -> None:
    web = Web(down=Outcome.TIMEOUT)
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE), web)
    assert caught.value.code == "discovery.timeout"
    assert len(web.fetched) == MAX_TIMEOUTS


def anything(kind: str) -> Callable[[Request], Answer]:
    """What a server answers to everything."""

    def answer(request: Request) -> Answer:
        path = request.url.removeprefix("http://api.test")
        match kind:
            case "404":
                return Answer(404, (("Content-Type", "text/plain"),), b"404 page not found")
            case "html":
                return Answer(
                    200, (("Content-Type", "text/html"),), b"<html><title>Swagger petshop</title>Welcome</html>"
                )
            case "json":
                return Answer(200, JSON, b'{"ok": true, "swagger": "2.0"}')
            case "echo":
                return Answer(200, JSON, orjson.dumps({"openapi": "no", "path": path, "at": path.split("/")}))
            case _:
                return Answer(302, (("Location", f"/login?next={path}"),))

    return answer


async def refuse(document: bytes, where: str) -> ApiDescription:
    """A reader that costs: what is not worth reading must not reach it."""
    if document == GOOD:
        return ApiDescription("Title", "1", "openapi-3.1")
    raise SpecError("spec.not_a_spec", "no description")


@pytest.mark.parametrize(("kind", "every"), [("404", 1), ("login", 7), ("html", 3), ("json", 7), ("echo", 7)])
@pytest.mark.parametrize(
    "base", ["http://api.test", "http://api.test/api", "http://api.test/v1", "http://api.test/api/v1"]
)
async def test_each_known_place_below_each_base_is_found_within_80_requests(base: str, kind: str, every: int) -> None:
    for place in PLACES[::-every]:
        url = f"{base}{place}" if place[0] == "?" and base != "http://api.test" else f"{base}/{place}"
        web = Web((url, 200, GOOD), otherwise=anything(kind))
        (found,) = await strategies.get("openapi").look(Subject(base), tools_of(web, refuse))
        assert (found.where, len(web.fetched) <= 80) == (url, True), (place, len(web.fetched))


@pytest.mark.parametrize("kind", ["html", "json", "echo", "login"])
async def test_what_a_server_answers_to_anything_is_read_once_at_most(kind: str) -> None:
    read: list[bytes] = []

    async def note(document: bytes, where: str) -> ApiDescription:
        read.append(document)
        raise SpecError("spec.not_a_spec", "no description")

    with pytest.raises(NothingDiscovered):
        await strategies.get("openapi").look(Subject(BASE), tools_of(Web(otherwise=anything(kind)), note))
    assert len(read) <= 1


@pytest.mark.parametrize(
    "body",
    [
        b'<div id="swagger-ui"></div><script>SwaggerUIBundle({url: "/hidden/spec-1"})</script>',
        b'<title>Swagger UI</title><script>ui({"urls": [{"url": "/hidden\\/spec-1", "name": "one"}]})</script>',
        b'<redoc spec-url="/hidden/spec-1"></redoc>',
        b'<script>Redoc.init("/hidden/spec-1", {})</script>',
        b'<rapi-doc spec-url = "../hidden/spec-1"></rapi-doc>',
        b'<script id="api-reference" data-url="/hidden/spec-1"></script><script src="https://cdn/@scalar/api"></script>',
        b'<elements-api apiDescriptionUrl="/hidden/spec-1" router="hash">',
        b'<a href="/hidden/spec-1">the swagger</a><p>See <a href="/hidden/spec-1?swagger.json">our OpenAPI</a>',
        b'<html>swagger <script src="./swagger-initializer.js"></script></html>',
    ],
)
async def test_a_page_leads_to_the_description_that_it_shows(body: bytes) -> None:
    pages = [
        (url, 200, GOOD) for url in ("http://api.test/hidden/spec-1", "http://api.test/hidden/spec-1?swagger.json")
    ]
    script = b'window.ui = SwaggerUIBundle({url: "https://petstore.swagger.io/v2/swagger.json", configUrl: "/conf"})'
    web = Web(
        *pages,
        ("http://api.test/docs", 200, body),
        ("http://api.test/swagger-initializer.js", 200, script),
        ("http://api.test/conf", 200, b'{"url": "/hidden/spec-1"}'),
    )
    (found,) = await strategies.get("openapi").look(Subject("http://api.test"), tools_of(web, refuse))
    assert found.where.startswith("http://api.test/hidden/spec-1")
    assert not any("petstore" in url for url in web.fetched), "that is somebody else's"


async def test_a_description_within_a_page_or_a_script_is_taken_out_of_it() -> None:
    document = b'{"openapi": "3.1.0", "info": {"title": "a } in \\" a text"}, "paths": {}}'
    for place, body in (
        (
            "api-docs/swagger-ui-init.js",
            b'var options = {"swaggerDoc": %s, "customOptions": {}}; swagger(options)' % document,
        ),
        ("docs", b'<script>const __redoc_state = {"menu": {}, "spec": {"data": %s}};</script>' % document),
        ("docs", b'<script id="api-reference" type="application/json">%s</script> scalar' % document),
    ):
        web = Web((f"http://api.test/{place}", 200, body))
        (found,) = await strategies.get("openapi").look(Subject("http://api.test"), tools_of(web, read))
        assert found.description.version == document.decode()


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("swagger-resources", [{"name": "default", "url": "/hidden?group=a", "swaggerVersion": "2.0"}]),
        ("v3/api-docs/swagger-config", {"urls": [{"url": "/hidden?group=a", "name": "a"}]}),
        (
            ".well-known/api-catalog",
            {"linkset": [{"anchor": "http://api.test", "service-desc": [{"href": "/hidden?group=a"}]}]},
        ),
        ("apis.json", {"apis": [{"name": "a", "properties": [{"type": "OpenAPI", "url": "/hidden?group=a"}]}]}),
        ("openapi/v3", {"paths": {"apis/apps/v1": {"serverRelativeURL": "/hidden?group=a"}}}),
    ],
)
async def test_a_list_leads_to_the_descriptions_in_it(place: str, body: Any) -> None:
    web = Web((f"http://api.test/{place}", 200, orjson.dumps(body)), ("http://api.test/hidden?group=a", 200, GOOD))
    (found,) = await strategies.get("openapi").look(Subject("http://api.test"), tools_of(web, refuse))
    assert found.where == "http://api.test/hidden?group=a"


async def test_a_link_header_leads_to_the_description() -> None:
    """RFC 8631."""
    web = Web(("http://api.test/hidden", 200, GOOD))
    link = (("Link", '</style>; rel=preload, <hidden>; type="application/json"; rel="alternate service-desc"'),)
    web.pages["http://api.test"] = Answer(200, link, b"hello")
    (found,) = await strategies.get("openapi").look(Subject("http://api.test"), tools_of(web, refuse))
    assert (found.where, len(web.fetched)) == ("http://api.test/hidden", 2)


async def test_the_page_of_a_description_will_do_as_its_place() -> None:
    web = Web((f"{BASE}/docs", 200, b'<redoc spec-url="/hidden">'), ("http://api.test/hidden", 200, GOOD))
    (found,) = await strategies.get("openapi").look(Subject(BASE, f"{BASE}/docs"), tools_of(web, refuse))
    assert found.where == "http://api.test/hidden"


async def test_a_server_that_asks_for_fewer_requests_is_left_alone() -> None:
    web = Web(otherwise=lambda request: Answer(429, ()))
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE), web)
    assert (caught.value.code, len(web.fetched)) == ("discovery.throttled", 3)


async def test_pages_that_lead_in_circles_end() -> None:
    def page(request: Request) -> Answer:
        return Answer(200, (), b'<redoc spec-url="%s/deeper">' % request.url.encode())

    web = Web(otherwise=page)
    with pytest.raises(NothingDiscovered):
        await look(Subject("http://api.test"), web)
    assert len(web.fetched) <= MAX_REQUESTS + 10
