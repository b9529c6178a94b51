"""What the plug-ins ask of the names and the bytes of files, which is all it takes to see that nothing changed.

It is kept with the facts: to import the plug-ins takes longer than to pass over thousands of files.
"""

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

from backend.app.modules.endpoints.discovery.source.cache import FactsCache, digest
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.languages import languages


@dataclass(frozen=True, slots=True)
class Surface:
    """Of one language with its frameworks; see `Language` and `Framework`."""

    language: str
    version: int
    suffixes: list[str]
    beside: list[str]
    left_out: str
    frameworks: list[str]
    gate: str
    """Found where the gate of one of the frameworks is."""


def surfaces(store: FactsCache) -> list[Surface]:
    if languages.is_loaded and frameworks.is_loaded:
        return _asked()
    key = b"surfaces-" + installation().encode()
    stored = store.get(key)
    if stored is None:
        found = _asked()
        store.put(key, orjson.dumps({"languages": found}))
        return found
    return [Surface(**each) for each in orjson.loads(stored)["languages"]]


@cache
def installation() -> str:
    """Changes with our code and with the distributions that are installed; of what this process runs."""
    package = Path(__file__).parent
    ours = [(str(path), path.stat().st_mtime_ns) for path in sorted(package.rglob("*.py"))]
    folders = [(path, Path(path).stat().st_mtime_ns) for path in sys.path if Path(path).is_dir()]
    return digest(orjson.dumps([ours, folders]))


def _asked() -> list[Surface]:
    found = []
    for name, language in languages.items():
        asking = {each: framework for each, framework in frameworks.items() if framework.language == name}
        gate = "|".join(f"(?:{framework.gate})" for framework in asking.values())
        found.append(
            Surface(
                name,
                language.version,
                list(language.suffixes),
                list(language.beside),
                language.left_out,
                list(asking),
                gate,
            )
        )
    return found
