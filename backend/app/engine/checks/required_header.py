"""Response headers that the description requires are there."""

from backend.app.engine.checks import CheckContext, Failure, Severity, checks, documented_response


@checks.register("required_header")
def required_header(context: CheckContext) -> Failure | None:
    answer = context.answer
    if answer is None or context.exchange.redirects:
        return None
    response = documented_response(context.operation, answer.status)
    missing = [name for name in (response.required_headers if response else ()) if answer.header(name) is None]
    if not missing:
        return None
    return Failure(
        "required_header",
        Severity.LOW,
        f"Missing response header {missing[0]}",
        f"The {answer.status} answer lacks the required header {', '.join(missing)}.",
        f"{answer.status} {missing[0].lower()}",
        {"expected": missing, "got": [name for name, _ in answer.headers]},
    )
