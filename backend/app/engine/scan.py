"""One sweep over a live target: plan the cases, send them, judge the answers, tell an observer.

Everything is generated before the first request, from the seed alone; only ids that the target gives are filled in on
the way. A full scan goes through these phases, with a barrier between them:

1. valid requests, creators before readers before changes (`Chain.stages`);
2. requests without credentials, then wrong ones, one of each operation in turn, so that a limit on requests is
   shared out fairly;
3. DELETE in the same order, the deepest paths first, of things that were created for it;
4. clean-up: what the scan created and has not deleted yet;
5. operations such as `logout`, after which nothing else may work.

Clean-up also happens when the scan is stopped, unless the target cannot be reached.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from typing import Literal, Protocol

import orjson

from backend.app.engine.checks import (
    NOT_JSON,
    Baseline,
    Check,
    CheckContext,
    Failure,
    checks,
    documented_response,
)
from backend.app.engine.findings import SECRET_LIKE, Finding, Redactor, curl_line, excerpt, finding_of, fingerprint
from backend.app.engine.generate.case import Case, Expectation
from backend.app.engine.generate.chain import READ_METHODS, Bound, Chain, Resource, is_leaving
from backend.app.engine.generate.negative import MOST_PER_OPERATION, NegativeCases
from backend.app.engine.generate.positive import PositiveCases
from backend.app.engine.generate.requests import (
    Credentials,
    ParameterKey,
    RequestBuilder,
    UnsupportedBodyError,
    is_json,
)
from backend.app.engine.generate.values import NoValueError, ValueGenerator
from backend.app.engine.http import Exchange, Headers, Outcome, Request, Send
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import ApiDescription, Json, Operation

UNREACHABLE = frozenset({Outcome.DNS_FAILED, Outcome.CONNECT_FAILED, Outcome.TLS_FAILED, Outcome.REFUSED})
UNREACHABLE_AT_FIRST = 3
"""So many failures to connect, before the first answer, and the target counts as unreachable."""
UNREACHABLE_LATER = 50
"""The same after it had answered: it may have been restarting."""
HANGING = 3
"""So many broken exchanges in a row, and an operation gets no more requests."""
RETRIES = 2
LONGEST_PAUSE = 10.0
ASK_SECONDS = 0.5
ASK_REQUESTS = 50
CLEAN_UP_SECONDS = 5.0
MOST_REQUESTS = 20_000
SHOWN_INTERNAL_ERRORS = 20


class ScanType(StrEnum):
    QUICK = "quick"
    """One safe request (GET, HEAD, OPTIONS) for each readable operation."""
    FULL = "full"


class Stopped(StrEnum):
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    MAX_REQUESTS = "max_requests"
    MAX_SECONDS = "max_seconds"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class ScanLimits:
    requests_per_second: float | None = None
    concurrency: int = 10
    max_requests: int = MOST_REQUESTS
    """Clean-up included."""
    max_seconds: float | None = None
    """Clean-up may take `CLEAN_UP_SECONDS` more."""


@dataclass(frozen=True, slots=True)
class ScanPlan:
    description: ApiDescription
    base_url: str
    """Where the target is, with the path that all operations share; absolute."""
    scan_type: ScanType | Literal["quick", "full"] = ScanType.FULL
    credentials: Credentials | None = None
    headers: Headers = ()
    """Sent with every request."""
    seed: int = 0
    limits: ScanLimits = ScanLimits()


@dataclass(frozen=True, slots=True)
class TestRun:
    """One request of the scan and the verdict about it."""

    __test__ = False

    method: str
    path: str
    case_kind: str
    case_title: str
    status_code: int | None
    outcome: Outcome
    success: bool
    """The answer was the one that the case expects, and no check failed."""
    latency_ms: float
    first_byte_ms: float | None
    response_size_bytes: int
    validation_errors: tuple[str, ...]
    """What was wrong, in words; empty when `success`."""
    timestamp: float
    """Seconds since the epoch, of the intended start."""
    reliable: bool
    """False when our own event loop lagged, so that the times are not the target's."""
    fingerprints: tuple[str, ...] = ()
    """Of the findings that this request showed."""
    request_excerpt: str = ""
    """A `curl` line, secrets masked; only when not `success`, as the next one."""
    response_excerpt: str = ""


