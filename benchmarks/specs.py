"""Reading API descriptions: one of the size of Microsoft Graph's, and folders of real ones.

    python -m benchmarks.specs            # in the table of all benchmarks too
    python -m benchmarks.specs FOLDER     # every .json, .yaml and .yml below it

The large one is generated (`support/big_spec.py`): 40.0 MB of YAML, 11,422 operations. CPU is that of the command and
of the process that reads for it, from start to end; memory is the larger one's. Of what is measured for its list, on a
machine that parses 10 MB of YAML a second: cutting the outline out 0.14 s, parsing it 0.27, normalising 0.24, encoding
0.07, decoding 0.14; Python and its imports twice. As a whole it takes 4.0, 1.6, 0.5 and 0.7 s.

A folder is read document by document in this process, as the sandbox's child reads it: parse, normalise, encode. Told
are operations, faults, what was refused with its reason, seconds and CPU. Where `py-yaml12` is installed (a YAML 1.2
reader that shares no code with ours), each YAML document is read with it too: operations are counted on its tree (names
of methods below `paths`, references of path items followed), and every scalar is compared with ours. Outlines are
compared with those of the whole documents.
"""

import argparse
import asyncio
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.app.engine.spec.codec import description_to_bytes
from backend.app.engine.spec.model import SpecError
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.outline import outline
from backend.app.engine.spec.parse import parse_document
from backend.app.extensions.spec_files import read_spec_file
from benchmarks.support.big_spec import OPERATIONS, big_spec
from benchmarks.support.table import Row, print_table

try:
    yaml12: Any = importlib.import_module("yaml12")
except ImportError:
    yaml12 = None

LIST_S = 2.0
LIST_MB = 600
WHOLE_MB = 1024
_METHODS = frozenset({"get", "head", "options", "post", "put", "patch", "delete", "trace", "query"})


def count_operations(tree: Any) -> int:
    """Methods of path items that are mappings, in a tree whose keys may have any type."""
    paths = tree.get("paths") if isinstance(tree, dict) else None
    return sum(_methods(tree, item) for item in paths.values()) if isinstance(paths, dict) else 0


def _methods(tree: Any, item: Any) -> int:
    if not isinstance(item, dict):
        return 0
    reference = item.get("$ref")
    target: Any = item
    if isinstance(reference, str) and reference.startswith("#/"):
        target = tree
        for name in reference[2:].split("/"):
            key = name.replace("~1", "/").replace("~0", "~")
            target = target.get(key, {}) if isinstance(target, dict) else {}
    names = set(item) | set(target if isinstance(target, dict) else ())
    return sum(isinstance(item.get(name, target.get(name)), dict) for name in names & _METHODS)


