"""`touchstone diff` as a person runs it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import touchstone

LIMIT = {"name": "limit", "in": "query", "type": "integer"}
SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "t", "version": "1"},
    "host": "api.example",
    "basePath": "/v1",
    "schemes": ["https"],
    "definitions": {"User": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}},
    "paths": {
        f"/users{place}": {
            "get": {
                "produces": ["application/json"],
                "parameters": [LIMIT],
                "responses": {"200": {"description": "x", "schema": {"$ref": "#/definitions/User"}}},
            }
        }
        for place in ("", "/first", "/last", "/mine", "/yours")
    },
}


def openapi(*, required: bool, kind: str = "integer") -> dict[str, Any]:
    """The same API in OpenAPI 3.1."""
    schema = {"$ref": "#/components/schemas/User"}
    answer = {"200": {"description": "x", "content": {"application/json": {"schema": schema}}}}
    user = {"type": "object", "properties": {"id": {"type": kind}}} | ({"required": ["id"]} if required else {})
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "servers": [{"url": "https://api.example/v1"}],
        "paths": {path: {"get": {"parameters": [limit], "responses": answer}} for path in SWAGGER["paths"]},
        "components": {"schemas": {"User": user}},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    removed = openapi(required=True)
    del removed["paths"]["/users/first"]
    for name, document in {
        "old": SWAGGER,
        "same": openapi(required=True),
        "looser": openapi(required=False),
        "fewer": removed,
        "renamed": {**openapi(required=True), "servers": [{"url": "https://other.example/v1"}]},
        "hostile": openapi(required=True, kind="string"),
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    return tmp_path


def test_dialects_are_no_difference(folder: Path) -> None:
    done = touchstone("diff", "old.json", "same.json", "--fail-on", "risky", folder=folder)
    assert (done.returncode, done.stdout) == (0, "No change that a client could notice.\n")


def test_a_change_of_a_shared_schema_is_one_line(folder: Path) -> None:
    done = touchstone("diff", "old.json", "looser.json", folder=folder)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "BREAKING",
        "  GET /users, GET /users/first, GET /users/last and 2 more",
        "    User in responses: property id became optional  [response.required.widened]",
        "",
        "1 breaking, 0 risky, 0 safe.",
    ]
    assert "GET /users/yours" in touchstone("diff", "old.json", "looser.json", "--all", folder=folder).stdout


@pytest.mark.parametrize(
    ("new", "fail_on", "code"),
    [
        ("fewer", "breaking", 1),
        ("fewer", "risky", 1),
        ("fewer", "never", 0),
        ("renamed", "breaking", 0),
        ("renamed", "risky", 1),
    ],
)
def test_the_exit_code_says_how_bad_it_is(folder: Path, new: str, fail_on: str, code: int) -> None:
    assert touchstone("diff", "old.json", f"{new}.json", "--fail-on", fail_on, folder=folder).returncode == code


def test_json_for_programs(folder: Path) -> None:
    report = json.loads(touchstone("diff", "old.json", "fewer.json", "-o", "json", folder=folder).stdout)
    assert report["counts"] == {"breaking": 1, "risky": 0, "safe": 0}
    assert report["changes"] == [
        {
            "rule": "operation.removed",
            "severity": "breaking",
            "operations": ["GET /users/first"],
            "where": "operation",
            "words": "operation removed",
        }
    ]


def test_markdown_and_annotations(folder: Path) -> None:
    markdown = touchstone("diff", "old.json", "fewer.json", "-o", "markdown", folder=folder).stdout
    assert "- GET /users/first: operation removed (`operation.removed`)" in markdown.splitlines()
    annotation = touchstone("diff", "old.json", "fewer.json", "-o", "github", folder=folder).stdout
    assert annotation.splitlines() == [
        "::error title=API breaking (operation.removed)::GET /users/first: operation removed",
        "1 breaking, 0 risky, 0 safe.",
    ]


def test_what_a_document_says_obeys_nothing(folder: Path) -> None:
    hostile = openapi(required=True)
    hostile["paths"]["/x%0A::stop-commands::\n\x1b[31m<b>"] = {"get": {"responses": {}}}
    (folder / "hostile.json").write_text(json.dumps(hostile))
    for output in ("text", "github", "markdown"):
        said = touchstone("diff", "old.json", "hostile.json", "-o", output, folder=folder).stdout
        assert "\x1b" not in said
        assert not any(line.startswith("::stop") for line in said.splitlines())
        assert "<b>" not in said or output != "markdown"
    assert "%250A" in touchstone("diff", "old.json", "hostile.json", "-o", "github", folder=folder).stdout


@pytest.mark.parametrize(
    ("old", "code"), [("nowhere.json", 2), ("ftp://example.com/a", 2), ("http://127.0.0.1:1/openapi.json", 3)]
)
def test_what_cannot_be_read_is_refused(folder: Path, old: str, code: int) -> None:
    done = touchstone("diff", old, "same.json", folder=folder)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("touchstone: ")


def test_there_is_an_end_to_a_report(folder: Path) -> None:
    many = openapi(required=True)
    many["paths"] |= {
        f"/more/{number}": {"get": {"operationId": f"x{number}", "responses": {}}} for number in range(150)
    }
    (folder / "many.json").write_text(json.dumps(many))
    gone = touchstone("diff", "many.json", "same.json", folder=folder)
    assert "1 breaking" not in gone.stdout
    assert gone.stdout.count("\n") < 110
    assert "150 breaking" in gone.stdout
    everything = touchstone("diff", "many.json", "same.json", "--all", folder=folder)
    assert "GET /more/149" in everything.stdout
