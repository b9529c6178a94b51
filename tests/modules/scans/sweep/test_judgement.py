"""The life of findings from scan to scan."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.core.ids import new_ulid
from backend.app.engine.checks import Severity
from backend.app.engine.findings import Finding
from backend.app.engine.http import Outcome
from backend.app.engine.scan import Coverage, OperationSummary, ScanLimits, ScanResult, ScanType, Stopped, TestRun
from backend.app.engine.spec.model import ApiDescription
from backend.app.modules.endpoints.service import Inventory
from backend.app.modules.projects.models import AuthType
from backend.app.modules.projects.schemas import TargetAuth
from backend.app.modules.scans.models import FindingStatus, Sighting
from backend.app.modules.scans.sweep.judgement import judge, tried
from backend.app.modules.scans.sweep.order import ScanOrder
from backend.app.modules.scans.sweep.rows import summary_of
from backend.app.modules.scans.sweep.tally import Tally

NOW = datetime(2026, 1, 2, tzinfo=UTC)
IDS = {"GET /things": "E"}
NO_AUTH = TargetAuth(AuthType.NONE, {}, None)


def order(scan_type: ScanType = ScanType.FULL) -> ScanOrder:
    inventory = Inventory(ApiDescription("t", "1", "openapi-3.1"), IDS, "request")
    return ScanOrder(new_ulid(), "P", scan_type, 0, ScanLimits(), "http://api.test", inventory, NO_AUTH)


def finding(mark: str, **changes: Any) -> Finding:
    found = Finding(mark, "server_error", Severity.HIGH, "GET", "/things", "t", "d", "curl", case_kind="valid")
    return replace(found, **changes)


def known(mark: str, status: FindingStatus, **changes: Any) -> dict[str, Any]:
    row = {"id": f"id of {mark}", "fingerprint": mark, "status": status, "endpoint_id": "E", "case_kind": "valid"}
    return {**row, "severity": "high", **changes}


TRIED = {("E", "valid")}


@pytest.mark.parametrize(
    ("before", "met", "after", "sighting"),
    [
        (None, True, FindingStatus.OPEN, Sighting.OPENED),
        (FindingStatus.OPEN, True, FindingStatus.OPEN, Sighting.SEEN),
        (FindingStatus.REOPENED, True, FindingStatus.REOPENED, Sighting.SEEN),
        (FindingStatus.ACCEPTED, True, FindingStatus.ACCEPTED, Sighting.SEEN),
        (FindingStatus.FIXED, True, FindingStatus.REOPENED, Sighting.REOPENED),
        (FindingStatus.OPEN, False, FindingStatus.FIXED, Sighting.FIXED),
        (FindingStatus.REOPENED, False, FindingStatus.FIXED, Sighting.FIXED),
        (FindingStatus.ACCEPTED, False, None, None),
        (FindingStatus.FIXED, False, None, None),
    ],
)
def test_what_becomes_of_a_finding(
    before: FindingStatus | None, met: bool, after: FindingStatus | None, sighting: Sighting | None
) -> None:
    rows = [known("a", before)] if before else []
    judgement = judge(order(), rows, [finding("a", count=3)] if met else [], TRIED, NOW)
    stored = [*judgement.added, *judgement.seen, *judgement.fixed]
    assert [row["status"] for row in stored] == [after] * (after is not None)
    told = judgement.sightings("S")
    assert [(row["sighting"], row["count"]) for row in told] == [(sighting, 3 if met else 0)] * (sighting is not None)
    assert {row["finding_id"] for row in told} == {row["id"] for row in stored}


@pytest.mark.parametrize("change", [{"endpoint_id": "another"}, {"case_kind": "wrong_type"}])
def test_only_what_was_tried_is_fixed(change: dict[str, str]) -> None:
    assert judge(order(), [known("a", FindingStatus.OPEN, **change)], [], TRIED, NOW).fixed == []


def test_what_has_to_be_sent_before_is_kept() -> None:
    judgement = judge(order(), [], [finding("a", evidence={"status": 500}, setup=("curl one",))], TRIED, NOW)
    assert judgement.added[0]["evidence"] == {"status": 500, "setup": ["curl one"]}


MARKS = st.sets(st.sampled_from("abcd"))


@given(st.lists(st.tuples(MARKS, MARKS, st.booleans()), max_size=8))
def test_a_fault_is_one_finding_for_ever(scans: list[tuple[set[str], set[str], bool]]) -> None:
    """Each scan meets some faults and may show others to be gone; before it, a person accepts some."""
    store: dict[str, dict[str, Any]] = {}
    for met, accepted, whole in scans:
        for row in store.values():
            if row["fingerprint"] in accepted and row["status"] != FindingStatus.FIXED:
                row["status"] = FindingStatus.ACCEPTED
        before = {row["fingerprint"]: row["status"] for row in store.values()}
        rows = [dict(row) for row in store.values()]
        judgement = judge(order(), rows, map(finding, sorted(met)), TRIED if whole else set(), NOW)
        for added in judgement.added:
            assert added["id"] not in store
            store[added["id"]] = dict(added)
        for changed in (*judgement.seen, *judgement.fixed):
            store[changed["id"]].update(changed)
        after = {row["fingerprint"]: row["status"] for row in store.values()}
        assert len(after) == len(store)
        assert after.keys() == before.keys() | met
        for mark, status in after.items():
            if before.get(mark) is FindingStatus.ACCEPTED:
                assert status is FindingStatus.ACCEPTED
            elif mark in met:
                assert status in (FindingStatus.OPEN, FindingStatus.REOPENED)
            else:
                assert status is (FindingStatus.FIXED if whole else before[mark])
        told = judgement.sightings("S")
        assert len({row["finding_id"] for row in told}) == len(told)


def result(stopped: Stopped = Stopped.COMPLETED, skipped: str = "") -> ScanResult:
    operation = OperationSummary("GET", "/things", 1, {"200": 1}, True, skipped)
    return ScanResult(0, (operation,), (), 1, 0, 1.0, stopped, False, Coverage(1, 1, 1, 1, 1))


RUN = TestRun("GET", "/things", "valid", "", 200, Outcome.ANSWERED, True, 1.0, 1.0, 1, (), 1.0, True)


@pytest.mark.parametrize(
    ("scan_type", "result", "shown"),
    [
        (ScanType.FULL, result(), {("E", "valid")}),
        (ScanType.QUICK, result(), set()),
        (ScanType.FULL, result(Stopped.MAX_REQUESTS), set()),
        (ScanType.FULL, result(Stopped.CANCELLED), set()),
        (ScanType.FULL, result(skipped="3 exchanges in a row broke off"), set()),
    ],
)
def test_what_can_be_shown_to_be_gone(scan_type: ScanType, result: ScanResult, shown: Iterable[Any]) -> None:
    tally = Tally()
    tally.add(RUN)
    assert tried(order(scan_type), result, tally) == shown


def test_the_summary_counts_what_was_met() -> None:
    rows = [known("b", FindingStatus.FIXED), known("c", FindingStatus.OPEN), known("d", FindingStatus.OPEN)]
    met = [finding("a", severity=Severity.LOW), finding("b"), finding("c")]
    summary = summary_of(result(), judge(order(), rows, met, TRIED, NOW), standing=3)
    counts = {name: summary[f"findings_{name}"] for name in ("opened", "reopened", "fixed", "open")}
    assert counts == {"opened": 1, "reopened": 1, "fixed": 1, "open": 3}
    assert summary["findings"] == 3
    assert summary["severities"] == {"low": 1, "high": 2}
