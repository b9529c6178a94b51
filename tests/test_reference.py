"""The reference says what the code does."""

import functools
import re
from collections import Counter

import pytest

from backend.app.reference import FOLDER, pages

WRITTEN_BY_HAND = {"security.md"}
"""Held to the code by `tests/architecture/test_security_reference.py`."""
THERE = {path.name for path in FOLDER.iterdir()}
written = functools.cache(pages)


@pytest.mark.parametrize("name", sorted(THERE - WRITTEN_BY_HAND))
def test_a_page_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == written().get(name), f"{name}: run make reference"


def test_every_page_is_there_and_none_that_nobody_writes() -> None:
    assert written().keys() | WRITTEN_BY_HAND == THERE, "run make reference"


def test_an_error_code_means_one_thing() -> None:
    codes = Counter(re.findall(r"^\| `([^`]+)` \|", written()["errors.md"], re.MULTILINE))
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
    assert line in written()[page].replace("\\|", "|")
