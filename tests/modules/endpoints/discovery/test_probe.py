"""The strategy `probe`, against servers that answer as frameworks do."""

import pytest

from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.engine.spec.model import Operation, Parameter, ParameterLocation
from backend.app.modules.endpoints.discovery import Discovered, NothingDiscovered, Subject, strategies
from tests.support.catch_alls import CATCH_ALLS
from tests.support.discovery import Web, tools_of
from tests.support.routers import DJANGO_404, HTML, JSON, Style, router

BASE = "http://api.test"
SAFE = {"GET", "HEAD", "OPTIONS"}
ROUTES = {
    "GET /users": '200 [{"id": 1}]',
    "POST /users": "201 {}",
    "GET /users/{id}": '404 {"error": "no such user"}',
    "DELETE /users/{id}": "204",
    "GET /orders": '200 {"orders": []}',
    "POST /orders/{id}/refund": "202",
    "GET /health": '200 {"status": "up"}',
}
GHOSTS = ("GET /ghosts", "GET /ghosts/{id}", "POST /ghosts/{id}/haunt", "GET /users/{id}/ghost")


def operations(*keys: str) -> list[Operation]:
    found = []
    for key in keys:
        method, path = key.split(" ")
        names = [each[1:-1] for each in path.split("/") if each.startswith("{")]
        parameters = tuple(Parameter(name, ParameterLocation.PATH, True, {"type": "integer"}) for name in names)
        found.append(Operation(method, path, parameters=parameters))
    return found


async def look(web: Web, *keys: str, base: str = BASE) -> Discovered:
    (found,) = await strategies.get("probe").look(Subject(base, known=operations(*keys)), tools_of(web))
    assert {request.method for request in web.requests} <= SAFE
    assert all(request.body is None for request in web.requests)
    return found


def said(found: Discovered, alive: bool) -> set[str]:
    return {key for key, evidence in found.evidence.items() if evidence.alive is alive}


@pytest.mark.parametrize("style", ["starlette", "flask", "express", "fastify", "django"])
async def test_what_is_there_is_never_called_dead_and_what_is_not_is_never_called_alive(style: Style) -> None:
    found = await look(Web(otherwise=router(style, ROUTES)), *ROUTES, *GHOSTS)
    assert not said(found, False) & ROUTES.keys()
    assert not said(found, True) & set(GHOSTS)
    assert {"GET /users", "GET /orders", "GET /health"} <= said(found, True)


@pytest.mark.parametrize(
    ("style", "alive", "dead"),
    [
        ("flask", set(ROUTES), set(GHOSTS)),
        ("express", set(ROUTES), set(GHOSTS)),
        # `Allow` has the first route of a path alone: of the others nothing can be told.
        ("starlette", set(ROUTES) - {"POST /users", "DELETE /users/{id}"}, set(GHOSTS)),
        # Nothing but GET is answered otherwise than an unknown path.
        ("fastify", {key for key in ROUTES if key.startswith("GET")}, {"GET /ghosts"}),
        ("django", set(), set()),
    ],
)
async def test_each_framework_tells_what_it_can(style: Style, alive: set[str], dead: set[str]) -> None:
    found = await look(Web(otherwise=router(style, ROUTES)), *ROUTES, *GHOSTS)
    assert alive <= said(found, True)
    assert said(found, False) == dead


async def test_a_method_that_allow_leaves_out_is_dead_where_allow_is_complete() -> None:
    found = await look(Web(otherwise=router("flask", ROUTES)), *ROUTES, "PUT /users", "DELETE /orders", "DELETE /users")
    assert said(found, False) == {"PUT /users", "DELETE /orders", "DELETE /users"}
    assert found.evidence["DELETE /orders"].places == ("OPTIONS /orders answered 200, Allow: GET, OPTIONS",)


async def test_a_method_that_takes_other_values_is_not_dead() -> None:
    """Routers may tell routes apart by the form of a value."""
    usual = router("flask", ROUTES)

    def strict(request: Request) -> Answer:
        answer = usual(request)
        is_year = request.url.endswith("/users/2024") and request.method == "OPTIONS"
        return Answer(200, (*HTML, ("Allow", "GET, OPTIONS, PATCH"))) if is_year else answer

    found = await look(Web(otherwise=strict), *ROUTES, "PATCH /users/{id}", "PUT /users/{id}")
    assert "PATCH /users/{id}" not in said(found, False)
    assert "PUT /users/{id}" in said(found, False)


