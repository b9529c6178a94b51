"""Which file an import means."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

_NEVER_LOCAL = frozenset(
    {"fastapi", "starlette", "flask", "flask_restful", "flask_restx", "flask_smorest", "flask_appbuilder", "django",
     "rest_framework", "typing", "os", "importlib"}
)  # fmt: skip
"""Packages whose names a folder of the repository may bear too."""


class Modules:
    def __init__(self, paths: Iterable[str]) -> None:
        self.files = frozenset(path for path in paths if path.endswith(".py"))
        self.children: dict[str, set[str]] = defaultdict(set)
        """Base names of what lies in a folder; the folder of the tree itself is the empty string."""
        self._homes: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.files):
            while path:
                folder, _, name = path.rpartition("/")
                if name in self.children[folder]:
                    break
                self.children[folder].add(name)
                self._homes[name.removesuffix(".py")].append(folder)
                path = folder
        self.resolve = lru_cache(maxsize=50_000)(self._resolve)

    def find(self, folder: str, dotted: str) -> str | None:
        """The file, or the folder without `__init__.py`, of a module below a folder."""
        path = "/".join(filter(None, (folder, *dotted.split("."))))
        if f"{path}/__init__.py" in self.files:
            return f"{path}/__init__.py"
        if f"{path}.py" in self.files:
            return f"{path}.py"
        return path if path in self.children else None

    def _resolve(self, importer: str, level: int, dotted: str) -> str | None:
        """The path of a module as a file names it; None when it lies outside of the tree."""
        folder = importer.rpartition("/")[0] if importer.endswith(".py") else importer
        if level:
            for _ in range(level - 1):
                folder = folder.rpartition("/")[0]
            return self.find(folder, dotted)
        top = dotted.partition(".")[0]
        if top in _NEVER_LOCAL:
            return None
        candidates = list(_ancestors(folder))
        # The folder of a package is on no path of Python's, unless a script is run in it.
        candidates.sort(key=lambda candidate: f"{candidate}/__init__.py" in self.files)
        others = sorted(self._homes.get(top, ()), key=lambda home: (-_shared(home, folder), home.count("/"), home))
        for candidate in dict.fromkeys([*candidates, *others]):
            if found := self.find(candidate, dotted):
                return found
        return None


def _ancestors(folder: str) -> Iterable[str]:
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""


def _shared(one: str, other: str) -> int:
    count = 0
    for a, b in zip(one.split("/"), other.split("/"), strict=False):
        if a != b:
            break
        count += 1
    return count
