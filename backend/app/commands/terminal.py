"""What commands share: how they end, and what they say about credentials. Imported by `--help`: keep it light."""

import sys
from collections.abc import Sequence
from typing import NoReturn
from urllib.parse import urlsplit

import typer

GOOD = 0
FOUND = 1
USAGE = 2
UNREACHABLE = 3
NOT_AUTHORISED = 4
INTERNAL = 5
INTERRUPTED = 130

AUTH_HELP = """basic:USER:PASSWORD, bearer:TOKEN, header:NAME=VALUE or query:NAME=VALUE. env:VARIABLE reads it from the
environment, where other users of the machine cannot see it."""


def require_url(option: str, text: str) -> None:
    """Ends with a usage error unless `text` is an absolute http or https URL."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        from backend.app.core.redaction import redact_phrases

        said = redact_phrases(text)
        nearest = f", perhaps http://{said}" if "://" not in text and ("." in text or ":" in text) else ""
        fail(f"{option} {said}: write a URL that begins with http:// or https://{nearest}", USAGE)


def read_secret(name: str, from_stdin: bool, *, option: str, confirm: bool = False) -> str:
    """From a terminal without showing it, or on stdin one line: a pipe is seen by nobody, an argument by every user of
    the machine. `option` reads stdin. Ends with a usage error when there is nothing to read."""
    if from_stdin:
        secret = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        secret = str(typer.prompt(name, hide_input=True, confirmation_prompt=confirm, err=True))
    else:
        fail(f"there is no terminal to ask for the {name.lower()}: write it to stdin with {option}", USAGE)
    if not secret:
        fail(f"{option}: there is nothing on stdin", USAGE)
    return secret


def print_json(value: object) -> None:
    import orjson

    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(map(printable, lines))


def printable(text: str) -> str:
    """What somebody else wrote, without the control characters that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def warn(message: str) -> None:
    """Of what others said too, without the characters that a terminal would obey."""
    typer.echo(f"touchstone: {printable(message)}", err=True)


def fail(message: str, code: int) -> NoReturn:
    typer.echo(f"touchstone: {message}", err=True)
    raise SystemExit(code)
