"""What can go wrong with projects."""

from backend.app.core.errors import Conflict, InvalidInput, InvalidTransition, NotFound


class ProjectNotFound(NotFound):
    code = "project.not_found"
    title = "There is no such project"


class ProjectNameTaken(Conflict):
    code = "project.name_taken"
    title = "There is a project with this name"


class ArchivedProject(Conflict):
    code = "project.archived"
    title = "The project is archived: activate it first"


class InvalidProjectTransition(InvalidTransition):
    code = "project.invalid_transition"


class CredentialsNeeded(InvalidInput):
    code = "project.credentials_needed"
    title = "The target moves to another origin: send its auth_type and auth_config too"


class NoTarget(InvalidInput):
    code = "project.no_target"
    title = "A project needs a base_url or a spec_url"
