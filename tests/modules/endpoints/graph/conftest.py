from typing import Any

import pytest

from backend.app.core.settings import Settings
from backend.app.db.session import Database
from backend.app.modules.endpoints.looking import tools
from tests.support.bench import Bench, operation, read_here


@pytest.fixture
async def bench(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(tools, "read_description", read_here)
    return Bench.open(settings, database)


ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
USER = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}


def answering(schema: Any) -> dict[str, Any]:
    return {"responses": {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}}


USERS = {
    "/users": operation("post", **answering(USER)),
    "/users/{id}": operation("get", parameters=[ID]),
}
