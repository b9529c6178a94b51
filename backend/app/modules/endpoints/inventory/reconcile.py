"""One inventory from what all sources say: plain values in, plain values out.

Two sources mean the same endpoint when method and path are equal, the names of parameters aside; what was seen in
traffic also belongs to the template that its path fits. Documents and source code say all that they know each time, so
that what they no longer say is gone; traffic and live answers add to what was seen before.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from typing import Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

import orjson

from backend.app.core.ids import new_ulid
from backend.app.engine.spec.codec import WrittenOnce, operation_to_json
from backend.app.engine.spec.model import ApiDescription, Fault, Operation, ParameterLocation, Schema, SecurityScheme
from backend.app.modules.endpoints.discovery import Discovered, Evidence, Kind
from backend.app.modules.endpoints.discovery.captures.model import Flow
from backend.app.modules.endpoints.inventory.prefixes import shape_of, with_prefixes

DOCUMENTS: Final = {"openapi": 0, "graphql": 1}
"""Strategies that read documents, the one that says most of the API as a whole first."""
ANY_METHOD = "*"
"""Of a route in source code that takes whatever comes."""
MAX_SLOT: Final = 300
"""Characters of the name of a source."""
MAX_PLACES = 10
"""Of one source for one endpoint."""
_KINDS = tuple(Kind)
COMPLETE = frozenset({Kind.DOCUMENT, Kind.CODE})
"""Sources that say all they know each time."""
T = TypeVar("T")
_PARAMETER = re.compile(r"\{[^{}]*\}")


class EndpointState(StrEnum):
    ACTIVE = "active"
    """A document describes it; or no document describes anything, and it answers."""
    SHADOW = "shadow"
    """It answers, and no document describes it."""
    UNDOCUMENTED = "undocumented"
    """Source code or a collection of requests names it; no document describes it, and no answer shows it."""
    DEAD = "dead"
    """A document describes it, and the server says that it is not there."""
    DEPRECATED = "deprecated"
    """It is there, and its document or its code advises against it."""
    GONE = "gone"
    """No source vouches for it any more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one source says about one endpoint."""

    slot: str
    kind: Kind
    source: str
    location: str
    evidence: Evidence
    operation: Operation | None
    """As the source describes it; None: not at hand."""
    digest: str = ""
    """As it is stored; empty: not stored yet."""

    @property
    def vouches(self) -> bool:
        """Whether it says that the endpoint exists."""
        return self.evidence.alive is not False


@dataclass(slots=True)
class Endpoint:
    """One method of one path, and who speaks of it."""

    id: str
    method: str
    path: str
    claims: dict[str, Claim] = field(default_factory=dict)
    """By slot."""
    stored: Operation | None = None
    """As it was before, where that is at hand."""
    from_root: bool = False
    """Whether the path begins at the root of the host, and not at the project's base URL."""
    touched: bool = False
    """Something about its sources differs from what is stored."""
    news: set[str] = field(default_factory=set)
    """Slots of claims that are to be stored."""

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def vouching(self) -> list[Claim]:
        """The most trusted first."""
        vouching = [claim for claim in self.claims.values() if claim.vouches]
        if len(vouching) > 1:
            vouching.sort(key=_trust)
        return vouching

    @property
    def kinds(self) -> list[Kind]:
        return list(dict.fromkeys(claim.kind for claim in self.vouching))

    @property
    def unresolved(self) -> str:
        """Empty as soon as one source knows the whole path."""
        marks = [claim.evidence.unresolved for claim in self.vouching]
        return marks[0] if marks and all(marks) else ""

    @property
    def requires_auth(self) -> bool | None:
        """Whether any source says so; None: no source can tell."""
        said = {claim.evidence.requires_auth for claim in self.vouching}
        return True if True in said else False if False in said else None

    @property
    def alive(self) -> bool | None:
        """What answers say: those to us before those to others."""
        for kind in (Kind.LIVE, Kind.TRAFFIC):
            said = [claim.evidence.alive for claim in self.claims.values() if claim.kind is kind]
            if True in said:
                return True
            if False in said:
                return False
        return None

    def state(self, *, documented_elsewhere: bool, deprecated: bool) -> EndpointState:
        """`documented_elsewhere`: a document describes some endpoint of the project."""
        kinds = self.kinds
        if not kinds:
            return EndpointState.GONE
        if Kind.DOCUMENT in kinds:
            if self.alive is False:
                return EndpointState.DEAD
            return EndpointState.DEPRECATED if deprecated else EndpointState.ACTIVE
        if self.alive and not self.unresolved:
            if documented_elsewhere:
                return EndpointState.SHADOW
            return EndpointState.DEPRECATED if deprecated else EndpointState.ACTIVE
        return EndpointState.UNDOCUMENTED

    def merged(self) -> Operation:
        """As the most trusted source describes it; what a document leaves out is left out, what other sources leave out
        is taken from the next one. The operations of all claims have to be at hand."""
        vouching = self.vouching
        first, *others = (claim.operation for claim in vouching if claim.operation is not None)
        if vouching[0].kind is Kind.DOCUMENT:
            return first
        for other in others:
            first = _filled(first, other)
        # What was seen under a literal path may have been found to belong to a template.
        path = first.path if shape_of(first.path) == shape_of(self.path) else self.path
        return replace(first, method=self.method, path=path, server="/" if self.from_root else None)