async def test_a_method_that_starlette_leaves_out_of_allow_is_not_dead() -> None:
    found = await look(Web(otherwise=router("starlette", ROUTES)), *ROUTES)
    assert said(found, False) == set()


async def test_a_path_that_takes_other_methods_is_not_dead_with_one_of_them() -> None:
    routes = {key: said for key, said in ROUTES.items() if key != "GET /orders"} | {"POST /orders": "201 {}"}
    found = await look(Web(otherwise=router("express", routes)), *routes, "GET /orders")
    assert said(found, False) == {"GET /orders"}
    assert said(found, True) == set(routes)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (HTML, DJANGO_404),
        (
            (
                *JSON,
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "same-origin"),
                ("Cross-Origin-Opener-Policy", "same-origin"),
            ),
            '{"error": "not found"}',
        ),
        (HTML, "404 page not found\n"),
    ],
)
async def test_a_handler_that_answers_options_with_the_404_of_the_router_is_not_dead(
    headers: tuple[tuple[str, str], ...], body: str
) -> None:
    """Views of Django, handlers in Go: whatever the other routes show."""
    usual = router("flask", ROUTES)

    def mixed(request: Request) -> Answer:
        answer = usual(request)
        is_unknown = answer.status == 404 and b"requested URL" in answer.body
        return Answer(404, headers, body.encode()) if is_unknown or "/pages/" in request.url else answer

    assert "GET /pages/{id}" not in said(await look(Web(otherwise=mixed), *ROUTES, "GET /pages/{id}"), False)


async def test_what_one_application_shows_says_nothing_of_another_behind_the_same_address() -> None:
    """Below `/old` another framework answers OPTIONS with 404 to everything, and GET with the 404 of its router."""
    usual = router("flask", ROUTES)

    def both(request: Request) -> Answer:
        if "/old/" not in request.url:
            return usual(request)
        return Answer(404, JSON, b'{"status": 404}')

    found = await look(Web(otherwise=both), *ROUTES, "GET /old/users", "GET /old/users/{id}", "GET /ghosts")
    assert said(found, False) == {"GET /ghosts"}


async def test_a_handlers_own_404_shows_that_its_route_is_there() -> None:
    found = await look(Web(otherwise=router("starlette", ROUTES)), *ROUTES)
    assert found.evidence["GET /users/{id}"].alive is True
    assert found.evidence["GET /users/{id}"].places == ("GET /users/1 answered 404",)


async def test_a_handlers_404_that_is_the_routers_own_tells_nothing_by_itself() -> None:
    routes = {**ROUTES, "GET /users/{id}": '404 {"detail":"Not Found"}'}
    found = await look(Web(otherwise=router("fastify", {**routes, "GET /users/{id}": '404 {"x": 1}'})), *routes)
    assert "GET /users/{id}" not in said(found, False)
    found = await look(Web(otherwise=router("starlette", routes)), *routes)
    assert "GET /users/{id}" in said(found, True), "405 with Allow tells"


async def test_credentials_that_are_missing_show_that_something_is_there() -> None:
    routes = {**ROUTES, "GET /secret": '401 {"detail": "who are you"}'}
    found = await look(Web(otherwise=router("express", routes)), *routes)
    assert (found.evidence["GET /secret"].alive, found.evidence["GET /secret"].requires_auth) == (True, True)


async def test_what_may_act_on_get_is_not_asked_for() -> None:
    web = Web(otherwise=router("express", {**ROUTES, "GET /logout": "200 {}", "GET /users/{id}/delete": "200 {}"}))
    await look(web, "GET /logout", "GET /users/{id}/delete", *ROUTES)
    assert not [it.url for it in web.requests if it.method != "OPTIONS" and ("logout" in it.url or "/delete" in it.url)]


