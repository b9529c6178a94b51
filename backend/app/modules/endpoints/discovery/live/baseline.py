"""What a server answers to anything: samples of answers at random places, and whether an answer can be told from them.

The method is that of content discovery (kiterunner, ffuf): places that nobody can have made are asked first, near each
place of interest. What repeats the request is taken out of an answer before it is compared, and how much two samples
differ from each other says how much a difference means.
"""

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from backend.app.engine.http import Exchange
from backend.app.modules.endpoints.discovery.live.asking import Asker, SafeMethod

ABSENT: Final = frozenset({404, 405, 410, 501})
"""Statuses that say that there is nothing, or nothing of that method (RFC 9110, 15.5 and 15.6)."""
WALLS: Final = frozenset({401, 403, 407, 429, 500, 502, 503, 504})
"""Statuses that, answered to anything, say nothing of what is behind them."""
_LONGEST_COMPARED: Final = 64 << 10
_SHORTEST_ECHO: Final = 4
_ALIKE: Final = 0.9
_METHOD: Final = re.compile(r"[A-Z]{3,20}")
_MOST_METHODS: Final = 30
_WORD: Final = re.compile(r"\w+")
_HAS_DIGIT: Final = re.compile(r"\d")
_VOLATILE_HEADERS: Final = re.compile(
    r"date|etag|expires|last-modified|age|content-length|transfer-encoding|connection|keep-alive|set-cookie|server-timing"
    r"|.*request-?id|.*trace.*|.*correlation.*|x-runtime|x-response-time|x-process-time|x-cache.*|cf-.*|x-amz.*|via|nel"
    r"|report-to|alt-svc|.*ratelimit.*|retry-after|x-served-by|x-timer|backoff|alert"
)
_SYLLABLES: Final = (
    "ba",
    "ke",
    "lo",
    "mi",
    "nu",
    "ra",
    "se",
    "ti",
    "vo",
    "zu",
    "qua",
    "fle",
    "gri",
    "plo",
    "tra",
    "whe",
)


