import json
import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.reports import Coverage, FindingReport, OperationReport, Report, reports
from backend.app.engine.reports.text import render

ANY_TEXT = st.text(st.characters(), max_size=30)
"""Control characters and lone surrogates too: what a target answers ends up here."""

SEVERITY = st.sampled_from(["critical", "high", "medium", "low", "info"])
COUNT = st.integers(0, 10**6)
COVERAGE = st.builds(Coverage, COUNT, COUNT, COUNT, COUNT, COUNT, st.floats(0, 100))
OPERATION = st.builds(OperationReport, ANY_TEXT, ANY_TEXT, COUNT, st.dictionaries(ANY_TEXT, COUNT), st.booleans())
SETUP = st.lists(ANY_TEXT, max_size=2).map(tuple)
FINDING = st.builds(FindingReport, ANY_TEXT, ANY_TEXT, st.one_of(SEVERITY, ANY_TEXT), *[ANY_TEXT] * 5, SETUP)
REPORT = st.builds(
    Report,
    target=ANY_TEXT,
    spec=ANY_TEXT,
    seed=st.integers(),
    requests=COUNT,
    duration_s=st.floats(0, 1e6),
    operations=st.lists(OPERATION, max_size=4).map(tuple),
    findings=st.lists(FINDING, max_size=4).map(tuple),
    coverage=COVERAGE,
)

FINDINGS = (
    FindingReport(
        "f1", "undocumented_status", "medium", "POST", "/orders", "202 is not documented", "Documented: 201.", ""
    ),
    FindingReport(
        "f2",
        "server_error",
        "critical",
        "GET",
        "/books",
        "The server failed: 500",
        "limit=0 was answered with 500.",
        "curl 'http://shop.test/books?limit=0'",
    ),
)
EXAMPLE = Report(
    target="http://shop.test",
    spec="http://shop.test/openapi.json",
    seed=7,
    requests=42,
    duration_s=1.25,
    operations=(
        OperationReport("GET", "/books", 30, {"200": 29, "500": 1}, True),
        OperationReport("POST", "/orders", 11, {"202": 4, "422": 7}, True),
        OperationReport("GET", "/customers", 1, {"401": 1}, False),
        OperationReport("DELETE", "/books/{book_id}", 0),
    ),
    findings=FINDINGS,
    coverage=Coverage(4, 3, 2, 14, 6, 42.9),
)


def test_formats_are_found_by_name() -> None:
    assert reports.names() == ["json", "junit", "text"]


def test_json_has_the_documented_shape() -> None:
    document = json.loads(reports.get("json")(EXAMPLE))
    assert list(document) == [
        "target",
        "spec",
        "seed",
        "requests",
        "duration_s",
        "operations",
        "findings",
        "coverage",
    ]
    assert document["operations"][0] == {
        "method": "GET",
        "path": "/books",
        "requests": 30,
        "statuses": {"200": 29, "500": 1},
        "reached_2xx": True,
    }
    assert set(document["findings"][0]) == {
        "fingerprint",
        "check",
        "severity",
        "method",
        "path",
        "title",
        "detail",
        "curl",
    }
    assert document["coverage"]["percent"] == 42.9


@given(REPORT)
def test_json_loads_back(report: Report) -> None:
    document = json.loads(reports.get("json")(report))
    coverage = Coverage(**document.pop("coverage"))
    operations = tuple(OperationReport(**operation) for operation in document.pop("operations"))
    findings = tuple(
        FindingReport(**{**finding, "setup": tuple(finding.get("setup", ()))}) for finding in document.pop("findings")
    )
    assert Report(**document, operations=operations, findings=findings, coverage=coverage) == report


def parse_junit(report: Report) -> ElementTree.Element:
    (suite,) = ElementTree.fromstring(reports.get("junit")(report))  # noqa: S314 - our own output
    return suite


def test_junit_has_a_case_per_finding_and_per_operation_without_one() -> None:
    suite = parse_junit(EXAMPLE)
    cases = {(case.get("classname"), case.get("name")): case for case in suite.iter("testcase")}
    assert list(cases) == [
        ("GET /books", "server_error: The server failed: 500"),
        ("POST /orders", "undocumented_status: 202 is not documented"),
        ("GET /customers", "answers as documented"),
        ("DELETE /books/{book_id}", "answers as documented"),
    ]
    failure = cases["GET /books", "server_error: The server failed: 500"].find("failure")
    assert failure is not None
    assert failure.get("type") == "critical"
    assert failure.text == "limit=0 was answered with 500.\n\ncurl 'http://shop.test/books?limit=0'"
    assert cases["DELETE /books/{book_id}", "answers as documented"].find("skipped") is not None
    totals = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert totals == {"tests": "4", "failures": "2", "errors": "0", "skipped": "1", "time": "1.250"}


