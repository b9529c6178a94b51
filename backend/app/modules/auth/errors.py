"""What can go wrong with identity."""

from backend.app.core.errors import Conflict, InvalidInput, NotAuthenticated, NotFound, PermissionDenied, Unavailable


class EmailTaken(Conflict):
    code = "auth.email_taken"
    title = "There is an account with this e-mail address"


class InvalidCredentials(NotAuthenticated):
    code = "auth.invalid_credentials"
    title = "The e-mail address or the password is wrong"


class InvalidCredential(NotAuthenticated):
    """An access token or API key that is malformed, expired or revoked; which of them is not said (RFC 6750, 3.1)."""

    code = "auth.invalid_token"
    title = "The access token or API key is not valid"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer realm="touchstone", error="invalid_token"'})


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
    title = "A key expires in the future, within ten years"


class WorkspaceNotFound(NotFound):
    code = "workspace.not_found"
    title = "There is no such workspace"
