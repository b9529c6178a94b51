"""The files of a tree: which are source code worth a look, and their bytes. The only file here that reads a disk."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LARGEST_FILE = 2_000_000
"""Bytes; what is larger was not written by hand."""
DEEPEST = 64
"""Folders below each other."""

_NEVER_ENTERED = frozenset({"node_modules", "bower_components", "jspm_packages", "__pycache__", "site-packages"})
_LEFT_OUT = {
    name: reason
    for reason, names in {
        "tests": "test tests __tests__ __mocks__ mocks testing testdata e2e cypress spec specs fixtures",
        "build output": "build dist out target coverage generated __generated__",
        "vendored": "vendor vendored third_party third-party thirdparty venv virtualenv",
        "documentation and examples": "doc docs docs_src example examples sample samples demo demos tutorial tutorials "
        "snippets benchmark benchmarks",
    }.items()
    for name in names.split()
}
_PACKAGES = re.compile(r"(?:^|/)src/(?:\w+/(?:java|kotlin)|com|org|net|io|cn)/")
"""Below it folders are packages: `com.example.demo` is an application as any other."""
_LONGEST_LINES = 400
"""Characters a line on average; people write 30 to 40."""


@dataclass(frozen=True, slots=True)
class Entry:
    path: str
    """Relative, with `/`."""
    size: int
    left_out: str = ""
    """Why it is no place to start from, though it may be imported: `tests`."""


class Tree(Protocol):
    def entries(self) -> Iterator[Entry]:
        """Every file, in the same order each time."""

    def read(self, path: str) -> bytes:
        """Raises `OSError`."""


class Directory:
    """A directory on disk. Symbolic links are not followed, and only regular files are opened."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self) -> Iterator[Entry]:
        """Raises `OSError` when the root cannot be listed; a folder further down that cannot be is passed over."""
        pending = [("", "")]
        while pending:
            prefix, reason = pending.pop()
            try:
                with os.scandir(f"{self.root}/{prefix}") as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except OSError:
                if not prefix:
                    raise
                continue
            if prefix and any(entry.name == "pyvenv.cfg" for entry in entries):
                continue
            for entry in entries:
                if (size := _size_of(entry)) is not None:
                    yield Entry(prefix + entry.name, size, reason)
            for entry in reversed(entries):
                if (
                    entry.is_dir(follow_symlinks=False)
                    and not _never_entered(entry.name)
                    and prefix.count("/") < DEEPEST
                ):
                    pending.append((f"{prefix}{entry.name}/", reason or _left_out(prefix, entry.name)))

    def read(self, path: str) -> bytes:
        # A link or a pipe may have been put in place of the file since it was listed.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(f"{self.root}/{path}", flags)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("it is no regular file")
            return os.read(file, min(status.st_size, LARGEST_FILE))
        finally:
            os.close(file)


class InMemory:
    """Files by path."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def entries(self) -> Iterator[Entry]:
        for path in sorted(self.files):
            folders = path.split("/")[:-1]
            if not any(map(_never_entered, folders)):
                above = ("/".join([*folders[:depth], ""]) for depth in range(len(folders)))
                reasons = map(_left_out, above, folders)
                yield Entry(path, len(self.files[path]), next(filter(None, reasons), ""))

    def read(self, path: str) -> bytes:
        return self.files[path]


def is_minified(text: bytes) -> bool:
    return len(text) > 10_000 and len(text) > _LONGEST_LINES * (text.count(b"\n") + 1)


def is_bundled(text: bytes) -> bool:
    """By the marks of bundlers; not by `DO NOT EDIT`, which stands in servers generated from a spec too."""
    return _BUNDLED.search(text, 0, 2000) is not None


def _left_out(above: str, name: str) -> str:
    return "" if _PACKAGES.search(above) else _LEFT_OUT.get(name.lower(), "")


def _size_of(entry: os.DirEntry[str]) -> int | None:
    """Of a regular file that is still there; none of anything else."""
    try:
        return entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else None
    except OSError:
        return None


def _never_entered(name: str) -> bool:
    return name in _NEVER_ENTERED or name.startswith(".")


_BUNDLED = re.compile(rb"__webpack_require__|webpackBootstrap|System\.register\(|//# sourceMappingURL=")
