"""What differs between the providers: how a delivery is signed and read, and how a webhook is registered.

One file each; `PROVIDERS` has them in the order in which a delivery is offered to them.
"""

from collections.abc import Mapping
from typing import Final

from backend.app.modules.projects.git.providers.base import GitHost
from backend.app.modules.projects.git.providers.bitbucket import Bitbucket, BitbucketServer
from backend.app.modules.projects.git.providers.github import GitHub
from backend.app.modules.projects.git.providers.gitlab import GitLab
from backend.app.modules.projects.git.schemas import Provider

PROVIDERS: Final[Mapping[Provider, GitHost]] = {
    Provider.GITHUB: GitHub(),
    Provider.GITLAB: GitLab(),
    Provider.BITBUCKET: Bitbucket(),
    Provider.BITBUCKET_SERVER: BitbucketServer(),
}


def provider_of(host: str) -> Provider | None:
    """Told from the name of a host: one that says whose software runs there."""
    labels = host.split(".")
    if host == "bitbucket.org":
        return Provider.BITBUCKET
    if "bitbucket" in labels:
        return Provider.BITBUCKET_SERVER
    return next((each for each in (Provider.GITHUB, Provider.GITLAB) if each.value in labels), None)
