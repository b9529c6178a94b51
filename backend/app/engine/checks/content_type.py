"""The media type of a body is one that the description names for the status."""

from backend.app.engine.checks import (
    CheckContext,
    Failure,
    Severity,
    checks,
    documented_response,
    essence,
    is_blocked,
    matching_media,
    may_have_body,
)


@checks.register("content_type")
def content_type(context: CheckContext) -> Failure | None:
    answer = context.answer
    if answer is None or not answer.body or context.exchange.redirects or is_blocked(context) or answer.status >= 500:
        return None
    response = documented_response(context.operation, answer.status)
    if response is None or not response.content or not may_have_body(context.operation, answer.status):
        return None
    actual = answer.header("Content-Type") or ""
    if matching_media(response, actual) is not None:
        return None
    documented = sorted({essence(media.content_type) for media in response.content})
    shown = essence(actual) or "no Content-Type"
    return Failure(
        "content_type",
        Severity.MEDIUM if answer.status < 300 else Severity.LOW,
        f"Undocumented content type {shown}",
        f"The body of the {answer.status} answer is {shown}; the description names {', '.join(documented)}.",
        f"{answer.status} {shown}",
        {"expected": documented, "got": actual},
    )
