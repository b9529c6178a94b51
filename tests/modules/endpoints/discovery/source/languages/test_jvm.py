import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.endpoints.discovery.source.languages.jvm.extract import extract
from backend.app.modules.endpoints.discovery.source.tree import scan_files

PIECES = [
    "@RestController",
    "class",
    "A",
    "{",
    '@GetMapping("/a")',
    "fun",
    "a()",
    "=",
    "1",
    "}\n",
    "package",
    "x;",
    "import",
    "a.b.*;",
    "record",
    "R(int",
    "a)",
    "{}",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    '"',
    "'",
    "\\",
    "$",
    "${",
    "/*",
    "*/",
    "//",
    "\n",
    ",",
    ";",
    ":",
    "::",
    "=",
    "->",
    "@",
    "@A",
    "@interface",
    "enum",
    "object",
    "companion",
    "by",
    "where",
    "fun",
    "val",
    "var",
    '"""',
    "é",
    "\x00",
]

FILES = {
    "src/main/java/shop/Shop.java": b"""package shop;
@RestController @RequestMapping(Root.PATH) class Shop implements Api { @GetMapping("/own") String own() { return ""; } }
""",
    "src/main/kotlin/shop/Api.kt": b"""package shop
interface Api { @PostMapping("/api") fun api(): String }
@Controller
class Pages { @GetMapping(Root.PATH) fun page() = "page" }
""",
    "src/main/java/shop/Root.java": b'package shop; class Root { static final String PATH = "/top"; }',
}
KEYS = {"GET /top/own", "POST /top/api", "GET /top"}


@pytest.mark.parametrize("suffix", [".java", ".kt"])
@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES)).map(lambda each: " ".join(each).encode())))
def test_extract_never_raises_and_gives_json(suffix: str, text: bytes) -> None:
    orjson.dumps(extract(text, suffix))


@pytest.mark.parametrize("opening", [b"(", b"{", b"[", b'"a" + ', b"a.b(", b"() -> {", b"@A(", b"List<"])
@pytest.mark.parametrize("suffix", [".java", ".kt"])
def test_deep_nesting_is_cut_off(suffix: str, opening: bytes) -> None:
    text = b"class A { String b = " + opening * 20_000 + b"; }"
    orjson.dumps(extract(text, suffix))


@given(st.randoms(use_true_random=False), st.sampled_from(["", "back/", "a/b c/"]))
def test_neither_order_nor_place_of_files_matters(chance: random.Random, root: str) -> None:
    paths = list(FILES)
    chance.shuffle(paths)
    report = scan_files({root + path: FILES[path] for path in paths})
    assert {route.key for route in report.routes} == KEYS
    assert {route.file for route in report.routes} == {root + path for path in paths if "Root" not in path}


def test_a_syntax_error_leaves_the_routes_of_other_files() -> None:
    report = scan_files({**FILES, "src/main/java/shop/Broken.java": b"@RestController class { ]]] @GetMapping("})
    assert {route.key for route in report.routes} == KEYS
    assert [fault.file for fault in report.faults] == ["src/main/java/shop/Broken.java"]


def test_kotlin_that_the_grammar_does_not_know_is_read() -> None:
    text = b'''package shop
@RestController
@RequestMapping("/a")
class Odd {
    @param:Value($$"${server.port}") private val port: String? = null
    fun first(): Int = if (port == null) { 1 } else try { 2 } finally { }
    // fun in a comment = {
    @PutMapping("/b")
    fun second(
        @RequestBody values: Map<
            @Pattern(regexp = "a")
            String,
            @Valid Thing,
        >,
    ) { values.forEach { (key, value) -> println("}$key") } }
    fun third(): Int
        = 3
    @GetMapping("/c") fun `fourth {`() = """ } """
    private val dynamic: Int = 1
    @PostMapping("/d")
    fun suspend(@PathVariable id: Long) = 2
}
class Second {
    interface Inner { @GetMapping("/inner") fun inner(): String }
}
@RestController
class Third : Second.Inner
'''
    report = scan_files({"src/main/kotlin/shop/Odd.kt": text})
    assert {route.key: route.line for route in report.routes} == {
        "PUT /a/b": 8,
        "GET /a/c": 18,
        "POST /a/d": 20,
        "GET /inner": 24,
    }


def test_folders_below_a_source_root_are_packages() -> None:
    shop = FILES["src/main/kotlin/shop/Api.kt"].replace(b"Root.PATH", b'"/page"')
    report = scan_files(
        {
            "src/main/kotlin/com/example/demo/docs/Api.kt": shop,
            "demo/src/main/kotlin/com/example/Api.kt": shop,
            "src/test/kotlin/com/example/Api.kt": shop,
        }
    )
    assert [route.file for route in report.routes] == ["src/main/kotlin/com/example/demo/docs/Api.kt"]
    assert report.left_out == {"documentation and examples": 1, "tests": 1}
