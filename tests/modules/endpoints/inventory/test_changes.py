from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec.codec import WrittenOnce
from backend.app.engine.spec.model import (
    ApiDescription,
    Fault,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    Schema,
)
from backend.app.modules.endpoints.discovery import Evidence, Kind
from backend.app.modules.endpoints.inventory.changes import (
    Before,
    Changes,
    Found,
    Known,
    altered_definitions,
    compare,
    content_digest,
    report_of,
    storable,
)
from backend.app.modules.endpoints.inventory.reconcile import Claim, Endpoint, EndpointState


def described(
    *operations: Operation, faults: tuple[Fault, ...] = (), definitions: Mapping[str, Schema] | None = None
) -> ApiDescription:
    return ApiDescription("t", "1", "openapi-3.1", (), operations, definitions or {}, faults=faults)


def endpoint(operation: Operation) -> Endpoint:
    claim = Claim("openapi", Kind.DOCUMENT, "openapi-3.1", "request", Evidence(), operation)
    return Endpoint(
        f"id of {operation.key} {operation.server or ''}".strip(), operation.method, operation.path, {"openapi": claim}
    )


def found(*operations: Operation, state: EndpointState = EndpointState.ACTIVE) -> list[Found]:
    written = WrittenOnce(orjson.OPT_SORT_KEYS)
    return [Found(endpoint(each), each, state, content_digest(each, written)) for each in operations]


def known(*operations: Operation, state: EndpointState = EndpointState.ACTIVE) -> dict[str, Known]:
    return {
        each.id: Known(each.digest, state, ["document"], "", "openapi-3.1", each.requires_auth, None)
        for each in found(*operations)
    }


def before(
    *operations: Operation, state: EndpointState = EndpointState.ACTIVE, gone: Sequence[Operation] = (), **was: Schema
) -> Before:
    stored = known(*gone, state=EndpointState.GONE) | known(*operations, state=state)
    return Before(stored, {endpoint(each).id: each for each in (*gone, *operations)}, described(definitions=was))


def changes_of(learned: list[Found], stored: Before, **definitions: Schema) -> Changes:
    return compare(learned, stored, described(definitions=definitions))


def keys(found: list[Found]) -> list[str]:
    return [each.operation.key for each in found]


def limit(**members: Any) -> Parameter:
    return Parameter("limit", ParameterLocation.QUERY, **members)


GET = Operation("GET", "/a")
POST = Operation("POST", "/a", body=RequestBody(True, (MediaType("application/json", {"$ref": "#/$defs/Outer"}),)))


def test_what_was_not_stored_is_added_and_what_was_gone_returns() -> None:
    changes = changes_of(found(GET, POST), before(gone=[POST]))
    assert (keys(changes.added), keys(changes.returned)) == (["GET /a"], ["POST /a"])
    assert {name: count for name, count in changes.counts().items() if count} == {"added": 2, "safe": 2}


def test_a_first_discovery_is_no_drift() -> None:
    changes = changes_of(found(GET, POST), before())
    assert (changes.counts()["added"], changes.drift) == (2, [])


def test_what_is_gone_is_gone_once() -> None:
    changes = changes_of(found(GET, POST, state=EndpointState.GONE), before(GET, gone=[POST]))
    assert (keys(changes.gone), changes.kept) == (["GET /a"], 0)
    assert [(each["operation"], each["severity"]) for each in changes.drift] == [("GET /a", "breaking")]


def test_a_difference_that_a_client_notices_is_a_change_and_another_is_not() -> None:
    stricter, reworded = Operation("GET", "/a", parameters=(limit(required=True),)), Operation("GET", "/b", summary="B")
    stored = Operation("GET", "/a", parameters=(limit(),)), Operation("GET", "/b")
    changes = changes_of(found(stricter, reworded), before(*stored))
    assert [each.words for each in changes.changed] == [("parameter limit became required",)]
    assert keys(changes.reworded) == ["GET /b"]
    (drift,) = changes.drift
    assert (drift["severity"], drift["operation"], drift["endpoint_id"]) == ("breaking", "GET /a", "id of GET /a")


