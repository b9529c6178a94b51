"""What our code never does, whoever wrote it: rules of security that a linter or the syntax tree can hold."""

import ast
import functools
import subprocess
import sys
import tomllib

import pytest

from tests.architecture.test_rules import APP, ROOT, calls, nodes, sources

SEEDED = ("core/runner.py", "engine/generate/", "engine/scan/", "modules/labs/recipes/")
"""Where `random` is the right source: values with a seed, and pauses. Nothing there is a secret."""
FORBIDDEN_MODULES = {
    "marshal",
    "pickle",
    "shelve",
    "dill",
    "xml.sax",
    "xml.dom",
    "telnetlib",
    "crypt",
    "jinja2",
    "mako",
}

PLANTED = {
    "S102": "exec(text)",
    "S307": "eval(text)",
    "S301": "import pickle\npickle.loads(data)",
    "S302": "import marshal\nmarshal.loads(data)",
    "S306": "import tempfile\ntempfile.mktemp()",
    "S314": "import xml.etree.ElementTree as tree\ntree.fromstring(text)",
    "S324": "import hashlib\nhashlib.md5(data)",
    "S501": "import requests\nrequests.get(url, verify=False, timeout=1)",
    "S502": "import ssl\nssl.wrap_socket(ssl_version=ssl.PROTOCOL_SSLv3)",
    "S506": "import yaml\nyaml.load(text)",
    "S602": "import subprocess\nsubprocess.run(text, shell=True)",
    "S605": "import os\nos.system(text)",
    "S608": "session.execute(f'SELECT * FROM users WHERE id = {text}')",
    "S701": "import jinja2\njinja2.Environment()",
}


def lint(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", "check", "--select", "S", "--output-format", "concise", *arguments]
    return subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)


def test_our_code_has_no_finding_of_the_security_rules() -> None:
    done = lint("--ignore", "S311", "backend")  # `random` has a rule of its own below
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("rule", PLANTED)
def test_the_linter_sees_what_it_is_for(rule: str) -> None:
    done = lint("--stdin-filename", "backend/app/planted.py", "-", text=PLANTED[rule] + "\n")
    assert f" {rule} " in done.stdout


@functools.cache
def imports(tree: ast.AST) -> set[str]:
    """Modules that are imported, by their full names."""
    found = set()
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def is_our_own_text(node: ast.expr) -> bool:
    """A literal, a constant of a module or a field that holds one."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("place",)  # of `db.sealed.SealedColumn`, each of them a literal
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.isupper())


def formats_foreign_text(tree: ast.AST) -> list[int]:
    """Lines that take a text that came from outside as a format (OWASP ASVS 5, 1.3.10)."""
    found = [
        call.lineno
        for call in calls(tree, {"format", "format_map"})
        if isinstance(call.func, ast.Attribute) and not is_our_own_text(call.func.value)
    ]
    found += [
        node.lineno
        for node in nodes(tree)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mod)
        and isinstance(node.right, ast.Tuple | ast.Dict)
        and not is_our_own_text(node.left)
    ]
    return found


def compiles(tree: ast.AST) -> list[int]:
    """Lines that make code of text."""
    return [
        call.lineno
        for call in calls(tree, {"compile", "exec", "eval", "__import__"})
        if isinstance(call.func, ast.Name)
    ]


def test_nothing_reads_what_can_hold_code() -> None:
    found = {(file, name) for file, tree in sources() for name in imports(tree) & FORBIDDEN_MODULES}
    assert found == set()


def test_xml_is_written_and_never_read() -> None:
    readers = {"fromstring", "XML", "iterparse", "XMLParser", "XMLPullParser", "parseString"}
    with_xml = [(file, tree) for file, tree in sources() if any(name.startswith("xml") for name in imports(tree))]
    assert [file for file, _ in with_xml] == ["engine/reports/junit.py"]
    assert [file for file, tree in with_xml if [*calls(tree, readers)]] == []


def test_no_text_from_outside_becomes_code_or_a_format() -> None:
    assert [file for file, tree in sources() if compiles(tree)] == []
    assert [(file, line) for file, tree in sources() for line in formats_foreign_text(tree)] == []


def test_secrets_come_from_the_system_and_never_from_a_seed() -> None:
    seeded = {file for file, tree in sources() if any(name.split(".")[0] == "random" for name in imports(tree))}
    assert [file for file in seeded if not file.startswith(SEEDED)] == []
    ours = [file for file, tree in sources() if "secrets" in imports(tree)]
    assert {"core/secrets.py", "modules/auth/credentials/api_keys.py"} <= set(ours)


def test_nobody_switches_the_verification_of_certificates_off() -> None:
    """`HttpClient(verify=False)` is for tests; a project has no such setting."""
    off = [
        (file, call.lineno)
        for file, tree in sources()
        for call in nodes(tree)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg in ("verify", "validate_certs", "check_hostname")
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is False
    ]
    assert off == []


@pytest.mark.parametrize(
    ("code", "find"),
    [
        ("text.format(1)", formats_foreign_text),
        ("self.text.format_map(values)", formats_foreign_text),
        ("text % (1, 2)", formats_foreign_text),
        ("eval(text)", compiles),
        ("compile(text, 'x', 'exec')", compiles),
        ("import pickle", lambda tree: imports(tree) & FORBIDDEN_MODULES),
        ("from xml.sax import parse", lambda tree: imports(tree) & FORBIDDEN_MODULES),
    ],
)
def test_these_rules_see_a_violation(code: str, find: object) -> None:
    assert callable(find)
    assert find(ast.parse(code))


def test_processes_are_started_by_a_list_of_arguments_and_without_a_shell() -> None:
    """One module starts them, and the extractor, whose children are this program again. What a shell performs is a
    fixed line that sets limits for git."""
    starters = {"create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "system", "popen", "fork"}
    modules = {"subprocess", "pty", "os.system", "os.popen"}
    starting = ["extensions/processes.py", "modules/endpoints/discovery/source/extractor.py"]
    assert [file for file, tree in sources() if imports(tree) & modules] == starting
    assert [file for file, tree in sources() if [*calls(tree, starters)]] == []
    for file in starting:
        (start,) = calls(ast.parse((APP / file).read_text()), {"Popen", "run", "call", "check_output"})
        assert "shell" not in {keyword.arg for keyword in start.keywords}


def test_the_package_that_is_installed_holds_our_code_and_nothing_beside_it() -> None:
    """No tests, no data of tests, no history (OWASP ASVS 5, 13.4.1 and 15.2.3)."""
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert built == {"wheel": {"packages": ["backend"]}}
    strange = [path for path in APP.parent.rglob("*") if path.name.startswith((".git", "test_", ".env"))]
    assert strange == []
