"""Repositories and servers that mean harm, and those that do not."""

import asyncio
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.app.extensions.git import (
    Checkout,
    CheckoutOrder,
    Credential,
    GitError,
    GitLimits,
    Reason,
    checked_out,
    clone_to,
    command,
    head_of,
)
from backend.app.extensions.git.clone import _CLONE
from backend.app.extensions.git.command import ENVIRONMENT, ONLINE, OPTIONS
from backend.app.extensions.http_client import OutgoingPolicy
from backend.app.extensions.scratch import remove_abandoned
from tests.support import git_host
from tests.support.git_host import Call, GitHost, Repository
from tests.support.payloads import load, load_document

HERE = OutgoingPolicy(allow_private=True)
MIB = 1024 * 1024
SECRET = "s3cret & of/ada"
FILE, LINK, MODULE, FOLDER = "100644", "120000", "160000", "40000"


def order(repository: Repository, branch: str | None = "main", subfolder: str = "", **more: Any) -> CheckoutOrder:
    return CheckoutOrder("shop", repository.url, branch, subfolder, **more)


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def traces(folder: Path) -> list[Path]:
    return list(folder.rglob("*pwned*"))


async def files_of(wanted: CheckoutOrder, tmp_path: Path, **options: Any) -> tuple[dict[str, bytes], Checkout]:
    """Nothing but plain files is in the folder, and nothing is left when it was read."""
    jobs = tmp_path / "jobs"
    jobs.mkdir(exist_ok=True)
    async with checked_out(wanted, HERE, directory=jobs, **options) as checkout:
        assert not any(path.is_symlink() for path in jobs.rglob("*"))
        found = below(checkout.path)
        assert len(found) == checkout.files
    assert list(jobs.iterdir()) == []
    return found, checkout


async def failure(wanted: CheckoutOrder, tmp_path: Path, **options: Any) -> Reason:
    with pytest.raises(GitError) as caught:
        await files_of(wanted, tmp_path, **options)
    assert list((tmp_path / "jobs").iterdir()) == []
    assert SECRET not in str(caught.value)
    return caught.value.reason


SURVIVED = {
    "git-059": "test_what_a_tree_can_hold",
    "git-062": "test_what_a_tree_can_hold",
    "git-063": "test_what_git_refuses",
    "git-064": "test_what_a_tree_can_hold",
    "git-066": "test_what_a_tree_can_hold",
    "git-067": "test_what_a_tree_can_hold",
    "git-069": "test_files_that_are_too_many_or_too_much",
    "git-072": "test_what_git_refuses",
    "git-073": "test_what_a_tree_can_hold",
    "git-074": "test_what_a_tree_can_hold",
    "git-075": "test_what_a_tree_can_hold",
    "git-079": "test_a_server_that_never_ends_the_pack",
    "git-080": "test_credentials_go_through_a_pipe_alone",
    "git-081": "test_no_redirect_is_followed",
}
"""Which test builds each of the given repositories."""


def test_every_given_repository_is_built() -> None:
    assert set(SURVIVED) == {case["id"] for case in load("git.json") if case["kind"] == "repository"}
    assert set(SURVIVED.values()) <= set(globals())


async def test_files_are_those_of_the_branch(repository: Repository, tmp_path: Path) -> None:
    main = repository.files({"app.py": b"print()\n", "api/v1/routes.py": b"\r\n\0"})
    repository.files({"other.py": b"", "api/v2/routes.py": b"2"}, "release/1.x")
    found, checkout = await files_of(order(repository), tmp_path)
    assert found == {"app.py": b"print()\n", "api/v1/routes.py": b"\r\n\0"}
    assert (checkout.name, checkout.commit, checkout.size, checkout.skipped) == ("shop", main, 11, ())
    assert (await files_of(order(repository, "release/1.x", "api/v2"), tmp_path))[0] == {"routes.py": b"2"}
    async with clone_to(repository.url, None, None, HERE) as typed:
        assert (typed.name, below(typed.path)) == ("shop", found)


async def test_what_is_not_there(host: GitHost, repository: Repository, tmp_path: Path) -> None:
    commit = repository.files({"a.py": b""})
    repository.git("tag", "v1", commit)
    assert await failure(order(repository, "nope"), tmp_path) is Reason.BRANCH_NOT_FOUND
    assert await failure(order(repository, "v1"), tmp_path) is Reason.BRANCH_NOT_FOUND
    assert await failure(order(repository, subfolder="nope"), tmp_path) is Reason.SUBFOLDER_NOT_FOUND
    assert await failure(order(host.repository("empty.git"), None), tmp_path) is Reason.BRANCH_NOT_FOUND
    elsewhere = CheckoutOrder("x", f"{host.url}/none.git")
    assert await failure(elsewhere, tmp_path) is Reason.NOT_FOUND


