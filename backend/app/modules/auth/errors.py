"""What can go wrong with identity."""

import math
from datetime import timedelta
from typing import ClassVar

from backend.app.core.errors import (
    Conflict,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    TooManyRequests,
    TouchstoneError,
    Unavailable,
)


class InvalidCredentials(NotAuthenticated):
    code = "auth.invalid_credentials"
    title = "The e-mail address or the password is wrong"


class InvalidCredential(NotAuthenticated):
    """An access token or API key that is malformed, expired or revoked; which of them is not said (RFC 6750, 3.1)."""

    code = "auth.invalid_token"
    title = "The access token or API key is not valid"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer realm="touchstone", error="invalid_token"'})


class InvalidGrant(TouchstoneError):
    """`InvalidCredentials` as OAuth 2 says it (RFC 6749, 5.2)."""

    status = 400
    code = "auth.invalid_grant"
    title = InvalidCredentials.title
    members: ClassVar = {"error": "invalid_grant"}


class UnsupportedGrant(TouchstoneError):
    """RFC 6749, 5.2."""

    status = 400
    code = "auth.unsupported_grant_type"
    title = "The grant type is not password"
    members: ClassVar = {"error": "unsupported_grant_type"}


class TooManyAttempts(TooManyRequests):
    """For an account from an address; whether there is such an account is not said."""

    code = "auth.too_many_attempts"
    title = "Too many failed sign-ins with this account from this address"

    def __init__(self, wait: timedelta) -> None:
        super().__init__(headers={"Retry-After": str(math.ceil(wait.total_seconds()))})


class ExpectedPassword(InvalidInput):
    """NIST SP 800-63B-4, 3.1.1.2; ASVS 5, 6.2.4."""

    code = "auth.expected_password"
    title = "Passwords like this one are tried first"

    def __init__(self, field: str) -> None:
        detail = (
            "This password is among the commonest, repeats itself, walks along the keyboard, or says your name, your "
            "address or ours; choose another one, such as four or five random words"
        )
        super().__init__(detail, errors=[{"pointer": f"#/{field}", "detail": detail}])


class WrongPassword(InvalidInput):
    code = "auth.wrong_password"
    title = "The current password is wrong"

    def __init__(self) -> None:
        super().__init__(errors=[{"pointer": "#/current_password", "detail": self.title}])


class SignInAgain(PermissionDenied):
    """For what opens an account to somebody for good (ASVS 5, 7.5.1)."""

    code = "auth.sign_in_again"
    title = "This needs a sign-in of the last ten minutes, or the current password"


class NoSession(Conflict):
    code = "session.none"
    title = "An API key has no session to end; revoke the key, or end the session everywhere"


class SessionNotFound(NotFound):
    code = "session.not_found"
    title = "There is no such session"


class InvalidRefreshToken(NotAuthenticated):
    code = "auth.invalid_refresh_token"
    title = "The refresh token is not valid"


class TooManySignIns(Unavailable):
    code = "auth.busy"
    title = "Too many sign-ins at the moment"


class ApiKeyNotFound(NotFound):
    code = "api_key.not_found"
    title = "There is no such API key"


class ScopeNotHeld(PermissionDenied):
    code = "api_key.scope_not_held"
    title = "A key cannot do more than you may"


class InvalidExpiry(InvalidInput):
    code = "api_key.invalid_expiry"
    title = "A key expires in the future, within ten years, and no later than the key that makes it"


class WorkspaceNotFound(NotFound):
    code = "workspace.not_found"
    title = "There is no such workspace"
