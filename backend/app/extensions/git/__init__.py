"""The one door to git repositories of others: the git command line, over https, with nothing of the machine's set-up.

It asks what a branch is at (`head_of`), and lends the files of a branch as plain files (`checked_out`, `clone_to`). The
host is resolved once, by the guard of outgoing requests, and git dials what was checked. Nothing of a repository runs
or is followed: no hooks, filters, submodules, symbolic links, LFS. A credential goes to git through a pipe.

ssh is left out: the address that it dials could not be pinned, nor the host's key known without a file of somebody's.
"""

from backend.app.extensions.git.clone import Checkout, CheckoutOrder, Head, checked_out, clone_to, head_of
from backend.app.extensions.git.command import Credential
from backend.app.extensions.git.errors import GitError, Reason
from backend.app.extensions.git.limits import GitLimits
from backend.app.extensions.git.unpack import Skipped

__all__ = [
    "Checkout",
    "CheckoutOrder",
    "Credential",
    "GitError",
    "GitLimits",
    "Head",
    "Reason",
    "Skipped",
    "checked_out",
    "clone_to",
    "head_of",
]
