from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.generate.requests import (
    Credentials,
    Inputs,
    RequestBuilder,
    UnsupportedBodyError,
    body_media_type,
    cookie_pairs,
    encode_body,
    header_text,
    path_text,
    query_pairs,
)
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    SecurityKind,
    SecurityScheme,
)

PATH, QUERY, HEADER, COOKIE, QUERYSTRING = ParameterLocation
COLOURS = ["blue", "black"]
RGB = {"R": 100, "G": 200}


@pytest.mark.parametrize(
    ("style", "explode", "value", "expected"),
    [
        ("simple", False, "blue", "blue"),
        ("simple", False, COLOURS, "blue,black"),
        ("simple", False, RGB, "R,100,G,200"),
        ("simple", True, RGB, "R=100,G=200"),
        ("label", False, "blue", ".blue"),
        ("label", False, COLOURS, ".blue,black"),
        ("label", True, COLOURS, ".blue.black"),
        ("label", False, RGB, ".R,100,G,200"),
        ("label", True, RGB, ".R=100.G=200"),
        ("matrix", False, "blue", ";color=blue"),
        ("matrix", False, COLOURS, ";color=blue,black"),
        ("matrix", True, COLOURS, ";color=blue;color=black"),
        ("matrix", False, RGB, ";color=R,100,G,200"),
        ("matrix", True, RGB, ";R=100;G=200"),
        ("simple", False, "..", "%2E%2E"),
        ("simple", False, "a/b c", "a%2Fb%20c"),
        ("simple", False, True, "true"),
    ],
)
def test_path_styles(style: str, explode: bool, value: Any, expected: str) -> None:
    """The table of OpenAPI 3.1, 4.8.12.4."""
    assert path_text(Parameter("color", PATH, True, True, style, explode), value) == expected


@pytest.mark.parametrize(
    ("style", "explode", "value", "expected"),
    [
        ("form", True, "blue", "color=blue"),
        ("form", True, COLOURS, "color=blue&color=black"),
        ("form", False, COLOURS, "color=blue,black"),
        ("form", True, RGB, "R=100&G=200"),
        ("form", False, RGB, "color=R,100,G,200"),
        ("spaceDelimited", False, COLOURS, "color=blue%20black"),
        ("pipeDelimited", False, COLOURS, "color=blue%7Cblack"),
        ("pipeDelimited", False, RGB, "color=R%7C100%7CG%7C200"),
        ("deepObject", True, RGB, "color%5BR%5D=100&color%5BG%5D=200"),
        ("form", True, "a&b=c+d", "color=a%26b%3Dc%2Bd"),
    ],
)
def test_query_styles(style: str, explode: bool, value: Any, expected: str) -> None:
    assert "&".join(query_pairs(Parameter("color", QUERY, False, True, style, explode), value)) == expected


def test_header_and_cookie_styles() -> None:
    assert header_text(Parameter("X-Color", HEADER, False, True, "simple"), COLOURS) == "blue,black"
    assert header_text(Parameter("X-Color", HEADER, False, True, "simple", True), RGB) == "R=100,G=200"
    assert cookie_pairs(Parameter("color", COOKIE, False, True, "form"), "a;b") == ["color=a%3Bb"]
    filtered = Parameter("filter", QUERY, content_type="application/json")
    assert query_pairs(filtered, {"a": 1}) == ["filter=%7B%22a%22%3A1%7D"]


@pytest.mark.parametrize(
    ("content_type", "value", "expected"),
    [
        ("application/x-www-form-urlencoded", {"foo": "a + b", "bar": True}, "foo=a%20%2B%20b&bar=true"),
        (
            "application/json",
            {"numbers": [1, 2], "flag": None},
            "%7B%22numbers%22%3A%5B1%2C2%5D%2C%22flag%22%3Anull%7D",
        ),
        ("application/jsonpath", "$.a.b[1:1]", "%24.a.b%5B1%3A1%5D"),
    ],
)
def test_a_querystring_is_the_query_as_a_whole(content_type: str, value: Any, expected: str) -> None:
    """The examples of OpenAPI 3.2.0, "Parameter Object Examples"."""
    parameter = Parameter("anything", QUERYSTRING, content_type=content_type)
    operation = Operation("GET", "/foo", parameters=(parameter,))
    builder = RequestBuilder(ApiDescription("", "", ""), "https://example.com", Credentials(query=(("key", "k"),)))
    request = builder.build(operation, Inputs({(QUERYSTRING, "anything"): value}))
    assert request.url == f"https://example.com/foo?{expected}&key=k"


def test_a_fragment_of_a_path_is_not_sent() -> None:
    operation = Operation("POST", "/graphql#query.user", parameters=(Parameter("id", QUERY, style="form"),))
    builder = RequestBuilder(ApiDescription("", "", ""), "https://example.com/api")
    assert builder.build(operation, Inputs({(QUERY, "id"): "a#b"})).url == "https://example.com/api/graphql?id=a%23b"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [("application/jsonl", b'1\n{"a":2}\n'), ("application/geo+json-seq", b'\x1e1\n\x1e{"a":2}\n')],
)
def test_a_sequence_is_written_item_by_item(content_type: str, expected: bytes) -> None:
    assert encode_body(content_type, [1, {"a": 2}]) == (content_type, expected)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXT)
