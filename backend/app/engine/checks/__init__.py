"""Checks (oracles): each judges one exchange against the case that caused it and the operation's description.

A file in this folder that decorates a function with `@checks.register("name")` adds a check.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from backend.app.core.registry import Registry
from backend.app.engine.generate.case import Case, Expectation
from backend.app.engine.http import Answer, Exchange
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import Json, MediaType, Operation, ResponseSpec

NOT_JSON: Json = object()
"""The document of an answer that has no body or whose body is not JSON."""


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the lowest."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Failure:
    check: str
    severity: Severity
    title: str
    """Short, and equal for all occurrences of one fault."""
    detail: str
    subject: str
    """What of the operation is at fault (`status 500`, `200 /items/*/price`): with the check and the operation it
    identifies the fault, so it never holds a generated value."""
    evidence: Mapping[str, Json] = field(default_factory=dict)
    """Small JSON: `expected`, `got`, `pointer`, ..."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What valid requests to the operation brought so far."""

    succeeded: bool = False
    """One was answered with 2xx."""
    failures: frozenset[str] = frozenset()
    """Subjects of the server errors and broken connections they met."""


@dataclass(frozen=True, slots=True)
class CheckContext:
    case: Case
    exchange: Exchange
    validator: SchemaValidator
    document: Json = NOT_JSON
    """The parsed JSON body, `NOT_JSON` when there is none."""
    baseline: Baseline = Baseline()
    authenticated: bool = False
    """Credentials were sent with the request."""
    invented: bool = False
    """The request names a thing that the target never gave: 404 is a fair answer."""

    @property
    def operation(self) -> Operation:
        return self.case.operation

    @property
    def answer(self) -> Answer | None:
        return self.exchange.answer

    @property
    def valid(self) -> bool:
        return self.case.expectation is Expectation.ACCEPTED


Check: TypeAlias = Callable[[CheckContext], Failure | None]
checks: Registry[Check] = Registry("check", "backend.app.engine.checks")


def documented_response(operation: Operation, status: int) -> ResponseSpec | None:
    """The exact status before the range (`2XX`) before `default` (OpenAPI 3.1, 4.8.16)."""
    spread = fallback = None
    for response in operation.responses:
        if response.status == str(status):
            return response
        if response.status == f"{status // 100}XX":
            spread = response
        elif response.status == "default":
            fallback = response
    return spread or fallback


def essence(content_type: str) -> str:
    """`type/subtype` in lower case, without parameters (RFC 9110, 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


def matching_media(response: ResponseSpec, content_type: str) -> MediaType | None:
    """The documented media type that covers a `Content-Type`, the exact one before ranges (`text/*`, `*/*`)."""
    actual = essence(content_type)
    documented = {essence(media.content_type): media for media in response.content}
    return documented.get(actual) or documented.get(actual.partition("/")[0] + "/*") or documented.get("*/*")


def may_have_body(operation: Operation, status: int) -> bool:
    """RFC 9110, 6.4.1: none for HEAD, 1xx, 204, 304; 205 sends none either."""
    return operation.method != "HEAD" and status >= 200 and status not in (204, 205, 304)


def is_blocked(context: CheckContext) -> bool:
    """The answer is about who asks or how often, not about the request."""
    answer = context.answer
    return answer is not None and (
        answer.status == 429 or (answer.status in (401, 403) and bool(context.operation.security))
    )
