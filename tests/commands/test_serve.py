"""`touchstone serve`, `worker`, `migrate` and `lab` in the hands of somebody who mistypes."""

import os
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.commands.test_check import command
from tests.support.network import unused_port


def touchstone(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), cwd=folder, capture_output=True, text=True, check=False, timeout=60, env=_clean(environment)
    )


def _clean(environment: dict[str, str]) -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {"PATH": os.environ["PATH"], "PYTHONPATH": root} | {f"TOUCHSTONE_{k}": v for k, v in environment.items()}


SECRET = "kQ9-for-the-tests-alone-and-long-enough"


@pytest.mark.parametrize(
    ("words", "url", "code", "said"),
    [
        ("serve --port {port}", "postgres://u:hidden@127.0.0.1/x", 2, "postgresql+asyncpg://USER"),
        ("migrate", "sqlite:///x.db", 2, "sqlite+aiosqlite:///file.db"),
        ("worker --burst", "nonsense", 2, "postgresql+asyncpg://USER"),
        ("serve --port {port}", "sqlite+aiosqlite:////no/such/x.db", 3, "/no/such/x.db cannot be used"),
        ("migrate", "sqlite+aiosqlite:////no/such/x.db", 3, "/no/such/x.db cannot be used"),
        ("worker --burst", "postgresql+asyncpg://u:hidden@127.0.0.1:{closed}/x", 3, "cannot be reached"),
        ("serve --port {port}", "postgresql+asyncpg://u:hidden@127.0.0.1:{closed}/x", 3, "cannot be reached"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, words: str, url: str, code: int, said: str
) -> None:
    port = str(unused_port())
    done = touchstone(tmp_path, *words.format(port=port).split(), DATABASE__URL=url.format(closed=unused_port()))
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "hidden" not in done.stderr


@pytest.mark.parametrize("words", ["serve", "lab"])
def test_a_port_in_use_is_told_before_anything_else(tmp_path: Path, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = touchstone(tmp_path, words, "--port", str(port))
    assert done.returncode == 2
    assert done.stderr == (
        f"touchstone: cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port or --host\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_production_wants_a_migrated_database(tmp_path: Path) -> None:
    production = {
        "MODE": "production",
        "AUTH__SECRET_KEY": SECRET,
        "DATABASE__URL": f"sqlite+aiosqlite:///{tmp_path}/x",
    }
    refused = touchstone(tmp_path, "serve", "--port", str(unused_port()), **production)
    assert (refused.returncode, "touchstone migrate" in refused.stderr) == (2, True)
    assert "empty -> " in touchstone(tmp_path, "migrate", **production).stderr
    assert touchstone(tmp_path, "worker", "--burst", **production).returncode == 0


def test_migrate_goes_down_and_up_to_a_revision(tmp_path: Path) -> None:
    for revision, said in (("head", "empty -> "), ("0001", "-> 0001"), ("0002", "0001 -> 0002"), ("base", "-> empty")):
        done = touchstone(tmp_path, "migrate", revision)
        assert (done.returncode, said in done.stderr) == (0, True), done.stderr
    wrong = touchstone(tmp_path, "migrate", "nonsense")
    assert (wrong.returncode, "the newest is" in wrong.stderr, "Traceback" in wrong.stderr) == (2, True, False)


def test_an_unknown_queue_or_recipe_is_answered_with_those_there_are(tmp_path: Path) -> None:
    assert "default, long" in touchstone(tmp_path, "worker", "slow").stderr
    assert "bookshop" in touchstone(tmp_path, "lab", "candyshop").stderr


def test_a_lab_tells_its_address_and_its_key(tmp_path: Path) -> None:
    words = command("lab", "--port", "0")
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=_clean({})) as running:
        assert running.stderr
        _, address, header, value, *_ = running.stderr.readline().split()
        try:
            orders = urllib.request.Request(  # noqa: S310
                address.replace("/openapi.json", "/orders"), headers={header.rstrip(":"): value}
            )
            with urllib.request.urlopen(address) as spec, urllib.request.urlopen(orders) as answer:  # noqa: S310
                assert (spec.status, answer.status) == (200, 200)
        finally:
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=30)
    assert running.returncode == 0
