"""All benchmarks, one table: `python -m benchmarks`, or only some: `python -m benchmarks startup web`.

Each module has `run() -> list[Row]`. A benchmark that fails ends the run: there is no table with holes.
"""

import argparse
import importlib
import sys
import time

from benchmarks.support.table import Row, print_table

BENCHMARKS = (
    "client_rate",
    "client_timing",
    "diff",
    "engine_rate",
    "graph",
    "inventory",
    "jobs",
    "outbox",
    "sign_in",
    "source",
    "specs",
    "web",
    "startup",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", default=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    rows: list[Row] = []
    for name in parser.parse_args().names:
        started = time.perf_counter()
        rows += importlib.import_module(f"benchmarks.{name}").run()
        print(f"{name}: {time.perf_counter() - started:.1f} s", file=sys.stderr)
    print_table(rows)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
