"""The route index answers what FastAPI's own router answers, once each path is left to the templates with the fewest
parameters that match it, and names more methods in `Allow`."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import httpx2
from fastapi import APIRouter, FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import compile_path
from starlette.types import Message, Scope

from backend.app.extensions.routing import RouteIndex

Answer = tuple[int, dict[str, str], bytes]
Route = tuple[str, set[str], str, bool]

SEGMENTS = st.sampled_from(
    ["a", "b", "c", "x y", "é", "{p}", "{q}", "{n:int}", "{r:path}", "v{s}.json", "a%2Fb", "{u:uuid}"]
)
PATHS = st.lists(SEGMENTS, max_size=6, unique_by=lambda s: s if s.startswith("{") else object()).map(
    lambda parts: "/" + "/".join(parts)
)
METHODS = st.sets(st.sampled_from(["GET", "POST", "DELETE"]), min_size=1, max_size=2)
ROUTES = st.lists(st.tuples(PATHS, METHODS, st.sampled_from(["", "/a", "/a/b"]), st.booleans()), max_size=10)
ASKED = st.lists(
    st.tuples(
        st.sampled_from(["GET", "POST", "PUT", "HEAD"]),
        st.lists(
            st.sampled_from(["a", "b", "c", "7", "-7", "x%20y", "%C3%A9", "va.json", "a%2Fb", "a%252Fb", "", "."]),
            max_size=7,
        ),
        st.sampled_from(["", "/"]),
    ),
    min_size=1,
    max_size=8,
)


def matches(route: Route, target: str) -> bool:
    path, _, prefix, _ = route
    return compile_path(prefix + path)[0].match(unquote(target)) is not None


def parameters(route: Route) -> int:
    return route[0].count("{")


def answering(number: int) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> dict[str, Any]:
        return {"route": number, "params": {name: repr(value) for name, value in request.path_params.items()}}

    return endpoint


def beaten(routes: list[Route], target: str) -> frozenset[int]:
    """The numbers of the routes that other templates take a target from."""
    matching = [number for number, route in enumerate(routes) if matches(route, target)]
    fewest = min((parameters(routes[number]) for number in matching), default=0)
    return frozenset(number for number in matching if parameters(routes[number]) > fewest)


def build(routes: list[Route], *, indexed: bool, without: frozenset[int] = frozenset()) -> FastAPI:
    app = FastAPI(openapi_url=None)
    for number, (path, methods, prefix, included) in enumerate(routes):
        if number in without:
            continue
        if included:
            router = APIRouter()
            router.add_api_route(path, answering(number), methods=list(methods))
            app.include_router(router, prefix=prefix)
        else:
            app.add_api_route(prefix + path, answering(number), methods=list(methods))
    if indexed:
        app.router.middleware_stack = RouteIndex(app.router)
    return app


async def ask(app: Any, method: str, target: str, root_path: str = "") -> Answer:
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": root_path + unquote(target),
        "raw_path": target.encode(),
        "root_path": root_path,
        "query_string": b"",
        "headers": [(b"host", b"test")],
        "scheme": "http",
        "server": ("test", 80),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


@given(ROUTES, ASKED, st.sampled_from(["", "/root"]))
def test_the_same_route_the_same_parameters_the_same_refusal(
    routes: list[Route], asked: list[tuple[str, list[str], str]], root_path: str
) -> None:
    async def compare() -> None:
        indexed = build(routes, indexed=True)
        plain = functools.cache(lambda without: build(routes, indexed=False, without=without))
        targets = [(method, "/" + "/".join(parts) + slash) for method, parts, slash in asked]
        targets += [("GET", quote(prefix + path, safe="/%")) for path, _, prefix, _ in routes]
        for method, target in targets:
            expected = await ask(plain(beaten(routes, target)), method, target, root_path)
            found = await ask(indexed, method, target, root_path)
            allowed = [set(headers.pop("allow", "").split(", ")) for _, headers, _ in (expected, found)]
            assert found == expected
            assert allowed[0] <= allowed[1]

    asyncio.run(compare())


async def test_a_path_belongs_to_the_template_that_names_it_to_the_letter() -> None:
    app = build([("/a/{p}", {"GET", "DELETE"}, "", True), ("/a/b", {"POST"}, "", True)], indexed=True)
    assert b'"route":1' in (await ask(app, "POST", "/a/b"))[2]
    assert b'"route":0' in (await ask(app, "GET", "/a/c"))[2]
    status, headers, _ = await ask(app, "GET", "/a/b")
    assert (status, headers["allow"]) == (405, "POST")


async def test_a_mount_answers_what_a_route_before_it_does_not() -> None:
    inner = FastAPI()
    inner.add_api_route("/b", answering(1), methods=["POST"])
    app = FastAPI()
    app.add_api_route("/a/b", answering(2))
    app.mount("/a", inner)
    app.router.middleware_stack = RouteIndex(app.router)
    assert b'"route":1' in (await ask(app, "POST", "/a/b"))[2]


async def test_a_mount_that_comes_first_keeps_its_paths() -> None:
    inner = FastAPI()
    inner.add_api_route("/b", answering(1))
    app = FastAPI()
    app.mount("/a", inner)
    app.add_api_route("/a/b", answering(2))
    app.router.middleware_stack = RouteIndex(app.router)
    assert b'"route":1' in (await ask(app, "GET", "/a/b"))[2]


async def test_a_route_added_later_is_found() -> None:
    app = build([("/a", {"GET"}, "", True)], indexed=True)
    await ask(app, "GET", "/a")
    app.add_api_route("/b", answering(9))
    assert (await ask(app, "GET", "/b"))[0] == 200


async def test_a_wrong_method_is_told_all_methods_of_the_path() -> None:
    router = APIRouter()

    async def answer() -> None: ...

    for method in ("GET", "PUT"):
        router.add_api_route("/samples/{sample_id}", answer, methods=[method])
    router.add_api_route("/samples/{other}", answer, methods=["DELETE"])
    app = FastAPI()
    app.include_router(router)
    app.router.middleware_stack = RouteIndex(app.router)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        answers = [await client.request(method, "/samples/1") for method in ("POST", "OPTIONS", "HEAD", "ODD")]
        assert (await client.post("/nothing")).status_code == 404
    assert {(answer.status_code, answer.headers["allow"]) for answer in answers} == {(405, "DELETE, GET, PUT")}
