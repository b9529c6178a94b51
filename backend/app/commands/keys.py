"""`touchstone keys`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer
from pydantic import BaseModel

from backend.app.commands.client import ULID, Client, Nothing, ServerFault, with_client
from backend.app.commands.terminal import GOOD, USAGE, fail, print_json, printable, table, warn

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}
_MOST_SCOPES_SHOWN: Final = 2


class _Key(BaseModel):
    id: str
    name: str
    last_four: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class _KeyWithSecret(_Key):
    key: str


def create_key(name: str, scopes: list[str] | None, workspace: str | None, expires: str | None, as_json: bool) -> int:
    body: dict[str, object] = {"name": name}
    if scopes:
        body["scopes"] = scopes
    if expires is not None:
        try:
            body["expires_at"] = expiry(expires, datetime.now(UTC)).isoformat()
        except ValueError as error:
            fail(f"--expires {expires}: {error}", USAGE)

    async def work(client: Client) -> int:
        key = await client.ask(_KeyWithSecret, "POST", "/user/api-keys", body)
        if as_json:
            print_json(key.model_dump(mode="json"))
        else:
            typer.echo(key.key)
            until = _time(key.expires_at, "it is revoked")
            warn(f"key {key.name!r} ({key.id}) is shown this once. It has {_scopes(key)}, until {until}")
        return GOOD

    return with_client(work, workspace)


def list_keys(workspace: str | None, as_json: bool) -> int:
    async def work(client: Client) -> int:
        keys = await client.rows(_Key, "/user/api-keys")
        if as_json:
            print_json([key.model_dump(mode="json") for key in keys])
        elif not keys:
            warn("you have no API keys in this workspace: `touchstone keys create NAME`")
        else:
            rows = [
                (key.name, key.id, f"...{key.last_four}", _scopes(key), _time(key.created_at),
                 _time(key.expires_at), _time(key.last_used_at))
                for key in keys
            ]  # fmt: skip
            typer.echo(table([("NAME", "ID", "KEY", "SCOPES", "CREATED", "EXPIRES", "LAST USED"), *rows]))
        return GOOD

    return with_client(work, workspace)


def revoke_key(key: str, workspace: str | None) -> int:
    async def work(client: Client) -> int:
        key_id = key if ULID.fullmatch(key) else await _find_key(client, key)
        await client.ask(Nothing, "DELETE", f"/user/api-keys/{key_id}")
        typer.echo(printable(f"Key {key} is revoked"))
        return GOOD

    return with_client(work, workspace)


async def _find_key(client: Client, name: str) -> str:
    """The id of the key with this name."""
    found = [each for each in await client.rows(_Key, "/user/api-keys") if each.name == name]
    if not found:
        raise ServerFault(f"you have no key called {name!r} in this workspace: see `touchstone keys list`", USAGE)
    if len(found) > 1:
        ids = ", ".join(f"{each.id} (...{each.last_four})" for each in found)
        raise ServerFault(f"several keys are called {name!r}: name one of {ids}", USAGE)
    return found[0].id


def expiry(text: str, now: datetime) -> datetime:
    """`12h`, `30d`, `4w` from `now`, or a date or time of ISO 8601, in UTC unless it says otherwise. Raises
    `ValueError`."""
    try:
        if match := re.fullmatch(r"([1-9][0-9]{0,8})([hdw])", text, re.ASCII):
            return now + timedelta(**{_UNITS[match[2]]: int(match[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError("write 12h, 30d, 4w, or a date such as 2027-01-31") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _scopes(key: _Key) -> str:
    return ", ".join(key.scopes) if len(key.scopes) <= _MOST_SCOPES_SHOWN else f"{len(key.scopes)} scopes"


def _time(moment: datetime | None, never: str = "never") -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment is not None else never
