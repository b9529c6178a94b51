"""Why a repository could not be used."""

from enum import StrEnum


class Reason(StrEnum):
    """Stable, for programs."""

    ACCESS_DENIED = "git.access_denied"
    """The server wants credentials, or other ones."""
    ADDRESS_REFUSED = "git.address_refused"
    """The guard of outgoing requests refuses the host or an address of it."""
    BRANCH_INVALID = "git.branch_invalid"
    BRANCH_NOT_FOUND = "git.branch_not_found"
    CERTIFICATE = "git.certificate"
    """The server's certificate is not trusted."""
    FAILED = "git.failed"
    GIT_MISSING = "git.missing"
    """There is no git on this machine, or one that is too old."""
    MALFORMED = "git.malformed"
    """The repository holds objects that git refuses, such as a path with `..`."""
    NO_SPACE = "git.no_space"
    """The disk of this machine is full."""
    NOT_FOUND = "git.not_found"
    """Servers say so of a private repository, too."""
    REDIRECTED = "git.redirected"
    SUBFOLDER_INVALID = "git.subfolder_invalid"
    SUBFOLDER_NOT_FOUND = "git.subfolder_not_found"
    TOO_LARGE = "git.too_large"
    TOO_MANY_FILES = "git.too_many_files"
    TOO_SLOW = "git.too_slow"
    UNREACHABLE = "git.unreachable"
    URL_INVALID = "git.url_invalid"


class GitError(Exception):
    """`message` is for people; it holds nothing that a server or a repository wrote, and no credential."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
