import json
from dataclasses import asdict

from backend.app.engine.reports import Report, reports


@reports.register("json")
def json_report(report: Report) -> bytes:
    """One JSON object in ASCII: escapes carry any text, lone surrogates too. Raises `ValueError` for a number that
    JSON cannot say (RFC 8259, 6). A finding has `setup` when something has to be sent before its `curl`."""
    document = asdict(report)
    for finding in document["findings"]:
        if not finding["setup"]:
            del finding["setup"]
    return json.dumps(document, indent=2, allow_nan=False).encode() + b"\n"
