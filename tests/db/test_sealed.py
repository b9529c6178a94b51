"""Secrets at rest move to the newest key while they are used, and none is lost."""

import asyncio
import itertools
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Column, Table, insert, select, update

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.message_hub import MessageHub
from backend.app.core.permissions import ALL_PERMISSIONS, Principal
from backend.app.core.secrets import Sealer, sealer
from backend.app.core.settings import AuthSettings, Settings, SettingsError
from backend.app.db import sealed
from backend.app.db.models import metadata
from backend.app.db.sealed import SEALED, SealedColumn, require_openable, rotate
from backend.app.db.session import Database
from backend.app.main import create_app
from backend.app.modules.projects.service import ProjectService
from tests.support.bench import ALICE, Bench
from tests.support.databases import behind_the_wall

OLD, NEW = b"o" * 32, b"n" * 32
BOTH = Sealer(NEW, OLD)
(PROJECTS,) = (each for each in SEALED if each.table == "projects")


def keyed(settings: Settings, newest: bytes, *former: bytes) -> Settings:
    auth = AuthSettings(
        secret_key=SecretStr(newest.decode()), previous_keys=tuple(SecretStr(key.decode()) for key in former)
    )
    return settings.model_copy(update={"auth": auth})


async def projects(database: Database, settings: Settings, count: int) -> list[str]:
    """Projects whose target wants the bearer token `token-of-<position>`, in the order of their ids."""
    bench = Bench.open(settings, database)
    async with bench.client:
        return [
            await bench.project(
                base_url="http://a.example", auth_type="bearer", auth_config={"token": f"token-of-{number}"}
            )
            for number in range(count)
        ]


async def token_of(database: Database, settings: Settings, project_id: str) -> Any:
    principal = Principal(ALICE, ALICE, ALL_PERMISSIONS)
    async with database.transaction(write=False) as session:
        context = ServiceContext(settings, session, MessageHub(), principal, utc_now, "r")
        return (await ProjectService(context).credentials(project_id)).values["token"]


async def stored(database: Database) -> dict[str, str]:
    table = metadata().tables["projects"]
    async with database.transaction(write=False) as session:
        rows = await session.execute(select(table.c.id, table.c.auth_sealed))
        return {row.id: row.auth_sealed for row in rows}


def result_of(results: list[sealed.Rotated]) -> tuple[int, int, int]:
    (result,) = [each for each in results if each.column == PROJECTS]
    return result.resealed, result.current, len(result.broken)


