"""What commands share: how they end, and what they say about credentials. Imported by `--help`: keep it light."""

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
        nearest = f", perhaps http://{text}" if "://" not in text and ("." in text or ":" in text) else ""
        fail(f"{option} {text}: write a URL that begins with http:// or https://{nearest}", USAGE)


def fail(message: str, code: int) -> NoReturn:
    typer.echo(f"touchstone: {message}", err=True)
    raise SystemExit(code)
