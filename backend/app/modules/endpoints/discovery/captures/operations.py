"""Entries of a capture to operations of the model: grouped by path template, with schemas and evidence.

Memory is bounded: what is known of a path is kept once for all its entries, and when there are too many paths, those
that were learnt to be one are merged on the way.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field
from http import HTTPMethod
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from backend.app.engine.spec.model import (
    Json,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    SecurityKind,
    SecurityScheme,
)
from backend.app.modules.endpoints.discovery.captures import templates
from backend.app.modules.endpoints.discovery.captures.flows import HEADER, Flows, Party, answered_in, sent_with, tells
from backend.app.modules.endpoints.discovery.captures.forms import Kind, kind_of
from backend.app.modules.endpoints.discovery.captures.headers import says_something
from backend.app.modules.endpoints.discovery.captures.inference import Budget, Shape
from backend.app.modules.endpoints.discovery.captures.masking import PART_NAME, Masker, is_secret
from backend.app.modules.endpoints.discovery.captures.model import BODY, Captured, CaptureLimits, Entry, Flow
from backend.app.modules.endpoints.discovery.captures.templates import VALUE, Path, Seen

METHODS: Final = frozenset(HTTPMethod) - {HTTPMethod.CONNECT}
_MOST_SEGMENTS: Final = 40
_MOST_PARAMETERS: Final = 100
"""Different names in the queries, or the headers, of one path."""
_MOST_PLACES: Final = 5
_MOST_FLOWS: Final = 2_000
"""In the end, the likeliest."""
_LONGEST_PATH: Final = 2_000
_NOWHERE: Final = frozenset({404, 405, 501})
"""Answers that show that there is nothing, unless the same operation answered otherwise as well."""
_ASSET_TYPES: Final = re.compile(
    r"(?:image|font|audio|video)/.*|text/css|(?:text|application)/(?:x-)?javascript|application/wasm"
)
_ASSET_NAMES: Final = re.compile(
    r".*\.(?:css|js|mjs|map|woff2?|ttf|otf|eot|ico|png|jpe?g|gif|svg|webp|wasm)", re.I | re.S
)
_ASKS: Final = re.compile(r"(?:^|&)(?!(?:v|ver|version|h|hash|t|ts|cb|_)=)[A-Za-z_][^=&]*=")
"""A query that asks for something, and does not only keep a file from being taken from a cache."""
_WORD: Final = re.compile(r"[A-Za-z]+")
_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,80}")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


@dataclass(slots=True)
class _Facts:
    """What is known of a method on a path of a server."""

    count: int = 0
    successes: int = 0
    places: dict[int, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    values: dict[int, Shape] = field(default_factory=dict)
    """By position of the segment."""
    kinds: dict[int, set[Kind | None]] = field(default_factory=dict)
    given: dict[int, str] = field(default_factory=dict)
    query: dict[str, Shape] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    """Entries with the name in the query, of those that count as valid."""
    repeated: set[str] = field(default_factory=set)
    headers: dict[str, int] = field(default_factory=dict)
    bodies: dict[str, Shape] = field(default_factory=dict)
    with_body: int = 0
    answers: dict[tuple[int, str], Shape] = field(default_factory=dict)
    security: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Which schemes were used together, of valid entries."""
    party: Party = field(default_factory=Party)

    def merge(self, other: "_Facts") -> None:
        other.party.into = self.party
        self.count += other.count
        self.successes += other.successes
        self.with_body += other.with_body
        self.places = dict(sorted({**self.places, **other.places}.items())[:_MOST_PLACES])
        self.names |= other.names
        self.folders |= other.folders
        self.statuses.update(other.statuses)
        self.asked.update(other.asked)
        self.repeated |= other.repeated
        self.security.update(other.security)
        for position, name in other.given.items():
            self.given[position] = min(name, self.given.get(position, name))
        for position, kinds in other.kinds.items():
            self.kinds.setdefault(position, set()).update(kinds)
        for name, count in other.headers.items():
            self.headers[name] = self.headers.get(name, 0) + count
        _merge(self.values, other.values)
        _merge(self.query, other.query)
        _merge(self.bodies, other.bodies)
        _merge(self.answers, other.answers)