def test_a_path_segment_reads_back_equal(text: str) -> None:
    segment = path_text(Parameter("id", PATH, True, True, "simple"), text)
    assert unquote(segment) == text
    assert not set(segment) & set("/?#. ") - {"."}
    assert segment not in (".", "..")


@given(st.dictionaries(TEXT, st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=3))
def test_query_arrays_read_back_equal(values: dict[str, list[str]]) -> None:
    pairs = [
        pair
        for name, items in values.items()
        for pair in query_pairs(Parameter(name, QUERY, style="form", explode=True), items)
    ]
    assert parse_qs("&".join(pairs), keep_blank_values=True) == values


@given(st.dictionaries(TEXT, TEXT, max_size=4))
def test_forms_and_multipart_read_back_equal(values: dict[str, str]) -> None:
    content_type, body = encode_body("application/x-www-form-urlencoded", values)
    assert dict(parse_qsl(body.decode(), keep_blank_values=True)) == values
    content_type, body = encode_body("multipart/form-data", values)
    if values:
        message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=policy.HTTP)
        parts = [part.get_payload(decode=True) for part in message.iter_parts()]
        assert [part.decode() for part in parts if isinstance(part, bytes)] == list(values.values())


def test_multipart_files_have_a_name() -> None:
    content_type, body = encode_body("multipart/form-data", {"photo": "abc", "meta": {"a": 1}}, frozenset({"photo"}))
    assert b'name="photo"; filename="photo.bin"\r\nContent-Type: application/octet-stream\r\n\r\nabc\r\n' in body
    assert b'name="meta"\r\nContent-Type: application/json\r\n\r\n{"a":1}' in body
    assert encode_body("multipart/form-data", {"photo": "abc"})[0] == content_type.split(";")[0] + (
        "; boundary=" + encode_body("multipart/form-data", {"photo": "abc"})[0].partition("boundary=")[2]
    )


def test_big_integers_are_written_as_they_are() -> None:
    assert encode_body("application/json", {"n": 2**70})[1] == b'{"n":1180591620717411303424}'


def test_json_is_preferred_and_xml_alone_is_unsupported() -> None:
    def with_types(required: bool, *names: str) -> Operation:
        return Operation("POST", "/", body=RequestBody(required, tuple(MediaType(name) for name in names)))

    chosen = body_media_type(with_types(True, "application/xml", "text/plain", "application/vnd.x+json"))
    assert chosen is not None
    assert chosen.content_type == "application/vnd.x+json"
    assert body_media_type(with_types(False, "application/xml")) is None
    with pytest.raises(UnsupportedBodyError, match="application/xml"):
        body_media_type(with_types(True, "application/xml"))


OPERATION = Operation(
    "POST",
    "/users/{id}",
    parameters=(
        Parameter("id", PATH, True, True, "simple"),
        Parameter("api_key", QUERY, True, True, "form", True),
        Parameter("X-Trace", HEADER, False, True, "simple"),
        Parameter("Authorization", HEADER, False, True, "simple"),
    ),
    body=RequestBody(True, (MediaType("application/json"),)),
)
KEY = SecurityScheme("key", SecurityKind.API_KEY, QUERY, "api_key")
DESCRIPTION = ApiDescription("t", "1", "openapi-3.1", ("https://api.example.com/v1",), (OPERATION,), {}, {"key": KEY})


def test_a_whole_request() -> None:
    credentials = Credentials((("Authorization", "Bearer t"),), (("api_key", "a b"),), (("sid", "1"),))
    builder = RequestBuilder(DESCRIPTION, "http://localhost:8000/v1/", credentials, (("X-Own", "1"),))
    inputs = Inputs({(PATH, "id"): "ä", (HEADER, "X-Trace"): "z"}, {"a": None}, "application/json")
    request = builder.build(OPERATION, inputs)
    assert request.url == "http://localhost:8000/v1/users/%C3%A4?api_key=a%20b"
    assert dict(request.headers) == {
        "Accept": "*/*",
        "X-Trace": "z",
        "Content-Type": "application/json",
        "X-Own": "1",
        "Authorization": "Bearer t",
        "Cookie": "sid=1",
    }
    assert orjson.loads(request.body or b"") == {"a": None}
    bare = builder.build(OPERATION, inputs, credentials=False)
    assert urlsplit(bare.url).query == ""
    assert {"Authorization", "Cookie"}.isdisjoint(dict(bare.headers))


def test_parameters_that_carry_credentials_are_not_generated() -> None:
    builder = RequestBuilder(DESCRIPTION, "http://localhost")
    assert [parameter.name for parameter in builder.parameters(OPERATION)] == ["id", "X-Trace"]


@pytest.mark.parametrize(
    ("server", "url"),
    [
        (None, "http://localhost:8000/v1/x"),
        ("/v2", "http://localhost:8000/v2/x"),
        ("https://api.example.com/v2/", "http://localhost:8000/v2/x"),
    ],
)
def test_servers_of_operations_stay_on_the_target(server: str | None, url: str) -> None:
    builder = RequestBuilder(DESCRIPTION, "http://localhost:8000/v1")
    operation = Operation("GET", "/x", server=server)
    assert not builder.is_elsewhere(operation)
    assert builder.build(operation, Inputs()).url == url
    assert builder.is_elsewhere(Operation("GET", "/x", server="https://elsewhere.example.com"))
