"""Captures to read, as short as they can be."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from backend.app.modules.endpoints.discovery.captures.model import CaptureReport
from backend.app.modules.endpoints.discovery.captures.reading import read_capture

API = "http://api.test"


def exchange(
    method: str = "GET",
    url: str = "/",
    *,
    status: int = 200,
    answer: Any = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    answer_headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An entry of HAR; `answer` and `body` are JSON."""
    entry: dict[str, Any] = {
        "request": {
            "method": method,
            "url": url if "://" in url else API + url,
            "headers": [{"name": name, "value": value} for name, value in (headers or {}).items()],
        },
        "response": {
            "status": status,
            "headers": [{"name": name, "value": value} for name, value in (answer_headers or {}).items()],
            "content": {},
        },
    }
    if body is not None:
        entry["request"]["postData"] = {"mimeType": "application/json", "text": json.dumps(body)}
    if answer is not None:
        entry["response"]["content"] = {"mimeType": "application/json; charset=utf-8", "text": json.dumps(answer)}
    return entry


def har(entries: Iterable[Mapping[str, Any]]) -> bytes:
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "t"}, "entries": list(entries)}}).encode()


def read_har(*entries: Mapping[str, Any], **options: Any) -> CaptureReport:
    return read_capture(har(entries), **options)


def keys(report: CaptureReport) -> list[str]:
    return [each.operation.key for each in report.captured]


def reasons(report: CaptureReport) -> dict[str, tuple[int, str]]:
    return {each.reason: (each.count, each.first) for each in report.skipped}
