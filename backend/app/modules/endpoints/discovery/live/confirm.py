"""Whether operations that others name are there: asked for with GET, HEAD and OPTIONS, and told from what the server
answers at places that it cannot know.

That an operation is there, one answer shows that the server does not give to anything. That it is not there is harder:
handlers answer 404 too, often with the same body as the router, some handle OPTIONS themselves, and some routers name
one route of many in `Allow`. So an answer counts against an operation only where, on this very server, that kind of
answer was right about every operation that is known to be there.
"""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from backend.app.engine.http import Answer, Exchange
from backend.app.engine.spec.model import Operation
from backend.app.modules.endpoints.discovery import Evidence
from backend.app.modules.endpoints.discovery.live.asking import Asker, SafeMethod
from backend.app.modules.endpoints.discovery.live.baseline import (
    ABSENT,
    WALLS,
    Calibration,
    Sample,
    Samples,
    sample_of,
)
from backend.app.modules.endpoints.discovery.live.instances import (
    instance_of,
    is_templated,
    other_instances,
    split_at_last_literal,
)

ACTS: Final = re.compile(
    r"(?:^|[/_-])(?:log-?out|sign-?out|log-?off|delete|remove|destroy|drop|unsubscribe|revoke|shut-?down|restart|reboot"
    r"|reset|kill|purge|flush|clear|wipe|cancel|disable|deactivate|uninstall|exit|quit)(?=$|[/_.?-])",
    re.I,
)
"""Paths that may do something when they are asked for, whatever HTTP says of GET: they are not."""
LOGIN: Final = re.compile(r"log-?in|sign-?in|/auth\b|/sso\b|oauth|saml|/session", re.I)
_FEW: Final = 2
"""Operations that are there, from which on a kind of answer is trusted."""
_NEVER_ROUTED: Final = re.compile(r"Cannot (?:GET|HEAD) /|Route (?:GET|HEAD):/\S* not found|No static resource ", re.I)
"""What Express, Fastify and Spring say when no route fits."""
_DJANGO: Final = re.compile(r"<p>The requested resource was not found on this server\.</p>|tried these URL patterns")
_GO: Final = b"404 page not found\n"
_PLAIN: Final = re.compile(r"/(?:[^\s*?#\[\]()^|\\<>{}]|\{[^{}/]*\})*")
"""A path that can be asked for, and no pattern of a router."""
_SAYS_ONE_ROUTE: Final = (b'{"detail":"Method Not Allowed"}', b"Method Not Allowed")
"""Starlette: `Allow` has the methods of the first route of the path, and not of those that follow."""


@dataclass(slots=True)
class _Reading:
    """An answer beside the answers to anything near it."""

    exchange: Exchange
    sample: Sample
    differs: bool
    is_the_same: bool
    samples: Samples

    @property
    def status(self) -> int:
        return self.sample.status

    @property
    def words(self) -> str:
        """For people."""
        allow = f", Allow: {', '.join(sorted(self.sample.allow))}" if self.sample.allow else ""
        return f"{self.exchange.request.method} {_path(self.exchange)} answered {self.status}{allow}"

    @property
    def means_nothing_is_there(self) -> bool:
        return self.is_the_same and self.status in (404, 410)


@dataclass(slots=True)
class _Route:
    """A path and what is known to be done on it."""

    path: str
    operations: list[Operation]
    instance: str
    readings: dict[SafeMethod, _Reading] = field(default_factory=dict)
    allowed_of_others: set[str] | None = None
    """What `Allow` names with other values for the parameters; None where that was not asked, or not all of it."""

    @property
    def methods(self) -> frozenset[str]:
        return frozenset(each.method for each in self.operations)

    @property
    def answers(self) -> bool:
        """Something is there, shown by more than that OPTIONS is answered."""
        get = self.readings.get("GET") or self.readings.get("HEAD")
        return get is not None and get.differs and get.status not in ABSENT | {429, 502, 503, 504}

    @property
    def allowed(self) -> _Reading | None:
        for reading in self.readings.values():
            if reading.differs and reading.sample.allow:
                return reading
        return None


