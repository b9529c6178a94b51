import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.modules.endpoints.discovery.source import Facts, files
from backend.app.modules.endpoints.discovery.source.extractor import Extractor, Order
from backend.app.modules.endpoints.discovery.source.languages.python.extract import extract
from backend.app.modules.endpoints.discovery.source.model import SourceReport
from backend.app.modules.endpoints.discovery.source.tree import ScanCancelled, scan_files, scan_tree

MAIN = b"""
from fastapi import FastAPI
from users import router
from settings import PREFIX
app = FastAPI()
app.include_router(router, prefix=PREFIX)
"""
USERS = b"""
from fastapi import APIRouter, Depends
router = APIRouter()
@router.get("/users/{id}", tags=["people"])
def read(id: int): ...
"""
TREE = {"main.py": MAIN, "users.py": USERS, "settings.py": b"PREFIX = '/api'\n"}
FOUND = {"GET /api/users/{id}"}


def write(root: Path, tree: dict[str, bytes]) -> Path:
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    return root


def keys(report: SourceReport) -> set[str]:
    return {route.key for route in report.routes}


def test_workers_find_what_this_process_finds(tmp_path: Path) -> None:
    write(tmp_path, TREE)
    assert scan_tree(tmp_path, workers=1) == scan_tree(tmp_path, workers=0) == scan_files(TREE)
    assert keys(scan_files(TREE)) == FOUND


def test_the_name_of_the_root_does_not_matter(tmp_path: Path) -> None:
    one, other = write(tmp_path / "tests", TREE), write(tmp_path / "node_modules" / "docs", TREE)
    assert scan_tree(one, workers=0) == scan_tree(other, workers=0)


@given(st.permutations(sorted(TREE)))
def test_the_order_of_files_does_not_matter(order: list[str]) -> None:
    assert scan_files({name: TREE[name] for name in order}) == scan_files(TREE)


@given(st.binary(max_size=300))
def test_extraction_takes_any_bytes(text: bytes) -> None:
    assert isinstance(extract(text, ".py")["body"], list)


@given(st.data())
@settings(max_examples=50)
def test_a_broken_file_costs_no_other_file(data: st.DataObject) -> None:
    """The broken one declares and mounts nothing; it is a source file cut somewhere, or noise."""
    cut = data.draw(st.integers(0, len(USERS)))
    noise = data.draw(st.binary(max_size=40))
    report = scan_files({**TREE, "broken.py": b"FastAPI(\n" + USERS[:cut].replace(b"@router", b"") + noise})
    assert keys(report) >= FOUND


@given(st.lists(st.sampled_from([b"(", b"[", b"{", b"a.", b"-", b"not ", b"f'{"]), max_size=3), st.integers(0, 3000))
@settings(max_examples=25, deadline=None)
def test_deep_nesting_is_bounded(openings: list[bytes], depth: int) -> None:
    nested = b"x = " + b"".join(openings) * depth
    assert keys(scan_files({**TREE, "deep.py": b"import fastapi\nFastAPI()\n" + nested})) == FOUND


def test_a_program_that_never_ends_is_left(tmp_path: Path) -> None:
    loops = b"from fastapi import FastAPI\ndef f(app, n):\n" + b"    f(app, [f(app, 1), f(app, 2)])\n" * 30
    nested = b"".join(b" " * n + b"for i%d in list:\n" % n for n in range(12)) + b" " * 12 + b"FastAPI()\n"
    report = scan_files({**TREE, "loops.py": loops + b"list = [1] * 0 + [1, 2, 3, 4, 5, 6, 7, 8]\n" + nested})
    assert keys(report) == FOUND
    assert [fault.file for fault in report.faults] == ["loops.py"]