def test_another_state_is_a_change_and_deprecation_is_told_once() -> None:
    changes = changes_of(found(GET, state=EndpointState.DEAD), before(GET))
    assert [each.words for each in changes.changed] == [("was active, is dead",)]
    assert [(each["rule"], each["severity"]) for each in changes.drift] == [("endpoint.state", "breaking")]
    old, new = Operation("GET", "/a"), Operation("GET", "/a", deprecated=True)
    changes = changes_of(found(new, state=EndpointState.DEPRECATED), before(old))
    assert [each.words for each in changes.changed] == [("deprecated",)]


def test_the_same_path_below_the_base_and_at_the_root_change_apart() -> None:
    below, root = Operation("GET", "/a"), Operation("GET", "/a", server="/")
    learned = found(replace(below, parameters=(limit(),)), replace(root, deprecated=True))
    changes = changes_of(learned, before(root, below))
    assert [each.words for each in changes.changed] == [("parameter limit added",), ("deprecated",)]
    assert [(change["operation"], change["endpoint_id"]) for change in changes.drift] == [
        ("GET /a", "id of GET /a"),
        ("GET /a /", "id of GET /a /"),
    ]


def test_a_place_in_the_document_is_no_difference() -> None:
    changes = changes_of(found(Operation("GET", "/a", pointer="/paths/9")), before(GET))
    assert (changes.changed, changes.reworded, changes.kept) == ([], [], 1)


def test_a_definition_that_changed_changes_what_leads_to_it() -> None:
    outer: Schema = {"properties": {"inner": {"$ref": "#/$defs/Inner"}}}
    new: dict[str, Schema] = {"Outer": outer, "Inner": {"type": "string"}, "New": True}
    assert altered_definitions({"Outer": outer, "Inner": True}, new) == {"Inner"}
    changes = changes_of(found(GET, POST), before(GET, POST, Outer=outer, Inner=True), **new)
    assert keys(changes.changed) == ["POST /a"]
    assert [each["endpoint_id"] for each in changes.drift] == ["id of POST /a"]


OPERATIONS = st.lists(
    st.builds(
        Operation,
        st.sampled_from(["GET", "PUT"]),
        st.sampled_from(["/a", "/b", "/c"]),
        summary=st.sampled_from(["", "s"]),
        parameters=st.sampled_from([(), (limit(),), (limit(required=True),)]),
    ),
    unique_by=lambda operation: operation.key,
)


@given(OPERATIONS, OPERATIONS, OPERATIONS)
def test_every_operation_is_counted_once(
    active: list[Operation], gone: list[Operation], after: list[Operation]
) -> None:
    stored = before(*active, gone=[each for each in gone if each.key not in {it.key for it in active}])
    still = {each.key for each in after}
    vanished = [each for each in active if each.key not in still]
    changes = changes_of(found(*after) + found(*vanished, state=EndpointState.GONE), stored)
    counts = changes.counts()
    assert counts["added"] + counts["changed"] + counts["unchanged"] == len(after)
    assert set(keys(changes.gone)) == {each.key for each in vanished}
    told = [*changes.added, *changes.altered]
    assert len({each.id for each in told}) == len(told)


def test_what_cannot_be_stored_becomes_a_fault() -> None:
    long, twice = Operation("GET", "/" + "x" * 10, pointer="/p/1"), Operation("GET", "/a", summary="s", pointer="/p/2")
    description = storable(described(GET, long, twice, faults=(Fault("/", "first"),)), 10)
    assert description.operations == (GET,)
    assert [(fault.pointer, fault.message) for fault in description.faults] == [
        ("/", "first"),
        ("/p/1", "a path of more than 10 characters is left out"),
        ("/p/2", "GET /a stands twice; the first is kept"),
    ]


def test_a_report_that_was_cut_says_so() -> None:
    faults = [Fault(f"/{number}", "wrong") for number in range(4)]
    assert [entry["pointer"] for entry in report_of(faults, 4)] == ["/0", "/1", "/2", "/3"]
    *shown, last = report_of(faults, 3)
    assert [entry["pointer"] for entry in shown] == ["/0", "/1", "/2"]
    assert last == {"pointer": "", "message": "only the first 3 faults are kept; the others are left out"}