async def confirm(
    known: Iterable[Operation], base_url: str, asker: Asker, calibration: Calibration
) -> Mapping[str, Evidence]:
    """By `Operation.key`. `alive` is None for what cannot be told; what was not asked for is left out."""
    by_path: dict[str, list[Operation]] = {}
    for operation in known:
        if _PLAIN.fullmatch(operation.path) is None:
            continue
        by_path.setdefault(operation.path, []).append(operation)
    routes = [_Route(path, group, instance_of(path, group)) for path, group in sorted(by_path.items())]
    inquiry = _Inquiry(base_url.rstrip("/"), asker, calibration)
    await asker.each(routes, inquiry.look)
    court = _Court(routes)
    suspects = [route for route in routes if court.suspects(route)]
    if court.is_django and suspects:
        await asker.each([r for r in routes if r.answers and r.path.endswith("/") and r.path != "/"][:4], inquiry.slash)
        court.hear_slashes(inquiry.slashes)
    absent: set[str] = set()

    async def try_hard(route: _Route) -> None:
        if await inquiry.is_absent(route, court):
            absent.add(route.path)

    # Those with parameters take several requests each.
    await asker.each(sorted(suspects, key=lambda route: is_templated(route.path)), try_hard)
    await asker.each([route for route in routes if is_templated(route.path) and court.misses(route)], inquiry.widen)
    return {
        operation.key: evidence
        for route in routes
        for operation in route.operations
        if (evidence := court.judge(operation, route, absent)) is not None
    }


class _Inquiry:
    def __init__(self, base_url: str, asker: Asker, calibration: Calibration) -> None:
        self.slashes: dict[str, bool] = {}
        self._base_url = base_url
        self._asker = asker
        self._calibration = calibration

    async def look(self, route: _Route) -> None:
        wanted: list[SafeMethod] = ["OPTIONS"]
        if "GET" in route.methods and not ACTS.search(route.path):
            wanted.insert(0, "GET")
        elif "HEAD" in route.methods and not ACTS.search(route.path):
            wanted.insert(0, "HEAD")
        for method in wanted:
            if (reading := await self.read(method, route.path, route.instance)) is not None:
                route.readings[method] = reading
        # A route that does not take GET says with 405 what it takes.
        asks_what_it_takes = wanted == ["OPTIONS"] and route.allowed is None and not ACTS.search(route.path)
        if asks_what_it_takes and (reading := await self.read("GET", route.path, route.instance)) is not None:
            route.readings["GET"] = reading

    async def read(self, method: SafeMethod, path: str, instance: str) -> _Reading | None:
        exchange = await self._asker.ask(method, f"{self._base_url}{instance}")
        sample = sample_of(exchange) if exchange is not None else None
        if exchange is None or sample is None:
            return None
        samples = await self._calibration.near(method, *split_at_last_literal(path, instance))
        differs = not _suggests(sample) and (not samples.resemble(sample) or _other_headers(samples, sample))
        return _Reading(exchange, sample, differs, samples.equal(sample), samples)

    async def slash(self, route: _Route) -> None:
        """Whether the path without its last slash leads to the one with it: the router does that, and no handler."""
        exchange = await self._asker.ask("GET", f"{self._base_url}{route.instance.rstrip('/')}")
        if exchange is not None and exchange.answer is not None:
            self.slashes[route.path] = 300 <= exchange.answer.status < 400 and (
                exchange.answer.header("location") or ""
            ).partition("?")[0].endswith(route.instance)

    async def is_absent(self, route: _Route, court: "_Court") -> bool:
        """Whether no value of its parameters makes the server know the path."""
        if court.is_django:
            # Views of Django answer OPTIONS as they answer GET, a missing thing with the 404 of the router.
            if not court.slash_tells or not route.path.endswith("/") or is_templated(route.path):
                return False
            await self.slash(route)
            return self.slashes.get(route.path) is False
        if not is_templated(route.path):
            again = await self.read("OPTIONS", route.path, route.instance)
            return again is not None and again.means_nothing_is_there
        for instance in other_instances(route.path, route.operations, route.instance):
            reading = await self.read("OPTIONS", route.path, instance)
            if reading is None or not reading.means_nothing_is_there:
                return False
        return True

    async def widen(self, route: _Route) -> None:
        """A router may take other values for other methods."""
        allowed: set[str] = set()
        for instance in other_instances(route.path, route.operations, route.instance):
            if (reading := await self.read("OPTIONS", route.path, instance)) is None:
                return
            allowed |= reading.sample.allow
        route.allowed_of_others = allowed


