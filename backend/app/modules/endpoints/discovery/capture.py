"""Operations from captures of traffic and from collections of requests."""

from dataclasses import replace
from urllib.parse import urlsplit

from backend.app.engine.spec.model import Fault
from backend.app.modules.endpoints.discovery import Discovered, Evidence, Kind, Subject, Tools, strategy
from backend.app.modules.endpoints.discovery.captures.model import CaptureReport

_ABSENT = frozenset({404, 405, 410, 501})
"""Statuses that do not show that an operation is there (RFC 9110, 15.5 and 15.6)."""


@strategy("capture", Kind.TRAFFIC, lambda subject: bool(subject.captures))
async def capture(subject: Subject, tools: Tools) -> list[Discovered]:
    """Requests that were recorded or written down: HAR, Postman, curl, Insomnia, Bruno, access logs."""
    base = urlsplit(subject.base_url).path.rstrip("/")
    known = [base + operation.path for operation in subject.known]
    found = []
    for material in subject.captures:
        report = replace(await tools.read_capture(material.path, known), name=material.name)
        found.append(describe(report))
    return found


def describe(report: CaptureReport) -> Discovered:
    """Without what was asked for and never found: anyone can ask for anything."""
    found = [each for each in report.captured if not each.statuses or each.statuses.keys() - _ABSENT]
    description = replace(report, captured=tuple(found)).description()
    if missing := len(report.captured) - len(found):
        fault = Fault("", f"{missing} operations are left out: none of their answers shows that they exist")
        description = replace(description, faults=(*description.faults, fault))
    evidence = {
        each.operation.key: Evidence(
            each.places,
            alive=True if each.statuses else None,
            # Requests without credentials do not show that none are needed.
            requires_auth=True if each.operation.requires_auth else None,
            exchanges=each.exchanges,
        )
        for each in found
    }
    return Discovered(description, report.source, report.name, evidence, slot=report.name, flows=report.flows)
