"""Which values of answers were sent with later requests: who gives what, as traffic shows it.

Of values only hashes are held, and only of those that tell: identifiers, tokens, long numbers. What a request was sent
with before any answer held it is the client's own, and an answer that repeats what its request was sent with gives
nothing. Tables are bounded: what is oldest is forgotten.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from backend.app.engine.http import Headers
from backend.app.engine.spec.model import Json, ParameterLocation
from backend.app.modules.endpoints.discovery.captures.headers import says_something
from backend.app.modules.endpoints.discovery.captures.model import BODY

HEADER: Final = "$response.header."
"""Begins a field that is no member of a body: a runtime expression (OpenAPI 3.1, 4.8.20.4)."""
PRODUCERS: Final = 4
"""Kept of one place in the requests of an operation, the likeliest."""
MOST_VALUES: Final = 20_000
_MOST_WAYS: Final = 20_000
_MOST_ORIGINS: Final = 8
"""Places in answers that are known to hold one value."""
_MOST_PASSED: Final = 20_000
"""Values on a way that are known to be counted."""
_MOST_NODES: Final = 100
"""Objects and lists that are looked into in one body."""
_MOST_ITEMS: Final = 10
"""Of one list."""
_TYPICAL: Final = 2
"""The first items of a list: they show which members tell."""
_SHORTEST: Final = 6
_LONGEST: Final = 4_096
_LEAST_NUMBER: Final = 10 ** (_SHORTEST - 1)
_TELLING: Final = re.compile(
    r"[0-9]{6,40}"
    # Eight signs or more without spaces, a digit among them; no date, decimal number, version or IP address.
    r"|(?=[A-Za-z0-9_][A-Za-z0-9._~+/=-]{7,}\Z)(?![12][0-9]{3}-[01][0-9]-)(?![0-9.+-]+\Z)[^0-9]*[0-9].*"
)
_IN_PATH: Final = ParameterLocation.PATH.value
_IN_QUERY: Final = ParameterLocation.QUERY.value
_IN_HEADER: Final = ParameterLocation.HEADER.value
_IN_COOKIE: Final = ParameterLocation.COOKIE.value
_CARRYING: Final = frozenset({"authorization", "cookie", "location", "set-cookie"})
_GIVING_NOTHING: Final = frozenset(
    {
        *("if-modified-since", "if-none-match", "last-modified", "server", "strict-transport-security", "vary"),
        *("x-content-type-options", "x-frame-options", "x-powered-by", "x-xss-protection"),
    }
)
"""Of caches, which no operation needs, and what servers say of themselves."""


@dataclass(slots=True, eq=False)
class Party:
    """Stands for an operation while it is not known yet which paths are one."""

    into: "Party | None" = None

    def whole(self) -> "Party":
        party = self
        while party.into is not None:
            party = party.into
        return party


Sent: TypeAlias = tuple[str, str | int, str]
"""Location, name (of a segment of the path its position) and value."""
Answered: TypeAlias = tuple[str, str]
"""Field, as in `Flow`, and value."""
Way: TypeAlias = tuple[Party, str, Party, str, str | int]
"""Producer and field, consumer with location and name."""


@dataclass(slots=True)
class Passed:
    """What went one way: the number of values, the sum of the producer's shares in them, and the first exchanges."""

    times: int = 0
    shares: float = 0.0
    places: tuple[str, str] = ("", "")


_Origins: TypeAlias = tuple[tuple[Party, str, str], ...]
"""Where a value was answered: operation, field and exchange. Empty: it is the client's own."""


class Flows:
    """Is told of the exchanges in their order."""

    def __init__(self) -> None:
        self._young: dict[int, _Origins] = {}
        self._old: dict[int, _Origins] = {}
        self._passed: set[tuple[int, Way]] = set()
        self._ways: dict[Way, Passed] = {}

    def note(self, party: Party, where: str, sent: Iterable[Sent], answered: Iterable[Answered]) -> None:
        own = set()
        for location, name, text in sent:
            key = hash(text)
            own.add(key)
            if (origins := self._origins(key)) is None:
                self._young[key] = ()
            elif origins:
                self._pass(key, origins, party, location, name, where)
        here: dict[str, _Origins] = {}  # shared by all values of a list, of which there are many
        for at, text in answered:
            key = hash(text)
            if key in own:
                continue
            if (origin := here.get(at)) is None:
                origin = here[at] = ((party, at, where),)
            if (origins := self._origins(key)) is None:
                self._young[key] = origin
            elif 0 < len(origins) < _MOST_ORIGINS and not any(it[0] is party and it[1] == at for it in origins):
                self._young[key] = origins + origin

    def _origins(self, key: int) -> _Origins | None:
        origins = self._young.get(key)
        if origins is None:
            origins = self._old.pop(key, None)
            if len(self._young) >= MOST_VALUES // 2:
                self._old, self._young = self._young, {}
            if origins is not None:
                self._young[key] = origins
        return origins

    def _pass(self, key: int, origins: _Origins, consumer: Party, location: str, name: str | int, where: str) -> None:
        if len(self._passed) >= _MOST_PASSED:
            self._passed.clear()
        for producer, at, origin in origins:
            way = producer, at, consumer, location, name
            if (key, way) in self._passed:
                continue
            self._passed.add((key, way))
            if (passed := self._ways.get(way)) is None:
                if len(self._ways) >= _MOST_WAYS:
                    self._ways = self._joined()
                if len(self._ways) >= _MOST_WAYS:
                    return
                passed = self._ways[way] = Passed(places=(origin, where))
            passed.times += 1
            passed.shares += 1 / len(origins)

    def ways(self) -> dict[Way, Passed]:
        """The likeliest, between operations that are two in the end."""
        self._ways = self._joined()
        by_place: defaultdict[tuple[Party, str, str | int], list[tuple[Way, Passed]]] = defaultdict(list)
        for way, passed in self._ways.items():
            by_place[way[2:]].append((way, passed))
        return dict(
            each for found in by_place.values() for each in sorted(found, key=lambda it: -it[1].shares)[:PRODUCERS]
        )

    def _joined(self) -> dict[Way, Passed]:
        joined: dict[Way, Passed] = {}
        for (producer, at, consumer, location, name), passed in self._ways.items():
            giving, taking = producer.whole(), consumer.whole()
            if giving is not taking:
                known = joined.setdefault((giving, at, taking, location, name), Passed(places=passed.places))
                known.times += passed.times
                known.shares += passed.shares
        return joined


