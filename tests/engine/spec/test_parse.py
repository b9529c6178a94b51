import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec import parse
from backend.app.engine.spec.limits import DocumentLimits
from backend.app.engine.spec.model import Fault, SpecError
from backend.app.engine.spec.parse import parse_document

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def refusal(data: bytes, limits: DocumentLimits | None = None) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse_document(data, limits or DocumentLimits())
    return caught.value


@given(st.dictionaries(TEXT, JSON_VALUES))
def test_json_reads_as_the_standard_library_reads_it(document: dict[str, Any]) -> None:
    assert parse_document(json.dumps(document).encode()) == document
    assert parse_document(json.dumps(document, ensure_ascii=False, indent=1).encode()) == document


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("16:9", "16:9"),
        ("2020-01-01", "2020-01-01"),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-12", -12),
        ("1.", 1.0),
        ("1.2.3", "1.2.3"),
        ("~", None),
        ("", None),
        ("Null", None),
        ("TRUE", True),
        ("'true'", "true"),
        ('"200"', "200"),
        ("!!str 200", "200"),
        ("!!int 200", 200),
        ("!!float 200", 200.0),
        ("18446744073709551616", 18446744073709551616.0),
        ("-9223372036854775808", -(2**63)),
        ("010", 10),
        ("0o8", "0o8"),
        ("+1", 1),
        ("-0x1F", "-0x1F"),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("!!float .INF", math.inf),
        (".iNF", ".iNF"),
        ("1e", "1e"),
        ("nULL", "nULL"),
        ("y", "y"),
        ("=", "="),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("1:30:00", "1:30:00"),
    ],
)
def test_yaml_scalars_follow_the_core_schema_of_1_2(written: str, read: Any) -> None:
    value = parse_document(f"a: {written}".encode())["a"]
    assert value == read
    assert type(value) is type(read)


def test_what_is_no_number_is_read_as_that() -> None:
    assert math.isnan(parse_document(b"a: .NaN")["a"])


@pytest.mark.parametrize(
    "character", ["\x7f", "\x80", "\x85", "\x9f", "\xa0", "\u2028", "\u2029", "\uffff", "\U0001f600"]
)
@pytest.mark.parametrize("template", ['a: "x%sy"', "a: x%sy", "a: 'x%sy'", "a: |-\n  x%sy", "{a: x%sy}"])
def test_characters_that_yaml_1_1_knew_otherwise_stay_in_their_texts(template: str, character: str) -> None:
    assert parse_document((template % character).encode()) == {"a": f"x{character}y"}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a: 1\n\t\nb: 2\n", {"a": 1, "b": 2}),
        ("a:\n  b: x\n\t \t\n\n\t\n  c: 2\n", {"a": {"b": "x", "c": 2}}),
        ('a: "x"\n\t# note\nb: 2', {"a": "x", "b": 2}),
        ("a: [\n\t1\n]\nb: 1\t# note", {"a": [1], "b": 1}),
        ("a:\n-\tb\n", {"a": ["b"]}),
        ("a: |-\n  \t\n  x\n  \ty\nb: >-\n\n  \tx", {"a": "\t\nx\n\ty", "b": "\n\tx"}),
        ("a:\n  - b: >-\n      \t\n      x\n      y\n  - |\n   \tz", {"a": [{"b": "\t\nx y"}, "\tz"]}),
    ],
)
def test_tabs_are_read_where_they_do_not_indent(text: str, read: Any) -> None:
    assert parse_document(text.encode()) == read


def test_yaml_keys_are_text_as_written() -> None:
    assert list(parse_document(b"200: a\nNO: b\n1.0: c\nnull: d\n0x10: e")) == ["200", "NO", "1.0", "null", "0x10"]


def test_aliases_and_merge_keys() -> None:
    document = parse_document(b"base: &b {a: 1, b: 2}\none: {<<: *b, b: 3}\ntwo:\n  <<: [*b, {c: 4}]\nthree: *b\n")
    assert document["one"] == {"a": 1, "b": 3}
    assert document["two"] == {"a": 1, "b": 2, "c": 4}
    assert document["three"] == document["base"]
    assert parse_document(b"a: {'<<': 1}") == {"a": {"<<": 1}}


@pytest.mark.parametrize(
    "data", [b'\xef\xbb\xbf{"a": 1}', b"\xef\xbb\xbfa: 1", b"a:\t1", b"{a: 1}", b'{"a": 1,}', b"---\na: 1\n"]
)
def test_what_people_write_is_read(data: bytes) -> None:
    assert parse_document(data) == {"a": 1}


