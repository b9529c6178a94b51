from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec.codec import operation_to_json
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
from backend.app.modules.endpoints.changes import Changes, Found, Known, compare, report_of, storable


def described(*operations: Operation, faults: tuple[Fault, ...] = (), **definitions: Schema) -> ApiDescription:
    return ApiDescription("t", "1", "openapi-3.1", operations=operations, definitions=definitions, faults=faults)


def known(*operations: Operation, active: bool = True) -> dict[str, Known]:
    return {each.key: Known(f"id of {each.key}", Found(each, "").digest, active) for each in operations}


def changes(before: dict[str, Known], stored: tuple[Operation, ...], after: ApiDescription, **was: Schema) -> Changes:
    found = compare(after, before, was)
    found.explain({f"id of {each.key}": operation_to_json(each) for each in stored})
    return found


def keys(found: list[Found]) -> list[str]:
    return [each.operation.key for each in found]


def limit(**members: Any) -> Parameter:
    return Parameter("limit", ParameterLocation.QUERY, **members)


GET = Operation("GET", "/a")
POST = Operation("POST", "/a", body=RequestBody(True, (MediaType("application/json", {"$ref": "#/$defs/Outer"}),)))


def test_what_is_not_known_is_added_in_the_order_of_the_document() -> None:
    operations = [Operation("GET", f"/{name}") for name in "zyxw"]
    found = compare(described(*operations), {}, {})
    assert keys(found.added) == ["GET /z", "GET /y", "GET /x", "GET /w"]
    ids = [each.id for each in found.added]
    assert ids == sorted(set(ids))
    assert found.counts() == {"added": 4, "changed": 0, "gone": 0, "unchanged": 0}


def test_what_is_not_found_is_gone_once() -> None:
    before = known(GET) | known(POST, active=False)
    found = compare(described(), before, {})
    assert found.gone == {"GET /a": "id of GET /a"}
    assert found.counts()["gone"] == 1


def test_what_was_gone_returns_with_its_id() -> None:
    found = compare(described(GET), known(GET, active=False), {})
    assert [each.id for each in found.returned] == ["id of GET /a"]
    assert found.counts() == {"added": 1, "changed": 0, "gone": 0, "unchanged": 0}


def test_a_difference_that_a_client_notices_is_a_change_and_another_is_not() -> None:
    stricter, reworded = Operation("GET", "/a", parameters=(limit(required=True),)), Operation("GET", "/b", summary="B")
    stored = Operation("GET", "/a", parameters=(limit(),)), Operation("GET", "/b")
    found = changes(known(*stored), stored, described(stricter, reworded))
    assert [each.words for each in found.changed] == [("parameter limit became required",)]
    assert keys(found.reworded) == ["GET /b"]
    assert found.rewritten == {}
    assert found.counts() == {"added": 0, "changed": 1, "gone": 0, "unchanged": 1}


def test_a_place_in_the_document_is_no_difference() -> None:
    found = compare(described(Operation("GET", "/a", pointer="/paths/9")), known(GET), {})
    assert (found.rewritten, found.changed, found.kept) == ({}, [], 1)


def test_a_definition_that_changed_changes_what_leads_to_it() -> None:
    outer = {"properties": {"inner": {"$ref": "#/$defs/Inner"}}}
    after = described(GET, POST, Outer=outer, Inner={"type": "string"}, New=True)
    found = changes(known(GET, POST), (GET, POST), after, Outer=outer, Inner=True)
    assert [(each.operation.key, each.words) for each in found.changed] == [("POST /a", ("schema Inner has changed",))]


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
    before = known(*gone, active=False) | known(*active)
    found = changes(before, tuple(active), described(*after))
    counts = found.counts()
    assert counts["added"] + counts["changed"] + counts["unchanged"] == len(after)
    assert set(found.gone) == {each.key for each in active} - {each.key for each in after}
    told = [*found.added, *found.returned, *found.changed, *found.reworded]
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
