from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from backend.app.modules.auth.credentials import passwords
from backend.app.modules.auth.credentials.proven import proven
from tests.support import databases


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(autouse=True)
def _nobody_is_known() -> Iterator[None]:
    proven.forget()
    yield
    proven.forget()


@pytest.fixture
def both_urls(tmp_path: Path, postgres_url: str) -> tuple[str, str]:
    """A migrated SQLite and a migrated PostgreSQL database without a row."""
    return databases.sqlite_database(tmp_path), postgres_url
