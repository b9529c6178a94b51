"""Answers that were given to us as operations: paths templated and bodies inferred as those of a capture are."""

from collections.abc import Iterable, Mapping
from urllib.parse import urljoin, urlsplit

from backend.app.engine.http import Exchange
from backend.app.engine.spec.model import ApiDescription, Fault, Operation
from backend.app.modules.endpoints.discovery import Discovered, Evidence
from backend.app.modules.endpoints.discovery.captures.model import DEFAULT_LIMITS, Captured, Entry
from backend.app.modules.endpoints.discovery.captures.operations import Collector
from backend.app.modules.endpoints.discovery.live.baseline import ABSENT, allowed_methods


class Findings:
    """Takes answers and requests that were seen described; gives one `Discovered`."""

    def __init__(self, base_url: str, known: Iterable[str] = ()) -> None:
        """`known` are paths below the base URL that others know, as templates.

        Raises `ValueError` for a URL that cannot be read."""
        self._base_url = base_url.rstrip("/")
        self._collector = Collector(DEFAULT_LIMITS, base_url, known)
        self._told: dict[str, tuple[Operation, Evidence]] = {}

    def answered(self, exchange: Exchange) -> None:
        """An answer that shows that something is there; its path is one of many that templates are learnt from."""
        if (entry := _entry(exchange)) is not None:
            self._collector.add(entry)

    def named(self, exchange: Exchange) -> None:
        """The same at a path that we chose by name: it is no value of a parameter, however many answer alike."""
        collector = Collector(DEFAULT_LIMITS, self._base_url)
        if (entry := _entry(exchange)) is not None and not collector.add(entry):
            for each in collector.finish()[0]:
                self.tell(each.operation, _evidence(each))

    def described(self, entry: Entry) -> None:
        """A request that a page or a script would send."""
        self._collector.add(entry)

    def tell(self, operation: Operation, evidence: Evidence) -> None:
        """Something that others named, with its path below the base URL."""
        self._told[operation.key] = operation, evidence

    def discovered(self, source: str, faults: tuple[str, ...] = ()) -> Discovered:
        captured, *_ = self._collector.finish()
        operations: dict[str, Operation] = {}
        evidence: dict[str, Evidence] = {}
        for each in captured:
            operations[each.operation.key] = each.operation
            evidence[each.operation.key] = _evidence(each)
        for key, (operation, said) in self._told.items():
            if key not in operations or said.alive is not None:
                operations[key] = operation
                evidence[key] = said
        return Discovered(
            ApiDescription(
                title="",
                version="",
                dialect=source,
                servers=(self._base_url,),
                operations=tuple(operations.values()),
                security_schemes=dict(self._collector.security_schemes),
                faults=tuple(Fault(self._base_url, each) for each in faults if each),
            ),
            source,
            self._base_url,
            evidence,
        )


def _entry(exchange: Exchange) -> Entry | None:
    answer = exchange.answer
    if answer is None:
        return None
    return Entry(
        where=words_of(exchange),
        method=exchange.request.method,
        url=exchange.request.url,
        status=answer.status,
        answer_headers=answer.headers,
        answer_type=answer.header("content-type") or "",
        answer_body=answer.body.decode(errors="replace"),
    )


def _evidence(captured: Captured) -> Evidence:
    statuses = set(captured.statuses)
    return Evidence(
        captured.places,
        alive=True if statuses - ABSENT else None,
        requires_auth=True if statuses and statuses <= {401, 407} else None,
        exchanges=captured.exchanges if statuses else 0,
    )


def differs_by_a_slash(exchange: Exchange) -> bool:
    """Whether it redirects to the same path with or without its last slash, which is what the server has."""
    if exchange.answer is None or not 300 <= exchange.answer.status < 400:
        return False
    target = urljoin(exchange.request.url, exchange.answer.header("location") or "")
    one, other = urlsplit(exchange.request.url), urlsplit(target)
    return one.path != other.path and one.path.rstrip("/") == other.path.rstrip("/")


def words_of(exchange: Exchange) -> str:
    """`GET /users answered 200`, for people."""
    path = "/" + exchange.request.url.partition("://")[2].partition("/")[2].partition("?")[0]
    status = exchange.answer.status if exchange.answer else exchange.outcome
    allow = ", ".join(sorted(allowed_methods(exchange)))
    return f"{exchange.request.method} {path} answered {status}{f', Allow: {allow}' if allow else ''}"


def summary_of(evidence: Mapping[str, Evidence]) -> str:
    """How many of the operations that were known are there, are not, and cannot be told."""
    alive = sum(each.alive is True for each in evidence.values())
    dead = sum(each.alive is False for each in evidence.values())
    unclear = len(evidence) - alive - dead
    return f"of {len(evidence)} known operations {alive} answer, {dead} are not there, {unclear} cannot be told"
