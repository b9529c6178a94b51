"""What a process costs before it does anything: `touchstone --help`, and the import of the server.

    python -m benchmarks.startup

Medians of fresh interpreters with compiled files in place, each in turn with its yardstick; CPU is user and system time
of the process.
"""

import os
import statistics
import subprocess
import sys
import time

from benchmarks.support.table import Row, print_table

ROUNDS = 9
HELP_S = 0.25
SERVER_S = 1.2

HELLO = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str, loud: bool = False) -> None:
    "Says hello."
app()
"""


def measure(*commands: tuple[str, ...]) -> list[tuple[float, float]]:
    """Median wall and CPU seconds of one fresh process, for each of the commands."""
    samples: list[list[tuple[float, float]]] = [[] for _ in commands]
    for _ in range(ROUNDS + 1):
        for arguments, taken in zip(commands, samples, strict=True):
            started = time.perf_counter()
            before = os.times()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            after = os.times()
            used = after.children_user + after.children_system - before.children_user - before.children_system
            taken.append((time.perf_counter() - started, used))
    # The first one compiles and warms the file cache.
    walls_and_cpus = [zip(*taken[1:], strict=True) for taken in samples]
    return [(statistics.median(wall), statistics.median(cpu)) for wall, cpu in walls_and_cpus]


def run() -> list[Row]:
    rows = []
    for what, limit, ours, yardstick, theirs in (
        (
            "touchstone --help",
            HELP_S,
            ("-c", "from backend.app.cli import main; main()", "--help"),
            "a typer hello",
            ("-c", HELLO, "--help"),
        ),
        (
            "import of the server",
            SERVER_S,
            ("-c", "import backend.app.main"),
            "fastapi and sqlalchemy",
            ("-c", "import fastapi, sqlalchemy.ext.asyncio"),
        ),
    ):
        (wall, cpu), (their_wall, their_cpu) = measure(ours, theirs)
        figure = f"{wall:.3f} s wall, {cpu:.3f} s CPU; {yardstick} {their_wall:.3f}, {their_cpu:.3f}"
        rows.append(Row(what, f"{figure} ({cpu / their_cpu:.1f} x)", f"<= {limit} s", wall <= limit))
    return rows


if __name__ == "__main__":
    print_table(run())
