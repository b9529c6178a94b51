"""Robots, links, calls in scripts, samples: the parts that strategies share, on plain values."""

import itertools
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.engine.spec.model import Operation, Parameter, ParameterLocation
from backend.app.modules.endpoints.discovery.live.asking import Asker, Limits
from backend.app.modules.endpoints.discovery.live.baseline import (
    Sample,
    Samples,
    allowed_methods,
    random_word,
    sample_of,
)
from backend.app.modules.endpoints.discovery.live.findings import words_of
from backend.app.modules.endpoints.discovery.live.instances import instance_of, split_at_last_literal
from backend.app.modules.endpoints.discovery.live.links import links_of
from backend.app.modules.endpoints.discovery.live.listings import listed_in
from backend.app.modules.endpoints.discovery.live.robots import parse_robots, robots_of
from backend.app.modules.endpoints.discovery.live.scripts import CLIENT_BASE, Call, calls_in
from backend.app.modules.endpoints.discovery.live.wordlists import detect
from tests.support.discovery import Web, tools_of

URL = "http://api.test/a/b"


def exchange(url: str, status: int, body: str, *headers: tuple[str, str]) -> Exchange:
    return Exchange(Request("GET", url), Outcome.ANSWERED, Timing(0), Answer(status, headers, body.encode()))


def sample(url: str, status: int, body: str, *headers: tuple[str, str]) -> Sample:
    found = sample_of(exchange(url, status, body, *headers))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("User-agent: *\nDisallow: /", "/x", False),
        ("User-agent: *\nDisallow:", "/x", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),
        ("User-agent: *\nDisallow: /*.php$", "/x.php", False),
        ("User-agent: *\nDisallow: /*.php$", "/x.php?y", True),
        ("User-agent: *\nDisallow: /a*c", "/abbbcd", False),
        ("User-agent: *\nDisallow: /f%6fo", "/foo", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: Touchstone\nDisallow: /private", "/x", True),
        ("user-agent: touchstone\nuser-agent: other\ndisallow: /x # why\n\nuser-agent: *\nallow: /", "/x", False),
        ("User-agent: touchstone\nAllow: /\n\nUser-agent: touchstone\nDisallow: /b", "/b", False),
        ("User-agent: other\nDisallow: /", "/x", True),
        ("Disallow: /", "/x", True),
        ("\ufeffUser-agent: *\nDisallow: /x", "/x", False),
    ],
)  # fmt: skip
def test_robots_txt_is_read_as_rfc_9309_says(rules: str, path: str, allowed: bool) -> None:
    assert parse_robots(rules.encode()).allow(path) is allowed


@pytest.mark.parametrize(("status", "allowed"), [(404, True), (401, True), (500, False), (503, False)])
def test_without_rules_all_is_allowed_unless_the_server_fails(status: int, allowed: bool) -> None:
    assert robots_of(status, b"User-agent: *\nDisallow: /x").allow("/x") is allowed


@given(st.binary(max_size=300), st.text(max_size=50))
def test_no_robots_txt_is_an_error(body: bytes, path: str) -> None:
    parse_robots(b"user-agent: *\ndisallow: " + body).allow(f"/{path}")


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ('fetch("/api/a")', Call("GET", "/api/a")),
        ("fetch('/api/a?x=1', {headers: h, method: 'PUT'})", Call("PUT", "/api/a")),
        ("await fetch(`/api/a/${user.id}/b`)", Call("GET", "/api/a/{id}/b")),
        ("fetch(`/api/a/${encodeURIComponent(name)}`)", Call("GET", "/api/a/{name}")),
        ("fetch(`/api/a${query}`)", Call("GET", "/api/a")),
        ('axios.post("/a/" + id + "/b", body)', Call("POST", "/a/{id}/b", CLIENT_BASE)),
        ("http.delete<void>(`/v1/a/${this.id}`)", Call("DELETE", "/v1/a/{id}")),
        ('$.get("/a")', Call("GET", "/a")),
        ('x.open("patch", "/a/b")', Call("PATCH", "/a/b")),
        ('$.ajax({type: "x", url: "/a/b", method: "POST"})', Call("POST", "/a/b")),
        ('$.ajax({type: "json", url: "a/b", data: {url: "/no"}, method: "put"})', Call("PUT", "a/b")),
        ('request({method: "DELETE", path: "/a/b"})', Call("DELETE", "/a/b")),
        ("fetch(`${BASE}/a/${id}`)", Call("GET", "/a/{id}", "the prefix BASE is not known")),
        ('api.get("https:\\/\\/api.test\\/x")', Call("GET", "https://api.test/x")),
    ],
)
def test_a_call_in_a_script_is_known_by_its_shape(code: str, call: Call) -> None:
    assert [each for each in calls_in(code) if not each.hint] == [call]


