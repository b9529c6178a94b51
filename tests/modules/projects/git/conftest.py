from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from backend.app.core.settings import Settings
from backend.app.db.session import Database
from backend.app.modules.events.router import router as events_router
from backend.app.modules.projects.router import routers
from tests.support.accounts import SetClock, application, sign_up


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def app(settings: Settings, database: Database, clock: SetClock) -> FastAPI:
    return application(settings, database, *routers, events_router, clock=clock)


@pytest.fixture
async def ada(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with await sign_up(app) as client:
        yield client


@pytest.fixture
async def project(ada: httpx2.AsyncClient) -> str:
    """The path of a project of Ada's."""
    answer = await ada.post("/projects", json={"name": "Shop", "base_url": "http://shop.example"})
    return f"/projects/{answer.json()['data']['id']}"
