from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from backend.app.core.settings import Settings
from backend.app.db.session import Database
from backend.app.modules.auth.credentials import passwords
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.projects.router import router
from tests.support.accounts import application


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(autouse=True)
def _nobody_is_known() -> Iterator[None]:
    proven.forget()
    yield
    proven.forget()


@pytest.fixture
def app(settings: Settings, database: Database) -> FastAPI:
    return application(settings, database, router)