class Reconciliation:
    """Takes what sources say: one after the other, the most trusted first, or all at once."""

    def __init__(self, base_url: str = "", endpoints: Iterable[Endpoint] = (), documents: Iterable[str] = ()) -> None:
        """`base_url` is what the inventory's paths are appended to, empty when it is not known; `documents` are the
        places of descriptions that were read before: that they answer is no discovery."""
        self._base_path = _path_of(base_url)
        self._host = _host(base_url)
        self._documents = set(documents)
        self.endpoints = list(endpoints)
        """The new ones at the end. Some of them may have lost all sources."""
        self.complete: set[str] = set()
        """Slots of which all claims were replaced."""
        self.faults: dict[str, list[Fault]] = {}
        """What was left out here, by slot."""
        self._flows: dict[str, list[tuple[Flow, Endpoint, Endpoint]]] = {}
        self._fresh: list[Endpoint] = []
        self._written = WrittenOnce()
        self._by_key: dict[tuple[str, str, bool], Endpoint] = {}
        self._by_shape: dict[tuple[str, bool], list[Endpoint]] = {}
        self._templates: dict[tuple[str, int], list[Endpoint]] = {}
        for endpoint in self.endpoints:
            self._index(endpoint, endpoint.unresolved)

    def take_all(self, said: Iterable[tuple[Discovered, Kind, str]]) -> None:
        """What several sources say, each with its kind and slot, in any order. What paths of code begin with is taken
        from the others where the code does not tell."""
        said = sorted(said, key=lambda each: by_trust(each[1]))
        for found, kind, slot in said:
            if kind is not Kind.CODE:
                self.take(found, kind, slot)
                continue
            others = (path for other in said if other[2] != slot for path in self._paths(*other))
            known = chain(self._known(slot), others)
            whole, told = with_prefixes(found, known)
            self.take(whole, kind, slot)
            self.faults[slot] += told

    def _known(self, slot: str) -> Iterator[tuple[str, str]]:
        """Methods and whole paths of which other sources than this one speak."""
        for endpoint in self.endpoints:
            if not endpoint.unresolved and any(claim.slot != slot for claim in endpoint.vouching):
                yield endpoint.method, endpoint.path if endpoint.from_root else self._base_path + endpoint.path

    def _paths(self, found: Discovered, kind: Kind, slot: str) -> Iterator[tuple[str, str]]:
        servers = found.description.servers
        for operation in found.description.operations:
            said = found.evidence.get(operation.key)
            if said is None or (said.alive is not False and not said.unresolved):
                base = _path_of(operation.server or (servers[0] if servers else ""))
                yield (
                    operation.method,
                    (self._base_path if kind is Kind.DOCUMENT and not found.slot else base) + operation.path,
                )

    def take(self, found: Discovered, kind: Kind, slot: str) -> None:
        self.faults[slot] = []
        if kind is Kind.DOCUMENT:
            self._documents.add(found.where)
        said: dict[str, tuple[Endpoint, Claim]] = {}
        for_any_method: list[_Placed] = []
        meant: dict[str, Endpoint] = {}
        for placed in self._placed(found, kind, self.faults[slot]):
            if placed.operation.method == ANY_METHOD:
                for_any_method.append(placed)
            elif endpoint := self._endpoint(placed, kind, said):
                _say(said, endpoint, placed, found, kind, slot)
                meant[placed.url_key] = endpoint
        for placed in for_any_method:
            shape = shape_of(placed.operation.path), placed.from_root
            others = [
                it
                for it in self._by_shape.get(shape, ())
                if it.method != ANY_METHOD and (it.id in said or it.claims.keys() - {slot})
            ]
            fresh = None if others else self._endpoint(placed, kind, said)
            for endpoint in [*others, *([fresh] if fresh else [])]:
                _say(said, endpoint, placed.named(endpoint), found, kind, slot)
        self._flows[slot] = [
            (flow, meant[flow.producer], meant[flow.consumer])
            for flow in found.flows
            if flow.producer in meant and flow.consumer in meant
        ]
        if kind in COMPLETE:
            self._forget(slot, said)
            self.complete.add(slot)
        for endpoint, claim in said.values():
            before = endpoint.claims.get(slot)
            endpoint.claims[slot] = claim
            if before is None or digest_of(before, self._written) != digest_of(claim, self._written):
                endpoint.touched = True
                endpoint.news.add(slot)
            elif kind not in COMPLETE:
                endpoint.news.add(slot)  # for the time when it was seen
            if kind is Kind.LIVE and claim.evidence.alive is False:
                _drop_answers_of_before(endpoint)

    def flows(self, slot: str) -> list[Flow]:
        """Between endpoints by their ids, which are known after `number`. A parameter of a path is told by how many
        segments follow it, because sources call it differently."""
        return [
            replace(
                flow,
                producer=giving.id,
                consumer=taking.id,
                parameter=str(flow.consumer.partition(f"{{{flow.parameter}}}")[2].count("/"))
                if flow.location == ParameterLocation.PATH
                else flow.parameter,
            )
            for flow, giving, taking in self._flows.get(slot, ())
        ]

    def forget(self, slot: str) -> None:
        """What a source said that is no longer one."""
        self._forget(slot, {})

    def number(self) -> None:
        """Gives the new endpoints ids in the order in which they were found, because lists go by id."""
        for endpoint, fresh_id in zip(self._fresh, sorted(new_ulid() for _ in self._fresh), strict=True):
            endpoint.id = fresh_id

    def _forget(self, slot: str, said: Mapping[str, Any]) -> None:
        for endpoint in self.endpoints:
            if endpoint.id not in said and endpoint.claims.pop(slot, None) is not None:
                endpoint.touched = True

    def _placed(self, found: Discovered, kind: Kind, faults: list[Fault]) -> Iterator["_Placed"]:
        default = Evidence()
        servers = found.description.servers
        first = servers[0] if servers else ""
        hosts = {_host(operation.server or first) for operation in found.description.operations}
        # What was recorded against another installation shows the same API.
        host = self._host if self._host in hosts else _host(first)
        elsewhere: dict[str, int] = {}
        for operation in found.description.operations:
            evidence = found.evidence.get(operation.key, default)
            if kind is Kind.DOCUMENT:
                evidence = replace(
                    evidence,
                    places=evidence.places or (_in_document(operation.pointer, found.slot),),
                    # A document that knows no credentials at all does not show that none are needed.
                    requires_auth=operation.requires_auth if found.description.security_schemes else None,
                )
                if found.slot:
                    server = urljoin("/", operation.server or first)
                    yield self._below_base(operation, _path_of(server) + operation.path, evidence, kind)
                else:
                    yield _Placed(operation, evidence)
                continue
            server = operation.server or first
            if kind is Kind.LIVE and urljoin(server, _path_of(server) + operation.path) in self._documents:
                continue
            if kind is not Kind.CODE and _host(server) not in ("", host):
                elsewhere[_host(server)] = elsewhere.get(_host(server), 0) + 1
                continue
            evidence = replace(
                evidence, places=evidence.places[:MAX_PLACES] or ((operation.pointer,) * bool(operation.pointer))
            )
            placed = self._below_base(operation, _path_of(server) + operation.path, evidence, kind)
            yield replace(placed, url_key=f"{operation.method} {server}{operation.path}")
        for name, count in sorted(elsewhere.items()):
            faults.append(Fault(name, f"{count} operations of this host are left out: the API is at {host}"))

    def _below_base(self, operation: Operation, path: str, evidence: Evidence, kind: Kind) -> "_Placed":
        base = self._base_path
        if path == base or path.startswith(f"{base}/"):
            return _Placed(replace(operation, path=path.removeprefix(base) or "/", server=None), evidence)
        # Code does not know the prefix under which a proxy mounts it.
        known = self._by_shape.get((shape_of(path), False), ()) if kind is Kind.CODE else ()
        if any(ANY_METHOD in (operation.method, each.method) or operation.method == each.method for each in known):
            return _Placed(replace(operation, path=path, server=None), evidence)
        return _Placed(replace(operation, path=path, server="/"), evidence, from_root=True)

    def _endpoint(self, placed: "_Placed", kind: Kind, said: Mapping[str, Any]) -> Endpoint | None:
        """The one that is meant, a new one if there is none; None when there is none and nothing shows that it
        exists."""
        operation = placed.operation
        if exact := self._by_key.get((operation.method, operation.path, placed.from_root)):
            return exact
        for endpoint in self._by_shape.get((shape_of(operation.path), placed.from_root), ()):
            # A document that has two templates of one shape means two endpoints.
            if endpoint.method == operation.method and (kind not in COMPLETE or endpoint.id not in said):
                return endpoint
        if kind not in COMPLETE and (template := self._template_of(placed)):
            return template
        if placed.evidence.alive is False:
            return None
        fresh = Endpoint(new_ulid(), operation.method, operation.path, from_root=placed.from_root)
        self.endpoints.append(fresh)
        self._fresh.append(fresh)
        self._index(fresh, placed.evidence.unresolved)
        return fresh

    def _template_of(self, placed: "_Placed") -> Endpoint | None:
        """The most literal template that a path which was seen fits."""
        parts = placed.operation.path.split("/")
        fitting = [
            endpoint
            for endpoint in self._templates.get((placed.operation.method, len(parts)), ())
            if endpoint.from_root == placed.from_root and _fits(endpoint.path, parts)
        ]
        return min(fitting, key=lambda endpoint: endpoint.path.count("{"), default=None)

    def _index(self, endpoint: Endpoint, unresolved: str) -> None:
        self._by_key[endpoint.method, endpoint.path, endpoint.from_root] = endpoint
        self._by_shape.setdefault((shape_of(endpoint.path), endpoint.from_root), []).append(endpoint)
        # What is not known of a path is no parameter, which takes any value.
        if "{" in endpoint.path and not unresolved:
            self._templates.setdefault((endpoint.method, endpoint.path.count("/") + 1), []).append(endpoint)


