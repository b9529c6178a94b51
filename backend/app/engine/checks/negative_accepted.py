"""A request that breaks the description is refused."""

from backend.app.engine.checks import CheckContext, Failure, Severity, checks
from backend.app.engine.generate.case import Expectation

LENIENT_PLACES = ("query ", "header ", "cookie ")


@checks.register("negative_accepted")
def negative_accepted(context: CheckContext) -> Failure | None:
    answer, case = context.answer, context.case
    if case.expectation is not Expectation.REJECTED or answer is None or context.exchange.redirects:
        return None
    if not 200 <= answer.status < 300:
        return None
    # A server may clamp a page size or ignore a parameter it does not use; a stored body is another matter.
    lenient = case.part.startswith(LENIENT_PLACES)
    return Failure(
        "negative_accepted",
        Severity.LOW if lenient else Severity.MEDIUM,
        f"Wrong input accepted: {case.part} ({case.kind.replace('_', ' ')})",
        f"The server answered {answer.status} to a request that the description forbids: {case.title}.",
        f"{case.part} {case.kind}",
        {"expected": "4xx", "got": answer.status, "part": case.part, "kind": case.kind},
    )
