"""Operations that answer at well-known paths, and whether those that others name answer."""

import re
from typing import Final

from backend.app.engine.http import Exchange
from backend.app.engine.spec.model import Operation, Parameter, ParameterLocation
from backend.app.modules.endpoints.discovery import Discovered, Evidence, Kind, Subject, Tools, strategy
from backend.app.modules.endpoints.discovery.live.asking import MOST_REQUESTS, Asker, Limits
from backend.app.modules.endpoints.discovery.live.baseline import (
    Calibration,
    allowed_methods,
    random_word,
    sample_of,
)
from backend.app.modules.endpoints.discovery.live.confirm import ACTS, confirm
from backend.app.modules.endpoints.discovery.live.findings import Findings, differs_by_a_slash, summary_of, words_of
from backend.app.modules.endpoints.discovery.live.listings import listed_in
from backend.app.modules.endpoints.discovery.live.wordlists import COMMON, FOLDERS, detect, words_for

_REPORTED: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_TELLS_NOTHING: Final = frozenset({429, 502, 503, 504})
_USUAL_FOLDERS: Final = ("/api", "/api/v1", "/v1")
_SPARE: Final = 20
"""Requests that are kept for looking closer."""
_MOST_FOLDERS: Final = 3
"""Besides the base itself, which words are tried below."""


@strategy("probe", Kind.LIVE, lambda subject: bool(subject.base_url), last=True)
async def probe(subject: Subject, tools: Tools) -> tuple[Discovered]:
    """Whether the operations that other sources name answer, and what else answers at well-known paths, by GET, HEAD
    and OPTIONS alone."""
    limits = Limits(requests=min(400 + 2 * len(subject.known), MOST_REQUESTS))
    asker = Asker(tools, limits, "probing the server")
    base_url = subject.base_url.partition("?")[0].partition("#")[0].rstrip("/")
    calibration = Calibration(asker, base_url)
    findings = Findings(base_url)
    confirmed = await confirm(subject.known, base_url, asker, calibration)
    for operation in subject.known:
        evidence = confirmed.get(operation.key)
        if evidence is not None and evidence.alive is not None:
            findings.tell(_bare(operation), evidence)
    prober = _Prober(base_url, asker, calibration, findings, {operation.path for operation in subject.known})
    await prober.run()
    asker.require_an_answer()
    return (findings.discovered("probe", (asker.stopped, summary_of(confirmed) if confirmed else "")),)


class _Prober:
    def __init__(
        self, base_url: str, asker: Asker, calibration: Calibration, findings: Findings, known: set[str]
    ) -> None:
        self._base_url = base_url
        self._asker = asker
        self._calibration = calibration
        self._findings = findings
        self._known = known | {path.rstrip("/") for path in known}

    async def run(self) -> None:
        first = [
            await self._asker.ask("GET", f"{self._base_url}/"),
            await self._asker.ask("GET", f"{self._base_url}/{random_word('framework')}"),
        ]
        words = words_for(detect(each for each in first if each is not None))
        await self._asker.each((f"/{word}" for word in words if not ACTS.search(f"/{word}")), self._try)
        for folder in await self._folders():
            # What a word costs is one request, and some more where something answers.
            paths = [f"{folder}/{word}" for word in COMMON if not ACTS.search(f"/{word}")]
            await self._asker.each(paths[: max(0, self._asker.left - _SPARE)], self._try)

    async def _folders(self) -> list[str]:
        """Those that known operations stand in, those that answer otherwise than their neighbours, the usual ones."""
        folders = [f"/{each}" for each in FOLDERS if any(path.startswith(f"/{each}/") for path in self._known)]
        if self._base_url.endswith(tuple(f"/{each}" for each in FOLDERS)):
            return folders[:_MOST_FOLDERS]

        async def look_into(folder: str) -> None:
            near = await self._calibration.around("GET", folder)
            below = await self._calibration.below(folder)
            if below.known and not below.erratic and not near.resemble(below.known[0]):
                folders.append(folder)

        await self._asker.each((f"/{each}" for each in FOLDERS if f"/{each}" not in folders), look_into)
        return list(dict.fromkeys([*sorted(folders, key=len), *_USUAL_FOLDERS]))[:_MOST_FOLDERS]

    async def _try(self, path: str) -> None:
        if path in self._known or path.rstrip("/") in self._known:
            return
        exchange = await self._asker.ask("GET", f"{self._base_url}{path}")
        if exchange is None or exchange.answer is None or exchange.answer.status in {404, 410, *_TELLS_NOTHING}:
            return
        if not await self._stands_out(exchange, path):
            return
        if exchange.answer.status in (405, 501):
            await self._ask_for_methods(exchange, path)
        elif differs_by_a_slash(exchange):
            if not path.endswith("/"):
                await self._try(f"{path}/")
        else:
            self._findings.named(exchange)
            for method, template in listed_in(exchange.answer, path):
                parameters = tuple(
                    Parameter(name, ParameterLocation.PATH, required=True, schema={"type": "string"}, style="simple")
                    for name in dict.fromkeys(re.findall(r"\{(\w+)\}", template))
                )
                operation = Operation(method, template, parameters=parameters)
                self._findings.tell(operation, Evidence((f"listed at {path}",), alive=True))

    async def _stands_out(self, exchange: Exchange, path: str) -> bool:
        """Whether it can be told from its neighbours, from a path that begins like it, and from all below it."""
        sample = sample_of(exchange)
        if (await self._calibration.around("GET", path)).resemble(sample):
            return False
        stem, slash = path.rstrip("/"), "/" if path.endswith("/") else ""
        longer = await self._asker.ask("GET", f"{self._base_url}{stem}{random_word(stem)}{slash}")
        twin = sample_of(longer) if longer is not None else None
        if sample is None or twin is None or (twin.status, twin.location) == (sample.status, sample.location):
            return False
        return not (await self._calibration.below(path)).resemble(sample)

    async def _ask_for_methods(self, exchange: Exchange, path: str) -> None:
        """Of a path that is there, but not for GET."""
        allowed = allowed_methods(exchange)
        if not allowed:
            options = await self._asker.ask("OPTIONS", f"{self._base_url}{path}")
            if options is None or (await self._calibration.around("OPTIONS", path)).resemble(sample_of(options)):
                return
            exchange, allowed = options, allowed_methods(options)
        for method in sorted(allowed & _REPORTED - {"GET"}):
            self._findings.tell(Operation(method, path), Evidence((words_of(exchange),), alive=True))


def _bare(operation: Operation) -> Operation:
    """What was confirmed is that it is there, and not what its source says of it."""
    path = tuple(each for each in operation.parameters if each.location is ParameterLocation.PATH)
    return Operation(operation.method, operation.path, parameters=path)
