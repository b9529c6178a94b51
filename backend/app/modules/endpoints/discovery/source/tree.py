"""A tree of source code to its routes: gate, extract in worker processes, link."""

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.cache import FactsCache, digest
from backend.app.modules.endpoints.discovery.source.extractor import Extractor, Order
from backend.app.modules.endpoints.discovery.source.files import (
    LARGEST_FILE,
    Directory,
    InMemory,
    Tree,
    is_bundled,
    is_minified,
)
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.languages import languages
from backend.app.modules.endpoints.discovery.source.model import Route, SourceFault, SourceReport, report_from_json
from backend.app.modules.endpoints.discovery.source.patterns import bytes_pattern
from backend.app.modules.endpoints.discovery.source.surface import Surface, installation, surfaces

MOST_FILES = 200_000
MOST_FAULTS = 1_000


class ScanCancelled(Exception):
    """`cancelled` said so."""


def scan_tree(
    path: Path | str,
    *,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> SourceReport:
    """The routes that the source code below a directory declares. Nothing of it is imported or run.

    `cache` is a file that this function owns; it is made when it is missing. `workers` is the number of processes that
    parse, by default one for each processor and at most 4; with 0 this process parses, which suits trusted code only.
    `progress` hears how many of how many files were looked at; `cancelled` is asked now and then.
    Raises `OSError` when the directory cannot be listed, `ScanCancelled`.
    """
    workers = min(4, os.cpu_count() or 1) if workers is None else workers
    store = FactsCache(cache)
    with Extractor(workers) as extractor:
        report = _Scan(Directory(Path(path)), extractor, store, progress, cancelled).run()
    store.save()
    return report


def scan_files(files: dict[str, bytes]) -> SourceReport:
    """As `scan_tree`, of files in memory, in this process."""
    with Extractor(0) as extractor:
        return _Scan(InMemory(files), extractor, FactsCache(None), None, None).run()


class _Scan:
    def __init__(
        self,
        tree: Tree,
        extractor: Extractor,
        cache: FactsCache,
        progress: Callable[[int, int], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self.tree = tree
        self.extractor = extractor
        self.cache = cache
        self.progress = progress or (lambda done, total: None)
        self.cancelled = cancelled or (lambda: False)
        self.sources = {surface.language: LanguageSources(surface, self) for surface in surfaces(cache)}
        self.left_out: Counter[str] = Counter()
        self.faults: dict[SourceFault, None] = {}
        self.files = 0
        self.read: dict[str, str] = {}
        """Digests of the files whose content decides what is found."""

    def run(self) -> SourceReport:
        self._pass_gates(self._list())
        if not self.cache.path:
            self.extractor.finish()
            return self._link()
        key = self._key()
        report = self._remembered(key)
        if report is None:
            self.extractor.finish()
            report = self._link()
        self.cache.put(key, orjson.dumps({"read": self.read, "report": report}))
        return report

    def _key(self) -> bytes:
        """Of everything that is known before linking: our own code, the names of the files, and the roots' contents."""
        asked = [sources.surface for sources in self.sources.values()]
        paths = {name: sorted(sources.paths) for name, sources in self.sources.items()}
        left_out = dict(sorted(self.left_out.items()))
        return b"report-" + digest(orjson.dumps([installation(), asked, paths, self.read, left_out])).encode()

    def _remembered(self, key: bytes) -> SourceReport | None:
        """The report of the same tree, if the files that linking read then are the same too."""
        stored = self.cache.get(key)
        if stored is None:
            return None
        entry = orjson.loads(stored)
        for path, known in entry["read"].items():
            if path not in self.read:
                try:
                    text = self.tree.read(path)
                except OSError:
                    return None
                if digest(text) != known:
                    return None
        self.read = entry["read"]
        self.cache.keep_all()
        return report_from_json(entry["report"])

    def _link(self) -> SourceReport:
        routes: dict[tuple[str, str, str, int], Route] = {}
        found = set()
        for name, sources in self.sources.items():
            if not sources.roots:
                continue
            code = languages.get(name).code(sources)
            for framework_name, framework in frameworks.items():
                if framework.language != name:
                    continue
                for item in framework.link(code):
                    self.check()
                    if isinstance(item, SourceFault):
                        self.fault(item)
                    else:
                        found.add(framework_name)
                        routes.setdefault((item.path, item.method, item.file, item.line), item)
            for fault in getattr(code, "faults", ()):
                self.fault(fault)
        return SourceReport(
            tuple(routes[key] for key in sorted(routes)),
            tuple(sorted(self.faults, key=lambda fault: (fault.file, fault.line, fault.message))),
            self.files,
            tuple(sorted(found)),
            dict(sorted(self.left_out.items())),
        )

    def check(self) -> None:
        """Raises `ScanCancelled`."""
        if self.cancelled():
            raise ScanCancelled

    def fault(self, fault: SourceFault) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.setdefault(fault)
        elif len(self.faults) == MOST_FAULTS:
            self.faults.setdefault(SourceFault("", 0, f"more than {MOST_FAULTS} faults; the others are not listed"))

    def _list(self) -> list[tuple["LanguageSources", str]]:
        by_suffix = {suffix: sources for sources in self.sources.values() for suffix in sources.surface.suffixes}
        by_name = {name: sources for sources in self.sources.values() for name in sources.surface.beside}
        candidates = []
        for number, entry in enumerate(self.tree.entries()):
            if number % 1000 == 0:
                self.check()
            name = entry.path.rpartition("/")[2]
            suffix = _suffix(name)
            sources = by_suffix.get(suffix) or by_name.get(name)
            if sources is None:
                continue
            if not name.isprintable() or not _is_utf8(entry.path):
                self.fault(SourceFault(entry.path.encode(errors="replace").decode(), 0, "its name cannot be printed"))
            elif entry.size > LARGEST_FILE:
                self.left_out["too large"] += 1
            elif len(sources.paths) >= MOST_FILES:
                self.left_out["too many files"] += 1
            else:
                sources.paths.add(entry.path)
                if suffix not in sources.surface.suffixes:
                    continue
                if reason := entry.left_out or ("tests" if sources.is_left_out(name) else ""):
                    self.left_out[reason] += 1
                else:
                    candidates.append((sources, entry.path))
        return candidates

    def _pass_gates(self, candidates: list[tuple["LanguageSources", str]]) -> None:
        self.files = len(candidates)
        for done, (sources, path) in enumerate(candidates):
            if done % 50 == 0:
                self.check()
                self.progress(done, self.files)
            text = sources.content(path)
            if text is None or sources.gate.search(text) is None:
                continue
            if is_minified(text) or is_bundled(text):
                self.left_out["generated"] += 1
            else:
                sources.roots.append(path)
                sources.extract(path, text)
        self.progress(self.files, self.files)


@dataclass
class LanguageSources:
    """`Sources` of one language: facts come from the cache, else from the extractor."""

    surface: Surface
    scan: _Scan
    paths: set[str] = field(default_factory=set)
    roots: list[str] = field(default_factory=list)
    _facts: dict[str, bytes | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate = bytes_pattern(self.surface.gate)
        self._left_out = re.compile(self.surface.left_out or "(?!)")

    def is_left_out(self, base_name: str) -> bool:
        return self._left_out.search(base_name) is not None

    def facts(self, path: str) -> Facts | None:
        self.scan.check()
        if path not in self._facts:
            if path not in self.paths or (text := self.content(path)) is None:
                return None
            self.extract(path, text)
            self.scan.extractor.finish()
        encoded = self._facts[path]
        return orjson.loads(encoded) if encoded is not None else None

    def check(self) -> None:
        self.scan.check()

    def text(self, path: str) -> bytes | None:
        text = self.content(path)
        if text is not None:
            self.scan.read[path] = digest(text)
        return text

    def content(self, path: str) -> bytes | None:
        try:
            return self.scan.tree.read(path)
        except OSError as error:
            self.scan.fault(SourceFault(path, 0, f"it cannot be read: {error.strerror or error}"))
            return None

    def extract(self, path: str, text: bytes) -> None:
        """The facts are there after the extractor's `finish`."""
        suffix = _suffix(path)
        self.scan.read[path] = content = digest(text)
        key = f"{self.surface.language}-{self.surface.version}{suffix}-{content}".encode()

        def keep(facts: bytes | None, reason: str) -> None:
            self._facts[path] = facts
            if facts is None:
                self.scan.fault(SourceFault(path, 0, reason))
                return
            self.scan.cache.put(key, facts)
            if b'"faults":[[' in facts:
                for line, message in orjson.loads(facts)["faults"]:
                    self.scan.fault(SourceFault(path, line, message))

        facts = self.scan.cache.get(key)
        if facts is not None:
            keep(facts, "")
        else:
            read = languages.get(self.surface.language).extract
            self.scan.extractor.submit(Order(read, suffix, text, keep))


def _suffix(path: str) -> str:
    """As `PurePosixPath.suffix`, at a tenth of its cost."""
    stem, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return dot + suffix if stem else ""


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
