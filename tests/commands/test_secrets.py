"""`touchstone secrets rotate` says what it did, and when a former key may go."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import insert

from backend.app.core.clock import utc_now
from backend.app.core.ids import new_ulid
from backend.app.core.secrets import Sealer
from backend.app.core.settings import DatabaseSettings
from backend.app.db.engine import create_engine
from backend.app.db.models import metadata
from backend.app.db.session import Database
from tests.support.commands import settings, touchstone
from tests.support.databases import sqlite_database

OLD, NEW = "o" * 32, "n" * 32


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with one secret that the old key sealed."""
    url = sqlite_database(tmp_path)

    async def fill() -> None:
        key, database = new_ulid(), Database(create_engine(DatabaseSettings(url=url)))
        row = {
            "id": key,
            "workspace_id": key,
            "name": "p",
            "name_key": "p",
            "description": "",
            "environment": "test",
            "status": "active",
            "auth_type": "bearer",
            "auth_fields": ["token"],
            "auth_sealed": Sealer(OLD.encode()).seal(b'{"token": "t"}', f"projects/{key}/auth_config"),
            "version": 1,
            "created_at": utc_now(),
            "updated_at": utc_now(),
        }
        async with database.transaction() as session:
            await session.execute(insert(metadata().tables["projects"]).values(row))
        await database.close()

    asyncio.run(fill())
    return url


def test_counts_are_printed_and_the_former_key_may_go(url: str, tmp_path: Path) -> None:
    keys = settings(DATABASE__URL=url, AUTH__SECRET_KEY=NEW)
    refused = touchstone("worker", "--burst", folder=tmp_path, environment=keys)
    assert (refused.returncode, "touchstone secrets rotate" in refused.stderr) == (2, True), refused.stderr
    lost = touchstone("secrets", "rotate", folder=tmp_path, environment=keys)
    assert (lost.returncode, "1 broken" in lost.stdout, "Keep auth.previous_keys" in lost.stderr) == (1, True, True)
    both = settings(AUTH__PREVIOUS_KEYS=f'["{OLD}"]')
    rotated = touchstone("secrets", "rotate", folder=tmp_path, environment=keys | both)
    assert (rotated.returncode, rotated.stderr) == (0, "")
    assert "projects.auth_sealed: 1 sealed anew, 0 were current, 0 broken" in rotated.stdout
    assert "1440 minutes" in rotated.stdout
    alone = touchstone("secrets", "rotate", folder=tmp_path, environment=keys)
    assert (alone.returncode, "0 sealed anew, 1 were current, 0 broken" in alone.stdout) == (0, True), alone.stdout
