"""`touchstone serve`, `worker`, `migrate` and `lab` in the hands of somebody who mistypes."""

import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.support.commands import SECRET, clean_environment, command, settings, touchstone
from tests.support.network import unused_port


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
    done = touchstone(
        *words.format(port=port).split(),
        folder=tmp_path,
        environment=settings(DATABASE__URL=url.format(closed=unused_port())),
    )
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "hidden" not in done.stderr


@pytest.mark.parametrize("words", ["serve", "lab"])
def test_a_port_in_use_is_told_before_anything_else(tmp_path: Path, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = touchstone(words, "--port", str(port), folder=tmp_path)
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
    refused = touchstone("serve", "--port", str(unused_port()), folder=tmp_path, environment=settings(**production))
    assert (refused.returncode, "touchstone migrate" in refused.stderr) == (2, True)
    assert "empty -> " in touchstone("migrate", folder=tmp_path, environment=settings(**production)).stderr
    done = subprocess.run(
        command("worker", "--burst"),
        cwd=tmp_path,
        capture_output=True,
        check=False,
        env=clean_environment(**production),
    )
    assert done.returncode == 0, done.stderr


def test_migrate_goes_down_and_up_to_a_revision(tmp_path: Path) -> None:
    for revision, said in (("head", "empty -> "), ("0001", "-> 0001"), ("0002", "0001 -> 0002"), ("base", "-> empty")):
        done = touchstone("migrate", revision, folder=tmp_path)
        assert (done.returncode, said in done.stderr) == (0, True), done.stderr
    wrong = touchstone("migrate", "nonsense", folder=tmp_path)
    assert (wrong.returncode, "the newest is" in wrong.stderr, "Traceback" in wrong.stderr) == (2, True, False)


def test_an_unknown_queue_or_recipe_is_answered_with_those_there_are(tmp_path: Path) -> None:
    assert "default, long" in touchstone("worker", "slow", folder=tmp_path).stderr
    assert "bookshop" in touchstone("lab", "candyshop", folder=tmp_path).stderr


def test_a_lab_tells_its_address_and_its_key(tmp_path: Path) -> None:
    words = command("lab", "--port", "0")
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=clean_environment()) as running:
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