@pytest.mark.parametrize(
    ("data", "code", "where"),
    [
        (b"a: 1\nb: 2\na: 3", "spec.duplicate_key", "line 3, column 1"),
        (b'{"a": 1,\n"a": 2,}', "spec.duplicate_key", "line 2, column 1"),
        (b"a:\n\tb: 1", "spec.syntax", "line 2, column 1"),
        (b'{"a": 1\n "b": 2}', "spec.syntax", "line 2, column 2"),
        (b'{"a": [1, 2', "spec.syntax", "line 1, column 12"),
        (b"a: *b", "spec.syntax", "line 1, column 4"),
        (b"a: !thing 1", "spec.bad_tag", "line 1, column 4"),
        (b"a: !!timestamp 2020-01-01", "spec.bad_tag", "line 1, column 4"),
        (b"a: !!int x", "spec.syntax", "line 1, column 4"),
        (b'{"a":\n -Infinity}', "spec.bad_number", "line 2"),
        (b'{"a":\n ' + b"1" * 5_000 + b"}", "spec.bad_number", "line 2"),
        (b'a: "\\0"', "spec.bad_text", "line 1, column 4"),
        (b'{"a": "\\u0000"}', "spec.bad_text", "line 1, column 7"),
        (b"? [a]\n: 1", "spec.bad_key", "line 1, column 3"),
        (b"a: 1\n---\nb: 2", "spec.several_documents", "line 2, column 1"),
        (b"a: \xff", "spec.not_utf8", "line 1"),
        ("a: 1".encode("utf-16"), "spec.not_utf8", "line 1"),
        (b" \n", "spec.empty", ""),
        (b"hello", "spec.not_a_mapping", "line 1"),
        (b"\n[1, 2]", "spec.not_a_mapping", "line 2"),
        (b"<!doctype html><title>API</title>", "spec.not_json_or_yaml", "line 1"),
        (b'{"ab": 1, "abc', "spec.syntax", "line 1, column 11"),
        (b'{"a": "' + rb"\\\ud800" + b'"}', "spec.bad_text", "line 1, column 7"),
        (b"%TAG !a! tag:a\n%TAG !b! tag:b\n" * 60 + b"--- a", "spec.syntax", "line 101"),
    ],
)
def test_a_refusal_names_the_reason_and_the_place(data: bytes, code: str, where: str) -> None:
    error = refusal(data)
    assert (error.code, error.where) == (code, where)


@pytest.mark.parametrize(
    "text",
    [
        "type Query {\n  hello: String\n}",
        '# ours\n"""\nThe "roots".\n"""\nschema { query: Q }',
        '"one" extend type Query @key(fields: "id")',
        "scalar Date",
        "directive @x on OBJECT",
    ],
)
def test_of_a_graphql_schema_it_is_said_what_to_hand_in_instead(text: str) -> None:
    error = refusal(text.encode())
    assert error.code == "spec.not_json_or_yaml"
    assert "introspection query as JSON" in error.message


@pytest.mark.parametrize("text", ["type: x", "schema : 1", "enum  : [a]", "type\t: 1", '"a": 1', "# a\ninterface: {}"])
def test_names_of_members_are_no_graphql(text: str) -> None:
    assert parse_document(text.encode())


@pytest.mark.parametrize("data", [b'{"a": [[[1]]]}', b"a: [[[1]]]", b"a:\n  - - - 1\n", b"x: &x [[[1]]]\na: *x"])
def test_depth_is_counted(data: bytes) -> None:
    parse_document(data, DocumentLimits(depth=4))
    assert refusal(data, DocumentLimits(depth=3)).code == "spec.too_deep"


@pytest.mark.parametrize("data", [b'{"a": [1, 2, 3]}', b"a: [1, 2, 3]", b"a: &x [1]\nb: *x"])
def test_values_are_counted(data: bytes) -> None:
    parse_document(data, DocumentLimits(nodes=5))
    assert refusal(data, DocumentLimits(nodes=3)).code == "spec.too_many_nodes"


def test_commas_in_texts_are_not_values() -> None:
    assert parse_document(b'{"a": "' + b"[,{" * 100 + b'"}', DocumentLimits(nodes=5))


def test_aliases_are_counted() -> None:
    data = b"x: &x 1\na: [" + b"*x," * 10 + b"]"
    parse_document(data, DocumentLimits(aliases=10))
    assert refusal(data, DocumentLimits(aliases=9)).code == "spec.too_many_aliases"


def test_an_alias_that_brings_depth_is_counted() -> None:
    lines = "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 300))
    assert refusal(f"a0: &a0 [1]\n{lines}".encode()).code == "spec.too_deep"


@given(st.binary(max_size=60) | st.text("{}[]:,&*!?-'\"\\ \n\tab01<|>#%@u", max_size=60).map(str.encode))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(SpecError):
        json.dumps(parse_document(data))


def test_a_document_past_the_size_is_refused_at_the_line_that_passes_it() -> None:
    error = refusal(b"a: 1\nb: 2\nc: 3\n", DocumentLimits(bytes=11))
    assert (error.code, error.where) == ("spec.too_large", "line 3")