class _Court:
    """Which kinds of answers count against an operation on this server.

    Behind one address may stand several applications. What unknown paths near a route answer tells them apart, and
    what was right about one application says nothing of the next.
    """

    def __init__(self, routes: Sequence[_Route]) -> None:
        answers = [it.exchange.answer for route in routes for it in route.readings.values() if it.exchange.answer]
        self.is_django = any(map(_is_of_django, answers))
        self.slash_tells = False
        by_application: dict[Hashable, list[_Route]] = {}
        for route in routes:
            by_application.setdefault(_application(route), []).append(route)
        by_application.pop(None, None)
        self._options_tell = {each for each, group in by_application.items() if _options_tell(group)}
        self._options_tell_of_values = {each for each in self._options_tell if _is_the_routers(by_application[each])}
        self._allow_tells = {each for each, group in by_application.items() if _allow_tells(group)}

    def hear_slashes(self, found: Mapping[str, bool]) -> None:
        self.slash_tells = len(found) >= _FEW and all(found.values())

    @staticmethod
    def names_no_route(route: _Route) -> bool:
        """The framework says that no route fits, in words that handlers have no reason for."""
        reading = route.readings.get("GET") or route.readings.get("HEAD")
        if reading is None or not reading.means_nothing_is_there or is_templated(route.path):
            return False
        answer = reading.exchange.answer
        return answer is not None and _NEVER_ROUTED.search(answer.body[:5_000].decode(errors="replace")) is not None

    def suspects(self, route: _Route) -> bool:
        """Whether all answers are those to anything, and such an answer tells."""
        if not route.readings or not all(each.means_nothing_is_there for each in route.readings.values()):
            return False
        if self.is_django:
            return True
        if not is_templated(route.path):
            return _application(route) in self._options_tell
        # Handlers in Go answer OPTIONS too, and what they do not find with the words of the router.
        says_go = any(it.exchange.answer and it.exchange.answer.body == _GO for it in route.readings.values())
        return _application(route) in self._options_tell_of_values and not says_go

    def judge(self, operation: Operation, route: _Route, absent: set[str]) -> Evidence | None:
        if not route.readings:
            return None
        places = tuple(reading.words for reading in route.readings.values())
        if route.path in absent:
            return Evidence((*places, "as any unknown path"), alive=False)
        if operation.method in ("GET", "HEAD") and self.names_no_route(route):
            return Evidence((*places, "as any unknown path"), alive=False)
        own = route.readings.get(operation.method)  # type: ignore[call-overload]
        if own is not None and own.differs and own.status not in WALLS - {401, 403, 407, 500}:
            if own.status not in (405, 501):
                return Evidence((own.words,), alive=True, requires_auth=_asks_for_credentials(own))
            if not is_templated(route.path) and operation.method not in own.sample.allow and own.sample.allow:
                return Evidence((own.words,), alive=False)
            return Evidence(places)
        allowed = route.allowed
        if allowed is None:
            return Evidence(places)
        if operation.method in allowed.sample.allow:
            return Evidence((allowed.words,), alive=True, requires_auth=None)
        if not self.misses(route):
            return Evidence(places)
        if not is_templated(route.path):
            return Evidence((allowed.words,), alive=False)
        others = route.allowed_of_others
        return (
            Evidence(places)
            if others is None or operation.method in others
            else Evidence((allowed.words,), alive=False)
        )

    def misses(self, route: _Route) -> bool:
        """Whether `Allow` leaves out what is known of the path, and would name it."""
        allowed, get = route.allowed, route.readings.get("GET")
        return (
            allowed is not None
            and not route.methods <= allowed.sample.allow
            and _application(route) in self._allow_tells
            and not _says_one_route(allowed.exchange)
            and (get is None or get.differs or not is_templated(route.path))
        )


