"""One run of the git command line: what it is told, what it may cost, and how it ends.

git gets an environment of its own, so that no set-up of the machine or of a user takes part, and limits on memory, CPU
and the size of a file. It leads a process group, which ends with it.
"""

import asyncio
import contextlib
import math
import os
import re
import shutil
import ssl
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from backend.app.extensions.git.errors import GitError, Reason
from backend.app.extensions.git.limits import MAX_FILE_BYTES, MIB, GitLimits
from backend.app.extensions.processes import Process, started

OLDEST: Final = (2, 39)
"""Older ones do not know `safe.bareRepository` (2.38), or would ignore `http.curloptResolve` (2.37) without a word."""

_CREDENTIAL_FD: Final = 9
ASKPASS: Final = f"#!/bin/sh\nIFS= read -r line <&{_CREDENTIAL_FD} && printf '%s\\n' \"$line\"\n"
"""What git runs to learn the user name, then the password: it reads a line of the pipe that git was started with."""
_LAUNCH: Final = (
    'ulimit -c 0; ulimit -t "$1"; ulimit -v "$2"; ulimit -f "$3"; shift 3; '
    f'exec {_CREDENTIAL_FD}<&0 </dev/null; exec "$@"'
)
_LAUNCH_FED: Final = 'ulimit -c 0; ulimit -t "$1"; ulimit -v "$2"; ulimit -f "$3"; shift 3; exec "$@"'