async def test_words_are_found_by_what_answers() -> None:
    routes = {
        "GET /health": '200 {"status": "up"}',
        "GET /metrics": "200 {}",
        "GET /admin": "403 <h1>Forbidden</h1>",
        "POST /login": "200 {}",
        "GET /api/users": '200 [{"id": 1, "name": "a"}]',
        "GET /api/items": '200 [{"id": 1, "title": "a"}]',
    }
    found = await look(Web(otherwise=router("starlette", routes)))
    assert said(found, True) == set(routes)
    assert found.evidence["POST /login"].places == ("GET /login answered 405, Allow: POST",)
    users = next(each for each in found.description.operations if each.path == "/api/users")
    assert users.responses[0].content[0].schema == {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
            "required": ["id", "name"],
        },
    }


async def test_what_answers_alike_to_all_that_begins_so_is_nothing() -> None:
    """A firewall that refuses whatever begins with `admin` or has `env` in it."""

    def guarded(request: Request) -> Answer:
        if "/admin" in request.url or "env" in request.url:
            return Answer(403, HTML, b"blocked")
        return Answer(404, HTML, b"nothing")

    assert not (await look(Web(otherwise=guarded))).evidence


@pytest.mark.parametrize("name", CATCH_ALLS)
async def test_nothing_is_invented_and_nothing_is_called_dead_on_a_server_without_endpoints(name: str) -> None:
    known = [*ROUTES, *GHOSTS]
    web = Web(otherwise=CATCH_ALLS[name]())
    found = await look(web, *known)
    assert found.evidence == {}
    assert len(web.requests) <= 400 + 2 * len(known)


async def test_a_server_that_asks_for_fewer_requests_is_left_alone() -> None:
    web = Web(otherwise=lambda request: Answer(429, ()))
    with pytest.raises(NothingDiscovered) as caught:
        await look(web, *ROUTES)
    assert caught.value.code == "discovery.throttled"
    assert len(web.requests) <= 6


async def test_what_a_server_said_before_it_asks_for_fewer_requests_is_kept() -> None:
    web = Web(("http://api.test/health", 200, b"{}"))
    web.otherwise = lambda request: Answer(404 if len(web.requests) < 40 else 429, ())
    found = await look(web, "GET /health")
    assert "GET /health" in found.evidence
    assert any("fewer (429)" in fault.message for fault in found.description.faults)


async def test_a_server_that_dies_midway_keeps_what_it_said_and_loses_nothing_else() -> None:
    class Dying(Web):
        async def __call__(self, request: Request, *, follow_redirects: bool = True) -> Exchange:
            if len(self.requests) >= 12:
                self.requests.append(request)
                return Exchange(request, Outcome.CONNECT_FAILED, Timing(0), error="refused")
            return await super().__call__(request)

    web = Dying(otherwise=router("flask", ROUTES))
    found = await look(web, *ROUTES, *GHOSTS)
    assert said(found, False) == set()
    assert len(web.requests) < 25
    assert any("the server is gone" in fault.message for fault in found.description.faults)


async def test_a_server_that_is_away_is_an_error() -> None:
    with pytest.raises(NothingDiscovered) as caught:
        await look(Web(down=Outcome.CONNECT_FAILED), *ROUTES)
    assert caught.value.code == "discovery.connect_failed"


async def test_the_number_of_requests_is_bounded() -> None:
    web = Web(otherwise=router("express", ROUTES))
    await look(web, *(f"GET /things-{number}/{{id}}" for number in range(150)))
    assert len(web.requests) <= 400 + 2 * 150


async def test_paths_stand_below_the_base_url() -> None:
    routes = {"GET /api/v1/things": '200 {"things": []}', "GET /api/v1/health": "200 {}"}
    found = await look(Web(otherwise=router("starlette", routes)), "GET /things", base=f"{BASE}/api/v1")
    assert said(found, True) == {"GET /things", "GET /health"}
    assert found.description.servers == (f"{BASE}/api/v1",)


async def test_a_cancel_ends_it() -> None:
    class Cancelled(Exception):
        pass

    async def progress(done: int, total: int, note: str = "") -> None:
        if done >= 20:
            raise Cancelled

    web = Web(otherwise=router("starlette", ROUTES))
    tools = tools_of(web)
    with pytest.raises(Cancelled):
        await strategies.get("probe").look(
            Subject(BASE, known=operations(*ROUTES)),
            type(tools)(tools.fetch, tools.read_document, tools.read_capture, tools.read_source, progress),
        )
    assert len(web.requests) <= 24
