"""Operations from captures of traffic and from collections of requests."""

from dataclasses import replace

from backend.app.modules.endpoints.discovery import Discovered, Evidence, Kind, Subject, Tools, strategy
from backend.app.modules.endpoints.discovery.captures.model import CaptureReport

_ABSENT = frozenset({404, 405, 410, 501})
"""Statuses that do not show that an operation is there (RFC 9110, 15.5 and 15.6)."""


@strategy("capture", Kind.TRAFFIC, lambda subject: bool(subject.captures))
async def capture(subject: Subject, tools: Tools) -> list[Discovered]:
    """Requests that were recorded or written down: HAR, Postman, curl, Insomnia, Bruno, access logs."""
    found = []
    for material in subject.captures:
        report = replace(await tools.read_capture(material.path), name=material.name)
        found.append(describe(report))
    return found


def describe(report: CaptureReport) -> Discovered:
    evidence = {}
    for each in report.captured:
        answered = any(status not in _ABSENT for status in each.statuses)
        evidence[each.operation.key] = Evidence(
            each.places,
            alive=True if answered else None,
            # Requests without credentials do not show that none are needed.
            requires_auth=True if each.operation.requires_auth else None,
            exchanges=each.exchanges,
        )
    return Discovered(report.description(), report.source, report.name, evidence, slot=report.name)
