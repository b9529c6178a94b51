"""Values that go from the answer of one operation to the request of another."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.endpoints.discovery.captures import flows
from backend.app.modules.endpoints.discovery.captures.codec import flows_to_json, report_from_json, report_to_bytes
from backend.app.modules.endpoints.discovery.captures.model import CaptureReport
from tests.modules.endpoints.discovery.captures.build import API, exchange, read_har

ONE, TWO = "8f3a1c52-7f0e-4d0b-9a55-0c7d3f1e2b64", "0b7e2d91-5c1f-4a7e-8d3b-6f2a9c4e1d07"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.q8Zk2LmX9vB4tR7w"


def ways(report: CaptureReport) -> dict[tuple[str, str, str, str, str], tuple[int, float]]:
    return {
        (
            flow.producer.replace(API, ""),
            flow.field,
            flow.consumer.replace(API, ""),
            flow.location,
            flow.parameter,
        ): (flow.times, flow.share)
        for flow in report.flows
    }


def test_what_a_creation_answers_goes_to_the_paths_that_ask_for_it() -> None:
    report = read_har(
        exchange("POST", "/orders", status=201, body={"item": "a"}, answer={"order": {"id": ONE}, "ok": True}),
        exchange("GET", f"/orders/{ONE}", answer={"id": ONE, "ok": True}),
        exchange("POST", "/orders", status=201, body={"item": "a"}, answer={"order": {"id": TWO}, "ok": True}),
        exchange("GET", f"/orders/{TWO}", answer={"id": TWO, "ok": True}),
        exchange("GET", f"/orders/{TWO}", answer={"id": TWO, "ok": True}),
        exchange("DELETE", f"/orders/{ONE}", status=204),
    )
    made = "POST /orders", "/order/id"
    # What a GET only repeats of its own path it does not give.
    assert ways(report) == {
        (*made, "GET /orders/{order_id}", "path", "order_id"): (2, 1.0),
        (*made, "DELETE /orders/{order_id}", "path", "order_id"): (1, 1.0),
    }
    assert {flow.place for flow in report.flows} == {
        "/log/entries/0 -> /log/entries/1",
        "/log/entries/0 -> /log/entries/5",
    }
    assert report_from_json(orjson.loads(report_to_bytes(report))) == report


PLACES: list[tuple[dict[str, Any], str]] = [
    ({"answer": {"data": {"id": ONE}}}, "/data/id"),
    ({"answer": {"items": [{"n": 1, "a~b": TWO}, {"a~b": ONE}]}}, "/items/0/a~0b"),
    ({"answer": [{"id": TWO}, {"id": TWO}, {"id": TWO}, {"id": ONE}]}, "/0/id"),
    ({"answer": [TWO, ONE]}, "/0"),
    ({"answer_headers": {"Location": f"{API}/things/{ONE}?x=1"}}, "$response.header.location"),
    ({"answer_headers": {"ETag": f'W/"{ONE}"'}}, "$response.header.etag"),
    ({"answer_headers": {"Set-Cookie": f"sid={ONE}; Path=/"}}, "$response.header.set-cookie"),
]


@pytest.mark.parametrize(("answered", "field"), PLACES)
def test_places_of_answers(answered: dict[str, Any], field: str) -> None:
    report = read_har(exchange("POST", "/things", **answered), exchange("DELETE", f"/others/{ONE}"))
    assert ways(report) == {("POST /things", field, "DELETE /others/{other_id}", "path", "other_id"): (1, 1.0)}


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"url": f"/uses?thing={ONE}"}, ("query", "thing")),
        ({"url": f"/uses/{ONE}:cancel"}, ("path", "use_id")),
        ({"url": "/uses", "body": {"thing": {"ids": [ONE]}}}, ("body", "thing/ids/0")),
        ({"url": "/uses", "headers": {"X-Thing": ONE}}, ("header", "x-thing")),
        ({"url": "/uses", "headers": {"Authorization": f"Bearer {ONE}"}}, ("header", "authorization")),
        ({"url": "/uses", "headers": {"Cookie": f"a=b; sid={ONE}"}}, ("cookie", "sid")),
    ],
)
def test_places_of_requests(sent: dict[str, Any], place: tuple[str, str]) -> None:
    report = read_har(exchange("POST", "/things", answer={"id": ONE}), exchange("POST", **sent))
    ((_, field, _, *found),) = ways(report)
    assert (field, *found) == ("/id", *place)


@pytest.mark.parametrize(
    "value",
    [
        *(True, None, 1, 42, 12_345, 1.5, 123456.75, "en", "true", "active", "12345", "information"),
        *("2024-01-01", "2024-01-01T00:00:00Z", "10.12.13.14", "a long text with 8 words", "x" * 5000 + "1"),
    ],
)
def test_values_that_do_not_tell_go_nowhere(value: Any) -> None:
    report = read_har(
        exchange("POST", "/things", answer={"value": value}),
        exchange("POST", "/uses", body={"value": value}),
    )
    assert report.flows == ()


@pytest.mark.parametrize("value", [123_456, "123456", ONE, TOKEN, "01J9ZQ4T7M3N8P2R5S6V7W8X9Y", "cus_9s6XKzkNR"])
def test_values_that_tell(value: Any) -> None:
    report = read_har(
        exchange("POST", "/things", answer={"value": value}),
        exchange("POST", "/uses", body={"value": value}),
    )
    assert list(ways(report)) == [("POST /things", "/value", "POST /uses", "body", "value")]


def test_what_the_client_had_before_is_its_own() -> None:
    report = read_har(
        exchange("GET", "/me", headers={"X-Tenant": ONE}, answer={"tenant": ONE}),
        exchange("GET", "/config", answer={"tenant": ONE}),
        exchange("GET", "/users", headers={"X-Tenant": ONE}),
        exchange("PUT", f"/notes/{TWO}"),
        exchange("GET", "/notes", answer=[{"id": TWO}]),
        exchange("GET", f"/notes/{TWO}"),
    )
    assert report.flows == ()


def test_what_failed_gives_nothing() -> None:
    report = read_har(
        exchange("POST", "/orders", status=500, answer={"trace": ONE}), exchange("GET", f"/traces?id={ONE}")
    )
    assert report.flows == ()


def test_the_more_answers_held_a_value_the_less_each_gave_it() -> None:
    report = read_har(
        exchange("POST", "/orders", answer={"id": ONE}),
        exchange("GET", "/orders", answer=[{"id": ONE}]),
        exchange("GET", f"/orders/{ONE}"),
    )
    item = "GET /orders/{order_id}", "path", "order_id"
    assert ways(report) == {("POST /orders", "/id", *item): (1, 0.5), ("GET /orders", "/0/id", *item): (1, 0.5)}


def test_paths_that_are_found_to_be_one_are_counted_as_one() -> None:
    names = [f"plan9-{letter}{letter}{letter}{letter}" for letter in "abcdef"]
    entries = [exchange("POST", "/plans", answer={"slug": name, "n": 1}) for name in names]
    entries += [exchange("GET", f"/plans/{name}", answer={"slug": name, "title": "", "n": 1}) for name in names]
    entries += [exchange("DELETE", f"/plans/{name}", status=204) for name in names]
    made = "POST /plans", "/slug"
    assert ways(read_har(*entries)) == {
        (*made, "GET /plans/{plan_id}", "path", "plan_id"): (6, 1.0),
        (*made, "DELETE /plans/{plan_id}", "path", "plan_id"): (6, 1.0),
    }


def test_the_oldest_values_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "MOST_VALUES", 40)
    report = read_har(
        exchange("POST", "/old", answer={"id": ONE}),
        exchange("POST", "/kept", answer={"id": TWO}),
        *(exchange("GET", f"/uses?of={TWO}", answer=[100_000 + number]) for number in range(60)),
        exchange("DELETE", f"/things/{ONE}"),
        exchange("DELETE", f"/things/{TWO}"),
    )
    assert {way[0] for way in ways(report)} == {"POST /kept"}


secrets = st.one_of(
    st.uuids().map(str),
    st.integers(10**6, 10**12),
    st.text("0123456789abcdef", min_size=24, max_size=64),
    st.text("ABCdefXYZ0123456789_-", min_size=20, max_size=40),
)


@given(st.lists(secrets, min_size=1, max_size=6, unique_by=str), st.data())
def test_no_value_stands_in_what_is_told_of_flows(values: list[Any], data: st.DataObject) -> None:
    pick = st.sampled_from(values)
    entries = []
    for _ in range(6):
        value, other, key = data.draw(pick), data.draw(pick), str(data.draw(pick))
        entries += [
            exchange("POST", "/things", answer={"id": value, key: {"of": other}, "list": [{key: other}]}),
            exchange("PUT", f"/things/{other}?of={value}&{key}={value}", headers={"X-Of": key}, body={key: other}),
        ]
    report = read_har(*entries)
    told = orjson.dumps(flows_to_json(report.flows)).decode()
    assert not [value for value in values if str(value) in told]
