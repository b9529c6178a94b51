"""The given bad values, as JSON text to be put into a body."""

import json
import sys
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parents[1] / "data"


def load(name: str) -> list[dict[str, Any]]:
    return list(load_document(name)["payloads"])


def load_document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((_DATA / name).read_text())
    return document


def bad_values() -> dict[str, str]:
    """JSON text of each bad string and number, by id."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return {
            payload["id"]: json.dumps(eval(payload["python"]))  # noqa: S307 - expressions in a file of ours
            for payload in load("bad-input.json")
            if payload["cat"] in ("string", "number")
        }
    finally:
        sys.set_int_max_str_digits(limit)


def with_value(body: dict[str, Any], path: tuple[str, ...], value: str) -> str:
    """The body as JSON text with `value`, JSON text too, at `path`."""
    marker = "@bad value@"
    changed = json.loads(json.dumps(body))
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = marker
    return json.dumps(changed).replace(json.dumps(marker), value)
