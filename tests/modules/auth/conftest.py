import pytest
from fastapi import FastAPI

from backend.app.core.settings import Settings
from backend.app.db.session import Database
from tests.support.accounts import SetClock, application


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def app(settings: Settings, database: Database, clock: SetClock) -> FastAPI:
    return application(settings, database, clock=clock)