class Collector:
    """Takes entries, and gives operations in the end."""

    def __init__(self, limits: CaptureLimits, base_url: str | None = None, known: Iterable[str] = ()) -> None:
        """`base_url`: only what stands below it is taken, and paths begin behind it. `known` are paths that others
        know, as templates: their literals are no values."""
        self.security_schemes: dict[str, SecurityScheme] = {}
        self.masker = Masker()
        self._limits = limits
        self._budget = Budget(limits.shapes, self.masker.learn_members)
        self._base = _split_base(base_url) if base_url else None
        self._known = templates.Names(known)
        self._facts: dict[tuple[str, str, Path], _Facts] = {}
        self._full = False
        self._entries = 0
        self._nowhere = _Nowhere()
        self._flows = Flows()

    def add(self, entry: Entry) -> str:
        """Why the entry was not taken; empty when it was."""
        self._entries += 1
        for secret in entry.secrets:
            self.masker.learn(secret)
        self.masker.learn_headers(entry.headers)
        self.masker.learn_headers(entry.answer_headers)
        method = entry.method.upper()
        if method not in METHODS:
            return "no method of HTTP"
        try:
            url = urlsplit(_clean(entry.url))
            server = _server(url.scheme, url.hostname, url.port)
        except ValueError:
            return "a URL that cannot be read"
        if url.scheme not in ("http", "https", ""):
            return "not HTTP"
        if credentials := url.password or url.username:
            self.masker.learn(credentials)
        self.masker.learn_fields(url.fragment)
        if ";" in url.path:
            self.masker.learn_fields("&".join(re.findall(r";([^/;]*)", url.path)))
        path = re.sub(r"/{2,}", "/", re.sub(r";[^/]*", "", url.path)) or "/"
        if reason := self._unwanted(entry, method, path, url.query):
            return reason
        if self._base is not None:
            base_server, base_path = self._base
            if (server and server != base_server) or not f"{path}/".startswith(f"{base_path}/"):
                return "outside of the base URL"
            server, path = base_server + base_path, path[len(base_path) :] or "/"
        if not path.startswith("/"):
            return "a path that does not begin with a slash"
        segments = path.split("/")[1:]
        if len(segments) > _MOST_SEGMENTS or len(path) > _LONGEST_PATH:
            return "a path that is too long"
        facts = self._facts_of(server, method, templates.segments_of(path, self._known), segments)
        if facts is None:
            return f"more than {self._limits.paths} different paths"
        self._note(facts, entry, segments, url.query)
        return ""

    def finish(self) -> tuple[tuple[Captured, ...], tuple[Flow, ...], tuple[tuple[str, int, str], ...]]:
        """The operations, what goes from one to the other, and what was left out of the entries that were taken:
        reason, count and first place."""
        self._template()
        others = {(server, path) for server, method, path in self._facts if method not in ("HEAD", "OPTIONS", "TRACE")}
        echoes = _Nowhere()
        captured: list[tuple[Captured, _Facts]] = []
        for (server, method, path), facts in self._facts.items():
            if method in ("HEAD", "OPTIONS", "TRACE") and (server, path) in others:
                echoes.add(facts)
            else:
                captured.append((self._captured(server, method, path, facts), facts))
        captured.sort(key=lambda each: (each[0].server, each[0].operation.path, each[0].operation.method))
        left_out = (
            ("nothing was there: only 404, 405 or 501 came back", self._nowhere.count, self._nowhere.place),
            ("HEAD, OPTIONS or TRACE of a path that has other methods", echoes.count, echoes.place),
        )
        skipped = tuple((reason, count, self.masker.mask(place)) for reason, count, place in left_out if count)
        return tuple(each for each, _ in captured), self._flows_between(captured), skipped

    @staticmethod
    def _unwanted(entry: Entry, method: str, path: str, query: str) -> str:
        if method == "OPTIONS" and any(name.lower() == "access-control-request-method" for name, _ in entry.headers):
            return "a CORS preflight"
        if entry.status is not None and not 100 <= entry.status <= 599:
            return "no answer came"
        if entry.status == 101:
            return "a change of protocol, such as to a WebSocket"
        if method in ("GET", "HEAD") and _ASSET_NAMES.fullmatch(path) and not _ASKS.search(query):
            is_asset = not entry.answer_type or _ASSET_TYPES.match(entry.answer_type) is not None
            return "a static file" if is_asset else ""
        return ""

    def _facts_of(self, server: str, method: str, path: Path, segments: list[str]) -> _Facts | None:
        key = (server, method, tuple(map(_anonymous, path)))
        facts = self._facts.get(key)
        if facts is None:
            if len(self._facts) >= self._limits.paths:
                if not self._full:
                    self._template()
                    self._full = len(self._facts) > 0.9 * self._limits.paths
                if self._full:
                    return None
            facts = self._facts[key] = _Facts()
        for position, marked in enumerate(path):
            if marked.startswith("{"):
                name = marked[1 : marked.index("}")]
                if name:
                    facts.given[position] = min(name, facts.given.get(position, name))
                else:
                    value = unquote(segments[position])
                    _value_at(
                        self._budget, facts, position, value[: -len(marked) + len(VALUE)] if marked != VALUE else value
                    )
        return facts

    def _note(self, facts: _Facts, entry: Entry, segments: list[str], query: str) -> None:
        facts.count += 1
        if len(facts.places) < _MOST_PLACES:
            facts.places[self._entries] = entry.where
        if entry.name and len(facts.names) < 2:
            facts.names.add(entry.name)
        if entry.folder and len(facts.folders) < 2:
            facts.folders.add(entry.folder)
        if entry.status is not None:
            facts.statuses[entry.status] += 1
        valid = entry.status is None or 200 <= entry.status < 400
        schemes = self._schemes_of_headers(facts, entry)
        fields = _fields_of(query)
        schemes |= self._note_query(facts, fields, valid)
        if valid:
            facts.successes += 1
            facts.security[tuple(sorted(schemes))] += 1
        body = answer = None
        if entry.body:
            facts.with_body += 1
            if len(entry.body) <= self._limits.body_bytes:
                self.masker.learn_text(entry.body)
            kind = _media_type(entry.body_type, entry.body)
            if kind in facts.bodies or len(facts.bodies) < _MOST_PARAMETERS:
                body = self._note_body(_shape(facts.bodies, kind, self._budget), kind, entry.body)
        if entry.status is not None and (entry.answer_body or entry.answer_type):
            kind = _media_type(entry.answer_type, entry.answer_body)
            if (entry.status, kind) in facts.answers or len(facts.answers) < _MOST_PARAMETERS:
                shape = _shape(facts.answers, (entry.status, kind), self._budget)
                answer = self._note_body(shape, kind, entry.answer_body)
        answered = answered_in(entry.answer_headers, answer) if valid else ()
        self._flows.note(facts.party, entry.where, sent_with(segments, fields, entry.headers, body), answered)

    def _schemes_of_headers(self, facts: _Facts, entry: Entry) -> set[str]:
        schemes: set[str] = set()
        for name, value in entry.headers:
            lower = name.lower()
            if lower == "authorization":
                scheme = value.partition(" ")[0].lower()
                kind = {"bearer": SecurityKind.BEARER, "basic": SecurityKind.BASIC}.get(scheme, SecurityKind.OTHER)
                schemes.add(
                    self._scheme(SecurityScheme({"bearer": "bearer", "basic": "basic"}.get(scheme, "other"), kind))
                )
            elif not says_something(name):
                continue
            elif is_secret(name):
                schemes.add(
                    self._scheme(SecurityScheme(lower, SecurityKind.API_KEY, ParameterLocation.HEADER, parameter=name))
                )
            elif lower in facts.headers or len(facts.headers) < _MOST_PARAMETERS:
                facts.headers[lower] = facts.headers.get(lower, 0) + 1
        return schemes

    def _scheme(self, scheme: SecurityScheme) -> str:
        if len(self.security_schemes) < _MOST_PARAMETERS and self.masker.is_harmless(scheme.name):
            self.security_schemes.setdefault(scheme.name, scheme)
        return scheme.name

    def _note_query(self, facts: _Facts, fields: Sequence[tuple[str, str]], valid: bool) -> set[str]:
        schemes: set[str] = set()
        seen: set[str] = set()
        for name, value in fields:
            if is_secret(name):
                self.masker.learn(value)
                if re.fullmatch(r"(?i)(?:api|subscription)[_-]?key|(?:access|auth)[_-]?token|appid|key|token", name):
                    scheme = SecurityScheme(name, SecurityKind.API_KEY, ParameterLocation.QUERY, parameter=name)
                    schemes.add(self._scheme(scheme))
                    continue
            if name not in facts.query and len(facts.query) >= _MOST_PARAMETERS:
                continue
            _shape(facts.query, name, self._budget).add_text(value)
            if name in seen:
                facts.repeated.add(name)
            elif valid:
                facts.asked[name] += 1
            seen.add(name)
        return schemes

    def _note_body(self, shape: Shape, kind: str, body: str) -> Json:
        """What the body says; None where it is not understood."""
        if not body or len(body) > self._limits.body_bytes:
            return None
        if kind == "application/json" or kind.endswith("+json"):
            try:
                value = orjson.loads(body.encode(errors="replace"))
            except ValueError:
                return None
            shape.add(value)
            return value
        if kind == "application/x-www-form-urlencoded":
            fields: dict[str, list[str]] = {}
            for name, value in _fields_of(body):
                fields.setdefault(name, []).append(value)
                if is_secret(name):
                    self.masker.learn(value)
            shape.add_fields(fields)
            return {name: values[0] for name, values in fields.items()}
        if kind.endswith(("xml", "text/plain")):
            self.masker.learn_text(body)
        elif kind == "multipart/form-data":
            names = re.findall(PART_NAME, body)
            shape.add_fields({_clean(name): ("",) for name in names})
        return None

    def _template(self) -> None:
        """Merges the facts of paths that are one by what can be learnt from all of them."""
        known: list[tuple[str, str, Path, _Facts]] = []
        missing: list[tuple[str, str, Path, _Facts]] = []
        by_server: dict[str, dict[Path, Seen]] = {}
        for (server, method, path), facts in self._facts.items():
            path = self._without_secrets(path)
            if facts.statuses and facts.statuses.keys() <= _NOWHERE:
                missing.append((server, method, path, facts))
                continue
            known.append((server, method, path, facts))
            seen = by_server.setdefault(server, {}).setdefault(path, Seen(accepted=False))
            seen.methods.add(method)
            seen.accepted |= facts.successes > 0
            for (status, _), shape in facts.answers.items():
                if 200 <= status < 300:
                    seen.answers.setdefault(method, set()).update(shape.names())
        learnt = {server: templates.learn(paths.items(), self._known) for server, paths in by_server.items()}
        self._facts = {}
        for server, method, path, facts in known:
            template = learnt[server].of(path)
            _note_values(self._budget, facts, path, template)
            if (same := self._facts.setdefault((server, method, template), facts)) is not facts:
                same.merge(facts)
        for server, method, path, facts in missing:
            template = learnt[server].of(path) if server in learnt else path
            if (server, method, template) in self._facts:
                _note_values(self._budget, facts, path, template)
                self._facts[server, method, template].merge(facts)
            else:
                self._nowhere.add(facts)

    def _without_secrets(self, path: Path) -> Path:
        return tuple(
            VALUE if not each.startswith("{") and not self.masker.is_clean(unquote(each)) else each for each in path
        )

    def _captured(self, server: str, method: str, path: Path, facts: _Facts) -> Captured:
        masker = self.masker
        harmless = masker.is_harmless
        kinds = {position: next(iter(each)) for position, each in facts.kinds.items() if len(each) == 1}
        named = templates.named(path, kinds, {at: name for at, name in facts.given.items() if harmless(name)})
        parameters = [
            Parameter(
                name=segment[1 : segment.index("}")],
                location=ParameterLocation.PATH,
                required=True,
                schema=facts.values[position].schema(harmless, texts=True)
                if position in facts.values
                else {"type": "string"},
                style="simple",
                examples=self._path_examples(facts, named, position),
            )
            for position, segment in enumerate(named)
            if segment.startswith("{")
        ]
        parameters += [self._query_parameter(facts, name) for name in sorted(facts.query) if harmless(name)]
        parameters += [
            Parameter(
                name=name,
                location=ParameterLocation.HEADER,
                required=facts.headers[name] >= facts.count and facts.count > 1,
                schema={"type": "string"},
                style="simple",
            )
            for name in sorted(facts.headers)
            if harmless(name)
        ]
        content = tuple(self._media(kind, shape) for kind, shape in sorted(facts.bodies.items()) if harmless(kind))
        statuses = dict(sorted(facts.statuses.items()))
        places = tuple(masker.mask(place) for _, place in sorted(facts.places.items()))
        operation = Operation(
            method=method,
            path=masker.mask("/" + "/".join(named)),
            summary=masker.mask(next(iter(facts.names))) if len(facts.names) == 1 else "",
            tags=tuple(sorted(map(masker.mask, facts.folders))),
            parameters=tuple(parameters),
            body=RequestBody(required=facts.with_body >= facts.count, content=content) if content else None,
            responses=tuple(
                ResponseSpec(
                    str(status),
                    tuple(
                        self._media(kind, shape)
                        for (code, kind), shape in sorted(facts.answers.items())
                        if code == status and harmless(kind)
                    ),
                )
                for status in statuses
            ),
            security=tuple(sorted(each for each in facts.security if set(each) <= self.security_schemes.keys()))
            if any(facts.security)
            else (),
            pointer=places[0] if places else "",
        )
        return Captured(operation, masker.mask(server), facts.count, places, statuses)

    def _flows_between(self, captured: Sequence[tuple[Captured, _Facts]]) -> tuple[Flow, ...]:
        """Those of which both places are such as the operations show: other names may be data."""
        parties = {facts.party: (each, facts) for each, facts in captured}
        found: list[Flow] = []
        for (producer, at, consumer, location, name), passed in self._flows.ways().items():
            if producer not in parties or consumer not in parties:
                continue
            (giving, given), (taking, taken) = parties[producer], parties[consumer]
            parameter = self._parameter_of(taking, taken, location, name)
            if not parameter or not (
                self._is_name(at.removeprefix(HEADER))
                if at.startswith(HEADER)
                else self._is_shown(given.answers.values(), at)
            ):
                continue
            first, then = map(self.masker.mask, passed.places)
            share = round(passed.shares / passed.times, 3)
            ends = giving.url_key, at, taking.url_key, location, parameter
            found.append(Flow(*ends, passed.times, f"{first} -> {then}", share))
        found.sort(key=lambda flow: (-flow.times * flow.share, astuple(flow)))
        return tuple(sorted(found[:_MOST_FLOWS], key=astuple))

    def _parameter_of(self, taking: Captured, facts: _Facts, location: str, name: str | int) -> str:
        """Empty where the operation shows none."""
        if isinstance(name, int):
            segment = taking.operation.path.split("/")[1:][name]
            return segment[1 : segment.index("}")] if segment.startswith("{") else ""
        shown = self._is_shown(facts.bodies.values(), f"/{name}") if location == BODY else self._is_name(name)
        return name if shown else ""

    def _is_shown(self, shapes: Iterable[Shape], pointer: str) -> bool:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        return all(map(self._is_name, parts)) and any(shape.has(parts) for shape in shapes)

    def _is_name(self, text: str) -> bool:
        return not tells(text) and self.masker.is_harmless(text)

    def _path_examples(self, facts: _Facts, named: Path, position: int) -> tuple[Json, ...]:
        shape = facts.values.get(position)
        words = {word for segment in named[: position + 1] for word in _WORD.findall(segment)}
        return () if shape is None or any(map(is_secret, words)) else shape.examples(self.masker.is_harmless, "")

    def _query_parameter(self, facts: _Facts, name: str) -> Parameter:
        shape, harmless = facts.query[name], self.masker.is_harmless
        schema = shape.schema(harmless, name=name, texts=True)
        return Parameter(
            name=name,
            location=ParameterLocation.QUERY,
            required=0 < facts.successes <= facts.asked[name],
            schema={"type": "array", "items": schema} if name in facts.repeated else schema,
            style="form",
            explode=True,
            examples=() if name in facts.repeated else shape.examples(harmless, name),
        )

    def _media(self, kind: str, shape: Shape) -> MediaType:
        return MediaType(kind, shape.schema(self.masker.is_harmless, texts=kind in _FORMS))


