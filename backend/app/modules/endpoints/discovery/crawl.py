"""Operations that a server links to: from page to page, through JSON and headers, and in what its scripts call."""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from backend.app.engine.http import Answer, Exchange, Request
from backend.app.engine.spec.model import Operation, Parameter, ParameterLocation
from backend.app.modules.endpoints.discovery import Discovered, Evidence, Kind, Subject, Tools, strategy
from backend.app.modules.endpoints.discovery.captures.model import Entry
from backend.app.modules.endpoints.discovery.captures.templates import segments_of
from backend.app.modules.endpoints.discovery.live.asking import Asker, Limits
from backend.app.modules.endpoints.discovery.live.baseline import ABSENT, Calibration, sample_of
from backend.app.modules.endpoints.discovery.live.confirm import ACTS
from backend.app.modules.endpoints.discovery.live.findings import Findings, differs_by_a_slash
from backend.app.modules.endpoints.discovery.live.links import Form, Links, is_same_origin, links_of
from backend.app.modules.endpoints.discovery.live.robots import ALL_ALLOWED, NONE_ALLOWED, Robots, robots_of
from backend.app.modules.endpoints.discovery.live.scripts import CLIENT_BASE, Call, calls_in

LIMITS: Final = Limits(requests=400)
MAX_DEPTH: Final = 6
_ALIKE: Final = 5
"""Paths that differ in values only, from which on no more of them are asked for."""
_SIBLINGS: Final = 50
"""Paths in one folder."""
_LARGE: Final = 100_000
_MOST_WAITING: Final = 10_000
_MOST_NAMED: Final = 2_000
"""Calls of scripts, and forms, that are told without having been asked for."""
_ASSETS: Final = re.compile(
    r"\.(?:css|map|png|jpe?g|gif|svg|ico|webp|woff2?|ttf|otf|eot|wasm|mp[34]|webm|avi|zip|gz|tgz|tar|7z|rar|exe|dmg|iso|pdf)$",
    re.I,
)
_TELLS_NOTHING: Final = ABSENT | {429, 502, 503, 504}


T = TypeVar("T")


@strategy("crawl", Kind.LIVE, lambda subject: bool(subject.base_url))
async def crawl(subject: Subject, tools: Tools) -> tuple[Discovered]:
    """What pages, JSON, headers and scripts of the server link to, asked for with GET alone; forms and calls that send
    something are told, and never sent. Respects robots.txt."""
    base_url = subject.base_url.partition("?")[0].partition("#")[0].rstrip("/")
    asker = Asker(tools, LIMITS, "following links")
    robots, note = await _robots(base_url, tools)
    findings = Findings(base_url, (operation.path for operation in subject.known))
    crawler = _Crawler(base_url, asker, robots, findings)
    await crawler.run()
    asker.require_an_answer()
    return (crawler.findings.discovered("crawl", (asker.stopped, note, *crawler.notes)),)


async def _robots(base_url: str, tools: Tools) -> tuple[Robots, str]:
    exchange = await tools.fetch(Request("GET", urljoin(f"{base_url}/", "/robots.txt")))
    if exchange.answer is None:
        # Who is not there at all is found out, and told, by the first page.
        return ALL_ALLOWED, ""
    robots = robots_of(exchange.answer.status, exchange.answer.body)
    note = f"robots.txt answered {exchange.answer.status}: nothing is crawled (RFC 9309, 2.3.1.4)"
    return robots, note if robots is NONE_ALLOWED else ""


@dataclass(frozen=True, slots=True)
class _Wanted:
    url: str
    depth: int
    page: str = ""
    """Of a script: the page that loads it."""


