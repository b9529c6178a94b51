"""What can go wrong with single sign-on. Why a provider's answer was not believed stands in the log only."""

from backend.app.core.errors import Conflict, NotAuthenticated, NotFound, PermissionDenied, TouchstoneError, Unavailable


class SsoProviderNotFound(NotFound):
    code = "sso_provider.not_found"
    title = "There is no such provider"


class SsoStateInvalid(NotAuthenticated):
    code = "sso.invalid_state"
    title = "The sign-in was not started in this browser, was completed already, or took too long"


class SsoDenied(NotAuthenticated):
    code = "sso.denied"
    title = "The provider did not sign you in"


class SsoAnswerInvalid(NotAuthenticated):
    code = "sso.invalid_answer"
    title = "The answer of the provider does not prove who you are"


class SsoAccountRefused(PermissionDenied):
    """One for all reasons: it must not tell whose address has an account, or which account is disabled."""

    code = "sso.account_refused"
    title = "This provider does not sign you in here"


class SsoProviderUnavailable(Unavailable):
    code = "sso_provider.unavailable"
    title = "The provider cannot be reached at the moment"


class SsoProviderFaulty(TouchstoneError):
    """What the provider answers, or how it is set up, does not keep to OAuth 2.0 or OpenID Connect."""

    status = 502
    code = "sso_provider.faulty"
    title = "The provider does not answer as it should"


class IdentityTaken(Conflict):
    """Told to nobody but who proved at the provider that the identity is theirs."""

    code = "identity.taken"
    title = "This identity opens another account"


class LinkedIdentityNotFound(NotFound):
    code = "identity.not_found"
    title = "There is no such identity"


class LastWayIn(Conflict):
    code = "identity.last_way_in"
    title = "This is your only way to sign in: set a password first"
