"""Performs a plan: phase by phase, each with several requests at a time, until it is done or stopped."""

import asyncio
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random

import orjson

from backend.app.engine.checks import NOT_JSON
from backend.app.engine.generate.case import Case, Expectation
from backend.app.engine.generate.chain import Bound, Chain, Resource
from backend.app.engine.generate.negative import NegativeCases
from backend.app.engine.generate.positive import PositiveCases
from backend.app.engine.generate.requests import ParameterKey, RequestBuilder, UnsupportedBodyError, is_json
from backend.app.engine.generate.values import NoValueError, ValueGenerator
from backend.app.engine.http import Exchange, Outcome, Send
from backend.app.engine.scan.ledger import Ledger
from backend.app.engine.scan.model import CLEAN_UP_SECONDS, ScanObserver, ScanPlan, ScanResult, Stopped
from backend.app.engine.scan.planning import Planner
from backend.app.engine.scan.sending import ScanClock, Sender, SystemClock
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import Json, Operation

UNREACHABLE = frozenset({Outcome.DNS_FAILED, Outcome.CONNECT_FAILED, Outcome.TLS_FAILED, Outcome.REFUSED})
UNREACHABLE_AT_FIRST = 3
"""So many failures to connect, before the first answer, and the target counts as unreachable."""
UNREACHABLE_LATER = 50
"""The same after it had answered: it may have been restarting."""
ASK_SECONDS = 0.5
ASK_REQUESTS = 50
GONE = frozenset({404, 410})


async def run_scan(plan: ScanPlan, send: Send, *, observer: ScanObserver, clock: ScanClock | None = None) -> ScanResult:
    """Runs the whole scan. Nothing that the target does raises; what `send` or `observer` raise ends the scan.

    What the scan created is deleted also when it is stopped, unless the target cannot be reached.
    """
    return await _Scan(plan, send, observer, clock or SystemClock()).run()


