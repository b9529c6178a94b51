"""Logs: one JSON object a line, from our loggers and from other people's, without secrets."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from backend.app.core.settings import LoggingSettings
from backend.app.extensions.logging import configure_logging, get_logger

Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), write_through=True)


@pytest.fixture
def configured(stream: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    """Loggers made inside the test write into memory."""
    root = logging.getLogger()
    before, level, set_up = root.handlers[:], root.level, structlog.get_config()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging(LoggingSettings())
    structlog.contextvars.clear_contextvars()
    yield lambda: [json.loads(line) for line in stream.buffer.getvalue().splitlines()]  # type: ignore[attr-defined]
    structlog.contextvars.clear_contextvars()
    structlog.configure(**set_up)
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_says_when_how_bad_what_and_where(configured: Read) -> None:
    structlog.contextvars.bind_contextvars(request_id="r1")
    get_logger("scans").info("scan.started", count=3)
    (line,) = configured()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "info", "event": "scan.started", "module_id": "scans", "request_id": "r1", "count": 3}


def test_other_libraries_write_the_same_way(configured: Read) -> None:
    structlog.contextvars.bind_contextvars(request_id="r1")
    logging.getLogger("uvicorn.error").warning("port %d is taken", 8000)
    (line,) = configured()
    assert (line["module_id"], line["level"], line["event"]) == ("uvicorn.error", "warning", "port 8000 is taken")
    assert line["request_id"] == "r1"


@pytest.mark.parametrize(
    "field",
    ["password", "new_password", "Authorization", "access_token", "secret_key", "api_key", "apikey", "Set-Cookie"],
)
def test_secrets_are_masked_by_the_name_of_their_field(configured: Read, field: str) -> None:
    get_logger("x").info("said", **{field: "hush"}, headers={field: "hush"}, items=[{"deep": {field: "hush"}}])
    logging.getLogger("other").warning("said", extra={})
    text = json.dumps(configured())
    assert "hush" not in text
    assert text.count("***") == 3


def test_what_was_logged_is_not_changed(configured: Read) -> None:
    headers = {"authorization": "hush", "accept": "*/*"}
    get_logger("x").info("said", headers=headers)
    assert headers["authorization"] == "hush"
    assert configured()[0]["headers"]["accept"] == "*/*"


def test_a_trace_stands_on_the_same_line(configured: Read) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        get_logger("x").exception("failed")
        logging.getLogger("other").exception("failed")
    ours, theirs = configured()
    assert "ValueError: broken" in ours["exception"]
    assert "ValueError: broken" in theirs["exception"]


def test_any_value_can_be_logged(configured: Read) -> None:
    get_logger("x").info("said", odd=object, raw=b"\xff", keys={1: 2}, text="\ud800")
    assert configured()[0]["event"] == "said"


@pytest.mark.parametrize("text", ['a\n{"event": "forged"}', "a\r\nforged", "a\u2028b\x85c", "\x1b[2K\x1b[1Aforged"])
def test_no_text_makes_a_line_of_its_own(configured: Read, stream: io.TextIOWrapper, text: str) -> None:
    get_logger("x").info("said", text=text)
    logging.getLogger("other").warning("%s", text)
    assert [line.get("text", line["event"]) for line in configured()] == [text, text]
    assert b"\x1b" not in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_levels_below_the_set_one_are_silent(
    configured: Read, stream: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging(LoggingSettings(level="error"))
    get_logger("x").warning("quiet")
    logging.getLogger("other").info("quiet")
    get_logger("x").error("loud")
    assert [line["event"] for line in configured()] == ["loud"]


def test_the_console_is_for_people(configured: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging(LoggingSettings(format="console"))
    get_logger("x").info("scan.started", count=3)
    logging.getLogger("other").warning("said")
    assert "scan.started" in stream.getvalue()
    assert "said" in stream.getvalue()
