"""`touchstone check` as a person runs it: what it prints, what it writes, and how it exits."""

import base64
import json
import re
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.app.extensions.server import background_server
from backend.app.modules.labs.recipes import Lab, recipes
from tests.support.commands import command, touchstone
from tests.support.network import unused_port

LIMITS = ("--max-requests", "3000", "--max-time", "60")


@pytest.fixture(scope="module")
def faulty() -> Iterator[tuple[str, Lab]]:
    lab = recipes.get("bookshop").create(1, True)
    with background_server(lab) as url:
        yield url, lab


@pytest.fixture(scope="module")
def correct() -> Iterator[tuple[str, Lab]]:
    lab = recipes.get("bookshop").create(1, False)
    with background_server(lab) as url:
        yield url, lab


def key(lab: Lab) -> str:
    name, value = next(iter(lab.credentials.items()))
    return f"header:{name}={value}"


def test_a_faulty_api_fails_with_reports_for_machines(faulty: tuple[str, Lab], tmp_path: Path) -> None:
    url, lab = faulty
    report, junit = tmp_path / "report.json", tmp_path / "junit.xml"
    done = touchstone(
        "check", f"{url}/openapi.json", "--auth", "env:KEY", *LIMITS,
        "--report", f"json={report}", "--report", f"junit={junit}", environment={"KEY": key(lab)},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("FAIL")
    content = json.loads(report.read_text())
    assert content["target"] == url
    assert content["requests"] > 100
    planted = {(fault.operation, fault.check) for fault in recipes.get("bookshop").faults if fault.check}
    found = {(f"{finding['method']} {finding['path']}", finding["check"]) for finding in content["findings"]}
    assert planted <= found
    secret = next(iter(lab.credentials.values()))
    assert secret not in report.read_text() + junit.read_text() + done.stdout + done.stderr
    assert ElementTree.parse(junit).getroot().iter("failure")  # noqa: S314 - our own file


def test_no_secret_leaves_in_any_report_or_on_stderr_and_findings_can_be_sent_again(tmp_path: Path) -> None:
    """Against a target that says all that it was told, and a secret of its own."""
    spec = {**SPEC, "paths": {"/things": {"get": {"responses": {"200": {"description": "ok"}}}}}}

    async def telling(scope: dict[str, Any], receive: object, send: Any) -> None:
        if scope["type"] != "http":
            return
        pair = next((value for name, value in scope["headers"] if name == b"authorization"), b"Basic Og==").split()[-1]
        told = [base64.b64decode(pair).decode(), *(f"{name!r}: {value!r}" for name, value in scope["headers"])]
        trace = {"trace": told, "dsn": "postgres://shop:own-secret-4@db/", "api_key": "own-secret-5", "query": "a=1"}
        status, body = (200, spec) if scope["path"] == "/openapi.json" else (500, trace)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    files = {kind: tmp_path / kind for kind in ("json", "junit", "text")}
    wanted = [word for kind, path in files.items() for word in ("--report", f"{kind}={path}")]
    with background_server(telling) as url:
        done = touchstone(
            "check", f"{url}/openapi.json?api_key=own-secret-1", "--auth", "basic:ada:own-secret-2",
            "-H", "X-Session: own-secret-3", "--scan", "quick", *wanted,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    everything = done.stdout + done.stderr + "".join(path.read_text() for path in files.values())
    assert re.findall("own-secret-.", everything) == []
    assert base64.b64encode(b"ada:own-secret-2").decode() not in everything
    (finding, *_) = json.loads(files["json"].read_text())["findings"]
    assert "-H 'Authorization: Basic '\"$TOKEN\"" in finding["curl"]
    assert finding["curl"].endswith("/things")


def test_what_is_mistyped_is_not_repeated_where_it_may_be_a_secret() -> None:
    done = touchstone("check", "-", "-H", "X-Key own-secret-1", "--auth", "bearer own-secret-2")
    assert done.returncode == 2
    assert "own-secret" not in done.stderr


def test_a_correct_api_is_good(correct: tuple[str, Lab]) -> None:
    url, lab = correct
    done = touchstone("check", url, "--auth", key(lab), *LIMITS, "-o", "json")
    assert json.loads(done.stdout)["findings"] == []
    assert done.returncode == 0


def test_a_spec_may_be_split_over_files(correct: tuple[str, Lab], tmp_path: Path) -> None:
    url, _ = correct
    (tmp_path / "paths").mkdir()
    (tmp_path / "paths" / "trending.yaml").write_text("get: {responses: {'200': {description: d}}}")
    spec = tmp_path / "openapi.yaml"
    head = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"
    spec.write_text(f"{head}paths: {{/trending: {{$ref: paths/trending.yaml}}}}")
    done = touchstone("check", str(spec), "--base-url", url, *LIMITS)
    assert "1 operations in" in done.stderr
    assert "1 answered 2xx" in done.stdout, done.stdout


def test_the_same_seed_finds_the_same(faulty: tuple[str, Lab]) -> None:
    url, lab = faulty
    prints = []
    for _ in range(2):
        lab.reset()
        done = touchstone("check", url, "--auth", key(lab), "--seed", "7", "--workers", "1", *LIMITS, "-o", "json")
        prints.append({finding["fingerprint"] for finding in json.loads(done.stdout)["findings"]})
    assert prints[0] == prints[1] != set()


def test_a_level_above_all_findings_is_good(correct: tuple[str, Lab]) -> None:
    url, lab = correct
    done = touchstone("check", url, "--auth", key(lab), "--fail-on", "critical", "--scan", "quick")
    assert done.returncode == 0


def test_credentials_that_are_refused_everywhere_end_with_4(tmp_path: Path) -> None:
    async def closed(scope: dict[str, object], receive: object, send: object) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 401, "headers": []})  # type: ignore[operator]
            await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(SPEC))
    with background_server(closed) as url:
        done = touchstone("check", str(spec), "--base-url", url, "--auth", "bearer:wrong")
    assert done.returncode == 4
    assert "--auth" in done.stderr