class _Crawler:
    def __init__(self, base_url: str, asker: Asker, robots: Robots, findings: Findings) -> None:
        self.findings = findings
        self._base_url = base_url
        self._base_path = urlsplit(base_url).path
        self._asker = asker
        self._robots = robots
        self._calibration = Calibration(asker, base_url)
        self._waiting: deque[_Wanted] = deque()
        self._seen: set[str] = set()
        self._shapes: Counter[tuple[str, ...]] = Counter()
        self._folders: Counter[str] = Counter()
        self._plain_folders: set[str] = set()
        """Those with a path in them below which something else is answered than at it."""
        self._bodies: set[int] = set()
        self._calls: dict[tuple[str, str], tuple[Call, str]] = {}
        self._forms: dict[tuple[str, str], tuple[Form, str]] = {}
        self._refused = 0
        self._left_out = 0

    @property
    def notes(self) -> tuple[str, ...]:
        return (
            f"{self._refused} links were left alone, as robots.txt asks" if self._refused else "",
            f"{self._left_out} calls and forms are left out after {_MOST_NAMED}" if self._left_out else "",
        )

    async def run(self) -> None:
        self._want(f"{self._base_url}/", 0)
        self._want(urljoin(self._base_url, "/"), 0)
        while self._waiting and not self._asker.stopped:
            level = list(self._waiting)
            self._waiting.clear()
            await self._asker.each(level, self._visit)
        for call, where in self._calls.values():
            self._tell_call(call, where)
        for form, where in self._forms.values():
            self.findings.described(
                Entry(
                    where=f"form at {where}",
                    method=form.method,
                    url=form.action,
                    # Values may be tokens of our session; names are what counts.
                    body=urlencode([(name, "") for name, _ in form.fields]),
                    body_type=form.content_type,
                )
            )

    def _want(self, url: str, depth: int, page: str = "") -> None:
        """Each place once, and of places that differ in values alone a few."""
        parts = urlsplit(url)
        path = parts.path or "/"
        if depth > MAX_DEPTH or len(self._waiting) >= _MOST_WAITING or not is_same_origin(url, self._base_url):
            return
        if (
            _ASSETS.search(path)
            or ACTS.search(path)
            or not (depth == 0 or self._is_below(path) or path.endswith(".js"))
        ):
            return
        names = "&".join(sorted({each.partition("=")[0] for each in parts.query.split("&") if each}))
        if (place := f"{path}?{names}") in self._seen:
            return
        if not self._robots.allow(f"{path}?{parts.query}" if parts.query else path):
            self._refused += 1
            self._seen.add(place)
            return
        folder = path.rstrip("/").rpartition("/")[0]
        shape = (*segments_of(path), names)
        if self._shapes[shape] < _ALIKE and self._folders[folder] < _SIBLINGS:
            self._shapes[shape] += 1
            self._folders[folder] += 1
            self._seen.add(place)
            self._waiting.append(_Wanted(parts._replace(path=path, fragment="").geturl(), depth, page))

    def _is_below(self, path: str) -> bool:
        return f"{path}/".startswith(f"{self._base_path}/")

    async def _visit(self, wanted: "_Wanted") -> None:
        url, depth = wanted.url, wanted.depth
        exchange = await self._asker.ask("GET", url)
        if exchange is None or exchange.answer is None:
            return
        links, calls = await self._read(exchange.answer, url)
        if await self._is_there(exchange):
            self.findings.answered(exchange)
        elif depth and hash(exchange.answer.body) in self._bodies:
            return
        self._bodies.add(hash(exchange.answer.body))
        page = links.base or wanted.page or url
        self._follow(links, [_on_page(call, page) for call in calls], depth + 1, urlsplit(url).path)

    @staticmethod
    async def _read(answer: Answer, url: str) -> tuple[Links, list[Call]]:
        """Large ones take a while, in which others of the process have their turn."""

        def read() -> tuple[Links, list[Call]]:
            links = links_of(answer, url)
            return links, calls_in(links.code) if links.code else []

        return read() if len(answer.body) < _LARGE else await asyncio.to_thread(read)

    async def _is_there(self, exchange: Exchange) -> bool:
        """Whether the answer is one that is not given to anything near the path, nor to all that stands below it."""
        path = urlsplit(exchange.request.url).path
        if exchange.answer is None or exchange.answer.status in _TELLS_NOTHING or not self._is_below(path):
            return False
        if differs_by_a_slash(exchange):
            return False
        path = path[len(self._base_path) :] or "/"
        sample = sample_of(exchange)
        if (await self._calibration.around("GET", path)).resemble(sample):
            return False
        folder = path.rstrip("/").rpartition("/")[0]
        if path == "/" or folder in self._plain_folders:
            return True
        if await self._calibration.covers_below(path, sample):
            return False
        if folder:
            # What stands side by side below the root may be another application; further down it is one.
            self._plain_folders.add(folder)
        return True

    def _follow(self, links: Links, calls: Iterable[Call], depth: int, where: str) -> None:
        for url in links.scripts:
            self._want(url, depth, links.base)
        for url in links.pages:
            self._want(url, depth)
        for form in links.forms:
            if not is_same_origin(form.action, self._base_url):
                continue
            if form.method == "GET":
                self._want(form.url, depth)
            elif form.method != "DIALOG":
                self._note(self._forms, (form.method, urlsplit(form.action).path), (form, where))
        for call in calls:
            if (own := self._own(call)) is None:
                continue
            if not own.hint:
                self._note(self._calls, (own.method, own.path), (own, where))
            if own.method == "GET" and "{" not in own.path and own.unresolved in ("", CLIENT_BASE):
                self._want(urljoin(self._base_url, own.path), depth)

    def _note(self, known: dict[tuple[str, str], T], key: tuple[str, str], found: T) -> None:
        if key in known:
            return
        if len(known) < _MOST_NAMED:
            known[key] = found
        else:
            self._left_out += 1

    def _own(self, call: Call) -> Call | None:
        """With the path alone; None for a call of another origin."""
        if "://" not in call.path:
            return call
        if not is_same_origin(call.path, self._base_url):
            return None
        return Call(call.method, urlsplit(call.path).path or "/", call.unresolved, call.hint)

    def _tell_call(self, call: Call, where: str) -> None:
        """What was asked for has answered for itself; the rest is told as the script says it."""
        place = f"{call.method} in {where}"
        if call.unresolved and all(each.startswith("{") for each in call.path.split("/")[1:]):
            return  # nothing of its path is known
        if call.unresolved:
            parameters = tuple(
                Parameter(name, ParameterLocation.PATH, required=True, schema={"type": "string"}, style="simple")
                for name in dict.fromkeys(re.findall(r"\{(\w+)\}", call.path))
            )
            operation = Operation(call.method, call.path, parameters=parameters, pointer=place)
            self.findings.tell(operation, Evidence((place,), unresolved=call.unresolved))
        elif call.method != "GET" or "{" in call.path:
            self.findings.described(Entry(where=place, method=call.method, url=call.path))


def _on_page(call: Call, page: str) -> Call:
    """With the path that a browser makes of a relative one."""
    if call.path.startswith("/") or "://" in call.path:
        return call
    return replace(call, path=urlsplit(urljoin(page, call.path)).path)
