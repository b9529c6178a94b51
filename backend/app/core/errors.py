"""Errors that carry their own HTTP status and code.

    TouchstoneError
    ├── InvalidInput          422
    │   └── MalformedBody
    ├── NotAuthenticated      401
    ├── PermissionDenied      403
    ├── NotFound              404   also what another tenant's object answers
    ├── Conflict              409
    │   └── InvalidTransition
    ├── PreconditionFailed    412   (428 when `If-Match` is missing)
    ├── PayloadTooLarge       413
    ├── TooManyRequests       429
    └── Unavailable           503

A module derives its own (`ScanNotFound(NotFound)`) and sets `code`; the message is for the person who called.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self


class TouchstoneError(Exception):
    """`errors` lists field faults as `{"pointer"|"parameter": ..., "detail": ...}` (RFC 9457, 3.2)."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal.error"
    title: ClassVar[str] = "Internal error"
    members: ClassVar[Mapping[str, str]] = {}
    """Extension members of the problem (RFC 9457, 3.2)."""

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = list(errors)
        self.headers = dict(headers or {})

    @classmethod
    def because(cls, reason: str, detail: str, pointer: str = "#") -> Self:
        """With a reason that is stable, for programs, as the `type` of its one field fault."""
        return cls(detail, errors=[{"pointer": pointer, "detail": detail, "type": reason}])


class InvalidInput(TouchstoneError):
    status = 422
    code = "request.invalid"
    title = "The request is not valid"


class MalformedBody(InvalidInput):
    code = "request.malformed"
    title = "The request body is not valid JSON"


class NotAuthenticated(TouchstoneError):
    status = 401
    code = "auth.required"
    title = "Credentials are required"

    def __init__(self, detail: str = "", **kwargs: Any) -> None:
        kwargs.setdefault("headers", {"WWW-Authenticate": 'Bearer realm="touchstone"'})
        super().__init__(detail, **kwargs)


class PermissionDenied(TouchstoneError):
    status = 403
    code = "auth.forbidden"
    title = "Your role or key does not permit this"


class NotFound(TouchstoneError):
    status = 404
    code = "resource.not_found"
    title = "There is no such resource"


class Conflict(TouchstoneError):
    status = 409
    code = "resource.conflict"
    title = "The request conflicts with the present state"


class InvalidTransition(Conflict):
    code = "resource.invalid_transition"
    title = "The status cannot change that way"


class PreconditionFailed(TouchstoneError):
    status = 412
    code = "resource.changed"
    title = "The resource has changed since you read it"


class PreconditionRequired(TouchstoneError):
    status = 428
    code = "resource.if_match_required"
    title = "Send If-Match with the ETag you read"


class PayloadTooLarge(TouchstoneError):
    status = 413
    code = "request.too_large"
    title = "The request body is too large"


class UnsupportedMediaType(TouchstoneError):
    status = 415
    code = "request.unsupported_media_type"
    title = "The Content-Type of the request is not application/json"


class TooManyRequests(TouchstoneError):
    status = 429
    code = "request.too_many"
    title = "Too many requests"


class Unavailable(TouchstoneError):
    status = 503
    code = "service.unavailable"
    title = "A service that this needs is unavailable"
    retry_after_s: ClassVar[int] = 5

    def __init__(self, detail: str = "", **kwargs: Any) -> None:
        kwargs.setdefault("headers", {"Retry-After": str(self.retry_after_s)})
        super().__init__(detail, **kwargs)