@dataclass(frozen=True, slots=True)
class _Placed:
    """An operation with its path below the base, or from the root of the host."""

    operation: Operation
    evidence: Evidence
    from_root: bool = False
    url_key: str = ""
    """What flows name it by."""

    def named(self, endpoint: Endpoint) -> "_Placed":
        """What is said for any method, said for that of the endpoint."""
        return replace(self, operation=replace(self.operation, method=endpoint.method))


def _drop_answers_of_before(endpoint: Endpoint) -> None:
    """What answered once is no evidence against what the server shows today."""
    for slot, claim in list(endpoint.claims.items()):
        if claim.kind is Kind.LIVE and claim.evidence.alive and slot not in endpoint.news:
            del endpoint.claims[slot]
            endpoint.touched = True


def digest_of(claim: Claim, written: WrittenOnce) -> str:
    """Of all that it says."""
    if claim.digest or claim.operation is None:
        return claim.digest
    evidence, operation = evidence_to_json(claim.evidence), operation_to_json(claim.operation, written)
    return hashlib.sha256(orjson.dumps([claim.source, claim.location, evidence, operation])).hexdigest()


def evidence_to_json(evidence: Evidence) -> dict[str, Any]:
    """Members at their default are left out."""
    written = {
        name: value for name, value in asdict(evidence).items() if value not in (None, "", (), 0) or value is False
    }
    return {**written, "places": list(evidence.places)}


