"""The rules of projects."""

import json
from collections.abc import Mapping
from typing import Any, Final

from backend.app.core.context import ServiceContext
from backend.app.core.etag import entity_tag, require_match
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event
from backend.app.core.pagination import InvalidCursor, Page, PageRequest
from backend.app.core.schema import InputSchema
from backend.app.core.secrets import Sealer, sealer
from backend.app.modules.auth.service import require_workspace
from backend.app.modules.projects.errors import (
    ArchivedProject,
    CredentialsNeeded,
    InvalidProjectTransition,
    NoTarget,
    ProjectNameTaken,
    ProjectNotFound,
)
from backend.app.modules.projects.events import (
    ProjectActivated,
    ProjectArchived,
    ProjectCreated,
    ProjectDeleted,
    ProjectUpdated,
)
from backend.app.modules.projects.git.repository import GitSourceRepository
from backend.app.modules.projects.models import AuthType, ProjectStatus
from backend.app.modules.projects.repository import ProjectFilter, ProjectRepository
from backend.app.modules.projects.schemas import (
    LastScan,
    ProjectCreate,
    ProjectRead,
    ProjectUpdate,
    TargetAuth,
    origin_of,
)

_TRANSITIONS: Final[Mapping[ProjectStatus, Mapping[ProjectStatus, type[ProjectArchived | ProjectActivated]]]] = {
    ProjectStatus.ACTIVE: {ProjectStatus.ARCHIVED: ProjectArchived},
    ProjectStatus.ARCHIVED: {ProjectStatus.ACTIVE: ProjectActivated},
}


