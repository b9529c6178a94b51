"""The columns that hold sealed secrets: whether the keys at hand open them, and how they move to the newest key."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnClause, String, column, func, select, table, update

from backend.app.core.secrets import PREFIX_LENGTH, SealBroken, Sealer
from backend.app.core.settings import SettingsError
from backend.app.db.session import Database
from backend.app.db.tenancy import EVERY_WORKSPACE

_BATCH: Final = 100
"""Secrets in one transaction: it holds SQLite's only writer for some milliseconds."""


@dataclass(frozen=True, slots=True)
class SealedColumn:
    table: str
    column: str
    key: str
    """The primary key."""
    place: str
    """The associated data of a row's secret, with `{}` for its key."""
    lasting: bool = True
    """Whether anybody misses a secret that cannot be opened."""


SEALED: Final = (
    SealedColumn("git_left_webhooks", "credential_sealed", "id", "git_sources/{}/credential", lasting=False),
    SealedColumn("git_sources", "credential_sealed", "id", "git_sources/{}/credential"),
    SealedColumn("git_sources", "webhook_sealed", "id", "git_sources/{}/webhook"),
    SealedColumn("projects", "auth_sealed", "id", "projects/{}/auth_config"),
    SealedColumn("sso_attempts", "sealed", "state_hash", "sso_attempts/{}", lasting=False),
)
"""All of them."""


@dataclass(frozen=True, slots=True)
class Rotated:
    column: SealedColumn
    resealed: int
    current: int
    """Secrets that the newest key had sealed before."""
    broken: tuple[str, ...]
    """Keys of the rows whose secret no key opens."""


async def require_openable(database: Database, sealer: Sealer) -> None:
    """Raises `SettingsError` when a secret was sealed with a key that is not at hand. Reads no secret: the key's id
    stands in front of each."""
    async with database.transaction(EVERY_WORKSPACE, write=False) as session:
        for sealed in filter(lambda each: each.lasting, SEALED):
            held: ColumnClause[str] = column(sealed.column, String)
            prefix = func.substr(held, 1, PREFIX_LENGTH)
            query = select(prefix, func.count()).select_from(table(sealed.table)).where(held.is_not(None))
            for found, count in await session.execute(query.group_by(prefix)):
                if not sealer.knows(found):
                    raise SettingsError(
                        f"auth.previous_keys: {count} secrets in {sealed.table}.{sealed.column} need a key that is "
                        "missing; add the former secret key, and remove it only after: touchstone secrets rotate"
                    )


async def rotate(database: Database, sealer: Sealer) -> list[Rotated]:
    """Seals every secret with the newest key, beside running servers. One that is changed meanwhile is left as it is:
    whoever changed it sealed it; passes are made until none is left."""
    return [await _rotate(database, sealer, sealed) for sealed in SEALED]


async def _rotate(database: Database, sealer: Sealer, sealed: SealedColumn) -> Rotated:
    resealed = 0
    current = await _count_current(database, sealer, sealed)
    while True:
        moved, met, broken = await _pass(database, sealer, sealed)
        resealed += moved
        if met == len(broken):
            return Rotated(sealed, resealed, current, tuple(broken))


async def _pass(database: Database, sealer: Sealer, sealed: SealedColumn) -> tuple[int, int, list[str]]:
    """How many secrets moved to the newest key, how many were met under another one, and those that do not open."""
    rows_of = table(sealed.table, column(sealed.key, String), column(sealed.column, String))
    key, held = rows_of.c[sealed.key], rows_of.c[sealed.column]
    older = select(key, held).where(held.is_not(None), ~held.startswith(sealer.newest_prefix))
    moved, met, broken, last = 0, 0, list[str](), ""
    while True:
        async with database.transaction(EVERY_WORKSPACE, write=False) as session:
            rows = (await session.execute(older.where(key > last).order_by(key).limit(_BATCH))).all()
        if not rows:
            return moved, met, broken
        last, met = rows[-1][0], met + len(rows)
        async with database.transaction(EVERY_WORKSPACE) as session:
            for row_key, value in rows:
                place = sealed.place.format(row_key)
                try:
                    fresh = sealer.seal(sealer.open(value, place), place)
                except SealBroken:
                    broken.append(row_key)
                    continue
                unchanged = update(rows_of).where(key == row_key, held == value).values({sealed.column: fresh})
                done: Any = await session.execute(unchanged)
                moved += done.rowcount


async def _count_current(database: Database, sealer: Sealer, sealed: SealedColumn) -> int:
    query = select(func.count()).select_from(table(sealed.table))
    async with database.transaction(EVERY_WORKSPACE, write=False) as session:
        return await session.scalar(query.where(column(sealed.column, String).startswith(sealer.newest_prefix))) or 0
