import json
from dataclasses import asdict

from backend.app.engine.reports import Report, reports


@reports.register("json")
def json_report(report: Report) -> bytes:
    """One JSON object in ASCII: escapes carry any text, lone surrogates too. Raises `ValueError` for a number that
    JSON cannot say (RFC 8259, 6)."""
    return json.dumps(asdict(report), indent=2, allow_nan=False).encode() + b"\n"
