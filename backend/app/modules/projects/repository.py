"""All SQL of projects."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import CursorResult, Select, and_, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.insert import insert_or_ignore
from backend.app.modules.projects.models import ProjectRecord, ProjectStatisticsRecord, ProjectStatus
from backend.app.modules.projects.schemas import MASK

_COLUMNS: Final = (
    "id",
    "name",
    "description",
    "base_url",
    "spec_url",
    "environment",
    "status",
    "auth_type",
    "auth_fields",
    "version",
    "created_at",
    "updated_at",
)
_STATISTICS: Final = ("endpoints", "open_findings", "last_scan_id", "last_scan_status", "last_scan_finished_at")
_PROJECTS = (
    select(
        *(getattr(ProjectRecord, name) for name in _COLUMNS),
        *(getattr(ProjectStatisticsRecord, name) for name in _STATISTICS),
    )
    .join(ProjectStatisticsRecord, ProjectStatisticsRecord.project_id == ProjectRecord.id)
    .where(ProjectRecord.workspace_id == bindparam("workspace_id"))
)
_PROJECT = _PROJECTS.where(ProjectRecord.id == bindparam("id"))
_CONDITIONS: Final = {
    "before": ProjectRecord.id < bindparam("before"),
    "status": ProjectRecord.status == bindparam("status"),
    "environment": ProjectRecord.environment == bindparam("environment"),
    "name": ProjectRecord.name_key.contains(bindparam("name"), autoescape=False, escape="/"),
}


@dataclass(frozen=True, slots=True)
class ProjectFilter:
    """`name` is a part of the name, in any case."""

    status: ProjectStatus | None = None
    environment: str | None = None
    name: str | None = None


class ProjectRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._mine = ProjectRecord.workspace_id == workspace_id

    async def page(self, wanted: ProjectFilter, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        values = {
            "before": before,
            "status": wanted.status,
            "environment": wanted.environment,
            "name": None if wanted.name is None else _escaped(name_key(wanted.name)),
        }
        given = {name: value for name, value in values.items() if value is not None}
        query = _page(frozenset(given))
        rows = await self._session.execute(query, {**given, "workspace_id": self._workspace_id, "limit": limit})
        return [_read(row) for row in rows.mappings()]

    async def get(self, project_id: str) -> Row | None:
        rows = await self._session.execute(_PROJECT, {"id": project_id, "workspace_id": self._workspace_id})
        row = rows.mappings().first()
        return None if row is None else _read(row)

    async def lock(self, project_id: str) -> bool:
        """Nobody else changes the project until the transaction ends. False when there is none."""
        query = select(ProjectRecord.id).where(self._mine, ProjectRecord.id == project_id).with_for_update()
        return (await self._session.execute(query)).first() is not None

    async def hold(self, project_id: str) -> bool:
        """The project is not deleted until the transaction ends. False when there is none."""
        query = select(ProjectRecord.id).where(self._mine, ProjectRecord.id == project_id)
        return await self._session.scalar(query.with_for_update(read=True, key_share=True)) is not None

    async def sealed_auth(self, project_id: str) -> Row | None:
        """`auth_type`, `auth_sealed`, and the `base_url` and `spec_url` of the same moment."""
        query = select(
            ProjectRecord.auth_type, ProjectRecord.auth_sealed, ProjectRecord.base_url, ProjectRecord.spec_url
        ).where(self._mine, ProjectRecord.id == project_id)
        return (await self._session.execute(query)).mappings().first()

    async def add(self, values: Mapping[str, Any]) -> bool:
        """False when the name is taken."""
        scope = {"workspace_id": self._workspace_id}
        if not await insert_or_ignore(
            self._session, ProjectRecord, {**values, **scope, "name_key": name_key(values["name"])}
        ):
            return False
        await self._session.execute(insert(ProjectStatisticsRecord).values(**scope, project_id=values["id"]))
        return True

    async def change(self, project_id: str, values: Mapping[str, Any]) -> bool:
        """The next version of the project. False when the name is taken."""
        keyed = {"name_key": name_key(values["name"])} if "name" in values else {}
        statement = (
            update(ProjectRecord)
            .where(self._mine, ProjectRecord.id == project_id)
            .values(**values, **keyed, version=ProjectRecord.version + 1)
        )
        try:
            async with self._session.begin_nested():
                await self._session.execute(statement)
        except IntegrityError:
            return False
        return True

    async def remove(self, project_id: str) -> bool:
        statement = delete(ProjectRecord).where(self._mine, ProjectRecord.id == project_id)
        return cast(CursorResult[Any], await self._session.execute(statement)).rowcount == 1

    async def record_statistics(self, project_id: str, values: Mapping[str, Any]) -> None:
        mine = and_(
            ProjectStatisticsRecord.workspace_id == self._workspace_id, ProjectStatisticsRecord.project_id == project_id
        )
        await self._session.execute(update(ProjectStatisticsRecord).where(mine).values(**values))


def name_key(name: str) -> str:
    return name.casefold()


@functools.cache
def _page(given: frozenset[str]) -> Select[Any]:
    """Building a statement costs more than running it: one is kept for each set of filters."""
    conditions = [condition for name, condition in _CONDITIONS.items() if name in given]
    return _PROJECTS.where(*conditions).order_by(ProjectRecord.id.desc()).limit(bindparam("limit"))


def _escaped(text: str) -> str:
    """For LIKE, whose escape character is `/`."""
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")


def _read(row: Row) -> Row:
    """The row with the fields of `ProjectRead`."""
    read = dict(row)
    last_scan = {
        "id": read.pop("last_scan_id"),
        "status": read.pop("last_scan_status"),
        "finished_at": read.pop("last_scan_finished_at"),
    }
    read["auth_config"] = dict.fromkeys(read.pop("auth_fields"), MASK)
    read["statistics"] = {
        "endpoints": read.pop("endpoints"),
        "open_findings": read.pop("open_findings"),
        "last_scan": last_scan if last_scan["id"] else None,
    }
    return read
