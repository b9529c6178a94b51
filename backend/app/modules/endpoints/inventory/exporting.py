"""The inventory for other tools: OpenAPI 3.1, CSV, JSON."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from backend.app.core.pagination import Row
from backend.app.engine.export import as_csv, as_json, openapi_document
from backend.app.engine.spec.model import ApiDescription, Operation
from backend.app.modules.endpoints.inventory.reconcile import evidence_from_json

_COLUMNS: Final = (
    "method",
    "path",
    "state",
    "kinds",
    "source",
    "requires_auth",
    "deprecated",
    "unresolved",
    "owner",
    "tags",
    "notes",
    "ignored",
    "summary",
    "operation_id",
    "from_root",
    "first_seen_at",
    "last_seen_at",
    "last_status",
)
_SAID: Final = ("state", "kinds", "unresolved", "owner", "notes", "ignored")


class ExportFormat(StrEnum):
    OPENAPI = "openapi"
    CSV = "csv"
    JSON = "json"

    @property
    def media_type(self) -> str:
        match self:
            case ExportFormat.OPENAPI:
                return "application/vnd.oai.openapi+json;version=3.1"
            case ExportFormat.CSV:
                return "text/csv; charset=utf-8"
            case ExportFormat.JSON:
                return "application/json"

    @property
    def file_name(self) -> str:
        return f"inventory.{self}.json" if self is ExportFormat.OPENAPI else f"inventory.{self}"


def exported(
    wanted: ExportFormat,
    shared: ApiDescription,
    rows: Sequence[Row],
    stored: Mapping[str, Operation],
    claims: Iterable[Row],
) -> bytes:
    """`rows` are endpoints, `stored` their operations by id (OpenAPI only), `claims` what sources say of them."""
    evidence: dict[str, list[str]] = {}
    for claim in claims:
        places = evidence_from_json(claim["evidence"]).places
        evidence.setdefault(claim["endpoint_id"], []).extend(place_in(claim["location"], place) for place in places)
    told = [{**{name: _plain(row[name]) for name in _COLUMNS}, "evidence": evidence.get(row["id"], [])} for row in rows]
    match wanted:
        case ExportFormat.CSV:
            return as_csv(told).encode()
        case ExportFormat.JSON:
            return as_json(told)
        case ExportFormat.OPENAPI:
            operations = tuple(stored[row["id"]] for row in rows)
            extras = {operation.key: _extension(row) for operation, row in zip(operations, told, strict=True)}
            return orjson.dumps(
                openapi_document(replace(shared, operations=operations), extras), option=orjson.OPT_INDENT_2
            )


def _plain(value: Any) -> Any:
    """Times as RFC 3339 writes them."""
    return value.isoformat() if isinstance(value, datetime) else value


def _extension(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in (*_SAID, "evidence") if row[name]}


def place_in(location: str, place: str) -> str:
    """A place in a document or a file needs the name of that; what was asked of a server does not."""
    return place if " " in place or not location else f"{location} {place}"
