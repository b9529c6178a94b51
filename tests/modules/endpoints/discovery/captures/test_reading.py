"""Captures of HAR to operations: what is taken, what is left out, what is said of it."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec.codec import description_from_bytes, description_to_bytes
from backend.app.engine.spec.model import Operation, ParameterLocation, SecurityKind
from backend.app.modules.endpoints.discovery.captures.formats import formats
from backend.app.modules.endpoints.discovery.captures.model import CaptureError, CaptureLimits, CaptureReport
from backend.app.modules.endpoints.discovery.captures.reading import display_name, format_of, read_capture
from tests.modules.endpoints.discovery.captures.build import API, exchange, har, keys, read_har, reasons

UPLOADS = json.loads(Path("tests/data/uploads.json").read_text())["payloads"]


def only(report: CaptureReport) -> Operation:
    (captured,) = report.captured
    return captured.operation


def test_exchanges_on_one_template_are_one_operation_with_its_evidence() -> None:
    report = read_har(
        exchange(url="/users/1?page=1", answer={"id": 1, "name": "Ann"}),
        exchange(url="/users/2?page=2&sort=name", answer={"id": 2, "name": None}),
        exchange(url="/users/3?page=1", status=404, answer={"error": "none"}),
    )
    (captured,) = report.captured
    assert (captured.server, captured.exchanges, captured.statuses) == (API, 3, {200: 2, 404: 1})
    assert captured.places == ("/log/entries/0", "/log/entries/1", "/log/entries/2")
    operation = captured.operation
    assert operation.key == "GET /users/{user_id}"
    assert operation.pointer == "/log/entries/0"
    assert [(each.name, each.location, each.required) for each in operation.parameters] == [
        ("user_id", ParameterLocation.PATH, True),
        ("page", ParameterLocation.QUERY, True),
        ("sort", ParameterLocation.QUERY, False),
    ]
    assert operation.parameters[0].schema == {"type": "integer"}
    assert operation.parameters[0].examples == (1, 2, 3)
    assert [response.status for response in operation.responses] == ["200", "404"]
    (media,) = operation.responses[0].content
    assert media.content_type == "application/json"
    assert media.schema == {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "name": {"type": ["string", "null"]}},
        "required": ["id", "name"],
    }


def test_bodies_headers_and_credentials_are_described() -> None:
    headers = {"Authorization": "Bearer q8Zk2LmX9vB4tR7w", "X-Tenant": "t1", "User-Agent": "x", "Idempotency-Key": "k1"}
    report = read_har(
        exchange("POST", "/orders", status=201, body={"item": "a", "count": 1}, headers=headers),
        exchange("POST", "/orders", status=201, body={"item": "b"}, headers=headers),
    )
    operation = only(report)
    assert operation.body is not None
    assert operation.body.required
    assert operation.body.content[0].schema == {
        "type": "object",
        "properties": {"count": {"type": "integer"}, "item": {"type": "string"}},
        "required": ["item"],
    }
    assert [each.name for each in operation.parameters] == ["idempotency-key", "x-tenant"]
    assert operation.security == (("bearer",),)
    assert report.security_schemes["bearer"].kind is SecurityKind.BEARER


def test_credentials_that_only_some_needed_are_optional() -> None:
    report = read_har(exchange(headers={"X-API-Key": "k-12345678"}), exchange())
    assert only(report).security == ((), ("x-api-key",))
    assert not only(report).requires_auth


def test_what_a_document_names_is_no_value() -> None:
    """Three reports would be values of a parameter, and 2024 is one by its form."""
    reports = [
        exchange(url=f"/reports/{name}", answer={"rows": [], "of": name, "sum": 1})
        for name in ("daily", "weekly", "monthly", "2024")
    ]
    assert keys(read_har(*reports)) == ["GET /reports/{report_id}"]
    known = ("/reports/daily", "/reports/weekly", "/reports/2024", "/{other}/{thing}")
    assert keys(read_har(*reports, known=known)) == [
        "GET /reports/2024",
        "GET /reports/daily",
        "GET /reports/monthly",
        "GET /reports/weekly",
    ]
    items = [
        exchange(url=f"/collections/{name}/items/{number}", answer={"id": number, "geometry": None, "type": "x"})
        for name in ("lakes", "obs", "roads", "towns", "woods")
        for number in (1, 2)
    ]
    assert keys(read_har(*items)) == ["GET /collections/{collection_id}/items/{item_id}"]
    assert keys(read_har(*items, known=["/collections/lakes/items/{featureId}"])) == [
        "GET /collections/lakes/items/{item_id}",
        "GET /collections/{collection_id}/items/{item_id}",
    ]


def test_servers_are_kept_apart_and_the_busiest_is_the_first() -> None:
    report = read_har(exchange(url="https://cdn.test/a"), exchange(url="http://API.test:80/a"), exchange(url="/b"))
    description = report.description()
    assert description.servers == (API, "https://cdn.test")
    assert [(each.path, each.server) for each in description.operations] == [
        ("/a", None),
        ("/b", None),
        ("/a", "https://cdn.test"),
    ]
    assert description_from_bytes(description_to_bytes(description)) == description


def test_only_what_stands_below_the_base_url_is_taken() -> None:
    report = read_har(
        exchange(url="/v1/users"),
        exchange(url="/v10/users"),
        exchange(url="https://cdn.test/v1/x"),
        base_url=f"{API}/v1/",
    )
    assert keys(report) == ["GET /users"]
    assert report.captured[0].server == f"{API}/v1"
    assert reasons(report) == {"outside of the base URL": (2, "/log/entries/1")}


def test_what_is_left_out_is_counted_by_reason_with_the_first_place() -> None:
    preflight = exchange("OPTIONS", "/users", headers={"Access-Control-Request-Method": "PUT"})
    style = exchange(url="/app.css")
    style["response"]["content"] = {"mimeType": "text/css"}
    report = read_har(
        exchange(url="/users"),
        preflight,
        style,
        exchange(url="/other.js"),
        exchange(url="/blocked", status=0),
        exchange(url="/socket", status=101),
        exchange("PROPFIND", "/dav"),
        exchange(url="data://x/y"),
        exchange(url="http://[broken/"),
        exchange(url="/wp-login.php", status=404),
        exchange("HEAD", "/users"),
        {"request": {}},
    )
    assert keys(report) == ["GET /users"]
    assert (report.entries, report.taken) == (12, 1)
    assert reasons(report) == {
        "a CORS preflight": (1, "/log/entries/1"),
        "a static file": (2, "/log/entries/2"),
        "no answer came": (1, "/log/entries/4"),
        "a change of protocol, such as to a WebSocket": (1, "/log/entries/5"),
        "no method of HTTP": (1, "/log/entries/6"),
        "not HTTP": (1, "/log/entries/7"),
        "a URL that cannot be read": (1, "/log/entries/8"),
        "nothing was there: only 404, 405 or 501 came back": (1, "/log/entries/9"),
        "HEAD, OPTIONS or TRACE of a path that has other methods": (1, "/log/entries/10"),
        "no request with a method and a URL": (1, "/log/entries/11"),
    }


def test_a_file_that_ends_early_keeps_what_was_before() -> None:
    whole = har([exchange(url="/a"), exchange(url="/b"), exchange(url="/c")])
    report = read_capture(whole[: whole.rindex(b"/c")])
    assert keys(report) == ["GET /a", "GET /b"]
    assert reasons(report) == {"the rest of the file: it ends within a value": (1, "/log/entries/1")}


def test_a_broken_entry_costs_itself() -> None:
    broken = har([exchange(url="/a"), exchange(url="/b"), exchange(url="/c")]).replace(
        b'"http://api.test/b"', b"nothing"
    )
    report = read_capture(broken)
    assert keys(report) == ["GET /a", "GET /c"]
    assert reasons(report) == {"no JSON": (1, "/log/entries/1")}


def test_an_entry_over_the_limit_is_passed_over() -> None:
    report = read_har(
        exchange(url="/a"), exchange(url="/b", answer="x" * 3_000_000), exchange(url="/c"),
        limits=CaptureLimits(entry_bytes=1_000_000),
    )  # fmt: skip
    assert keys(report) == ["GET /a", "GET /c"]
    assert reasons(report) == {"larger than an entry may be": (1, "/log/entries/1")}


def test_many_paths_are_templated_on_the_way() -> None:
    entries = (
        exchange(url=f"/tags/{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]}x", answer={"id": n, "n": 1, "m": 2})
        for n in range(100)
    )
    report = read_har(*entries, limits=CaptureLimits(paths=20))
    assert keys(report) == ["GET /tags/{tag_id}"]
    assert report.captured[0].exchanges == 100


def test_paths_over_the_limit_are_left_out_and_counted() -> None:
    report = read_har(
        *(exchange(url=f"/r{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]}/list") for n in range(30)),
        limits=CaptureLimits(paths=10),
    )
    assert len(report.captured) == 10
    assert reasons(report)["more than 10 different paths"][0] == 20


def test_bodies_with_ever_other_names_are_described_in_bounded_memory() -> None:
    words = [one + two for one in "abcdefghijklm" for two in "nopqrstuvwxyz"]
    entries = [
        exchange(url=f"http://{word}.test/list", answer={other: {word: 1} for other in words[:50]})
        for word in words[:100]
    ]
    report = read_har(*entries, limits=CaptureLimits(shapes=500))
    assert len(report.captured) == 100
    assert len(description_to_bytes(report.description())) < 100_000
    first = report.captured[0].operation.responses[0].content[0].schema
    assert not isinstance(first, bool)
    assert "properties" in first
    last = report.captured[-1].operation.responses[0].content[0].schema
    assert not isinstance(last, bool)
    assert "additionalProperties" in last


def test_progress_is_told_and_what_it_raises_ends_the_reading(tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    file = tmp_path / "big.har"
    file.write_bytes(har(exchange(url="/a", answer="x" * 50_000) for _ in range(60)))
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if len(told) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_capture(file, progress=progress)
    assert 0 < told[0][0] < told[1][0] < told[1][1] == file.stat().st_size


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "capture.unknown_format"),
        (b"openapi: 3.1.0", "capture.unknown_format"),
        (b"<html></html>", "capture.unknown_format"),
        (b"PK\x03\x04 no archive", "capture.bad_archive"),
        (b'{"log": {"entries": [' + "é".encode("latin-1") + b"]}}", "capture.not_utf8"),
    ],
)
def test_what_is_no_capture_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(CaptureError) as raised:
        read_capture(content)
    assert raised.value.code == code


def test_a_capture_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(CaptureError) as raised:
        read_har(exchange(), limits=CaptureLimits(bytes=10))
    assert raised.value.code == "capture.too_large"


@pytest.mark.parametrize("case", [each for each in UPLOADS if each["kind"] == "file name"], ids=lambda each: each["id"])
def test_names_of_files_are_only_shown(case: dict[str, str]) -> None:
    name = read_har(exchange(), name=case["value"]).name
    assert name == name.strip() != ""
    assert name.isprintable()
    assert not {"/", "\\"} & set(name)
    assert len(name.encode()) <= 255


@pytest.mark.parametrize(
    ("case", "content", "code"),
    [
        ("uploads-033", b"\x89PNG\r\n\x1a\n" + bytes(50), "capture.unknown_format"),
        ("uploads-038", har([exchange()] * 20), "capture.too_large"),
        ("uploads-047", har([exchange(answer="?")]).replace(b"?", b"\xe9", 1), "capture.not_utf8"),
        ("uploads-048", b"\0\0\0\0{}", "capture.unknown_format"),
    ],
)
def test_contents_that_are_not_what_they_say_are_refused(case: str, content: bytes, code: str) -> None:
    assert case in {each["id"] for each in UPLOADS if each["kind"] == "content"}
    with pytest.raises(CaptureError) as raised:
        read_capture(content, name="x.har", limits=CaptureLimits(bytes=2_000))
    assert raised.value.code == code
    if code == "capture.not_utf8":
        assert raised.value.where == f"byte {content.index(0xE9)}"


def test_a_name_keeps_what_can_be_read_of_it() -> None:
    assert display_name("C:\\captures\\shop\u202e.har") == "shop.har"
    assert display_name("..") == ".."
    assert display_name("\0") == "capture"


@given(st.binary(max_size=300), st.sampled_from(["", *formats.names()]))
def test_no_bytes_crash_a_reader(noise: bytes, kind: str) -> None:
    starts = {
        "har": b'{"log": {"entries": [{"request": {"method": "GET", "url": "http://a/b"}}, ',
        "postman": b'{"info": {"_postman_id": 1}, "item": [{"request": ',
        "insomnia": b'{"__export_format": 4, "resources": [{"_type": "request", ',
        "bruno": b"meta {\n}\nget {\n  url: /a\n",
        "curl": b"curl http://a/b -d ",
        "access-log": b'1.1.1.1 - - [x] "GET /a HTTP/1.1" 200 1\n' * 20,
    }
    content = starts.get(kind, b"") + noise
    assert format_of(content) == kind or not kind or b"\0" in noise
    with contextlib.suppress(CaptureError):
        description_to_bytes(read_capture(content).description())


@given(st.integers(0, 2**32))
def test_the_order_of_entries_changes_no_operation(seed: int) -> None:
    import random

    entries = [
        exchange(url=f"/users/{name}?a={n}", answer={"id": n, "name": name, "x": 1})
        for n, name in enumerate(["ann", "bob", "7", "me"])
    ]
    shuffled = list(entries)
    random.Random(seed).shuffle(shuffled)

    def shown(report: CaptureReport) -> list[tuple[str, object, object]]:
        return [(each.operation.key, each.operation.parameters, each.operation.responses) for each in report.captured]

    assert shown(read_har(*entries)) == shown(read_har(*shuffled))


def test_a_name_that_was_only_refused_is_a_value_beside_values() -> None:
    entries = [exchange(url=f"/users/{name}", answer={"id": 1, "name": "a", "mail": "b"}) for name in ("1", "2")]
    report = read_har(*entries, exchange(url="/users/ann", status=403), exchange(url="/users/export"))
    assert keys(report) == ["GET /users/export", "GET /users/{user_id}"]


def test_items_whose_deletion_answers_with_an_empty_page_are_values() -> None:
    page = {"Content-Type": "text/html; charset=utf-8"}
    entries = [exchange("DELETE", f"/profiles/{name}", status=204, answer_headers=page) for name in ("mk3", "voron")]
    assert keys(read_har(*entries)) == ["DELETE /profiles/{profile_id}"]


def test_a_picture_that_is_asked_for_with_parameters_is_no_static_file() -> None:
    report = read_har(
        exchange(url="/tiles/7/65/47.png?url=a.tif"), exchange(url="/logo.png"), exchange(url="/logo.png?v=17")
    )
    assert keys(report) == ["GET /tiles/{tile_id}/{id}/{id_2}"]
    assert reasons(report)["a static file"][0] == 2
