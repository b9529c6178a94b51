"""What the paths of source code begin with, where the code alone does not tell: a prefix that is read from settings, a
router whose mount was not found. Documents, traffic and answers know some of those paths whole; what stands there
before the part that the code knows is the prefix.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from backend.app.engine.spec.model import Fault, Operation, Parameter, ParameterLocation
from backend.app.modules.endpoints.discovery import Discovered, Evidence

_MANY: Final = 3
"""Paths that agree on a prefix, so that the others of the same code are believed to have it too."""
_FEW: Final = 2
"""The same, where those are all paths that can tell."""
_CLEARLY: Final = 2
"""Times as many as agree on the next best prefix."""
_FIRST: Final = re.compile(r"/(\{[^{}/]*\})(?=/|$)")
_NO_WORD: Final = re.compile(r"[^A-Za-z0-9]+")
_PARAMETER: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(slots=True)
class _Group:
    """Operations whose paths begin with the same unknown part."""

    part: str
    """The parameter in its place; empty: the path begins behind it."""
    operations: list[Operation] = field(default_factory=list)

    def rest(self, operation: Operation) -> str:
        return operation.path.removeprefix(f"/{self.part}") if self.part else operation.path


def with_prefixes(found: Discovered, known: Iterable[tuple[str, str]]) -> tuple[Discovered, list[Fault]]:
    """With the paths completed whose beginning `known` tells: methods, and paths from the root of the host. Each prefix
    that was found out is told."""
    groups = _groups(found)
    if not groups:
        return found, []
    by_end = _by_last_segment(known)
    completed: dict[str, Operation] = {}
    told = []
    for group in groups:
        prefix, votes = _elected(group, by_end)
        if prefix is None:
            continue
        completed |= {each.key: _below(prefix, group, each) for each in group.operations}
        places = found.evidence[group.operations[0].key].places
        told.append(
            Fault(
                places[0] if places else "",
                f"{len(group.operations)} paths of the code begin with {prefix or '/'}, which the code does not tell: "
                f"{votes} of them are known whole from elsewhere",
            )
        )
    evidence: dict[str, Evidence] = {}
    for operation in found.description.operations:
        said = found.evidence.get(operation.key)
        if said is None:
            continue
        if (whole := completed.get(operation.key)) is not None:
            said, operation = replace(said, unresolved=""), whole
        if (other := evidence.get(operation.key)) is not None:
            said = replace(said, places=tuple(dict.fromkeys((*other.places, *said.places))))
        evidence[operation.key] = said
    operations = tuple(completed.get(each.key, each) for each in found.description.operations)
    return replace(found, description=replace(found.description, operations=operations), evidence=evidence), told


def _groups(found: Discovered) -> list[_Group]:
    groups: dict[tuple[str, str], _Group] = {}
    for operation in found.description.operations:
        said = found.evidence.get(operation.key)
        if said is None or not said.unresolved:
            continue
        first = _FIRST.match(operation.path)
        part = first[1] if first and _is_unknown(first[1], said.unresolved) else ""
        # Nothing but the file holds routers together whose mounts were not found.
        file = "" if part else (said.places[0] if said.places else "").rpartition(":")[0]
        groups.setdefault((said.unresolved, part or file), _Group(part)).operations.append(operation)
    return list(groups.values())


def _is_unknown(part: str, unresolved: str) -> bool:
    """Whether it stands for what is not known: a router whose mount was not found may begin with a parameter."""
    name = _NO_WORD.sub("_", part.strip("{}")).strip("_")
    return name == "unknown" or f"_{name}_" in f"_{_NO_WORD.sub('_', unresolved)}_"


def _by_last_segment(known: Iterable[tuple[str, str]]) -> dict[str, set[tuple[str, str]]]:
    """Shapes with their paths: a path can only end with one that ends alike."""
    by_end: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for method, path in known:
        by_end[f"{method} {shape_of(path).rpartition('/')[2]}"].add((shape_of(path), path))
    return by_end


def _elected(group: _Group, by_end: dict[str, set[tuple[str, str]]]) -> tuple[str | None, int]:
    """The prefix that clearly most of the paths agree on, and how many those are."""
    votes: Counter[str] = Counter()
    rests: dict[str, set[str]] = defaultdict(set)
    for operation in group.operations:
        rests[shape_of(group.rest(operation))].add(operation.method)
    telling = {rest: methods for rest, methods in rests.items() if rest.replace("{}", "").strip("/")}
    for rest, methods in telling.items():
        last = rest.rpartition("/")[2]
        fitting = {each for method in methods for each in by_end.get(f"{method} {last}", ()) if each[0].endswith(rest)}
        votes.update({"/".join(path.split("/")[: -rest.count("/")]) for _, path in fitting})
    (best, most), (_, next_best) = [*votes.most_common(2), ("", 0), ("", 0)][:2]
    if most < min(_MANY, max(_FEW, len(telling))) or most < _CLEARLY * next_best:
        return None, 0
    return best, most


def _below(prefix: str, group: _Group, operation: Operation) -> Operation:
    own = [
        each
        for each in operation.parameters
        if (each.location, f"{{{each.name}}}") != (ParameterLocation.PATH, group.part)
    ]
    taken = {each.name for each in own if each.location is ParameterLocation.PATH}
    fresh = [
        Parameter(name, ParameterLocation.PATH, required=True, schema={"type": "string"}, style="simple")
        for name in _PARAMETER.findall(prefix)
        if name not in taken
    ]
    return replace(operation, path=prefix + group.rest(operation) or "/", parameters=(*fresh, *own))


def shape_of(path: str) -> str:
    """The path without the names of its parameters."""
    return _PARAMETER.sub("{}", path)
