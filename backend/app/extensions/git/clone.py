"""What a branch is at, and its files in a folder for as long as they are needed."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from backend.app.extensions.git.command import Credential, Finished, Job, Remote, git_program
from backend.app.extensions.git.errors import GitError, Reason
from backend.app.extensions.git.limits import MAX_FILE_BYTES, GitLimits
from backend.app.extensions.git.rules import repository_url, require_branch, require_subfolder
from backend.app.extensions.git.unpack import Skipped, unpack
from backend.app.extensions.http_client import HttpLimits, OutgoingPolicy, RequestRefused
from backend.app.extensions.http_client.resolver import Guard, Resolver, system_resolver
from backend.app.extensions.http_client.transport import TargetFault
from backend.app.extensions.scratch import scratch_folder

DEFAULT_LIMITS: Final = GitLimits()
QUESTIONS: Final = 8
"""That one process asks at a time: each is two processes, with up to 10 s to wait for somebody else's server."""

_questions: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_QUOTED = re.compile(r"'[^']*'")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_CLONE: Final = (
    "clone",
    "--quiet",
    "--bare",
    "--depth=1",
    "--single-branch",
    "--no-tags",
    "--no-recurse-submodules",
    f"--filter=blob:limit={MAX_FILE_BYTES}",
    "--template=",
)


@dataclass(frozen=True, slots=True)
class CheckoutOrder:
    """What to check out: `branch` None stands for the one that the repository says is its main one; `subfolder` is
    empty for everything."""

    name: str
    url: str
    branch: str | None = None
    subfolder: str = ""
    credential: Credential | None = None


@dataclass(frozen=True, slots=True)
class Head:
    branch: str
    commit: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """`path` is a folder of plain files, which goes when the context ends; `size` is theirs in bytes. `skipped` names
    the first of `skipped_count` entries that are not in it."""

    name: str
    path: Path
    commit: str
    files: int
    size: int
    skipped: tuple[Skipped, ...]
    skipped_count: int


async def head_of(
    order: CheckoutOrder,
    policy: OutgoingPolicy,
    *,
    limits: GitLimits = DEFAULT_LIMITS,
    resolver: Resolver = system_resolver,
) -> Head:
    """What the branch is at: one request, nothing is fetched. Raises `GitError`."""
    remote = await _remote(order, policy, resolver)
    questions = _questions.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(QUESTIONS))
    async with questions, _job(limits, None) as job:
        wanted = [f"refs/heads/{order.branch}"] if order.branch else []
        done = await job.run(
            "ls-remote", "--symref", "--", remote.url, "HEAD", *wanted, remote=remote, seconds=limits.ask_s
        )
        if done.status:
            raise _failure(done)
        return _head(done.stdout, order.branch)


@asynccontextmanager
async def checked_out(
    order: CheckoutOrder,
    policy: OutgoingPolicy,
    *,
    limits: GitLimits = DEFAULT_LIMITS,
    resolver: Resolver = system_resolver,
    directory: Path | None = None,
) -> AsyncIterator[Checkout]:
    """The files of the branch, in a new folder below `directory` (default: that of temporary files). Raises `GitError`.

    Symbolic links, submodules, LFS pointers, files over 10 MiB and names that are unsafe or not UTF-8 are passed over.
    """
    remote = await _remote(order, policy, resolver)
    async with _job(limits, directory) as job:
        branch = [f"--branch={order.branch}"] if order.branch else []
        done = await job.run(
            *_CLONE, *branch, "--", remote.url, str(job.repository), remote=remote, seconds=limits.deadline_s
        )
        if done.status:
            raise _failure(done)
        _forget_remote(job.repository)
        commit = await _commit(job, order.branch)
        files = job.folder / "files"
        unpacked = await unpack(job, commit, order.subfolder, files)
        await asyncio.to_thread(shutil.rmtree, job.repository)
        yield Checkout(
            order.name, files, commit, unpacked.files, unpacked.size, tuple(unpacked.skipped), unpacked.skipped_count
        )


def clone_to(
    url: str, branch: str | None, credential: Credential | None, policy: OutgoingPolicy
) -> AbstractAsyncContextManager[Checkout]:
    """`checked_out` for a repository that somebody typed; its name is the last part of the URL."""
    name = url.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return checked_out(CheckoutOrder(name, url, branch, credential=credential), policy)


@asynccontextmanager
async def _job(limits: GitLimits, directory: Path | None) -> AsyncIterator[Job]:
    program = await git_program()
    async with scratch_folder("git", below=directory) as folder:
        yield Job(folder, program, limits)