def differences(ours: Any, theirs: Any, at: str = "") -> Iterator[str]:
    """Places where two readers of YAML 1.2 disagree. Our keys are text as written, theirs are resolved."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if len(ours) != len(theirs):
            yield f"{at}: {len(ours)} keys, not {len(theirs)}"
            return
        for (name, mine), (key, other) in zip(ours.items(), theirs.items(), strict=True):
            if name != key and (isinstance(key, str) or yaml12.parse_yaml(name) != key):
                yield f"{at}: key {name!r}, not {key!r}"
            yield from differences(mine, other, f"{at}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{at}: {len(ours)} items, not {len(theirs)}"
            return
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(mine, other, f"{at}/{index}")
    elif not _same(ours, theirs):
        yield f"{at}: {str(ours)[:60]!r}, not {str(theirs)[:60]!r}"


def _same(ours: Any, theirs: Any) -> bool:
    if type(ours) is int and abs(ours) >= 2**63:
        return bool(float(ours) == theirs)  # a float there
    return type(ours) is type(theirs) and (ours == theirs or (ours != ours and theirs != theirs))


def read_folder(folder: Path) -> int:
    """The number of documents that we read worse than the other reader."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".yaml", ".yml") and path.is_file())
    seconds: list[float] = []
    refused: Counter[str] = Counter()
    told: list[str] = []
    totals: Counter[str] = Counter()
    gc.disable()
    for path in files:
        data = path.read_bytes()
        cpu, started = time.process_time(), time.perf_counter()
        document = description = None
        try:
            document = parse_document(data)
            description = describe(document)
            description_to_bytes(description)
        except SpecError as error:
            refused[error.code] += 1
            if error.code != "spec.not_a_spec":
                told.append(f"refused {path.relative_to(folder)}: {error.code} {error}")
        seconds.append(time.perf_counter() - started)
        totals["cpu_ms"] += round((time.process_time() - cpu) * 1000)
        if description is not None:
            totals["read"] += 1
            totals["operations"] += len(description.operations)
            totals["faults"] += len(description.faults)
            totals["with faults"] += bool(description.faults)
            totals["outlines"] += parse_document(data, outlined=True) != outline(document or {})
        told += _compared(path.relative_to(folder), data, document, description, totals)
        gc.collect()
    seconds.sort()
    for line in told:
        print(line)
    print(f"{len(files)} files, {totals['read']} descriptions, {totals['operations']} operations")
    print(f"{totals['faults']} faults in {totals['with faults']} descriptions; refused: {dict(refused)}")
    p50, p99 = (seconds[len(seconds) * percent // 100] for percent in (50, 99))
    print(f"p50 {p50:.4f} s, p99 {p99:.3f} s, max {seconds[-1]:.2f} s; {totals['outlines']} outlines differ")
    print(f"CPU of the whole run {totals['cpu_ms'] / 1000:.1f} s")
    if yaml12 is not None:
        print(
            f"the other reader: {totals['compared']} read, {totals['their operations']} operations in those that we"
            f" read, {totals['fewer']} with fewer of ours; {totals['different']} differing values"
        )
    return totals["fewer"] + totals["different"] + totals["outlines"]


def _compared(name: Path, data: bytes, document: Any, description: Any, totals: Counter[str]) -> Iterator[str]:
    if yaml12 is None:
        return
    try:
        text = data.decode("utf-8-sig")
        theirs = json.loads(text) if name.suffix == ".json" else yaml12.parse_yaml(text)
    except ValueError as error:
        yield f"not read by the other reader: {name}: {str(error)[:150]}"
        return
    totals["compared"] += 1
    if description is not None:
        counted = count_operations(theirs)
        totals["their operations"] += counted
        if counted != len(description.operations):
            yield f"{name}: {len(description.operations)} operations, counted {counted}"
            totals["fewer"] += counted > len(description.operations)
    if document is not None and name.suffix != ".json":
        for difference in differences(document, theirs):
            totals["different"] += 1
            if totals["different"] <= 100:
                yield f"{name}{difference}"


def read_file(path: Path, listing: bool) -> None:
    """What the process of one measurement does."""
    description = asyncio.run(read_spec_file(path, listing=listing))
    if len(description.operations) != OPERATIONS:
        raise RuntimeError(f"{len(description.operations)} operations of {OPERATIONS} were read")


def measure(*command: str) -> tuple[float, float]:
    """CPU seconds of a command with its children, and MB of the largest process."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "openapi.yaml"
        path.write_bytes(big_spec())
        discovered, discovered_mb = measure("-c", "from backend.app.cli import main; main()", "discover", str(path))
        listed, listed_mb = measure("-m", "benchmarks.specs", str(path), "--list")
        whole, whole_mb = measure("-m", "benchmarks.specs", str(path), "--whole")
    about = f"{OPERATIONS} operations in YAML"
    return [
        Row(f"list of {about}", f"{listed:.2f} CPU s", f"< {LIST_S} s", listed < LIST_S),
        Row("memory of that", f"{listed_mb:.0f} MB", f"< {LIST_MB} MB", listed_mb < LIST_MB),
        Row("touchstone discover of the same", f"{discovered:.2f} CPU s", f"< {LIST_S} s", discovered < LIST_S),
        Row("memory of that", f"{discovered_mb:.0f} MB", f"< {LIST_MB} MB", discovered_mb < LIST_MB),
        Row(f"all of {about}", f"{whole:.1f} CPU s", "", True),
        Row("memory of that", f"{whole_mb:.0f} MB", f"< {WHOLE_MB} MB", whole_mb < WHOLE_MB),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.specs")
    parser.add_argument("path", type=Path, nargs="?", help="a folder of descriptions")
    parser.add_argument("--list", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.path is None:
        print_table(run())
    elif options.list or options.whole:
        read_file(options.path, options.list)
    else:
        return 1 if read_folder(options.path) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
