"""The import contracts of pyproject.toml hold, and each of them sees what it is there to see."""

import shutil
import sys
from pathlib import Path

import pytest
from importlinter import api
from importlinter.application import use_cases

ROOT = Path(__file__).parents[2]
CONFIGURATION = str(ROOT / "pyproject.toml")


def broken_contracts() -> set[str]:
    """The ids of the contracts that the package `backend` on `sys.path` breaks."""
    options = use_cases.read_user_options(CONFIGURATION)
    use_cases._register_contract_types(options)
    ids = {contract["name"]: contract["id"] for contract in options.contracts_options}
    report = use_cases.create_report(options, cache_dir=None)
    assert not report.could_not_run
    return {ids[contract.name] for contract, check in report.get_contracts_and_checks() if not check.kept}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "backend", folder / "backend", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def package(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `backend/app` of the copy, which stands in front of ours."""
    monkeypatch.syspath_prepend(copy)
    monkeypatch.delitem(sys.modules, "backend")
    return copy / "backend/app"


def test_all_contracts_hold(package: Path) -> None:
    assert broken_contracts() == set()


def test_every_contract_is_tried() -> None:
    contracts = {contract["id"] for contract in api.read_configuration(CONFIGURATION)["contracts_options"]}
    assert contracts == {contract for _, _, contract in VIOLATIONS}


VIOLATIONS = [
    ("core/ids.py", "import backend.app.extensions.logging", "layers"),
    ("db/base.py", "import backend.app.engine.http", "layers"),
    ("extensions/logging.py", "import backend.app.modules.events.service", "layers"),
    ("modules/anomalies/__init__.py", "import backend.app.commands.terminal", "layers"),
    ("api.py", "import backend.app.main", "layers"),
    ("main.py", "import backend.app.cli", "layers"),
    ("commands/terminal.py", "import backend.app.cli", "layers"),
    ("worker.py", "import backend.app.commands.serve", "layers"),
    ("unlisted/__init__.py", "", "layers"),
    ("modules/events/service.py", "import backend.app.modules.endpoints.service", "modules"),
    ("modules/events/service.py", "import backend.app.modules.jobs.schemas", "modules"),
    ("modules/events/service.py", "def f() -> None:\n    import backend.app.modules.endpoints.events", "modules"),
    ("modules/unlisted/__init__.py", "", "modules"),
    ("modules/endpoints/service.py", "import backend.app.modules.events.repository", "doors"),
    ("modules/endpoints/service.py", "from backend.app.modules import jobs", "doors"),
    ("modules/endpoints/service.py", "from backend.app.modules.jobs.router import router", "doors"),
    ("engine/statistics.py", "import sqlalchemy", "pure"),
    ("engine/statistics.py", "import socket", "pure"),
    ("engine/statistics.py", "import backend.app.db.base", "pure"),
    ("engine/statistics.py", "import backend.app.core.views", "pure"),
    ("engine/checks/unlisted.py", "import fastapi", "pure"),
    ("modules/anomalies/detectors/unlisted.py", "import redis", "pure"),
    ("modules/labs/recipes/unlisted.py", "from starlette.responses import Response", "pure"),
    ("modules/endpoints/discovery/unlisted.py", "from backend.app.extensions.http_client import HttpClient", "pure"),
    ("extensions/metrics.py", "import httpx2", "http-client"),
    ("modules/events/service.py", "from aiohttp import ClientSession", "http-client"),
    ("main.py", "import requests", "http-client"),
    ("modules/events/router.py", "from fastapi_utils.cbv import cbv", "views"),
    ("main.py", "from rq import Queue", "queue"),
    ("modules/auth/service.py", "import aiosmtplib", "mail"),
    ("modules/events/service.py", "from sqlalchemy import select", "sql"),
]


@pytest.mark.parametrize(("file", "line", "contract"), VIOLATIONS)
def test_a_violation_breaks_its_contract_and_no_other(package: Path, file: str, line: str, contract: str) -> None:
    path = package / file
    before = path.read_text() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        assert broken_contracts() == {contract}
    finally:
        if before is not None:
            path.write_text(before)
        elif path.name == "__init__.py":
            shutil.rmtree(path.parent)
        else:
            path.unlink()
