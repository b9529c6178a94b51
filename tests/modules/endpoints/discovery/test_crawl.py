"""The strategy `crawl`, with functions and dicts in place of the network."""

from collections.abc import Sequence

import orjson
import pytest

from backend.app.engine.http import Answer, Outcome, Request
from backend.app.engine.spec.model import Operation
from backend.app.modules.endpoints.discovery import Discovered, NothingDiscovered, Subject, strategies
from tests.support.catch_alls import CATCH_ALLS
from tests.support.discovery import Web, tools_of
from tests.support.routers import HTML, JSON

BASE = "http://api.test"


def html(text: str) -> Answer:
    return Answer(200, HTML, text.encode())


def json(value: object) -> Answer:
    return Answer(200, JSON, orjson.dumps(value))


def site(pages: dict[str, Answer]) -> Web:
    web = Web(otherwise=lambda request: Answer(404, HTML, b"<h1>Not Found</h1>"))
    web.pages = {f"{BASE}{path}": answer for path, answer in pages.items()}
    return web


async def look(web: Web, base: str = BASE, known: Sequence[str] = ()) -> Discovered:
    subject = Subject(base, known=[Operation("GET", path) for path in known])
    (found,) = await strategies.get("crawl").look(subject, tools_of(web))
    assert {request.method for request in web.requests} <= {"GET"}
    return found


def alive(found: Discovered) -> set[str]:
    return {key for key, evidence in found.evidence.items() if evidence.alive}


def named(found: Discovered) -> set[str]:
    return {key for key, evidence in found.evidence.items() if evidence.alive is None}


async def test_links_of_pages_json_and_headers_are_followed() -> None:
    users = [{"id": n, "name": f"u{n}", "url": f"{BASE}/users/{n}"} for n in range(1, 10)]
    web = site(
        {
            "/": html('<a href="users?page=1#top">users</a><a href="https://elsewhere.test/x">away</a>'),
            "/users?page=1": json({"results": users, "next": "/users?page=2"}),
            "/health": json({"status": "up"}),
            "/orders": Answer(
                200, (*JSON, ("Link", '</orders/archive>; rel="archive"')), b'{"_links": {"up": "/health"}}'
            ),
            "/orders/archive": json({"orders": []}),
        }
        | {
            f"/users/{n}": json({"id": n, "name": f"u{n}", "_links": {"orders": {"href": "/orders"}}})
            for n in range(1, 10)
        }
    )
    found = await look(web)
    assert alive(found) == {
        "GET /",
        "GET /users",
        "GET /users/{user_id}",
        "GET /health",
        "GET /orders",
        "GET /orders/archive",
    }
    assert found.evidence["GET /health"].places == ("GET /health answered 200",)
    assert sum("/users/" in url and "zq" not in url for url in web.fetched) == 5, "of many alike a few are asked for"
    user = next(each for each in found.description.operations if each.path == "/users/{user_id}")
    assert user.parameters[0].schema == {"type": "integer"}
    assert user.responses[0].content[0].schema["properties"]["name"] == {"type": "string"}  # type: ignore[index]


async def test_forms_that_send_something_are_told_and_not_sent() -> None:
    page = """<form action="/search"><input name="q"></form>
    <form action="/users" method="post"><input name="name"><input type="hidden" name="csrf_token" value="s3cr3tv4lue">
    <input type="submit" name="go"></form><form method="post" action="https://elsewhere.test/pay"></form>
    <button hx-delete="/users/7">x</button>"""
    found = await look(site({"/": html(page), "/search?q=": json({"hits": []})}))
    assert alive(found) == {"GET /", "GET /search"}
    assert named(found) == {"POST /users", "DELETE /users/{user_id}"}
    post = next(each for each in found.description.operations if each.method == "POST")
    assert post.body is not None
    assert set(post.body.content[0].schema["properties"]) >= {"name"}  # type: ignore[index]
    assert "s3cr3tv4lue" not in repr(found)
    assert found.evidence["POST /users"].places == ("form at /",)


async def test_scripts_tell_what_they_call() -> None:
    script = """
    export const list = () => fetch("/api/users");
    const one = id => axios.get(`/api/users/${id}`), drop = id => axios.delete("/api/users/" + id + "/avatar");
    fetch(`${API_URL}/reports/${report.id}`, {method: "POST", body});
    const route = "/api/hidden"; const page = "/somewhere/else"; import("./chunk-2.js");
    """
    web = site(
        {
            "/": html('<script type="module" src="/assets/app.js"></script>'),
            "/assets/app.js": Answer(200, (("Content-Type", "text/javascript"),), script.encode()),
            "/api/users": json([]),
            "/api/hidden": json({"secret": True}),
        }
    )
    found = await look(web)
    assert alive(found) == {"GET /", "GET /api/users", "GET /api/hidden"}
    assert named(found) == {"GET /api/users/{id}", "DELETE /api/users/{id}/avatar", "POST /reports/{id}"}
    assert found.evidence["POST /reports/{id}"].unresolved == "the prefix API_URL is not known"
    assert found.evidence["GET /api/users/{id}"].places == ("GET in /assets/app.js",)


