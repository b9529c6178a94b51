"""`touchstone admin create` makes the person who holds the machine an administrator."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from backend.app.core.clock import utc_now
from backend.app.core.settings import DatabaseSettings
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from backend.app.modules.auth.credentials.passwords import verify_password
from backend.app.modules.auth.models import UserRecord
from tests.support.accounts import PASSWORD
from tests.support.commands import SECRET, settings, touchstone


def create(folder: Path, url: str, *words: str, password: str = PASSWORD) -> "subprocess.CompletedProcess[str]":
    environment = settings(DATABASE__URL=url, AUTH__SECRET_KEY=SECRET)
    words = ("admin", "create", *words, "--password-stdin")
    return touchstone(*words, stdin=f"{password}\n", folder=folder, environment=environment)


def users(url: str, **change: Any) -> list[UserRecord]:
    """All of them, after a change of all of them."""

    async def read() -> list[UserRecord]:
        database = Database(create_engine(DatabaseSettings(url=url)))
        async with database.transaction() as session:
            if change:
                await session.execute(update(UserRecord).values(**change))
            found = list(await session.scalars(select(UserRecord).order_by(UserRecord.id)))
        await database.close()
        return found

    return asyncio.run(read())


def test_an_administrator_is_made_and_an_account_is_made_one(tmp_path: Path, database_url: str) -> None:
    made = create(tmp_path, database_url, "Root@Example.com")
    assert (made.returncode, made.stderr) == (0, ""), made.stderr
    (user,) = users(database_url)
    assert (user.email, user.role) == ("root@example.com", "admin")
    assert user.email_verified_at is not None
    assert asyncio.run(verify_password(user.password_hash, PASSWORD))

    users(database_url, role="user", disabled_at=utc_now())
    again = create(tmp_path, database_url, "root@example.com", password="")
    assert again.returncode == 0, again.stderr
    (same,) = users(database_url)
    assert (same.id, same.role, same.disabled_at, same.password_hash) == (user.id, "admin", None, user.password_hash)
    assert PASSWORD not in made.stdout + again.stdout


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("nobody", PASSWORD, "nobody"),
        ("root@example.com", "short", "15 to 1024"),
        ("root@example.com", "passwordpassword", "password"),
    ],
)
def test_what_breaks_a_rule_is_refused_in_one_line(tmp_path: Path, email: str, password: str, said: str) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/t.db"
    done = create(tmp_path, url, email, password=password)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert said in done.stderr
    assert users(url) == []
