"""What becomes of projects when something happens elsewhere."""

from sqlalchemy import select

from backend.app.core.settings import Settings
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from backend.app.modules.projects.models import ProjectRecord, ProjectStatisticsRecord
from tests.support.contract import OurApi, ask


async def test_projects_go_with_their_workspace_and_no_others(settings: Settings, database: Database) -> None:
    api = OurApi(settings, database)
    async with await api.sign_up() as client:
        team = (await ask(client, "POST", "/workspaces", {"name": "Team"}, status=201))["id"]
        body = {"name": "Shop", "base_url": "http://127.0.0.1:9000"}
        kept = (await ask(client, "POST", "/projects", body, status=201))["id"]
        client.headers["X-Workspace-Id"] = team
        gone = [
            (await ask(client, "POST", "/projects", {**body, "name": f"Shop {n}"}, status=201))["id"] for n in range(3)
        ]
        await ask(client, "DELETE", f"/workspaces/{team}")
        await api.drain()
    async with database.transaction(write=False) as session:
        projects = list(await session.scalars(select(ProjectRecord.id)))
        statistics = list(await session.scalars(select(ProjectStatisticsRecord.project_id)))
        deleted = select(EventRecord.entity_id).where(EventRecord.name == "project.deleted")
        assert set(await session.scalars(deleted)) == set(gone)
    assert projects == statistics == [kept]