def evidence_from_json(data: Mapping[str, Any]) -> Evidence:
    return Evidence(**{**data, "places": tuple(data.get("places", ()))})


def _say(
    said: dict[str, tuple[Endpoint, Claim]],
    endpoint: Endpoint,
    placed: _Placed,
    found: Discovered,
    kind: Kind,
    slot: str,
) -> None:
    evidence, operation = placed.evidence, placed.operation
    if earlier := said.get(endpoint.id):
        evidence = _both(earlier[1].evidence, evidence)
        if earlier[1].operation is not None:
            operation = _filled(earlier[1].operation, operation)
    said[endpoint.id] = endpoint, Claim(slot, kind, found.source, found.where, evidence, operation)


def _both(one: Evidence, other: Evidence) -> Evidence:
    alive = {one.alive, other.alive}
    return Evidence(
        tuple(dict.fromkeys((*one.places, *other.places)))[:MAX_PLACES],
        True if True in alive else False if False in alive else None,
        other.requires_auth if one.requires_auth is None else one.requires_auth,
        one.unresolved and other.unresolved,
        one.exchanges + other.exchanges,
    )


def _filled(operation: Operation, other: Operation) -> Operation:
    """With what only `other` knows."""
    known = {(parameter.location, parameter.name) for parameter in operation.parameters}
    known |= {(ParameterLocation.PATH, it.name) for it in other.parameters if it.location is ParameterLocation.PATH}
    statuses = {response.status for response in operation.responses}
    return replace(
        operation,
        operation_id=operation.operation_id or other.operation_id,
        summary=operation.summary or other.summary,
        tags=operation.tags or other.tags,
        deprecated=operation.deprecated or other.deprecated,
        parameters=operation.parameters + tuple(it for it in other.parameters if (it.location, it.name) not in known),
        body=operation.body or other.body,
        responses=operation.responses + tuple(it for it in other.responses if it.status not in statuses),
        security=operation.security or other.security,
    )


