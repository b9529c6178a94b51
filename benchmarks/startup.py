"""What a process costs before it does anything: `touchstone --help`, and the import of the server.

    python -m benchmarks.startup

Medians of fresh interpreters with compiled files in place; CPU is user and system time of the process.
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


def measure(*arguments: str) -> tuple[float, float]:
    """Median wall and CPU seconds of one fresh process."""
    samples = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        before = os.times()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        samples.append((time.perf_counter() - started, used))
    wall, cpu = zip(*samples[1:], strict=True)  # the first one compiles and warms the file cache
    return statistics.median(wall), statistics.median(cpu)


def run() -> list[Row]:
    rows = []
    for what, limit, arguments in (
        ("touchstone --help", HELP_S, ("-c", "from backend.app.cli import main; main()", "--help")),
        ("import of the server", SERVER_S, ("-c", "import backend.app.main")),
    ):
        wall, cpu = measure(*arguments)
        rows.append(Row(what, f"{wall:.3f} s wall, {cpu:.3f} s CPU", f"<= {limit} s", wall <= limit))
    return rows


if __name__ == "__main__":
    print_table(run())
