"""A JSON body is valid against the schema that the description gives for its status and media type."""

import re

from backend.app.engine.checks import (
    NOT_JSON,
    CheckContext,
    Failure,
    Severity,
    checks,
    documented_response,
    is_blocked,
    matching_media,
    may_have_body,
)
from backend.app.engine.generate.requests import is_json

SHOWN_ERRORS = 5


@checks.register("response_schema")
def response_schema(context: CheckContext) -> Failure | None:
    answer = context.answer
    if answer is None or context.exchange.redirects or is_blocked(context) or answer.status >= 500:
        return None
    if answer.status < 300 and not context.valid:
        # Odd input that was accepted is judged elsewhere; that it is echoed is no second fault.
        return None
    response = documented_response(context.operation, answer.status)
    if response is None or not response.content or not may_have_body(context.operation, answer.status):
        return None
    severity = Severity.MEDIUM if answer.status < 300 else Severity.LOW
    if not answer.body:
        if not all(is_json(media.content_type) for media in response.content):
            return None
        detail = f"The {answer.status} answer has no body, where JSON is documented."
        return Failure("response_schema", severity, "Empty body", detail, f"{answer.status} empty", {"got": ""})
    actual = answer.header("Content-Type") or ""
    media = matching_media(response, actual)
    if media is None or not is_json(actual):
        return None
    if context.document is NOT_JSON:
        detail = f"The body of the {answer.status} answer is announced as JSON and cannot be parsed."
        return Failure("response_schema", severity, "Body is not JSON", detail, f"{answer.status} not JSON")
    if context.validator.is_valid(media.schema, context.document):
        return None
    errors = sorted(
        context.validator.errors(media.schema, context.document, limit=SHOWN_ERRORS),
        key=lambda error: (pointer_shape(error.pointer), error.pointer),
    )
    if not errors:
        return None
    shape = pointer_shape(errors[0].pointer)
    return Failure(
        "response_schema",
        severity,
        f"Body of {answer.status} breaks its schema at {shape or 'the root'}",
        "; ".join(f"{error.pointer or '(root)'}: {error.message}" for error in errors),
        f"{answer.status} {shape}",
        {
            "pointer": errors[0].pointer,
            "errors": [{"pointer": error.pointer, "message": error.message} for error in errors],
        },
    )


def pointer_shape(pointer: str) -> str:
    """The pointer with array indices as `*`, so that it is equal for every item."""
    return re.sub(r"/\d+(?=/|$)", "/*", pointer)