ENVIRONMENT: Final[Mapping[str, str]] = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
    "PATH": os.defpath,
}
OPTIONS: Final = (
    *("-c", "protocol.allow=never"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.symlinks=false"),
    *("-c", f"core.bigFileThreshold={MAX_FILE_BYTES}"),
    *("-c", "core.packedGitWindowSize=32m"),
    *("-c", "core.packedGitLimit=256m"),
    *("-c", "pack.threads=1"),
    *("-c", "safe.bareRepository=explicit"),
)
"""Of every run."""
ONLINE: Final = (
    *("-c", "protocol.https.allow=always"),
    *("-c", "http.followRedirects=false"),
    *("-c", "http.sslVerify=true"),
    *("-c", "http.emptyAuth=false"),
    *("-c", "http.proxy="),
    *("-c", "transfer.fsckObjects=true"),
    *("-c", "transfer.bundleURI=false"),
    *("-c", "fetch.uriProtocols="),
    *("-c", "credential.helper="),
    # What old commits have, and what says nothing about a path.
    *("-c", "fetch.fsck.badTimezone=ignore"),
    *("-c", "fetch.fsck.missingSpaceBeforeDate=ignore"),
    *("-c", "fetch.fsck.zeroPaddedFilemode=ignore"),
)
"""Of a run that talks to a server, besides."""

LATE_S: Final = 5
"""After its deadline git is ended even if nobody is there any more who waits for it."""
_KEPT_OUTPUT: Final = 64 * 1024
_GLANCE_S: Final = 0.1
_SPARE: Final = 64 * MIB
"""Of a file, for what comes between two glances at the folder: git that hits its limit does not say so."""


@dataclass(frozen=True, slots=True)
class Credential:
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remote:
    """`url` names the host by the name that `pin` gives addresses to; None where the URL has the address itself."""

    url: str
    pin: str | None
    credential: Credential | None

    def options(self) -> list[str]:
        options = [*ONLINE]
        if self.pin is not None:
            options += ["-c", f"http.curloptResolve={self.pin}"]
        # git's curl does not know of SSL_CERT_FILE, with which the rest of Touchstone trusts an authority.
        if authorities := ssl.get_default_verify_paths().cafile:
            options += ["-c", f"http.sslCAInfo={authorities}"]
        return options


@dataclass(frozen=True, slots=True)
class Finished:
    status: int
    stdout: str
    stderr: str
    """Holds what the server wrote: to be looked through, and shown to nobody."""


async def git_program() -> str:
    """The path of a git that is new enough. Raises `GitError` (GIT_MISSING)."""
    program = shutil.which("git")
    if program is None:
        raise GitError(Reason.GIT_MISSING, "git is not installed on this machine")
    if program not in _versions:
        _versions[program] = await _version(program)
    if (version := _versions[program]) < OLDEST:
        wanted, found = (".".join(map(str, each)) for each in (OLDEST, version))
        raise GitError(Reason.GIT_MISSING, f"git {wanted} or newer is needed, and this machine has {found}")
    return program


_versions: dict[str, tuple[int, int]] = {}
"""By the path of the program."""


async def _version(program: str) -> tuple[int, int]:
    async with started([program, "version"], env=ENVIRONMENT, stdout=PIPE) as process:
        found = re.search(r"(\d+)\.(\d+)", await _beginning(process.stdout))
    return (int(found[1]), int(found[2])) if found else (0, 0)


class Job:
    """A folder for one repository; it begins without the folders `home` and `repository`."""

    def __init__(self, folder: Path, program: str, limits: GitLimits) -> None:
        self.folder = folder.resolve()
        self.limits = limits
        self.repository = self.folder / "repository"
        self._program = program
        self._home = self.folder / "home"
        self._askpass = self.folder / "askpass"
        self._home.mkdir()
        self._askpass.write_text(ASKPASS)
        self._askpass.chmod(0o700)

    def environment(self, *, online: bool) -> dict[str, str]:
        return {
            **ENVIRONMENT,
            "GIT_ALLOW_PROTOCOL": "https" if online else "none",
            "GIT_ASKPASS": str(self._askpass),
            "GIT_CEILING_DIRECTORIES": str(self.folder.parent),
            "HOME": str(self._home),
            "TMPDIR": str(self._home),
        }

    def command(self, arguments: Sequence[str], *, seconds: float, fed: bool = False) -> list[str]:
        """`fed`: standard input is for git itself, and not the pipe of a credential."""
        bounds = (
            math.ceil(seconds) + 1,
            self.limits.memory_bytes // 1024,
            (2 * self.limits.max_repository_bytes + _SPARE) // 512,
        )
        launch = _LAUNCH_FED if fed else _LAUNCH
        # Of a worker that is killed somebody else has to end git; not every machine has coreutils.
        timeout = shutil.which("timeout", path=os.defpath)
        ending = [timeout, "-s", "KILL", str(math.ceil(seconds) + LATE_S)] if timeout else []
        return ["/bin/sh", "-c", launch, "git", *map(str, bounds), *ending, self._program, *OPTIONS, *arguments]

    def local(self, *arguments: str) -> list[str]:
        """Arguments that read the repository, which git does not find by itself."""
        return [f"--git-dir={self.repository}", *arguments]

    async def run(self, *arguments: str, remote: Remote | None = None, seconds: float) -> Finished:
        """Raises `GitError` (TOO_SLOW, TOO_LARGE); any other end is in the answer."""
        command = self.command([*(remote.options() if remote else ()), *arguments], seconds=seconds)
        credential = remote.credential if remote else None
        async with started(
            command,
            env=self.environment(online=remote is not None),
            stdin=PIPE if credential else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd=self._home,
        ) as process:
            watching = asyncio.create_task(self._watch())
            working = asyncio.create_task(_finish(process, credential))
            try:
                async with asyncio.timeout(seconds):
                    await asyncio.wait({watching, working}, return_when=asyncio.FIRST_COMPLETED)
                return await working if working.done() else await watching
            except TimeoutError:
                raise GitError(Reason.TOO_SLOW, f"the repository took longer than {seconds:g} s") from None
            finally:
                for task in (watching, working):
                    task.cancel()
                await asyncio.gather(watching, working, return_exceptions=True)

    def reading(self, *arguments: str, stdin: int, stdout: int) -> AbstractAsyncContextManager[Process]:
        """git as it reads the repository, with pipes of the caller's."""
        return started(
            self.command(self.local(*arguments), seconds=self.limits.deadline_s, fed=True),
            env=self.environment(online=False),
            stdin=stdin,
            stdout=stdout,
            cwd=self._home,
        )

    async def _watch(self) -> Finished:
        while True:
            await asyncio.sleep(_GLANCE_S)
            if _size(self.repository) > self.limits.max_repository_bytes:
                limit = self.limits.max_repository_bytes // MIB
                raise GitError(Reason.TOO_LARGE, f"the repository has more than {limit} MiB")


def _size(folder: Path) -> int:
    """Bytes of its files; those that vanish meanwhile count for nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - a Path for each costs more
    return total


async def _finish(process: Process, credential: Credential | None) -> Finished:
    _, stdout, stderr = await asyncio.gather(
        _tell(process.stdin, credential), _beginning(process.stdout), _beginning(process.stderr)
    )
    return Finished(await process.wait(), stdout, stderr)


async def _tell(pipe: asyncio.StreamWriter | None, credential: Credential | None) -> None:
    if pipe is None or credential is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.write(f"{credential.username}\n{credential.password}\n".encode())
        await pipe.drain()
    pipe.close()


async def _beginning(pipe: asyncio.StreamReader | None) -> str:
    """What comes first is kept; the rest is read, so that nobody waits for a full pipe."""
    kept = bytearray()
    while pipe is not None and (chunk := await pipe.read(_KEPT_OUTPUT)):
        kept += chunk[: _KEPT_OUTPUT - len(kept)]
    return kept.decode(errors="replace")
