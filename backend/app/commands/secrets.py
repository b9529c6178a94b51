"""`touchstone secrets`."""

import asyncio

import typer

from backend.app.commands.serve import require_ready
from backend.app.commands.terminal import FOUND, GOOD
from backend.app.core.secrets import sealer
from backend.app.core.settings import Settings, load_settings
from backend.app.db.engine import create_engine
from backend.app.db.sealed import Rotated, rotate
from backend.app.db.session import Database


def rotate_secrets() -> int:
    """Returns 1 when a secret cannot be opened."""
    settings = load_settings()
    require_ready(settings)
    results = asyncio.run(_rotate(settings))
    for result in results:
        name = f"{result.column.table}.{result.column.column}"
        typer.echo(f"{name}: {result.resealed} sealed anew, {result.current} were current, {len(result.broken)} broken")
        for key in result.broken:
            typer.echo(f"  {result.column.key} {key}: no configured key opens it", err=True)
    if any(result.broken for result in results if result.column.lasting):
        typer.echo("Keep auth.previous_keys: add the missing key, or enter the broken secrets again.", err=True)
        return FOUND
    if settings.auth.previous_keys:
        typer.echo(_when_to_remove(settings))
    return GOOD


async def _rotate(settings: Settings) -> list[Rotated]:
    database = Database(create_engine(settings.database), patience_s=settings.database.busy_timeout_s)
    try:
        return await rotate(database, sealer(settings))
    finally:
        await database.close()


def _when_to_remove(settings: Settings) -> str:
    minutes = settings.auth.access_token_minutes
    return (
        "No sealed secret needs auth.previous_keys any more. Remove them once every server has run with the newest key "
        f"for {minutes} minutes (access tokens), and the API keys that shall live on were used since (their hashes)."
    )