class _Scan:
    def __init__(self, plan: ScanPlan, send: Send, observer: ScanObserver, clock: ScanClock) -> None:
        self._plan = plan
        self._observer = observer
        self._clock = clock
        description = plan.description
        validator = SchemaValidator(description.definitions)
        generator = ValueGenerator(description.definitions, validator)
        self._builder = RequestBuilder(description, plan.base_url, plan.credentials, plan.headers)
        self._positive = PositiveCases(self._builder, generator, validator)
        negative = NegativeCases(self._builder, generator, validator, self._positive)
        self._chain = Chain(description, generator, validator)
        self._sender = Sender(send, plan.limits, clock)
        self._ledger = Ledger(plan, validator)
        self._planner = Planner(plan, self._builder, self._positive, negative, self._chain, self._ledger)
        self._done = 0
        self._total = 0
        self._answers = 0
        self._unreachable_in_a_row = 0
        self._asked_at = 0
        self._left_behind = 0
        self._left_out = False
        self._stopped: Stopped | None = None
        self._over = False
        self._watch_sleeps = False

    async def run(self) -> ScanResult:
        started = self._clock.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(started))
                await self._perform_plan()
                if self._unreachable_in_a_row and not self._answers and self._stopped in (None, Stopped.MAX_REQUESTS):
                    # So few requests that the limit was not met.
                    self._stopped = Stopped.UNREACHABLE
                self._over = True
                # Only its sleep may be cut short: what the observer is storing has to be stored whole.
                if self._watch_sleeps:
                    watch.cancel()
            if self._stopped is not Stopped.UNREACHABLE:
                await self._clean_up(CLEAN_UP_SECONDS)
        except* Exception as errors:
            raise _innermost(errors) from None
        await self._observer.progress(self._done, self._total)
        limited = self._left_out or self._planner.left_out
        return self._ledger.result(
            planned=self._total,
            requests=self._sender.requests,
            duration_s=self._clock.monotonic() - started,
            stopped=self._stopped or (Stopped.MAX_REQUESTS if limited else Stopped.COMPLETED),
            left_behind=self._left_behind + self._chain.count_created(),
        )

    async def _perform_plan(self) -> None:
        for _ in self._planner.steps():
            await self._clock.sleep(0)
            if self._stopped is not None:
                return
        phases = self._planner.phases
        self._total = len(phases)
        await self._observer.progress(0, self._total)
        for cases in phases.valid:
            await self._perform_all(cases)
        repeated = [case for case in phases.repeated if self._ledger.has_succeeded(case.operation)]
        self._done += len(phases.repeated) - len(repeated)
        await self._perform_all(repeated)
        for cases in phases.destructive:
            await self._perform_all(cases)
        if self._stopped is None:
            await self._clean_up()
        for cases in phases.leaving:
            await self._perform_all(cases)

    async def _perform_all(self, cases: Sequence[Case]) -> None:
        if self._stopped is None:
            queue = iter(cases)
            async with asyncio.TaskGroup() as group:
                for _ in range(min(max(1, self._plan.limits.concurrency), len(cases))):
                    group.create_task(self._work(queue))

    async def _work(self, queue: Iterator[Case]) -> None:
        for case in queue:
            if self._stopped is not None:
                return
            if self._ledger.is_worth_sending(case):
                # What a request may create has to be deleted again, which is a request as well.
                upkeep = int(self._chain.may_create(case.operation))
                room = self._sender.room - self._chain.count_leftovers()
                if room <= 0:
                    self._stop(Stopped.MAX_REQUESTS)
                    return
                if room <= upkeep:
                    self._left_out = True
                    continue
                self._sender.reserve(upkeep)
                try:
                    await self._perform(case, self._chain.bind(case))
                finally:
                    self._sender.reserve(-upkeep)
            self._done += 1
            if self._sender.requests - self._asked_at >= ASK_REQUESTS:
                await self._ask()

    async def _perform(self, case: Case, bound: Bound) -> Exchange:
        self._sender.reserve(1)
        request = self._builder.build(case.operation, bound.inputs, credentials=case.credentials)
        exchange = await self._sender.exchange(request)
        answer = exchange.answer
        document: Json = NOT_JSON
        if answer is not None and answer.body and is_json(answer.header("Content-Type") or ""):
            with suppress(orjson.JSONDecodeError):
                document = orjson.loads(answer.body)
        failures = self._ledger.judge(case, bound, exchange, document)
        if answer is not None and 200 <= answer.status < 300:
            shown = None if document is NOT_JSON else document
            self._chain.observe(case.operation, bound.inputs, answer, shown, (*bound.setup, request))
            if case.operation.method == "DELETE" and bound.resource is not None:
                self._chain.forget(bound.resource)
        self._ledger.learn(case, exchange)
        self._look_for_target(exchange.outcome)
        run, findings = self._ledger.record(case, bound, exchange, failures)
        for finding in findings:
            await self._observer.finding(finding)
        await self._observer.test_run(run)
        return exchange

    def _look_for_target(self, outcome: Outcome) -> None:
        if outcome is Outcome.ANSWERED:
            self._answers += 1
            self._unreachable_in_a_row = 0
        elif outcome in UNREACHABLE:
            self._unreachable_in_a_row += 1
            if self._unreachable_in_a_row >= (UNREACHABLE_LATER if self._answers else UNREACHABLE_AT_FIRST):
                self._stop(Stopped.UNREACHABLE)

    async def _watch(self, started: float) -> None:
        """Looks at the clock and asks the observer while requests hang."""
        limit = self._plan.limits.max_seconds
        while self._stopped is None and not self._over:
            left = None if limit is None else started + limit - self._clock.monotonic()
            if left is not None and left <= 0:
                self._stop(Stopped.MAX_SECONDS)
                return
            self._watch_sleeps = True
            await self._clock.sleep(ASK_SECONDS if left is None else min(ASK_SECONDS, left))
            self._watch_sleeps = False
            await self._ask()

    async def _ask(self) -> None:
        self._asked_at = self._sender.requests
        await self._observer.progress(self._done, self._total)
        if await self._observer.should_stop():
            self._stop(Stopped.CANCELLED)

    def _stop(self, reason: Stopped) -> None:
        if self._stopped is not None:
            return
        self._stopped = reason
        if reason is not Stopped.MAX_REQUESTS:
            self._sender.interrupt()

    async def _clean_up(self, seconds: float = math.inf) -> None:
        """Deletes what the scan created, until the scan is stopped or the time is up."""
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._delete_leftovers(self._clock.monotonic() + seconds))
            if seconds < math.inf:
                timer = group.create_task(self._interrupt_after(seconds))
                work.add_done_callback(lambda _: timer.cancel())

    async def _interrupt_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._sender.interrupt()

    async def _delete_leftovers(self, end: float) -> None:
        stopped = self._stopped
        for operation, values, resource in self._chain.leftovers():
            if self._stopped is not stopped or self._sender.room <= 0 or self._clock.monotonic() >= end:
                return
            if not self._ledger.is_hanging(operation):
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
        answer = (await self._perform(case, Bound(inputs, False, resource))).answer
        if answer is None or not (200 <= answer.status < 300 or answer.status in GONE):
            self._left_behind += 1
        # Tried once: what could not be deleted stays behind.
        self._chain.forget(resource)


def _innermost(errors: ExceptionGroup[Exception]) -> Exception:
    first = errors.exceptions[0]
    return _innermost(first) if isinstance(first, ExceptionGroup) else first