def _is_of_django(answer: Answer) -> bool:
    """By its page of 404, or by the headers of its security middleware."""
    if answer.status == 404 and _DJANGO.search(answer.body[:20_000].decode(errors="replace")) is not None:
        return True
    policies = answer.header("referrer-policy"), answer.header("cross-origin-opener-policy")
    return policies == ("same-origin", "same-origin") and answer.header("x-content-type-options") == "nosniff"


def _application(route: _Route) -> Hashable:
    """What answers OPTIONS at unknown paths near the route; None where that was not seen."""
    options = route.readings.get("OPTIONS")
    if options is None or options.samples.erratic or not options.samples.known:
        return None
    first = options.samples.known[0]
    return first.status, first.kind, first.headers, frozenset(first.words.items())


def _options_tell(routes: Sequence[_Route]) -> bool:
    """Whether OPTIONS was answered otherwise than at unknown paths wherever something is there."""
    there = [route.readings["OPTIONS"] for route in routes if route.answers]
    return len(there) >= _FEW and all(reading.differs for reading in there)


def _is_the_routers(routes: Sequence[_Route]) -> bool:
    """Whether the router answers OPTIONS: where a handler refuses a value, OPTIONS is answered all the same."""
    return any(
        is_templated(route.path)
        and route.readings["OPTIONS"].differs
        and (get := route.readings.get("GET")) is not None
        and get.status in (400, 404, 409, 410, 422)
        for route in routes
    )


def _allow_tells(routes: Sequence[_Route]) -> bool:
    """Whether `Allow` differs from path to path, names several methods, and never leaves out one that is there."""
    lists: set[frozenset[str]] = set()
    for route in routes:
        get = route.readings.get("GET")
        for reading in route.readings.values():
            if reading.differs and reading.sample.allow:
                if get is not None and get.differs and get.status < 400 and "GET" not in reading.sample.allow:
                    return False
                lists.add(reading.sample.allow - {"HEAD", "OPTIONS"})
    return len(lists) >= _FEW and any(len(each) > 1 for each in lists)


def _suggests(sample: Sample) -> bool:
    """A router that names routes like the one it does not know (Flask-RESTX)."""
    return sample.status == 404 and {"did", "you", "mean"} <= sample.words.keys()


def _other_headers(samples: Samples, sample: Sample) -> bool:
    """A handler's own 404 may differ from the router's in its headers only."""
    return (
        not samples.erratic
        and len(samples.known) > 1
        and sample.status in ABSENT
        and len({each.headers for each in samples.known}) == 1
        and sample.headers > samples.known[0].headers
    )


def _asks_for_credentials(reading: _Reading) -> bool | None:
    if reading.status in (401, 407):
        return True
    redirected = 300 <= reading.status < 400
    answer = reading.exchange.answer
    return True if redirected and answer is not None and LOGIN.search(answer.header("location") or "") else None


def _says_one_route(exchange: Exchange) -> bool:
    return exchange.answer is not None and (
        exchange.answer.status == 405 and exchange.answer.body.strip() in _SAYS_ONE_ROUTE
    )


def _path(exchange: Exchange) -> str:
    url = exchange.request.url
    return "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