@pytest.mark.parametrize("batch", [1, 3, 100])
async def test_every_secret_is_read_with_the_newest_key_alone_after_a_rotation(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(sealed, "_BATCH", batch)
    ids = await projects(database, keyed(settings, OLD), 4)
    ids += await projects(database, keyed(settings, NEW, OLD), 2)
    assert result_of(await rotate(behind_the_wall(database), BOTH)) == (4, 2, 0)
    for position, project_id in enumerate(ids):
        assert await token_of(database, keyed(settings, NEW), project_id) == f"token-of-{position % 4}"
    before = await stored(database)
    assert result_of(await rotate(behind_the_wall(database), BOTH)) == (0, 6, 0)
    assert await stored(database) == before


async def test_an_edit_during_the_rotation_is_kept(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await projects(database, keyed(settings, OLD), 2)
    table = metadata().tables["projects"]

    edited = Sealer(OLD).seal(b'{"token": "edited"}', f"projects/{first}/auth_config")
    product, edits = behind_the_wall(database), [edited]
    real = product.transaction

    def transaction(workspace_id: str, *, write: bool = True) -> Any:
        opened = real(workspace_id, write=write)
        return _After(opened, table, first, edits.pop()) if write and edits else opened

    monkeypatch.setattr(product, "transaction", transaction)
    assert result_of(await rotate(product, BOTH))[0] == 2
    assert await token_of(database, keyed(settings, NEW), first) == "edited"
    assert await token_of(database, keyed(settings, NEW), second) == "token-of-1"


class _After:
    """A transaction in which a row was changed since it was read."""

    def __init__(self, opened: Any, table: Table, key: str, value: str) -> None:
        self._opened, self._table, self._key, self._value = opened, table, key, value

    async def __aenter__(self) -> Any:
        session = await self._opened.__aenter__()
        await session.execute(update(self._table).where(self._table.c.id == self._key).values(auth_sealed=self._value))
        return session

    async def __aexit__(self, *error: Any) -> Any:
        return await self._opened.__aexit__(*error)


class _Killed(Exception):
    pass


class _Dying(Sealer):
    """Of a process that is killed in the middle."""

    left = 3

    def seal(self, plaintext: bytes, context: str) -> str:
        if not self.left:
            raise _Killed
        self.left -= 1
        return super().seal(plaintext, context)


@pytest.mark.parametrize(("batch", "moved"), [(1, 3), (2, 2), (100, 0)])
async def test_a_rotation_that_is_killed_loses_nothing_and_the_next_one_ends_it(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, batch: int, moved: int
) -> None:
    monkeypatch.setattr(sealed, "_BATCH", batch)
    ids = await projects(database, keyed(settings, OLD), 5)
    with pytest.raises(_Killed):
        await rotate(database, _Dying(NEW, OLD))
    assert sum(value.startswith(BOTH.newest_prefix) for value in (await stored(database)).values()) == moved
    for position, project_id in enumerate(ids):
        assert await token_of(database, keyed(settings, NEW, OLD), project_id) == f"token-of-{position}"
    assert result_of(await rotate(database, BOTH)) == (5 - moved, moved, 0)
    for position, project_id in enumerate(ids):
        assert await token_of(database, keyed(settings, NEW), project_id) == f"token-of-{position}"


async def test_servers_seal_and_open_while_it_runs_whichever_key_is_their_newest(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "_BATCH", 2)
    await projects(database, keyed(settings, OLD), 6)
    rotating = asyncio.create_task(rotate(database, BOTH))
    made = [await projects(database, keyed(settings, *keys), 2) for keys in ((NEW, OLD), (OLD,), (NEW, OLD), (OLD,))]
    await rotating
    for project_id in itertools.chain(*made):
        assert (await token_of(database, keyed(settings, NEW, OLD), project_id)).startswith("token-of-")
    await rotate(database, BOTH)
    assert all(value.startswith(BOTH.newest_prefix) for value in (await stored(database)).values())


async def test_a_rotation_is_no_edit_of_the_project(database: Database, settings: Settings) -> None:
    (project_id,) = await projects(database, keyed(settings, OLD), 1)
    bench = Bench.open(keyed(settings, NEW, OLD), database)
    before = (await bench.client.get(f"/projects/{project_id}")).headers["etag"]
    await rotate(behind_the_wall(database), BOTH)
    assert (await bench.client.get(f"/projects/{project_id}")).headers["etag"] == before


async def test_what_no_key_opens_is_named_and_left_alone(database: Database, settings: Settings) -> None:
    lost = await projects(database, keyed(settings, b"l" * 32), 1)
    await projects(database, keyed(settings, OLD), 1)
    before = await stored(database)
    (result,) = [each for each in await rotate(behind_the_wall(database), BOTH) if each.column == PROJECTS]
    assert (result.resealed, list(result.broken)) == (1, lost)
    assert (await stored(database))[lost[0]] == before[lost[0]]


async def test_the_application_does_not_start_while_a_secret_needs_a_missing_key(
    database: Database, settings: Settings
) -> None:
    await projects(database, keyed(settings, OLD), 2)
    await require_openable(behind_the_wall(database), BOTH)
    app = create_app(keyed(settings, NEW))
    with pytest.raises(SettingsError, match=r"2 secrets in projects\.auth_sealed need a key that is missing"):
        async with app.router.lifespan_context(app):
            pass
    await rotate(behind_the_wall(database), BOTH)
    async with app.router.lifespan_context(app):
        pass


async def test_what_lasts_for_minutes_keeps_nothing_from_starting(database: Database) -> None:
    table = metadata().tables["sso_attempts"]
    values = {"state_hash": "h", "provider": "p", "sealed": Sealer(b"l" * 32).seal(b"x", "y"), "expires_at": utc_now()}
    async with database.transaction() as session:
        await session.execute(insert(table).values(values))
    await require_openable(behind_the_wall(database), BOTH)


def test_every_sealed_column_is_listed() -> None:
    """A column that holds sealed values is called `sealed` or `..._sealed`."""

    def key_of(table: Table) -> str:
        (key,) = table.primary_key.columns
        return key.name

    def is_sealed(column: Column[Any]) -> bool:
        return column.name == "sealed" or column.name.endswith("_sealed")

    found = {
        (table.name, column.name, key_of(table))
        for table in metadata().tables.values()
        for column in table.columns
        if is_sealed(column)
    }
    assert found == {(each.table, each.column, each.key) for each in SEALED}
    assert all(isinstance(each, SealedColumn) and "{}" in each.place for each in SEALED)


def test_all_keys_of_the_settings_open(settings: Settings) -> None:
    rotating = sealer(keyed(settings, NEW, OLD))
    assert rotating.open(Sealer(OLD).seal(b"x", "a"), "a") == rotating.open(Sealer(NEW).seal(b"x", "a"), "a") == b"x"