def random_word(salt: str) -> str:
    """A word that no route is called; the same for the same salt."""
    digest = hashlib.blake2b(salt.encode(), digest_size=6).digest()
    return "zq" + "".join(_SYLLABLES[byte % len(_SYLLABLES)] for byte in digest[:5])


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer without what changes from request to request."""

    status: int
    kind: str
    """Of its media."""
    location: str
    """Where it redirects to, of a query the names alone."""
    own_locations: frozenset[str]
    """The same with the path that was asked for taken out, wherever it may stand."""
    allow: frozenset[str]
    headers: frozenset[str]
    words: Mapping[str, int]
    asked: frozenset[str]
    """Words of the request."""


def sample_of(exchange: Exchange) -> Sample | None:
    """None when no answer came."""
    answer = exchange.answer
    if answer is None:
        return None
    url = exchange.request.url
    path = urlsplit(url).path
    target, _, query = (answer.header("location") or "").partition("?")
    location = "?".join([target, *sorted(each.partition("=")[0] for each in query.split("&") if each)])
    text = answer.body[:_LONGEST_COMPARED].decode(errors="replace")
    for each in _echoes(url):
        text = text.replace(each, " ")
    asked = frozenset(_WORD.findall(unquote(url)))
    words = Counter(each.lower() for each in _WORD.findall(text) if each not in asked and not _HAS_DIGIT.search(each))
    names = frozenset(name.lower() for name, _ in answer.headers)
    return Sample(
        answer.status,
        (answer.header("content-type") or "").partition(";")[0].strip().lower(),
        location,
        _own_locations(location, path, f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"),
        allowed_methods(exchange),
        frozenset(name for name in names if not _VOLATILE_HEADERS.fullmatch(name)),
        words,
        frozenset(each.lower() for each in asked),
    )


def _own_locations(location: str, path: str, origin: str) -> frozenset[str]:
    """`https://www.test/users` asked for as `/users` leads to `https://www.test{path}`; `/` to the same."""
    location, stem = location.removeprefix(origin), path.rstrip("/")
    found = {location.removesuffix(path) + "{path}"} if location.endswith(path) else set()
    found |= {"{path}" + location.removeprefix(stem)} if location.startswith(f"{stem}/") else set()
    found |= {location.replace(stem, "{path}")} if stem and stem in location else set()
    return frozenset(found)


def allowed_methods(exchange: Exchange) -> frozenset[str]:
    """RFC 9110, 10.2.1."""
    values = [value for name, value in exchange.answer.headers if name.lower() == "allow"] if exchange.answer else []
    names = (each.strip().upper() for value in values for each in value.split(","))
    return frozenset(islice((each for each in names if _METHOD.fullmatch(each)), _MOST_METHODS))


def _echoes(url: str) -> list[str]:
    """The request as an answer may repeat it, the longest first."""
    parts = urlsplit(url)
    whole = f"{parts.path}?{parts.query}" if parts.query else parts.path
    texts = {url, parts.netloc, whole, parts.path, parts.path.strip("/")}
    texts |= {unquote(each) for each in texts}
    texts |= {escape(each) for each in texts} | {quote(each, safe="") for each in texts}
    texts |= {each.replace("/", "\\/") for each in texts}
    return sorted((each for each in texts if len(each) >= _SHORTEST_ECHO), key=len, reverse=True)


@dataclass(slots=True)
class Samples:
    """Answers to requests for nothing in particular, of one method near one place."""

    known: list[Sample] = field(default_factory=list)
    erratic: bool = False
    """Answers to the same kind of request differ so much, or are such failures, that none can be told."""

    def add(self, sample: Sample | None) -> None:
        if sample is not None:
            self.known.append(sample)

    def resemble(self, sample: Sample | None) -> bool:
        """Whether the answer cannot be told from them."""
        if sample is None or self.erratic or not self.known:
            return True
        near = [each for each in self.known if _same_frame(each, sample)]
        return bool(near) and max(_similarity(each, sample) for each in near) >= self._threshold(near)

    def equal(self, sample: Sample | None) -> bool:
        """Whether it is their answer to the letter, headers included."""
        return (
            sample is not None
            and not self.erratic
            and len(self.known) > 1
            and all(
                _same_frame(each, sample)
                and each.words == sample.words
                and each.headers == sample.headers
                and each.allow == sample.allow
                for each in self.known
            )
        )

    @property
    def status(self) -> int:
        return self.known[0].status if self.known else 0

    def _threshold(self, near: Sequence[Sample]) -> float:
        among = [_similarity(one, other) for at, one in enumerate(near) for other in near[:at]]
        return min([_ALIKE, *(0.8 * each for each in among if each < _ALIKE)])


def _same_frame(one: Sample, other: Sample) -> bool:
    same_place = one.location == other.location or not one.own_locations.isdisjoint(other.own_locations)
    return same_place and (one.status, one.kind) == (other.status, other.kind)


def _similarity(one: Sample, other: Sample) -> float:
    """Of the words, after Dice: 1 for the same ones, 0 for none in common. A good answer may repeat words of the
    request anywhere; in a refusal they tell the thing that was not found."""
    ignored = one.asked | other.asked if one.status < 400 else frozenset()
    total = sum(n for each in (one, other) for word, n in each.words.items() if word not in ignored)
    shared = sum(min(n, other.words.get(word, 0)) for word, n in one.words.items() if word not in ignored)
    return 2 * shared / total if total else 1.0


class Calibration:
    """Samples near the places that are asked for, each once."""

    def __init__(self, asker: Asker, base_url: str) -> None:
        self._asker = asker
        self._base_url = base_url.rstrip("/")
        self._samples: dict[tuple[SafeMethod, str, str], Samples] = {}
        self._first_below: dict[str, Sample | None] = {}
        self._locks: dict[tuple[SafeMethod, str, str], asyncio.Lock] = {}

    async def near(self, method: SafeMethod, folder: str, tail: str = "") -> Samples:
        """Of `<folder>/<random><tail>`; `folder` is a path below the base URL without a slash at its end, `tail` what
        stands behind the segment: `.json`, `/1/orders`."""
        key: tuple[SafeMethod, str, str] = (method, folder, tail)
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._samples:
                self._samples[key] = await self._calibrate(*key)
        return self._samples[key]

    async def around(self, method: SafeMethod, path: str) -> Samples:
        """Of siblings of the last segment of a path."""
        folder, _, last = path.rstrip("/").rpartition("/")
        suffix = re.search(r"\.[A-Za-z]\w{0,9}$", last)
        return await self.near(method, folder, (suffix[0] if suffix else "") + ("/" if path[-1:] == "/" else ""))

    async def covers_below(self, path: str, sample: Sample | None) -> bool:
        """Whether the answer is also that to all that stands below the path. One request, unless it looks like it."""
        folder = path.rstrip("/")
        if folder not in self._first_below:
            exchange = await self._asker.ask("GET", f"{self._base_url}{folder}/{random_word(f'below {folder}')}")
            self._first_below[folder] = sample_of(exchange) if exchange is not None else None
        first = self._first_below[folder]
        if first is not None and sample is not None and not _same_frame(first, sample):
            return False
        return (await self.near("GET", folder)).resemble(sample)

    async def below(self, path: str) -> Samples:
        """Of what stands below it: of a place that answers the same as all below it, nothing can be told."""
        return await self.near("GET", path.rstrip("/"))

    async def _calibrate(self, method: SafeMethod, folder: str, tail: str) -> Samples:
        samples = Samples()
        for number in (1, 2, 3):
            word = random_word(f"{folder}{tail}{number}")
            exchange = await self._asker.ask(method, f"{self._base_url}{folder}/{word}{tail}")
            sample = sample_of(exchange) if exchange is not None else None
            if sample is None or sample.status in (429, 500, 502, 503, 504):
                samples.erratic = True
                break
            samples.add(sample)
            if number == 2 and _same_frame(*samples.known) and _similarity(*samples.known) >= _ALIKE:
                break
        samples.erratic = samples.erratic or len({(each.status, each.kind) for each in samples.known}) > 1
        return samples