@pytest.mark.parametrize(
    "code",
    [
        'import("/assets/chunk.js")',
        'fetch("/logo.svg")',
        'map.get("key")',
        "fetch(url)",
        'get("/a b/c")',
        "fetch(`/a-${x}-b/${y}z`)",
        'element.innerHTML = "</div>"',
        'menu.get("editor")',
        'request("name")',
        '$.ajax({success: function () { return {url: "/no"} }, data: 1})',
    ],
)
def test_other_texts_are_no_calls(code: str) -> None:
    assert [each for each in calls_in(code) if not each.hint] == []


@given(st.text(alphabet="fetch(`/\"'${}a.get,)+ \\\n", max_size=200))
def test_no_script_is_an_error(code: str) -> None:
    calls_in(code)


def test_calls_in_a_long_line_without_an_end_take_no_time() -> None:
    calls_in('fetch("/' * 50_000)
    calls_in("{url:" * 50_000)
    calls_in("ajax({" * 50_000)


def test_links_of_json_are_those_under_names_of_links() -> None:
    body = '{"next": "/p?page=2", "image": "/no", "html_url": "http://h/u", "_links": {"x": {"href": "y"}, "z": "/z"}}'
    answer = Answer(200, (("Content-Type", "application/hal+json"),), body.encode())
    assert links_of(answer, URL).pages == ("http://api.test/p?page=2", "http://h/u", "http://api.test/z")


def test_links_of_a_page_stand_against_its_base() -> None:
    page = (
        '<base href="/app/"><a href="x"></a><a href="mailto:a@b.c"></a><a href="javascript:f()"></a><a href=" ../y ">'
    )
    answer = Answer(200, (("Content-Type", "text/html; charset=utf-8"),), page.encode())
    assert links_of(answer, URL).pages == ("http://api.test/app/x", "http://api.test/y")


def test_routes_that_spring_boot_lists_are_taken() -> None:
    def mapping(methods: list[str], *patterns: str) -> dict[str, object]:
        return {"details": {"requestMappingConditions": {"methods": methods, "patterns": list(patterns)}}}

    servlets = [
        mapping(["GET"], "/users", "/people"),
        mapping(["DELETE"], "/users/{id:[0-9]{1,9}}"),
        mapping([], "/error"),
    ]
    body = {"contexts": {"app": {"mappings": {"dispatcherServlets": {"dispatcherServlet": servlets}}}}}
    answer = Answer(200, (), orjson.dumps(body))
    wanted = [("GET", "/people"), ("GET", "/users"), ("DELETE", "/users/{id}")]
    assert listed_in(answer, "/actuator/mappings") == wanted
    assert listed_in(answer, "/users") == []


def test_routes_that_wordpress_lists_are_taken() -> None:
    body = {
        "namespaces": ["wp/v2"],
        "routes": {
            "/wp/v2/posts": {"methods": ["GET", "POST"]},
            "/wp/v2/posts/(?P<parent>[\\d]+)/revisions/(?P<id>[\\d]+)": {"methods": ["GET"]},
            '/wp/v2/templates/(?P<id>([^\\/:<>\\*\\?"\\|]+(?:\\/[^x]+)?))': {"methods": ["GET"]},
        },
    }
    assert listed_in(Answer(200, (), orjson.dumps(body)), "/wp-json/")[:3] == [
        ("GET", "/wp-json/wp/v2/posts"),
        ("POST", "/wp-json/wp/v2/posts"),
        ("GET", "/wp-json/wp/v2/posts/{parent}/revisions/{id}"),
    ]


_texts = st.text(max_size=5)
_values = st.lists(_texts, max_size=3) | st.dictionaries(
    _texts, st.none() | _texts | st.lists(_texts, max_size=2), max_size=3
)


@given(_values | st.dictionaries(_texts, _values, max_size=3))
def test_no_list_is_an_error(value: object) -> None:
    body = orjson.dumps({"contexts": value, "routes": value, "namespaces": [], "requestMappingConditions": value})
    for path in ("/actuator/mappings", "/wp-json/"):
        listed_in(Answer(200, (), body), path)


@given(st.binary(max_size=400))
def test_no_page_is_an_error(body: bytes) -> None:
    for kind in ("text/html", "application/json", "text/javascript", ""):
        links_of(Answer(200, (("Content-Type", kind), ("Link", "<x>; rel=next")), b"<a href='//[" + body), URL)


