"""Operations from source code that is not run."""

from collections.abc import Iterable
from dataclasses import replace

from backend.app.engine.spec.model import ApiDescription, Fault, Operation, SecurityKind, SecurityScheme
from backend.app.modules.endpoints.discovery import Discovered, Evidence, Kind, Subject, Tools, strategy
from backend.app.modules.endpoints.discovery.source.model import Route, SourceReport

_GUARD = SecurityScheme("code", SecurityKind.OTHER, scheme="unknown")
"""Stands for whatever the code asks for."""
_PLACES = 20
"""Of one operation: a repository may declare it thousands of times."""


@strategy("source", Kind.CODE, lambda subject: bool(subject.trees))
async def source(subject: Subject, tools: Tools) -> list[Discovered]:
    """The routes that the source code of repositories and archives declares, without running it."""
    found = []
    for tree in subject.trees:
        report = await tools.read_source(tree.path)
        found.append(describe(report, tree.name, tree.slot))
    return found


def describe(report: SourceReport, name: str, slot: str = "") -> Discovered:
    """`name` is the repository's or the folder's."""
    operations: dict[str, Operation] = {}
    evidence: dict[str, Evidence] = {}
    for route in report.routes:
        place = f"{route.file}:{route.line}"
        known = evidence.get(route.key)
        if known is None:
            operations[route.key] = _operation(route, place)
            evidence[route.key] = Evidence((place,), None, route.requires_auth, route.unresolved)
        else:
            evidence[route.key] = replace(
                known,
                places=known.places if len(known.places) >= _PLACES else (*known.places, place),
                requires_auth=route.requires_auth if known.requires_auth is None else known.requires_auth,
                # Who knows the whole path vouches for it.
                unresolved=known.unresolved and route.unresolved,
            )
    return Discovered(
        ApiDescription(
            title=name,
            version="",
            dialect="source",
            operations=tuple(operations.values()),
            security_schemes={_GUARD.name: _GUARD} if any(each.security for each in operations.values()) else {},
            faults=tuple(_faults(report)),
        ),
        source="+".join(report.frameworks) or "source",
        where=name,
        evidence=evidence,
        slot=slot or name,
    )


def _operation(route: Route, place: str) -> Operation:
    return Operation(
        method=route.method,
        path=route.path,
        operation_id=route.handler or None,
        tags=route.tags,
        deprecated=route.deprecated,
        parameters=route.parameters,
        body=route.body,
        security=((_GUARD.name,),) if route.requires_auth else (),
        pointer=place,
    )


def _faults(report: SourceReport) -> Iterable[Fault]:
    for fault in report.faults:
        yield Fault(f"{fault.file}:{fault.line}" if fault.line else fault.file, fault.message)
    if report.left_out:
        counts = ", ".join(f"{count} {reason}" for reason, count in report.left_out.items())
        yield Fault("", f"files left out: {counts}")