class ScanObserver(Protocol):
    """Is told what happens as it happens. Its methods are awaited between requests, so they should be quick."""

    async def test_run(self, run: TestRun) -> None: ...

    async def finding(self, finding: Finding) -> None:
        """The first occurrence of a fault; `ScanResult.findings` has the final counts."""

    async def progress(self, done: int, total: int) -> None: ...

    async def should_stop(self) -> bool:
        """Asked at least every half second and every 50 requests."""


class ScanClock(Protocol):
    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class OperationSummary:
    method: str
    path: str
    requests: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    """How often each status came back; requests without an answer count under their outcome (`timeout`)."""
    reached_2xx: bool = False
    skipped: str = ""
    """Why no request, or no further request, was sent."""
    note: str = ""
    """What makes the result of this operation doubtful, in words."""


@dataclass(frozen=True, slots=True)
class Coverage:
    operations_total: int
    operations_requested: int
    operations_2xx: int
    documented_statuses: int
    documented_statuses_seen: int

    @property
    def percent(self) -> float:
        """Operations that answered with 2xx."""
        return round(100 * self.operations_2xx / self.operations_total, 1) if self.operations_total else 0.0


@dataclass(frozen=True, slots=True)
class ScanResult:
    seed: int
    operations: tuple[OperationSummary, ...]
    findings: tuple[Finding, ...]
    """The most severe first, then by path."""
    requests: int
    failed: int
    """Requests whose `TestRun.success` is false."""
    duration_s: float
    stopped: Stopped
    unauthorised: bool
    """Every valid request was refused for its credentials."""
    coverage: Coverage
    left_behind: int = 0
    """Things that the scan created and could not delete."""
    internal_errors: tuple[str, ...] = ()
    """Checks that failed themselves; their verdicts are missing."""


async def run_scan(plan: ScanPlan, send: Send, *, observer: ScanObserver, clock: ScanClock | None = None) -> ScanResult:
    """Runs the whole scan. Nothing that the target does raises; what `send` or `observer` raise ends the scan."""
    return await _Scan(plan, send, observer, clock or SystemClock()).run()


@dataclass(slots=True)
class _State:
    """What is known about one operation during the scan."""

    summary: OperationSummary
    baseline: Baseline = field(default_factory=Baseline)
    documented_seen: set[str] = field(default_factory=set)
    broken_in_a_row: int = 0
    valid_answers: int = 0
    valid_refused: int = 0


class _Limiter:
    """Hands out intended start times at a fixed rate; `pause` moves all later ones (RFC 9110, 10.2.3)."""

    def __init__(self, rate: float | None, clock: ScanClock) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._next = 0.0

    async def wait(self) -> float:
        """Waits for the next start; answers by how many milliseconds it was missed, because our own loop was late."""
        present = self._clock.monotonic()
        start = max(present, self._next)
        self._next = start + self._interval if self._interval else self._next
        if start <= present:
            return 0.0
        await self._clock.sleep(start - present)
        return max(0.0, 1000 * (self._clock.monotonic() - start))

    def pause(self, seconds: float) -> None:
        self._next = max(self._next, self._clock.monotonic() + seconds)