def test_a_target_that_is_not_there_ends_with_3(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(SPEC))
    nowhere = f"http://127.0.0.1:{unused_port()}"
    assert touchstone("check", str(spec), "--base-url", nowhere).returncode == 3
    assert touchstone("check", f"{nowhere}/openapi.json").returncode == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.yaml"], "missing.yaml"),
        (["-"], "line 3"),
        (["-", "--auth", "secret"], "basic:USER:PASSWORD"),
        (["-", "-H", "no colon"], "Name: value"),
        (["-", "--report", "pdf=x"], "junit"),
        (["-", "--report", "json=/no/such/folder/x"], "/no/such/folder"),
        (["-", "--auth", "env:MISSING"], "MISSING"),
        (["-", "--max-requests", "0"], "max-requests"),
        (["-", "--base-url", "localhost:3000"], "http://localhost:3000"),
        (["-", "--report", "json=/"], "not a folder"),
        (["127.0.0.1:3000"], "http://127.0.0.1:3000"),
        (["ftp://127.0.0.1/openapi.json"], "http://"),
        (["http://"], "http://"),
        ([], "SPEC_OR_URL"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(words: list[str], said: str) -> None:
    done = touchstone("check", *words, stdin="openapi: 3.1.0\npaths: [\n")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_document_cannot_send_the_scan_elsewhere() -> None:
    spec = json.dumps({**SPEC, "servers": [{"url": "https://elsewhere.example/v1"}]}).encode()

    async def served(scope: dict[str, object], receive: object, send: object) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
            await send({"type": "http.response.body", "body": spec})  # type: ignore[operator]

    with background_server(served) as url:
        done = touchstone("check", f"{url}/openapi.json")
    assert done.returncode == 2
    assert "elsewhere.example" in done.stderr
    assert "--base-url" in done.stderr


def test_a_report_that_cannot_be_written_does_not_swallow_the_result(faulty: tuple[str, Lab]) -> None:
    url, lab = faulty
    done = touchstone("check", url, "--auth", key(lab), "--scan", "quick", "--report", "json=/dev/full")
    assert done.returncode == 2
    assert done.stdout.startswith("FAIL")
    assert "/dev/full: No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_credentials_it_says_how_to_give_some(faulty: tuple[str, Lab]) -> None:
    url, _ = faulty
    done = touchstone("check", url, *LIMITS)
    assert "refused every request for want of credentials: see --auth" in done.stderr


def test_it_says_where_the_spec_was_and_what_was_left_out(correct: tuple[str, Lab]) -> None:
    url, lab = correct
    done = touchstone("check", url, "--auth", key(lab), "--scan", "quick")
    assert f"14 operations in {url}/openapi.json, scanning {url}" in done.stderr
    assert "5 of 14 operations were skipped: a quick scan only reads" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_what_was_found_so_far(faulty: tuple[str, Lab], number: signal.Signals) -> None:
    url, lab = faulty
    words = ("check", url, "--auth", key(lab), "--rate", "20")
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        assert "scanning" in running.stderr.readline()
        running.send_signal(number)
        stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert f"  {url}  " in stdout
    assert "interrupted; not everything was tried" in stderr


def test_progress_is_not_mixed_into_the_result(faulty: tuple[str, Lab]) -> None:
    url, lab = faulty
    done = touchstone("check", url, "--auth", key(lab), "--scan", "quick", "-o", "json")
    json.loads(done.stdout)


SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "Small", "version": "1"},
    "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    "security": [{"bearer": []}],
    "paths": {"/things": {"get": {"responses": {"200": {"description": "Things"}}}}},
}