def test_what_repeats_the_request_makes_no_difference() -> None:
    samples = Samples([sample(f"{URL}/{word}", 404, f"Nothing at /a/b/{word}!") for word in ("zqone", "zqtwo")])
    same = sample(f"{URL}/orders", 404, "Nothing at /a/b/orders!")
    assert samples.resemble(same)
    assert samples.equal(same)
    assert not samples.resemble(sample(f"{URL}/orders", 404, "No such order"))
    assert not samples.resemble(sample(f"{URL}/orders", 200, "Nothing at /a/b/orders!"))


def test_how_much_samples_differ_says_what_a_difference_means() -> None:
    quiet = Samples(
        [sample(URL, 200, "welcome to the shop of shops"), sample(URL, 200, "welcome to the shop of shops")]
    )
    loud = Samples([sample(URL, 200, "one tip for you today"), sample(URL, 200, "another hint by our team")])
    other = sample(URL, 200, "something else entirely")
    assert not quiet.resemble(other)
    assert loud.resemble(other)


def test_an_answer_with_other_headers_is_not_the_same() -> None:
    samples = Samples([sample(URL, 404, "no", ("Date", str(n))) for n in range(2)])
    assert samples.equal(sample(URL, 404, "no", ("Date", "x"), ("ETag", "y")))
    assert not samples.equal(sample(URL, 404, "no", ("X-Handler", "users")))


@pytest.mark.parametrize(
    ("path", "around"),
    [
        ("/users", ("", "")),
        ("/users/{id}", ("", "/1")),
        ("/a/users/{id}/orders", ("/a/users/1", "")),
        ("/a/users/{id}/orders/{n}/", ("/a/users/1", "/7/")),
        ("/{tenant}/{id}", ("/1/1", "")),
        ("/", ("", "")),
    ],
)
def test_unknown_routes_are_looked_for_around_the_last_literal(path: str, around: tuple[str, str]) -> None:
    seven = Parameter("n", ParameterLocation.PATH, True, {"type": "integer", "minimum": 7})
    instance = instance_of(path, [Operation("GET", path, parameters=(seven,))])
    assert split_at_last_literal(path, instance) == around


def test_random_words_are_the_same_again_and_differ_from_each_other() -> None:
    assert random_word("a") == random_word("a")
    assert len({random_word(str(n)) for n in range(200)}) > 195


@pytest.mark.parametrize(
    ("headers", "body", "framework"),
    [
        ((("Server", "Werkzeug/3"),), "", "flask"),
        ((("X-Powered-By", "Express"),), "", "express"),
        ((("Set-Cookie", "csrftoken=1; Path=/"),), "", "django"),
        ((), '{"message":"Route GET:/x not found","error":"Not Found"}', "fastify"),
        ((), "<h1>Whitelabel Error Page</h1>", "spring"),
        ((), "404 page not found\n", "go"),
        ((), "hello", None),
    ],
)
def test_frameworks_show(headers: tuple[tuple[str, str], ...], body: str, framework: str | None) -> None:
    assert detect([exchange(URL, 404, body, *headers)]) == ([framework] if framework else [])


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(requests=3), "stopped after 3 requests, which is the limit"),
        (Limits(seconds=25.0), "stopped after 25 s, which is the limit"),
        (Limits(bytes=2_500_000), "stopped after 3 requests: over 2 MiB were read"),
    ],
)
async def test_asking_ends_at_its_limits_and_says_so(limits: Limits, why: str) -> None:
    web = Web(otherwise=lambda request: Answer(200, (), b"x" * 1_000_000))
    asker = Asker(tools_of(web), limits, "asking", clock=itertools.count(0.0, 10.0).__next__)
    while await asker.ask("GET", URL) is not None:
        assert len(web.requests) <= 3
    assert (asker.stopped, len(web.requests) <= 3) == (why, True)


@pytest.mark.parametrize("sign", ['\\"', "'\\", '"/a"', "{url:"])
def test_scripts_are_read_in_a_time_linear_in_them(sign: str) -> None:
    started = time.process_time()
    calls_in(sign * (600_000 // len(sign)))
    assert time.process_time() - started < 2


def test_of_allow_only_names_of_methods_are_kept() -> None:
    names = "get, POST, \x1b[31mEVIL, ," + ",".join(f"X{'Y' * n}" for n in range(200))
    asked = exchange("http://api.test/a", 405, "", ("Allow", names))
    assert {"GET", "POST"} <= allowed_methods(asked)
    assert len(allowed_methods(asked)) <= 30
    assert words_of(asked).isprintable()
