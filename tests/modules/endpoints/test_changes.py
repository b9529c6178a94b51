from typing import Any

from hypothesis import given
from hypothesis import strategies as st

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
from backend.app.engine.spec.reach import Reach
from backend.app.modules.endpoints.changes import (
    Found,
    Known,
    altered_definitions,
    compare,
    definitions_in_words,
    report_of,
    storable,
)
from backend.app.modules.endpoints.discovery import Evidence, Kind
from backend.app.modules.endpoints.models import EndpointState
from backend.app.modules.endpoints.reconcile import Claim, Endpoint


def described(*operations: Operation, faults: tuple[Fault, ...] = (), **definitions: Schema) -> ApiDescription:
    return ApiDescription("t", "1", "openapi-3.1", operations=operations, definitions=definitions, faults=faults)


def endpoint(operation: Operation) -> Endpoint:
    claim = Claim("openapi", Kind.DOCUMENT, "openapi-3.1", "request", Evidence(), operation)
    return Endpoint(f"id of {operation.key}", operation.method, operation.path, {"openapi": claim})


def found(*operations: Operation, state: EndpointState = EndpointState.ACTIVE) -> list[Found]:
    return [Found(endpoint(each), each, state) for each in operations]


def known(*operations: Operation, state: EndpointState = EndpointState.ACTIVE) -> dict[str, Known]:
    return {
        each.id: Known(each.digest, state, ["document"], "", "openapi-3.1", each.requires_auth, None)
        for each in found(*operations)
    }


def before(*operations: Operation) -> dict[str, Operation]:
    return {endpoint(each).id: each for each in operations}


def keys(found: list[Found]) -> list[str]:
    return [each.operation.key for each in found]


def limit(**members: Any) -> Parameter:
    return Parameter("limit", ParameterLocation.QUERY, **members)


GET = Operation("GET", "/a")
POST = Operation("POST", "/a", body=RequestBody(True, (MediaType("application/json", {"$ref": "#/$defs/Outer"}),)))


def test_what_was_not_stored_is_added_and_what_was_gone_returns() -> None:
    changes = compare(found(GET, POST), known(POST, state=EndpointState.GONE), before(POST))
    assert (keys(changes.added), keys(changes.returned)) == (["GET /a"], ["POST /a"])
    assert changes.counts() == {"added": 2, "changed": 0, "gone": 0, "unchanged": 0}


def test_what_is_gone_is_gone_once() -> None:
    stored = known(GET) | known(POST, state=EndpointState.GONE)
    changes = compare(found(GET, POST, state=EndpointState.GONE), stored, before(GET, POST))
    assert (keys(changes.gone), changes.kept) == (["GET /a"], 0)


def test_a_difference_that_a_client_notices_is_a_change_and_another_is_not() -> None:
    stricter, reworded = Operation("GET", "/a", parameters=(limit(required=True),)), Operation("GET", "/b", summary="B")
    stored = Operation("GET", "/a", parameters=(limit(),)), Operation("GET", "/b")
    changes = compare(found(stricter, reworded), known(*stored), before(*stored))
    assert [each.words for each in changes.changed] == [("parameter limit became required",)]
    assert keys(changes.reworded) == ["GET /b"]
    assert changes.counts() == {"added": 0, "changed": 1, "gone": 0, "unchanged": 1}


def test_another_state_is_a_change_and_deprecation_is_told_once() -> None:
    changes = compare(found(GET, state=EndpointState.DEAD), known(GET), before(GET))
    assert [each.words for each in changes.changed] == [("was active, is dead",)]
    old, new = Operation("GET", "/a"), Operation("GET", "/a", deprecated=True)
    changes = compare(found(new, state=EndpointState.DEPRECATED), known(old), before(old))
    assert [each.words for each in changes.changed] == [("deprecated",)]


def test_a_place_in_the_document_is_no_difference() -> None:
    changes = compare(found(Operation("GET", "/a", pointer="/paths/9")), known(GET), before(GET))
    assert (changes.changed, changes.reworded, changes.kept) == ([], [], 1)


def test_a_definition_that_changed_changes_what_leads_to_it() -> None:
    outer = {"properties": {"inner": {"$ref": "#/$defs/Inner"}}}
    new: dict[str, Schema] = {"Outer": outer, "Inner": {"type": "string"}, "New": True}
    altered = altered_definitions({"Outer": outer, "Inner": True}, new)
    assert altered == {"Inner"}
    get, post = found(GET, POST)
    reach = Reach(new)
    assert definitions_in_words(get.stored, altered, reach) == ()
    assert definitions_in_words(post.stored, altered, reach) == ("schema Inner has changed",)


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
    stored = known(*gone, state=EndpointState.GONE) | known(*active)
    still = {each.key for each in after}
    vanished = [each for each in active if each.key not in still]
    learned = found(*after) + found(*vanished, state=EndpointState.GONE)
    changes = compare(learned, stored, before(*gone) | before(*active))
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
