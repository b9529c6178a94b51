"""`touchstone` as a person calls it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner

from backend.app import cli

ROOT = Path(__file__).parents[2]
SECRET = "kQ9-for-the-tests-alone-and-long-enough"


def touchstone(
    *words: str, stdin: str = "", folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """In this process: a new one costs one to three seconds, most of it imports. Not for a command that sets up logs,
    handles signals or has no end of its own: `subprocess` and `command` are for these."""
    with (
        contextlib.chdir(folder or Path.cwd()),
        patch.object(sys, "argv", ["touchstone", *words]),
        CliRunner().isolation(stdin, environment) as (stdout, stderr, _),
    ):
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        return subprocess.CompletedProcess(words, code, stdout.getvalue().decode(), stderr.getvalue().decode())


def command(*words: str) -> list[str]:
    """For a process of its own."""
    return [sys.executable, "-c", "from backend.app.cli import main; main()", *words]


def settings(**values: str) -> dict[str, str]:
    """As environment variables: `settings(DATABASE__URL=...)`."""
    return {f"TOUCHSTONE_{name}": value for name, value in values.items()}


def clean_environment(**values: str) -> dict[str, str]:
    """All that a process of its own gets, whatever the shell of the developer says."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings(**values)}
