"""What the frameworks of JavaScript are handed, and where they say what their packages give."""

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

from backend.app.modules.endpoints.discovery.source import Sources
from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator
from backend.app.modules.endpoints.discovery.source.languages.javascript.modules import Package
from backend.app.modules.endpoints.discovery.source.languages.javascript.program import Adopter, Program, Starter
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import Native
from backend.app.modules.endpoints.discovery.source.model import SourceFault

T = TypeVar("T", bound=Native)
_packages: dict[str, Package] = {}
_adopters: list[Adopter] = []
_starters: list[Starter] = []


def package(*names: str) -> Callable[[Package], Package]:
    """Decorator of a framework's function that makes what importing the package gives, once a tree."""

    def add(make: Package) -> Package:
        _packages.update(dict.fromkeys(names, make))
        return make

    return add


def adopt(adopter: Adopter) -> Adopter:
    """Decorator of a framework's function that says what a parameter will be given."""
    _adopters.append(adopter)
    return adopter


def starter(start: Starter) -> Starter:
    """Decorator of a framework's function that runs once all roots were evaluated."""
    _starters.append(start)
    return start


class Code:
    """A tree of JavaScript, evaluated when a framework asks for it."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.faults: list[SourceFault] = []

    @cached_property
    def evaluated(self) -> Evaluator:
        evaluator = Evaluator(self.sources, _packages)
        program = Program(evaluator, _adopters, _starters)
        program.run()
        self.faults += [SourceFault(path, 0, message) for path, message in program.faults]
        return evaluator

    def made(self, kind: type[T]) -> list[T]:
        """The frameworks' objects of a kind that the program makes."""
        return [handle for handle in self.evaluated.handles if isinstance(handle, kind)]