def sent_with(segments: Sequence[str], query: Iterable[tuple[str, str]], headers: Headers, body: Json) -> list[Sent]:
    found: list[Sent] = []
    for position, segment in enumerate(segments):
        if len(segment) >= _SHORTEST and not segment.isalpha() and tells(text := _value_of(segment)):
            found.append((_IN_PATH, position, text))
    found += [(_IN_QUERY, name, text) for name, text in query if tells(text)]
    for name, value in headers:
        lower = _carried(name)
        if lower == "cookie":
            pairs = (each.strip().partition("=") for each in value.split(";"))
            found += [(_IN_COOKIE, cookie, text) for cookie, _, text in pairs if tells(text)]
        elif lower and tells(text := _bare(value)):
            found.append((_IN_HEADER, lower, text))
    if body:
        found += [(BODY, pointer[1:], text) for pointer, text in _members(body)]
    return found


def answered_in(headers: Headers, body: Json) -> list[Answered]:
    found = _members(body) if body else []
    for name, value in headers:
        lower = _carried(name)
        if not lower or len(value) < _SHORTEST:
            continue
        if lower == "location":
            texts = _parts(value)
        elif lower == "set-cookie":
            texts = [value.partition(";")[0].partition("=")[2]]
        else:
            texts = [_bare(value)]
        found += [(f"{HEADER}{lower}", text) for text in texts if tells(text)]
    return found


def _members(body: Json) -> list[Answered]:
    """JSON pointers and values; all items of a list stand under 0, as if each were the first."""
    found: list[Answered] = []
    _gather(found, "", body, [_MOST_NODES])
    return found


def _gather(found: list[Answered], pointer: str, node: Any, left: list[int]) -> None:
    """`left`: how many objects and lists may be looked into."""
    kind = type(node)
    if kind is dict:
        left[0] -= 1
        for name, value in node.items():
            kind = type(value)
            if kind is str:
                if _SHORTEST <= len(value) <= _LONGEST and _TELLING.fullmatch(value) is not None:
                    found.append((f"{pointer}/{_escaped(name)}", value))
            elif kind is int:
                if value >= _LEAST_NUMBER:
                    found.append((f"{pointer}/{_escaped(name)}", str(value)))
            elif value and (kind is dict or kind is list) and left[0] > 0:
                _gather(found, f"{pointer}/{_escaped(name)}", value, left)
    elif kind is list:
        left[0] -= 1
        _gather_items(found, f"{pointer}/0", node, left)
    elif kind is str:
        if tells(node):
            found.append((pointer, node))
    elif kind is int and node >= _LEAST_NUMBER:
        found.append((pointer, str(node)))


def _gather_items(found: list[Answered], pointer: str, items: list[Any], left: list[int]) -> None:
    before = len(found)
    for item in items[:_TYPICAL]:
        if left[0] > 0 and item:
            _gather(found, pointer, item, left)
    if len(items) <= _TYPICAL or len(found) == before:
        return
    telling = {at[len(pointer) + 1 :].partition("/")[0] for at, _ in found[before:]}
    names = [(_plain(name), f"{pointer}/{name}") for name in sorted(telling)]
    for item in items[_TYPICAL:_MOST_ITEMS]:
        if type(item) is not dict:
            _gather(found, pointer, item, left)
            continue
        for name, at in names:
            value = item.get(name)
            if type(value) is str:
                if _SHORTEST <= len(value) <= _LONGEST and _TELLING.fullmatch(value) is not None:
                    found.append((at, value))
            elif value and left[0] > 0:
                _gather(found, at, value, left)


def tells(text: str) -> bool:
    """Whether a text is so much its own that it is a value, and that others are equal by no accident."""
    return _SHORTEST <= len(text) <= _LONGEST and _TELLING.fullmatch(text) is not None


def _value_of(segment: str) -> str:
    """Without an action behind it: `8f3a:cancel`."""
    text = unquote(segment) if "%" in segment else segment
    return text.partition(":")[0] if ":" in text else text


def _bare(value: str) -> str:
    """Of a header: without a scheme (`Bearer abc`), and what an entity tag (`W/"abc"`) has around it."""
    return value.rpartition(" ")[2].removeprefix("W/").strip('"')


def _parts(location: str) -> list[str]:
    try:
        url = urlsplit(location)
        return [*map(_value_of, url.path.split("/")), *(value for _, value in parse_qsl(url.query, max_num_fields=100))]
    except ValueError:
        return []


@lru_cache(maxsize=4_096)
def _carried(name: str) -> str:
    """The name of the header without case if it may carry what tells, else nothing."""
    lower = name.lower()
    return lower if lower in _CARRYING or (says_something(name) and lower not in _GIVING_NOTHING) else ""


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name


def _plain(name: str) -> str:
    return name.replace("~1", "/").replace("~0", "~") if "~" in name else name