async def _remote(order: CheckoutOrder, policy: OutgoingPolicy, resolver: Resolver) -> Remote:
    """Every rule is asked before a process starts. Raises `GitError`."""
    origin, url = repository_url(order.url)
    if order.branch is not None:
        require_branch(order.branch)
    require_subfolder(order.subfolder)
    guard = Guard(policy, HttpLimits(), resolver)
    try:
        addresses = await guard.addresses(origin)
    except RequestRefused as refusal:
        raise GitError(Reason.ADDRESS_REFUSED, refusal.message) from None
    except TargetFault as fault:
        raise GitError(Reason.UNREACHABLE, fault.message) from None
    finally:
        await guard.aclose()
    spelled = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
    pin = f"{origin.host}:{origin.port}:{spelled}" if origin.address is None else None
    return Remote(url, pin, order.credential)


def _head(listing: str, branch: str | None) -> Head:
    """Reads `ls-remote --symref`. Raises `GitError` (BRANCH_NOT_FOUND)."""
    refs: dict[str, str] = {}
    main: str | None = None
    for line in listing.splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: refs/heads/") and name == "HEAD":
            main = value.removeprefix("ref: refs/heads/")
        elif _COMMIT.fullmatch(value):
            refs.setdefault(name, value)
    known = branch or main
    commit = refs.get(f"refs/heads/{branch}" if branch else "HEAD")
    if known is None or commit is None:
        raise _no_branch()
    require_branch(known)
    return Head(known, commit)


def _forget_remote(repository: Path) -> None:
    """To git it is whole from here on, with objects missing: nothing would fetch what was left out."""
    config = repository / "config"
    by_sha256 = re.search(r"^\s*objectformat\s*=\s*sha256\s*$", config.read_text(), re.I | re.M) is not None
    extensions = "[extensions]\n\tobjectformat = sha256\n" if by_sha256 else ""
    config.write_text(f"[core]\n\trepositoryformatversion = {int(by_sha256)}\n\tbare = true\n{extensions}")


async def _commit(job: Job, branch: str | None) -> str:
    """A clone takes a tag of the name for the branch: only a branch counts."""
    ref = f"refs/heads/{branch}" if branch else "HEAD"
    done = await job.run(*job.local("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"), seconds=job.limits.ask_s)
    commit = done.stdout.strip()
    if done.status or _COMMIT.fullmatch(commit) is None:
        raise _no_branch()
    return commit


def _no_branch() -> GitError:
    return GitError(Reason.BRANCH_NOT_FOUND, "the repository has no such branch, or no commit yet")


_SIGNS: Final[Mapping[Reason, tuple[re.Pattern[str], str]]] = {
    Reason.BRANCH_NOT_FOUND: (
        re.compile(r"^(?:warning|fatal): (?:Could not find remote branch|Remote branch) ", re.M),
        "the repository has no such branch",
    ),
    Reason.REDIRECTED: (
        re.compile(r"returned error: 3\d\d|unable to update url base from redirection", re.M),
        "the server redirects to another place: give the URL of that place",
    ),
    Reason.ACCESS_DENIED: (
        re.compile(
            r"Authentication failed|could not read (?:Username|Password)|unable to read askpass"
            r"|returned error: 40[13]|HTTP Basic: Access denied"
        ),
        "the server does not let these credentials in, or wants some",
    ),
    Reason.NOT_FOUND: (
        re.compile(r"^fatal: repository '' not found|returned error: (?:404|410)", re.M),
        "the server knows no such repository, or does not show it to these credentials",
    ),
    Reason.NO_SPACE: (
        re.compile(r"No space left on device|Disk quota exceeded"),
        "there is no space left on this machine for the repository",
    ),
    Reason.CERTIFICATE: (
        re.compile(r"certificate|SSL|TLS|gnutls", re.I),
        "the certificate of the server is not trusted, or TLS failed",
    ),
    Reason.UNREACHABLE: (
        re.compile(
            r"Could not resolve|Failed to connect|Couldn't connect|Connection (?:refused|reset|timed out)|Empty reply"
            r"|returned error: 5\d\d"
        ),
        "the server could not be reached, or fails",
    ),
    Reason.MALFORMED: (
        re.compile(r"fsck error|^error: object [0-9a-f]+: \w+:|index-pack failed|invalid index-pack output", re.M),
        "the repository holds objects that git refuses",
    ),
}
"""In the order in which they are asked for."""


def _failure(done: Finished) -> GitError:
    """What git says in English is looked through, without what it repeats of the server's own words and of the URL."""
    own = (line for line in done.stderr.splitlines() if not line.startswith("remote:"))
    said = _QUOTED.sub("''", "\n".join(own))
    for reason, (sign, message) in _SIGNS.items():
        if sign.search(said):
            return GitError(reason, message)
    how = f"signal {-done.status}" if done.status < 0 else f"exit status {done.status}"
    return GitError(Reason.FAILED, f"git could not read the repository ({how})")