def test_long_json_with_a_fault_is_not_read_as_yaml_too() -> None:
    padding = b'"' + b"x" * (1 << 20) + b'"'
    assert parse_document(b"{a: 1, b: 2,}") == {"a": 1, "b": 2}
    error = refusal(b'{"a": ' + padding + b',\n"b": 2,}')
    assert (error.code, error.where) == ("spec.syntax", "line 2, column 8")


@given(st.lists(st.sampled_from(["\\ud83d", "\\uDE00", "\\u0041", "\\\\", "\\u0000", "u", "d83d", "\\n"]), max_size=8))
def test_whole_surrogate_pairs_are_text_and_halves_are_refused(parts: list[str]) -> None:
    text = f'{{"a": "{"".join(parts)}"}}'
    value = json.loads(text)["a"]
    whole = "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if whole:
        assert parse_document(text.encode()) == {"a": value}
    else:
        assert refusal(text.encode()).code == "spec.bad_text"


def test_commas_in_texts_cost_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def scan(*_: Any) -> None:
        raise AssertionError("the slow scan of the tokens was begun")

    monkeypatch.setattr(parse, "_scan_json", scan)
    document = {"a": "[,{" * 100, "b": ["\U0001f600"]}
    assert parse_document(json.dumps(document).encode(), DocumentLimits(nodes=5)) == document


def read(data: str) -> tuple[dict[str, Any], list[Fault]]:
    faults: list[Fault] = []
    return parse_document(data.encode(), faults=faults), faults


@pytest.mark.parametrize(
    ("text", "pointer", "places", "held"),
    [
        ('{"a": 1,\n"b": {"c": 1, "c": 2}}', "/b/c", "line 2, column 15 overrides line 2, column 7", "held 1"),
        ('{"\\u0061": "x", "a": 2}', "/a", "line 1, column 17 overrides line 1, column 2", 'held "x"'),
        ('{"a" : 1, "b": "\\":", "a":2}', "/a", "line 1, column 23 overrides line 1, column 2", "held 1"),
        ('{"a": 1, "b": ":", "a": ":\\":"}', "/a", "line 1, column 20 overrides line 1, column 2", "held 1"),
        (
            '{"a": [{}, {"/b~": {},\n"/b~": 1}]}',
            "/a/1/~1b~0",
            "line 2, column 1 overrides line 1, column 13",
            "held {}",
        ),
        ('{"a": [1, [2]], "a": 9}', "/a", "line 1, column 17 overrides line 1, column 2", "held a list"),
        ('{"a": {"b": {"c": 1}, "d": 2}, "a": 9}', "/a", "line 1, column 32 overrides", "held 'b', 'd'"),
        ('{"a": ' + "9" * 30 + ', "a": 9}', "/a", "line 1, column 39 overrides", "held 9999"),
    ],
)
def test_of_members_of_one_name_the_last_counts_and_the_others_are_told(
    text: str, pointer: str, places: str, held: str
) -> None:
    document, (fault,) = read(text)
    assert document == json.loads(text)
    assert fault.pointer == pointer
    assert places in fault.message
    assert fault.message.partition(", which ")[2].startswith(held)


def test_of_many_overridden_members_those_nearest_to_the_root_are_told() -> None:
    twice = ", ".join(f'"n{i}": 1, "n{i}": 2' for i in range(60))
    members = ", ".join(f'"m{i}": {{}}' for i in range(12))
    _, faults = read(f'{{"a": {{"b": {{{twice}}}}}, "c": {{{members}}}, "c": 1}}')
    assert len(faults) == 51
    assert (faults[0].pointer, faults[-2].pointer, faults[-1].pointer) == ("/a/b/n0", "/c", "")
    assert faults[-2].message.endswith("held 'm0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9' and 2 others")
    assert "more than 50" in faults[-1].message


NAMES = st.sampled_from(["a", "b", '":', "\u00e9\\"])
PAIRS: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([1, None, "x", '":', "{,}"]),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=4).map(tuple),
    max_leaves=12,
)


def written(value: Any) -> tuple[str, int]:
    """JSON with objects made of pairs, and how many of their members are overridden."""
    if isinstance(value, list):
        parts = [written(item) for item in value]
        return f"[{', '.join(text for text, _ in parts)}]", sum(count for _, count in parts)
    if not isinstance(value, tuple):
        return json.dumps(value), 0
    parts = [written(item) for _, item in value]
    text = ", ".join(f"{json.dumps(name)}: {part}" for (name, _), (part, _) in zip(value, parts, strict=True))
    own = len(value) - len({name for name, _ in value})
    return f"{{{text}}}", own + sum(count for _, count in parts)


@given(st.lists(st.tuples(NAMES, PAIRS), max_size=4).map(tuple))
def test_every_overridden_member_is_told_whatever_the_texts_look_like(pairs: Any) -> None:
    text, count = written(pairs)
    document, faults = read(text)
    assert document == json.loads(text)
    assert len(faults) == count