def test_the_cache_is_used_and_forgets_what_changed(tmp_path: Path) -> None:
    root, cache = write(tmp_path / "tree", TREE), tmp_path / "facts"
    first = scan_tree(root, cache=cache, workers=0)
    assert scan_tree(root, cache=cache, workers=0) == first
    assert first.routes[0].tags == ("people",)
    assert first.routes[0].parameters
    # Neither a root nor unchanged: the file is read because a name leads to it.
    (root / "settings.py").write_text("PREFIX = '/v2'\n")
    assert keys(scan_tree(root, cache=cache, workers=0)) == {"GET /v2/users/{id}"}
    cache.write_bytes(cache.read_bytes()[:-10])
    assert keys(scan_tree(root, cache=cache, workers=0)) == {"GET /v2/users/{id}"}
    cache.write_bytes(b"something else")
    assert keys(scan_tree(root, cache=cache, workers=0)) == {"GET /v2/users/{id}"}


def test_links_pipes_and_what_was_not_written_by_hand_are_left_out(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"stolen.py": MAIN.replace(b"app", b"other")})
    root = write(
        tmp_path / "tree",
        {
            **TREE,
            "node_modules/x/index.py": USERS,
            ".venv/lib/x.py": USERS,
            "env/pyvenv.cfg": b"",
            "env/x.py": USERS,
            "dist/bundle.py": USERS,
            "big.py": USERS + b"#" * files.LARGEST_FILE,
            "test_users.py": USERS,
            "packed.py": b"from fastapi import APIRouter;" + b"x = 1;" * 3000,
        },
    )
    (root / "link.py").symlink_to(outside / "stolen.py")
    (root / "linked").symlink_to(outside)
    os.mkfifo(root / "pipe.py")
    report = scan_tree(root, workers=0)
    assert keys(report) == FOUND
    assert report.left_out == {"build output": 1, "generated": 1, "tests": 1, "too large": 1}


def test_a_file_is_read_in_spite_of_its_folder_when_a_name_leads_to_it() -> None:
    tree = {"main.py": MAIN.replace(b"from users", b"from docs.users"), "docs/users.py": USERS}
    assert keys(scan_files({**tree, "settings.py": TREE["settings.py"]})) == FOUND


def test_progress_and_cancel(tmp_path: Path) -> None:
    write(tmp_path, TREE)
    heard: list[tuple[int, int]] = []
    scan_tree(tmp_path, workers=0, progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (3, 3)
    with pytest.raises(ScanCancelled):
        scan_tree(tmp_path, workers=0, cancelled=lambda: True)


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        scan_tree(tmp_path / "nowhere", workers=0)


def test_a_file_that_kills_its_worker_costs_itself_only() -> None:
    results: dict[str, tuple[bytes | None, str]] = {}
    with Extractor(1) as extractor:
        for name, text in (("good", b"x = 1"), ("bad", b"die"), ("fine", b"y = 2")):

            def keep(facts: bytes | None, reason: str, name: str = name) -> None:
                results[name] = (facts, reason)

            extractor.submit(Order(_dying, ".py", text, keep))
        extractor.finish()
    assert results["good"][0]
    assert results["fine"][0]
    assert results["bad"][0] is None
    assert "ended the parser" in results["bad"][1]


def _dying(text: bytes, suffix: str) -> Facts:
    if text == b"die":
        os._exit(1)
    return {}


def test_a_file_that_vanishes_while_its_folder_is_listed_is_passed_over(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "c.py"):
        (tmp_path / name).touch()
    entries = files.Directory(tmp_path).entries()
    assert next(entries).path == "a.py"
    (tmp_path / "b.py").unlink()
    assert [entry.path for entry in entries] == ["c.py"]


def test_a_tree_in_which_nothing_changed_is_reported_without_the_plug_ins(tmp_path: Path) -> None:
    write(tmp_path / "tree", TREE)
    program = (
        "import sys; from backend.app.modules.endpoints.discovery.source.tree import scan_tree;"
        "from pathlib import Path;"
        "found = scan_tree(sys.argv[1], cache=Path(sys.argv[2]), workers=0);"
        "print(*[route.key for route in found.routes], sep=',');"
        "print(any('frameworks.fastapi' in name for name in sys.modules))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "tree"), str(tmp_path / "cache")]
    first, again = (subprocess.run(command, capture_output=True, check=True, text=True).stdout for _ in range(2))
    assert set(first.splitlines()[0].split(",")) == FOUND
    assert first.splitlines()[1] == "True"
    assert again.splitlines() == [first.splitlines()[0], "False"]
