"""What sources show of the endpoints of an inventory: why they are there, and which values go from one to another."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from backend.app.core.pagination import Row
from backend.app.engine.spec.model import Operation, ParameterLocation
from backend.app.modules.endpoints.discovery import Kind
from backend.app.modules.endpoints.discovery.captures.codec import flows_from_json
from backend.app.modules.endpoints.discovery.captures.model import Flow
from backend.app.modules.endpoints.inventory.exporting import place_in
from backend.app.modules.endpoints.inventory.reconcile import by_trust, evidence_from_json

_PARAMETER: Final = re.compile(r"\{([^{}]*)\}")


def observed_flows(descriptions: Iterable[Row], operations: Mapping[str, Operation]) -> list[Flow]:
    """Of all sources, with operations by their keys and parameters as these call them. `operations`: by the ids of
    endpoints."""
    found = []
    for row in descriptions:
        for flow in flows_from_json(row["shared"].get("flows", ())):
            giving, taking = operations.get(flow.producer), operations.get(flow.consumer)
            parameter = _parameter(flow, taking) if taking else ""
            if giving and taking and parameter:
                place = f"{row['location']} {flow.place}".lstrip()
                found.append(replace(flow, producer=giving.key, consumer=taking.key, parameter=parameter, place=place))
    return found


def _parameter(flow: Flow, taking: Operation) -> str:
    if flow.location == ParameterLocation.PATH:
        segments = taking.path.split("/")
        position = len(segments) - 1 - int(flow.parameter)
        match = _PARAMETER.search(segments[position]) if position >= 0 else None
        return match[1] if match else ""
    if flow.location == ParameterLocation.HEADER:
        names = (it.name for it in taking.parameters if it.location == ParameterLocation.HEADER)
        return next((name for name in names if name.lower() == flow.parameter), flow.parameter)
    return flow.parameter


def observed_evidence(claims: Iterable[Row], operations: Mapping[str, Operation]) -> dict[str, list[tuple[str, str]]]:
    """For each operation, by its key, `declared` or the kind of the source, and the first place that the most trusted
    source of the kind names; the most trusted kind first."""
    found: dict[str, dict[str, str]] = {}
    for row in sorted(claims, key=lambda it: (by_trust(Kind(it["kind"])), it["slot"])):
        evidence, operation = evidence_from_json(row["evidence"]), operations.get(row["endpoint_id"])
        if operation is not None and evidence.alive is not False and evidence.places:
            rule = "declared" if row["kind"] == Kind.DOCUMENT else row["kind"]
            found.setdefault(operation.key, {}).setdefault(rule, place_in(row["location"], evidence.places[0]))
    return {key: list(places.items()) for key, places in found.items()}
