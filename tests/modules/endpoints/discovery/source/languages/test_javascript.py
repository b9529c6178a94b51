import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.endpoints.discovery.source.languages.javascript.extract import extract
from tests.modules.endpoints.discovery.source.trees import paths, report

TREE = {
    "app.js": "const app = require('express')(); app.use('/a', require('./r')); app.get('/x', h);",
    "r.js": "const r = require('express').Router(); r.get('/y', h); module.exports = r;",
}
WORDS = st.sampled_from(
    [
        *"=(){}[];,.`$'\"/\\*?:<>@|&\n\u2028😀",
        "=>",
        "||",
        "...",
        "const",
        "app",
        "async",
        "function",
        "class",
        "get",
        "extends",
        "import",
        "export",
        "from",
        "default",
        "@Controller",
        "require",
        "'express'",
        "use",
        "super",
        "this",
    ]
)


@given(st.one_of(st.binary(), st.lists(WORDS).map(lambda words: " ".join(words).encode())))
@pytest.mark.parametrize("suffix", [".js", ".ts", ".tsx"])
def test_any_bytes_give_facts(suffix: str, text: bytes) -> None:
    facts = extract(text, suffix)
    assert orjson.loads(orjson.dumps(facts)) == facts


@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join)))
def test_any_program_is_followed_to_its_end(text: str) -> None:
    report({"app.js": "const express = require('express');\n" + text.encode(errors="replace").decode()})


def test_depth_is_bounded() -> None:
    deep = "(" * 5000 + "1" + ")" * 5000
    chain = "app" + ".use(x)" * 3000
    rings = "function f(n) { return g(n) } function g(n) { return f(n) } f(1); while (true) { f(2) }"
    found = report(
        {"app.js": f"const app = require('express')(); app.get('/x', h)\n{rings}\n{chain};\n{deep};" + "\n" * 200}
    )
    assert [route.key for route in found.routes] == ["GET /x"]


def test_the_order_of_files_and_the_name_of_the_folder_do_not_matter() -> None:
    assert paths(TREE) == paths(dict(reversed(TREE.items()))) == {"GET /a/y", "GET /x"}
    assert paths({f"deep/down/{path}": text for path, text in TREE.items()}) == {"GET /a/y", "GET /x"}


def test_a_syntax_error_costs_its_file_at_most_and_is_reported() -> None:
    found = report({**TREE, "broken.js": "const e = require('express'); e().get('/z', h);\nlet = = ;\n(("})
    assert {"GET /a/y", "GET /x"} <= {route.key for route in found.routes}
    assert [(fault.file, fault.line) for fault in found.faults] == [("broken.js", 2)]


def test_imports_in_a_ring_end() -> None:
    assert paths(
        {
            "a.js": "const b = require('./b'); const app = require('express')(); app.use(b.r); exports.app = app;",
            "b.js": "const a = require('./a'); const r = require('express').Router(); r.get('/x', a.h); exports.r = r;",
        }
    ) == {"GET /x"}


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        ("'/a' + '/' + 1", "/a/1"),
        ("`/${['a', 'b'].join('/')}`", "/a/b"),
        ("process.env.NOTHING || '/default'", "/default"),
        ("((p = '/q') => p)()", "/q"),
        ("'/A'.toLowerCase().replace('a', 'b')", "/b"),
        ("{ one: '/1' }['one']", "/1"),
        ("require('path').posix.join('/a', '../b')", "/b"),
        ("[1, 2].map((n) => '/' + n).find((s) => s !== '/1')", "/2"),
        ("Object.entries({ k: '/v' })[0][1]", "/v"),
        ("(() => { switch (2) { case 1: return '/1'; case 2: return '/2'; } })()", "/2"),
        ("(() => { let p = '/a'; p += '/b'; return p })()", "/a/b"),
        ("require('path').join.apply(null, ['/a', 'b'])", "/a/b"),
        ("new (class { get p() { return this.constructor_ ?? '/got' } })().p", "/got"),
    ],
)
def test_paths_are_computed(expression: str, path: str) -> None:
    assert paths({"app.js": f"const app = require('express')(); const path = ({expression}); app.get(path, h);"}) == {
        f"GET {path}"
    }


def test_what_is_not_known_is_appended_with_its_name() -> None:
    (route,) = report(
        {"app.js": "const app = require('express')(); let p = '/a'; p += ['x'].includes(y); p += z.q; app.get(p, h);"}
    ).routes
    assert (route.path, bool(route.unresolved)) == ("/a{y}{z_q}", True)


def test_an_endless_computation_ends_and_costs_no_routes() -> None:
    endless = "for (;;) { work(); } function work() { for (const a of [1, 2, 3]) for (const b of [1, 2, 3]) work(); }"
    found = report(
        {"app.js": f"const app = require('express')(); app.get('/x', h); start(); function start() {{ {endless} }}"}
    )
    assert [route.key for route in found.routes] == ["GET /x"]
