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
        ("{ get q() { return '/got' } }.q", "/got"),
        ("new (class { set p(v) {} get p() { return '/got' } })().p", "/got"),
        ("[...new Set(['/a', '/b']).add('/a')].join('')", "/a/b"),
        ("(() => { if (true) { var p = '/outer' } return p })()", "/outer"),
        ("'/ab'.replace(/(?<one>a)(b)/, '$2$<one>$$')", "/ba$"),
        ("new (class { get p() { return this.constructor_ ?? '/got' } })().p", "/got"),
    ],
)
def test_paths_are_computed(expression: str, path: str) -> None:
    assert paths({"app.js": f"const app = require('express')(); const path = ({expression}); app.get(path, h);"}) == {
        f"GET {path}"
    }


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        ("p.slice(0, -1)", "/{env_P}"),
        ("('/x' + p).substring(2)", "/{env_P}/"),
        ("p.slice(1, -1).split('/').join('-')", "/{env_P}"),
        ("'/x/' + p.split('/')[1]", "/x/{env_P}"),
        ("p.replace(/P/g, 'Q').toLowerCase()", "/{env_P}/"),
        ("'/x' + p.charAt(1)", "/x{env_P}"),
    ],
)
def test_what_is_not_known_of_a_text_is_not_cut(expression: str, path: str) -> None:
    program = f"const app = require('express')(); const p = `/${{process.env.P}}/`; app.get({expression}, h);"
    (route,) = report({"app.js": program}).routes
    assert (route.path.replace("process_", ""), bool(route.unresolved)) == (path, True)


@pytest.mark.parametrize(
    "statement",
    [
        "const a = 0xffffffffffffffffffffn, b = 1e999, c = 2 ** 70;",
        "require('fs').readdir(); let a; a += x.y; let iq; iq += [].at();",
        "require('glob').sync('*r*u*[z-a].js').forEach((file) => require(file)(app));",
        "const list = []; list.push(list); app.get(list, h); app.get('/' + list + list.flat(9), h);",
        "const o = {}; o.a = o.b = o.c = o.d = o; const _ = require('lodash'); _.cloneDeep(o); _.merge({ a: {} }, o);",
        "app.get('" + "\\\n".join([":a(" * 100] * 60) + "', h);",
        "let n = 1; for (let i = 0; i < 300; i++) { n = n + n; n *= n; } `${n}`;",
        "let t = 'a'; for (let i = 0; i < 300; i++) { t = t + t + `${t}` + [t, t].join(t).replace(/a/g, t); }",
        "let l = [1]; for (let i = 0; i < 30; i++) { l = [...l, ...l, l].concat(l); } l.flatMap((each) => l);",
    ],
)
def test_no_statement_costs_the_routes_beside_it(statement: str) -> None:
    program = f"const app = require('express')(); app.get('/x', h); {statement}\napp.get('/y', h);"
    found = report({"app.js": program})
    assert {"GET /x", "GET /y"} <= {route.key for route in found.routes}


@pytest.mark.parametrize(
    "text",
    [
        "export * from './b'; export const own = 1;",
        "import { A as B } from './b'; export class A extends B {}",
    ],
)
def test_modules_that_are_made_of_each_other_end(text: str) -> None:
    files = {
        "app.js": "import express from 'express'; import { A } from './a'; const app = express();\n"
        "app.get('/x', h); if (A.one) { app.get('/' + A.two, h); }",
        "a.js": text,
        "b.js": text.replace("./b", "./a"),
    }
    assert [route.path for route in report(files).routes if not route.unresolved] == ["/x"]


def test_files_are_found_by_patterns() -> None:
    files = {
        "app.js": "const app = require('express')();\n"
        "for (const file of require('glob').sync(__dirname + '/routes/**/[!_]*-r?ute*.+(js|mjs)')) require(file)(app);",
        **{
            f"routes/{name}": f"module.exports = (app) => app.get('/{name}', h);"
            for name in ("a-route.js", "deep/er/b-route2.mjs", "_c-route.js", "d.js")
        },
    }
    assert {route.path for route in report(files).routes if not route.unresolved} == {
        "/a-route.js",
        "/deep/er/b-route2.mjs",
    }


def test_paths_in_lists_may_be_imported() -> None:
    assert paths(
        {
            "app.js": "import express from 'express'; import { P } from './paths'; express().get([P.a, '/b'], h);",
            "paths.js": "export const P = { a: '/a' };",
        }
    ) == {"GET /a", "GET /b"}


def test_what_a_common_module_exports_can_be_imported_by_name_while_the_program_runs() -> None:
    assert paths(
        {
            "app.js": "const app = require('express')();"
            "(async () => { const { router } = await import('./r.js'); app.use('/r', router); })();",
            "r.js": "const r = require('express').Router(); r.get('/y', h); module.exports = { router: r };",
        }
    ) == {"GET /r/y"}


