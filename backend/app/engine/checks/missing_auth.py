"""An operation that requires credentials refuses requests without them (OWASP API2:2023)."""

from backend.app.engine.checks import CheckContext, Failure, Severity, checks
from backend.app.engine.generate.case import Expectation


@checks.register("missing_auth")
def missing_auth(context: CheckContext) -> Failure | None:
    answer = context.answer
    if answer is None or context.exchange.redirects or context.authenticated or not context.operation.requires_auth:
        return None
    if not 200 <= answer.status < 300:
        return None
    compared = context.case.expectation is Expectation.UNAUTHENTICATED
    if compared and not context.baseline.succeeded:
        return None
    if not compared and not context.valid:
        return None
    detail = f"The description requires credentials; without any the server answered {answer.status}"
    return Failure(
        "missing_auth",
        # Without credentials of our own we cannot tell a hole from a description that asks for too much.
        Severity.CRITICAL if compared else Severity.HIGH,
        "Answers without credentials",
        f"{detail}, as it does with them." if compared else f"{detail}.",
        "credentials",
        {"expected": "401 or 403", "got": answer.status},
    )
