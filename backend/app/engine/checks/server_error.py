"""5xx: no request, right or wrong, may break the server."""

from backend.app.engine.checks import CheckContext, Failure, Severity, checks, documented_response


@checks.register("server_error")
def server_error(context: CheckContext) -> Failure | None:
    answer = context.answer
    if answer is None or answer.status < 500:
        return None
    subject = f"status {answer.status}"
    if not context.valid:
        if subject in context.baseline.failures:
            # Valid requests already fail this way; the wrong part is not what breaks it.
            return None
        subject += f" {context.case.kind}"
    described = documented_response(context.operation, answer.status)
    admitted = described is not None and described.status == str(answer.status)
    return Failure(
        "server_error",
        Severity.LOW if admitted else Severity.MEDIUM if answer.status == 501 else Severity.HIGH,
        f"Server error {answer.status}" + ("" if context.valid else f" ({context.case.kind.replace('_', ' ')})"),
        f"The server answered {answer.status} to: {context.case.title}."
        + (" The description names this status, but a request must not be able to cause it." if admitted else ""),
        subject,
        {"expected": "no 5xx", "got": answer.status, "part": context.case.part},
    )
