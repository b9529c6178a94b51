"""The strategy `openapi`, with a dict in place of the network."""

import pytest

from backend.app.engine.http import Answer, Outcome
from backend.app.engine.spec.model import ApiDescription, SpecError
from backend.app.modules.endpoints.discovery import Discovered, NothingDiscovered, Subject, strategies
from backend.app.modules.endpoints.discovery.openapi import MAX_TIMEOUTS
from tests.support.discovery import Web, tools_of

BASE = "http://api.test/v1"
GOOD = b'{"openapi": "3.1.0"}'
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


async def test_a_server_that_hangs_is_asked_a_few_times() -> None:
    web = Web(down=Outcome.TIMEOUT)
    with pytest.raises(NothingDiscovered) as caught:
        await look(Subject(BASE), web)
    assert caught.value.code == "discovery.timeout"
    assert len(web.fetched) == MAX_TIMEOUTS
