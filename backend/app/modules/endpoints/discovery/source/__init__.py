"""Routes out of source code, of which nothing is imported or run.

Two phases. A `Language` makes plain *facts* of one file at a time, in worker processes; they are cached by content.
A `Framework` then links the facts of all files of its language into routes: it follows imports, mounts and constants
across files. `tree.scan_tree` brings both together.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from backend.app.modules.endpoints.discovery.source.model import Route, SourceFault

Facts: TypeAlias = dict[str, Any]
"""What linking needs to know of one file: JSON (dictionaries with string keys, lists, strings, numbers, booleans,
None), no objects of a parser. The key `faults` is reserved: a list of `[line, message]`, reported for the file."""


Extract: TypeAlias = Callable[[bytes, str], Facts]


class Sources(Protocol):
    """The files of one language in a tree, as a language's `code` sees them. Paths are relative, with `/`."""

    @property
    def paths(self) -> AbstractSet[str]:
        """Every file with a suffix of the language or a name in `beside`, tests and examples too: what an import may
        mean."""

    @property
    def roots(self) -> Sequence[str]:
        """In order: the files that linking starts from. They passed the gate of a framework, and are no tests, examples
        or build output. All others are read only when a name leads to them."""

    def facts(self, path: str) -> Facts | None:
        """Of any file in `paths`, extracted when it was not yet, and decoded anew at each call. None: it cannot be read
        (and that was reported), or is not in `paths`."""

    def text(self, path: str) -> bytes | None:
        """Of a file that is configuration rather than code (`tsconfig.json`)."""

    def check(self) -> None:
        """To be called now and then in long work. Raises what ends the scan when it was cancelled."""


@dataclass(frozen=True, slots=True)
class Language:
    """Registered in `languages.languages` by one file (or package) in `languages/`."""

    suffixes: tuple[str, ...]
    """`.py`; a suffix belongs to one language."""
    version: int
    """Raised whenever `extract` changes: cached facts of another version are not used."""
    extract: Extract
    """The facts of a file from its content and its suffix. Never raises, whatever the bytes; a syntax error costs as
    little as possible and stands in `faults`. Runs in a worker process: a function of a module, without state."""
    code: Callable[[Sources], Any]
    """What the linkers of the language's frameworks get: the facts of all files with names resolved between them. Made
    once per tree. It may yield faults to the report as `faults`, an iterable of `SourceFault`, read after linking."""
    left_out: str = ""
    """Pattern of Python's `re`, searched in base names: tests, declarations and generated files, which are no roots."""
    beside: tuple[str, ...] = ()
    """Base names of other files that linking reads (`tsconfig.json`)."""


@dataclass(frozen=True, slots=True)
class Framework:
    """Registered in `frameworks.frameworks` by one file in `frameworks/`."""

    description: str
    """One sentence for people."""
    language: str
    gate: str
    """RE2 pattern, searched in the bytes of a file (as Latin-1, `^` and `$` at lines). Only a file in which the gate of
    some framework of its language is found becomes a root; so it has to be found wherever a route, a mount or an
    application stands, and seldom elsewhere."""
    link: Callable[[Any], Iterable[Route | SourceFault]]
    """Routes from what the language's `code` made. Order and repetitions do not matter. The routes of a router that is
    mounted nowhere are given with `unresolved` set."""