async def test_relative_calls_of_a_script_are_relative_to_its_page() -> None:
    script = """
    $.ajax({headers: {Accept: "application/json"}, cache: !1, url: "flows", success: e => { f({url: "no"}) }});
    $.ajax({url: "flows", type: "POST", data: JSON.stringify(d)}); $.getJSON("../up/" + name + "/state");
    axios({"method": "delete", "url": `nodes/${node.id}`}); fetch("./settings/user"); menu.get("words");
    """
    web = site(
        {
            "/": html('<a href="/admin/editor/">editor</a>'),
            "/admin/editor/": html('<script src="../static/js/app.js"></script><script>fetch("inline")</script>'),
            "/admin/static/js/app.js": Answer(200, (("Content-Type", "text/javascript"),), script.encode()),
            "/admin/editor/flows": json([]),
            "/admin/editor/settings/user": json({}),
            "/admin/editor/inline": json({"a": 1}),
        }
    )
    found = await look(web)
    answered = {"GET /", "GET /admin/editor/flows", "GET /admin/editor/settings/user", "GET /admin/editor/inline"}
    assert alive(found) == answered | {"GET /admin/editor/"}
    assert named(found) == {
        "POST /admin/editor/flows",
        "GET /admin/up/{name}/state",
        "DELETE /admin/editor/nodes/{id}",
    }
    assert not any("words" in url or url.endswith("/no") for url in web.fetched)


async def test_what_may_act_on_get_and_what_robots_txt_forbids_is_left_alone() -> None:
    page = "".join(f'<a href="{path}">x</a>' for path in ("/logout", "/users/1/delete", "/private/a", "/private/open"))
    robots = b"User-agent: *\nDisallow: /private\nAllow: /private/open\n"
    web = site({"/": html(page), "/robots.txt": Answer(200, (), robots), "/private/open": json({"a": 1})})
    found = await look(web)
    assert alive(found) == {"GET /", "GET /private/open"}
    assert not [url for url in web.fetched if "logout" in url or "delete" in url or url.endswith("/private/a")]
    assert any("1 links were left alone" in fault.message for fault in found.description.faults)


async def test_a_redirect_to_the_same_path_with_a_slash_is_no_endpoint_of_its_own() -> None:
    redirect = Answer(301, (("Location", "/users/"),))
    found = await look(site({"/": html('<a href="/users">users</a>'), "/users": redirect, "/users/": json([])}))
    assert alive(found) == {"GET /", "GET /users/"}


async def test_a_failing_robots_txt_forbids_everything() -> None:
    """RFC 9309, 2.3.1.4."""
    web = site({"/": html("hello"), "/robots.txt": Answer(503, ())})
    found = await look(web)
    assert found.evidence == {}
    assert web.fetched == [f"{BASE}/robots.txt"]
    assert any("nothing is crawled" in fault.message for fault in found.description.faults)


async def test_what_stands_beside_the_base_is_not_followed_but_its_scripts_are() -> None:
    web = site(
        {
            "/": html('<a href="/blog">blog</a><a href="/api/things">things</a><script>fetch("/api/more")</script>'),
            "/blog": html("a blog"),
            "/api/things": json({"things": []}),
            "/api/more": json({"more": []}),
        }
    )
    found = await look(web, f"{BASE}/api")
    assert alive(found) == {"GET /things", "GET /more"}
    assert found.description.servers == (f"{BASE}/api",)
    assert f"{BASE}/blog" not in web.fetched


@pytest.mark.parametrize("name", CATCH_ALLS)
async def test_nothing_is_invented_on_a_server_without_endpoints(name: str) -> None:
    web = Web(otherwise=CATCH_ALLS[name]())
    web.pages[f"{BASE}/robots.txt"] = Answer(404, ())
    found = await look(web)
    # Of a server that has nothing but what is below a prefix, its own first page is there.
    assert alive(found) <= {"GET /"}
    assert "GET /" not in alive(found) or name == "below a prefix"
    assert len(web.requests) <= 402


async def test_a_server_that_only_asks_for_fewer_requests_told_nothing() -> None:
    with pytest.raises(NothingDiscovered) as caught:
        await look(Web(otherwise=lambda request: Answer(429, ())))
    assert caught.value.code == "discovery.throttled"


async def test_calls_of_scripts_without_end_are_bounded() -> None:
    def page(request: Request) -> Answer:
        if "zq" in request.url or "robots" in request.url:
            return Answer(404, HTML, b"no")
        at = request.url.rpartition("/")[2] or "0"
        calls = "".join(f"fetch('/api/w{at}x{n}/do', {{method: 'POST'}});" for n in range(1_000))
        return html(f'<a href="/p{len(web.requests)}">next</a><script>{calls}</script>')

    web = Web(otherwise=page)
    found = await look(web)
    assert len(named(found)) <= 2_000
    assert any("are left out after 2000" in fault.message for fault in found.description.faults)


async def test_a_trap_of_links_without_end_is_bounded() -> None:
    def trap(request: Request) -> Answer:
        if "zq" in request.url or "robots" in request.url:
            return Answer(404, HTML, b"no")
        deeper, size = f"{request.url.rstrip('/')}/a", len(request.url)
        return html(f'<p>{size}</p><a href="{deeper}">deeper</a><a href="?x={size}">again</a>')

    web = Web(otherwise=trap)
    await look(web)
    assert len(web.requests) < 60


async def test_a_server_that_is_away_is_an_error() -> None:
    with pytest.raises(NothingDiscovered) as caught:
        await look(Web(down=Outcome.CONNECT_FAILED))
    assert caught.value.code == "discovery.connect_failed"


async def test_what_a_document_names_is_no_value() -> None:
    names = ("daily", "weekly", "monthly", "yearly")
    pages = {f"/reports/{name}": json({"of": name, "rows": [], "sum": 0}) for name in names}
    web = site({"/": json([f"/reports/{name}" for name in names]), **pages})
    web.pages[f"{BASE}/"] = html("".join(f'<a href="/reports/{name}">x</a>' for name in names))
    assert "GET /reports/{report_id}" in alive(await look(web))
    found = await look(web, known=["/reports/daily", "/reports/weekly"])
    assert {"GET /reports/daily", "GET /reports/weekly"} <= alive(found)
