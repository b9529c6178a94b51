"""Rules of the house that an import contract cannot say."""

import ast
import functools
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from backend.app.modules import MODULES

ROOT = Path(__file__).parents[2]
APP = ROOT / "backend/app"

MODULE_FILES = {
    "__init__.py",
    "dependencies.py",
    "errors.py",
    "events.py",
    "handlers.py",
    "models.py",
    "repository.py",
    "router.py",
    "schemas.py",
    "service.py",
}
PARTS = {
    "auth/administration",
    "auth/recovery",
    "auth/sso",
    "auth/workspaces",
    "endpoints/graph",
    "endpoints/uploads",
    "projects/git",
}
"""Of a module with several doors: each has the same files again."""
FAMILIES = {"channels", "detectors", "discovery", "generators", "healers", "readers", "recipes"}
BESIDES = {
    "auth/credentials",  # making and checking secrets: pure, and long enough to stand apart from the service
    "auth/sso/providers",  # what GitHub and OpenID Connect ask for, one file each, over a `Send` that is handed in
    "endpoints/uploads/__main__.py",  # such a process
    "endpoints/uploads/archives.py",  # unpacking: pure
    "endpoints/uploads/multipart.py",  # the file of a form: pure
    "endpoints/uploads/receiving.py",  # a file comes in, between short transactions
    "endpoints/uploads/recognition.py",  # what a file is: pure
    "endpoints/inventory",  # what discoveries make of the inventory: pure, but for `update.py`, which stores it
    "endpoints/looking",  # how a discovery looks: strategies in their order, their tools, and the files they read
    "projects/git/providers",  # how GitHub, GitLab and Bitbucket deliver and are asked, over a `Send` that is handed in
    "endpoints/graph/derive.py",  # what follows from an inventory: pure
    "endpoints/graph/paths.py",  # ways through a graph: pure
    "endpoints/graph/producers.py",  # which operation gives what another one asks for: pure
    "labs/lab_api.py",  # what every recipe is built on
    "scans/sweep",  # what a scan has to do and what it comes to: values and decisions that need no database
}

ENVIRONMENT_READERS = ("core/settings.py", "cli.py", "commands/", "worker.py")
CONNECTING = {"create_connection", "open_connection", "sock_connect", "urlopen"}
CONNECTING_MODULES = {"http.client", "urllib.request", "ftplib", "smtplib", "xmlrpc.client"}
HEAVY = {
    "aiohttp",
    "alembic",
    "fastapi",
    "pydantic",
    "redis",
    "rich",
    "rq",
    "sqlalchemy",
    "starlette",
    "structlog",
    "uvicorn",
}


@functools.cache
def sources() -> list[tuple[str, ast.Module]]:
    return [(path.relative_to(APP).as_posix(), ast.parse(path.read_text())) for path in sorted(APP.rglob("*.py"))]


@functools.cache
def nodes(tree: ast.AST) -> list[ast.AST]:
    return list(ast.walk(tree))


def calls(tree: ast.AST, names: Iterable[str]) -> Iterator[ast.Call]:
    for node in nodes(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                yield node


def commits(tree: ast.AST) -> list[int]:
    """Lines that commit, or open a block that does. A driver's own `commit` may hand on to `super()`."""
    opened = [
        item.context_expr for node in nodes(tree) if isinstance(node, ast.With | ast.AsyncWith) for item in node.items
    ]
    found = [*calls(tree, {"commit"}), *(call for block in opened for call in calls(block, {"begin"}))]
    return [call.lineno for call in found if not ast.unparse(call).startswith("super()")]


def environment_reads(tree: ast.AST) -> list[int]:
    return [
        node.lineno
        for node in nodes(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in ("environ", "environb", "getenv", "putenv")
    ]


def connections(tree: ast.AST) -> list[int]:
    # With a socket and no host the connection is there already, as that to a child.
    lines = [
        call.lineno
        for call in calls(tree, CONNECTING)
        if call.args or not any(it.arg == "sock" for it in call.keywords)
    ]
    for node in nodes(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        if isinstance(node, ast.stmt) and CONNECTING_MODULES & set(names):
            lines.append(node.lineno)
    return lines


def test_only_the_session_commits() -> None:
    found = {file for file, tree in sources() if commits(tree)}
    assert found - {"db/migrate.py", "db/sqlite.py"} == {"db/session.py"}


def test_only_settings_and_entry_points_read_the_environment() -> None:
    assert [
        file for file, tree in sources() if environment_reads(tree) and not file.startswith(ENVIRONMENT_READERS)
    ] == []


def test_only_the_http_client_connects() -> None:
    found = [file for file, tree in sources() if connections(tree)]
    assert [file for file in found if not file.startswith("extensions/http_client/")] == []


@pytest.mark.parametrize(
    ("code", "find"),
    [
        ("await session.commit()", commits),
        ("async with engine.begin() as connection: pass", commits),
        ("import os\nos.environ['X']", environment_reads),
        ("import os\nos.getenv('X')", environment_reads),
        ("await asyncio.open_connection(host, 80)", connections),
        ("await asyncio.open_connection(host=host, port=80)", connections),
        ("await loop.create_connection(protocol, host, 80)", connections),
        ("from urllib import request", connections),
        ("from urllib.request import urlopen", connections),
        ("import http.client", connections),
    ],
)
def test_the_rules_see_a_violation(code: str, find: Callable[[ast.AST], list[int]]) -> None:
    assert find(compile(code, "violation", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))


def test_the_rules_let_the_rest_pass() -> None:
    tree = ast.parse("import urllib.parse\nfrom http import HTTPStatus\nsuper().commit()\nos.path.join('a')\n")
    assert [*commits(tree), *environment_reads(tree), *connections(tree)] == []


def test_every_module_has_the_same_files() -> None:
    allowed = MODULE_FILES | FAMILIES | {"__pycache__"}
    others = {
        f"{module}/{path.name}"
        for module in [*MODULES, *PARTS]
        if (APP / "modules" / module).is_dir()
        for path in (APP / "modules" / module).iterdir()
        if path.name not in allowed
    }
    assert others <= BESIDES | PARTS


def test_all_modules_are_listed() -> None:
    assert set(MODULES) == {path.parent.name for path in APP.glob("modules/*/__init__.py")}


def test_help_imports_nothing_heavy() -> None:
    script = f"""
import sys
sys.argv = ["touchstone", "--help"]
from backend.app.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
print(*({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "touchstone" in done.stdout
    assert done.stderr.split() == []


def test_no_test_is_skipped() -> None:
    marks = {"skip", "skipif", "xfail", "importorskip"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if any(f".{mark}" in path.read_text() for mark in marks)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in marks
    ]
    assert found == []
