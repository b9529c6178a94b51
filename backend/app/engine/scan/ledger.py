"""What the answers have shown so far: of each operation, and of the faults that were found."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from backend.app.engine.checks import Baseline, Check, CheckContext, Failure, checks, documented_response
from backend.app.engine.findings import SECRET_LIKE, Finding, Redactor, curl_line, excerpt, finding_of, fingerprint
from backend.app.engine.generate.case import Case, Expectation
from backend.app.engine.generate.chain import Bound
from backend.app.engine.generate.requests import Credentials
from backend.app.engine.http import Exchange
from backend.app.engine.scan.model import Coverage, OperationSummary, ScanPlan, ScanResult, Stopped, TestRun
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import Json, Operation

HANGING = 3
"""So many broken exchanges in a row, and an operation gets no more requests."""
SHOWN_INTERNAL_ERRORS = 20


@dataclass(slots=True)
class _State:
    """What is known about one operation."""

    summary: OperationSummary
    baseline: Baseline = field(default_factory=Baseline)
    documented_seen: set[str] = field(default_factory=set)
    broken_in_a_row: int = 0
    valid_answers: int = 0
    valid_refused: int = 0


class Ledger:
    def __init__(self, plan: ScanPlan, validator: SchemaValidator) -> None:
        self._plan = plan
        self._validator = validator
        self._checks: list[tuple[str, Check]] = list(checks.items())
        self._redactor = _redactor(plan)
        self._states = {
            operation.key: _State(OperationSummary(operation.method, operation.path))
            for operation in plan.description.operations
        }
        self._findings: dict[str, Finding] = {}
        self._counts: dict[str, int] = {}
        self._failed = 0
        self._internal_errors: list[str] = []

    def skip(self, operation: Operation, reason: str) -> None:
        self._states[operation.key].summary.skipped = reason

    def is_hanging(self, operation: Operation) -> bool:
        return self._states[operation.key].broken_in_a_row >= HANGING

    def has_succeeded(self, operation: Operation) -> bool:
        """Whether a valid request was answered with 2xx."""
        return self._states[operation.key].baseline.succeeded

    def is_worth_sending(self, case: Case) -> bool:
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

    def judge(self, case: Case, bound: Bound, exchange: Exchange, document: Json) -> list[Failure]:
        """What the checks object to, in the light of the answers before this one. `document` is the parsed JSON body,
        `NOT_JSON` when there is none."""
        context = CheckContext(
            case,
            exchange,
            self._validator,
            document,
            self._states[case.operation.key].baseline,
            self._plan.has_credentials and case.credentials,
            bound.invented,
        )
        failures = []
        for name, check in self._checks:
            try:
                failure = check(context)
            except Exception as error:
                if len(self._internal_errors) < SHOWN_INTERNAL_ERRORS:
                    self._internal_errors.append(self._redactor.said(f"{name}: {context.operation.key}: {error!r}"))
                continue
            if failure is not None:
                failures.append(failure)
        return failures

    def learn(self, case: Case, exchange: Exchange) -> None:
        state, answer = self._states[case.operation.key], exchange.answer
        summary = state.summary
        summary.requests += 1
        label = str(answer.status) if answer is not None else str(exchange.outcome)
        summary.statuses[label] = summary.statuses.get(label, 0) + 1
        valid = case.expectation is Expectation.ACCEPTED
        if answer is None:
            state.broken_in_a_row += 1
            if valid:
                state.baseline = replace(state.baseline, failures=state.baseline.failures | {str(exchange.outcome)})
            return
        state.broken_in_a_row = 0
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

    def record(
        self, case: Case, bound: Bound, exchange: Exchange, failures: Iterable[Failure]
    ) -> tuple[TestRun, list[Finding]]:
        """The request as a test run, and the faults that no request has shown before."""
        operation, answer, timing = case.operation, exchange.answer, exchange.timing
        marks: list[str] = []
        errors: list[str] = []
        first: list[Finding] = []
        for failure in failures:
            mark = fingerprint(failure.check, operation.method, operation.path, failure.subject)
            marks.append(mark)
            errors.append(f"{failure.title}: {failure.detail}")
            self._counts[mark] = self._counts.get(mark, 0) + 1
            if mark not in self._findings:
                found = finding_of(
                    failure, exchange, operation.method, operation.path, case.kind, self._redactor, bound.setup
                )
                self._findings[mark] = found
                first.append(found)
        if not errors and (surprise := _surprise(case, exchange)):
            errors.append(surprise)
        success = not errors
        self._failed += not success
        run = TestRun(
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
            validation_errors=tuple(map(self._redactor.said, errors)),
            timestamp=timing.started_at,
            reliable=timing.reliable,
            conclusive=_is_conclusive(case, bound, exchange),
            fingerprints=tuple(marks),
            request_excerpt="" if success else curl_line(exchange.request, self._redactor),
            response_excerpt="" if success or answer is None else excerpt(answer.body, self._redactor),
        )
        return run, first

    def result(
        self, *, planned: int, requests: int, duration_s: float, stopped: Stopped, left_behind: int
    ) -> ScanResult:
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
            requests=requests,
            failed=self._failed,
            duration_s=duration_s,
            stopped=stopped,
            unauthorised=refused > 0 and refused == sum(state.valid_answers for state in states),
            coverage=Coverage(
                operations_total=len(states),
                operations_requested=sum(state.summary.requests > 0 for state in states),
                operations_2xx=sum(state.summary.reached_2xx for state in states),
                documented_statuses=documented,
                documented_statuses_seen=sum(len(state.documented_seen) for state in states),
            ),
            left_behind=left_behind,
            internal_errors=tuple(self._internal_errors),
            planned=planned,
        )


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


def _is_conclusive(case: Case, bound: Bound, exchange: Exchange) -> bool:
    """An answer about who asks, how often, or for what nobody gave us, says nothing about a fault behind it."""
    status = exchange.answer.status if exchange.answer is not None else None
    match status:
        case None | 429:
            return False
        case 401 | 403:
            return case.expectation is Expectation.UNAUTHENTICATED
        case 404:
            return not bound.invented or case.part.startswith("path ")
    return True


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
