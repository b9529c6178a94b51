"""JUnit XML as CI servers read it: https://github.com/testmoapp/junitxml describes the common ground."""

import re
from collections import defaultdict
from xml.etree import ElementTree

from backend.app.engine.reports import FindingReport, Report, reports

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is no `Char` of XML 1.0 (section 2.2)."""


@reports.register("junit")
def junit_report(report: Report) -> bytes:
    """One test suite: for an operation one failed test case per finding, or one that passed, or one that was skipped
    because no request was sent. Characters that XML 1.0 forbids become U+FFFD."""
    suite = ElementTree.Element("testsuite")
    by_operation: dict[tuple[str, str], list[FindingReport]] = defaultdict(list)
    for operation in report.operations:
        by_operation[operation.method, operation.path] = []
    for finding in report.findings:
        by_operation[finding.method, finding.path].append(finding)

    skipped = 0
    requests = {(operation.method, operation.path): operation.requests for operation in report.operations}
    for (method, path), findings in by_operation.items():
        name = f"{method} {path}"
        for finding in findings:
            _add_failure(suite, name, finding)
        if not findings:
            case = _add_case(suite, name, "answers as documented")
            if not requests[method, path]:
                skipped += 1
                ElementTree.SubElement(case, "skipped", message="no request was sent")

    totals = {
        "tests": str(len(suite)),
        "failures": str(len(report.findings)),
        "errors": "0",
        "skipped": str(skipped),
        "time": f"{report.duration_s:.3f}",
    }
    suite.attrib |= {"name": _printable(report.target), **totals}
    properties = ElementTree.Element("properties")
    for key, value in (("spec", report.spec), ("seed", report.seed), ("requests", report.requests)):
        ElementTree.SubElement(properties, "property", name=key, value=_printable(str(value)))
    suite.insert(0, properties)
    root = ElementTree.Element("testsuites", {"name": "touchstone", **totals})
    root.append(suite)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add_case(suite: ElementTree.Element, operation: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=_printable(operation), name=_printable(name))


def _add_failure(suite: ElementTree.Element, operation: str, finding: FindingReport) -> None:
    case = _add_case(suite, operation, f"{finding.check}: {finding.title}")
    failure = ElementTree.SubElement(
        case, "failure", type=_printable(finding.severity), message=_printable(finding.title)
    )
    failure.text = _printable("\n\n".join(part for part in (finding.detail, finding.commands) if part))


def _printable(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
