"""What can go wrong with a link that was mailed."""

from backend.app.core.errors import InvalidInput


class InvalidMailedToken(InvalidInput):
    """Unknown, used, expired, for another purpose or of a disabled account; which of them is not said."""

    code = "mailed_token.invalid"
    title = "The link does not work any more: ask for another one"