@given(REPORT)
def test_junit_parses_and_counts_whatever_the_text(report: Report) -> None:
    suite = parse_junit(report)
    assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
    assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure")) == len(report.findings)
    assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped"))


def test_text_says_the_verdict_first_and_the_worst_next() -> None:
    assert render(EXAMPLE) == (
        "FAIL  http://shop.test  2 findings in 2 operations (1 critical, 1 medium)\n"
        "\n"
        "GET /books\n"
        "  CRITICAL  The server failed: 500  [server_error]\n"
        "    limit=0 was answered with 500.\n"
        "    curl 'http://shop.test/books?limit=0'\n"
        "\n"
        "POST /orders\n"
        "  MEDIUM    202 is not documented  [undocumented_status]\n"
        "    Documented: 201.\n"
        "\n"
        "WARN  no 2xx answer from GET /customers: no finding there proves little\n"
        "\n"
        "42 requests in 1.2 s  3 of 4 operations requested  2 answered 2xx  coverage 43%  seed 7\n"
    )


def test_what_a_request_refers_to_comes_first() -> None:
    finding = FindingReport("f", "check", "high", "GET", "/a/{id}", "t", "d", "curl /a/7", ("curl -X POST /a",))
    report = Report("t", "s", 1, 1, 1, (OperationReport("GET", "/a/{id}", 1),), (finding,))
    script = (
        "# first, what it refers to; an id that the server chooses has to be replaced below\n"
        "curl -X POST /a\n# then\ncurl /a/7"
    )
    assert script in render(report).replace("\n    ", "\n")
    assert script in (parse_junit(report).findtext("testcase/failure") or "")
    assert json.loads(reports.get("json")(report))["findings"][0]["setup"] == ["curl -X POST /a"]


def test_text_tells_a_small_fault_of_many_operations_once() -> None:
    findings = [
        FindingReport(
            f"f{n}", "undocumented_status", "low", "GET", f"/{n}", "Undocumented status 400", "d", f"curl /{n}"
        )
        for n in range(7)
    ]
    grave = [FindingReport(f"g{n}", "server_error", "high", "GET", f"/{n}", "500", "d", f"curl /{n}") for n in range(7)]
    text = render(Report("t", "s", 1, 1, 1, findings=(*findings, *grave)))
    assert text.count("Undocumented status 400") == 1
    assert "7 operations: GET /0, GET /1, GET /2, GET /3, GET /4 and 2 more\n" in text
    assert text.count("HIGH") == 7
    assert text.startswith("FAIL  t  14 findings in 7 operations (7 high, 7 low)")
    few = render(Report("t", "s", 1, 1, 1, findings=tuple(findings[:4])))
    assert few.count("Undocumented status 400") == 4


def test_text_keeps_one_line_per_name() -> None:
    finding = FindingReport("f", "check", "low", "GET", "/a\nPASS", "two\nlines", "one\n\ntwo", "")
    assert "GET /a PASS\n  LOW       two lines  [check]\n    one\n    two\n" in render(
        Report("t", "s", 1, 1, 1, findings=(finding,))
    )


def test_text_without_findings_passes_unless_the_gate_says_otherwise() -> None:
    report = Report("http://shop.test", "openapi.json", 1, 1, 0.5, coverage=Coverage(1, 1, 1, 1, 1, 100.0))
    assert render(report).startswith("PASS  http://shop.test  no findings\n")
    assert render(report, failed=True).startswith("FAIL")
    assert render(EXAMPLE, failed=False).startswith("PASS  http://shop.test  2 findings")


def test_text_is_coloured_on_demand() -> None:
    coloured = render(EXAMPLE, color=True)
    assert coloured.startswith("\x1b[31mFAIL\x1b[0m")
    assert re.sub("\x1b\\[[0-9]+m", "", coloured) == render(EXAMPLE)


@given(REPORT)
def test_text_of_a_target_cannot_steer_the_terminal(report: Report) -> None:
    text = reports.get("text")(report).decode()
    assert all(character == "\n" or character == "\t" or character >= " " for character in text)
    assert not set(text) & {"\x7f", "\x9b", "\u202e"}