class ProjectService:
    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._projects = ProjectRepository(context.session, context.workspace_id)

    async def create(self, wanted: ProjectCreate) -> ProjectRead:
        """Raises `NoTarget`, `ProjectNameTaken`, `WorkspaceNotFound`."""
        if wanted.base_url is None and wanted.spec_url is None:
            raise NoTarget
        await require_workspace(self._context)
        now = self._context.clock()
        project_id = new_ulid()
        values = {
            "id": project_id,
            **wanted.model_dump(exclude={"auth_type", "auth_config"}),
            **self._sealed(project_id, wanted.auth_type, wanted.auth_config),
            "created_at": now,
            "updated_at": now,
        }
        if not await self._projects.add(values):
            raise ProjectNameTaken
        await self._publish(ProjectCreated(project_id=project_id, label=wanted.name))
        return await self.get(project_id)

    async def page(self, wanted: ProjectFilter, request: PageRequest) -> Page[ProjectRead]:
        """Raises `InvalidCursor`."""
        before = request.after()
        if isinstance(before, int):
            raise InvalidCursor
        return request.page(await self._projects.page(wanted, before, request.limit + 1), "id")

    async def get(self, project_id: str) -> ProjectRead:
        """Raises `ProjectNotFound`."""
        row = await self._projects.get(project_id)
        if row is None:
            raise ProjectNotFound
        return ProjectRead.model_validate(row)

    async def lock(self, project_id: str) -> ProjectRead:
        """Nobody else locks, edits or deletes it until the end of the transaction. Raises `ProjectNotFound`."""
        return await self._locked(project_id, None)

    async def get_active(self, project_id: str) -> ProjectRead:
        """For what starts something, which then cannot outlive the project. Raises `ProjectNotFound`,
        `ArchivedProject`."""
        if not await self._projects.hold(project_id):
            raise ProjectNotFound
        project = await self.get(project_id)
        if project.status is not ProjectStatus.ACTIVE:
            raise ArchivedProject
        return project

    async def update(self, project_id: str, wanted: ProjectUpdate, if_match: str | None) -> ProjectRead:
        """Raises `ProjectNotFound`, `PreconditionFailed`, `InvalidTransition`, `NoTarget`, `CredentialsNeeded`,
        `ProjectNameTaken`."""
        project = await self._locked(project_id, if_match)
        sent = wanted.model_dump(exclude_unset=True, exclude={"auth_type", "auth_config", "status"})
        changes = {name: value for name, value in sent.items() if value != getattr(project, name)}
        if not any(changes.get(name, getattr(project, name)) for name in ("base_url", "spec_url")):
            raise NoTarget
        fields = sorted(changes)
        if "auth_type" not in wanted.model_fields_set:
            _require_same_origin(project, changes)
        else:
            changes |= self._sealed(project_id, wanted.auth_type, wanted.auth_config)
            fields.append("auth_config")
        events: list[Event] = [ProjectUpdated(project_id=project_id, fields=tuple(fields))] if fields else []
        if "status" in wanted.model_fields_set:
            events.append(_transition(project, wanted.status))
            changes["status"] = wanted.status
        if not changes:
            return project
        if not await self._projects.change(project_id, {**changes, "updated_at": self._context.clock()}):
            raise ProjectNameTaken
        for event in events:
            await self._publish(event)
        return await self.get(project_id)

    async def delete(self, project_id: str, if_match: str | None) -> None:
        """With all that other modules keep of it, which hear the event. Raises `ProjectNotFound`,
        `PreconditionFailed`."""
        project = await self._locked(project_id, if_match)
        await GitSourceRepository(self._context.session, self._context.workspace_id).leave_webhooks(project_id)
        await self._projects.remove(project_id)
        await self._publish(ProjectDeleted(project_id=project_id, label=project.name))

    async def credentials(self, project_id: str) -> TargetAuth:
        """The target's credentials in plain text: only for the jobs that call it. Raises `ProjectNotFound`,
        `SealBroken`."""
        held = await self._projects.sealed_auth(project_id)
        if held is None:
            raise ProjectNotFound
        origin = origin_of(held["base_url"], held["spec_url"])
        if held["auth_sealed"] is None:
            return TargetAuth(AuthType.NONE, {}, origin)
        values = json.loads(self._sealer().open(held["auth_sealed"], _place(project_id)))
        return TargetAuth(AuthType(held["auth_type"]), values, origin)

    async def record_statistics(
        self,
        project_id: str,
        *,
        endpoints: int | None = None,
        open_findings: int | None = None,
        last_scan: LastScan | None = None,
    ) -> None:
        """What the modules above know of the project; what is left out stays. A project that is gone is passed over."""
        counts = {"endpoints": endpoints, "open_findings": open_findings}
        values: dict[str, Any] = {name: count for name, count in counts.items() if count is not None}
        if last_scan is not None:
            values |= {f"last_scan_{name}": value for name, value in last_scan.model_dump().items()}
        if values:
            await self._projects.record_statistics(project_id, values)

    async def _locked(self, project_id: str, if_match: str | None) -> ProjectRead:
        if not await self._projects.lock(project_id):
            raise ProjectNotFound
        project = await self.get(project_id)
        if if_match is not None:
            require_match(if_match, entity_tag(project.version))
        return project

    def _sealed(self, project_id: str, kind: AuthType, config: InputSchema | None) -> dict[str, Any]:
        if config is None:
            return {"auth_type": kind, "auth_fields": [], "auth_sealed": None}
        values = config.model_dump()
        sealed = self._sealer().seal(json.dumps(values).encode(), _place(project_id))
        return {"auth_type": kind, "auth_fields": list(values), "auth_sealed": sealed}

    def _sealer(self) -> Sealer:
        return sealer(self._context.settings)

    async def _publish(self, event: Event) -> None:
        await self._context.hub.publish(event, self._context)


def _place(project_id: str) -> str:
    return f"projects/{project_id}/auth_config"


def _require_same_origin(project: ProjectRead, changes: Mapping[str, Any]) -> None:
    """Who may edit a project need not know its credentials: nobody gets them by pointing it at a server of theirs."""
    if project.auth_type is AuthType.NONE:
        return
    before = origin_of(project.base_url, project.spec_url)
    if origin_of(changes.get("base_url", project.base_url), changes.get("spec_url", project.spec_url)) != before:
        field = "base_url" if "base_url" in changes else "spec_url"
        raise CredentialsNeeded(errors=[{"pointer": f"#/{field}", "detail": CredentialsNeeded.title}])


def _transition(project: ProjectRead, wanted: ProjectStatus) -> Event:
    event = _TRANSITIONS[project.status].get(wanted)
    if event is None:
        raise InvalidProjectTransition(f"the project is {project.status}: it cannot become {wanted}")
    return event(project_id=project.id)
