import pytest

from backend.app.core.settings import Settings
from backend.app.db.session import Database
from tests.support.bench import Bench


@pytest.fixture
async def bench(settings: Settings, database: Database) -> Bench:
    return Bench.open(settings, database)
