"""The reference says what the code does."""

import re
from collections import Counter

import pytest

from backend.app.reference import FOLDER, pages

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(name: str) -> None:
    path = FOLDER / name
    assert path.exists() and path.read_text() == PAGES[name], f"{name}: run make reference"  # noqa: PT018


WRITTEN_BY_HAND = {"security.md"}
"""Held to the code by `tests/architecture/test_security_reference.py`."""


def test_there_is_no_page_that_nobody_writes() -> None:
    assert {path.name for path in FOLDER.iterdir()} == PAGES.keys() | WRITTEN_BY_HAND


def test_an_error_code_means_one_thing() -> None:
    codes = Counter(re.findall(r"^\| `([^`]+)` \|", PAGES["errors.md"], re.MULTILINE))
    assert codes["project.not_found"] == 1
    assert [code for code, times in codes.items() if times > 1] == []


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ("api.md", "| POST | `/api/v1/projects/{project_id}/scans` | scans.write |"),
        ("cli.md", "`-o, --output <text|json>`"),
        ("errors.md", "| `project.not_found` | 404 | There is no such project |"),
        ("events.md", "- `scans.run_scan` on the queue `long`"),
        ("permissions.md", "| `projects.write` | yes | yes | yes |  |"),
        ("plugins.md", "| `server_error` | 5xx: no request"),
        ("settings.md", "| `jobs.lease_s` | `TOUCHSTONE_JOBS__LEASE_S` | `30.0` |"),
    ],
)
def test_a_page_says_what_a_reader_looks_for(page: str, line: str) -> None:
    assert line in PAGES[page].replace("\\|", "|")
