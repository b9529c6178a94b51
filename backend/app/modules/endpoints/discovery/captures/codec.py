"""The report of a capture as JSON, on its way between processes.

`report_from_json(orjson.loads(report_to_bytes(report))) == report`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple

import orjson

from backend.app.engine.spec.codec import description_from_json, description_to_json
from backend.app.engine.spec.model import ApiDescription, Json
from backend.app.modules.endpoints.discovery.captures.model import Captured, CaptureReport, Flow, Skipped


def report_to_bytes(report: CaptureReport) -> bytes:
    description = ApiDescription(
        title="",
        version="",
        dialect="",
        operations=tuple(each.operation for each in report.captured),
        security_schemes=report.security_schemes,
    )
    document = {
        "name": report.name,
        "format": report.format,
        "entries": report.entries,
        "taken": report.taken,
        "description": description_to_json(description),
        "captured": [
            [each.server, each.exchanges, each.places, list(each.statuses.items())] for each in report.captured
        ],
        "skipped": [[each.reason, each.count, each.first] for each in report.skipped],
        "flows": flows_to_json(report.flows),
    }
    return orjson.dumps(document)


def report_from_json(data: Mapping[str, Json]) -> CaptureReport:
    description = description_from_json(data["description"])
    return CaptureReport(
        name=data["name"],
        format=data["format"],
        entries=data["entries"],
        taken=data["taken"],
        captured=tuple(
            Captured(operation, server, exchanges, tuple(places), dict(statuses))
            for operation, (server, exchanges, places, statuses) in zip(
                description.operations, data["captured"], strict=True
            )
        ),
        security_schemes=description.security_schemes,
        skipped=tuple(Skipped(*members) for members in data["skipped"]),
        flows=flows_from_json(data["flows"]),
    )


def flows_to_json(flows: Iterable[Flow]) -> list[Json]:
    return [list(astuple(flow)) for flow in flows]


def flows_from_json(data: Iterable[Sequence[Json]]) -> tuple[Flow, ...]:
    return tuple(Flow(*members) for members in data)
