import pytest

from backend.app.core.settings import Settings
from backend.app.db.session import Database
from backend.app.modules.endpoints.looking import tools
from tests.support.bench import Bench, read_here


@pytest.fixture
async def bench(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(tools, "read_description", read_here)
    return Bench.open(settings, database)