class _Scan:
    def __init__(self, plan: ScanPlan, send: Send, observer: ScanObserver, clock: ScanClock) -> None:
        self._plan = plan
        self._send = send
        self._observer = observer
        self._clock = clock
        description, credentials = plan.description, plan.credentials
        self._validator = SchemaValidator(description.definitions)
        self._generator = ValueGenerator(description.definitions, self._validator)
        self._builder = RequestBuilder(description, plan.base_url, credentials, plan.headers)
        self._positive = PositiveCases(self._builder, self._generator, self._validator)
        self._negative = NegativeCases(self._builder, self._generator, self._validator, self._positive)
        self._chain = Chain(description, self._generator, self._validator)
        self._checks: list[tuple[str, Check]] = list(checks.items())
        self._limiter = _Limiter(plan.limits.requests_per_second, clock)
        self._redactor = _redactor(plan)
        self._has_credentials = credentials is not None and bool(
            credentials.headers or credentials.query or credentials.cookies
        )
        self._states = {
            operation.key: _State(OperationSummary(operation.method, operation.path))
            for operation in description.operations
        }
        self._findings: dict[str, Finding] = {}
        self._counts: dict[str, int] = {}
        self._requests = 0
        self._reserved = 0
        self._failed = 0
        self._done = 0
        self._total = 0
        self._answers = 0
        self._unreachable_in_a_row = 0
        self._asked_at = 0
        self._left_behind = 0
        self._left_out = False
        self._stopped: Stopped | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._internal_errors: list[str] = []

    async def run(self) -> ScanResult:
        started = self._clock.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(started))
                phases, last = await self._planned()
                self._total = sum(map(len, phases)) + sum(map(len, last))
                await self._observer.progress(0, self._total)
                for phase in phases:
                    await self._perform_all(phase)
                await self._clean_up()
                for phase in last:
                    await self._perform_all(phase)
                watch.cancel()
        except* Exception as errors:
            raise _innermost(errors) from None
        await self._clean_up()
        await self._observer.progress(self._done, self._total)
        return self._result(self._clock.monotonic() - started)

    async def _planned(self) -> tuple[list[list[Case]], list[list[Case]]]:
        """The phases before and after clean-up."""
        quick = self._plan.scan_type == ScanType.QUICK
        usable = [operation for operation in self._plan.description.operations if self._usable(operation, quick)]
        baselines: dict[str, Case] = {}
        valid: dict[str, list[Case]] = {}
        randoms: dict[str, Random] = {}
        for operation in usable:
            if self._stopped is not None:
                break
            await self._clock.sleep(0)
            # One generator for each operation: its values do not depend on what else is in the description.
            random = randoms[operation.key] = Random(f"{self._plan.seed} {operation.key}")
            try:
                baseline = self._positive.minimal(operation, random)
            except (NoValueError, UnsupportedBodyError) as error:
                self._states[operation.key].summary.skipped = f"no valid request could be made: {error}"
                continue
            baselines[operation.key] = baseline
            others = [] if quick else self._positive.others(operation, random, baseline)
            valid[operation.key] = [baseline, *others]
        ready = [operation for operation in usable if operation.key in baselines]
        leaving = [operation for operation in ready if is_leaving(operation)]
        staying = [operation for operation in ready if not is_leaving(operation)]
        deletes = [operation for operation in staying if operation.method == "DELETE"]
        lasting = [operation for operation in staying if operation.method != "DELETE"]
        stages = [
            [case for operation in stage for case in valid[operation.key]] for stage in self._chain.stages(lasting)
        ]
        if quick:
            return stages, []
        budget = self._plan.limits.max_requests - sum(map(len, valid.values()))
        negatives = await self._planned_negatives(ready, baselines, randoms, budget)

        def wrong(operations: list[Operation]) -> list[Case]:
            keys = {operation.key for operation in operations}
            protected = [
                self._negative.no_credentials(baselines[operation.key])
                for operation in operations
                if operation.requires_auth and self._has_credentials
            ]
            return protected + [case for case in negatives if case.operation.key in keys]

        spares = [case for operation in deletes for case in self._spares(operation, valid, randoms)]
        by_depth: dict[int, list[Case]] = {}
        for operation in sorted(deletes, key=lambda operation: -operation.path.count("/")):
            by_depth.setdefault(operation.path.count("/"), []).extend(valid[operation.key])
        last = [case for operation in leaving for case in valid[operation.key]]
        return [*stages, wrong(lasting), spares, *by_depth.values(), wrong(deletes)], [last, wrong(leaving)]

    def _spares(self, operation: Operation, valid: dict[str, list[Case]], randoms: dict[str, Random]) -> Iterator[Case]:
        """Something for each request that deletes successfully: with credentials, and perhaps without."""
        creator = self._chain.creator_of(operation)
        if creator is None or creator.key not in valid:
            return
        for _ in range(len(valid[operation.key]) + (operation.requires_auth and self._has_credentials)):
            with suppress(NoValueError):
                yield self._positive.spare(creator, randoms[creator.key])

    async def _planned_negatives(
        self, operations: Sequence[Operation], baselines: dict[str, Case], randoms: dict[str, Random], budget: int
    ) -> list[Case]:
        self._left_out |= len(operations) > budget
        if budget <= 0 or not operations:
            return []
        share = min(MOST_PER_OPERATION, 1 + 4 * budget // len(operations))
        lists: list[list[Case]] = []
        for operation in operations[:budget]:
            if self._stopped is not None:
                break
            await self._clock.sleep(0)
            cases = self._negative.cases(operation, baselines[operation.key], randoms[operation.key])
            self._left_out |= len(cases) > share
            lists.append(cases[:share])
        in_turn = [cases[turn] for turn in range(share) for cases in lists if turn < len(cases)]
        self._left_out |= len(in_turn) > budget
        return in_turn[:budget]

    def _usable(self, operation: Operation, quick: bool) -> bool:
        summary = self._states[operation.key].summary
        if quick and operation.method not in READ_METHODS:
            summary.skipped = "a quick scan only reads"
        elif self._builder.is_elsewhere(operation):
            summary.skipped = f"it is served by {operation.server}, which is not the target"
        else:
            summary.skipped = self._chain.why_spared(operation)
        return not summary.skipped

    async def _perform_all(self, cases: Sequence[Case]) -> None:
        if self._stopped is None:
            queue = iter(cases)
            async with asyncio.TaskGroup() as group:
                count = min(max(1, self._plan.limits.concurrency), len(cases))
                self._workers = [group.create_task(self._work(queue)) for _ in range(count)]

    async def _work(self, queue: Iterator[Case]) -> None:
        for case in queue:
            if self._stopped is not None:
                return
            if self._worth_sending(case):
                # What a request may create has to be deleted again, which is a request as well.
                upkeep = int(self._chain.may_create(case.operation))
                room = self._plan.limits.max_requests - self._reserved - self._chain.count_leftovers()
                if room <= 0:
                    self._stop(Stopped.MAX_REQUESTS)
                    return
                if room <= upkeep:
                    self._left_out = True
                    continue
                self._reserved += upkeep
                try:
                    await self._perform(case, self._chain.bind(case))
                finally:
                    self._reserved -= upkeep
            self._done += 1
            if self._requests - self._asked_at >= ASK_REQUESTS:
                await self._ask()

    def _worth_sending(self, case: Case) -> bool:
        state = self._states[case.operation.key]
        if state.broken_in_a_row >= HANGING:
            state.summary.skipped = f"{HANGING} exchanges in a row broke off, the remaining cases were left out"
            return False
        if case.expectation is Expectation.ACCEPTED:
            return True
        if case.expectation is Expectation.UNAUTHENTICATED:
            return state.baseline.succeeded
        # Whoever is refused at the door learns nothing about how input is checked behind it.
        return not state.valid_answers or state.valid_refused < state.valid_answers

    async def _perform(self, case: Case, bound: Bound) -> None:
        self._reserved += 1
        request = self._builder.build(case.operation, bound.inputs, credentials=case.credentials)
        exchange = await self._exchanged(request)
        answer = exchange.answer
        document: Json = NOT_JSON
        if answer is not None and answer.body and is_json(answer.header("Content-Type") or ""):
            with suppress(orjson.JSONDecodeError):
                document = orjson.loads(answer.body)
        state = self._states[case.operation.key]
        context = CheckContext(
            case,
            exchange,
            self._validator,
            document,
            state.baseline,
            self._has_credentials and case.credentials,
            bound.invented,
        )
        failures = self._judged(context)
        if answer is not None and 200 <= answer.status < 300:
            self._chain.observe(case.operation, bound.inputs, answer, None if document is NOT_JSON else document)
            if case.operation.method == "DELETE" and bound.resource is not None:
                self._chain.forget(bound.resource)
        self._learn(state, case, exchange)
        await self._record(case, exchange, failures)

    async def _exchanged(self, request: Request) -> Exchange:
        """Sends, and sends again after 429 when the target says when (RFC 6585, 4)."""
        for attempt in range(RETRIES + 1):
            late_ms = await self._limiter.wait()
            self._requests += 1
            exchange = _counted_from_the_start(await self._send(request), late_ms)
            answer = exchange.answer
            if answer is None or answer.status != 429 or attempt == RETRIES:
                break
            if self._reserved >= self._plan.limits.max_requests:
                break
            self._reserved += 1
            after = answer.header("Retry-After") or ""
            self._limiter.pause(min(float(after), LONGEST_PAUSE) if after.isdecimal() else 1.0)
        return exchange

    def _judged(self, context: CheckContext) -> list[Failure]:
        failures = []
        for name, check in self._checks:
            try:
                failure = check(context)
            except Exception as error:
                if len(self._internal_errors) < SHOWN_INTERNAL_ERRORS:
                    self._internal_errors.append(f"{name}: {context.operation.key}: {error!r}")
                continue
            if failure is not None:
                failures.append(failure)
        return failures

    def _learn(self, state: _State, case: Case, exchange: Exchange) -> None:
        answer, summary = exchange.answer, state.summary
        summary.requests += 1
        label = str(answer.status) if answer is not None else str(exchange.outcome)
        summary.statuses[label] = summary.statuses.get(label, 0) + 1
        valid = case.expectation is Expectation.ACCEPTED
        if answer is None:
            state.broken_in_a_row += 1
            if valid:
                state.baseline = replace(state.baseline, failures=state.baseline.failures | {str(exchange.outcome)})
            if exchange.outcome in UNREACHABLE:
                self._unreachable_in_a_row += 1
                limit = UNREACHABLE_LATER if self._answers else min(UNREACHABLE_AT_FIRST, max(1, self._total))
                if self._unreachable_in_a_row >= limit:
                    self._stop(Stopped.UNREACHABLE)
            return
        self._answers += 1
        self._unreachable_in_a_row = state.broken_in_a_row = 0
        documented = documented_response(case.operation, answer.status)
        if documented is not None:
            state.documented_seen.add(documented.status)
        succeeded = 200 <= answer.status < 300
        summary.reached_2xx = summary.reached_2xx or (succeeded and valid)
        if not valid:
            return
        state.valid_answers += 1
        state.valid_refused += answer.status in (401, 403)
        if succeeded and not state.baseline.succeeded:
            state.baseline = replace(state.baseline, succeeded=True)
        elif answer.status >= 500:
            state.baseline = replace(state.baseline, failures=state.baseline.failures | {f"status {answer.status}"})

    async def _record(self, case: Case, exchange: Exchange, failures: list[Failure]) -> None:
        operation, answer, timing = case.operation, exchange.answer, exchange.timing
        fingerprints = []
        for failure in failures:
            mark = fingerprint(failure.check, operation.method, operation.path, failure.subject)
            fingerprints.append(mark)
            self._counts[mark] = self._counts.get(mark, 0) + 1
            if mark not in self._findings:
                found = finding_of(failure, exchange, operation.method, operation.path, case.kind, self._redactor)
                self._findings[mark] = found
                await self._observer.finding(found)
        errors = [f"{failure.title}: {failure.detail}" for failure in failures]
        if not errors and (surprise := _surprise(case, exchange)):
            errors.append(surprise)
        success = not errors
        self._failed += not success
        await self._observer.test_run(
            TestRun(
                method=operation.method,
                path=operation.path,
                case_kind=case.kind,
                case_title=case.title,
                status_code=answer.status if answer is not None else None,
                outcome=exchange.outcome,
                success=success,
                latency_ms=timing.total_ms,
                first_byte_ms=timing.first_byte_ms,
                response_size_bytes=len(answer.body) if answer is not None else 0,
                validation_errors=tuple(map(self._redactor.text, errors)),
                timestamp=timing.started_at,
                reliable=timing.reliable,
                fingerprints=tuple(fingerprints),
                request_excerpt="" if success else curl_line(exchange.request, self._redactor),
                response_excerpt="" if success or answer is None else excerpt(answer.body, self._redactor),
            )
        )

    async def _watch(self, started: float) -> None:
        """Looks at the clock and asks the observer while requests hang."""
        limit = self._plan.limits.max_seconds
        while self._stopped is None:
            left = None if limit is None else started + limit - self._clock.monotonic()
            if left is not None and left <= 0:
                self._stop(Stopped.MAX_SECONDS)
                return
            await self._clock.sleep(ASK_SECONDS if left is None else min(ASK_SECONDS, left))
            await self._ask()

    async def _ask(self) -> None:
        self._asked_at = self._requests
        await self._observer.progress(self._done, self._total)
        if await self._observer.should_stop():
            self._stop(Stopped.CANCELLED)

    def _stop(self, reason: Stopped) -> None:
        if self._stopped is not None:
            return
        self._stopped = reason
        if reason is not Stopped.MAX_REQUESTS:
            current = asyncio.current_task()
            for worker in self._workers:
                if worker is not current:
                    worker.cancel()

    async def _clean_up(self) -> None:
        if self._stopped is Stopped.UNREACHABLE:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(None if self._stopped is None else CLEAN_UP_SECONDS):
                for operation, values, resource in self._chain.leftovers():
                    if self._reserved >= self._plan.limits.max_requests:
                        break
                    await self._delete(operation, values, resource)

    async def _delete(self, operation: Operation, values: dict[ParameterKey, Json], resource: Resource) -> None:
        try:
            baseline = self._positive.minimal(operation, Random(self._plan.seed))
        except (NoValueError, UnsupportedBodyError):
            return
        inputs = replace(baseline.inputs, parameters={**baseline.inputs.parameters, **values})
        case = replace(
            baseline,
            kind="clean_up",
            title="delete what the scan created",
            inputs=inputs,
            expectation=Expectation.NO_CRASH,
        )
        left = self._chain.count_created()
        await self._perform(case, Bound(inputs, False, resource))
        if self._chain.count_created() == left:
            # Tried once; it stays behind.
            self._chain.forget(resource)
            self._left_behind += 1

    def _result(self, duration: float) -> ScanResult:
        states = list(self._states.values())
        for state in states:
            state.summary.note = _note(state.summary)
        findings = [replace(found, count=self._counts[mark]) for mark, found in self._findings.items()]
        findings.sort(
            key=lambda found: (-found.severity.rank, found.path, found.method, found.check, found.fingerprint)
        )
        refused = sum(state.valid_refused for state in states)
        documented = sum(len(operation.responses) for operation in self._plan.description.operations)
        return ScanResult(
            seed=self._plan.seed,
            operations=tuple(state.summary for state in states),
            findings=tuple(findings),
            requests=self._requests,
            failed=self._failed,
            duration_s=duration,
            stopped=self._stopped or (Stopped.MAX_REQUESTS if self._left_out else Stopped.COMPLETED),
            unauthorised=refused > 0 and refused == sum(state.valid_answers for state in states),
            coverage=Coverage(
                operations_total=len(states),
                operations_requested=sum(state.summary.requests > 0 for state in states),
                operations_2xx=sum(state.summary.reached_2xx for state in states),
                documented_statuses=documented,
                documented_statuses_seen=sum(len(state.documented_seen) for state in states),
            ),
            left_behind=self._left_behind + self._chain.count_created(),
            internal_errors=tuple(self._internal_errors),
        )


def _innermost(errors: ExceptionGroup[Exception]) -> Exception:
    first = errors.exceptions[0]
    return _innermost(first) if isinstance(first, ExceptionGroup) else first


def _counted_from_the_start(exchange: Exchange, late_ms: float) -> Exchange:
    """The times as counted from when the request was due (coordinated omission)."""
    if not late_ms:
        return exchange
    timing = exchange.timing
    first_byte = None if timing.first_byte_ms is None else timing.first_byte_ms + late_ms
    due = replace(
        timing,
        started_at=timing.started_at - late_ms / 1000,
        first_byte_ms=first_byte,
        total_ms=timing.total_ms + late_ms,
    )
    return replace(exchange, timing=due)


def _redactor(plan: ScanPlan) -> Redactor:
    credentials = plan.credentials or Credentials()
    own = [(name, value) for name, value in plan.headers if SECRET_LIKE.search(name)]
    pairs = [*credentials.headers, *credentials.query, *credentials.cookies, *own]
    schemes = plan.description.security_schemes.values()
    names = [*(name for name, _ in pairs), *(scheme.parameter for scheme in schemes if scheme.parameter)]
    return Redactor(names, [value for _, value in pairs])


def _surprise(case: Case, exchange: Exchange) -> str:
    """Why an exchange that no check objects to is still not what the case expects."""
    if exchange.answer is None:
        return exchange.error or f"no answer ({exchange.outcome})"
    status = exchange.answer.status
    match case.expectation:
        case Expectation.ACCEPTED if status >= 400:
            return f"a valid request was answered with {status}"
        case Expectation.REJECTED if status < 400:
            return f"a wrong request was answered with {status}"
        case Expectation.UNAUTHENTICATED if status not in (401, 403):
            return f"a request without credentials was answered with {status}"
    return ""


def _note(summary: OperationSummary) -> str:
    seen = set(summary.statuses)
    if not seen or summary.reached_2xx:
        return ""
    if seen <= {"401", "403"}:
        return "every request was refused for its credentials, so nothing behind them was tested"
    if seen <= {"401", "403", "404", "405"}:
        return (
            "every request was answered with 401, 403, 404 or 405: the operation may be absent, or need data or rights"
        )
    if seen <= {"429"}:
        return "every request met the rate limit"
    if any(status.startswith("3") for status in seen):
        return "valid requests were redirected, and redirects are not followed"
    return "no valid request was accepted"
