"""What discovery says of a running server, against the truth about it.

    python -m benchmarks.live http://127.0.0.1:8000 [--spec FILE_OR_URL] [--routes FILE] [--planted]

`--spec` hands the operations of a description to `probe` as known. `--routes` holds the truth as lines of
`METHOD /path/{parameter}` (or a list of `[method, path]` in JSON; `{parameter:path}` takes slashes), best out of the
route table of the framework. Without it the description is the truth, and endpoints that it does not document count as
wrong; without `--spec` the truth is what is known, so that whatever is called dead is a false claim. With `--planted`,
operations are added to the known ones that the server does not have: real paths with each of their segments in turn
replaced by a word, and methods that the truth does not have.
"""

import argparse
import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from backend.app.engine.http import Exchange, Request
from backend.app.engine.spec.model import ApiDescription, Operation, Parameter, ParameterLocation
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from backend.app.extensions.http_client.configure import DESCRIPTION_LIMITS
from backend.app.modules.endpoints.discovery import Discovered, Subject, Tools, strategies
from backend.app.modules.endpoints.discovery.live.baseline import random_word
from backend.app.modules.endpoints.looking.tools import discovery_tools

_PARAMETER = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class Truth:
    routes: frozenset[tuple[str, str]]
    """Method and path; a parameter that takes slashes is written `{name:path}`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_patterns", [(method, _pattern(path)) for method, path in self.routes])

    def has(self, method: str, path: str) -> bool:
        """Whether a route takes the path, or the template of a path."""
        plain = _PARAMETER.sub("1", path)
        patterns: list[tuple[str, re.Pattern[str]]] = self._patterns  # type: ignore[attr-defined]
        return any(
            known in (method, "*") and (pattern.fullmatch(path) or pattern.fullmatch(plain)) is not None
            for known, pattern in patterns
        )


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^{}]*\})", path)
    text = "".join(
        (".+" if part.endswith(":path}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts
    )
    return re.compile(text)


async def measure(arguments: argparse.Namespace) -> int:
    base_url = arguments.base_url.rstrip("/")
    async with HttpClient(OutgoingPolicy(allow_private=True), limits=DESCRIPTION_LIMITS) as client:
        tools = discovery_tools(client, rate=arguments.rate)
        known = await _known(arguments.spec, base_url, tools)
        truth = _truth(arguments.routes, known)
        if not arguments.spec:
            known = [_operation(method, path) for method, path in sorted(truth.routes) if method != "*"]
        planted = list(_planted(known, truth)) if arguments.planted else []
        wrong = 0
        for name in arguments.strategies:
            sent: Counter[str] = Counter()
            watched = replace(tools, fetch=_counting(tools, sent))
            subject = Subject(base_url, known=(*known, *planted) if strategies.get(name).last else ())
            started = time.perf_counter()
            found = await strategies.get(name).look(subject, watched)
            seconds = time.perf_counter() - started
            for each in found:
                wrong += _report(name, each, truth, known, planted)
            print(f"{name}: {sum(sent.values())} requests ({dict(sent)}) in {seconds:.1f} s")
    return 1 if wrong else 0


def _operation(method: str, path: str) -> Operation:
    path = _PARAMETER.sub(lambda match: match[0].replace(":path", ""), path)
    names = [each[1:-1] for each in _PARAMETER.findall(path)]
    parameters = tuple(
        Parameter(name, ParameterLocation.PATH, required=True, schema={"type": "string"}) for name in names
    )
    return Operation(method, path, parameters=parameters)


async def _known(spec: str | None, base_url: str, tools: Tools) -> list[Operation]:
    if spec is None:
        return []
    document = None if "://" in spec else await asyncio.to_thread(Path(spec).read_bytes)
    subject = Subject("", spec) if document is None else Subject("", document=document)
    (found,) = await strategies.get("openapi").look(subject, tools)
    return list(_below(found.description, base_url))


def _below(description: ApiDescription, base_url: str) -> Iterable[Operation]:
    """With paths below the base URL."""
    base = urlsplit(base_url).path
    for operation in description.operations:
        server = urlsplit(operation.server or next(iter(description.servers), "")).path.rstrip("/")
        path = server + operation.path
        if path.startswith(base):
            yield replace(operation, path=path.removeprefix(base) or "/")


def _truth(file: str | None, known: Sequence[Operation]) -> Truth:
    if file is None:
        return Truth(frozenset((each.method, each.path) for each in known))
    text = Path(file).read_text()
    rows = orjson.loads(text) if text.lstrip()[:1] == "[" else [line.split() for line in text.splitlines() if line]
    return Truth(frozenset((method.upper(), path) for method, path in rows))


def _planted(known: Sequence[Operation], truth: Truth) -> Iterable[Operation]:
    for operation in known:
        segments = operation.path.split("/")
        for at, segment in enumerate(segments):
            if segment and "{" not in segment:
                path = "/".join([*segments[:at], random_word(f"{operation.path}{at}"), *segments[at + 1 :]])
                if not truth.has(operation.method, path):
                    yield replace(operation, path=path)
        for method in ("PUT", "DELETE", "PATCH"):
            taken = any(each.method == method and each.path == operation.path for each in known)
            if not taken and not truth.has(method, operation.path):
                yield replace(operation, method=method)


def _report(
    name: str, found: Discovered, truth: Truth, known: Sequence[Operation], planted: Sequence[Operation]
) -> int:
    """How many claims are wrong."""
    alive = {key for key, it in found.evidence.items() if it.alive is True}
    dead = {key for key, it in found.evidence.items() if it.alive is False}
    documented = {operation.key for operation in known}
    phantom = {operation.key for operation in planted}
    invented = sorted(key for key in alive if not truth.has(*key.split(" ", 1)))
    falsely_dead = sorted(key for key in dead if truth.has(*key.split(" ", 1)))
    gets = sorted(path for method, path in truth.routes if method == "GET")
    shapes = {_PARAMETER.sub("{}", key) for key in alive}
    hit = [path for path in gets if f"GET {_PARAMETER.sub('{}', path)}" in shapes]
    print(f"{name}: {len(alive)} alive, {len(dead)} dead, {len(found.evidence) - len(alive | dead)} named only")
    print(
        f"{name}: GET routes {len(hit)} of {len(gets)}; wrongly alive {len(invented)}, wrongly dead {len(falsely_dead)}"
    )
    if documented:
        print(f"{name}: known {len(documented)}, confirmed {len(alive & documented)}, others {len(alive - documented)}")
    if phantom:
        unseen = len(phantom - alive - dead)
        counts = f"dead {len(phantom & dead)}, cannot be told {unseen}, alive {len(phantom & alive)}"
        print(f"{name}: planted {len(phantom)}: {counts}")
    for title, keys in (("WRONGLY ALIVE", invented), ("WRONGLY DEAD", falsely_dead)):
        for key in keys[:40]:
            print(f"  {title} {key}: {'; '.join(found.evidence[key].places)}")
    for fault in found.description.faults:
        print(f"  {fault.message}")
    return len(invented) + len(falsely_dead)


def _counting(tools: Tools, sent: Counter[str]):  # type: ignore[no-untyped-def]
    async def fetch(request: Request, *, follow_redirects: bool = True) -> Exchange:
        sent[request.method] += 1
        return await tools.fetch(request, follow_redirects=follow_redirects)

    return fetch


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live")
    parser.add_argument("base_url")
    parser.add_argument("--spec")
    parser.add_argument("--routes")
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: as many as are answered")
    parser.add_argument("--strategies", nargs="*", default=["probe", "crawl"])
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
