"""Which operation sends which callbacks (OpenAPI 3.1, 4.8.18)."""

from collections.abc import Iterable

from backend.app.engine.spec.model import Operation


def by_caller(callbacks: Iterable[Operation]) -> dict[str, dict[str, list[Operation]]]:
    """By the pointer of the operation that they stand in, and by their names; those that several operations share stand
    under the pointer of what holds them (`/components`)."""
    found: dict[str, dict[str, list[Operation]]] = {}
    for each in callbacks:
        caller, _, below = each.pointer.partition("/callbacks/")
        name = below.partition("/")[0].replace("~1", "/").replace("~0", "~")
        found.setdefault(caller, {}).setdefault(name, []).append(each)
    return found