class _Nowhere:
    """What was left out: how many entries, and the place of the first."""

    def __init__(self) -> None:
        self.count = 0
        self.place = ""
        self._first: int | None = None

    def add(self, facts: _Facts) -> None:
        self.count += facts.count
        first = min(facts.places)
        if self._first is None or first < self._first:
            self._first, self.place = first, facts.places[first]


def _note_values(budget: Budget, facts: _Facts, path: Path, template: Path) -> None:
    """The literals that turned out to be values."""
    for position, (before, after) in enumerate(zip(path, template, strict=True)):
        if after == VALUE and before != VALUE:
            _value_at(budget, facts, position, unquote(before))


def _merge(into: dict[Any, Shape], other: dict[Any, Shape]) -> None:
    for key, shape in other.items():
        if key in into:
            into[key].merge(shape)
        else:
            into[key] = shape


def _shape(shapes: dict[Any, Shape], key: Any, budget: Budget) -> Shape:
    if key not in shapes:
        shapes[key] = Shape(budget)
    return shapes[key]


def _value_at(budget: Budget, facts: _Facts, position: int, value: str) -> None:
    _shape(facts.values, position, budget).add_text(_clean(value))
    facts.kinds.setdefault(position, set()).add(kind_of(value))


def _anonymous(marked: str) -> str:
    return VALUE + marked[marked.index("}") + 1 :] if marked.startswith("{") else marked


def _fields_of(query: str) -> list[tuple[str, str]]:
    """Of a query or a form; none of one with more than 1,000."""
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=1_000)
    except ValueError:
        return []
    return [(_clean(name), _clean(value)) for name, value in fields]


def _clean(text: str) -> str:
    """Without halves of surrogate pairs, which no JSON can hold."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _split_base(base_url: str) -> tuple[str, str]:
    url = urlsplit(base_url)
    return _server(url.scheme, url.hostname, url.port), url.path.rstrip("/")


def _server(scheme: str, host: str | None, port: int | None) -> str:
    """Raises `ValueError`."""
    if not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    suffix = f":{port}" if port is not None and f":{port}" != _DEFAULT_PORTS.get(scheme) else ""
    return f"{scheme or 'http'}://{host}{suffix}"


def _media_type(content_type: str, body: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    if _MEDIA_TYPE.fullmatch(kind) is not None:
        return kind
    return "application/json" if body.lstrip()[:1] in ("{", "[") else "text/plain"