NAMES = st.sampled_from(["a", "b", "o", "f", "K", "app", "exports", "module", "undefined", "null", "this", "unknown"])
LITERALS = st.sampled_from(
    [
        *["'/x'", "-1", "1.5", "{}", "[a, b]", "[]", "/a(b)?/g", "`/${a}/b`", "new Map()", "new Set([1, '/a'])"],
        *["{ a, b: 1, ...o, [b]: 2, m() { return this }, get g() { return a } }", "(x, ...y) => [x, y]"],
        *["class extends K { static s = a; f = b; constructor(...z) { super(...z) } get g() { return super.g } }"],
        *[f"require('{name}')" for name in ("path", "fs", "lodash", "glob", "./b", "fastify", "koa-router")],
        *["require('express').Router()", "require('@nestjs/core')", "import('./b')", "Reflect", "Object", "String(a)"],
    ]
)
MEMBERS = st.sampled_from(
    [
        *["get", "post", "use", "all", "route", "routes", "prefix", "register", "listen", "default", "prototype"],
        *[
            "push",
            "pop",
            "slice",
            "splice",
            "flat",
            "map",
            "filter",
            "forEach",
            "some",
            "reduce",
            "includes",
            "indexOf",
        ],
        *[
            "join",
            "sort",
            "entries",
            "then",
            "split",
            "replace",
            "replaceAll",
            "substring",
            "match",
            "charAt",
            "repeat",
        ],
        *["length", "call", "apply", "bind", "set", "add", "sync", "readdirSync", "resolve", "dirname", "relative"],
        *["indexOf", "repeat", "assign", "create", "merge", "cloneDeep", "defineMetadata"],
    ]
)
EXPRESSIONS = st.recursive(
    NAMES | LITERALS.map("({})".format),
    lambda inner: st.one_of(
        st.builds("{}.{}({}, {})".format, inner, MEMBERS, inner, inner),
        st.builds("{}.{}(...{})".format, inner, MEMBERS, inner),
        st.builds("{}.{}".format, inner, MEMBERS),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "*", "%", "||", "&&", "===", "in"]), inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("new ({})({})".format, inner, inner),
        st.builds("({} {} {})".format, st.sampled_from(["a", "o.x", "o[b]", "[a, ...b]"]), st.just("="), inner),
        st.builds("({} {} {})".format, st.sampled_from(["a", "o.x"]), st.sampled_from(["+=", "-=", "??="]), inner),
    ),
    max_leaves=8,
)
STATEMENTS = st.recursive(
    EXPRESSIONS.map("{};".format),
    lambda inner: st.one_of(
        st.builds("if ({}) {{ {} }} else {{ {} }}".format, EXPRESSIONS, inner, inner),
        st.builds("for (const a of {}) {{ {} }}".format, EXPRESSIONS, inner),
        st.builds("for (let i = 0; {}; i++) {{ {} break; }}".format, EXPRESSIONS, inner),
        st.builds("function f(a, {{ b = 1, ...o }} = {{}}) {{ {} return {}; }}".format, inner, EXPRESSIONS),
        st.builds("class K extends {} {{ m(a) {{ {} }} }}".format, EXPRESSIONS, inner),
        st.builds("switch ({}) {{ case {}: {} }}".format, EXPRESSIONS, EXPRESSIONS, inner),
        st.builds("app.get({}, {});".format, EXPRESSIONS, EXPRESSIONS),
    ),
    max_leaves=3,
)


@given(st.lists(STATEMENTS, max_size=4).map("\n".join), EXPRESSIONS)
def test_any_valid_program_gives_a_report(text: str, exported: str) -> None:
    start = "const app = require('express')(); let a = '/p', b = [1, '/q'], o = { x: 1 };\n"
    report({"app.js": start + text, "b.js": f"export * from './app'; export const x = {exported};"})


def test_what_is_not_known_is_appended_with_its_name() -> None:
    (route,) = report(
        {"app.js": "const app = require('express')(); let p = '/a'; p += ['x'].includes(y); p += z.q; app.get(p, h);"}
    ).routes
    assert (route.path, bool(route.unresolved)) == ("/a{y}{z_q}", True)


def test_loops_that_do_nothing_end() -> None:
    loops = "for (let i = 0; i < 300; i++) " * 3
    found = report({"app.js": f"const app = require('express')(); app.get('/x', h);\n{loops} {{}}"})
    assert [route.key for route in found.routes] == ["GET /x"]
    assert [fault.message for fault in found.faults] == ["it takes too many steps to follow"]


def test_an_endless_computation_ends_and_costs_no_routes() -> None:
    endless = "for (;;) { work(); } function work() { for (const a of [1, 2, 3]) for (const b of [1, 2, 3]) work(); }"
    found = report(
        {"app.js": f"const app = require('express')(); app.get('/x', h); start(); function start() {{ {endless} }}"}
    )
    assert [route.key for route in found.routes] == ["GET /x"]