def combined(descriptions: Mapping[str, ApiDescription]) -> ApiDescription:
    """What sources, by their slots, say of the API as a whole: the most trusted, with the definitions and security
    schemes of all, and with the webhooks, callbacks and tags of all documents; without operations. Where there are
    documents, the one without a name says where the API is."""
    if not descriptions:
        return ApiDescription("", "", "")
    trusted = sorted(descriptions, key=lambda slot: (_rank(slot), slot))
    definitions: dict[str, Schema] = {}
    schemes: dict[str, SecurityScheme] = {}
    for slot in reversed(trusted):
        definitions.update(descriptions[slot].definitions)
        schemes.update(descriptions[slot].security_schemes)
    first = descriptions[trusted[0]]
    documents = [descriptions[slot] for slot in trusted if _rank(slot) < len(DOCUMENTS)]
    if documents:
        main = next((descriptions[slot] for slot in DOCUMENTS if slot in descriptions), None)
        first = replace(
            first,
            servers=main.servers if main else (),
            server_names=main.server_names if main else {},
            webhooks=_first_of((each.key, each) for it in documents for each in it.webhooks),
            callbacks=tuple(each for it in documents for each in it.callbacks),
            tags=_first_of((each.name, each) for it in documents for each in it.tags),
        )
    return replace(first, operations=(), faults=(), definitions=definitions, security_schemes=schemes)


def _first_of(named: Iterable[tuple[str, T]]) -> tuple[T, ...]:
    found: dict[str, T] = {}
    for name, each in named:
        found.setdefault(name, each)
    return tuple(found.values())


def _rank(slot: str) -> int:
    """The smaller, the more a source says of the API as a whole; that of documents is below `len(DOCUMENTS)`."""
    return DOCUMENTS.get(slot.partition(":")[0], len(DOCUMENTS))


def by_trust(kind: Kind) -> int:
    """The more trusted, the smaller."""
    return _KINDS.index(kind)


def _trust(claim: Claim) -> tuple[int, bool, str]:
    """The order of belief: by kind, whole paths first."""
    return by_trust(claim.kind), bool(claim.evidence.unresolved), claim.slot


def _in_document(pointer: str, name: str) -> str:
    """`#/paths/~1users/get`; behind the name of another file where the operation stands there."""
    place = pointer.removeprefix(name)
    return place if "#" in place else f"#{place}"


def _fits(template: str, parts: list[str]) -> bool:
    return all(
        part == wanted if "{" not in wanted else bool(part) and re.fullmatch(_pattern(wanted), part)
        for wanted, part in zip(template.split("/"), parts, strict=True)
    )


@lru_cache(maxsize=4096)
def _pattern(segment: str) -> str:
    return ".+".join(re.escape(literal) for literal in _PARAMETER.split(segment))


def _path_of(url: str) -> str:
    return urlsplit(url).path.rstrip("/")


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()
