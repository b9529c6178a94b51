"""Which file an import means: Node's resolution, the `paths` of `tsconfig.json`, packages of the same repository."""

import posixpath
import re
from typing import Any

import orjson

from backend.app.modules.endpoints.discovery.source import Sources

ROOT = "/repo"
"""Where the tree lies, to the program that is followed."""
SUFFIXES = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
_SOURCES_OF = {".js": (".ts", ".tsx", ".jsx"), ".mjs": (".mts",), ".cjs": (".cts",), ".jsx": (".tsx",)}
_COMMENTS = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_TRAILING_COMMAS = re.compile(r'("(?:\\.|[^"\\\n])*")|,(?=\s*[}\]])')
_BUILT = re.compile(r"^(?:\./)?(?:dist|build|lib|out)/(?:esm/|cjs/|src/)?")


class Resolver:
    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.paths = sources.paths
        self._json: dict[str, Any] = {}
        self._aliases: dict[str, list[tuple[str, str, list[str]]]] = {}
        self._folders: dict[str, dict[str, bool]] | None = None
        self._packages: dict[str, str] | None = None
        self._found: dict[tuple[str, str], str | None] = {}

    def resolve(self, importer: str, name: str) -> str | None:
        """None: it is no file of this tree."""
        folder = importer.rpartition("/")[0]
        key = (folder, name)
        if key not in self._found:
            self._found[key] = self._resolve(folder, name)
        return self._found[key]

    def _resolve(self, folder: str, name: str) -> str | None:
        if name.startswith((".", "/")):
            target = name.removeprefix(f"{ROOT}/") if name.startswith("/") else posixpath.join(folder, name)
            return self.file(posixpath.normpath(target)) or self._source_of(folder, name)
        for pattern, rest, targets in self._aliases_for(folder):
            if name == pattern if not pattern.endswith("*") else name.startswith(pattern[:-1]) and name.endswith(rest):
                middle = name[len(pattern) - 1 : len(name) - len(rest)] if pattern.endswith("*") else ""
                for target in targets:
                    found = self.file(posixpath.normpath(target.replace("*", middle, 1)))
                    if found:
                        return found
        if found := self._of_package(name):
            return found
        if name.startswith(("@/", "~/", "#", "src/", "@src/", "~")):
            rest = (
                name.removeprefix("@src/")
                if name.startswith("@src/")
                else name.lstrip("@~#").removeprefix("/").removeprefix("src/")
            )
            for above in _above(folder):
                if found := self.file(posixpath.join(above, "src", rest)) or self.file(posixpath.join(above, rest)):
                    return found
        return None

    def _source_of(self, folder: str, name: str) -> str | None:
        """What a file that is built is built from: `require("./dist/main")` beside `src/main.ts`."""
        above, built, rest = name.rpartition("dist/")
        return self.file(posixpath.normpath(posixpath.join(folder, above, "src", rest))) if built else None

    def file(self, target: str) -> str | None:
        """The file that `target` without or with suffix, or as a folder, is."""
        if target.startswith("../") or target == "..":
            return None
        if target == ".":
            target = ""
        if target in self.paths:
            return target
        for suffix in SUFFIXES:
            if target + suffix in self.paths:
                return target + suffix
        stem, suffix = posixpath.splitext(target)
        for other in _SOURCES_OF.get(suffix, ()):
            if stem + other in self.paths:
                return stem + other
        inside = f"{target}/" if target else ""
        if f"{inside}package.json" in self.paths and (main := self._main(target)):
            return main
        for suffix in SUFFIXES:
            if f"{inside}index{suffix}" in self.paths:
                return f"{inside}index{suffix}"
        return None

    def _main(self, folder: str) -> str | None:
        package = self.json(posixpath.join(folder, "package.json"))
        if not isinstance(package, dict):
            return None
        for main in _mains(package):
            built = _BUILT.sub("src/", main)
            for candidate in (main, built, _BUILT.sub("", main)):
                stem, suffix = posixpath.splitext(candidate)
                target = posixpath.normpath(posixpath.join(folder, stem if suffix in _SOURCES_OF else candidate))
                if target != folder and (found := self._exact(target)):
                    return found
        return self._exact(posixpath.join(folder, "src/index"))

    def _exact(self, target: str) -> str | None:
        return next((target + suffix for suffix in ("", *SUFFIXES) if target + suffix in self.paths), None)

    def _of_package(self, name: str) -> str | None:
        """A file of another package of the repository."""
        if self._packages is None:
            self._packages = {}
            for path in sorted(self.paths):
                if posixpath.basename(path) == "package.json":
                    package = self.json(path)
                    if isinstance(package, dict) and isinstance(package.get("name"), str):
                        self._packages.setdefault(package["name"], posixpath.dirname(path))
        parts = name.split("/")
        for length in (2, 1) if name.startswith("@") else (1,):
            folder = self._packages.get("/".join(parts[:length]))
            if folder is not None:
                rest = "/".join(parts[length:])
                if not rest:
                    return self._main(folder) or self.file(folder)
                return self.file(posixpath.join(folder, rest)) or self.file(posixpath.join(folder, "src", rest))
        return None

    def _aliases_for(self, folder: str) -> list[tuple[str, str, list[str]]]:
        """`(pattern up to its star, what follows the star, targets)` that hold in a folder, the nearest first."""
        if folder not in self._aliases:
            result: list[tuple[str, str, list[str]]] = []
            for above in _above(folder):
                for name in ("tsconfig.json", "jsconfig.json", "tsconfig.base.json", "tsconfig.app.json"):
                    path = posixpath.join(above, name)
                    if path in self.paths:
                        result += self._paths_of(path, 0)
                path = posixpath.join(above, "package.json")
                if path in self.paths:
                    result += self._imports_of(path)
            self._aliases[folder] = result
        return self._aliases[folder]

    def _paths_of(self, path: str, depth: int) -> list[tuple[str, str, list[str]]]:
        config = self.json(path)
        if not isinstance(config, dict) or depth > 5:
            return []
        folder = posixpath.dirname(path)
        options = config.get("compilerOptions")
        options = options if isinstance(options, dict) else {}
        result = []
        base = options.get("baseUrl")
        root = posixpath.normpath(posixpath.join(folder, base)) if isinstance(base, str) else folder
        paths = options.get("paths")
        for pattern, targets in paths.items() if isinstance(paths, dict) else ():
            start, star, rest = pattern.partition("*")
            if isinstance(targets, list):
                full = [posixpath.join(root, target) for target in targets if isinstance(target, str)]
                result.append((start + star, rest, full))
        if isinstance(base, str):
            result.append(("*", "", [posixpath.join(root, "*")]))
        extended = config.get("extends")
        for other in [extended] if isinstance(extended, str) else extended if isinstance(extended, list) else []:
            if isinstance(other, str) and other.startswith("."):
                target = posixpath.normpath(posixpath.join(folder, other))
                result += self._paths_of(target if target.endswith(".json") else f"{target}.json", depth + 1)
        return result

    def _imports_of(self, path: str) -> list[tuple[str, str, list[str]]]:
        package = self.json(path)
        result: list[tuple[str, str, list[str]]] = []
        folder = posixpath.dirname(path)
        for key in ("imports", "_moduleAliases"):
            entries = package.get(key) if isinstance(package, dict) else None
            for pattern, target in entries.items() if isinstance(entries, dict) else ():
                start, star, rest = pattern.partition("*")
                for text in _texts(target):
                    full = [posixpath.join(folder, text), posixpath.join(folder, _BUILT.sub("src/", text))]
                    result.append((start + star, rest, full))
                    if key == "_moduleAliases":
                        result.append((f"{pattern}/*", "", [posixpath.join(each, "*") for each in full]))
        return result

    def json(self, path: str) -> Any:
        """A JSON file, comments and trailing commas allowed; None: there is none, or it cannot be read."""
        if path not in self._json:
            text = self.sources.text(path) if path in self.paths else None
            self._json[path] = None if text is None else _read_json(text)
        return self._json[path]

    def package_folder(self, file: str) -> str:
        """The folder with the nearest `package.json` above a file: where the program is started."""
        for above in _above(posixpath.dirname(file)):
            if posixpath.join(above, "package.json") in self.paths:
                return above
        return ""

    def listing(self, folder: str) -> dict[str, bool]:
        """Names in a folder; whether each is a folder."""
        if self._folders is None:
            self._folders = {}
            for path in sorted(self.paths):
                is_folder = False
                while path:
                    above, name = posixpath.split(path)
                    names = self._folders.setdefault(above, {})
                    if name in names:
                        break
                    names[name] = is_folder
                    path, is_folder = above, True
        return self._folders.get(folder.strip("/") if folder != "." else "", {})


def inside(path: str) -> str | None:
    """The path in the tree of an absolute path; None: it is not in the tree."""
    if path == ROOT:
        return ""
    return path.removeprefix(f"{ROOT}/") if path.startswith(f"{ROOT}/") else None


def _above(folder: str) -> list[str]:
    result = [folder]
    while folder:
        folder = posixpath.dirname(folder)
        result.append(folder)
    return result


def _mains(package: dict[str, Any]) -> list[str]:
    found = [package.get(key) for key in ("source", "main", "module", "types")]
    exports = package.get("exports")
    found += _texts(exports.get(".", exports) if isinstance(exports, dict) else exports)
    return [each for each in found if isinstance(each, str)]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in values for text in _texts(each)]


def _read_json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    clean = _COMMENTS.sub(lambda match: match[1] or "", text.decode(errors="replace").lstrip("\ufeff"))
    clean = _TRAILING_COMMAS.sub(lambda match: match[1] or "", clean)
    try:
        return orjson.loads(clean)
    except orjson.JSONDecodeError:
        return None
