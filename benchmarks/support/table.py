"""The table that all benchmarks print."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    figure: str
    """As measured, with its unit."""
    goal: str
    ok: bool


def print_table(rows: Sequence[Row]) -> None:
    lines = [("what", "measured", "goal", ""), *((row.what, row.figure, row.goal, _mark(row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _mark(row: Row) -> str:
    return "ok" if row.ok else "MISSED"
