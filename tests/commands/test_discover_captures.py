"""`touchstone discover` with a capture of traffic among its sources."""

import json
from pathlib import Path

import pytest

from tests.support.commands import touchstone

SPEC = """
openapi: 3.1.0
info: {title: t, version: "1"}
servers: [{url: "http://api.test"}]
paths:
  /users/{id}: {parameters: [{name: id, in: path, required: true}], get: {responses: {}}}
  /dead: {get: {responses: {}}}
"""
LINES = """\
curl http://api.test/users/17
curl http://api.test/shadow -H 'Authorization: Bearer abcDEF123456ghiJKL'
nothing
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "traffic.txt").write_text(LINES)
    (tmp_path / "latin.har").write_bytes(b'{"log": {"entries": [' + "é".encode("latin-1"))
    return tmp_path


def test_a_capture_is_merged_with_a_spec_by_method_and_path(folder: Path) -> None:
    done = touchstone("discover", "spec.yaml", "traffic.txt", "-o", "json", folder=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    sources = {
        each["path"]: [place for source in each["sources"] for place in source["places"]] for each in found["endpoints"]
    }
    assert sources == {
        "/dead": ["spec.yaml#/paths/~1dead/get"],
        "/shadow": ["traffic.txt#line 2"],
        "/users/{id}": ["spec.yaml#/paths/~1users~1{id}/get", "traffic.txt#line 1"],
    }
    auth = {each["path"]: each["requires_auth"] for each in found["endpoints"]}
    assert auth["/shadow"] is True
    assert {"where": "traffic.txt#line 3", "message": "left out: no curl command"} in found["faults"]
    assert "abcDEF123456ghiJKL" not in done.stdout + done.stderr


def test_a_capture_that_cannot_be_read_is_refused_with_the_place(folder: Path) -> None:
    done = touchstone("discover", "latin.har", folder=folder)
    assert done.returncode == 2
    assert "byte 21 is not UTF-8" in done.stderr


def test_names_of_a_spec_are_no_values_of_a_capture(folder: Path) -> None:
    """Whichever is named first."""
    paths = "".join(f"  /reports/{name}: {{get: {{responses: {{}}}}}}\n" for name in ("2023", "2024"))
    (folder / "spec.yaml").write_text(SPEC + paths)
    (folder / "traffic.txt").write_text("curl http://api.test/reports/2024\n")
    done = touchstone("discover", "traffic.txt", "spec.yaml", "-o", "json", folder=folder)
    states = {each["path"]: len(each["sources"]) for each in json.loads(done.stdout)["endpoints"]}
    assert states == {"/users/{id}": 1, "/dead": 1, "/reports/2023": 1, "/reports/2024": 2}
