"""What can go wrong with git sources."""

from collections.abc import Mapping
from typing import Final

from backend.app.core.errors import Conflict, InvalidInput, NotAuthenticated, NotFound, TouchstoneError, Unavailable
from backend.app.extensions.git import GitError, Reason


class GitSourceNotFound(NotFound):
    code = "git_source.not_found"
    title = "There is no such git source"


class GitSourceNameTaken(Conflict):
    code = "git_source.name_taken"
    title = "The project has a git source with this name"


class GitSourceUnusable(InvalidInput):
    """The reason stands in `errors`, as its `type`: `git.access_denied`, `git.branch_not_found` ..."""

    code = "git_source.unusable"
    title = "The repository cannot be read"


class GitMissing(Unavailable):
    code = "git.missing"
    title = "git is not installed on the server, or too old"


class BranchNeeded(InvalidInput):
    code = "git_source.branch_needed"
    title = "Name the branch, or let the repository be asked for its main one"


class GitCredentialNeeded(InvalidInput):
    code = "git_source.credential_needed"
    title = "The repository moves to another origin: send its credential too"


class ApiElsewhere(InvalidInput):
    code = "git_source.api_elsewhere"
    title = "The API of the provider is at another host than the repository: it would be sent the credential"


class WebhookRegistered(Conflict):
    code = "git_webhook.registered"
    title = "A webhook is registered at the repository: remove it first"


class WebhookNotFound(NotFound):
    code = "git_webhook.not_found"
    title = "No webhook of this source is registered"


class NoProvider(Conflict):
    code = "git_source.no_provider"
    title = "Registering a webhook needs the provider of the repository and a credential"


class GitHostRefused(InvalidInput):
    code = "git_host.refused"
    title = "The provider does not let the credential of this source manage webhooks"


class GitHostUnavailable(Unavailable):
    code = "git_host.unavailable"
    title = "The provider cannot be reached at the moment"


class GitHostFaulty(TouchstoneError):
    status = 502
    code = "git_host.faulty"
    title = "The provider does not answer as it should"


class DeliveryRefused(NotAuthenticated):
    """One for all reasons, also for a source that is not there."""

    code = "git_delivery.refused"
    title = "The delivery is not signed with a secret of this source"


class DeliveryUnreadable(TouchstoneError):
    status = 400
    code = "git_delivery.unreadable"
    title = "The delivery cannot be read"


class DeliveryInvalid(InvalidInput):
    code = "git_delivery.invalid"
    title = "The delivery names no branch or no commit"


_FIELDS: Final[Mapping[Reason, str]] = {
    Reason.ACCESS_DENIED: "credential",
    Reason.BRANCH_INVALID: "branch",
    Reason.BRANCH_NOT_FOUND: "branch",
    Reason.SUBFOLDER_INVALID: "subfolder",
}


def unusable(error: GitError) -> TouchstoneError:
    if error.reason is Reason.GIT_MISSING:
        return GitMissing(error.message)
    return GitSourceUnusable.because(error.reason.value, error.message, f"#/{_FIELDS.get(error.reason, 'url')}")
