"""The status is one that the description names, as `200`, `2XX` or `default`."""

from backend.app.engine.checks import CheckContext, Failure, Severity, checks, documented_response, is_blocked


@checks.register("undocumented_status")
def undocumented_status(context: CheckContext) -> Failure | None:
    answer = context.answer
    operation = context.operation
    if answer is None or answer.status >= 500 or context.exchange.redirects or is_blocked(context):
        return None
    if not operation.responses or documented_response(operation, answer.status) is not None:
        return None
    if answer.status == 404 and context.invented:
        return None
    # A path without parameters names nothing that could be missing but the operation itself.
    absent = context.valid and (answer.status == 405 or (answer.status == 404 and "{" not in operation.path))
    documented = [response.status for response in operation.responses]
    return Failure(
        "undocumented_status",
        Severity.MEDIUM if absent or answer.status < 300 else Severity.LOW,
        f"Undocumented status {answer.status}",
        f"The server answered {answer.status}; the description names {', '.join(documented)}."
        + (" The operation seems not to be there." if absent else ""),
        f"status {answer.status}",
        {"expected": documented, "got": answer.status},
    )