async def test_what_a_branch_is_at(repository: Repository) -> None:
    main = repository.files({"a.py": b""})
    other = repository.files({"b.py": b""}, "refs/heads/main")
    assert main != other
    assert (await head_of(order(repository), HERE)).commit == main
    assert await head_of(order(repository, None), HERE) == await head_of(order(repository), HERE)
    with pytest.raises(GitError) as caught:
        await head_of(order(repository, "nope"), HERE)
    assert caught.value.reason is Reason.BRANCH_NOT_FOUND


async def test_credentials_go_through_a_pipe_alone(
    host: GitHost, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.files({"a.py": b"1"})
    monkeypatch.setenv("HOME_OF_A_USER", SECRET)
    seen: list[str] = []

    def look(call: Call) -> None:
        for child in psutil.Process().children(recursive=True):
            seen.extend([*child.cmdline(), *(f"{name}={value}" for name, value in child.environ().items())])
        seen.extend(path.read_text(errors="replace") for path in (tmp_path / "jobs").rglob("*") if path.is_file())

    host.accounts, host.answer = {"ada": SECRET}, look
    known = Credential("ada", SECRET)
    assert (await files_of(order(repository, credential=known), tmp_path))[0] == {"a.py": b"1"}
    assert await failure(order(repository), tmp_path) is Reason.ACCESS_DENIED
    assert (
        await failure(order(repository, credential=Credential("ada", f"{SECRET}!")), tmp_path) is Reason.ACCESS_DENIED
    )
    assert "git" in " ".join(seen)
    assert [text for text in seen if SECRET in text or "HOME_OF_A_USER" in text] == []
    assert SECRET not in repr(known)


def test_git_is_told_what_it_has_to_be_told(tmp_path: Path) -> None:
    given = load_document("git.json")
    said = [f"{flag} {value}" for flag, value in zip(OPTIONS[::2], OPTIONS[1::2], strict=True)]
    said += [f"{flag} {value}" for flag, value in zip(ONLINE[::2], ONLINE[1::2], strict=True)]
    said += [option.replace("10485760", "10m") for option in _CLONE]
    assert [option for option in given["options"] if option not in (*said, "--")] == []
    environment = command.Job(tmp_path, "git", GitLimits()).environment(online=True)
    assert Path(environment["HOME"]).is_dir()
    assert not list(Path(environment["HOME"]).iterdir())
    expected = {**given["environment"], "GIT_ALLOW_PROTOCOL": "https", "HOME": environment["HOME"]}  # without ssh
    assert {name: environment[name] for name in expected} == expected
    assert set(ENVIRONMENT) < set(environment)


async def test_the_host_is_dialled_where_it_was_resolved(repository: Repository) -> None:
    repository.files({"a.py": b""})
    asked: list[str] = []

    async def resolver(name: str) -> Sequence[str]:
        asked.append(name)
        return ["127.0.0.1"]

    by_name = CheckoutOrder("x", repository.url.replace("127.0.0.1", git_host.NAME), "main")
    assert (await head_of(by_name, HERE, resolver=resolver)).branch == "main"
    assert asked == [git_host.NAME]


async def test_no_redirect_is_followed(host: GitHost, repository: Repository, tmp_path: Path) -> None:
    repository.files({"a.py": b""})
    host.answer = lambda call: (
        (302, {"Location": call.path.replace("moved", "shop")}, b"") if call.path.startswith("/moved") else None
    )
    moved = replace(order(repository), url=f"{host.url}/moved.git", credential=Credential("ada", SECRET))
    assert await failure(moved, tmp_path) is Reason.REDIRECTED
    assert {call.path.split("/")[1] for call in host.calls} == {"moved.git"}


async def test_servers_that_cannot_be_trusted_or_reached(
    host: GitHost, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = replace(order(repository), url="https://127.0.0.1:1/certificate.git")
    assert await failure(nobody, tmp_path) is Reason.UNREACHABLE
    host.answer = lambda call: (503, {}, b"")
    assert await failure(order(repository), tmp_path) is Reason.UNREACHABLE
    monkeypatch.delenv("SSL_CERT_FILE")
    assert await failure(order(repository), tmp_path) is Reason.CERTIFICATE


async def test_a_server_that_never_ends_the_pack(host: GitHost, repository: Repository, tmp_path: Path) -> None:
    repository.files({"a.bin": os.urandom(100_000)})
    host.stall = threading.Event()
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    started = time.monotonic()
    assert await failure(order(repository), tmp_path, limits=GitLimits(deadline_s=1)) is Reason.TOO_SLOW
    assert time.monotonic() - started < 5
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


async def test_who_is_cancelled_leaves_no_process(host: GitHost, repository: Repository, tmp_path: Path) -> None:
    repository.files({"a.bin": os.urandom(100_000)})
    host.stall, waiting, loop = threading.Event(), asyncio.Event(), asyncio.get_running_loop()

    def announce() -> None:
        loop.call_soon_threadsafe(waiting.set)

    host.on_pack = announce
    cloning = asyncio.create_task(files_of(order(repository), tmp_path))
    await waiting.wait()
    cloning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cloning
    assert not [child for child in psutil.Process().children(recursive=True) if "clone" in child.cmdline()]
    assert list((tmp_path / "jobs").iterdir()) == []


_WORKER = """
import asyncio, sys
from pathlib import Path
from backend.app.extensions.git import CheckoutOrder, GitLimits, checked_out, command
from backend.app.extensions.http_client import OutgoingPolicy

async def main(url, folder):
    command.LATE_S = 0
    order, policy = CheckoutOrder("shop", url, "main"), OutgoingPolicy(allow_private=True)
    async with checked_out(order, policy, limits=GitLimits(deadline_s=2), directory=Path(folder)):
        pass

asyncio.run(main(*sys.argv[1:]))
"""


def test_what_a_killed_worker_leaves_ends_and_is_removed(host: GitHost, repository: Repository, tmp_path: Path) -> None:
    repository.files({"a.bin": os.urandom(100_000)})
    host.stall, waiting = threading.Event(), threading.Event()
    host.on_pack = waiting.set
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    with subprocess.Popen([sys.executable, "-c", _WORKER, repository.url, str(jobs)]) as worker:
        try:
            assert waiting.wait(30)
            orphans = psutil.Process(worker.pid).children(recursive=True)
        finally:
            worker.kill()
    assert [each for each in orphans if "clone" in each.cmdline()]
    assert psutil.wait_procs(orphans, timeout=20)[1] == []
    (left,) = jobs.iterdir()
    os.utime(left, (0, 0))
    assert remove_abandoned(jobs) == 1
    assert list(jobs.iterdir()) == []


async def test_a_full_disk_is_no_name_that_cannot_be_written(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is passed over takes its routes out of the inventory."""
    repository.files({"a.py": b"1"})
    opens = os.open

    def full(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if flags & os.O_EXCL and os.fsencode(path).endswith(b"/a.py"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return opens(path, flags, mode, **more)

    monkeypatch.setattr(os, "open", full)
    assert await failure(order(repository), tmp_path) is Reason.NO_SPACE


async def test_a_server_that_sends_without_end(host: GitHost, repository: Repository, tmp_path: Path) -> None:
    repository.files({"a.bin": os.urandom(1000)})
    host.flood = True
    small = GitLimits(deadline_s=30, max_repository_bytes=2 * MIB)
    assert await failure(order(repository), tmp_path, limits=small) is Reason.TOO_LARGE


async def test_what_git_refuses(repository: Repository, tmp_path: Path) -> None:
    """Paths that lead elsewhere: the case `hasDotdot` of fsck and its like."""
    blob = repository.blob(b"pwned")
    for name in (b"..", b"/etc/passwd", b".git", b".GIT", b"git~1"):
        entry = (LINK, name, blob) if name == b".GIT" else (FOLDER, name, repository.tree([(FILE, b"x", blob)]))
        repository.commit(repository.tree([entry]))
        assert await failure(order(repository), tmp_path) is Reason.MALFORMED, name
    assert not traces(tmp_path)


async def test_what_a_tree_can_hold(repository: Repository, tmp_path: Path) -> None:
    """Links, submodules, attributes, repositories within the tree: none is followed, and what is a file is a file."""
    blob = repository.blob
    text = blob(b"text")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    config = b"[core]\n\tbare = true\n\tfsmonitor = touch pwned; false\n\tworktree = ..\n"
    inner = repository.tree(
        [
            (FILE, b"HEAD", blob(b"ref: refs/heads/main\n")),
            (FILE, b"config", blob(config)),
            (FOLDER, b"objects", repository.tree([(FILE, b"keep", text)])),
            (FOLDER, b"refs", repository.tree([(FILE, b"keep", text)])),
        ]
    )
    attributes = b"* filter=lfs\n*.txt working-tree-encoding=UTF-16 eol=crlf ident\nhidden.py export-ignore\n"
    repository.commit(
        repository.tree(
            [
                (FILE, b".gitattributes", blob(attributes)),
                (FILE, b"A.py", text),
                (LINK, b"etc", blob(b"/etc")),
                (FILE, b"a.py", blob(b"lower")),
                (FILE, b"hidden.py", text),
                (FOLDER, b"inner", inner),
                (FILE, b"line\nbreak\xe2\x80\xaetxt.py", text),
                (FILE, b"not utf-8 \xff.py", text),
                (FILE, "é.py".encode(), blob(b"composed")),
                (FILE, "e\u0301.py".encode(), blob(b"decomposed")),
                (FILE, b"n" * 300, text),
                (MODULE, b"sub\r", "1" * 40),
                (FILE, b"spec.yaml", blob(pointer)),
                (FILE, b"text.txt", blob(b"$Id$\n")),
                (LINK, b"up", blob(b"..")),
            ]
        )
    )
    found, checkout = await files_of(order(repository), tmp_path)
    assert {name: found[name] for name in ("A.py", "a.py", "hidden.py", "text.txt", "inner/config")} == {
        "A.py": b"text",
        "a.py": b"lower",
        "hidden.py": b"text",
        "text.txt": b"$Id$\n",
        "inner/config": config,
    }
    assert (found["é.py"], found["e\u0301.py"]) == (b"composed", b"decomposed")
    assert "line\nbreak\u202etxt.py" in found
    assert {(each.path, each.why) for each in checkout.skipped} == {
        ("etc", "symlink"),
        ("up", "symlink"),
        ("sub\\r", "submodule"),
        ("not utf-8 \\xff.py", "name"),
        ("n" * 300, "name"),
        ("spec.yaml", "lfs_pointer"),
    }
    assert checkout.skipped_count == 6
    assert await failure(order(repository, subfolder="etc"), tmp_path) is Reason.SUBFOLDER_NOT_FOUND
    assert not traces(tmp_path)


async def test_large_files_are_not_fetched(host: GitHost, repository: Repository, tmp_path: Path) -> None:
    repository.files({"a.py": b"1", "zeros.bin": bytes(10 * MIB + 1)})
    found, checkout = await files_of(order(repository), tmp_path)
    assert (list(found), [(each.path, each.why) for each in checkout.skipped]) == (
        ["a.py"],
        [("zeros.bin", "too_large")],
    )
    repository.git("config", "uploadpack.allowFilter", "false")  # a server that sends them all the same
    assert (await files_of(order(repository), tmp_path))[0] == found


async def test_files_that_are_too_many_or_too_much(repository: Repository, tmp_path: Path) -> None:
    folder = repository.tree([(FILE, b"a.py", repository.blob(b"1"))])
    text = repository.blob(b"x" * 100)
    hundred = repository.tree([(FILE, b"%02d.py" % number, text) for number in range(100)])
    for _ in range(2):
        hundred = repository.tree([(FOLDER, b"%02d" % number, hundred) for number in range(100)])
    repository.commit(repository.tree([(FOLDER, b"all", hundred), (FOLDER, b"one", folder)]))  # 1,000,001 files
    assert await failure(order(repository), tmp_path) is Reason.TOO_MANY_FILES
    assert list((await files_of(order(repository, subfolder="one"), tmp_path))[0]) == ["a.py"]
    some = GitLimits(max_bytes=5_000)
    assert await failure(order(repository, subfolder="all/00/00"), tmp_path, limits=some) is Reason.TOO_LARGE


async def test_a_machine_without_git(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await failure_without_job(order(repository)) == (Reason.GIT_MISSING, "git is not installed on this machine")
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.30.1\n")
    old.chmod(0o700)
    reason, message = await failure_without_job(order(repository))
    assert reason is Reason.GIT_MISSING
    assert message == "git 2.39 or newer is needed, and this machine has 2.30"


async def failure_without_job(wanted: CheckoutOrder) -> tuple[Reason, str]:
    with pytest.raises(GitError) as caught:
        await head_of(wanted, HERE)
    return caught.value.reason, caught.value.message
