"""The exchange came to an end: a hanging, resetting or garbled answer is a fault of the operation."""

from backend.app.engine.checks import CheckContext, Failure, Severity, checks
from backend.app.engine.http import Outcome

TITLES = {
    Outcome.TIMEOUT: ("No answer in time", Severity.HIGH),
    Outcome.RESET: ("Connection reset", Severity.HIGH),
    Outcome.PROTOCOL_ERROR: ("Answer is not valid HTTP", Severity.HIGH),
    Outcome.TOO_LARGE: ("Answer larger than the limit", Severity.MEDIUM),
    Outcome.TOO_MANY_REDIRECTS: ("Too many redirects", Severity.MEDIUM),
}
"""Not reaching the target at all is no fault of one operation: the scan itself stops for it."""


@checks.register("transport")
def transport(context: CheckContext) -> Failure | None:
    outcome = context.exchange.outcome
    if outcome not in TITLES:
        return None
    subject = str(outcome)
    if not context.valid:
        if subject in context.baseline.failures:
            return None
        subject += f" {context.case.kind}"
    title, severity = TITLES[outcome]
    return Failure(
        "transport",
        severity,
        title if context.valid else f"{title} ({context.case.kind.replace('_', ' ')})",
        f"{(context.exchange.error or title).rstrip('.')} (to: {context.case.title}).",
        subject,
        {"expected": "an answer", "got": str(outcome)},
    )
