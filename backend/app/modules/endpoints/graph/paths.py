"""Ways from one entity to another. Pure."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Edge: TypeAlias = tuple[str, str, str]
"""Ids: of the relationship, its source and its target."""


@dataclass(frozen=True, slots=True)
class Paths:
    found: tuple[tuple[str, ...], ...]
    """Ids of relationships from the first entity on; the shortest path first."""
    complete: bool
    """Whether there are no others of this length; the search ends after `steps`."""


def simple_paths(
    edges: Iterable[Edge], start: str, end: str, *, max_length: int, limit: int, steps: int = 200_000
) -> Paths:
    """Up to `limit` paths of at most `max_length` relationships that visit no entity twice.

    Breadth first from the end gives how far everything is from it, so that the search from the start only takes steps
    that can still arrive; it goes over lengths from the shortest on. `steps` bounds the work: a graph has paths without
    number.
    """
    forward: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    backward: defaultdict[str, list[str]] = defaultdict(list)
    for edge, source, target in edges:
        forward[source].append((edge, target))
        backward[target].append(source)
    far = _distances(backward, end, max_length)
    if start not in far or start == end:
        return Paths((), True)
    found: list[tuple[str, ...]] = []
    for length in range(far[start], max_length + 1):
        steps = _search(forward, far, start, end, length, limit, found, steps)
        if len(found) >= limit or steps <= 0:
            return Paths(tuple(found), False)
    return Paths(tuple(found), True)


def _distances(backward: Mapping[str, Sequence[str]], end: str, most: int) -> dict[str, int]:
    far, waiting = {end: 0}, deque([end])
    while waiting:
        here = waiting.popleft()
        for before in backward.get(here, ()) if far[here] < most else ():
            if before not in far:
                far[before] = far[here] + 1
                waiting.append(before)
    return far


def _search(
    forward: Mapping[str, Sequence[tuple[str, str]]],
    far: Mapping[str, int],
    start: str,
    end: str,
    length: int,
    limit: int,
    found: list[tuple[str, ...]],
    steps: int,
) -> int:
    """Adds the paths of exactly `length`; answers the steps that are left."""
    on_path, taken = {start}, list[str]()
    branches = [iter(forward.get(start, ()))]
    nodes = [start]
    while branches and steps > 0 and len(found) < limit:
        step = next(branches[-1], None)
        if step is None:
            branches.pop()
            on_path.discard(nodes.pop())
            if taken:
                taken.pop()
            continue
        steps -= 1
        edge, target = step
        left = length - len(taken) - 1
        if target in on_path or far.get(target, length) > left or (target == end and left):
            continue
        if target == end:
            found.append((*taken, edge))
            continue
        on_path.add(target)
        nodes.append(target)
        taken.append(edge)
        branches.append(iter(forward.get(target, ())))
    return steps
