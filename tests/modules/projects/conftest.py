import pytest
from fastapi import FastAPI

from backend.app.core.settings import Settings
from backend.app.db.session import Database
from backend.app.modules.projects.router import router
from tests.support.accounts import application


@pytest.fixture
def app(settings: Settings, database: Database) -> FastAPI:
    return application(settings, database, router)
