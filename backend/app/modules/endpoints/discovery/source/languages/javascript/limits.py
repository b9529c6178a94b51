"""How much of a program is followed: whatever a repository holds, the scan of it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from backend.app.modules.endpoints.discovery.source import Sources

DEEPEST_CALLS = 48
DEEPEST_RECURSION = 6
"""Calls of a function within itself: loaders descend into folders."""
DEEPEST_INHERITANCE = 20
MOST_ROUNDS = 300
"""Of a loop that is no loop over a list."""
MOST_ITEMS = 5_000
"""Of a list that the program makes."""
MOST_TEXT = 10_000
"""Characters of a text that the program makes."""
LARGEST_NUMBER = 2**63 - 1
"""That facts can hold, which are JSON; no routes are named with larger ones."""
PYTHON_STACK = 12_000
"""Frames of the interpreter: expressions are nested."""

STEPS_AT_ONCE = 100_000
"""For a file, or for a function that nobody was seen to call but that tells what it wants."""
STEPS_OF_UNCALLED = 2_000
"""For a function that nobody was seen to call."""
_STEPS = 200_000
_STEPS_A_ROOT = 2_000
_STEPS_A_FILE = 50
"""In a tree: so many, and as many more for each root and for each file."""
_STEPS_ELSEWHERE = 3_000
"""For a call of a function in a file that neither declares routes nor starts a program."""
_STEPS_BETWEEN_CHECKS = 2_000


class Exhausted(Exception):
    """The steps are used up."""


class Allowance(NamedTuple):
    """What was there when a call began."""

    floor: int
    steps: int
    is_free: bool
    """Whether what the call takes is not taken from an allowance of its callers."""
    is_own: bool
    """Whether the call has to end when its own allowance is used up."""


class Budget:
    """Of steps: a statement, a call and a round of a loop is one, and what grows with a value takes as many.

    `steps` are left to what runs at present, `left` to the whole tree. When so few as `floor` are left, the innermost
    call that has an allowance of its own is given up.
    """

    def __init__(self, sources: Sources) -> None:
        self.left = _STEPS + _STEPS_A_ROOT * len(sources.roots) + _STEPS_A_FILE * len(sources.paths)
        self.steps = 0
        self.floor = 0
        self.free_files: set[str] = set()
        """Files that declare routes or start a program."""
        self._check = sources.check

    def spend(self, steps: int = 1) -> None:
        """Raises `Exhausted`, and what says that the scan was cancelled."""
        before = self.steps
        self.steps -= steps
        if self.steps < self.floor:
            raise Exhausted
        if before // _STEPS_BETWEEN_CHECKS != self.steps // _STEPS_BETWEEN_CHECKS:
            self._check()

    @contextmanager
    def granted(self, steps: int) -> Iterator[None]:
        """At most so many."""
        self.floor = 0
        given = self.steps = min(steps, self.left)
        try:
            yield
        finally:
            self.left -= given - max(self.steps, 0)

    @contextmanager
    def without_allowance(self) -> Iterator[None]:
        """What a module does when it is loaded is done for everybody, not for the call that happened to load it."""
        floor, self.floor = self.floor, 0
        try:
            yield
        finally:
            self.floor = floor

    def begin_call(self, file: str) -> Allowance:
        """Of a function in `file`."""
        before = self.floor
        is_free = file in self.free_files
        self.floor = 0 if is_free else max(before, self.steps - _STEPS_ELSEWHERE)
        return Allowance(before, self.steps, is_free, self.floor > before)

    def end_call(self, before: Allowance) -> None:
        spent = before.steps - self.steps
        self.floor = max(0, before.floor - spent) if before.is_free else before.floor
